"""EDF, EDF+, BDF and BDF+ files: data records to microvolts, read where they are needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from hbac.errors import MachineError, RecordError, brief, one_line
from hbac.machine.faults import has_run_out
from hbac.recordings.edf_header import FIXED_BYTES, Form, Header, Signal, parse_header, signals_of
from hbac.recordings.edf_scales import Scale, scales_of
from hbac.recordings.edf_time import read_times
from hbac.recordings.names import montage_of
from hbac.recordings.sampled import Array, Group, SampledRecording, Segment, Source, check_equal, groups_of
from hbac.recordings.sizes import plausible, sizes_of, typical
from hbac.recordings.units import ASSUMED_UV

WHOLE_RECORD_BYTES: Final = 1 << 20  # a longer data record is not read as a whole


class EdfSource:
    """Samples of an EDF or BDF file; it is opened for each block, so that the object can go to another process."""

    def __init__(
        self,
        path: Path,
        header: Header,
        groups: tuple[Group, ...],
        segments: tuple[Segment, ...],
        scales: dict[int, Scale],
    ) -> None:
        self.groups, self.segments = groups, segments
        self._path, self._header, self._scales = path, header, scales

    def read(self, group: Group, start: int, stop: int) -> Array:
        """See `Source.read`."""
        out = np.empty((len(group.channels), stop - start))
        with opened(self._path) as file:
            digital = _short_records if self._header.record_bytes <= WHOLE_RECORD_BYTES else _long_records
            signals = [self._header.signals[channel] for channel in group.channels]
            for row, channel, values in zip(out, group.channels, digital(file, self._header, signals, start, stop)):
                row[:] = values
                row *= self._scales[channel].gain
                row += self._scales[channel].offset
        return out


def read_edf(path: Path, name: str, unit: str | None = None) -> SampledRecording:
    """An EDF or BDF file as a recording.

    Args:
        path: of the file.
        name: of the recording.
        unit: of signals that state none.

    Raises:
        RecordError: it is not one that can be read; `docs/recordings.md` has the list.
        MachineError: something has run out that every file needs.
    """
    where = path.name
    with opened(path) as file:
        header = read_header(file, where)
        labels = [signal.label for signal in header.signals]
        montage = montage_of(labels, where)
        channels = [channel for column in montage.columns for channel in column]
        if not header.record_s:
            raise RecordError(f"{where}: expected data records longer than 0 s, received 0 s")
        times = read_times(file, header, file.seek(0, 2), where)
    scales, unknown, of_scales = scales_of(header, channels, unit, where)
    longest_s = max(segment.steps for segment in times.segments) * float(header.record_s)
    rates = {j: (Fraction(header.signals[j].samples) / header.record_s, header.signals[j].samples) for j in channels}
    groups, of_rates = groups_of(rates, longest_s, where, labels)
    source = EdfSource(path, header, groups, times.segments, scales)
    notes = header.notes + montage.notes + of_scales + _check_size(source, header, unknown, where)
    notes += check_equal(source, montage, labels, where) + of_rates + times.notes
    start = header.start + timedelta(seconds=times.first_s) if header.start else None
    return SampledRecording(source, montage, times.samples, name=name, start=start, notes=notes)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read from.

    Raises:
        RecordError: it cannot be read.
        MachineError: something has run out that every file needs.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            yield file  # type: ignore[misc] # an unbuffered one
    except OSError as error:
        if why := has_run_out(error):
            raise MachineError(f"{path}: expected to read it, received: {why}") from error
        raise RecordError(f"{path.name}: expected a file, received {one_line(error)}") from error


def read_header(file: BinaryIO, where: str) -> Header:
    """The header that a file begins with.

    Raises:
        RecordError: `parse_header` refuses it.
    """
    head = file.read(FIXED_BYTES)
    return parse_header(head + file.read(FIXED_BYTES * signals_of(head, where)), where)


def _check_size(source: Source, header: Header, unknown: tuple[int, ...], where: str) -> tuple[str, ...]:
    """Notes on a unit that was assumed and on a size that no EEG has.

    Raises:
        RecordError: no unit is stated, and the values are not those of EEG in microvolts.
    """
    sizes = sizes_of(source)
    if not unknown:
        return plausible(sizes)
    size = typical({channel: size for channel, size in sizes.items() if channel in unknown})
    low, high = ASSUMED_UV
    stated = sorted({header.signals[j].unit for j in unknown})
    named = ", ".join(brief(unit) for unit in stated[:3])
    if not low <= size <= high:
        raise RecordError(
            f"{where}: expected a unit (V, mV, uV, nV) or typical values of {low:g} to {high:g} as of EEG in uV, "
            f"received {named} and {size:.3g}; `unit` tells it"
        )
    return (f"unit {named} of {len(unknown)} channels taken as uV: typical values are {size:.3g}",)


def _short_records(
    file: BinaryIO, header: Header, signals: list[Signal], start: int, stop: int
) -> Iterator[npt.NDArray[np.int32]]:
    """Digital values of each signal, `start` to `stop`, from data records that are read as a whole."""
    per = signals[0].samples
    first, last = start // per, -(-stop // per)
    content = _read_at(file, header.bytes + first * header.record_bytes, (last - first) * header.record_bytes)
    records = np.frombuffer(content, np.uint8).reshape(last - first, header.record_bytes)
    for signal in signals:
        part = records[:, signal.first_byte : signal.first_byte + per * header.form.sample_bytes]
        yield _decoded(part, header.form)[start - first * per : stop - first * per]


def _long_records(
    file: BinaryIO, header: Header, signals: list[Signal], start: int, stop: int
) -> Iterator[npt.NDArray[np.int32]]:
    """The same, of which only the samples that are needed are read."""
    size = header.form.sample_bytes
    for signal in signals:
        parts = []
        for record in range(start // signal.samples, -(-stop // signal.samples)):
            before = record * signal.samples
            first, last = max(start - before, 0), min(stop - before, signal.samples)
            at = header.bytes + record * header.record_bytes + signal.first_byte + first * size
            parts.append(_read_at(file, at, (last - first) * size))
        yield _decoded(np.frombuffer(b"".join(parts), np.uint8), header.form)


def _read_at(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    content = file.read(length)
    while len(content) < length and (more := file.read(length - len(content))):
        content += more
    if len(content) < length:
        raise RecordError(
            f"{Path(file.name).name}: expected {length} bytes at {at}, received {len(content)}: the file has changed"
        )
    return content


def _decoded(content: npt.NDArray[np.uint8], form: Form) -> npt.NDArray[np.int32]:
    """Little-endian whole numbers of two or three bytes."""
    by_sample = np.ascontiguousarray(content).reshape(-1, form.sample_bytes)
    wide = np.zeros((len(by_sample), 4), np.uint8)
    wide[:, 4 - form.sample_bytes :] = by_sample
    return (wide.view("<i4")[:, 0] >> (8 * (4 - form.sample_bytes))).astype(np.int32, copy=False)
