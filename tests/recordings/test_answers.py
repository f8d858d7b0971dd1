"""Answers come in the order of the inputs, each once, and no more inputs are held than keep the streams busy."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers_recordings import answer_of

import hbac
from hbac.preprocessing.load import image_of_eeg
from hbac.preprocessing.montage import bipolar
from hbac.preprocessing.presets import PRESETS
from hbac.recordings import answers
from hbac.recordings.answers import answers_for_windows, in_order
from hbac.records.record import EegFile


def images(count: int) -> list[dict[str, np.ndarray]]:  # type: ignore[type-arg]
    return [{"x": np.full((2, 2, 3), number, np.float32)} for number in range(count)]


def share(row: np.ndarray | None) -> float | None:  # type: ignore[type-arg]
    return None if row is None else 1 / (1 - row[0]) - 1


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 60])
def test_every_input_has_its_answer_in_its_place(fake: Any, batch_size: int, count: int) -> None:
    mixed: list[Any] = [None, *images(count), None, None]
    found = [share(row) for row in in_order(iter(mixed), fake(batch_size))]
    assert found[0] is None
    assert found[count + 1 :] == [None, None]
    np.testing.assert_allclose([one for one in found if one is not None], range(count), atol=1e-9)


def test_batches_are_full_but_for_the_last(fake: Any) -> None:
    ensemble = fake(4)
    list(in_order(iter(images(10)), ensemble))
    assert sorted(ensemble.calls) == [2, 4, 4]


def test_inputs_are_taken_as_answers_are(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "AHEAD", 5)
    taken = 0

    def counted() -> Iterator[Any]:
        nonlocal taken
        for image in images(1000):
            taken += 1
            yield image

    rows = in_order(counted(), fake())
    for number in range(100):
        next(rows)
        assert taken <= number + 1 + 6
    rows.close()  # type: ignore[attr-defined]


def test_both_streams_compute_while_inputs_are_made(fake: Any) -> None:
    """Each of two calls waits for the other one: with one stream they would never meet."""
    meeting = threading.Barrier(2, timeout=60)
    ensemble = fake()
    ensemble.predict = lambda batch: (meeting.wait(), np.zeros((len(batch["x"]), 6)))[1]
    assert len(list(in_order(iter(images(6)), ensemble))) == 6


def test_an_error_of_the_network_or_of_an_input_is_raised(fake: Any) -> None:
    ensemble = fake()
    ensemble.predict = lambda batch: 1 / 0
    with pytest.raises(ZeroDivisionError):
        list(in_order(iter(images(3)), ensemble))
    with pytest.raises(KeyError):
        list(in_order((image if number < 2 else {}["no"] for number, image in enumerate(images(3))), fake()))


def test_windows_have_the_answers_of_predict_to_an_eeg_alone(eeg: np.ndarray, fake: Any) -> None:  # type: ignore[type-arg]
    windows = [eeg[:10_000], eeg[30_000:40_001], eeg[:4000]]
    expected = [answer_of(image_of_eeg(EegFile(uv), None, PRESETS["three-zooms-v2"])) for uv in windows]
    np.testing.assert_allclose(list(answers_for_windows(iter(windows), fake())), expected, atol=1e-5)
    of_pairs = answers_for_windows([np.ascontiguousarray(bipolar(uv).T) for uv in windows[:1]], fake())
    np.testing.assert_allclose(list(of_pairs), expected[:1], atol=1e-4)


@pytest.mark.parametrize(
    "window, message",
    [(np.zeros((10_000, 20)), "received .10000, 20."), (np.full((400, 19), np.nan), "received nothing finite")],
)
def test_a_window_that_is_none_is_refused(fake: Any, window: np.ndarray, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(hbac.InputError, match=message):
        list(answers_for_windows([window], fake()))
