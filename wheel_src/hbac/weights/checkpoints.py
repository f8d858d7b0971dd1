"""Checkpoints: a manifest's folds as tensors, weights to start from, and a new manifest of checked files."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.errors import WeightsError
from hbac.files import sha256_of
from hbac.network.engine import Engine, finite_logits, softmax
from hbac.network.families import family_named, shapes
from hbac.network.graph import Tensors
from hbac.network.settings import Network, NetworkSettings
from hbac.preprocessing.golden import golden_image, probe
from hbac.preprocessing.preset import Preset
from hbac.weights.keras_files import import_weights
from hbac.weights.manifest import Fold, Manifest, Member
from hbac.weights.tensors import read_safetensors

IMAGENET_CHANNELS = 3


def load_fold(manifest: Manifest, fold: Fold) -> Tensors:
    """Tensors of one fold, float32, by name, after every check that needs no network.

    Raises:
        WeightsError: the file is missing, or its size, digest, names, shapes, dtypes or values are not as expected.
    """
    path = manifest.path(fold)
    try:
        size = path.stat().st_size
        if size != fold.bytes:
            raise WeightsError(f"{path}: expected {fold.bytes} bytes, received {size}")
        digest = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{path}: expected a file that can be read: {error.strerror}") from error
    if digest != fold.sha256:
        raise WeightsError(f"{path}: expected SHA-256 {fold.sha256}, received {digest}")
    return read_tensors(path, _member_of(manifest, fold).network)


def _member_of(manifest: Manifest, fold: Fold) -> Member:
    found = [member for member in manifest.members if fold in member.folds]
    return found[0] if found else manifest.only


def read_tensors(path: Path, network: Network) -> Tensors:
    """Tensors of a whole network from a `.safetensors`, `.keras` or `.weights.h5` file, checked, float32.

    Raises:
        WeightsError: not such a file, or its names, shapes, dtypes or values are not those of the network.
    """
    if path.name.endswith(".safetensors"):
        tensors = read_safetensors(path, shapes(network))
    elif isinstance(network, NetworkSettings):
        tensors = import_weights(path, network)
    else:
        raise WeightsError(
            f"{path}: expected a .safetensors file of a network with a graph of its own, received a Keras file; "
            "`hbac weights import` writes one"
        )
    return {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}


def mean_of_folds(files: Sequence[Path], settings: NetworkSettings) -> Tensors:
    """The mean of earlier folds, which have to come from one start themselves (Wortsman et al. 2022, arXiv:2203.05482).

    Raises:
        WeightsError: a file is not a whole network of these settings.
    """
    expected = shapes(settings)
    folds = [read_safetensors(file, expected) for file in files]
    return {name: np.mean([fold[name] for fold in folds], axis=0, dtype=np.float32) for name in expected}


def imagenet_backbone(file: Path, settings: NetworkSettings) -> Tensors:
    """A family's "notop" weights of ImageNet, for our inputs.

    The first convolution is scaled from the spread of the inputs that it has learnt from to that of ours, about 1. For
    inputs with other than three channels each takes the mean of its three kernels, times 3 / channels, so that what it
    gives stays of a size.

    Raises:
        WeightsError: not that file, or the family has none.
    """
    imagenet = family_named(settings.family).imagenet
    if imagenet is None:
        raise WeightsError(f"{file}: expected no ImageNet weights for {settings.family}, there are none of it")
    *size, channels = settings.input_shape
    rgb = replace(settings, input_shape=(*size, IMAGENET_CHANNELS))
    tensors = import_weights(file, rgb, head=False)
    kernel = tensors[f"{imagenet.first}/kernel"]  # (height, width, 3, filters)
    if channels is not None and channels != IMAGENET_CHANNELS:
        kernel = kernel.mean(axis=2, keepdims=True).repeat(channels, axis=2) * np.float32(IMAGENET_CHANNELS / channels)
    tensors[f"{imagenet.first}/kernel"] = kernel * np.float32(imagenet.spread)
    return tensors


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
    preprocessing: Preset,
    network: Network,
    engine: Engine,
    temperature: float = 1.0,
    class_prior: Sequence[float] = hms.MEAN_VOTE,
    training: dict[str, Any] | None = None,
    training_prior: Sequence[float] | None = None,
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
        training_prior: (6,) the class mix that the logits answer for, each class above 0; None for `class_prior`.

    Raises:
        WeightsError: a file is missing, lies elsewhere, is not a checkpoint of the network, or its answer is not finite.
    """
    image = golden_image(preprocessing)
    folds = tuple(_describe(checkpoint, folder, network, engine, image) for checkpoint in checkpoints)
    return Manifest(
        folder=folder,
        title=title,
        members=(Member(network, preprocessing, temperature, probe(image), folds),),
        class_prior=tuple(class_prior),
        training_prior=tuple(class_prior if training_prior is None else training_prior),
        training=training or {},
    )


def _describe(
    checkpoint: Checkpoint, folder: Path, network: Network, engine: Engine, image: npt.NDArray[np.float32]
) -> Fold:
    """A checkpoint as a manifest lists it, with its answer to the golden record's image."""
    path = checkpoint.path
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise WeightsError(f"{path}: expected a file inside {folder.resolve()}")
    engine.load([read_tensors(path, network)])
    answer = softmax(finite_logits(engine, 0, image[None], path))[0]
    return Fold(
        file=path.resolve().relative_to(folder.resolve()).as_posix(),
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        weight=checkpoint.weight,
        score=dict(checkpoint.score),
        golden=tuple(round(float(p), 7) for p in answer),
    )
