"""Folds to calibrated mean probabilities.

Each fold's logits are divided by the manifest's temperature (Guo et al. 2017, arXiv:1706.04599), softmaxed, and the
weighted mean of the folds' probabilities is taken, all in float64.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hbac.errors import WeightsError
from hbac.network.engine import Engine, finite_logits, softmax
from hbac.preprocessing.golden import IMAGE_TOLERANCE, golden_image, probe
from hbac.weights.checkpoints import load_fold
from hbac.weights.manifest import Manifest

PROBABILITY_TOLERANCE = 1e-4  # of a fold's answer to the golden record, float32
REDUCED_TOLERANCE = 2e-2  # with GPUs, which compute in float16

Probabilities = npt.NDArray[np.float64]


class Ensemble:
    """The folds of a manifest behind one call.

    Every fold is checked before the first record: file, digest, names, shapes, finite values, and its answer to the
    golden record.

    Raises:
        WeightsError: anything of that is not as the manifest says.
    """

    def __init__(self, manifest: Manifest, engine: Engine):
        self.manifest, self.engine = manifest, engine
        image = check_preprocessing(manifest)
        engine.load(load_fold(manifest, fold) for fold in manifest.folds)  # one after the other: only one in memory
        self._check_answers(image)

    def predict(
        self, images: npt.NDArray[np.float32], folds: Sequence[int] | None = None, flip: bool = False
    ) -> Probabilities:
        """Calibrated mean probabilities.

        Args:
            images: (batch, 400, 300, 3) float32.
            folds: which folds take part; all by default.
            flip: also answer the image with left and right exchanged, and average.

        Returns:
            (batch, 6) float64, rows summing to 1, in the order of `hms.CLASSES`.

        Raises:
            WeightsError: a fold answers with something that is not finite.
        """
        folds = range(len(self.manifest.folds)) if folds is None else folds
        views = [images, self.manifest.preprocessing.flip(images)] if flip else [images]
        weights = [self.manifest.folds[fold].weight for fold in folds]
        total = np.zeros((len(images), len(self.manifest.class_prior)))
        for fold, weight in zip(folds, weights):
            for view in views:
                total += weight * softmax(
                    finite_logits(self.engine, fold, view, self.manifest.folds[fold].file), self.manifest.temperature
                )
        mean: Probabilities = total / total.sum(axis=1, keepdims=True)
        return mean

    def _check_answers(self, image: npt.NDArray[np.float32]) -> None:
        tolerance = PROBABILITY_TOLERANCE if self.engine.exact else REDUCED_TOLERANCE
        for number, fold in enumerate(self.manifest.folds):
            received = softmax(finite_logits(self.engine, number, image[None], fold.file))[0]
            worst = float(np.abs(received - np.array(fold.golden)).max())
            if not worst <= tolerance:
                raise WeightsError(
                    f"{fold.file}: expected the golden record's answer {np.round(fold.golden, 5).tolist()} within "
                    f"{tolerance:g}, received {np.round(received, 5).tolist()}"
                )


def check_preprocessing(manifest: Manifest) -> npt.NDArray[np.float32]:
    """The golden record's image, after comparing it with the one that the manifest's folds were trained beside.

    Raises:
        WeightsError: this package makes another image of the golden record.
    """
    image = golden_image(manifest.preprocessing)
    worst = float(np.abs(np.array(manifest.golden_image) - np.array(probe(image))).max())
    if not worst <= IMAGE_TOLERANCE:
        raise WeightsError(
            f"golden_image: expected the image that the folds were trained on within {IMAGE_TOLERANCE:g}, "
            f"received one that differs by {worst:.3g}: another version of the preprocessing"
        )
    return image
