"""Statuses: each by its rule, and none that claims more than was recorded."""

import numpy as np
import pytest

from hbac.preprocessing.montage import bipolar
from hbac.recordings.quality import Status, Step, statuses, steps_of
from hbac.recordings.recording import ArrayRecording

S = 200


def noise(seconds: float, height_uv: float = 20.0) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(0).normal(0, height_uv, (round(seconds * S), 19)).astype(np.float32)


def told(uv: np.ndarray, step_s: int = 10) -> list[str]:  # type: ignore[type-arg]
    return [str(status) for status in statuses(ArrayRecording(uv), steps_of(len(uv), step_s))]


def test_windows_that_reach_beyond_the_ends_are_partly_missing() -> None:
    assert told(noise(80)) == ["partly missing"] * 2 + ["ok"] * 4 + ["partly missing"] * 2


@pytest.mark.parametrize("seconds, status", [(4.99, "partly missing"), (5.0, "partly missing"), (5.01, "gap")])
def test_a_step_of_which_less_than_half_is_there_is_a_gap(seconds: float, status: str) -> None:
    uv = noise(80)
    uv[40 * S : 40 * S + round(seconds * S)] = np.nan
    assert told(uv)[4] == status
    assert set(told(uv)[:4]) == {"partly missing"}


def test_a_missing_electrode_is_partly_missing_and_one_of_the_midline_is_nothing() -> None:
    uv = noise(80)
    uv[:, 9] = np.nan  # Cz, which no pair has
    assert told(uv)[4] == "ok"
    uv[:, 5] = np.nan
    assert told(uv)[4] == "partly missing"


def test_a_flat_line_is_flat_whatever_its_level_and_a_quiet_brain_is_not() -> None:
    uv = noise(80)
    uv[40 * S : 50 * S] = 300
    uv[50 * S : 60 * S] = noise(10, 1.0)
    assert told(uv)[3:6] == ["ok", "flat", "partly missing"][:2] + ["ok"]


def test_a_flat_line_with_one_humming_electrode_is_flat() -> None:
    uv = noise(80)
    uv[40 * S : 50 * S, 1:] = 0
    assert told(uv)[4] == "flat"
    uv[40 * S : 50 * S, :8] = noise(10)[:, :8]
    assert told(uv)[4] == "ok"


def test_pairs_have_the_statuses_of_their_electrodes() -> None:
    uv = noise(80)
    uv[40 * S : 50 * S] = 0
    uv[20 * S : 30 * S] = np.nan
    assert told(np.ascontiguousarray(bipolar(uv).T)) == told(uv)


@pytest.mark.parametrize(
    "length_s, step_s, count, last", [(25, 10, 3, 1000), (20, 10, 2, 2000), (0.5, 10, 1, 100), (7, 3, 3, 200)]
)
def test_steps_follow_each_other_to_the_end(length_s: float, step_s: int, count: int, last: int) -> None:
    steps = steps_of(round(length_s * S), step_s)
    assert len(steps) == count
    assert [step.onset for step in steps] == [number * step_s * S for number in range(count)]
    assert steps[-1].stop - steps[-1].onset == last
    assert {step.start + 5000 - step.onset for step in steps} == {step_s * S // 2}


def test_a_last_step_of_a_moment_is_looked_at_as_far_as_it_reaches() -> None:
    assert told(noise(60.005))[-1] == "partly missing"
    assert statuses(ArrayRecording(noise(50)), [Step(0, 10_000, 0)]) == [Status.OK]


def test_a_flat_recording_is_flat_to_its_last_moment() -> None:
    recording = ArrayRecording(np.zeros((20_100, 19), np.float32))
    assert set(statuses(recording, steps_of(20_100, 10))) == {Status.FLAT}
