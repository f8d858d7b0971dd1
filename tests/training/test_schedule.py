"""The time budget of a training run."""

from hbac.training.schedule import EpochBudget


def test_the_time_budget_expects_longer_epochs_of_larger_images() -> None:
    budget = EpochBudget(100.0, lambda: 7.0)
    assert budget.left_s() == 100
    assert budget.has_another(1000)  # nothing is known yet
    budget.took(10.0, 100)
    assert budget.has_another(800)
    assert not budget.has_another(850)  # 102 s with a fifth to spare


def test_without_a_limit_there_is_always_another_epoch() -> None:
    budget = EpochBudget(None)
    budget.took(1e9, 1)
    assert budget.has_another(1e9)
    assert budget.left_s() == float("inf")


def test_after_its_end_a_budget_has_a_second_left_and_no_epoch() -> None:
    """What is asked for the seconds that are left, a process's time limit say, takes no 0."""
    now = [7.0]
    budget = EpochBudget(10.0, lambda: now[0])
    now[0] = 20.0
    assert budget.left_s() == 1
    assert not budget.has_another(0)
