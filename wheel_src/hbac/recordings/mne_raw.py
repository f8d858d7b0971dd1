"""What MNE reads, and its `Raw` objects, as a recording; three of MNE's habits are guarded against.

MNE joins the records of an EDF+D across its gaps, brings all channels to the highest rate, and takes a unit that is blank
as volts. So an EDF never comes through MNE by its path, and a `Raw` object of one is compared with the file's own header.
"""

import configparser
import struct
import warnings
import zlib
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.io.matlab import MatReadError

from hbac import hms
from hbac.errors import InputError, MachineError, RecordError, one_line
from hbac.machine.packages import FAULTS
from hbac.preprocessing.damage import EEG_LARGEST_UV, EEG_TYPICAL_UV
from hbac.recordings.edf_file import opened, read_header
from hbac.recordings.edf_header import SUFFIXES
from hbac.recordings.edf_time import read_times
from hbac.recordings.names import montage_of, read_label
from hbac.recordings.sampled import Array, Group, SampledRecording, Segment, check_equal, groups_of
from hbac.recordings.sizes import plausible, sizes_of, typical

if TYPE_CHECKING:
    from mne.io import BaseRaw

# What MNE's readers raise of a file that is not as they expect it, beside what a package that does not work raises.
UNREADABLE: Final = (*FAULTS, configparser.Error, struct.error, zlib.error, EOFError, ArithmeticError, MatReadError)
REQUIREMENT: Final = "mne>=1.6"
VOLTS: Final = 107  # FIFF's number of the unit
SKIP: Final = "bad_acq_skip"
BOUNDARIES: Final = ("bad boundary", "edge boundary", "boundary")  # of MNE, of EEGLAB
SEGMENT: Final = "new segment/"  # of BrainVision, with what was lost behind it


class RawSource:
    """Samples of a `Raw` object; a step is one sample."""

    def __init__(self, raw: "BaseRaw", groups: tuple[Group, ...], segments: tuple[Segment, ...]) -> None:
        self.groups, self.segments = groups, segments
        self._raw = raw

    def read(self, group: Group, start: int, stop: int) -> Array:
        """See `Source.read`."""
        try:
            volts = self._raw.get_data(picks=list(group.channels), start=start, stop=stop, verbose="ERROR")
        except UNREADABLE as error:
            raise RecordError(f"recording: expected samples {start} to {stop}, received {one_line(error)}") from error
        uv: Array = np.multiply(volts, 1e6, dtype=np.float64)
        return uv


def read_by_mne(path: Path, name: str) -> SampledRecording:
    """A file in a format that MNE reads.

    Raises:
        RecordError: MNE cannot read it, or `from_raw` refuses it.
        MachineError: MNE is not there.
    """
    mne = _mne()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            raw = mne.io.read_raw(path, preload=False, verbose="ERROR")
        except UNREADABLE as error:
            raise RecordError(
                f"{path.name}: expected a recording that MNE reads, received {one_line(error)}"
            ) from error
        recording = from_raw(raw, name)
    notes = dict.fromkeys(f"MNE: {one_line(w.message)}" for w in said if isinstance(w.message, RuntimeWarning))
    recording.notes += tuple(notes)
    return recording


def _mne() -> Any:
    """MNE, with what is used of it.

    Raises:
        MachineError: it is not there, or does not work.
    """
    try:
        import mne
        import mne.io

        _ = mne.io.read_raw, mne.io.BaseRaw
    except FAULTS as error:
        raise MachineError(
            f"mne: expected {REQUIREMENT}, received {type(error).__name__}: {one_line(error)}; "
            f"install it: pip install '{REQUIREMENT}'"
        ) from error
    return mne


def from_raw(raw: Any, name: str | None = None) -> SampledRecording:
    """A `Raw` object of MNE as a recording; it is read block by block where it is not preloaded.

    Skipped stretches are missing, and nothing is filtered across a boundary. Channels that are marked bad are missing;
    stretches that are marked bad are noted.

    Raises:
        InputError: it is no `Raw` object.
        RecordError: EEG, rates, units or times are not to be had of it.
        MachineError: MNE is not there.
    """
    if not isinstance(raw, _mne().io.BaseRaw):
        raise InputError(f"read_recording: expected a path or an mne.io.Raw object, received {type(raw).__name__}")
    paths = [Path(file) for file in raw.filenames if file]
    path = paths[0] if paths else None
    where = path.name if path else type(raw).__name__
    labels = _labels(raw)
    montage = montage_of(labels, where)
    channels = [channel for column in montage.columns for channel in column]
    _check_units(raw, channels, where)
    segments, of_segments = _segments(raw, where)
    rate_hz = Fraction(repr(float(raw.info["sfreq"])))
    longest_s = max(segment.steps for segment in segments) / float(rate_hz)
    groups, of_rates = groups_of(dict.fromkeys(channels, (rate_hz, 1)), longest_s, where, labels)
    source = RawSource(raw, groups, segments)
    of_edf = tuple(dict.fromkeys(note for one in paths for note in _of_edf(one)))
    notes = montage.notes + _bad_channels(raw) + of_edf + _check_size(source, where)
    notes += check_equal(source, montage, labels, where) + of_rates + of_segments
    if path and ".fif" in path.suffixes[-2:] and raw.info["meas_date"]:
        notes += ("the start is in UTC, as FIF files have it",)
    return SampledRecording(
        source,
        montage,
        groups[0].ratio.samples(raw.n_times),
        name=name if name is not None else path.stem if path else "recording",
        start=_start(raw),
        notes=notes,
    )


