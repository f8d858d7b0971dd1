"""Weights of several runs, 0 or more and summing to 1, that make the KL of their mean smallest.

Both problems are convex: minus the logarithm of a sum that is linear in the weights for the arithmetic mean, and a
log-sum-exp less a linear term for the geometric one. SciPy's SLSQP finds the one minimum.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hbac.blending.runs import Floats, SharedRows
from hbac.ensemble.mean import LEAST, mean_of
from hbac.training.metrics import kl_divergence
from hbac.weights.schema import ARITHMETIC, MEANS

LEAST_WEIGHT = 1e-3  # below it a run counts nothing
PRECISION = 1e-10  # of the KL
STEPS = 500

Loss = Callable[[Floats], tuple[float, Floats]]  # weights to a value and its gradient


@dataclass(frozen=True)
class Blend:
    """How much each run counts, and in which mean."""

    weights: tuple[float, ...]  # of all runs, summing to 1
    mean: str  # of `schema.MEANS`

    def answers(self, rows: SharedRows) -> Floats:
        """(n, 6) as a mixed ensemble would answer."""
        taking_part = [number for number, weight in enumerate(self.weights) if weight > 0]
        weights = [self.weights[number] for number in taking_part]
        return mean_of([rows.predictions[number] for number in taking_part], weights, self.mean)

    def kl(self, rows: SharedRows) -> Floats:
        """(n,) divergences."""
        return kl_divergence(rows.votes, self.answers(rows))


def best_blend(rows: SharedRows, runs: Sequence[int]) -> Blend:
    """The blend of some of the runs that has the smallest KL on some rows."""
    part = rows.predictions[list(runs)]
    blends = []
    for mean in MEANS:
        loss = arithmetic_loss(part, rows) if mean == ARITHMETIC else geometric_loss(part, rows)
        weights = np.zeros(len(rows.predictions))
        weights[list(runs)] = smallest(loss, len(runs))
        blends.append(Blend(tuple(weights.tolist()), mean))
    return min(blends, key=lambda blend: float(np.average(blend.kl(rows), weights=rows.weights)))


def smallest(loss: Loss, count: int) -> Floats:
    """(count,) weights on the simplex at which a convex loss is smallest."""
    from scipy.optimize import minimize

    if count == 1:
        return np.ones(1)
    found = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda a: a.sum() - 1, "jac": lambda a: np.ones_like(a)},
        options={"ftol": PRECISION, "maxiter": STEPS},
    )
    weights = np.where(found.x < LEAST_WEIGHT, 0.0, found.x)
    shares: Floats = weights / weights.sum()
    return shares


def arithmetic_loss(predictions: Floats, rows: SharedRows) -> Loss:
    """Cross-entropy of the arithmetic mean of predictions (runs, n, 6)."""
    targets = rows.votes * rows.weights[:, None]

    def loss(weights: Floats) -> tuple[float, Floats]:
        mean = np.maximum(np.tensordot(weights, predictions, 1), LEAST)
        return -float((targets * np.log(mean)).sum()), -np.tensordot(predictions, targets / mean, 2)

    return loss


def geometric_loss(predictions: Floats, rows: SharedRows) -> Loss:
    """Cross-entropy of the geometric mean of predictions (runs, n, 6), divided by its sum over the classes."""
    logs = np.log(np.maximum(predictions, LEAST))
    targets = rows.votes * rows.weights[:, None]

    def loss(weights: Floats) -> tuple[float, Floats]:
        total = np.tensordot(weights, logs, 1)  # (n, 6)
        total -= total.max(axis=1, keepdims=True)
        exponentials = np.exp(total)
        sums = exponentials.sum(axis=1, keepdims=True)
        value = float((rows.weights * np.log(sums[:, 0])).sum() - (targets * total).sum())
        return value, np.tensordot(logs, rows.weights[:, None] * exponentials / sums - targets, 2)

    return loss
