"""Changes of the starter's image, the host's spectrogram three times, that leave its meaning.

There is no change of gain, which a z-score of the image does not show, and no time shift: a column is 2 s.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.preprocessing.presets import StarterSettings
from hbac.preprocessing.three_zooms import WIDTH
from hbac.training.schedule import ViewSettings

Array = npt.NDArray[Any]  # (batch, 400, 300, 3), float32 or uint8


def _hidden(images: Array) -> int:
    """What a hidden cell holds: the image's mean."""
    return 128 if images.dtype == np.uint8 else 0


def mask_frequencies(images: Array, low_hz: float, high_hz: float) -> Array:
    """Hide a band of frequencies, the same in every chain."""
    out = images.copy()
    hz = np.tile(hms.SPECTROGRAM_FREQUENCIES_HZ, len(hms.CHAINS))  # (400,)
    out[:, (hz >= low_hz) & (hz <= high_hz)] = _hidden(images)
    return out


def mask_times(images: Array, first: int, count: int) -> Array:
    """Hide a stretch of columns."""
    out = images.copy()
    out[:, :, first : first + count] = _hidden(images)
    return out


def random_view(view: Array, settings: StarterSettings, views: ViewSettings, rng: np.random.Generator) -> Array:
    """Images flipped and masked at random."""
    if rng.random() < views.flip:
        view = settings.flip(view)
    if rng.random() < views.mask_frequencies:
        low = rng.uniform(0, hms.SPECTROGRAM_FREQUENCIES_HZ[-1])
        view = mask_frequencies(view, low, low + rng.uniform(0, views.widest_band_hz))
    if rng.random() < views.mask_times:
        view = mask_times(view, int(rng.integers(WIDTH)), int(rng.integers(1, views.longest_stretch + 1)))
    return view
