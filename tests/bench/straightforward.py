"""The same image as `hbac.preprocessing.three_zooms`, written as a notebook would: pandas, SciPy, loops over pairs and frames, float64.

Plain on purpose, and nothing of the package in it: the benchmark's measure of what the package's way saves, and a second
opinion on every number of the image.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import signal
from scipy.signal.windows import dpss

RATE_HZ = 200
CHAINS = (
    ("Fp1", "F7", "T3", "T5", "O1"),
    ("Fp2", "F8", "T4", "T6", "O2"),
    ("Fp1", "F3", "C3", "P3", "O1"),
    ("Fp2", "F4", "C4", "P4", "O2"),
)
PAIRS = [(a, b) for chain in CHAINS for a, b in zip(chain[:-1], chain[1:])]
ELECTRODES = sorted({electrode for chain in CHAINS for electrode in chain})
WINDOW = 50 * RATE_HZ
COLUMNS = 300
ROWS_PER_PAIR = 25
FREQUENCIES_HZ = 0.5 + np.concatenate([[0], np.cumsum(0.4 * 1.0575 ** np.arange(ROWS_PER_PAIR - 1))])
FRAME = int(1.35 * RATE_HZ)
MISSING_LOG_POWER = -2.0  # the normalised floor


def load(eeg: Path, spectrogram: Path) -> np.ndarray:
    """One record's files to the network's input, (400, 300, 3) float32."""
    image = np.zeros((400, COLUMNS, 3), np.float32)
    image[..., 0] = ten_minutes(pd.read_parquet(spectrogram))
    pairs, gaps = bipolar_pairs(pd.read_parquet(eeg))
    image[..., 1] = fifty_seconds(pairs, gaps)
    image[..., 2] = ten_seconds(pairs, gaps)
    return image


def ten_minutes(table: pd.DataFrame) -> np.ndarray:
    """Channel 0: the file's power, (400, 300)."""
    power = table.drop(columns="time").iloc[:COLUMNS].to_numpy().T
    return normalised_log(power)


def normalised_log(power: np.ndarray) -> np.ndarray:
    return np.log(np.clip(np.nan_to_num(power, nan=0.0), np.exp(-4), np.exp(8))) / 2


def bipolar_pairs(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(16, 10000) filtered pairs, and which samples of them are missing."""
    first = (len(table) - WINDOW) // 2
    table = table[ELECTRODES].iloc[first : first + WINDOW].reset_index(drop=True)
    missing = table.isna()
    table = table.clip(-1024, 1024).interpolate(limit_direction="both").fillna(0)
    b, a = signal.butter(2, 0.3, "highpass", fs=RATE_HZ)
    pairs, gaps = [], []
    for one, other in PAIRS:
        pairs.append(signal.filtfilt(b, a, (table[one] - table[other]).to_numpy(np.float64), padlen=9))
        gaps.append((missing[one] | missing[other]).to_numpy())
    return np.array(pairs), np.array(gaps)


def fifty_seconds(pairs: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Channel 1: power of each pair at 25 frequencies, one frame a column, (400, 300)."""
    taper = dpss(FRAME, 1.0, norm=2)
    waves = np.exp(-2j * np.pi * FREQUENCIES_HZ[:, None] * np.arange(FRAME) / RATE_HZ)
    power = np.zeros((len(PAIRS), ROWS_PER_PAIR, COLUMNS))
    for pair in range(len(PAIRS)):
        for column in range(COLUMNS):
            center = (column + 0.5) * WINDOW / COLUMNS
            start = int(np.clip(np.round(center - FRAME / 2), 0, WINDOW - FRAME))
            frame = pairs[pair, start : start + FRAME]
            spectrum = waves @ ((frame - frame.mean()) * taper)
            if gaps[pair, start : start + FRAME].mean() <= 0.25:
                power[pair, :, column] = np.abs(spectrum) ** 2 / RATE_HZ
    return normalised_log(power.reshape(-1, COLUMNS))


def ten_seconds(pairs: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Channel 2: the waveform of each pair in the middle 10 s at 30 Hz, (400, 300)."""
    up, down = 3, 20
    low_pass = signal.firwin(301, 14, fs=RATE_HZ * up)
    first = (WINDOW - COLUMNS * down // up) // 2
    at = first + np.arange(COLUMNS) * down // up
    rows = []
    for pair, gap in zip(pairs, gaps):
        wave = signal.resample_poly(pair, up, down, window=low_pass)
        wave = np.arcsinh(wave[first * up // down :][:COLUMNS] / 20)
        wave[gap[at]] = 0
        rows += [wave] * ROWS_PER_PAIR
    return np.array(rows)
