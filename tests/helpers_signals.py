"""What the tests of signals share: the seven real records, made-up EEGs, and files that are damaged on purpose."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hbac import hms

SAMPLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "hms_sample"
VOTES = SAMPLE.parent / "hms_votes.csv.gz"
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the real records of {SAMPLE} are not on this machine")
needs_votes = pytest.mark.skipif(not VOTES.is_file(), reason=f"the real votes of {VOTES} are not on this machine")

REAL_PAIRS = (  # split, eeg_id, spectrogram_id; as pairs.csv has them
    ("test", 3911565283, 853520),
    ("train", 1445780287, 4004824),
    ("train", 1572717157, 15428069),
    ("train", 2088807520, 198643605),
    ("train", 2713014975, 780890284),
    ("train", 2717392258, 465078132),
    ("train", 3701757135, 10530005),
)
real_pairs = pytest.mark.parametrize(
    ("split", "eeg_id", "spectrogram_id"), REAL_PAIRS, ids=[str(pair[1]) for pair in REAL_PAIRS]
)


def at(name: str) -> int:
    """Column of an electrode."""
    return hms.ELECTRODES.index(name)


def noise_eeg(samples: int = hms.EEG_WINDOW, seed: int = 0, sd_uv: float = 30.0) -> np.ndarray:
    """(samples, 19) float32 white noise, each electrode its own."""
    return np.random.default_rng(seed).normal(0, sd_uv, (samples, len(hms.ELECTRODES))).astype(np.float32)


def noise_power(rows: int = hms.SPECTROGRAM_ROWS, seed: int = 0) -> np.ndarray:
    """(rows, 400) float32 log-normal power, some of it beyond both limits of the image."""
    return np.exp(np.random.default_rng(seed).normal(1, 4, (rows, len(hms.SPECTROGRAM_COLUMNS)))).astype(np.float32)


def eeg_columns(samples: int = 1000, seed: int = 0) -> dict[str, np.ndarray]:
    """The 20 columns of an EEG file, whole microvolts that any type of number can hold."""
    values = np.random.default_rng(seed).integers(-400, 400, (len(hms.EEG_COLUMNS), samples))
    return {name: column.astype(np.float32) for name, column in zip(hms.EEG_COLUMNS, values)}


def spectrogram_columns(rows: int = hms.SPECTROGRAM_ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    """The 401 columns of a spectrogram file."""
    values = np.random.default_rng(seed).integers(0, 1000, (len(hms.SPECTROGRAM_COLUMNS), rows))
    power = {name: column.astype(np.float32) for name, column in zip(hms.SPECTROGRAM_COLUMNS, values)}
    return {"time": 1 + 2 * np.arange(rows), **power}


def write_parquet(path: Path, columns: dict) -> Path:
    """Write columns (arrays of NumPy or of Arrow) in their order."""
    pq.write_table(pa.table(columns), path)
    return path


def electrodes_of(columns: dict[str, np.ndarray]) -> np.ndarray:
    """(samples, 19) of the columns of `eeg_columns`."""
    return np.stack([columns[name] for name in hms.ELECTRODES], axis=1)


def mirror_name(electrode: str) -> str:
    """The electrode on the other side of the head: odd numbers are left, even ones right, z is the middle."""
    if not electrode[-1].isdigit():
        return electrode
    number = int(electrode[-1])
    return electrode[:-1] + str(number + 1 if number % 2 else number - 1)
