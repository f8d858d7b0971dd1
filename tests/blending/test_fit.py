"""Weights and means: the smallest KL of all, beside a search over a grid, and gradients beside SciPy's."""

import itertools

import numpy as np
import pytest
from helpers_experts import expert, guesser, rows_of, shares_of, truth, with_shares
from scipy.optimize import check_grad
from scipy.special import log_softmax, rel_entr

from hbac.blending.fit import arithmetic_loss, best_blend, geometric_loss, smallest
from hbac.blending.runs import SharedRows

TABLE = truth(30)
ROWS = rows_of(expert(TABLE, 1.0, 1), expert(TABLE, 1.5, 2), guesser(TABLE, 3))
LOSSES = {"arithmetic": arithmetic_loss, "geometric": geometric_loss}
STEP = 0.02


def kl_by_scipy(weights: np.ndarray, mean: str, rows: SharedRows) -> float:
    """KL of a blend, written down anew."""
    if mean == "arithmetic":
        mixed = np.einsum("m,mnc->nc", weights, rows.predictions)
    else:
        mixed = np.exp(log_softmax(np.einsum("m,mnc->nc", weights, np.log(rows.predictions)), axis=1))
    return float(np.average(rel_entr(rows.votes, mixed).sum(axis=1), weights=rows.weights))


GRID = [np.array([a, b, 1 - a - b]) for a, b in itertools.product(np.arange(0, 1 + STEP, STEP), repeat=2) if a + b <= 1]


@pytest.mark.parametrize("mean", LOSSES)
def test_no_weights_of_a_grid_are_better_and_the_best_of_them_are_near(mean: str) -> None:
    found = smallest(LOSSES[mean](ROWS.predictions, ROWS), 3)
    kls = [kl_by_scipy(weights, mean, ROWS) for weights in GRID]
    assert found.sum() == pytest.approx(1)
    assert found.min() >= 0
    assert kl_by_scipy(found, mean, ROWS) <= min(kls) + 1e-7
    np.testing.assert_allclose(found, GRID[int(np.argmin(kls))], atol=1.5 * STEP)


@pytest.mark.parametrize("mean", LOSSES)
def test_no_weight_can_be_shifted_from_one_run_to_another_for_a_smaller_kl(mean: str) -> None:
    """At the optimum every run that counts has the same gradient, and no other has a smaller one (Kuhn and Tucker)."""
    found = smallest(LOSSES[mean](ROWS.predictions, ROWS), 3)
    gradient = LOSSES[mean](ROWS.predictions, ROWS)(found)[1]
    taking_part = found > 0
    assert np.ptp(gradient[taking_part]) < 1e-4
    assert (gradient >= gradient[taking_part].min() - 1e-4).all()


@pytest.mark.parametrize("mean", LOSSES)
def test_gradients_are_those_of_small_steps(mean: str) -> None:
    loss = LOSSES[mean](ROWS.predictions, ROWS)
    for weights in ([0.2, 0.3, 0.5], [0.9, 0.05, 0.05]):
        assert check_grad(lambda a: loss(a)[0], lambda a: loss(a)[1], np.array(weights)) < 1e-5


@pytest.mark.parametrize("mean", LOSSES)
def test_votes_that_are_a_mean_of_predictions_give_its_very_weights_and_kind(mean: str) -> None:
    one, other = guesser(TABLE, 5), guesser(TABLE, 6)
    a, b = shares_of(one, "predicted"), shares_of(other, "predicted")
    mixed = 0.3 * a + 0.7 * b if mean == "arithmetic" else a**0.3 * b**0.7
    voted = with_shares(TABLE, "voted", mixed / mixed.sum(axis=1, keepdims=True))
    rows = rows_of(*(with_shares(voted, "predicted", shares) for shares in (a, b)))
    blend = best_blend(rows, (0, 1))
    np.testing.assert_allclose(blend.weights, [0.3, 0.7], atol=1e-3)
    assert blend.mean == mean
    assert blend.kl(rows).max() < 1e-5


@pytest.mark.parametrize("runs", [(0,), (0, 1), (0, 1, 2)])
def test_answers_are_what_scipy_makes_of_weights_and_runs_that_are_not_asked_for_count_nothing(
    runs: tuple[int, ...],
) -> None:
    blend = best_blend(ROWS, runs)
    assert {number for number, weight in enumerate(blend.weights) if weight > 0} <= set(runs)
    expected = kl_by_scipy(np.array(blend.weights), blend.mean, ROWS)
    assert np.average(blend.kl(ROWS), weights=ROWS.weights) == pytest.approx(expected, abs=1e-9)


def test_a_run_that_is_certain_and_wrong_leaves_finite_numbers() -> None:
    certain = TABLE.assign(**{f"predicted_{name}": float(name == "gpd") for name in ("seizure", "lpd", "gpd", "lrda", "grda", "other")})  # fmt: skip
    blend = best_blend(rows_of(certain, expert(TABLE, 1.0, 1)), (0, 1))
    assert np.isfinite(blend.weights).all()
    assert blend.weights[1] > 0.9
