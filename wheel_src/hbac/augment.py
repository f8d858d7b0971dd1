"""Changes of an image that leave its meaning: for training and for test-time averaging.

All take a batch of images (batch, 400, 300, 3) float32 and return a changed copy; random ones draw from the generator
they are given.
"""

import numpy as np
import numpy.typing as npt

from hbac import competition as hms
from hbac.image import HEIGHT, ROWS_PER_PAIR, WIDTH, ImageSettings, floor, pair_frequencies_hz

MIRRORED = (1, 0, 3, 2)  # LL, RL, LP, RP with left and right exchanged
COVERED_BY_EEG = slice(138, 162)  # columns of channel 0 that 50 s of EEG can rebuild

Array = npt.NDArray[np.float32]


def flip_hemispheres(images: Array) -> Array:
    """Exchange left and right: chain LL with RL and LP with RP, in all channels. No class names a side.

    Args:
        images: (..., 400, 300, 3).
    """
    *batch, height, width, channels = images.shape
    chains = images.reshape(*batch, len(hms.CHAINS), height // len(hms.CHAINS), width, channels)
    return np.take(chains, MIRRORED, axis=-4).reshape(images.shape)


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
        s = share.reshape(-1, *[1] * (x.ndim - 1))
        return s * x + (1 - s) * x[partner]

    return mix(images), mix(votes)


def mask_frequencies(images: Array, low_hz: float, high_hz: float, settings: ImageSettings) -> Array:
    """Hide a band of frequencies, the same in every chain of channel 0 and every pair of channel 1."""
    out = images.copy()
    host = np.tile(hms.SPECTROGRAM_FREQUENCIES_HZ, len(hms.CHAINS))  # (400,)
    pair = np.tile(pair_frequencies_hz(settings), HEIGHT // ROWS_PER_PAIR)  # (400,)
    for channel, hz in enumerate((host, pair)):
        out[:, (hz >= low_hz) & (hz <= high_hz), :, channel] = floor(settings)
    return out


def mask_times(images: Array, first: int, count: int, settings: ImageSettings) -> Array:
    """Hide a stretch of columns in all channels."""
    out = images.copy()
    out[:, :, first : first + count, :2] = floor(settings)
    out[:, :, first : first + count, 2] = 0.0
    return out


def drop_eeg(images: Array, settings: ImageSettings) -> Array:
    """The images as they are without an EEG file: channels 1 and 2 constant."""
    out = images.copy()
    out[..., 1], out[..., 2] = floor(settings), 0.0
    return out


def drop_spectrogram(images: Array, settings: ImageSettings) -> Array:
    """The images as they are without a spectrogram file: of channel 0 only the columns that the EEG covers."""
    out = images.copy()
    out[..., 0] = floor(settings)
    out[..., COVERED_BY_EEG, 0] = images[..., COVERED_BY_EEG, 0]
    return out


def random_views(images: Array, settings: ImageSettings, rng: np.random.Generator) -> Array:
    """Each image flipped, masked and with files dropped at random, as in training."""
    out = np.empty_like(images)
    for i in range(len(images)):
        view = images[i : i + 1]
        if rng.random() < 0.5:
            view = flip_hemispheres(view)
        if rng.random() < 0.5:
            low = rng.uniform(0, 20)
            view = mask_frequencies(view, low, low + rng.uniform(0.5, 3), settings)
        if rng.random() < 0.5:
            view = mask_times(view, int(rng.integers(WIDTH)), int(rng.integers(5, 30)), settings)
        chance = rng.random()
        if chance < 0.15:
            view = drop_eeg(view, settings)
        elif chance < 0.3:
            view = drop_spectrogram(view, settings)
        out[i] = view[0]
    return out
