"""Any rate from 100 to 2,000 Hz to 200 Hz by a polyphase filter; how a signal is cut changes no value."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import signal

from hbac import hms

LOWEST_HZ, HIGHEST_HZ = 100, 2000
LARGEST_FACTOR: Final = 25_000  # of a ratio of rates; beyond it the ratio is rounded
LARGEST_DRIFT_S: Final = 0.5 / hms.EEG_RATE_HZ  # by which a rounded ratio may move the last sample
PASSED, STOPPED = 0.4, 0.5  # shares of the lower rate up to which the filter passes, and from which it stops
PASSED_HZ: Final = 60.0  # no more is needed: the image ends at 20 Hz, the host's filter at 40
STOPPED_DB: Final = 80.0

Array = npt.NDArray[np.float64]
Read = Callable[[int, int], Array]  # (channels, stop - start) samples `start` to `stop` of a signal


@dataclass(frozen=True)
class Ratio:
    """200 Hz over a rate, in lowest terms: `up` samples become of `down`."""

    up: int
    down: int

    def samples(self, samples: int) -> int:
        """How many samples at 200 Hz lie before the end of so many."""
        return -(-samples * self.up // self.down)


def ratio_of(rate_hz: Fraction, longest_s: float) -> Ratio | None:
    """The ratio of 200 Hz to a rate: exact where its terms are small enough, else rounded.

    Returns:
        None where the rounded ratio would move the last sample of `longest_s` by more than `LARGEST_DRIFT_S`.
    """
    exact = hms.EEG_RATE_HZ / rate_hz
    near = exact.limit_denominator(LARGEST_FACTOR)
    drift_s = abs(float(near / exact - 1)) * longest_s
    return Ratio(near.numerator, near.denominator) if drift_s <= LARGEST_DRIFT_S else None


def resample(read: Read, samples: int, ratio: Ratio, start: int, stop: int) -> Array:
    """Samples `start` to `stop` at 200 Hz of a signal at another rate.

    Zero-phase: sample n lies at n / 200 s after the signal's first one. Beyond its ends a signal goes on with its first
    and its last value. What is not finite is NaN as far as the filter reaches.

    Args:
        read: gives the samples that are needed; asked once.
        samples: of the whole signal, at its own rate.
        ratio: of its rate.
        start: 0 or more.
        stop: `ratio.samples(samples)` or less, more than `start`.

    Returns:
        (channels, stop - start).
    """
    if ratio == Ratio(1, 1):
        return read(start, stop)
    low_pass = _filter(ratio)
    # The first block of input starts on a multiple of `down`, where a sample of output lies too.
    block = start // ratio.up + -low_pass.reach // (ratio.up * ratio.down)
    first, last = block * ratio.down, ((stop - 1) * ratio.down + low_pass.reach) // ratio.up + 1
    inside = read(max(first, 0), min(last, samples))
    x = np.pad(inside, ((0, 0), (max(-first, 0), max(last - samples, 0))), mode="edge")  # (channels, last - first)
    y = signal.upfirdn(low_pass.taps, x, ratio.up, ratio.down, axis=1)
    skip = start - block * ratio.up + low_pass.middle // ratio.down
    out: Array = y[:, skip : skip + stop - start]
    return out


@dataclass(frozen=True)
class _Filter:
    """A low-pass at `up` times a rate: its taps, the place of the middle one, and how far it reaches to each side."""

    taps: Array
    middle: int
    reach: int


@cache
def _filter(ratio: Ratio) -> _Filter:
    """The filter of a ratio.

    Its middle is a multiple of `down`, so that output lies on whole samples. Each of its `up` phases has a sum of 1:
    an offset stays what it is.
    """
    dense = max(ratio.up, ratio.down)  # the filter's rate in units of the lower one
    low_hz = hms.EEG_RATE_HZ * ratio.down / dense
    passed = min(PASSED, PASSED_HZ / low_hz)
    count, beta = signal.kaiserord(STOPPED_DB, (STOPPED - passed) / (dense / 2))
    half = count // 2 + 1
    middle = -(-half // ratio.down) * ratio.down
    taps = np.zeros(-(-(2 * middle + 1) // ratio.up) * ratio.up)  # whole phases
    taps[middle - half : middle + half + 1] = signal.firwin(
        2 * half + 1, (STOPPED + passed) / 2, window=("kaiser", beta), fs=dense
    )
    by_phase = taps.reshape(-1, ratio.up)
    by_phase /= by_phase.sum(axis=0)
    return _Filter(taps, middle, half)
