"""Burden: how much of a recording each pattern fills, by the hour and in all, in the words of the ACNS.

Words and rules are those of the American Clinical Neurophysiology Society's Standardized Critical Care EEG Terminology,
2021 version (Hirsch et al. 2021), https://doi.org/10.1097/WNP.0000000000000806. They are arithmetic on a network's
answers here, and no reading by an expert.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from hbac.errors import InputError
from hbac.hms import CLASSES
from hbac.recordings.quality import Status

Floats = npt.NDArray[np.float64]

THRESHOLD: Final = 0.5  # more likely than all else together
PREVALENCE: Final = ((0.9, "continuous"), (0.5, "abundant"), (0.1, "frequent"), (0.01, "occasional"), (0.0, "rare"))
DECIMALS: Final = 6
ROUNDING_S: Final = 1e-6  # of sums of times
ABSENT: Final = "none"
HOUR_S: Final = 3600.0
STATUS_RUN_S: Final = 600.0  # electrographic status epilepticus: a seizure of 10 min without a break,
STATUS_SHARE: Final = 0.2  # or seizures over 20 % of any 60 min
SEIZURE: Final = CLASSES.index("seizure")
ALL: Final = "all"
CSV_COLUMNS: Final = (
    "period", "onset", "duration", "analysed", "pattern", "threshold", "present", "share", "prevalence", "longest",
)  # fmt: skip


class Answers(Protocol):
    """What burden needs of a scan: windows in the order of time, none of which overlaps the next."""

    @property
    def onsets_s(self) -> npt.NDArray[np.floating[Any]]:
        """(n,) seconds from the start of the recording to the start of what each answer stands for."""

    @property
    def step_s(self) -> float:
        """How long that is."""

    @property
    def probabilities(self) -> npt.NDArray[np.floating[Any]]:
        """(n, 6) in the order of `hms.CLASSES`; NaN where there is no answer."""

    @property
    def statuses(self) -> Sequence[str]:
        """(n,) what each answer rests on, as `quality.Status` has it."""


@dataclass(frozen=True)
class Run:
    """Windows in a row that reach a pattern's threshold."""

    start_s: float
    stop_s: float
    peak: float  # highest probability in it

    @property
    def length_s(self) -> float:
        return self.stop_s - self.start_s


@dataclass(frozen=True)
class Period:
    """An hour of the recording, or all of it."""

    name: str  # "all", "hour 1", ...
    start_s: float
    stop_s: float
    analysed_s: float  # that have an answer, and no flat line
    present_s: tuple[float, ...]  # (6,) of these, how much reaches each pattern's threshold
    longest_s: tuple[float, ...]  # (6,) longest run of each, as far as it lies within

    def share(self, pattern: int) -> float | None:
        """Of the analysed time; None where nothing was analysed."""
        return round(self.present_s[pattern] / self.analysed_s, 9) if self.analysed_s else None

    def prevalence(self, pattern: int) -> str:
        """The ACNS' word for that share; "" where nothing was analysed."""
        share = self.share(pattern)
        return "" if share is None else prevalence(share)


@dataclass(frozen=True)
class Burden:
    """What a scan amounts to."""

    thresholds: tuple[float, ...]  # (6,)
    whole: Period
    hours: tuple[Period, ...]  # from the start of the recording; the last one may be short
    runs: tuple[tuple[Run, ...], ...]  # of each pattern, in the order of time
    worst_60_min: tuple[float, float]  # where the 60 min with most seizure start, and their seconds of seizure

    @cached_property
    def long_seizure(self) -> bool:
        """Whether windows of seizure follow each other for 10 min or more."""
        return self.whole.longest_s[SEIZURE] >= STATUS_RUN_S - ROUNDING_S

    @cached_property
    def frequent_seizures(self) -> bool:
        """Whether windows of seizure fill 20 % or more of any 60 min: 12 min of them."""
        return self.worst_60_min[1] >= STATUS_SHARE * HOUR_S - ROUNDING_S

    @property
    def status_epilepticus(self) -> bool:
        """Whether the windows of seizure meet the ACNS' rule of electrographic status epilepticus."""
        return self.long_seizure or self.frequent_seizures


def prevalence(share: float) -> str:
    """The ACNS' word for a share of time: rare below 1 %, occasional, frequent from 10 %, abundant from 50 %, continuous from 90 %."""
    if share <= 0:
        return ABSENT
    return next(word for least, word in PREVALENCE if share >= least)


def burden_table(
    scan: Answers, thresholds: Sequence[float] = (THRESHOLD,) * len(CLASSES), duration_s: float | None = None
) -> Burden:
    """Share of the analysed time that each pattern fills, by the hour and in all.

    Args:
        scan: its answers.
        thresholds: the six probabilities from which on a window counts as holding the pattern.
        duration_s: of the recording; the end of the last window if None.

    Raises:
        InputError: not six thresholds from 0 to 1, or windows that overlap or are out of order.
    """
    _check(scan, thresholds)
    onsets = np.asarray(scan.onsets_s, np.float64)
    last = float(onsets[-1] + scan.step_s) if len(onsets) else 0.0
    end = last if duration_s is None else duration_s
    stops = np.maximum(np.minimum(onsets + scan.step_s, end), onsets)
    analysed = is_analysed(scan)
    probabilities = as_written(scan)
    reached = (probabilities >= np.asarray(thresholds)) & analysed[:, None]  # (n, 6)
    runs = tuple(
        tuple(_runs(onsets, stops, reached[:, pattern], probabilities[:, pattern])) for pattern in range(len(CLASSES))
    )
    spent = [_Spent(onsets, stops, of) for of in (analysed, *reached.T)]
    borders = [*np.arange(0.0, end, HOUR_S).tolist(), end]
    hours = [
        _period(f"hour {number}", start, stop, spent, runs)
        for number, (start, stop) in enumerate(zip(borders[:-1], borders[1:]), 1)
    ]
    return Burden(
        tuple(map(float, thresholds)),
        _period(ALL, 0.0, end, spent, runs),
        tuple(hours),
        runs,
        spent[1 + SEIZURE].most(end),
    )


