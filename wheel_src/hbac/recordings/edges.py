"""What a filter does at the edges of a window: the difference between filtering a window and cutting it from the filtered.

A section of second order has two numbers of memory. There and back over a window, it starts from two numbers that the
window's first samples give, and turns round with two others; over a longer signal it has other ones at the same places.
The filter is linear, so that the two results differ by four fixed responses times four numbers. These die away within
seconds from the edges, and may be added after any other linear step, such as a transform.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

Floats = npt.NDArray[np.float64]

PADDING = 9  # samples by which `scipy.signal.sosfiltfilt` continues a signal for one section, turned about its end


def responses(section: Floats, length: int) -> Floats:
    """(4, length): what two numbers of memory at the first edge of a window become over it, and two at the last.

    Args:
        section: (1, 6), as `scipy.signal.butter` gives it with `output="sos"`.
        length: samples of a window; the responses must have died away within.
    """
    silence = np.zeros(length)
    one_way = np.stack([signal.sosfilt(section, silence, zi=np.eye(2)[None, i])[0] for i in range(2)])
    both_ways = signal.sosfilt(section, one_way[:, ::-1])[:, ::-1]
    result: Floats = np.concatenate([both_ways, one_way[:, ::-1]])
    return result


class Edges:
    """A signal filtered there and back by one section of second order, and what its windows would be on their own.

    Args:
        section: (1, 6), as `scipy.signal.butter` gives it with `output="sos"`.
        x: (channels, samples), without NaN.
        length: samples of a window.
    """

    def __init__(self, section: Floats, x: npt.NDArray[np.float32], length: int):
        self._section, self._x, self._length = section, x, length
        self._rest = signal.sosfilt_zi(section)  # (1, 2): memory after 1, 1, 1, ...
        self._there, _ = signal.sosfilt(section, x, zi=self._rest[:, None] * x[:, :1, None].transpose(1, 0, 2))
        back, _ = signal.sosfilt(section, self._there[:, ::-1], zi=self._rest[:, None] * self._there[None, :, -1:])
        self.y = back[:, ::-1]  # (channels, samples)

    def differences(self, starts: npt.NDArray[np.int64]) -> Floats:
        """(windows, channels, 4): how much of each of the `responses` a window on its own has more than one that is cut."""
        ends = starts + self._length - 1
        return np.concatenate(
            [self._own_start(starts) - self._start(starts), self._own_turn(ends) - self._turn(ends)], axis=2
        )

    def _own_start(self, starts: npt.NDArray[np.int64]) -> Floats:
        """(windows, channels, 2): memory before the first sample of windows on their own."""
        x = self._at(self._x, starts, np.arange(PADDING, -1, -1))  # the last one is the first sample
        padding = 2 * x[..., -1:] - x[..., :-1]  # in float32, as SciPy rounds it
        return self._run(padding, padding[..., :1])

    def _own_turn(self, ends: npt.NDArray[np.int64]) -> Floats:
        """The same before the last sample, on the way back."""
        x = self._at(self._x, ends, np.arange(0, -PADDING - 1, -1))
        there = signal.sosfilt(self._section, 2 * x[..., :1] - x[..., 1:], zi=self._after(ends)[None])[0]
        return self._run(there[..., ::-1], there[..., -1:])

    def _run(self, x: npt.NDArray[Any], rest: npt.NDArray[Any]) -> Floats:
        """Memory after `x`, from rest at that value."""
        return np.asarray(signal.sosfilt(self._section, x, zi=(self._rest[0] * rest)[None])[1][0])

    def _start(self, starts: npt.NDArray[np.int64]) -> Floats:
        """Memory before a sample, there."""
        forth = np.arange(2)
        return self._before(self._at(self._x, starts, forth).astype(np.float64), self._at(self._there, starts, forth))

    def _turn(self, ends: npt.NDArray[np.int64]) -> Floats:
        """Memory before a sample, on the way back."""
        back = -np.arange(2)
        return self._before(self._at(self._there, ends, back), self._at(self.y, ends, back))

    def _before(self, x: Floats, y: Floats) -> Floats:
        """Memory before the first of two samples that came in, and that went out."""
        b0, b1, _, _, a1, _ = self._section[0]
        one, other = (y - b0 * x)[..., 0], (y - b0 * x)[..., 1]
        return np.stack([one, other - b1 * x[..., 0] + a1 * y[..., 0]], axis=-1)

    def _after(self, ends: npt.NDArray[np.int64]) -> Floats:
        """Memory after a sample, there."""
        _, b1, b2, _, a1, a2 = self._section[0]
        back = -np.arange(2)
        x, y = self._at(self._x, ends, back).astype(np.float64), self._at(self._there, ends, back)
        late = b2 * x - a2 * y
        return np.stack([b1 * x[..., 0] - a1 * y[..., 0] + late[..., 1], late[..., 0]], axis=-1)

    @staticmethod
    def _at(values: npt.NDArray[Any], starts: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """(windows, channels, steps) of (channels, samples)."""
        return values[:, starts[:, None] + steps].transpose(1, 0, 2)
