"""A recording to answers: six probabilities for every step of it, and what each of them rests on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import tee
from typing import Final

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.ensemble.calibrated import Ensemble
from hbac.errors import InputError
from hbac.recordings.answers import Images, in_order
from hbac.recordings.kept import KeptRecording
from hbac.recordings.quality import Status, Step, statuses, steps_of
from hbac.recordings.recording import Recording
from hbac.recordings.windows import inputs
from hbac.streams import progress_bar

Floats = npt.NDArray[np.float64]

STEP_S: Final = 10  # the length of the moment that a label of the competition is about
LONGEST_STEP_S: Final = 50  # of a window: with longer steps nobody would have seen some of the recording
TOGETHER_S: Final = 300  # steps whose windows are looked at together


@dataclass(frozen=True)
class Scan:
    """The answers to one recording."""

    name: str
    start: datetime | None  # of the recording, without a time zone
    duration_s: float
    step_s: int
    onsets_s: Floats  # (n,) seconds from the recording's start: step after step, none left out
    durations_s: Floats  # (n,) `step_s`, but for the last one, which ends with the recording
    probabilities: Floats  # (n, 6) in the order of `hms.CLASSES`; NaN where there is no answer
    statuses: tuple[Status, ...]  # (n,)
    notes: tuple[str, ...] = ()  # of the recording: what is missing or was assumed

    @property
    def answered(self) -> npt.NDArray[np.bool_]:
        """(n,) where there is an answer."""
        answered: npt.NDArray[np.bool_] = np.isfinite(self.probabilities).all(axis=1)
        return answered

    def count(self, status: Status) -> int:
        """Steps of this status."""
        return self.statuses.count(status)


def scan(recording: Recording, ensemble: Ensemble, step_s: int = STEP_S, progress: bool = False) -> Scan:
    """Answer every step of a recording by the image that `predict` would make of the 50 s around it.

    Memory does not grow with the recording. Where less than half of a step was recorded there is no answer.

    Args:
        recording: of any length.
        ensemble: the folds.
        step_s: seconds that each answer stands for, 1 to 50.
        progress: show a bar.

    Raises:
        InputError: a step that is none, a recording without a sample, a preset that needs what the recording has not.
        RecordError: the recording can no longer be read.
    """
    check_step(step_s)
    if recording.samples < 1:
        raise InputError(f"{recording.name}: expected a recording, received one without a sample")
    steps = steps_of(recording.samples, step_s)
    found: list[Status] = []
    probabilities = np.full((len(steps), len(hms.CLASSES)), np.nan)
    with progress_bar(len(steps), 0, "step", recording.name, progress) as bar:
        images = _images(KeptRecording(recording), ensemble, steps, step_s, found)
        for number, row in enumerate(in_order(images, ensemble)):
            if row is not None:
                probabilities[number] = row
            bar.update()
    return Scan(
        name=recording.name,
        start=recording.start,
        duration_s=recording.duration_s,
        step_s=step_s,
        onsets_s=np.array([step.onset for step in steps]) / hms.EEG_RATE_HZ,
        durations_s=np.array([step.stop - step.onset for step in steps]) / hms.EEG_RATE_HZ,
        probabilities=probabilities,
        statuses=tuple(found),
        notes=recording.notes,
    )


def check_step(step_s: int) -> None:
    """Raises InputError where `scan` would."""
    if step_s != int(step_s) or not 1 <= step_s <= LONGEST_STEP_S:
        raise InputError(f"step: expected a whole number of seconds, 1 to {LONGEST_STEP_S}, received {step_s}")


def _images(
    recording: Recording, ensemble: Ensemble, steps: list[Step], step_s: int, found: list[Status]
) -> Iterator[Images | None]:
    """The inputs for each step, None for one without an answer; statuses are appended to `found` as they become known."""

    def starts() -> Iterator[int]:
        together = max(1, TOGETHER_S // step_s)
        for first in range(0, len(steps), together):
            some = steps[first : first + together]
            found.extend(statuses(recording, some))
            yield from (step.start for step, status in zip(some, found[first:]) if status is not Status.GAP)

    presets = ensemble.manifest.presets()
    made = zip(*(inputs(recording, *one) for one in zip(presets, tee(starts(), len(presets)))))
    number = 0
    for of_presets in made:
        while steps[number].start != of_presets[0].start:
            yield None
            number += 1
        yield {preset.preset: one.values for preset, one in zip(presets, of_presets)}
        number += 1
    yield from (None for _ in steps[number:])