def as_written(scan: Answers) -> Floats:
    """(n, 6) probabilities with the decimals that `NAME_probabilities.csv` has: whoever counts there counts the same."""
    whole: Floats = np.asarray(scan.probabilities, np.float64)
    return whole.round(DECIMALS)


def is_analysed(scan: Answers) -> npt.NDArray[np.bool_]:
    """(n,) where there is an answer that counts: that to a flat line does not."""
    flat = np.array([str(status) == Status.FLAT.value for status in scan.statuses], bool)
    analysed: npt.NDArray[np.bool_] = np.isfinite(scan.probabilities).all(axis=1) & ~flat
    return analysed


def _check(scan: Answers, thresholds: Sequence[float]) -> None:
    if len(thresholds) != len(CLASSES) or not all(0 <= value <= 1 for value in thresholds):
        raise InputError(f"thresholds: expected six from 0 to 1, received {list(thresholds)}")
    if len(scan.onsets_s) > 1 and not (np.diff(scan.onsets_s) >= scan.step_s - ROUNDING_S).all():
        raise InputError(f"windows: expected onsets {scan.step_s:g} s apart or more, in order, received others")


class _Spent:
    """Seconds of some windows up to any moment: straight between their borders."""

    def __init__(self, starts: Floats, stops: Floats, chosen: npt.NDArray[np.bool_]):
        self._starts, self._stops = starts[chosen], stops[chosen]
        self._at = np.stack([self._starts, self._stops], axis=1).ravel()
        self._spent = np.cumsum(np.stack([np.zeros(len(self._starts)), self._stops - self._starts], axis=1).ravel())

    def between(self, start: float, stop: float) -> float:
        """Seconds of them from `start` to `stop`."""
        low, high = self._until(np.array([start, stop]))
        return float(high - low)

    def most(self, end: float, span_s: float = HOUR_S) -> tuple[float, float]:
        """Where the `span_s` that hold most of them start, and how many seconds these hold; (0, 0) if there are none.

        No span holds more than all of those that begin with a window; one that reaches beyond `end` is moved back.
        """
        if not len(self._at):
            return 0.0, 0.0
        starts = np.maximum(np.minimum(self._starts, end - span_s), 0.0)
        held = self._until(starts + span_s) - self._until(starts)
        best = int(np.argmax(held))
        return float(starts[best]), float(held[best])

    def _until(self, moments: Floats) -> Floats:
        return np.interp(moments, self._at, self._spent) if len(self._at) else np.zeros(len(moments))


def _runs(starts: Floats, stops: Floats, reached: npt.NDArray[np.bool_], probabilities: Any) -> Iterator[Run]:
    """Windows that follow each other without a hole and all reach the threshold."""
    at = np.flatnonzero(reached)
    breaks = np.flatnonzero(starts[at[1:]] - stops[at[:-1]] > ROUNDING_S) + 1
    for run in np.split(at, breaks):
        if len(run):
            yield Run(float(starts[run[0]]), float(stops[run[-1]]), float(np.max(probabilities[run])))


def _period(name: str, start: float, stop: float, spent: Sequence[_Spent], runs: Sequence[Sequence[Run]]) -> Period:
    analysed, *present = (of.between(start, stop) for of in spent)
    longest = [
        max((min(run.stop_s, stop) - max(run.start_s, start) for run in of_pattern), default=0.0) for of_pattern in runs
    ]
    return Period(name, start, stop, analysed, tuple(present), tuple(max(length, 0.0) for length in longest))


def burden_csv(burden: Burden) -> bytes:
    """`NAME_burden.csv`: a row for each period and pattern, first those of the whole recording.

    Times are in seconds. `share` is of the analysed time; it and `prevalence` are empty where nothing was analysed.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(CSV_COLUMNS)
    for period in (burden.whole, *burden.hours):
        for number, pattern in enumerate(CLASSES):
            share = period.share(number)
            table.writerow(
                (
                    period.name,
                    _rounded(period.start_s),
                    _rounded(period.stop_s - period.start_s),
                    _rounded(period.analysed_s),
                    pattern,
                    f"{burden.thresholds[number]:g}",
                    _rounded(period.present_s[number]),
                    "" if share is None else f"{share:.6f}",
                    period.prevalence(number),
                    _rounded(period.longest_s[number]),
                )
            )
    return text.getvalue().encode()


def _rounded(seconds: float) -> str:
    """Seconds to the millisecond, without zeros that say nothing."""
    return f"{round(seconds, 3):.3f}".rstrip("0").rstrip(".")
