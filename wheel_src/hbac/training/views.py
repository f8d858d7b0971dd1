"""Changes of an image that leave its meaning: for training and for test-time averaging.

All take a batch of images (batch, 400, 300, 3), float32 or uint8 as they are cached, and return a changed copy; random
ones draw from the generator they are given. Only `mixup` needs float32; the others take two thirds of
the time on uint8 (`make bench`).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.preprocessing.three_zooms import (
    HEIGHT,
    MISSING_UINT8,
    ROWS_PER_PAIR,
    WIDTH,
    ImageSettings,
    flip_hemispheres,
    floor,
    pair_frequencies_hz,
)
from hbac.training.schedule import ViewSettings

COLUMNS_PER_S = (0.5, WIDTH / hms.EEG_WINDOW_S, 30.0)  # of the three channels
COVERED_BY_EEG = slice(138, 162)  # columns of channel 0 that 50 s of EEG can rebuild

Array = npt.NDArray[Any]  # float32 or uint8


def _missing(images: Array, settings: ImageSettings) -> tuple[float, float]:
    """What a missing cell holds: in channels 0 and 1, in channel 2."""
    return MISSING_UINT8 if images.dtype == np.uint8 else (floor(settings), 0.0)


def mixup(images: Array, votes: Array, alpha: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Weighted means of each image and of its votes with those of another one (Zhang et al. 2018, arXiv:1710.09412).

    Args:
        images: (batch, ...).
        votes: (batch, classes), rows summing to 1.
        alpha: of the beta distribution that the weight is drawn from.
    """
    share = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    share = np.maximum(share, 1 - share)  # the larger share stays with the image itself
    partner = rng.permutation(len(images))

    def mix(x: Array) -> Array:
        out = x[partner]
        out -= x
        out *= (1 - share).reshape(-1, *[1] * (x.ndim - 1))
        out += x
        return out

    return mix(images), mix(votes)


def mask_frequencies(images: Array, low_hz: float, high_hz: float, settings: ImageSettings) -> Array:
    """Hide a band of frequencies, the same in every chain of channel 0 and every pair of channel 1."""
    out = images.copy()
    host = np.tile(hms.SPECTROGRAM_FREQUENCIES_HZ, len(hms.CHAINS))  # (400,)
    pair = np.tile(pair_frequencies_hz(settings), HEIGHT // ROWS_PER_PAIR)  # (400,)
    for channel, hz in enumerate((host, pair)):
        out[:, (hz >= low_hz) & (hz <= high_hz), :, channel] = _missing(images, settings)[0]
    return out


def mask_times(images: Array, first: int, count: int, settings: ImageSettings) -> Array:
    """Hide a stretch of columns in all channels."""
    out = images.copy()
    power, wave = _missing(images, settings)
    out[:, :, first : first + count, :2] = power
    out[:, :, first : first + count, 2] = wave
    return out


def drop_eeg(images: Array, settings: ImageSettings) -> Array:
    """The images as they are without an EEG file: channels 1 and 2 constant."""
    out = images.copy()
    out[..., 1], out[..., 2] = _missing(images, settings)
    return out


def drop_spectrogram(images: Array, settings: ImageSettings) -> Array:
    """The images as they are without a spectrogram file: of channel 0 only the columns that the EEG covers."""
    out = images.copy()
    out[..., 0] = _missing(images, settings)[0]
    out[..., COVERED_BY_EEG, 0] = images[..., COVERED_BY_EEG, 0]
    return out


def shift_time(images: Array, seconds: float, settings: ImageSettings) -> Array:
    """Move what all three channels show by the same time, later for positive `seconds`; what comes in is missing."""
    out = images.copy()
    for channel, per_second in enumerate(COLUMNS_PER_S):
        columns = int(np.clip(round(seconds * per_second), -WIDTH, WIDTH))
        if columns:
            out[..., channel] = np.roll(images[..., channel], columns, axis=2)
            came_in = slice(columns) if columns > 0 else slice(WIDTH + columns, None)
            out[:, :, came_in, channel] = _missing(images, settings)[channel // 2]
    return out


def random_views(images: Array, settings: ImageSettings, views: ViewSettings, rng: np.random.Generator) -> Array:
    """Each image flipped, shifted, masked and with files dropped at random, as in training."""
    return np.concatenate([_random_view(images[i : i + 1], settings, views, rng) for i in range(len(images))])


def _random_view(view: Array, settings: ImageSettings, views: ViewSettings, rng: np.random.Generator) -> Array:
    if rng.random() < views.flip:
        view = flip_hemispheres(view)
    if rng.random() < views.shift_time:
        view = shift_time(view, rng.uniform(-views.longest_shift_s, views.longest_shift_s), settings)
    if rng.random() < views.mask_frequencies:
        low = rng.uniform(0, hms.SPECTROGRAM_FREQUENCIES_HZ[-1])
        view = mask_frequencies(view, low, low + rng.uniform(0, views.widest_band_hz), settings)
    if rng.random() < views.mask_times:
        view = mask_times(view, int(rng.integers(WIDTH)), int(rng.integers(1, views.longest_stretch + 1)), settings)
    if rng.random() < views.drop_file:
        view = (drop_eeg if rng.random() < 0.5 else drop_spectrogram)(view, settings)
    return view
