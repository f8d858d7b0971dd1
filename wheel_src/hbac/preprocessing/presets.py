"""The presets by name, and the input of the Keras starter notebooks; another kind of input is another row here."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.errors import InputError
from hbac.preprocessing.names import STARTER as STARTER
from hbac.preprocessing.names import THREE_ZOOMS
from hbac.preprocessing.preset import Array, Preset, decoded
from hbac.preprocessing.spectrograms8 import Spectrograms8Settings
from hbac.preprocessing.three_zooms import (
    CHANNELS,
    SHAPE,
    ImageSettings,
    MirroringSettings,
    log_power,
)
from hbac.preprocessing.waveforms import RawSettings, Waveform8Settings

Z_STEP = 6 / 127  # of the starter's z-scores in the cache


@dataclass(frozen=True)
class StarterSettings(ImageSettings):
    """The Keras starter notebooks' input: missing values 0, clipped logarithm, z-score of the image, three times.

    Of the values that it inherits only `log_floor` and `log_ceiling` count; all are part of its digest, which is frozen.
    """

    preset: str = STARTER

    def make(self, eeg_uv: Array | None, power: Array | None) -> Array:
        """(400, 300, 3) of (300, 400) linear power; zeros without a spectrogram."""
        if power is None:
            return np.zeros(SHAPE, np.float32)
        nats = log_power(power.T, self)
        nats = (nats - nats.mean(dtype=np.float64)) / (nats.std(dtype=np.float64) + 1e-6)
        return np.repeat(nats.astype(np.float32)[..., None], CHANNELS, axis=2)

    def to_uint8(self, inputs: Array) -> npt.NDArray[np.uint8]:
        """+-6 standard deviations over 254 steps, the mean at 128."""
        codes: npt.NDArray[np.uint8] = (np.clip(np.rint(inputs / Z_STEP), -127, 127) + 128).astype(np.uint8)
        return codes

    def from_uint8(self, cached: npt.NDArray[np.uint8]) -> Array:
        """The inverse of `to_uint8` up to its steps; any number of rows."""
        return decoded(cached, np.full(CHANNELS, Z_STEP, np.float32), np.full(CHANNELS, -128 * Z_STEP, np.float32))


PRESETS: dict[str, Preset] = {
    preset.preset: preset
    for preset in (
        ImageSettings(),
        MirroringSettings(),
        StarterSettings(),
        Spectrograms8Settings(),
        Waveform8Settings(),
        RawSettings(),
    )
}


def preset_named(name: str) -> Preset:
    """A preset of this package.

    Raises:
        InputError: there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"preprocessing: expected one of {sorted(PRESETS)}, received {name!r}")
    return PRESETS[name]


def make_image(eeg_uv: Array | None, power: Array | None, settings: Preset = PRESETS[THREE_ZOOMS]) -> Array:
    """One record as the network sees it.

    Args:
        eeg_uv: (10000, 19) microvolts of the 50 s window, NaN where missing; None without an EEG.
        power: (300, 400) linear power of the ten-minute window, NaN where missing; None without a spectrogram.
        settings: the preset.

    Returns:
        `settings.shape`, for three zooms (400, 300, 3), float32, finite, C-contiguous. What is missing is there the
        normalised floor in channels 0 and 1 and 0 in channel 2; the other presets say what it is with them.

    Raises:
        InputError: `settings.preset` is not one of this package.
        ValueError: an array has another shape.
    """
    preset_named(settings.preset)
    for name, array, shape in (
        ("eeg_uv", eeg_uv, (hms.EEG_WINDOW, len(hms.ELECTRODES))),
        ("power", power, (hms.SPECTROGRAM_ROWS, len(hms.SPECTROGRAM_COLUMNS))),
    ):
        if array is not None and array.shape != shape:
            raise ValueError(f"{name}: expected shape {shape}, received {array.shape}")
    return settings.make(eeg_uv, power)
