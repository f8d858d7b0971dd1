"""The head's correction against scikit-learn, a numeric minimum, and what it has to leave alone."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from hbac.adaptation.head import STRENGTH_FEATURES, Calibration, fit_correction, with_correction
from hbac.network.engine import softmax
from hbac.network.settings import HEAD

CALIBRATION = Calibration(1.3, np.array([0.05, 0.18, 0.13, 0.08, 0.1, 0.46]))


def problem(records: int, features: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pooled features (2, n, features), free logits (2, n, 6), one-hot votes (n, 6) of the first classes, alike many."""
    rng = np.random.default_rng(seed)
    truth = np.arange(records) % classes
    pooled = rng.normal(size=(2, records, features)) + 0.8 * rng.normal(size=(classes, features))[truth]
    return pooled, rng.normal(size=(2, records, 6)), np.eye(6)[truth]


@pytest.mark.parametrize("strength", [1.0, 30.0])
def test_without_logits_it_is_the_logistic_regression_of_scikit_learn(strength: float) -> None:
    pooled, logits, votes = problem(36, 5, 6)
    correction = fit_correction(pooled, 0 * logits, votes, strength, 0.0)
    samples = pooled.reshape(-1, 5)
    x = (samples - samples.mean(axis=0)) / samples.std(axis=0) * np.sqrt(STRENGTH_FEATURES / 5)
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)  # the constant is penalised as well
    y = np.concatenate([votes, votes]).argmax(axis=1)
    peer = LogisticRegression(C=1 / (2 * strength), fit_intercept=False, tol=1e-10, max_iter=10_000).fit(x, y)
    received = softmax(correction(pooled, 0 * logits)).reshape(-1, 6)
    np.testing.assert_allclose(received, peer.predict_proba(x), atol=1e-4)
    assert received.std() > 0.1


def test_slope_constant_and_matrix_are_where_the_stated_loss_is_least() -> None:
    pooled, logits, _ = problem(9, 1, 2)
    votes = np.eye(6)[np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])]  # 2 to 1: the mix is taken out
    strength, smoothing = 0.5, 0.1
    y = np.concatenate([votes, votes])[:, :2] * 0.9 + 0.05
    own, samples = logits.reshape(-1, 6)[:, :2], pooled.reshape(-1, 1)
    x = (samples - samples.mean()) / samples.std() * np.sqrt(STRENGTH_FEATURES)

    def loss(t: np.ndarray) -> float:
        z = t[0] * own + x * t[1:3] + t[3:5] + np.log([6 / 9, 3 / 9])
        away = t - [1, 0, 0, 0, 0]
        return float(-(y * np.log(softmax(z))).sum(axis=1).mean() + strength / 9 / 2 * (away**2).sum())

    least = minimize(loss, [1.0, 0, 0, 0, 0], method="BFGS", options={"gtol": 1e-7}).x
    correction = fit_correction(pooled, logits, votes, strength, smoothing)
    expected = softmax(least[0] * own + x * least[1:3] + least[3:5])
    received = correction(pooled, logits).reshape(-1, 6)[:, :2]
    np.testing.assert_allclose(softmax(received), expected, atol=1e-4)
    assert correction.slope[0] == pytest.approx(least[0], abs=1e-3)
    assert abs(least[0] - 1) > 0.01


def test_a_class_without_labels_keeps_its_logits_and_its_share() -> None:
    pooled, logits, votes = problem(24, 8, 4)
    correction = fit_correction(pooled, logits, votes, 2.0, 0.0)
    received = correction(pooled, logits)
    np.testing.assert_array_equal(received[..., 4:], logits[..., 4:])
    assert np.abs(received - logits)[..., :4].max() > 0.5

    def log_odds(z: np.ndarray) -> float:
        """Of the classes with labels against those without."""
        p = softmax(z)
        return float(np.log(p[..., :4].sum(axis=-1) / p[..., 4:].sum(axis=-1)).mean())

    assert log_odds(received) == pytest.approx(log_odds(logits), abs=1e-9)


def test_much_strength_changes_nothing() -> None:
    pooled, logits, votes = problem(24, 8, 6)
    received = fit_correction(pooled, logits, votes, 1e7, 0.0)(pooled, logits)
    np.testing.assert_allclose(softmax(received), softmax(logits), atol=1e-4)


def test_a_feature_that_never_varies_counts_nothing() -> None:
    pooled, logits, votes = problem(24, 8, 6)
    pooled[..., 3] = 0.0
    correction = fit_correction(pooled, logits, votes, 2.0, 0.0)
    assert np.isfinite(correction.matrix).all()
    np.testing.assert_allclose(correction.matrix[3], 0, atol=1e-9)


def test_the_correction_folds_into_the_layer_of_logits() -> None:
    """What the new layer gives, temperature and prior taken out, is what the correction makes of the old one's."""
    pooled, _, votes = problem(24, 8, 5)
    rng = np.random.default_rng(1)
    tensors = {f"{HEAD}/kernel": rng.normal(size=(8, 6)), f"{HEAD}/bias": rng.normal(size=6), "other": np.ones(2)}
    own = (pooled @ tensors[f"{HEAD}/kernel"] + tensors[f"{HEAD}/bias"]) / 1.3 - np.log(CALIBRATION.prior)
    np.testing.assert_allclose(CALIBRATION.free_logits(pooled, tensors), own)
    correction = fit_correction(pooled, own, votes, 5.0, 0.1)
    folded = with_correction(tensors, correction, CALIBRATION)
    new = (pooled @ folded[f"{HEAD}/kernel"] + folded[f"{HEAD}/bias"]) / 1.3 - np.log(CALIBRATION.prior)
    np.testing.assert_allclose(
        new, correction.slope * own + pooled @ correction.matrix + correction.constant, atol=1e-5
    )
    assert folded["other"] is tensors["other"]
