"""The mean of several members' probabilities: weighted, arithmetic or geometric."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hbac.weights.schema import GEOMETRIC

LEAST = 1e-15  # of a probability in a geometric mean, where Kaggle's metric clips: a 0 would outvote all others

Probabilities = npt.NDArray[np.float64]


def mean_of(answers: Sequence[Probabilities], weights: Sequence[float], kind: str) -> Probabilities:
    """The weighted mean of members' answers.

    Args:
        answers: (..., classes) each, rows summing to 1.
        weights: above 0; only their ratios count.
        kind: of `schema.MEANS`; the geometric one is divided by its sum over the classes.

    Returns:
        (..., classes) float64, rows summing to 1; of one member its very answer.
    """
    if len(answers) == 1:
        return answers[0]
    shares = np.array(weights, np.float64) / np.sum(weights, dtype=np.float64)
    if kind == GEOMETRIC:
        logs = sum(share * np.log(np.maximum(answer, LEAST)) for share, answer in zip(shares, answers))
        total = np.exp(logs - np.max(logs, axis=-1, keepdims=True))
    else:
        total = np.sum([share * answer for share, answer in zip(shares, answers)], axis=0)
    mean: Probabilities = total / total.sum(axis=-1, keepdims=True)
    return mean
