"""The folds of a manifest on a user's images: with other statistics, as pooled features and logits, as answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hbac.adaptation.features import Array, Backbone
from hbac.adaptation.head import Calibration, Floats
from hbac.ensemble.prior import for_prior
from hbac.errors import WeightsError
from hbac.network.engine import softmax
from hbac.network.graph import Tensors
from hbac.network.settings import NetworkSettings
from hbac.weights.checkpoints import load_fold
from hbac.weights.manifest import Manifest

SMALLEST_PRIOR = 1e-6  # of a class, to be divided by

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Member:
    """A fold and what it makes of some images."""

    tensors: Tensors
    weight: float
    pooled: Floats  # (2, n, features), both views
    logits: Floats  # (2, n, 6) free, see `head`

    def of(self, rows: Rows) -> "Member":
        """The same fold and some of the images."""
        return replace(self, pooled=self.pooled[:, rows], logits=self.logits[:, rows])


def of_a_family(manifest: Manifest) -> NetworkSettings:
    """The network of a manifest whose head is known by its name.

    Raises:
        WeightsError: it was imported, and its layers have names of their own.
    """
    if not isinstance(manifest.network, NetworkSettings):
        raise WeightsError(
            f"expected folds of one of hbac's families, received an imported network of {manifest.network.described()}: "
            "it is answered with, but not adapted"
        )
    return manifest.network


class Folds:
    """All folds of a manifest, in memory.

    Raises:
        WeightsError: a fold is not as the manifest says.
        MachineError: TensorFlow or Keras cannot be used.
    """

    def __init__(self, manifest: Manifest):
        self.calibration = calibration_of(manifest)
        self.shipped = [load_fold(manifest, fold) for fold in manifest.folds]
        self._weights = [fold.weight for fold in manifest.folds]
        self._backbone = Backbone(of_a_family(manifest), manifest.preprocessing)

    def with_statistics(self, images: Array) -> list[Tensors]:
        """The folds with their statistics half-way to those of images (n, *shape)."""
        return [self._backbone.adapted(tensors, images) for tensors in self.shipped]

    def members(self, folds: Sequence[Tensors], images: Array) -> list[Member]:
        """What folds, these or adapted ones, make of images (n, *shape)."""
        pooled = [self._backbone.pooled(tensors, images) for tensors in folds]
        logits = [self.calibration.free_logits(p, t) for p, t in zip(pooled, folds)]
        return [Member(*one) for one in zip(folds, self._weights, pooled, logits)]

    def answers(self, folds: Sequence[Tensors], images: Array) -> Floats:
        """(n, 6) of folds for images, as `answer_of`."""
        return answer_of(self.members(folds, images), self.calibration)


def calibration_of(manifest: Manifest) -> Calibration:
    """Temperature and training prior; a class that has none gets one that can be divided by."""
    return Calibration(manifest.temperature, np.maximum(manifest.training_prior, SMALLEST_PRIOR))


def answer_of(members: Sequence[Member], calibration: Calibration) -> Floats:
    """(n, 6) for classes that are equally likely: mean probabilities over folds and views, then the prior divided out."""
    prior = calibration.prior
    views = [softmax(member.logits + np.log(prior)).mean(axis=0) for member in members]  # (n, 6) each
    mean = np.average(views, axis=0, weights=[member.weight for member in members])
    return for_prior(mean, prior, np.full(len(prior), 1 / len(prior)))
