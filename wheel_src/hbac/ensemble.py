"""Folds to calibrated mean probabilities.

Each fold's logits are divided by the manifest's temperature (Guo et al. 2017, arXiv:1706.04599), softmaxed, and the
weighted mean of the folds' probabilities is taken, all in float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbac import competition as hms
from hbac.augment import flip_hemispheres
from hbac.checkpoints import load_fold, read_tensors
from hbac.engine import Engine
from hbac.errors import WeightsError
from hbac.files import sha256_of
from hbac.golden import IMAGE_TOLERANCE, golden_image, probe
from hbac.image import ImageSettings
from hbac.manifest import Fold, Manifest
from hbac.resnet import NetworkSettings

PROBABILITY_TOLERANCE = 1e-4  # of a fold's answer to the golden record, float32
REDUCED_TOLERANCE = 2e-2  # with GPUs, which compute in float16

Probabilities = npt.NDArray[np.float64]


def softmax(logits: npt.NDArray[np.floating], temperature: float = 1.0) -> Probabilities:
    """(..., classes) logits to probabilities, float64, rows summing to 1."""
    scaled = np.asarray(logits, np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Checkpoint:
    """A fold's file before it stands in a manifest."""

    path: Path
    weight: float = 1.0
    score: dict[str, float] = field(default_factory=dict)  # out-of-fold figures by name


def new_manifest(
    checkpoints: Sequence[Checkpoint],
    folder: Path,
    title: str,
    preprocessing: ImageSettings,
    network: NetworkSettings,
    engine: Engine,
    temperature: float = 1.0,
    class_prior: Sequence[float] = hms.MEAN_VOTE,
    training: dict[str, Any] | None = None,
) -> Manifest:
    """Describe checkpoints so that they can be checked later: digests, sizes, and answers to the golden record.

    Args:
        checkpoints: files inside `folder`, at most one folder down.
        folder: where the manifest will lie.
        title: what the folds are.
        preprocessing: what they were trained on.
        network: what they are weights of.
        engine: computes the golden answers; its folds are replaced.
        temperature: that logits are divided by.
        class_prior: (6,) the answer for a record that cannot be read.
        training: how they were made, for readers.

    Raises:
        WeightsError: a file is missing, lies elsewhere, is not a checkpoint of the network, or its answer is not finite.
    """
    image = golden_image(preprocessing)
    folds = []
    for checkpoint in checkpoints:
        path = checkpoint.path
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            raise WeightsError(f"{path}: expected a file inside {folder.resolve()}")
        engine.load([read_tensors(path, network)])
        answer = softmax(_logits(engine, 0, image[None], path))[0]
        folds.append(
            Fold(
                file=path.resolve().relative_to(folder.resolve()).as_posix(),
                sha256=sha256_of(path),
                bytes=path.stat().st_size,
                weight=checkpoint.weight,
                score=dict(checkpoint.score),
                golden=tuple(round(float(p), 7) for p in answer),
            )
        )
    return Manifest(
        folder=folder,
        title=title,
        network=network,
        preprocessing=preprocessing,
        temperature=temperature,
        class_prior=tuple(class_prior),
        golden_image=probe(image),
        folds=tuple(folds),
        training=training or {},
    )


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
            (batch, 6) float64, rows summing to 1, in the order of `competition.CLASSES`.

        Raises:
            WeightsError: a fold answers with something that is not finite.
        """
        folds = range(len(self.manifest.folds)) if folds is None else folds
        views = [images, flip_hemispheres(images)] if flip else [images]
        weights = [self.manifest.folds[fold].weight for fold in folds]
        total = np.zeros((len(images), len(self.manifest.class_prior)))
        for fold, weight in zip(folds, weights):
            for view in views:
                total += weight * softmax(
                    _logits(self.engine, fold, view, self.manifest.folds[fold].file), self.manifest.temperature
                )
        return total / total.sum(axis=1, keepdims=True)

    def _check_answers(self, image: npt.NDArray[np.float32]) -> None:
        tolerance = PROBABILITY_TOLERANCE if self.engine.exact else REDUCED_TOLERANCE
        for number, fold in enumerate(self.manifest.folds):
            received = softmax(_logits(self.engine, number, image[None], fold.file))[0]
            worst = float(np.abs(received - np.array(fold.golden)).max())
            if not worst <= tolerance:
                raise WeightsError(
                    f"{fold.file}: expected the golden record's answer {np.round(fold.golden, 5).tolist()} within "
                    f"{tolerance:g}, received {np.round(received, 5).tolist()}"
                )


def _logits(engine: Engine, fold: int, images: npt.NDArray[np.float32], where: object) -> npt.NDArray[np.float32]:
    logits = engine.logits(fold, images)
    if not np.isfinite(logits).all():
        raise WeightsError(f"{where}: expected finite logits, received {logits.tolist()}")
    return logits


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
