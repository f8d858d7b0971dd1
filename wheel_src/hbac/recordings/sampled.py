"""A recording that is read from its source block by block: segments in time, any rate, electrodes or pairs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.errors import RecordError
from hbac.preprocessing.montage import bipolar
from hbac.recordings.names import Montage
from hbac.recordings.recording import Recording, Values, empty_block
from hbac.recordings.resampling import HIGHEST_HZ, LOWEST_HZ, Ratio, ratio_of, resample

PIECE: Final = 60 * hms.EEG_RATE_HZ  # samples that are resampled at once: what is held does not grow with a block
MOST_S: Final = 60 * 24 * 3600  # of a recording; more is a header or an onset that is damaged

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Channels of one rate.

    Attributes:
        per_step: samples of each channel in one step of the source.
        ratio: of 200 Hz to their rate.
        channels: as the source counts them.
    """

    per_step: int
    ratio: Ratio
    channels: tuple[int, ...]


@dataclass(frozen=True)
class Segment:
    """A stretch without a gap.

    Attributes:
        start: its first sample at 200 Hz.
        first: the step of the source that it starts with.
        steps: how many steps it has.
    """

    start: int
    first: int
    steps: int


class Source(Protocol):
    """Where the samples of a recording come from. A step is a data record, or one sample."""

    groups: tuple[Group, ...]
    segments: tuple[Segment, ...]

    def read(self, group: Group, start: int, stop: int) -> Array:
        """(channels, stop - start) microvolts at the group's own rate, counted over all steps; NaN where missing."""


class SampledRecording(Recording):
    """See `Recording`."""

    def __init__(
        self,
        source: Source,
        montage: Montage,
        samples: int,
        *,
        name: str,
        start: datetime | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.name, self.samples, self.start, self.notes = name, samples, start, notes
        self.electrodes = montage.electrodes
        self._source, self._montage = source, montage
        self._column_of = {channels[0]: j for j, channels in enumerate(montage.columns) if channels}
        self._groups = tuple(  # of channels with the same samples the first is read
            replace(group, channels=tuple(channel for channel in group.channels if channel in self._column_of))
            for group in source.groups
        )

    def block(self, start: int, stop: int) -> Values:
        """See `Recording.block`."""
        block = empty_block(start, stop, len(self._montage.columns))
        for segment in self._source.segments:
            for group in self._groups:
                columns = [self._column_of[channel] for channel in group.channels]
                samples = segment.steps * group.per_step
                first = max(start - segment.start, 0)
                last = min(stop - segment.start, group.ratio.samples(samples))
                for piece in range(first, last, PIECE):
                    end = min(piece + PIECE, last)
                    at = segment.start - start
                    block[at + piece : at + end, columns] = self._resampled(group, segment, piece, end).T
        for column in self._montage.turned:
            block[:, column] *= -1
        return np.ascontiguousarray(bipolar(block).T, np.float32) if self._montage.derived else block

    def _resampled(self, group: Group, segment: Segment, start: int, stop: int) -> Values:
        """(channels, stop - start) samples at 200 Hz of a segment, counted from its start."""
        origin = segment.first * group.per_step

        def read(first: int, last: int) -> Array:
            return self._source.read(group, origin + first, origin + last)

        values = resample(read, segment.steps * group.per_step, group.ratio, start, stop)
        with np.errstate(over="ignore"):
            out = values.astype(np.float32)
        out[~np.isfinite(out)] = np.nan
        return out


def groups_of(
    rates: dict[int, tuple[Fraction, int]], longest_s: float, where: str, labels: Sequence[str]
) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """Channels by their rate, and a note for each rate that is not 200 Hz.

    Args:
        rates: of each channel in Hz, and its samples in a step.
        longest_s: length of the longest segment.
        where: the file, for messages.
        labels: of the channels, for messages.

    Raises:
        RecordError: a rate outside 100 to 2,000 Hz, or one whose ratio to 200 Hz cannot be kept.
    """
    groups, notes = [], []
    for rate_hz, per_step in sorted(set(rates.values())):
        channels = tuple(j for j, rate in rates.items() if rate == (rate_hz, per_step))
        named = f"{', '.join(labels[j] for j in channels[:3])}{' ...' if len(channels) > 3 else ''}"
        shown = f"{float(rate_hz):.10g} Hz"
        if not LOWEST_HZ <= rate_hz <= HIGHEST_HZ:
            raise RecordError(f"{where}: expected {LOWEST_HZ} to {HIGHEST_HZ} Hz, received {shown} in {named}")
        if (ratio := ratio_of(rate_hz, longest_s)) is None:
            raise RecordError(
                f"{where}: expected a rate that is a ratio of whole numbers to {hms.EEG_RATE_HZ} Hz, "
                f"received {shown} in {named}"
            )
        groups.append(Group(per_step, ratio, channels))
        if ratio != Ratio(1, 1):
            of = f" of {named}" if len(channels) < len(rates) else ""
            notes.append(f"rate{of}: {shown}, converted to {hms.EEG_RATE_HZ} Hz")
    return tuple(groups), tuple(notes)


def check_equal(source: Source, montage: Montage, labels: Sequence[str], where: str) -> tuple[str, ...]:
    """A note on names that come twice with the same samples.

    Raises:
        RecordError: their samples differ.
    """
    twice = [channels for channels in montage.columns if len(channels) > 1]
    for channels in twice:
        group = next(group for group in source.groups if channels[0] in group.channels)
        wrong = f"{where}: expected {labels[channels[0]]} once, received {len(channels)} that differ"
        if not set(channels) <= set(group.channels):
            raise RecordError(wrong)
        rows = [group.channels.index(channel) for channel in channels]
        for segment in source.segments:
            first, last = (group.per_step * step for step in (segment.first, segment.first + segment.steps))
            for piece in range(first, last, PIECE):
                values = source.read(group, piece, min(piece + PIECE, last))[rows]
                if not all(np.array_equal(values[0], other, equal_nan=True) for other in values[1:]):
                    raise RecordError(wrong)
    return tuple(f"{labels[channels[0]]} comes {len(channels)} times with the same samples" for channels in twice)
