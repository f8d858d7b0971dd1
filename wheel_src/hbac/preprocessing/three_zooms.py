"""EEG window and spectrogram window to the network's input: three zooms of the same brain, (400, 300, 3).

Channel 0 is the chain over 10 minutes, channel 1 the bipolar pair over 50 s, channel 2 the waveform over 10 s. In all
three, rows run over the chains LL, RL, LP, RP (100 rows each), so that a row lies over the same part of the head.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import signal
from scipy.signal.windows import dpss

from hbac import hms
from hbac.preprocessing.montage import bipolar, bipolar_gaps, bridge_gaps
from hbac.preprocessing.names import THREE_ZOOMS as THREE_ZOOMS
from hbac.preprocessing.names import THREE_ZOOMS_2 as THREE_ZOOMS_2
from hbac.preprocessing.preset import Array, Preset, decoded

HEIGHT, WIDTH, CHANNELS = 400, 300, 3
SHAPE = (HEIGHT, WIDTH, CHANNELS)
ROWS_PER_PAIR = HEIGHT // len(hms.PAIRS)  # 25
MISSING_UINT8 = (0, 128)  # as it is cached: in channels 0 and 1, in channel 2
MIRRORED = (1, 0, 3, 2)  # LL, RL, LP, RP with left and right exchanged
WAVE_LIMIT = 6.0  # asinh(2 * 1024 / 20) is 5.3; the largest swings, doubled by the high-pass, come to 6.01 (clipped)


@dataclass(frozen=True)
class ImageSettings(Preset):
    """What defines the image of three zooms.

    Log power is in nats of uV^2/Hz, clipped to [`log_floor`, `log_ceiling`] and normalised by constants that are the
    same for all records, since absolute power carries the diagnosis. Frequencies of channel 1 are spaced by a growing
    step, so that 1 to 4 Hz gets 6 of the 25 rows of a pair.
    """

    preset: str = THREE_ZOOMS
    log_floor: float = -4.0
    log_ceiling: float = 8.0
    log_center: float = 0.0
    log_scale: float = 2.0
    clip_uv: float = 1024.0
    high_pass_hz: float = 0.3  # zero-phase, second order: takes electrode drift, leaves 0.89 of the amplitude at 0.5 Hz
    pair_frame_s: float = 1.35
    pair_time_bandwidth: float = 1.0
    pair_first_hz: float = 0.5
    pair_first_step_hz: float = 0.4
    pair_step_growth: float = 1.0575  # 25 frequencies up to 20.2 Hz, the last step 1.45 Hz: less than a line's 1.48
    blank_above: float = 0.25  # a frame of channel 1 with a larger share of missing samples is blank
    wave_s: float = 10.0
    wave_low_pass_hz: float = 14.0
    wave_scale_uv: float = 20.0

    shape: ClassVar = SHAPE

    def make(self, eeg_uv: Array | None, power: Array | None) -> Array:
        """(400, 300, 3) of (10000, 19) microvolts and (300, 400) linear power; see `presets.make_image`."""
        pairs, gaps = (None, None) if eeg_uv is None else clipped_pairs(eeg_uv, self)
        return image_of_pairs(pairs, gaps, power, self)

    def flip(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """See `flip_hemispheres`."""
        return flip_hemispheres(inputs)

    def to_uint8(self, inputs: Array) -> npt.NDArray[np.uint8]:
        """12 nats over 255 steps (0.047 nat), the waveform's 0 at 128, +-6 over 254."""
        out = np.empty(inputs.shape, np.uint8)
        nats = inputs[..., :2] * self.log_scale + self.log_center - self.log_floor
        out[..., :2] = np.clip(np.rint(nats * (255 / _log_range(self))), 0, 255)
        out[..., 2] = np.clip(np.rint(inputs[..., 2] * (127 / WAVE_LIMIT)) + 128, 1, 255)
        return out

    def from_uint8(self, cached: npt.NDArray[np.uint8]) -> Array:
        """The inverse of `to_uint8` up to its steps; any number of rows."""
        step = np.array([*[_log_range(self) / 255 / self.log_scale] * 2, WAVE_LIMIT / 127], np.float32)  # (3,)
        zero = np.array([*[floor(self)] * 2, -128 * step[2]], np.float32)
        return decoded(cached, step, zero)


