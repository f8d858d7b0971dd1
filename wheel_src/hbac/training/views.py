"""Changes of an input that leave its meaning, for training: which ones, follows from the preset.

All take a batch of inputs (batch, ...), float32 or uint8 as they are cached, and return a changed copy; random ones draw
from the generator they are given. Only `mixup` needs float32. A kind of input is a module and a row here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac.preprocessing import names
from hbac.preprocessing.preset import Preset
from hbac.training import views_of_spectrograms, views_of_starter, views_of_waveforms, views_of_zooms
from hbac.training.schedule import ViewSettings

Array = npt.NDArray[Any]  # float32 or uint8
View = Callable[[Array, Any], Array]  # of inputs, by their preset


@dataclass(frozen=True)
class Kind:
    """A kind of input: one random view of some, and what they are without a file."""

    random_view: Callable[[Array, Any, ViewSettings, np.random.Generator], Array]
    from_one_file: tuple[
        View, ...
    ] = ()  # from the EEG alone and from the spectrogram alone; none where one file is all


ZOOMS: Final = Kind(views_of_zooms.random_view, (views_of_zooms.drop_spectrogram, views_of_zooms.drop_eeg))
WAVEFORMS: Final = Kind(views_of_waveforms.random_view)
KINDS: Final[Mapping[str, Kind]] = {
    names.THREE_ZOOMS: ZOOMS,
    names.THREE_ZOOMS_2: ZOOMS,
    names.STARTER: Kind(views_of_starter.random_view),
    names.SPECTROGRAMS8: Kind(
        views_of_spectrograms.random_view, (views_of_spectrograms.drop_spectrogram, views_of_spectrograms.drop_eeg)
    ),
    names.WAVEFORM8: WAVEFORMS,
    names.RAW: WAVEFORMS,
}


def random_views(images: Array, settings: Preset, views: ViewSettings, rng: np.random.Generator) -> Array:
    """Each input changed at random, as in training."""
    one = KINDS[settings.preset].random_view
    return np.concatenate([one(images[i : i + 1], settings, views, rng) for i in range(len(images))])


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
