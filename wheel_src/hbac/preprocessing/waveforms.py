"""Inputs that are waveforms, (time, channels): that of the competition's best-known WaveNet starter, and our own.

Both read the EEG alone, show 50 s at 40 Hz, and hold 0 where nothing is known.
"""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from scipy import signal

from hbac import hms
from hbac.preprocessing.montage import high_passed_pairs, mean_filled
from hbac.preprocessing.names import RAW, WAVEFORM8
from hbac.preprocessing.preset import EEG, Array, Preset

STEP = 5  # samples of the EEG for one of the waveform
SAMPLES = hms.EEG_WINDOW // STEP  # 2,000
RATE_HZ = hms.EEG_RATE_HZ // STEP  # 40
CACHE_SCALE_UV, CACHE_LIMIT = 20.0, 6.0  # as they are cached: asinh(uV / 20) to +-6, which is 4 mV
STARTER_PAIRS: Final = (  # left temporal, left parasagittal, right parasagittal, right temporal
    ("Fp1", "T3"),
    ("T3", "O1"),
    ("Fp1", "C3"),
    ("C3", "O1"),
    ("Fp2", "C4"),
    ("C4", "O2"),
    ("Fp2", "T4"),
    ("T4", "O2"),
)
STARTER_MIRRORED = (6, 7, 4, 5, 2, 3, 0, 1)  # its channels with left and right exchanged
SIDES: Final = (
    ("LL", "LP"),
    ("RL", "RP"),
)  # chains of the channels of `raw-v1`: all of the left, then all of the right
RAW_PAIRS: Final = tuple(
    pair for side in SIDES for chain in side for pair in zip(hms.CHAINS[chain][:-1], hms.CHAINS[chain][1:])
)
PARTNER = len(RAW_PAIRS) // 2  # channel c < 8 is of the left; its partner over the right is c + 8


class Waveform(Preset):
    """A waveform of (2000, channels) at 40 Hz; a subclass says how microvolts are its values."""

    reads: ClassVar = frozenset({EEG})
    mirrors_short_eeg: ClassVar = True

    @abstractmethod
    def in_uv(self, inputs: Array) -> Array:
        """The microvolts of values."""

    @abstractmethod
    def of_uv(self, uv: Array) -> Array:
        """The values of microvolts; 0 is 0."""

    def to_uint8(self, inputs: Array) -> npt.NDArray[np.uint8]:
        """254 steps of asinh(uV / 20), 1 uV each about 0 and 5 % each of large values; 0 at 128."""
        steps = np.arcsinh(self.in_uv(inputs) / CACHE_SCALE_UV) * (127 / CACHE_LIMIT)
        codes: npt.NDArray[np.uint8] = (np.clip(np.rint(steps), -127, 127) + 128).astype(np.uint8)
        return codes

    def from_uint8(self, cached: npt.NDArray[np.uint8]) -> Array:
        """The inverse of `to_uint8` up to its steps."""
        return _levels(self)[cached]


@cache
def _levels(settings: Waveform) -> Array:
    """(256,) the value of each byte of the cache."""
    uv = CACHE_SCALE_UV * np.sinh((np.arange(256) - 128) * (CACHE_LIMIT / 127))
    return settings.of_uv(uv).astype(np.float32)


