"""Answers: what is whole, what another run could better, and that none is missing when time ends."""

import queue
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hbac.inference.answers import Answer, answers
from hbac.inference.budget import Budget, Effort
from hbac.preprocessing.load import OUT_OF_TIME, Loaded, Status
from hbac.records.record import Record

FULL = Effort(3, True)


def answer(status: Status, folds: int = 3, flipped: bool = True) -> Answer:
    return Answer(1, (1.0, 0, 0, 0, 0, 0), status, folds=folds, flipped=flipped)


@pytest.mark.parametrize("status", Status)
def test_whole_is_what_both_whole_files_and_the_whole_ensemble_gave(status: Status) -> None:
    assert answer(status).is_whole(FULL) == (status == Status.OK)
    assert answer(status).is_final(FULL) == (status in (Status.OK, Status.INCOMPLETE, Status.SUSPECT))
    for fewer in (answer(status, folds=2), answer(status, flipped=False)):
        assert not fewer.is_whole(FULL)
        assert not fewer.is_final(FULL)


class Readers:
    """Hands out what is ready, and then nothing."""

    def __init__(self, ready: list[Loaded], clock: list[float]):
        self.ready, self.clock = ready, clock

    def get(self, timeout_s: float | None = None) -> Loaded:
        if not self.ready:
            self.clock[0] = 1e6  # what comes later comes too late
            raise queue.Empty
        return self.ready.pop(0)


def predicted(member: int, images: np.ndarray[Any, Any], *_: object) -> np.ndarray[Any, Any]:
    return np.tile(np.array([1.0, 0, 0, 0, 0, 0]), (len(images), 1))


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_every_id_is_answered_once_though_time_ends_in_the_middle_of_a_batch(batch_size: int) -> None:
    clock = [0.0]
    image = np.zeros((2, 2, 3), np.float32)
    ready = [Loaded(Record(i, None, None, Path("x"), None), {"p": image}, Status.OK) for i in (5, 6, 7)]
    member = SimpleNamespace(preprocessing=SimpleNamespace(preset="p"), weight=1.0)
    ensemble: Any = SimpleNamespace(
        engine=SimpleNamespace(streams=1, batch_size=batch_size),
        manifest=SimpleNamespace(class_prior=(0.0, 0, 0, 0, 0, 2.0), members=[member], mean="arithmetic"),
        answer_of=predicted,
    )
    readers: Any = Readers(ready, clock)
    received = list(answers(readers, [5, 6, 7, 8, 9], ensemble, Budget(100.0, Effort(1, False), 0.0, lambda: clock[0])))
    assert sorted(one.eeg_id for one in received) == [5, 6, 7, 8, 9]
    late = [one for one in received if one.status == OUT_OF_TIME]
    assert len(late) == 2 + 3 % batch_size
    assert {one.probabilities for one in late} == {(0.0, 0.0, 0.0, 0.0, 0.0, 1.0)}
