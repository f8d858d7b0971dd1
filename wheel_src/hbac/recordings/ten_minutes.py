"""The ten-minute spectrogram of a whole recording: each row of 2 s is made once, and windows are cut from the rows."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac.hms import (
    EEG_RATE_HZ,
    EEG_START_IN_SPECTROGRAM_S,
    SPECTROGRAM_COLUMNS,
    SPECTROGRAM_ROWS,
    SPECTROGRAM_STEP_S,
)
from hbac.preprocessing.montage import bipolar, bipolar_gaps
from hbac.preprocessing.multitaper import FRAME, MAINS_HZ, STEP, filtered, rows_of_pairs
from hbac.recordings.recording import Recording

Power = npt.NDArray[np.float32]

BEFORE: Final = (EEG_START_IN_SPECTROGRAM_S + SPECTROGRAM_STEP_S // 2) * EEG_RATE_HZ  # from row 0's frame to the EEG
ROWS_AT_ONCE: Final = 150  # five minutes
HALO: Final = 20 * EEG_RATE_HZ  # on both sides of what is filtered: the filters have forgotten all but 1e-13 by then
LONGEST_BRIDGE: Final = 60 * EEG_RATE_HZ  # a longer gap keeps the values of its two ends, each over its half


class TenMinutes:
    """Rows of 2 s of a recording, as `host_spectrogram` gives them for the whole; the last ones are kept.

    Args:
        recording: where they come from.
        phase: sample, 0 to 399, from which a whole number of rows leads to each frame.
    """

    def __init__(self, recording: Recording, phase: int = 0):
        self._recording, self._phase = recording, phase
        self._blocks: dict[int, Power] = {}

    def row(self, start: int) -> int:
        """The row with which the ten minutes around the 50 s window at sample `start` begin."""
        row, rest = divmod(start - BEFORE - self._phase, STEP)
        if rest:
            raise ValueError(f"start: expected {self._phase} and a multiple of {STEP}, received {start}")
        return row

    def window(self, start: int) -> Power:
        """(300, 400) linear power around the 50 s window at sample `start`, NaN where the recording has nothing."""
        first = self.row(start)
        return self.power(first, first + SPECTROGRAM_ROWS)

    def power(self, first: int, last: int) -> Power:
        """(last - first, 400) linear power of these rows; rows further back than the first of them are forgotten."""
        numbers = range(first // ROWS_AT_ONCE, -(-last // ROWS_AT_ONCE))
        self._blocks = {number: rows for number, rows in self._blocks.items() if number >= numbers.start}
        for number in numbers:
            if number not in self._blocks:
                self._blocks[number] = self._made(number * ROWS_AT_ONCE)
        rows = np.concatenate([self._blocks[number] for number in numbers])
        at = numbers.start * ROWS_AT_ONCE
        return rows[first - at : last - at]

    def _made(self, first: int) -> Power:
        """`ROWS_AT_ONCE` rows from `first` on."""
        rows = np.full((ROWS_AT_ONCE, len(SPECTROGRAM_COLUMNS)), np.nan, np.float32)
        at = self._phase + first * STEP  # the first sample of the first frame
        skipped = max(0, -(at // STEP))  # frames that begin before the recording
        start = at + skipped * STEP
        stop = min(at + (ROWS_AT_ONCE - 1) * STEP + FRAME, self._recording.samples)
        if stop - start >= FRAME:
            made = self._rows(start, stop)
            rows[skipped : skipped + len(made)] = made
        return rows

    def _rows(self, start: int, stop: int) -> Power:
        uv, low = self._with_halo(start, stop, HALO)
        if (np.isnan(uv[[0, -1]]) & ~np.isnan(uv).all(axis=0)).any():  # a gap that may go on: see where it ends
            uv, low = self._with_halo(start, stop, HALO + LONGEST_BRIDGE)
        if np.isnan(uv[start - low : stop - low]).all():
            return np.full(((stop - start - FRAME) // STEP + 1, len(SPECTROGRAM_COLUMNS)), np.nan, np.float32)
        missing = ~np.isfinite(uv)
        bridged = bridge(uv.astype(np.float64), missing)
        pairs, gaps = (
            (bipolar(bridged), bipolar_gaps(missing)) if self._recording.electrodes else (bridged.T, missing.T)
        )
        inner = slice(start - low, stop - low)
        return rows_of_pairs(filtered(pairs, MAINS_HZ, axis=1)[:, inner], gaps[:, inner])

    def _with_halo(self, start: int, stop: int, halo: int) -> tuple[npt.NDArray[np.float32], int]:
        """Samples with what lies around them, as far as the recording reaches, and the first one's place."""
        low, high = max(0, start - halo), min(self._recording.samples, stop + halo)
        return self._recording.block(low, high), low


def bridge(
    values: npt.NDArray[np.float64], missing: npt.NDArray[np.bool_], longest: int = LONGEST_BRIDGE
) -> npt.NDArray[np.float64]:
    """Gaps filled in place: short ones by straight lines, as `bridge_gaps` does, long ones by the values of their ends."""
    at = np.arange(len(values))
    for channel in np.flatnonzero(missing.any(axis=0)):
        gap = missing[:, channel]
        known = at[~gap]
        if not known.size:
            values[:, channel] = 0.0
            continue
        values[gap, channel] = np.interp(at[gap], known, values[known, channel])
        for start, stop in runs_of(gap):
            if stop - start > longest and start > 0 and stop < len(values):
                middle = (start + stop) // 2
                values[start:middle, channel] = values[start - 1, channel]
                values[middle:stop, channel] = values[stop, channel]
    return values


def runs_of(mask: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Where a mask is true: first place of each run, and the place after its last."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(start), int(stop)) for start, stop in zip(changes[::2], changes[1::2])]
