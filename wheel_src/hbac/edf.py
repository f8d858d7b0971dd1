"""EDF and EDF+ as they are written: a header, and records of samples or of annotations.

https://www.edfplus.info/specs: fixed fields of text, 256 bytes for the file and 256 for each signal; 16-bit samples,
little end first; annotations as texts with an onset and a duration between the bytes 20 and 21.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hbac.errors import InputError

FIXED_BYTES: Final = 256
DIGITAL: Final = (-32768, 32767)
ANNOTATIONS: Final = "EDF Annotations"
NO_DATE: Final = datetime(1985, 1, 1)  # as the first seconds of a recording that was made anonymous are written
YEARS: Final = range(1985, 2085)  # that two digits tell apart
MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Signal:
    """One signal of a file: its label, its unit, what its smallest and its largest sample mean, samples a record."""

    label: str
    unit: str
    physical: tuple[float, float]
    samples: int


def header(signals: Sequence[Signal], records: int, record_s: int, start: datetime | None, plus: bool) -> bytes:
    """The header of a file without the name of a patient.

    Args:
        signals: in the order of the samples.
        records: data records.
        record_s: seconds of each; 0 in a file of annotations alone.
        start: of the recording, whole seconds count; None where nobody knows.
        plus: EDF+, with a signal of annotations.

    Raises:
        InputError: a year that EDF cannot tell from another.
    """
    when = start or NO_DATE
    if when.year not in YEARS:
        raise InputError(f"start of a recording: expected a year of {YEARS[0]} to {YEARS[-1]}, received {when.year}")
    day = f"{when.day:02d}-{MONTHS[when.month - 1]}-{when.year}" if start else "X"
    fields = [
        ("0", 8),
        ("X X X X", 80),
        (f"Startdate {day} X X hbac", 80),
        (when.strftime("%d.%m.%y"), 8),
        (when.strftime("%H.%M.%S"), 8),
        (FIXED_BYTES * (1 + len(signals)), 8),
        ("EDF+C" if plus else "", 44),
        (records, 8),
        (record_s, 8),
        (len(signals), 4),
    ]
    for name, width in (("label", 16), ("", 80), ("unit", 8)):
        fields += [(getattr(signal, name) if name else "", width) for signal in signals]
    fields += [(f"{signal.physical[end]:g}", 8) for end in (0, 1) for signal in signals]
    fields += [(DIGITAL[end], 8) for end in (0, 1) for _ in signals]
    fields += [("", 80) for _ in signals]
    fields += [(signal.samples, 8) for signal in signals]
    fields += [("", 32) for _ in signals]
    return b"".join(_field(value, width) for value, width in fields)


def _field(value: object, width: int) -> bytes:
    text = str(value).encode("ascii")
    if len(text) > width:
        raise InputError(f"EDF: expected a text of {width} bytes at most, received {value!r}")
    return text.ljust(width)


def annotations_alone(told: Iterable[tuple[float, float, str]], start: datetime | None) -> bytes:
    """An EDF+ file of annotations without signals.

    Args:
        told: onset and duration in seconds, and a text, in the order of the file.
        start: of the recording that they belong to; onsets count from there.

    The header has whole seconds. What is left of them is told by the record's own onset, as EDF+ has it.
    """
    late = start.microsecond / 1e6 if start else 0.0
    lists = [f"+{_number(late)}\x14\x14\0".encode()]  # when the one record begins
    lists += [
        f"+{_number(late + onset)}\x15{_number(duration)}\x14{text}\x14\0".encode() for onset, duration, text in told
    ]
    content = b"".join(lists)
    content += b"\0" * (len(content) % 2)
    signal = Signal(ANNOTATIONS, "", (-1, 1), len(content) // 2)
    return header([signal], 1, 0, start, plus=True) + content


def _number(value: float) -> str:
    """Without an exponent, which EDF+ does not know, and without decimals that say nothing."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
