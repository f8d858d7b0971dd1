"""Folds that answer for another class mix: the shift of their logits goes into the last layer's bias."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hbac import hms
from hbac.adaptation.head import BIAS
from hbac.adaptation.members import of_a_family
from hbac.adaptation.written import check_output, write_adapted
from hbac.ensemble.calibrated import check_preprocessing
from hbac.ensemble.prior import Floats
from hbac.errors import InputError
from hbac.inference.priors import read_prior
from hbac.network.graph import Tensors
from hbac.weights.checkpoints import load_fold
from hbac.weights.manifest import read_manifest
from hbac.weights.schema import MIN_DIVISOR

COMPETITION, UNIFORM = "competition", "uniform"  # what may stand in the place of a file


def shares_named(name: str) -> Floats:
    """(6,) a class mix: the competition's mean vote, all classes alike, or that of a file (`priors.read_prior`)."""
    given = {COMPETITION: hms.MEAN_VOTE, UNIFORM: [1 / len(hms.CLASSES)] * len(hms.CLASSES)}.get(name)
    return read_prior(Path(name)) if given is None else np.array(given)


def shifted(tensors: Tensors, training: Floats, shares: Floats, temperature: float) -> Tensors:
    """A fold whose probabilities at `temperature` are those for `shares` and no longer for `training`, by Bayes' rule."""
    return {**tensors, BIAS: (tensors[BIAS] + temperature * np.log(shares / training)).astype(np.float32)}


def write_for_mix(manifest: Path, mix: str, output: Path) -> Path:
    """Write a manifest's folds anew so that by default they answer for another class mix; the new manifest's path.

    Its `training_prior` and its `class_prior` are that mix.

    Args:
        manifest: folds to start from; they stay as they are.
        mix: `competition`, `uniform`, or a file of six shares.
        output: folder for `weights_manifest.json` and the folds; a file of these names is never overwritten.

    Raises:
        InputError: the file does not hold six shares, or a class has none in the training prior.
        OutputError: the output cannot be written, or a file is there already.
        WeightsError: the manifest or a fold is not as it must be.
    """
    shares, parent = shares_named(mix), read_manifest(manifest)
    check_output(output, len(parent.folds))
    of_a_family(parent)
    check_preprocessing(parent)
    training = np.array(parent.training_prior)
    if training.min() < MIN_DIVISOR:  # in schema 1, which has no key of its own for it
        raise InputError(
            f"{manifest}: expected a training prior with each class above 0, received {list(parent.training_prior)}"
        )
    folds = [shifted(load_fold(parent, fold), training, shares, parent.temperature) for fold in parent.folds]
    stated: dict[str, Any] = {**parent.training, "trained_for": [round(float(share), 6) for share in training]}
    mixed = replace(parent, class_prior=tuple(shares.tolist()), training_prior=tuple(shares.tolist()))
    return write_adapted(mixed, folds, output, stated)
