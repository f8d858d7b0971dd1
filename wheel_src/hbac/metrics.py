"""The competition's metric, and the temperature that makes it smallest."""

import numpy as np
import numpy.typing as npt

CLIP = 1e-15  # Kaggle's, of predictions

Floats = npt.NDArray[np.floating]


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
    return (p * np.log(ratio)).sum(axis=1)


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
