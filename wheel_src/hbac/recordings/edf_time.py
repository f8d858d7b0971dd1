"""When the data records of an EDF or BDF file were taken: how many there are, and the gaps between them."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.errors import RecordError
from hbac.recordings.edf_header import UNKNOWN_RECORDS, Header
from hbac.recordings.sampled import MOST_S, Segment

ONSET_BYTES: Final = 48  # of the annotation that says when a data record starts
CONTINUOUS_S: Final = 0.01  # by which a data record may start early or late and still follow the one before
OVERLAP_S: Final = 0.1  # by which a later one may start before the end of an earlier one, as clocks are set
_ONSET: Final = re.compile(rb"([+-]\d{1,9}(?:\.\d*)?)(?:\x15[^\x14]*)?\x14")

Offsets = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Times:
    """Segments, and samples at 200 Hz from the first one's start to the end of what the header states."""

    segments: tuple[Segment, ...]
    samples: int
    first_s: float  # onset of the first data record
    notes: tuple[str, ...]


def read_times(file: BinaryIO, header: Header, size: int, where: str) -> Times:
    """When the data records of a file were taken.

    Raises:
        RecordError: not one whole data record, onsets that go back in time, none in an EDF+D, or more than 60 days.
    """
    records, missing, notes = _count(header, size, where)
    if records * header.record_s > MOST_S:
        raise RecordError(
            f"{where}: expected at most {MOST_S} s, received {records} data records of {float(header.record_s):g} s"
        )
    offsets, said = _offsets_s(file, header, records, where) if header.annotations else (np.zeros(records), ())
    record_s = float(header.record_s)
    runs = _runs(offsets)
    segments, ends = [], []
    for first, steps in runs:
        onset_s = offsets[first] - offsets[runs[0][0]] + first * record_s
        if not 0 <= onset_s < MOST_S:
            raise RecordError(
                f"{where}: expected onsets of 0 to {MOST_S} s, received {onset_s:g} s in record {first + 1}"
            )
        segments.append(Segment(round(onset_s * hms.EEG_RATE_HZ), first, steps))
        ends.append(segments[-1].start + samples_of(steps * header.record_s))
    _check_order(segments, ends, where)
    return Times(
        tuple(segments),
        max(ends) + samples_of(missing * header.record_s),
        float(offsets[runs[0][0]]),
        notes + said + _gaps(segments, ends, header),
    )