@dataclass(frozen=True)
class MirroringSettings(ImageSettings):
    """The same image; of an EEG shorter than 50 s what is missing is its mirror image, and not blank."""

    preset: str = THREE_ZOOMS_2

    mirrors_short_eeg: ClassVar = True


def _log_range(settings: ImageSettings) -> float:
    return settings.log_ceiling - settings.log_floor


def floor(settings: ImageSettings) -> float:
    """What a missing cell of channels 0 and 1 holds."""
    return (settings.log_floor - settings.log_center) / settings.log_scale


def pair_frequencies_hz(settings: ImageSettings) -> npt.NDArray[np.float64]:
    """The 25 frequencies of channel 1, ascending."""
    steps = settings.pair_first_step_hz * settings.pair_step_growth ** np.arange(ROWS_PER_PAIR - 1)
    frequencies: npt.NDArray[np.float64] = settings.pair_first_hz + np.concatenate([[0.0], np.cumsum(steps)])
    return frequencies


def log_power(power: Array, settings: ImageSettings) -> Array:
    """Clipped natural logarithm; NaN becomes the floor."""
    low, high = np.float32(np.exp(settings.log_floor)), np.float32(np.exp(settings.log_ceiling))
    return np.log(np.clip(np.nan_to_num(power, nan=0.0), low, high))


def normalised(power: Array, settings: ImageSettings) -> Array:
    """Linear power as channels 0 and 1 show it."""
    return (log_power(power, settings) - np.float32(settings.log_center)) / np.float32(settings.log_scale)


def image_of_pairs(
    pairs: Array | None, gaps: npt.NDArray[np.bool_] | None, power: Array | None, settings: ImageSettings
) -> Array:
    """The image of pairs that are bridged and clipped but not yet filtered.

    Args:
        pairs: (16, 10000) microvolts, without NaN; None without an EEG.
        gaps: (16, 10000), where they are missing.
        power: (300, 400) linear power, NaN where missing; None without a spectrogram.
        settings: what defines the image.
    """
    image = np.zeros(SHAPE, np.float32)
    image[..., 0] = normalised(power.T, settings) if power is not None else floor(settings)
    if pairs is None or gaps is None:
        image[..., 1] = floor(settings)
    else:
        filtered = signal.sosfiltfilt(high_pass(settings), pairs, axis=1).astype(np.float32)
        image[..., 1] = _pair_spectrograms(filtered, gaps, settings)
        image[..., 2] = _waveforms(filtered, gaps, settings)
    return image


def clipped(eeg_uv: Array, settings: ImageSettings) -> Array:
    """Microvolts within the limit; NaN stays."""
    with np.errstate(invalid="ignore"):
        return np.clip(eeg_uv, -settings.clip_uv, settings.clip_uv)


