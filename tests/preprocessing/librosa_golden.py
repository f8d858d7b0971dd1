"""Write librosa_golden.npy: mel spectrograms of the golden record's EEG by librosa, which the tests do without.

    python -m venv LIBROSA && LIBROSA/bin/pip install librosa==0.11.0
    PYTHONPATH=wheel_src LIBROSA/bin/python tests/preprocessing/librosa_golden.py

Prints the largest difference from `spectrograms8-v1`, over the golden record, noise, drift, lost electrodes and silence.
librosa and what it needs take 170 MB and a compiler of their own, too much for every test environment.
"""

from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np

from hbac import hms
from hbac.preprocessing.golden import golden_eeg
from hbac.preprocessing.presets import PRESETS

FILE = Path(__file__).with_suffix(".npy")
ROWS, COLUMNS = slice(None, None, 5), slice(None, None, 7)  # that are kept
CHAINS = ("Fp1 F7 T3 T5 O1", "Fp1 F3 C3 P3 O1", "Fp2 F8 T4 T6 O2", "Fp2 F4 C4 P4 O2")  # in the starter's order


def mel_spectrograms(uv: np.ndarray) -> np.ndarray:
    """(128, 256, 4) as the starter makes them of (10000, 19) microvolts."""
    return np.stack([np.mean(list(of_chain(uv, chain.split())), axis=0) for chain in CHAINS], axis=-1)


def of_chain(uv: np.ndarray, names: list[str]) -> Iterator[np.ndarray]:
    """(128, 256) of each pair of a chain, -1 for what is 80 dB below its loudest cell."""
    for first, second in zip(names[:-1], names[1:]):
        pair = uv[:, hms.ELECTRODES.index(first)] - uv[:, hms.ELECTRODES.index(second)]
        pair = np.nan_to_num(pair, nan=0.0 if np.isnan(pair).all() else np.nanmean(pair))
        mel = librosa.feature.melspectrogram(
            y=pair, sr=200, n_fft=1024, win_length=128, hop_length=39, n_mels=128, fmin=0, fmax=20
        )
        yield librosa.power_to_db(mel, ref=np.max)[:, :256] / 40 + 1


def records() -> Iterator[tuple[str, np.ndarray]]:
    noise = np.random.default_rng(0).normal(0, 1, (hms.EEG_WINDOW, len(hms.ELECTRODES))).astype(np.float32)
    yield "golden", golden_eeg()
    yield "noise", 30 * noise
    yield "drift", 30 * noise + 10 * noise.cumsum(axis=0) + 3000 * noise[0]
    yield "lost electrodes", np.where(np.arange(19) % 3 == 0, np.float32(np.nan), noise)
    yield "silence", np.zeros_like(noise)


def main() -> None:
    for name, uv in records():
        expected, received = mel_spectrograms(uv), PRESETS["spectrograms8-v1"].make(uv, None)[..., 4:]
        print(f"{name}: {np.abs(received - expected).max():.1e}")
        if name == "golden":
            np.save(FILE, expected[ROWS, COLUMNS].astype(np.float32))


if __name__ == "__main__":
    main()
