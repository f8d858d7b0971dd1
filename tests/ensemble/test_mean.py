"""The mean of members: arithmetic and geometric, by SciPy's and NumPy's own functions."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from hbac.ensemble.mean import mean_of

RNG = np.random.default_rng(5)
LOGITS = RNG.normal(0, 3, (3, 7, 6))  # members, rows, classes
WEIGHTS = (0.5, 2.0, 4.5)


def test_an_arithmetic_mean_is_numpy_s_average() -> None:
    answers = softmax(LOGITS, axis=-1)
    received = mean_of(list(answers), WEIGHTS, "arithmetic")
    np.testing.assert_allclose(received, np.average(answers, axis=0, weights=WEIGHTS), rtol=1e-12)


def test_a_geometric_mean_is_the_softmax_of_the_mean_log_probability() -> None:
    received = mean_of(list(softmax(LOGITS, axis=-1)), WEIGHTS, "geometric")
    expected = softmax(np.average(log_softmax(LOGITS, axis=-1), axis=0, weights=WEIGHTS), axis=-1)
    np.testing.assert_allclose(received, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", ["arithmetic", "geometric"])
def test_only_the_ratios_of_weights_count(kind: str) -> None:
    answers = list(softmax(LOGITS, axis=-1))
    first, second = (mean_of(answers, [factor * w for w in WEIGHTS], kind) for factor in (1.0, 1e-3))
    np.testing.assert_allclose(first, second, rtol=1e-12)


@pytest.mark.parametrize("kind", ["arithmetic", "geometric"])
def test_members_that_are_sure_of_different_classes_still_give_probabilities(kind: str) -> None:
    certain = np.eye(6)[[0]], np.eye(6)[[3]]
    received = mean_of(certain, (1.0, 1.0), kind)
    np.testing.assert_allclose(received[0, [0, 3]], 0.5, atol=1e-6)
    np.testing.assert_allclose(received.sum(), 1.0, rtol=1e-12)


@pytest.mark.parametrize("kind", ["arithmetic", "geometric"])
def test_one_member_keeps_its_last_bit(kind: str) -> None:
    answer = softmax(LOGITS[0], axis=-1)
    assert mean_of([answer], (0.3,), kind).tobytes() == answer.tobytes()
