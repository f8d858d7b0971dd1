"""What a recording of any length gives: its length, its start, and any block of it in microvolts at 200 Hz."""

from abc import ABC, abstractmethod
from datetime import datetime

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.errors import InputError

Values = npt.NDArray[np.float32]


class Recording(ABC):
    """A recording that is read in blocks; nothing that grows with its length is held.

    Attributes:
        name: stem of its file, or as told.
        samples: at `hms.EEG_RATE_HZ`, from the first sample to the last, gaps in time included.
        start: when the first sample was taken, without a time zone; None where nobody knows.
        electrodes: True: blocks hold the 19 electrodes of `hms.ELECTRODES`, referential. False: they hold the 16 pairs
            of `hms.PAIRS`, first minus second.
        notes: what is missing or was assumed, one line each.
    """

    name: str
    samples: int
    start: datetime | None
    electrodes: bool
    notes: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to the end of the last, gaps included."""
        return self.samples / hms.EEG_RATE_HZ

    @property
    def channels(self) -> int:
        """Columns of a block: 19 electrodes, or 16 pairs."""
        return len(hms.ELECTRODES if self.electrodes else hms.PAIRS)

    @abstractmethod
    def block(self, start: int, stop: int) -> Values:
        """Samples `start` to `stop` of the recording; how it is cut into blocks changes no value.

        Args:
            start: sample at 200 Hz; it may lie before the recording.
            stop: sample after the last, `start` at least; it may lie beyond the recording.

        Returns:
            (stop - start, channels) float32 microvolts, an array of the caller's own; NaN where there is nothing: in a
            gap in time, in a missing channel, outside the recording.

        Raises:
            RecordError: the file can no longer be read.
        """


class ArrayRecording(Recording):
    """A recording that is held in memory: of a simulation, a test, or a stream of one's own.

    Args:
        uv: (samples, 19 or 16) float32 microvolts at 200 Hz, NaN where there is nothing.

    Raises:
        InputError: the array has another shape or dtype.
    """

    def __init__(
        self, uv: Values, name: str = "recording", start: datetime | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        if uv.ndim != 2 or uv.shape[1] not in (len(hms.ELECTRODES), len(hms.PAIRS)) or uv.dtype != np.float32:
            raise InputError(
                f"recording {name}: expected (samples, {len(hms.ELECTRODES)} electrodes or {len(hms.PAIRS)} pairs) "
                f"float32, received {uv.shape} {uv.dtype}"
            )
        self.name, self.start, self.notes = name, start, notes
        self.samples = len(uv)
        self.electrodes = uv.shape[1] == len(hms.ELECTRODES)
        self._uv = uv

    def block(self, start: int, stop: int) -> Values:
        """See `Recording.block`."""
        block = empty_block(start, stop, self.channels)
        first, last = max(start, 0), min(stop, self.samples)
        if first < last:
            block[first - start : last - start] = self._uv[first:last]
        return block


def empty_block(start: int, stop: int, channels: int) -> Values:
    """(stop - start, channels) NaN.

    Raises:
        InputError: the block ends before it starts.
    """
    if stop < start:
        raise InputError(f"block of a recording: expected an end at or after sample {start}, received {stop}")
    return np.full((stop - start, channels), np.nan, np.float32)
