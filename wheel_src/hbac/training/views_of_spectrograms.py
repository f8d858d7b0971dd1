"""Changes of the starter's eight spectrograms that leave their meaning; what `views` says of all holds for these.

There is no change of gain: z-scores, and decibels below the loudest cell, do not show it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.preprocessing.spectrograms8 import (
    CHANNELS,
    HEIGHT,
    HOST,
    HOST_COLUMNS,
    HOST_ROWS,
    MISSING_MEL,
    WIDTH,
    Spectrograms8Settings,
    mel_frequencies_hz,
)
from hbac.training.schedule import ViewSettings

HIDDEN_UINT8 = np.repeat(np.array([128, 127], np.uint8), HOST)  # what stands for 0, the middle, in each channel
COVERED_BY_EEG = slice(138 - HOST_COLUMNS.start, 162 - HOST_COLUMNS.start)  # columns that 50 s of EEG can rebuild

Array = npt.NDArray[Any]  # (batch, 128, 256, 8), float32 or uint8


def _hidden(images: Array) -> Array:
    """(8,) what a hidden cell holds: the middle, in place of what is there."""
    return HIDDEN_UINT8 if images.dtype == np.uint8 else np.zeros(CHANNELS, np.float32)


def mask_frequencies(images: Array, low_hz: float, high_hz: float, settings: Spectrograms8Settings) -> Array:
    """Hide a band of frequencies, the same in every channel."""
    hz = np.full((HEIGHT, CHANNELS), np.nan)
    hz[HOST_ROWS, :HOST] = np.array(hms.SPECTROGRAM_FREQUENCIES_HZ)[:, None]
    hz[:, HOST:] = mel_frequencies_hz(settings)[1:-1, None]
    inside = (hz >= low_hz) & (hz <= high_hz)  # (128, 8)
    return np.where(inside[:, None], _hidden(images), images)


def mask_times(images: Array, first: int, count: int) -> Array:
    """Hide a stretch of columns in all channels."""
    out = images.copy()
    out[:, :, first : first + count] = _hidden(images)
    return out


def shift_time(images: Array, seconds: float, settings: Spectrograms8Settings) -> Array:
    """Move what all channels show by the same time, later for positive `seconds`; what comes in is hidden."""
    out = images.copy()
    for channels, per_second in (
        (slice(HOST), 1 / hms.SPECTROGRAM_STEP_S),
        (slice(HOST, None), hms.EEG_RATE_HZ / settings.hop),
    ):
        columns = int(np.clip(round(seconds * per_second), -WIDTH, WIDTH))
        if columns:
            out[..., channels] = np.roll(images[..., channels], columns, axis=2)
            came_in = slice(columns) if columns > 0 else slice(WIDTH + columns, None)
            out[:, :, came_in, channels] = _hidden(images)[channels]
    return out


def drop_eeg(images: Array, settings: Spectrograms8Settings) -> Array:
    """The inputs as they are without an EEG file."""
    out = images.copy()
    out[..., HOST:] = 255 if images.dtype == np.uint8 else MISSING_MEL
    return out


def drop_spectrogram(images: Array, settings: Spectrograms8Settings) -> Array:
    """The inputs as they are without a spectrogram file: the columns that the EEG covers, with a z-score of their own.

    A z-score of a z-score is that of the values themselves.
    """
    values = settings.from_uint8(images) if images.dtype == np.uint8 else images.copy()
    covered = values[:, HOST_ROWS, COVERED_BY_EEG, :HOST].astype(np.float64)
    spread = covered.std(axis=(1, 2), keepdims=True) * settings.divisor
    values[..., :HOST] = 0.0
    values[:, HOST_ROWS, COVERED_BY_EEG, :HOST] = (covered - covered.mean(axis=(1, 2), keepdims=True)) / (
        spread + settings.epsilon
    )
    return settings.to_uint8(values) if images.dtype == np.uint8 else values


def random_view(view: Array, settings: Spectrograms8Settings, views: ViewSettings, rng: np.random.Generator) -> Array:
    """Inputs flipped, shifted, masked or with a file dropped, at random."""
    if rng.random() < views.flip:
        view = settings.flip(view)
    if rng.random() < views.shift_time:
        view = shift_time(view, rng.uniform(-views.longest_shift_s, views.longest_shift_s), settings)
    if rng.random() < views.drop_file:
        view = (drop_eeg if rng.random() < 0.5 else drop_spectrogram)(view, settings)
    if rng.random() < views.mask_frequencies:
        low = rng.uniform(0, settings.highest_hz)
        view = mask_frequencies(view, low, low + rng.uniform(0, views.widest_band_hz), settings)
    if rng.random() < views.mask_times:
        view = mask_times(view, int(rng.integers(WIDTH)), int(rng.integers(1, views.longest_stretch + 1)))
    return view
