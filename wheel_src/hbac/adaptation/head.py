"""A corrected head: a fold's logits and pooled features to better logits, learnt from a few labels, in closed form.

The correction is linear in the pooled features, so that it folds into the layer of logits: every engine computes it
unchanged. Logits stand here as "free": divided by the temperature, the training prior taken out.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

from hbac.network.graph import Tensors
from hbac.network.settings import HEAD

KERNEL, BIAS = f"{HEAD}/kernel", f"{HEAD}/bias"
STRENGTH_FEATURES = 512  # at so many features a strength is a penalty on standardised ones as it is
SMALLEST_SPREAD = 0.01  # of a feature, by the mean spread: what hardly varies here is not blown up elsewhere
STOP = {"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-7}  # of L-BFGS

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What stands between a fold's logits and its probabilities, and is taken out of them."""

    temperature: float
    prior: Floats  # (classes,) the mix that the logits answer for, each above 0

    def free_logits(self, pooled: Floats, tensors: Tensors) -> Floats:
        """(..., features) pooled features to (..., classes) free logits of the fold's own head."""
        logits = pooled @ tensors[KERNEL].astype(np.float64) + tensors[BIAS]
        free: Floats = logits / self.temperature - np.log(self.prior)
        return free


@dataclass(frozen=True)
class Correction:
    """Free logits become slope * logits + features @ matrix + constant."""

    slope: Floats  # (classes,); 1 for a class without labels
    matrix: Floats  # (features, classes)
    constant: Floats  # (classes,)

    def __call__(self, pooled: Floats, logits: Floats) -> Floats:
        """(..., classes) corrected free logits."""
        return self.slope * logits + pooled @ self.matrix + self.constant


def fit_correction(pooled: Floats, logits: Floats, votes: Floats, strength: float, smoothing: float) -> Correction:
    """The correction with the least penalised cross-entropy; both views of a record are samples.

    The mix of the labels is taken out as well (an offset of its logarithm), so that the answers stay those of classes that
    are equally likely. The penalty draws the slope to 1, the matrix and the constant to 0: infinite strength changes
    nothing. A class without votes keeps its logits, and the others are shifted so that their share against it stays, on
    average, what it was.

    Args:
        pooled: (2, n, features), of both views.
        logits: (2, n, classes) free logits.
        votes: (n, classes), rows summing to 1.
        strength: half of it times the square of what differs is the penalty, beside the sum over the records; above 0.
        smoothing: share of each row's votes that all classes with votes divide alike.
    """
    there = votes.sum(axis=0) > 0
    samples = pooled.reshape(-1, pooled.shape[-1])
    own = logits.reshape(-1, logits.shape[-1])[:, there]
    target = (1 - smoothing) * votes[:, there] + smoothing / there.sum()
    center, spread = samples.mean(axis=0), samples.std(axis=0)
    spread = np.maximum(spread, max(SMALLEST_SPREAD * spread.mean(), 1e-12)) * np.sqrt(
        samples.shape[1] / STRENGTH_FEATURES
    )
    mix = np.log(votes[:, there].mean(axis=0))
    slope, matrix, constant = _least(
        (samples - center) / spread, own, np.concatenate([target, target]), mix, strength / len(votes)
    )
    matrix = matrix / spread[:, None]
    return _whole(slope, matrix, constant - center @ matrix, there, samples, own)


def _whole(
    slope: float, matrix: Floats, constant: Floats, there: npt.NDArray[np.bool_], samples: Floats, own: Floats
) -> Correction:
    """The correction of all classes; those with labels shifted to the share that they had."""
    corrected = slope * own + samples @ matrix + constant
    shift = float(np.mean(logsumexp(own, axis=1) - logsumexp(corrected, axis=1)))
    whole = Correction(np.ones(len(there)), np.zeros((samples.shape[1], len(there))), np.zeros(len(there)))
    whole.slope[there] = slope
    whole.matrix[:, there] = matrix
    whole.constant[there] = constant + shift
    return whole


def _least(x: Floats, own: Floats, target: Floats, offset: Floats, strength: float) -> tuple[float, Floats, Floats]:
    """Slope, matrix (features, classes) and constant of the least penalised cross-entropy; convex, L-BFGS.

    The matrix lies in the span of the samples, so that as many unknowns do as there are samples.
    """
    basis = np.linalg.qr(x.T)[0].T  # (samples or features, features), orthonormal rows
    inner = x @ basis.T  # (samples, rank)
    classes = own.shape[1]

    def loss(theta: Floats) -> tuple[float, Floats]:
        slope, constant, matrix = theta[0], theta[1 : 1 + classes], theta[1 + classes :].reshape(-1, classes)
        log_p = log_softmax(slope * own + inner @ matrix + constant + offset, axis=1)
        error = (np.exp(log_p) - target) / len(x)
        away = theta - start
        gradient = np.concatenate([[(error * own).sum()], error.sum(axis=0), (inner.T @ error).ravel()])
        return -(target * log_p).sum() / len(x) + strength / 2 * (away @ away), gradient + strength * away

    start = np.zeros(1 + classes * (1 + len(basis)))
    start[0] = 1.0
    theta = minimize(loss, start, jac=True, method="L-BFGS-B", options=STOP).x
    return float(theta[0]), basis.T @ theta[1 + classes :].reshape(-1, classes), theta[1 : 1 + classes]


def with_correction(tensors: Tensors, correction: Correction, calibration: Calibration) -> Tensors:
    """A fold whose layer of logits holds the correction, temperature and training prior put back; float32."""
    prior, t = np.log(calibration.prior), calibration.temperature
    kernel = tensors[KERNEL].astype(np.float64) * correction.slope + t * correction.matrix
    bias = tensors[BIAS].astype(np.float64) * correction.slope
    bias += t * (correction.constant + (1 - correction.slope) * prior)
    return {**tensors, KERNEL: kernel.astype(np.float32), BIAS: bias.astype(np.float32)}
