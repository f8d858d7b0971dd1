"""Changes of a waveform that leave its meaning; what `views` says of all holds for these."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac.preprocessing.waveforms import RATE_HZ, SAMPLES, Waveform
from hbac.training.schedule import ViewSettings
from hbac.training.views_of_zooms import MIRRORED_CLIPS_SHARE, clip_columns, random_clip_s

SAMPLES_PER_COLUMN: Final = SAMPLES / 300  # stretches of time are as long as those of an image of 300 columns
DROPPED_SHARE: Final = 0.25  # of the channels, at the most

Array = npt.NDArray[Any]  # (batch, 2000, channels), float32 or uint8


def _missing(waves: Array) -> int:
    return 128 if waves.dtype == np.uint8 else 0


def mask_times(waves: Array, first: int, count: int) -> Array:
    """Hide a stretch of samples in all channels."""
    out = waves.copy()
    out[:, first : first + count] = _missing(waves)
    return out


def drop_channels(waves: Array, channels: npt.NDArray[np.int64]) -> Array:
    """The waveforms without some channels."""
    out = waves.copy()
    out[..., channels] = _missing(waves)
    return out


def shift_time(waves: Array, seconds: float) -> Array:
    """Move all channels, later for positive `seconds`; what comes in is missing."""
    samples = int(np.clip(round(seconds * RATE_HZ), -SAMPLES, SAMPLES))
    out = np.roll(waves, samples, axis=1)
    out[:, slice(samples) if samples >= 0 else slice(SAMPLES + samples, None)] = _missing(waves)
    return out


def change_gain(waves: Array, log_gain: float, settings: Waveform) -> Array:
    """The waveforms of signals larger by the factor exp(`log_gain`)."""
    if waves.dtype == np.uint8:
        codes = np.arange(256, dtype=np.uint8)
        return settings.to_uint8(change_gain(settings.from_uint8(codes), log_gain, settings))[waves]
    return settings.of_uv(settings.in_uv(waves) * np.float32(np.exp(log_gain)))


def shorten(waves: Array, seconds: float, mirrored: bool) -> Array:
    """The waveforms of a clip: only the middle `seconds` are there, the rest is their mirror image or missing."""
    samples = clip_columns(SAMPLES, RATE_HZ, seconds, mirrored)
    out: Array = waves[:, np.maximum(samples, 0)]
    out[:, samples < 0] = _missing(waves)
    return out


def random_view(view: Array, settings: Waveform, views: ViewSettings, rng: np.random.Generator) -> Array:
    """Waveforms flipped where that is another view, shifted, masked, louder, made clips, or without some channels."""
    if settings.flips and rng.random() < views.flip:
        view = settings.flip(view)
    if rng.random() < views.shift_time:
        view = shift_time(view, rng.uniform(-views.longest_shift_s, views.longest_shift_s))
    if rng.random() < views.change_gain:
        view = change_gain(view, rng.normal(0, views.gain_log_spread), settings)
    if rng.random() < views.shorten:
        view = shorten(view, random_clip_s(views, rng), rng.random() < MIRRORED_CLIPS_SHARE)
    if rng.random() < views.drop_file:
        channels = settings.shape[-1]
        count = int(rng.integers(1, round(DROPPED_SHARE * channels) + 1))
        view = drop_channels(view, rng.choice(channels, count, replace=False))
    if rng.random() < views.mask_times:
        longest = round(views.longest_stretch * SAMPLES_PER_COLUMN)
        view = mask_times(view, int(rng.integers(SAMPLES)), int(rng.integers(1, longest + 1)))
    return view
