"""Another class mix: by hand from likelihoods, by a plain loop, and on classifiers whose answers are known."""

import numpy as np
import pytest

from hbac.ensemble.prior import ENOUGH, estimated_prior, for_prior

TRAINING = np.array([0.05, 0.18, 0.13, 0.09, 0.1, 0.45])
APART = 2.4  # standard deviations: KL about 0.5, as of folds
MIXES = np.random.default_rng(7).dirichlet(np.ones(6), 20)


def kl(truth: np.ndarray, answers: np.ndarray) -> float:
    """Of records whose class is known."""
    return float(-np.log(answers[np.arange(len(truth)), truth]).mean())


def classified(mix: np.ndarray, count: int, seed: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Classes drawn from `mix`, and answers of a classifier that knows the densities, trained on `TRAINING`.

    The six classes are Gaussians around the corners of a simplex. A sharpness of 1 is calibrated, 2 is too sure.
    """
    rng = np.random.default_rng(seed)
    truth = rng.choice(6, count, p=mix)
    signal = rng.normal(APART * np.eye(6)[truth])
    logits = -((signal[:, None] - APART * np.eye(6)) ** 2).sum(axis=2) / 2 + np.log(TRAINING)
    answers = np.exp(sharpness * (logits - logits.max(axis=1, keepdims=True)))
    return truth, answers / answers.sum(axis=1, keepdims=True)


def test_answers_for_another_prior_are_those_of_bayes() -> None:
    """Likelihoods 8, 4, 2, 1, 1, 1 with shares in twentieths: answers and expected values by hand."""
    training, prior = np.array([1, 4, 3, 2, 2, 8]) / 20, np.array([5, 1, 1, 5, 5, 3]) / 20
    answers = np.array([[8, 16, 6, 2, 2, 8], [0, 0, 3, 0, 0, 8]]) / [[42], [11]]
    expected = np.array([[40, 4, 2, 5, 5, 3], [0, 0, 1, 0, 0, 3]]) / [[59], [4]]
    np.testing.assert_allclose(for_prior(answers, training, prior), expected, rtol=1e-14, atol=0)


def test_the_prior_of_training_changes_no_answer() -> None:
    _, answers = classified(TRAINING, 100, 0)
    np.testing.assert_allclose(for_prior(answers, TRAINING, TRAINING), answers, rtol=1e-14)


def test_there_and_back_gives_the_answers_again() -> None:
    _, answers = classified(TRAINING, 100, 0)
    there = for_prior(answers, TRAINING, MIXES[0])
    np.testing.assert_allclose(for_prior(there, MIXES[0], TRAINING), answers, rtol=1e-12)


def test_answers_that_are_nearly_sure_stay_finite() -> None:
    answers = np.array([[1, 0, 0, 0, 0, 0], [1e-300, 1e-300, 0, 0, 0, 1.0]])
    prior = np.array([1e-6, 0.2, 0.2, 0.2, 0.2, 0.2 - 1e-6])
    received = for_prior(answers, TRAINING, prior)
    assert np.isfinite(received).all()
    np.testing.assert_allclose(received[0], [1, 0, 0, 0, 0, 0])


def em_round(answers: np.ndarray, start: np.ndarray, weights: np.ndarray) -> list[float]:
    """One round of expectation maximisation as the paper's equations 9 and 10 have it, record by record."""
    shares = [0.0] * 6
    for answer, weight in zip(answers, weights):
        odds = [start[c] / TRAINING[c] * answer[c] for c in range(6)]
        for c in range(6):
            shares[c] += weight * odds[c] / sum(odds)
    return [share / weights.sum() for share in shares]


@pytest.mark.parametrize("count", [1, 2, 200])
def test_an_estimate_is_a_round_of_em_in_which_every_other_record_is_answered_by_the_prior(count: int) -> None:
    _, answers = classified(MIXES[1], count, 1)
    records = np.concatenate([answers, np.tile(TRAINING, (count, 1))])
    expected = em_round(records, TRAINING, np.ones(len(records)))
    received = estimated_prior(answers, TRAINING)
    np.testing.assert_allclose(received, expected, rtol=1e-12)
    assert received.sum() == pytest.approx(1, abs=1e-14)


def gains(sharpness: float, mixes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """KL that the estimate and the true mix gain over the answers as they are, (mixes,) each."""
    of_estimate, of_truth = [], []
    for seed, mix in enumerate(mixes):
        truth, answers = classified(mix, count, seed, sharpness)
        before = kl(truth, answers)
        of_estimate.append(before - kl(truth, for_prior(answers, TRAINING, estimated_prior(answers, TRAINING))))
        of_truth.append(before - kl(truth, for_prior(answers, TRAINING, mix)))
    return np.array(of_estimate), np.array(of_truth)


def test_of_a_calibrated_classifier_an_estimate_gains_half_of_what_the_true_mix_gains() -> None:
    of_estimate, of_truth = gains(1.0, MIXES, 200)
    assert of_truth.mean() > 0.1
    assert of_estimate.mean() > of_truth.mean() / 2
    assert of_estimate.min() > -0.02


def test_where_nothing_is_to_be_gained_an_estimate_costs_little() -> None:
    of_estimate, _ = gains(1.0, np.tile(TRAINING, (20, 1)), 200)
    assert of_estimate.min() > -0.02


def test_a_classifier_that_is_sure_and_wrong_moves_the_prior_half_way_and_no_further() -> None:
    """Expectation maximisation run to its end gives the first class nearly all."""
    sure = np.tile([0.995, 0.001, 0.001, 0.001, 0.001, 0.001], (ENOUGH, 1))
    ran_away = TRAINING
    for _ in range(100):
        ran_away = np.array(em_round(sure, ran_away, np.ones(len(sure))))
    assert ran_away[0] > 0.999
    received = estimated_prior(sure, TRAINING)
    assert received[0] < (1 + TRAINING[0]) / 2
    assert (received > TRAINING / 2).all()
