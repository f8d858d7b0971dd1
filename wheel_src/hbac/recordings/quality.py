"""What of a window is there: whether its answer rests on all of it, on a part, on a flat line, or on nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from hbac.hms import EEG_RATE_HZ, EEG_WINDOW
from hbac.preprocessing.montage import bipolar
from hbac.recordings.recording import Recording, Values

UNIT: Final = EEG_RATE_HZ // 2  # samples: windows begin on half seconds where steps are odd
LEAST_PRESENT: Final = 0.5  # share of a step that some pair must have; with less there is no answer
FLAT_UV: Final = 1.0  # peak to peak of a pair over a step: below all EEG, above the steps of a 16-bit file
FLAT_PAIRS: Final = 0.75  # share of the pairs that are there which must be flat


class Status(str, Enum):
    """What the answer for a step rests on."""

    OK = "ok"  # the window is whole and of the recording
    PARTLY = "partly missing"  # some of the window lies in a gap, in a missing channel or outside the recording
    FLAT = "flat"  # at least three of four pairs stay within 1 uV over the step
    GAP = "gap"  # less than half of the step was recorded: no answer

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Step:
    """What an answer stands for: a stretch of the recording, in the middle of its window."""

    onset: int  # sample
    stop: int
    start: int  # of the window, which may reach outside the recording


def steps_of(samples: int, step_s: int) -> list[Step]:
    """The steps of a recording, one after the other; the last one may be shorter."""
    step = step_s * EEG_RATE_HZ
    return [
        Step(onset, min(onset + step, samples), onset + (step - EEG_WINDOW) // 2) for onset in range(0, samples, step)
    ]


def statuses(recording: Recording, steps: Sequence[Step]) -> list[Status]:
    """The status of each of some neighbouring steps; all are read at once."""
    first = steps[0].start
    uv = recording.block(first, max(steps[-1].start + EEG_WINDOW, steps[-1].stop))
    facts = _Facts(uv, recording.electrodes)
    return [_status(facts, step, first) for step in steps]


def _status(facts: "_Facts", step: Step, first: int) -> Status:
    here = slice((step.onset - first) // UNIT, -((first - step.stop) // UNIT))
    length = step.stop - step.onset
    if facts.any_there[here].sum() < LEAST_PRESENT * length:
        return Status.GAP
    if length < EEG_RATE_HZ:  # the last one, too short to see anything move: with what is before it
        here, length = slice(max(0, here.stop - EEG_RATE_HZ // UNIT), here.stop), EEG_RATE_HZ
    there = facts.there[here].sum(axis=0) >= LEAST_PRESENT * length  # (16,)
    spread = np.fmax.reduce(facts.high[here]) - np.fmin.reduce(facts.low[here])  # (16,)
    if there.any() and (spread[there] < FLAT_UV).mean() >= FLAT_PAIRS:
        return Status.FLAT
    window = slice((step.start - first) // UNIT, (step.start - first + EEG_WINDOW) // UNIT)
    return Status.OK if (facts.there[window] == UNIT).all() else Status.PARTLY


class _Facts:
    """Of each half second of a block: samples that each pair has, that any has, and each pair's lowest and highest."""

    def __init__(self, uv: Values, electrodes: bool):
        pairs = bipolar(uv) if electrodes else np.ascontiguousarray(uv.T)  # (16, samples)
        units = -(-pairs.shape[1] // UNIT)
        rest = units * UNIT - pairs.shape[1]
        if rest:
            pairs = np.pad(pairs, ((0, 0), (0, rest)), constant_values=np.nan)
        by_unit: npt.NDArray[np.float32] = pairs.reshape(len(pairs), units, UNIT)
        finite = np.isfinite(by_unit)
        self.there = finite.sum(axis=2).T  # (units, 16)
        self.any_there = finite.any(axis=0).sum(axis=1)  # (units,)
        self.low, self.high = np.fmin.reduce(by_unit, axis=2).T, np.fmax.reduce(by_unit, axis=2).T
