"""The same EEG in files of every kind, and what each gave: a table.

    PYTHONPATH=wheel_src python tests/bench/recording_forms.py [--probabilities]

Files are written by edfio, MNE and by hand, and some are edited. The difference is the largest one from what was written,
in microvolts, 0.2 s away from ends and gaps; of sines from 0.5 to 38 Hz with peaks of some 150 uV. `--probabilities`: one
simulated recording with a seizure in several forms; how far the demo folds' probabilities are apart from those of the EDF.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edfio
import mne
import numpy as np
from conftest import ROOT
from helpers_recordings import (
    PAIR_LABELS,
    ROOM,
    edf_signal,
    edit,
    known_eeg,
    pairs_of,
    shift_onsets,
    write_brainvision,
    write_edf,
    write_eeglab,
)
from scipy.signal import resample

import hbac
from hbac import hms
from hbac.simulation.eeg import Episode, draw_patient, synthesise

DEMO = ROOT / "weights_manifest.json"
REACH = 60  # samples beside ends and gaps that are not compared
NEWER = [{"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}.get(name, name) for name in hms.ELECTRODES]


def raw_of(rate_hz: float = 200, uv: np.ndarray | None = None) -> Any:
    uv = known_eeg(rate_hz) if uv is None else uv
    return mne.io.RawArray(uv.T / 1e6, mne.create_info(list(hms.ELECTRODES), rate_hz, "eeg"), verbose="ERROR")


def fif(path: Path, rate_hz: float, uv: np.ndarray | None = None) -> Path:
    raw_of(rate_hz, uv).save(path.with_name("x_raw.fif"), overwrite=True, verbose="ERROR")
    return path.with_name("x_raw.fif")


def cut(path: Path, size: int) -> Path:
    os.truncate(path, size)
    return path


def ears(path: Path) -> Path:
    return write_edf(path, labels=[f"{name}-{'A2' if name[-1] in '2468' else 'A1'}" for name in hms.ELECTRODES])


def mixed(path: Path) -> Path:
    return write_edf(path, labels=[f"{name}-{'A1' if name in ('C3', 'O2') else 'REF'}" for name in hms.ELECTRODES])


def twice(path: Path, by_uv: float) -> Path:
    pairs = pairs_of(known_eeg(200))
    more = [edf_signal(pairs[:, 5] + by_uv, 200, PAIR_LABELS[5])]
    return write_edf(path, pairs, labels=PAIR_LABELS, more=more)


def alone(path: Path) -> Path:
    edfio.Edf([], annotations=ROOM).write(path)
    return path


FORMS: dict[str, Callable[[Path], Any]] = {
    "EDF, 200 Hz": write_edf,
    "EDF, pairs": lambda p: write_edf(p, pairs_of(known_eeg(200)), labels=PAIR_LABELS),
    "EDF, 100 Hz": lambda p: write_edf(p, rate_hz=100),
    "EDF, 128 Hz": lambda p: write_edf(p, rate_hz=128),
    "EDF, 256 Hz": lambda p: write_edf(p, rate_hz=256),
    "EDF, 512 Hz": lambda p: write_edf(p, rate_hz=512),
    "EDF, 2000 Hz": lambda p: write_edf(p, rate_hz=2000),
    "EDF, 64 Hz": lambda p: write_edf(p, rate_hz=64),
    "EDF, mV": lambda p: write_edf(p, unit="mV"),
    "EDF, V": lambda p: write_edf(p, unit="V"),
    "EDF, uV in Latin-1": lambda p: edit(write_edf(p), "unit", "µV".encode("latin-1"), None),
    "EDF, no unit": lambda p: edit(write_edf(p), "unit", "", None),
    "EDF, mV, no unit": lambda p: edit(write_edf(p, unit="mV"), "unit", "", None),
    "EDF, EEG Fp1-REF": lambda p: write_edf(p, labels=[f"EEG {name.upper()}-REF" for name in hms.ELECTRODES]),
    "EDF, T7 P8": lambda p: write_edf(p, labels=NEWER),
    "EDF, PhysioNet's dots": lambda p: write_edf(p, labels=[f"{name}.." for name in hms.ELECTRODES]),
    "EDF, ears of each side": ears,
    "EDF, mixed references": mixed,
    "EDF, a pair twice, equal": lambda p: twice(p, 0),
    "EDF, a pair twice, unlike": lambda p: twice(p, 5),
    "EDF, EKG alone": lambda p: write_edf(p, known_eeg(200)[:, :1], labels=["EKG"]),
    "EDF, 18 electrodes": lambda p: write_edf(p, labels=[*hms.ELECTRODES[:18], "X"]),
    "EDF, 7 electrodes": lambda p: write_edf(p, known_eeg(200)[:, :7], labels=hms.ELECTRODES[:7]),
    "EDF+C": lambda p: write_edf(p, annotations=ROOM),
    "EDF+D, a gap of 30 s": lambda p: shift_onsets(write_edf(p, annotations=ROOM), lambda k: 30 * (k >= 8)),
    "EDF+D, back in time": lambda p: shift_onsets(write_edf(p, annotations=ROOM), lambda k: -5 * (k >= 8)),
    "EDF, annotations alone": alone,
    "EDF, cut short": lambda p: cut(write_edf(p), 5120 + 7 * 7600 + 99),
    "EDF, header alone": lambda p: cut(write_edf(p), 5120),
    "EDF, -1 data records": lambda p: edit(write_edf(p), "records", "-1"),
    "EDF, 31 February": lambda p: edit(write_edf(p), "date", "31.02.24"),
    "EDF, header of 999 bytes": lambda p: edit(write_edf(p), "bytes", "999"),
    "EDF, equal limits": lambda p: edit(write_edf(p), "pmax", "-3276.7"),
    "EDF, one data record": lambda p: write_edf(p, data_record_duration=20),
    "EDF, flat": lambda p: write_edf(p, np.zeros((4000, 19))),
    "BDF, 200 Hz": lambda p: write_edf(p, form="BDF"),
    "BDF, 512 Hz": lambda p: write_edf(p, rate_hz=512, form="BDF"),
    "BDF+D, a gap of 30 s": lambda p: shift_onsets(
        write_edf(p, form="BDF", annotations=ROOM), lambda k: 30 * (k >= 8), "BDF+D"
    ),
    "BrainVision, 500 Hz": lambda p: write_brainvision(p.with_suffix(".vhdr"), known_eeg(500), 500),
    "EEGLAB, 512 Hz": lambda p: write_eeglab(p.with_suffix(".set"), known_eeg(512), 512),
    "FIF, 256 Hz": lambda p: fif(p, 256),
    "mne.io.RawArray": lambda _: raw_of(),
    "mne.io.Raw of an EDF+D": lambda p: mne.io.read_raw_edf(
        shift_onsets(write_edf(p, annotations=ROOM), lambda k: 30 * (k >= 8)), verbose="ERROR"
    ),
}


def difference(recording: hbac.Recording) -> float:
    """The largest one from `known_eeg`, where neither an end nor a gap is near."""
    uv = known_eeg(200)
    truth = uv if recording.electrodes else pairs_of(uv)
    block = recording.block(0, recording.samples)
    if recording.samples == 10_000:  # a gap of 30 s after 8 s
        block = np.concatenate([block[:1600], np.full((1, block.shape[1]), np.nan), block[7600:]])
        truth = np.insert(truth, 1600, np.nan, axis=0)
    there = np.isfinite(block).any(axis=1).astype(int)
    near = np.convolve(1 - np.pad(there, REACH), np.ones(2 * REACH + 1), "same")[REACH:-REACH] > 0
    return float(np.nanmax(np.abs(block - truth)[~near]))


# The same recording in each: what writes it, of the EEG at any rate

SAME: dict[str, Callable[[Path, Callable[[int], np.ndarray]], Path]] = {
    "EDF, 200 Hz": lambda p, uv: write_edf(p, uv(200)),
    "EDF, pairs": lambda p, uv: write_edf(p, pairs_of(uv(200)), labels=PAIR_LABELS),
    "EDF, 256 Hz": lambda p, uv: write_edf(p, uv(256), 256),
    "EDF, 512 Hz": lambda p, uv: write_edf(p, uv(512), 512),
    "EDF, mV": lambda p, uv: write_edf(p, uv(200), unit="mV"),
    "EDF, T7 P8": lambda p, uv: write_edf(p, uv(200), labels=NEWER),
    "BDF, 512 Hz": lambda p, uv: write_edf(p, uv(512), 512, form="BDF"),
    "BrainVision, 500 Hz": lambda p, uv: write_brainvision(p.with_suffix(".vhdr"), uv(500), 500),
    "EEGLAB, 512 Hz": lambda p, uv: write_eeglab(p.with_suffix(".set"), uv(512), 512),
    "FIF, 256 Hz": lambda p, uv: fif(p, 256, uv(256)),
}


def simulated() -> np.ndarray:
    """(7 min at 200 Hz, 19) microvolts with a seizure and generalised periodic discharges."""
    rng = np.random.default_rng(5)
    episodes = [Episode(100, 160, (1.0, 0, 0, 0, 0, 0)), Episode(240, 300, (0, 0, 1.0, 0, 0, 0))]
    return synthesise(420, episodes, draw_patient(rng, False), rng)[:, :19].astype(np.float64)


def answers(uv: np.ndarray, name: str, folder: Path) -> np.ndarray:
    """(steps, 6) probabilities by the demo folds of an EEG at 200 Hz, in the form of this name."""
    path = SAME[name](folder / "x.edf", lambda rate: resample(uv, len(uv) * rate // 200))
    return hbac.scan(hbac.read_recording(path), hbac.make_ensemble(hbac.read_manifest(DEMO))).probabilities


def probabilities() -> None:
    """The table of forms."""
    uv = simulated()
    print("| file | largest difference of a probability | steps |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        base = answers(uv, "EDF, 200 Hz", Path(folder))
        for name in SAME:
            found = answers(uv, name, Path(folder))
            print(f"| {name} | {np.abs(found - base).max():.1e} | {len(found)} |", flush=True)
    print(f"probabilities from {base.min():.4f} to {base.max():.4f}; seizure up to {base[:, 0].max():.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probabilities", action="store_true")
    if parser.parse_args().probabilities:
        probabilities()
    else:
        table()


def table() -> None:
    """What each form gave."""
    print("| file | gave | uV apart |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in FORMS.items():
            try:
                recording = hbac.read_recording(make(Path(folder) / "x.edf"))
            except hbac.HbacError as error:
                print(f"| {name} | refused: {str(error).partition(': ')[2]} | |")
                continue
            kind = "electrodes" if recording.electrodes else "pairs"
            said = "".join(f"; {note}" for note in recording.notes)
            print(f"| {name} | {kind}, {recording.duration_s:g} s{said} | {difference(recording):.3f} |")


if __name__ == "__main__":
    main()
