"""The golden record: an EEG and a spectrogram given by formula, so that changed code is noticed before it answers.

No random numbers and no file: anyone can compute it, on any machine, to the last bits of the sine.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.preprocessing.preset import Preset
from hbac.preprocessing.presets import make_image

PROBE_ROWS = slice(5, None, 29)  # 14 rows in 14 of the 16 pairs, in each at another of its 25 rows
PROBE_COLUMNS = slice(7, None, 37)
IMAGE_TOLERANCE = 1e-4

Array = npt.NDArray[np.float32]


def golden_eeg() -> Array:
    """(10000, 19) float32 microvolts: drift, delta, alpha, mains, periodic discharges, a gap and a lost electrode."""
    t = np.arange(hms.EEG_WINDOW)[:, None] / hms.EEG_RATE_HZ  # s
    c = np.arange(len(hms.ELECTRODES))  # (19,)
    delta = (30 + 2 * c) * np.sin(2 * np.pi * (1.1 + 0.05 * c) * t + 0.3 * c)
    alpha = (4 + c % 5) * np.sin(2 * np.pi * 9.7 * t + 0.8 * c)
    mains = 3 * np.sin(2 * np.pi * 60 * t)
    drift = 80 * np.sin(2 * np.pi * 0.04 * t + c)
    beats = np.mod(t - 0.01 * c, 0.9)  # s since the last discharge, later towards the back
    discharges = -(40 + 8 * (c % 4)) * np.exp(-(((beats - 0.2) / 0.03) ** 2))
    uv: Array = (delta + alpha + mains + drift + discharges).astype(np.float32)
    uv[5100:5300] = np.nan  # 1 s in the middle of the recording
    uv[8000:, hms.ELECTRODES.index("T4")] = np.nan
    return uv


def golden_power() -> Array:
    """(300, 400) float32 linear power: 1/f with a wandering peak, four missing rows."""
    row = np.arange(hms.SPECTROGRAM_ROWS)[:, None]
    hz = np.tile(hms.SPECTROGRAM_FREQUENCIES_HZ, len(hms.CHAINS))
    chain = np.repeat(np.arange(len(hms.CHAINS)), len(hms.SPECTROGRAM_BINS))
    peak = 2.0 + np.sin(2 * np.pi * row / 150 + chain)
    log_power = 3.5 - 2.2 * np.log(hz) + 2.5 * np.exp(-(((hz - peak) / 0.4) ** 2)) + 0.4 * np.sin(row / 7 + hz)
    power: Array = np.exp(log_power).astype(np.float32)
    power[100:104] = np.nan
    return power


def golden_image(settings: Preset) -> Array:
    """The golden record as a network sees it, of the preset's shape; for three zooms (400, 300, 3) float32."""
    return make_image(golden_eeg(), golden_power(), settings)


def probe(image: Array) -> list[Any]:
    """The values of an image that a manifest keeps: a grid of rows and columns framed by means, channels first.

    Of (400, 300, 3) it is (3, 15, 9): 14 rows and their mean, 8 columns and their mean. A waveform (time, channels) has
    rows alone: of (2000, 8) it is (8, 70), 69 moments and their channel's mean.

    The means are over all cells of a column, of a row and of the channel, so that cells between those of the grid
    count too: a change of 0.05 nat in a single pair moves the mean of its channel by more than `IMAGE_TOLERANCE`.
    """
    if image.ndim == 2:
        mean = image.mean(axis=0, keepdims=True, dtype=np.float64)
        moments: list[Any] = np.round(np.concatenate([image[PROBE_ROWS], mean]).T, 6).tolist()
        return moments
    grid = image[PROBE_ROWS, PROBE_COLUMNS]  # (14, 8, 3)
    rows = image[PROBE_ROWS].mean(axis=1, keepdims=True, dtype=np.float64)
    columns = image[:, PROBE_COLUMNS].mean(axis=0, keepdims=True, dtype=np.float64)
    whole = image.mean(axis=(0, 1), keepdims=True, dtype=np.float64)
    framed = np.concatenate(
        [np.concatenate([grid, rows], axis=1), np.concatenate([columns, whole], axis=1)], axis=0
    )  # (15, 9, 3)
    values: list[Any] = np.round(framed.transpose(2, 0, 1), 6).tolist()
    return values


def probe_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of `probe` for images of a shape."""
    return np.shape(probe(np.zeros(shape, np.float32)))
