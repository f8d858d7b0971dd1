"""What a hum of the mains does to the image and to the answers: whether recordings have to be rid of it.

    PYTHONPATH=wheel_src python tests/bench/mains.py [--windows 12] [--manifest weights_manifest.json]

A hum of its own phase and height, up to what is stated, is added to each electrode of simulated recordings of ten
minutes. The answer is compared with that without it; and with that after a notch of 2 Hz, which is what a reader of
recordings could do about it.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import signal

import hbac
from hbac import hms
from hbac.preprocessing.multitaper import rebuild_window
from hbac.simulation.eeg import synthesise
from hbac.simulation.patient import Episode, draw_patient

SECONDS = hms.SPECTROGRAM_WINDOW_S
START = hms.EEG_START_IN_SPECTROGRAM_S * hms.EEG_RATE_HZ
NOTCH_HZ = 2.0


def image_of(uv: np.ndarray, manifest: hbac.Manifest) -> np.ndarray:
    """The image of the middle 50 s."""
    return hbac.make_image(uv[START : START + hms.EEG_WINDOW], rebuild_window(uv, START), manifest.preprocessing)


def notched(uv: np.ndarray, hz: float) -> np.ndarray:
    """Without what lies within 1 Hz of the mains."""
    b, a = signal.iirnotch(hz, hz / NOTCH_HZ, fs=hms.EEG_RATE_HZ)
    return signal.filtfilt(b, a, uv, axis=0).astype(np.float32)


def variants(uv: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The recording with each hum."""
    at_s = np.arange(len(uv))[:, None] / hms.EEG_RATE_HZ
    phase, height = rng.uniform(0, 2 * np.pi, uv.shape[1]), rng.uniform(0, 1, uv.shape[1])
    out = {"60 Hz notch alone": notched(uv, 60)}
    for hz in (50, 60):
        wave = np.sin(2 * np.pi * hz * at_s + phase) * height
        for uv_peak in (10, 30, 100):
            out[f"{hz} Hz, {uv_peak} uV"] = (uv + uv_peak * wave).astype(np.float32)
        out[f"{hz} Hz, 100 uV, notch"] = notched(out[f"{hz} Hz, 100 uV"], hz)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--manifest", type=Path, default=Path("weights_manifest.json"))
    args = parser.parse_args()
    manifest = hbac.read_manifest(args.manifest)
    ensemble = hbac.Ensemble(manifest, hbac.TensorFlowEngine(manifest.network))
    found: dict[str, list[tuple[float, float]]] = {}
    for k in range(args.windows):
        rng = np.random.default_rng(100 + k)
        mixture = tuple(float(j == k % len(hms.CLASSES)) for j in range(len(hms.CLASSES)))
        uv = synthesise(SECONDS, [Episode(260, 340, mixture)], draw_patient(rng, False), rng)[:, : len(hms.ELECTRODES)]
        image = image_of(uv, manifest)
        answer = ensemble.predict(image[None])
        for name, other in variants(uv, rng).items():
            changed = image_of(other, manifest)
            apart = np.abs(ensemble.predict(changed[None]) - answer).max()
            found.setdefault(name, []).append((float(np.abs(changed - image).mean()), float(apart)))
    print(f"{'hum':24}{'image, mean':>14}{'probability, mean':>20}{'largest':>10}")
    for name, rows in found.items():
        images, apart = np.array(rows).T
        print(f"{name:24}{images.mean():14.4f}{apart.mean():20.4f}{apart.max():10.4f}")


if __name__ == "__main__":
    main()
