"""The time budget: what is dropped, in which order, and that the promise is kept on a clock of our own."""

import pytest

from hbac.durations import parse_duration
from hbac.errors import InputError
from hbac.inference.budget import Budget, Effort, Part


class Clock:
    """A clock that moves when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


FULL = Effort(5, True)


def run(limit_s: float | None, records: int, pass_s: float) -> tuple[float, list[Effort]]:
    """Answer records one after the other, each pass taking `pass_s`: when it ended, and what each record got."""
    clock = Clock()
    budget = Budget(limit_s, FULL, 0.0, clock)
    clock.now = 3.0  # loading
    budget.begin()
    plans = []
    for remaining in range(records, 0, -1):
        plan = budget.effort(remaining)
        clock.now += plan.passes * pass_s
        budget.done(plan.passes)
        plans.append(plan)
    return clock.now, plans


def test_without_a_limit_every_record_gets_everything() -> None:
    assert set(run(None, 50, 1.0)[1]) == {Effort(5, True)}


def test_with_time_enough_every_record_gets_everything() -> None:
    assert set(run(10_000, 50, 1.0)[1]) == {Effort(5, True)}


def test_flips_go_before_folds() -> None:
    plans = run(400, 50, 1.0)[1]
    assert set(plans) <= {Effort(5, True), *(Effort(folds, False) for folds in range(1, 6))}
    assert Effort(5, False) in plans


@pytest.mark.parametrize("limit_s", [30, 60, 100, 200, 300, 450, 600])
@pytest.mark.parametrize("pass_s", [0.1, 1.0, 3.0])
def test_the_run_ends_in_time(limit_s: float, pass_s: float) -> None:
    end, plans = run(limit_s, 100, pass_s)
    assert len(plans) == 100
    assert end <= limit_s + 10 * pass_s  # one record may be on its way


def test_a_slow_disk_takes_no_folds() -> None:
    """Reading takes 5 s a record and a pass 0.1 s: with fewer passes no record more would be answered."""
    clock = Clock()
    budget = Budget(200, FULL, 0.0, clock)
    budget.begin()
    plans = []
    for remaining in range(100, 65, -1):
        clock.now += 5.0
        budget.idle(5.0)
        plans.append(budget.effort(remaining))
        clock.now += plans[-1].passes * 0.1
        budget.done(plans[-1].passes)
    assert set(plans[:30]) == {FULL}


@pytest.mark.parametrize(("ready_s", "end_s"), [(0, 93), (4, 92), (40, 83), (1000, 50)])
def test_a_slow_start_leaves_more_for_the_end(ready_s: float, end_s: float) -> None:
    clock = Clock()
    budget = Budget(100, FULL, 0.0, clock)
    clock.now = ready_s
    budget.begin()
    clock.now = 0
    assert budget.left_s() == end_s


def plans_with_a_pause(limit_s: float) -> tuple[list[Effort], float]:
    """What 50 records get, each of 5 s if it is whole, where a pause takes 130 s behind the fifth; and the end."""
    clock, pauses = Clock(), Clock()
    budget = Budget(limit_s, FULL, 0.0, clock, pauses)
    budget.begin()
    plans = []
    for remaining in range(50, 0, -1):
        if remaining == 45:
            clock.now, pauses.now = clock.now + 130.0, 130.0
        plans.append(budget.effort(remaining))
        clock.now += plans[-1].passes * 0.5
        budget.done(plans[-1].passes)
    return plans, clock.now


def test_a_pause_makes_no_record_look_slower() -> None:
    plans, _ = plans_with_a_pause(500)  # what is left does for all
    assert set(plans) == {FULL}


def test_what_a_pause_leaves_is_shared_out_anew() -> None:
    plans, end = plans_with_a_pause(300)
    assert plans[:5] == [FULL] * 5
    assert min(plan.folds for plan in plans) >= 3
    assert end <= 300


def test_when_there_is_no_time_at_all_the_prior_answers() -> None:
    assert run(60, 1000, 5.0)[1][-1] == Effort(0, False)


def test_time_that_is_left_is_used() -> None:
    end, _ = run(400, 50, 1.0)
    assert end > 0.8 * 400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h30m", 30600), ("90m", 5400), ("600", 600), ("45s", 45), ("1h", 3600), ("1h1m1.5s", 3661.5)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "8:30", "-5", "0", "0m", "8 h", "ten", "1e3", "30m8h", "nan", "inf"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="8h30m"):
        parse_duration(text)


CHEAP_AND_DEAR = (Part(weight=0.5), Part(weight=0.5, flips=False))


def run_mixed(
    limit_s: float, records: int, pass_s: tuple[float, float], parts: tuple[Part, Part] = CHEAP_AND_DEAR
) -> tuple[float, list[Effort]]:
    """As `run`, of two members with two folds each, a pass of which takes `pass_s`; two records are under way at once."""
    clock = Clock()
    budget = Budget(limit_s, MIXED, 0.0, clock, parts=parts)
    budget.begin()
    plans = []
    for remaining in range(records, 0, -2):
        plan = budget.effort(remaining)
        passes = [part.passes(folds, plan.flip) for part, folds in zip(parts, plan.of_members)]
        seconds = [count * one for count, one in zip(passes, pass_s)]
        clock.now += sum(seconds)
        for _ in range(2):
            budget.done(passes, 1, seconds)
        plans.append(plan)
    return clock.now, plans


MIXED = Effort(4, True, (2, 2))


def test_with_time_enough_every_member_takes_part() -> None:
    assert set(run_mixed(10_000, 50, (1.0, 2.0))[1]) == {MIXED}


def test_flips_go_first_and_then_the_member_that_is_dearest_for_its_weight() -> None:
    """Two records take 8 s, 6 s without flips, 4 s with one fold of the dear member, 3 s with one of each, then 1 s."""
    early = [run_mixed(limit_s, 50, (1.0, 2.0))[1][3].members for limit_s in (220, 190, 140, 90, 30)]
    assert early == [(2, 2), (2, 2), (2, 1), (1, 1), (1, 0)]
    plans = {plan for limit_s in range(40, 220, 10) for plan in run_mixed(limit_s, 50, (1.0, 2.0))[1]}
    assert {plan.members for plan in plans if plan.flip} == {(2, 2)}
    assert Effort(4, False, (2, 2)) in plans


def test_a_member_that_weighs_more_stays_though_it_is_dearer() -> None:
    parts = (Part(weight=0.1), Part(weight=0.9))
    early = [run_mixed(limit_s, 50, (1.0, 2.0), parts)[1][3].members for limit_s in (145, 120, 60)]
    assert early == [(1, 2), (0, 2), (0, 1)]


@pytest.mark.parametrize("limit_s", [30, 60, 100, 150, 200])
def test_a_mixed_run_ends_in_time(limit_s: float) -> None:
    end, plans = run_mixed(limit_s, 50, (0.5, 3.0))
    assert len(plans) == 25
    assert end <= limit_s
