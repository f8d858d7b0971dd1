"""The competition's metric, what else is worth knowing of a classifier, and the temperature that makes KL smallest."""

from typing import Any

import numpy as np
import numpy.typing as npt

CLIP = 1e-15  # Kaggle's, of predictions

Floats = npt.NDArray[np.floating[Any]]


def kl_divergence(votes: Floats, predictions: Floats) -> npt.NDArray[np.float64]:
    """KL divergence of each row from vote fractions to predicted probabilities, in nats.

    Predictions are clipped to [1e-15, 1 - 1e-15]; terms with a vote fraction of 0 count 0. Kaggle's score is the mean.

    Args:
        votes: (rows, classes), rows summing to 1.
        predictions: (rows, classes), rows summing to 1.

    Returns:
        (rows,) float64, 0 or more up to rounding.
    """
    p = np.asarray(votes, np.float64)
    q = np.clip(np.asarray(predictions, np.float64), CLIP, 1 - CLIP)
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    divergence: npt.NDArray[np.float64] = (p * np.log(ratio)).sum(axis=1)
    return divergence


def classification_metrics(votes: Floats, predictions: Floats, weights: Floats | None = None) -> dict[str, Any]:
    """Metrics of predictions against votes: Kaggle's KL, and scikit-learn's against the class with most votes.

    Args:
        votes: (rows, classes), rows summing to 1.
        predictions: (rows, classes), rows summing to 1.
        weights: (rows,); all the same by default.

    Returns:
        kl, log_loss, accuracy, balanced_accuracy, macro_f1, calibration_error (see `calibration_error`) as floats;
        precision, recall and f1 as lists, a number a class, 0 where a class is never predicted or never there.
    """
    from sklearn import metrics

    votes, predictions = np.asarray(votes, np.float64), np.asarray(predictions, np.float64)
    classes = range(votes.shape[1])
    target, answer = votes.argmax(axis=1), predictions.argmax(axis=1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        target, answer, labels=classes, sample_weight=weights, zero_division=0.0
    )
    there = np.isin(classes, target)
    return {
        "kl": float(np.average(kl_divergence(votes, predictions), weights=weights)),
        "log_loss": float(metrics.log_loss(target, predictions, labels=classes, sample_weight=weights)),
        "accuracy": float(metrics.accuracy_score(target, answer, sample_weight=weights)),
        "balanced_accuracy": float(recall[there].mean()),  # over the classes that are there
        "macro_f1": float(f1.mean()),
        "calibration_error": calibration_error(votes, predictions, weights),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
    }


def calibration_error(votes: Floats, predictions: Floats, weights: Floats | None = None, bins: int = 10) -> float:
    """Expected calibration error against vote fractions: |mean prediction - mean vote| over bins of all classes.

    Each class's predictions fall into `bins` equal bins of [0, 1]; bins count by the weight in them (Naeini et al.
    2015, with fractions of votes in place of outcomes).
    """
    p, q = np.asarray(votes, np.float64), np.asarray(predictions, np.float64)
    w = np.ones(len(p)) if weights is None else np.asarray(weights, np.float64)
    bin_of = np.minimum((q * bins).astype(int), bins - 1) + bins * np.arange(p.shape[1])  # (rows, classes)
    difference = np.bincount(bin_of.ravel(), (w[:, None] * (q - p)).ravel(), bins * p.shape[1])
    return float(np.abs(difference).sum() / (w.sum() * p.shape[1]))


def best_temperature(
    votes: Floats, predictions: Floats, weights: Floats | None = None, low: float = 0.25, high: float = 4.0
) -> float:
    """The temperature in [low, high] by which log probabilities must be divided for the smallest weighted mean KL.

    Args:
        votes: (rows, classes).
        predictions: (rows, classes) probabilities at temperature 1.
        weights: (rows,); all the same by default.
    """
    from scipy.optimize import minimize_scalar

    logits = np.log(np.clip(np.asarray(predictions, np.float64), CLIP, 1.0))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        q = np.exp(scaled)
        return float(np.average(kl_divergence(votes, q / q.sum(axis=1, keepdims=True)), weights=weights))

    return float(np.exp(minimize_scalar(loss, bounds=np.log([low, high]), method="bounded").x))
