"""What the sections of a recording's page are made from."""

from collections.abc import Sequence
from dataclasses import dataclass

from hbac.hms import CLASSES
from hbac.recordings.axis import Clock
from hbac.recordings.burden import THRESHOLD, Answers, Burden
from hbac.recordings.moments import Moment
from hbac.recordings.recording import Recording


@dataclass(frozen=True)
class PageSettings:
    """What a page shows.

    Attributes:
        thresholds: the six probabilities from which on a window counts as holding the pattern.
        moments: with their EEG, at most, of each pattern.
        apart_s: least distance between two of the same pattern.
    """

    thresholds: tuple[float, ...] = (THRESHOLD,) * len(CLASSES)
    moments: int = 3
    apart_s: float = 120.0


@dataclass(frozen=True)
class Shown:
    """What the sections of the page are made from."""

    recording: Recording
    scan: Answers
    burden: Burden
    clock: Clock
    moments: Sequence[Moment]
    settings: PageSettings
    manifest_title: str
    notes: Sequence[str]
