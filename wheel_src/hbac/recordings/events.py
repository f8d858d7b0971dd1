"""Probabilities to events: from when to when a pattern is there, by thresholds, and how seizures are counted.

Seizures are told as they are counted: what is less than 90 s apart is one, and what lasts longer than 5 min is several,
as the event scoring of SzCORE has it (Dan et al. 2024, https://doi.org/10.1111/epi.18113).
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from hbac.errors import InputError
from hbac.hms import CLASSES
from hbac.recordings.quality import Status
from hbac.recordings.scan import Scan

SEIZURE: Final = CLASSES[0]
PATTERNS: Final = CLASSES[:-1]  # "other" is no event
ROUNDING_S: Final = 1e-6


@dataclass(frozen=True)
class Rules:
    """How probabilities become events. The defaults were chosen on simulated recordings (`tests/bench/scan.py`)."""

    threshold: float = 0.4  # that a step reaches where an event is
    keep: float = 0.2  # that an event's other steps reach, on both sides of one that reaches the threshold
    shortest_s: float = 10.0  # of an event
    merge_s: float = 90.0  # seizures less than that apart are one
    split_s: float = 300.0  # longest seizure; what lasts longer is several, one after the other

    def check(self) -> None:
        """Raises InputError where a value is none that can be meant."""
        for field in fields(self):
            value, most = getattr(self, field.name), 1.0 if field.name in ("threshold", "keep") else float("inf")
            if not 0 <= value <= most:
                raise InputError(f"{field.name}: expected 0 to {most:g}, received {value:g}")
        if self.keep > self.threshold:
            raise InputError(f"keep: expected the threshold {self.threshold:g} at most, received {self.keep:g}")
        if self.split_s <= 0:
            raise InputError("split_s: expected more than 0, received 0")


RULES: Final = Rules()


@dataclass(frozen=True)
class Event:
    """One pattern from when to when."""

    onset_s: float
    duration_s: float
    kind: str  # one of `hms.CLASSES`
    confidence: float  # highest probability of its steps

    @property
    def stop_s(self) -> float:
        return self.onset_s + self.duration_s


def events_of(scan: Scan, rules: Rules = RULES) -> list[Event]:
    """Events of the five patterns by onset. Steps without an answer and flat ones belong to none.

    Raises:
        InputError: rules that cannot be meant.
    """
    rules.check()
    found = [event for kind in PATTERNS for event in _events(scan, kind, rules)]
    return sorted(found, key=lambda event: (event.onset_s, CLASSES.index(event.kind)))


def seizures_of(scan: Scan, rules: Rules = RULES) -> list[Event]:
    """Those of `events_of` that are seizures."""
    rules.check()
    return _events(scan, SEIZURE, rules)


def _events(scan: Scan, kind: str, rules: Rules) -> list[Event]:
    usable = scan.answered & np.array([status is not Status.FLAT for status in scan.statuses], bool)
    shares = np.where(usable, scan.probabilities[:, CLASSES.index(kind)], -1.0)
    events = [_event(scan, shares, start, stop, kind) for start, stop in _runs(shares, rules)]
    events = [event for event in events if event.duration_s >= rules.shortest_s - ROUNDING_S]
    if kind == SEIZURE:
        events = [part for event in _merged(events, scan, usable, rules.merge_s) for part in _split(event, rules)]
    return events


def _runs(shares: npt.NDArray[np.float64], rules: Rules) -> list[tuple[int, int]]:
    """Runs of steps that reach `keep`, one of which reaches `threshold`."""
    kept = np.concatenate([[False], shares >= rules.keep, [False]])
    changes = np.flatnonzero(np.diff(kept)).tolist()
    runs = zip(changes[::2], changes[1::2])
    return [(start, stop) for start, stop in runs if shares[start:stop].max() >= rules.threshold]


def _event(scan: Scan, shares: npt.NDArray[np.float64], start: int, stop: int, kind: str) -> Event:
    onset = float(scan.onsets_s[start])
    end = float(scan.onsets_s[stop - 1] + scan.durations_s[stop - 1])
    return Event(onset, end - onset, kind, float(shares[start:stop].max()))


def _merged(events: list[Event], scan: Scan, usable: npt.NDArray[np.bool_], merge_s: float) -> list[Event]:
    """Events that are less than `merge_s` apart as one, unless some of what lies between was not seen."""
    merged: list[Event] = []
    for event in events:
        last = merged[-1] if merged else None
        if last and event.onset_s - last.stop_s < merge_s - ROUNDING_S and _was_seen(scan, usable, last, event):
            merged[-1] = Event(
                last.onset_s, event.stop_s - last.onset_s, event.kind, max(last.confidence, event.confidence)
            )
        else:
            merged.append(event)
    return merged


def _was_seen(scan: Scan, usable: npt.NDArray[np.bool_], one: Event, other: Event) -> bool:
    between = (scan.onsets_s >= one.stop_s - ROUNDING_S) & (scan.onsets_s < other.onset_s - ROUNDING_S)
    return bool(usable[between].all())


def _split(event: Event, rules: Rules) -> list[Event]:
    """Parts of `split_s`, and what is left."""
    parts, onset = [], event.onset_s
    while event.stop_s - onset > rules.split_s + ROUNDING_S:
        parts.append(Event(onset, rules.split_s, event.kind, event.confidence))
        onset += rules.split_s
    return [*parts, Event(onset, event.stop_s - onset, event.kind, event.confidence)]