def _labels(raw: "BaseRaw") -> list[str]:
    """Names of the channels, "" for one that is no EEG or is marked bad."""
    kinds = raw.get_channel_types()
    bad = set(raw.info["bads"])
    return [name if kind == "eeg" and name not in bad else "" for name, kind in zip(raw.ch_names, kinds)]


def _bad_channels(raw: "BaseRaw") -> tuple[str, ...]:
    return (f"channels marked bad are left out: {', '.join(raw.info['bads'])}",) if raw.info["bads"] else ()


def _check_units(raw: "BaseRaw", channels: list[int], where: str) -> None:
    for channel in channels:
        stated = raw.info["chs"][channel]
        if int(stated["unit"]) != VOLTS or int(stated["unit_mul"]) != 0:
            raise RecordError(
                f"{where}: expected volts in {stated['ch_name']}, received unit {stated['unit']} times "
                f"10**{int(stated['unit_mul'])}"
            )


def _check_size(source: RawSource, where: str) -> tuple[str, ...]:
    """A note on values that are too small for EEG.

    Raises:
        RecordError: they are too large, or those of a channel are by far: microvolts that were taken as volts.
    """
    sizes = sizes_of(source)
    (low, high), size = EEG_TYPICAL_UV, typical(sizes)
    if size > high or max(sizes.values(), default=0.0) > EEG_LARGEST_UV:
        raise RecordError(
            f"{where}: expected volts with typical values of {low:g} to {high:g} uV, received "
            f"{max(sizes.values()):.3g} uV: MNE takes a unit that is blank as volts"
        )
    return plausible(sizes)


def _segments(raw: "BaseRaw", where: str) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
    """Stretches between what was skipped, counted in the object's own samples, and notes.

    A boundary says that time was cut out there and not how much: two samples at 200 Hz are missing.

    Raises:
        RecordError: all was skipped.
    """
    rate_hz = float(raw.info["sfreq"])
    gone, bad_s = [], 0.0
    for mark in raw.annotations:
        kind = mark["description"].lower()
        first = round((mark["onset"] - raw.first_time) * rate_hz)
        if kind == SKIP:
            gone.append((first, first + round(mark["duration"] * rate_hz)))
        elif (kind in BOUNDARIES or kind.startswith(SEGMENT)) and 0 < first < raw.n_times:
            gone.append((first, first + ceil(2 * rate_hz / hms.EEG_RATE_HZ)))
        elif kind.startswith("bad"):
            bad_s += mark["duration"]
    stretches, free = [], 0
    for first, last in [*sorted(gone), (raw.n_times, raw.n_times)]:
        if first > free:
            stretches.append((free, first))
        free = max(free, last)
    if not stretches:
        raise RecordError(f"{where}: expected samples, received a recording that is skipped as a whole")
    notes = [f"gaps in time: {len(gone)}, by MNE's annotations"] if gone else []
    notes += [f"{bad_s:g} s are marked bad; they are read as they are"] if bad_s else []
    return (
        tuple(Segment(round(a * hms.EEG_RATE_HZ / rate_hz), a, min(b, raw.n_times) - a) for a, b in stretches),
        tuple(notes),
    )


def _of_edf(path: Path) -> tuple[str, ...]:
    """Notes on what MNE made of a file, if it is an EDF or BDF.

    Raises:
        RecordError: its data records do not follow each other, and MNE has joined them up.
    """
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return ()
    where = path.name
    with opened(path) as file:
        header = read_header(file, where)
        times = read_times(file, header, file.seek(0, 2), where) if header.record_s else None
    if times and len(times.segments) > 1:
        raise RecordError(
            f"{where}: expected a recording without gaps, received {len(times.segments)} segments that MNE has joined up; "
            "read it by its path"
        )
    rates = {signal.samples for signal in header.signals if read_label(signal.label)}
    return (
        ("rates differ in the file: MNE has brought all channels to one; read it by its path",)
        if len(rates) > 1
        else ()
    )


def _start(raw: "BaseRaw") -> datetime | None:
    date: datetime | None = raw.info["meas_date"]
    return None if date is None else date.replace(tzinfo=None) + timedelta(seconds=raw.first_time)
