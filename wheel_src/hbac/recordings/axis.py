"""Time as a page shows it: by the clock where the recording says when it began, else from its start."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

DAY_S: Final = 86400
# Steps that a reader counts in: seconds, minutes, hours, days.
STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, DAY_S)
MOST_TICKS: Final = 9


@dataclass(frozen=True)
class Tick:
    """A mark on the axis."""

    at_s: float  # from the start of the recording
    text: str
    day: str = ""  # where a day begins, and at the first mark


@dataclass(frozen=True)
class Clock:
    """Tells a moment of the recording; without a `start`, by the time since it began."""

    start: datetime | None
    duration_s: float = 0.0  # of the recording

    def time(self, at_s: float) -> str:
        """02:13:40 by the clock, or hours, minutes and seconds from the start."""
        if self.start is not None:
            return f"{self._at(at_s):%H:%M:%S}"
        return elapsed(at_s)

    def full(self, at_s: float) -> str:
        """The same with the day where it is known."""
        return self.time(at_s) if self.start is None else f"{_day(self._at(at_s))} {self.time(at_s)}"

    def moment(self, at_s: float) -> str:
        """The time; with the day in a recording that meets a time of day twice."""
        return self.full(at_s) if self.duration_s > DAY_S else self.time(at_s)

    def day(self, at_s: float) -> str:
        """2026-03-01, or nothing."""
        return "" if self.start is None else _day(self._at(at_s))

    def ticks(self, duration_s: float, most: int = MOST_TICKS) -> Iterator[Tick]:
        """Marks at round times, at most so many."""
        step = next((step for step in STEPS_S if duration_s / step < most), None)
        step = step or DAY_S * (1 + int(duration_s / DAY_S / most))
        before = 0.0 if self.start is None else _since_midnight(self.start)
        first = -(-before // step) * step - before
        day = ""
        for number in range(int((duration_s - first) // step) + 1 if duration_s >= first else 0):
            at = first + number * step
            today = self.day(at)
            text = self.time(at)
            yield Tick(at, text if step % 60 else text[:-3], today if today != day else "")
            day = today

    def _at(self, at_s: float) -> datetime:
        """To the second, as it is shown: the second in which the moment lies."""
        return (self.start or datetime.min) + timedelta(milliseconds=round(1000 * at_s))


def elapsed(seconds: float) -> str:
    """Hours, minutes and seconds: 26:03:09; a shown second begins where it is full."""
    whole = int(round(1000 * seconds) // 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def length(seconds: float) -> str:
    """A length in words: 45 s, 12 min 30 s, 3 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole // 60 % 60} min" if whole // 60 % 60 else "")


def _since_midnight(moment: datetime) -> float:
    return (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
