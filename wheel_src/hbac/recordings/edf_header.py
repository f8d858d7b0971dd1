"""The header of an EDF or BDF file: what it says, checked against what it can mean.

https://www.edfplus.info/specs: fixed fields of text, 256 bytes for the file and 256 for each signal. The house reads them
itself: edfio holds a whole BDF in memory, maps a whole EDF, and joins the records of an EDF+D across its gaps.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import accumulate
from typing import Final

from hbac.errors import RecordError, brief

FIXED_BYTES: Final = 256  # of the file, and of each signal
MAX_SIGNALS: Final = 4096
UNKNOWN_RECORDS: Final = -1  # while a recording goes on
OF_SIGNAL: Final = {  # fields of all signals one after another, with their bytes
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "prefiltering": 80,
    "samples": 8,
    "reserved": 32,
}
_NUMBER: Final = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_DATE: Final = re.compile(r"(\d\d)[.:/-](\d\d)[.:/-](\d\d)", re.ASCII)
_STARTDATE: Final = re.compile(r"Startdate (\d{1,2})-([A-Z]{3})-(\d{4})\b", re.IGNORECASE | re.ASCII)
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FIRST_YEAR: Final = 1985  # of the two digits that EDF has
_NO_DATE: Final = "01.01.85"  # of a recording that was made anonymous


@dataclass(frozen=True)
class Form:
    """EDF or BDF: what its files begin with, bytes of a sample, the label of its annotations."""

    name: str
    magic: bytes
    sample_bytes: int
    annotations: str

    @property
    def digital_limits(self) -> tuple[int, int]:
        """Smallest and largest sample."""
        return -(1 << (8 * self.sample_bytes - 1)), (1 << (8 * self.sample_bytes - 1)) - 1


EDF: Final = Form("EDF", b"0       ", 2, "EDF Annotations")
BDF: Final = Form("BDF", b"\xffBIOSEMI", 3, "BDF Annotations")
FORMS: Final = (EDF, BDF)
SUFFIXES: Final = tuple(f".{form.name.lower()}" for form in FORMS)


@dataclass(frozen=True)
class Signal:
    """One signal of a file: texts as they stand there, and where its samples lie in a data record."""

    label: str
    unit: str
    limits: tuple[str, str, str, str]  # physical and digital, each the smallest and the largest
    samples: int  # of a data record
    first_byte: int  # of its samples in a data record


@dataclass(frozen=True)
class Header:
    """What a header says.

    Attributes:
        records: data records as stated, -1 where that is not known.
        record_s: length of a data record.
        record_bytes: of a data record.
        bytes: of the header itself.
        start: None where the date is none, or stands for none.
        notes: what was assumed.
    """

    form: Form
    signals: tuple[Signal, ...]
    records: int
    record_s: Fraction
    record_bytes: int
    bytes: int
    start: datetime | None
    discontinuous: bool
    notes: tuple[str, ...]

    @property
    def annotations(self) -> tuple[Signal, ...]:
        """Signals that hold annotations; the first one says when each data record starts."""
        return tuple(signal for signal in self.signals if self.is_annotations(signal))

    def is_annotations(self, signal: Signal) -> bool:
        """Whether it holds annotations."""
        return signal.label == self.form.annotations


def form_of(head: bytes) -> Form | None:
    """Which form a file that begins so has."""
    return next((form for form in FORMS if head.startswith(form.magic)), None)


def signals_of(head: bytes, where: str) -> int:
    """How many signals the first 256 bytes of a file state.

    Raises:
        RecordError: it is neither EDF nor BDF, or these bytes contradict each other.
    """
    if len(head) < FIXED_BYTES:
        raise RecordError(f"{where}: expected a header of {FIXED_BYTES} bytes, received {len(head)}")
    if form_of(head) is None:
        raise RecordError(f"{where}: expected EDF or BDF, received a file that begins with {brief(head[:8])}")
    signals, stated = (
        whole(head[a:b], what, where) for a, b, what in ((252, 256, "signals"), (184, 192, "header bytes"))
    )
    if not 0 < signals <= MAX_SIGNALS:
        raise RecordError(f"{where}: expected 1 to {MAX_SIGNALS} signals, received {signals}")
    if stated != FIXED_BYTES * (1 + signals):
        raise RecordError(
            f"{where}: expected a header of {FIXED_BYTES * (1 + signals)} bytes for {signals} signals, "
            f"received one that states {stated}"
        )
    return signals


def parse_header(head: bytes, where: str) -> Header:
    """A header from all of its bytes.

    Raises:
        RecordError: a field says nothing that can be, or fields contradict each other.
    """
    count = signals_of(head, where)
    form = form_of(head)
    if form is None or len(head) < FIXED_BYTES * (1 + count):
        raise RecordError(f"{where}: expected a header of {FIXED_BYTES * (1 + count)} bytes, received {len(head)}")
    signals = _signals(head, count, form, where)
    start, notes = _start(head)
    record_s, more = _record_s(head, where)
    reserved = text(head[192:236])
    discontinuous = reserved[3:5].upper() == "+D"
    if reserved[3:4] == "+" and not any(signal.label == form.annotations for signal in signals):
        if discontinuous:
            raise RecordError(f"{where}: expected a signal {form.annotations} in an {form.name}+D, found none")
        more = (*more, f"no signal {form.annotations}, which {form.name}+ has")
    return Header(
        form=form,
        signals=signals,
        records=whole(head[236:244], "data records", where),
        record_s=record_s,
        record_bytes=form.sample_bytes * sum(signal.samples for signal in signals),
        bytes=FIXED_BYTES * (1 + count),
        start=start,
        discontinuous=discontinuous,
        notes=(*notes, *more),
    )


def text(field: bytes) -> str:
    """A field without what fills it up; UTF-8 where it is that, else Latin-1, which is any."""
    field = field.strip(b" \0")
    try:
        return field.decode()
    except UnicodeDecodeError:
        return field.decode("latin-1").strip()


def number(field: bytes | str, what: str, where: str) -> Fraction:
    """A decimal number, exactly.

    Raises:
        RecordError: it is none.
    """
    content = text(field) if isinstance(field, bytes) else field
    if not _NUMBER.fullmatch(content):
        raise RecordError(f"{where}: expected a number of {what}, received {brief(content)}")
    return Fraction(content.replace(",", "."))


def whole(field: bytes, what: str, where: str) -> int:
    """A whole number.

    Raises:
        RecordError: it is none.
    """
    value = number(field, what, where)
    if value.denominator != 1:
        raise RecordError(f"{where}: expected a whole number of {what}, received {brief(text(field))}")
    return int(value)


def _signals(head: bytes, count: int, form: Form, where: str) -> tuple[Signal, ...]:
    starts = dict(zip(OF_SIGNAL, accumulate(OF_SIGNAL.values(), initial=0)))

    def field(name: str, j: int) -> bytes:
        first = FIXED_BYTES + count * starts[name] + j * OF_SIGNAL[name]
        return head[first : first + OF_SIGNAL[name]]

    labels = [text(field("label", j)) for j in range(count)]
    samples = [whole(field("samples", j), f"samples of {brief(labels[j])}", where) for j in range(count)]
    for label, some in zip(labels, samples):
        if some < 0:
            raise RecordError(f"{where}: expected 0 or more samples of {brief(label)} in a record, received {some}")
    if not sum(samples):
        raise RecordError(f"{where}: expected samples in a data record, received none")
    firsts = accumulate((form.sample_bytes * some for some in samples), initial=0)
    limits = ("physical_min", "physical_max", "digital_min", "digital_max")
    return tuple(
        Signal(
            label=labels[j],
            unit=text(field("unit", j)),
            limits=tuple(text(field(name, j)) for name in limits),  # type: ignore[arg-type]
            samples=samples[j],
            first_byte=first,
        )
        for j, first in zip(range(count), firsts)
    )


def _record_s(head: bytes, where: str) -> tuple[Fraction, tuple[str, ...]]:
    """Length of a data record; 0 in a file that holds annotations alone.

    Eight characters cannot hold a third of a second: a length that fills them is the fraction that rounds to them.
    """
    content = text(head[244:252])
    value = number(content, "seconds a data record", where)
    if not 0 <= value <= 1_000_000:
        raise RecordError(f"{where}: expected 0 s or more for a data record, received {brief(content)} s")
    near = value.limit_denominator(1000)
    last_digit = Fraction(1, 10 ** len(content.replace(",", ".").partition(".")[2]))
    if len(content) == 8 and value not in (0, near) and abs(near - value) <= last_digit / 2:
        return near, (f"data records of {content} s taken as {near} s",)
    return value, ()


def _start(head: bytes) -> tuple[datetime | None, tuple[str, ...]]:
    date, time, recording = text(head[168:176]), text(head[176:184]), text(head[88:168])
    found = [_DATE.fullmatch(part) for part in (date, time)]
    if date == _NO_DATE and "Startdate X" in recording:
        return None, ("no date of the start: the recording is anonymous",)
    try:
        day, month, year, hour, minute, second = (int(part) for match in found if match for part in match.groups())
        year += 100 * -(-(_FIRST_YEAR - year) // 100)
        start = datetime(year, month, day, hour, minute, second)
        longer = _STARTDATE.search(recording)
        if not longer:
            return start, ()
        stated = start.replace(year=int(longer[3]), month=1 + _MONTHS.index(longer[2].upper()), day=int(longer[1]))
    except ValueError:
        return None, (f"no start: {brief(date)} {brief(time)} is no date and time",)
    if stated != start and (stated.year - start.year) % 100 == 0 and (stated.month, stated.day) == (month, day):
        return stated, ()
    if stated != start:
        return start, (f"two dates of the start: {start:%Y-%m-%d} taken, not {stated:%Y-%m-%d}",)
    return start, ()