@dataclass(frozen=True)
class Waveform8Settings(Waveform):
    """The WaveNet starter's eight differences of electrodes, low-passed forward only, every fifth sample.

    A missing sample holds its electrode's mean. An electrode of which nothing is there is 0, so that its two
    differences hold the other electrode; without an EEG all is 0.
    """

    preset: str = WAVEFORM8
    clip_uv: float = 1024.0  # of a difference
    scale_uv: float = 32.0
    low_pass_hz: float = 20.0
    low_pass_order: int = 4  # Butterworth

    shape: ClassVar = (SAMPLES, len(STARTER_PAIRS))

    def make(self, eeg_uv: Array | None, power: Array | None) -> Array:
        """(2000, 8) of (10000, 19) microvolts; zeros without an EEG."""
        if eeg_uv is None:
            return np.zeros(self.shape, np.float32)
        names = dict.fromkeys(name for pair in STARTER_PAIRS for name in pair)
        with np.errstate(invalid="ignore", over="ignore"):  # values beyond all bounds
            electrodes = {
                name: mean_filled(np.ascontiguousarray(eeg_uv[:, hms.ELECTRODES.index(name)])).astype(np.float64)
                for name in names
            }
            pairs = np.stack([electrodes[first] - electrodes[second] for first, second in STARTER_PAIRS])
        pairs = np.nan_to_num(np.clip(pairs, -self.clip_uv, self.clip_uv), nan=0.0) / self.scale_uv  # (8, 10000)
        b, a = signal.butter(self.low_pass_order, self.low_pass_hz, fs=hms.EEG_RATE_HZ)
        wave = signal.lfilter(b, a, pairs, axis=1)[:, ::STEP]
        return np.ascontiguousarray(wave.T, np.float32)

    def flip(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The differences over left and right exchanged."""
        return inputs[..., STARTER_MIRRORED]

    def in_uv(self, inputs: Array) -> Array:
        """Values are in units of 32 uV."""
        return inputs * np.float32(self.scale_uv)

    def of_uv(self, uv: Array) -> Array:
        """The inverse of `in_uv`."""
        return uv / np.float32(self.scale_uv)


@dataclass(frozen=True)
class RawSettings(Waveform):
    """The 16 bipolar pairs, zero-phase from 0.3 to 17 Hz, as asinh(uV / 20).

    Channels 0 to 7 are the pairs of the left, LL then LP, front to back; channel c + 8 is the partner of channel c over
    the right. Networks of this input treat partners alike, so that exchanging them is no other view. What is missing
    is bridged for the filters and 0 afterwards: a gap, a pair that lacks an electrode, all of a missing EEG.
    """

    preset: str = RAW
    clip_uv: float = 1024.0  # of an electrode
    high_pass_hz: float = 0.3
    low_pass_hz: float = 17.0
    low_pass_s: float = 0.5  # length of the filter: what lies above 20 Hz would come back below it
    scale_uv: float = 20.0

    shape: ClassVar = (SAMPLES, len(RAW_PAIRS))
    flips: ClassVar = False

    def make(self, eeg_uv: Array | None, power: Array | None) -> Array:
        """(2000, 16) of (10000, 19) microvolts; zeros without an EEG."""
        if eeg_uv is None:
            return np.zeros(self.shape, np.float32)
        pairs, gaps = high_passed_pairs(eeg_uv, self.clip_uv, self.high_pass_hz)
        order = [hms.PAIRS.index(pair) for pair in RAW_PAIRS]
        wave = signal.resample_poly(pairs, 1, STEP, axis=1, window=_low_pass(self))[order]  # (16, 2000)
        wave = self.of_uv(wave)
        wave[gaps[order, ::STEP]] = 0.0
        return np.ascontiguousarray(wave.T, np.float32)

    def flip(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The pairs over left and right exchanged."""
        return np.roll(inputs, PARTNER, axis=-1)

    def in_uv(self, inputs: Array) -> Array:
        """The inverse of `of_uv`."""
        uv: Array = np.sinh(inputs) * np.float32(self.scale_uv)
        return uv

    def of_uv(self, uv: Array) -> Array:
        """asinh(uV / 20)."""
        values: Array = np.arcsinh(uv / np.float32(self.scale_uv))
        return values


@cache
def _low_pass(settings: RawSettings) -> Array:
    """Linear-phase low-pass, centred, hence zero-phase."""
    taps: Array = signal.firwin(
        round(settings.low_pass_s * hms.EEG_RATE_HZ) + 1, settings.low_pass_hz, fs=hms.EEG_RATE_HZ
    ).astype(np.float32)
    return taps
