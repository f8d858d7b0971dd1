"""Changes of the image of three zooms that leave its meaning; what `views` says of all holds for these.

They take two thirds of the time on uint8 (`make bench`).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.preprocessing.three_zooms import (
    CHANNELS,
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
MIRRORED_CLIPS_SHARE = 0.75  # of the clips: as inference makes them; the others are as a gap leaves them
LONE_CLIPS_SHARE = 0.7  # of the clips: without a spectrogram file

Array = npt.NDArray[Any]  # float32 or uint8


def _missing(images: Array, settings: ImageSettings) -> tuple[float, float]:
    """What a missing cell holds: in channels 0 and 1, in channel 2."""
    return MISSING_UINT8 if images.dtype == np.uint8 else (floor(settings), 0.0)


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


def shorten(images: Array, seconds: float, mirrored: bool, settings: ImageSettings) -> Array:
    """The images as they are of a clip: only the middle `seconds` of the 50 s EEG are there, at least 10 s.

    The rest is the clip's mirror image (`records.record.mirrored`) or missing. Channel 0 is left as it is: the
    spectrogram file of a short EEG may be whole.
    """
    out = images.copy()
    columns = clip_columns(out.shape[2], COLUMNS_PER_S[1], seconds, mirrored)
    out[..., 1] = images[:, :, np.maximum(columns, 0), 1]
    out[:, :, columns < 0, 1] = _missing(images, settings)[0]
    return out


def shorten_spectrogram(images: Array, seconds: float, mirrored: bool, settings: ImageSettings) -> Array:
    """The images without a spectrogram file: channel 0 as a clip's EEG gives it, which `shorten` makes of the EEG."""
    out = drop_spectrogram(images, settings)
    count = COVERED_BY_EEG.stop - COVERED_BY_EEG.start
    margin_s = 0.0 if mirrored else hms.SPECTROGRAM_STEP_S  # a frame of 4 s that reaches over an end is not there
    columns = clip_columns(count, COLUMNS_PER_S[0], seconds - margin_s, mirrored)
    out[:, :, COVERED_BY_EEG, 0] = out[:, :, COVERED_BY_EEG.start + np.maximum(columns, 0), 0]
    out[:, :, COVERED_BY_EEG.start + np.flatnonzero(columns < 0), 0] = _missing(images, settings)[0]
    return out


def clip_columns(count: int, per_second: float, seconds: float, mirrored: bool) -> npt.NDArray[np.int64]:
    """(count,) which column of a centred stretch each column shows; -1 where it shows none."""
    length = seconds * per_second
    at = np.arange(count) + 0.5 - count / 2 + length / 2  # columns' middles from the clip's start
    inside = (at >= 0) & (at < length)
    folded = at % (2 * length)
    folded = np.minimum(folded, 2 * length - folded)
    columns = np.clip(np.floor(folded - length / 2 + count / 2), 0, count - 1).astype(np.int64)
    return columns if mirrored else np.where(inside, columns, -1)


def change_gain(images: Array, log_gain: float, settings: ImageSettings) -> Array:
    """The images as they are of signals larger by the factor exp(`log_gain`); what is missing stays so."""
    if images.dtype == np.uint8:
        codes = np.arange(256, dtype=np.uint8)[:, None, None].repeat(CHANNELS, axis=2)  # (256, 1, 3)
        changed = settings.to_uint8(change_gain(settings.from_uint8(codes), log_gain, settings))[:, 0]
        return np.stack([changed[images[..., c], c] for c in range(CHANNELS)], axis=-1)
    low, high = floor(settings), (settings.log_ceiling - settings.log_center) / settings.log_scale
    nats, wave = images[..., :2], images[..., 2:]
    louder = np.clip(nats + np.float32(2 * log_gain / settings.log_scale), low, high)
    wave = np.arcsinh(np.sinh(wave) * np.float32(np.exp(log_gain)))
    return np.concatenate([np.where(nats <= low, nats, louder), wave], axis=-1)


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


def random_view(view: Array, settings: ImageSettings, views: ViewSettings, rng: np.random.Generator) -> Array:
    """Images flipped, shifted, masked, changed in gain, made clips or with a file dropped, at random."""
    if rng.random() < views.flip:
        view = flip_hemispheres(view)
    if rng.random() < views.shift_time:
        view = shift_time(view, rng.uniform(-views.longest_shift_s, views.longest_shift_s), settings)
    if rng.random() < views.mask_frequencies:
        low = rng.uniform(0, hms.SPECTROGRAM_FREQUENCIES_HZ[-1])
        view = mask_frequencies(view, low, low + rng.uniform(0, views.widest_band_hz), settings)
    if rng.random() < views.mask_times:
        view = mask_times(view, int(rng.integers(WIDTH)), int(rng.integers(1, views.longest_stretch + 1)), settings)
    if rng.random() < views.change_gain:
        view = change_gain(view, rng.normal(0, views.gain_log_spread), settings)
    if rng.random() < views.shorten:
        return _random_clip(view, settings, views, rng)
    if rng.random() < views.drop_file:
        view = (drop_eeg if rng.random() < 0.5 else drop_spectrogram)(view, settings)
    return view


def _random_clip(view: Array, settings: ImageSettings, views: ViewSettings, rng: np.random.Generator) -> Array:
    """A clip of any length, short ones most; mirrored more often than not, with a spectrogram file or without."""
    seconds = random_clip_s(views, rng)
    mirrored = rng.random() < MIRRORED_CLIPS_SHARE
    view = shorten(view, seconds, mirrored, settings)
    return shorten_spectrogram(view, seconds, mirrored, settings) if rng.random() < LONE_CLIPS_SHARE else view


def random_clip_s(views: ViewSettings, rng: np.random.Generator) -> float:
    """A clip's length, up to 50 s, short ones most."""
    return float(views.shortest_s * (hms.EEG_WINDOW_S / views.shortest_s) ** rng.random())
