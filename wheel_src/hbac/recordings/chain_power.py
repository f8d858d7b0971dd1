"""The four chains' power over a whole recording: few columns however long it is, in a memory that does not grow."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.signal.windows import hann

from hbac.hms import CHAINS, EEG_RATE_HZ, PAIRS, PAIRS_PER_CHAIN
from hbac.preprocessing.montage import bipolar
from hbac.recordings.recording import Recording

FRAME_S: Final = 2
FRAME: Final = FRAME_S * EEG_RATE_HZ
BINS: Final = range(1, 20 * FRAME_S + 1)  # of the transform of a frame
FREQUENCIES_HZ: Final = tuple(k / FRAME_S for k in BINS)  # 0.5 to 20
LEAST_COLUMN: Final = EEG_RATE_HZ  # samples: a second
MOST_COLUMNS: Final = 2000  # more than a screen has
MOST_FRAMES: Final = 16  # of a column, spread evenly
BLOCK: Final = 600 * EEG_RATE_HZ  # samples read at once
FLOOR_DB: Final = -40.0  # of a flat line


@dataclass(frozen=True)
class ChainPower:
    """Decibels over 1 uV^2/Hz; (4, 40, columns) float32 in the order of `hms.CHAINS` and `FREQUENCIES_HZ`, NaN where there is nothing."""

    decibels: npt.NDArray[np.float32]
    column_s: float  # what a column stands for


def chain_power(recording: Recording, columns: int = MOST_COLUMNS) -> ChainPower:
    """Power of each chain over time.

    Frames of 2 s, mean removed, Hann window, one-sided power density, mean over the chain's pairs that are whole in
    the frame; a column is the mean of its frames' decibels.

    Args:
        recording: it is read once, from its start to its end.
        columns: at most; a column is a second at least.

    Raises:
        RecordError: the file can no longer be read.
    """
    size = max(float(LEAST_COLUMN), recording.samples / columns)
    number = max(1, round(recording.samples / size))
    decibels = np.full((len(CHAINS), len(BINS), number), np.nan, np.float32)
    at_once = max(1, int(BLOCK / size))
    for first in range(0, number, at_once):
        some = range(first, min(first + at_once, number))
        starts = [_frame_starts(column * size, (column + 1) * size) for column in some]
        begin = min(of_column[0] for of_column in starts)
        pairs = _pairs(recording, begin, max(of_column[-1] for of_column in starts) + FRAME)
        for column, of_column in zip(some, starts):
            frames = np.stack([pairs[:, at - begin : at - begin + FRAME] for at in of_column], axis=1)
            decibels[:, :, column] = _column(frames)
    return ChainPower(decibels, size / EEG_RATE_HZ)


def _frame_starts(start: float, stop: float) -> list[int]:
    """First samples of a column's frames: side by side as far as it holds them, or one about its middle."""
    count = min(MOST_FRAMES, max(1, int((stop - start) / FRAME)))
    middles = start + (stop - start) * (np.arange(count) + 0.5) / count
    return [round(float(middle) - FRAME / 2) for middle in middles]


def _pairs(recording: Recording, start: int, stop: int) -> npt.NDArray[np.floating[Any]]:
    """(16, samples) microvolts."""
    block = recording.block(start, stop)
    return bipolar(block) if recording.electrodes else np.ascontiguousarray(block.T)


def _column(frames: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """(16, frames, 400) microvolts to (4, 40) decibels."""
    window = hann(FRAME, sym=False)
    centred = (frames - frames.mean(axis=-1, keepdims=True)) * window
    density = 2 * np.abs(np.fft.rfft(centred)[..., BINS]) ** 2 / (EEG_RATE_HZ * np.square(window).sum())
    chains = density.reshape(len(PAIRS) // PAIRS_PER_CHAIN, PAIRS_PER_CHAIN, *density.shape[1:])
    of_frames = 10 * np.log10(np.maximum(_mean(chains, 1), 10 ** (FLOOR_DB / 10)))  # (4, frames, 40)
    return _mean(of_frames, 1)


def _mean(values: npt.NDArray[np.floating[Any]], axis: int) -> npt.NDArray[np.float64]:
    """Mean of what is finite; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