def clipped_pairs(eeg_uv: Array, settings: ImageSettings) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Clipped, bridged pairs (16, samples) float32 and the mask of their missing samples."""
    bridged, missing = bridge_gaps(clipped(eeg_uv, settings))
    return bipolar(bridged), bipolar_gaps(missing)


@cache
def high_pass(settings: ImageSettings) -> npt.NDArray[np.float64]:
    """(1, 6): the one section of the filter that runs over the pairs, there and back."""
    sections: npt.NDArray[np.float64] = signal.butter(
        2, settings.high_pass_hz, "highpass", fs=hms.EEG_RATE_HZ, output="sos"
    )
    return sections


def _pair_spectrograms(pairs: Array, gaps: npt.NDArray[np.bool_], settings: ImageSettings) -> Array:
    """Channel 1: one-taper spectrum of each pair at 25 frequencies, 300 frames over the 50 s, mean removed."""
    kernel, starts = pair_kernel(settings)
    length = len(kernel)
    # Pair by pair: the frames of one fit into a core's cache, those of all take twice the time.
    frames = (np.lib.stride_tricks.sliding_window_view(pair, length)[starts] for pair in pairs)  # (300, 270) each
    spectrum = np.concatenate([some @ kernel for some in frames])  # (4800, 50)
    power = spectrum[:, :ROWS_PER_PAIR] ** 2 + spectrum[:, ROWS_PER_PAIR:] ** 2
    if gaps.any():
        missing = np.lib.stride_tricks.sliding_window_view(gaps, length, axis=1)[:, starts].mean(axis=2)
        power[missing.ravel() > settings.blank_above] = 0.0
    power = power.reshape(len(hms.PAIRS), WIDTH, ROWS_PER_PAIR).transpose(0, 2, 1).reshape(HEIGHT, WIDTH)
    return normalised(power, settings)


@cache
def pair_kernel(settings: ImageSettings) -> tuple[Array, npt.NDArray[np.int64]]:
    """Cosines and sines times the taper, with the mean taken out, (270, 50), and the first sample of each frame.

    Frames are centred on the columns' middles; those that would reach over an edge are moved inside.
    """
    length = round(settings.pair_frame_s * hms.EEG_RATE_HZ)
    taper = dpss(length, settings.pair_time_bandwidth, norm=2) / np.sqrt(hms.EEG_RATE_HZ)  # power in uV^2/Hz
    seconds = np.arange(length) / hms.EEG_RATE_HZ
    phase = 2 * np.pi * seconds[:, None] * pair_frequencies_hz(settings)
    kernel = taper[:, None] * np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    kernel -= kernel.mean(axis=0)  # as if each frame had its own mean removed
    centers = (np.arange(WIDTH) + 0.5) * hms.EEG_WINDOW / WIDTH
    starts = np.clip(np.round(centers - length / 2).astype(np.int64), 0, hms.EEG_WINDOW - length)
    return kernel.astype(np.float32), starts


def _waveforms(pairs: Array, gaps: npt.NDArray[np.bool_], settings: ImageSettings) -> Array:
    """Channel 2: asinh of the low-passed middle 10 s, 300 columns, each pair over its 25 rows."""
    samples = round(settings.wave_s * hms.EEG_RATE_HZ)
    first = (hms.EEG_WINDOW - samples) // 2
    up, down = wave_rate(settings)
    margin = 10 * down  # so that the filter's ends fall outside; a whole number of columns
    middle = pairs[:, first - margin : first + samples + margin]
    skip = margin * up // down
    wave = signal.resample_poly(middle, up, down, axis=1, window=low_pass(settings, up))[:, skip : skip + WIDTH]
    wave = np.arcsinh(wave / np.float32(settings.wave_scale_uv)).astype(np.float32)
    at = first + np.arange(WIDTH) * down // up  # (300,) the sample under each column
    wave[gaps[:, at]] = 0.0
    return np.repeat(wave, ROWS_PER_PAIR, axis=0)


def wave_rate(settings: ImageSettings) -> tuple[int, int]:
    """By which channel 2 is sampled up and down: 30 Hz = 200 Hz * 3 / 20."""
    return 3, round(3 * settings.wave_s * hms.EEG_RATE_HZ / WIDTH)


@cache
def low_pass(settings: ImageSettings, up: int) -> Array:
    """Linear-phase low-pass of 0.5 s, centred, hence zero-phase, at the up-sampled rate."""
    rate = hms.EEG_RATE_HZ * up
    taps: Array = signal.firwin(rate // 2 + 1, settings.wave_low_pass_hz, fs=rate).astype(np.float32)
    return taps


def flip_hemispheres(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Exchange left and right: chain LL with RL and LP with RP, in all channels. No class names a side.

    Args:
        images: (..., 400, 300, 3).
    """
    *batch, height, width, channels = images.shape
    chains = images.reshape(*batch, len(hms.CHAINS), height // len(hms.CHAINS), width, channels)
    flipped: npt.NDArray[Any] = np.take(chains, MIRRORED, axis=-4).reshape(images.shape)
    return flipped