def samples_of(seconds: Fraction) -> int:
    """Samples at 200 Hz that begin within so many seconds."""
    return int(-(-seconds * hms.EEG_RATE_HZ // 1))


def _count(header: Header, size: int, where: str) -> tuple[int, int, tuple[str, ...]]:
    """Whole data records in the file, how many more are stated, and notes on the difference."""
    there, rest = divmod(size - header.bytes, header.record_bytes)
    stated = header.records
    if stated < UNKNOWN_RECORDS:
        raise RecordError(f"{where}: expected a number of data records or -1, received {stated}")
    if not there:
        raise RecordError(
            f"{where}: expected data records of {header.record_bytes} bytes, received {size - header.bytes} bytes"
        )
    notes = [f"{rest} bytes after the last whole data record"] if rest else []
    if stated == UNKNOWN_RECORDS:
        notes.append(f"number of data records not stated: {there} by the size of the file")
    elif stated < there:
        notes.append(f"the header states {stated} data records, the file holds {there}: all are read")
    elif stated > there and stated * header.record_s <= MOST_S:
        notes.append(f"cut short: {there} of {stated} data records")
        return there, stated - there, tuple(notes)
    elif stated > there:
        notes.append(f"the header states {stated} data records, more than 60 days; the file holds {there}")
    return there, 0, tuple(notes)


def _offsets_s(file: BinaryIO, header: Header, records: int, where: str) -> tuple[Offsets, tuple[str, ...]]:
    """(records,) by how much later each data record starts than if all followed the first; NaN where nobody knows."""
    signal = header.annotations[0]
    length = min(ONSET_BYTES, signal.samples * header.form.sample_bytes)
    onsets = np.full(records, np.nan)
    for k in range(records):
        file.seek(header.bytes + k * header.record_bytes + signal.first_byte)
        if found := _ONSET.match(file.read(length)):
            onsets[k] = float(found[1])
    offsets = onsets - np.arange(records) * float(header.record_s)
    offsets[_outliers(offsets)] = np.nan
    unknown = np.isnan(offsets)
    if not unknown.any():
        return offsets, ()
    if unknown.all():
        if header.discontinuous:
            raise RecordError(f"{where}: expected onsets of data records in an {header.form.name}+D, found none")
        return np.zeros(records), ("no data record says when it starts: taken as continuous",)
    known = np.flatnonzero(~unknown)
    before = known[np.maximum(np.searchsorted(known, np.arange(records), side="right") - 1, 0)]
    after = known[np.minimum(np.searchsorted(known, np.arange(records)), len(known) - 1)]
    clear = np.abs(offsets[before] - offsets[after]) <= CONTINUOUS_S
    if header.discontinuous:  # what lies behind the last one that says so, or before the first, may lie anywhere
        clear[: known[0]] = clear[known[-1] + 1 :] = False
    lost = np.count_nonzero(~clear & unknown)
    notes = [f"{np.count_nonzero(unknown)} data records do not say when they start: by those around them"]
    notes += [f"{lost} data records left out: they lie beside a gap and do not say when they start"] if lost else []
    return np.where(unknown, np.where(clear, offsets[before], np.nan), offsets), tuple(notes)


def _outliers(offsets: Offsets) -> npt.NDArray[np.bool_]:
    """Data records that alone are out of line while those around them follow each other."""
    out = np.zeros(len(offsets), bool)
    if len(offsets) > 2:
        apart = np.abs(np.diff(offsets)) > CONTINUOUS_S
        out[1:-1] = apart[:-1] & apart[1:] & (np.abs(offsets[2:] - offsets[:-2]) <= CONTINUOUS_S)
        out[0] = offsets[0] > offsets[1] + CONTINUOUS_S and not apart[1]
    return out


def _runs(offsets: Offsets) -> list[tuple[int, int]]:
    """Data records that follow each other: the first of each run, and how many."""
    runs: list[tuple[int, int]] = []
    first = None
    for k, offset in enumerate(offsets.tolist()):
        if offset != offset:  # NaN
            first = None
        elif first is None or abs(offset - offsets[first]) > CONTINUOUS_S:
            first = k
            runs.append((k, 1))
        else:
            runs[-1] = (first, k + 1 - first)
    return runs


def _check_order(segments: list[Segment], ends: list[int], where: str) -> None:
    for segment, end in zip(segments[1:], ends):
        if segment.start < end - OVERLAP_S * hms.EEG_RATE_HZ:
            raise RecordError(
                f"{where}: expected data records that follow each other, received record {segment.first + 1} at "
                f"{segment.start / hms.EEG_RATE_HZ:g} s, before the end of the one before at {end / hms.EEG_RATE_HZ:g} s"
            )


def _gaps(segments: list[Segment], ends: list[int], header: Header) -> tuple[str, ...]:
    apart = [segment.start - end for segment, end in zip(segments[1:], ends)]
    gaps, overlaps = [size for size in apart if size > 0], [-size for size in apart if size < 0]
    against = "" if header.discontinuous else f", though the header does not state {header.form.name}+D"
    notes = [f"gaps in time: {len(gaps)}, {sum(gaps) / hms.EEG_RATE_HZ:g} s in all{against}"] if gaps else []
    notes += [
        f"data records that begin before the end of the one before: {len(overlaps)}, {sum(overlaps) / hms.EEG_RATE_HZ:g} s "
        "in all, are not read twice"
    ] * bool(overlaps)
    return tuple(notes)
