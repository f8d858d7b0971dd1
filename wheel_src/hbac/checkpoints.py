"""A manifest's folds as tensors: file, size and digest are checked, then names, shapes, dtypes and values."""

from pathlib import Path

import numpy as np

from hbac.errors import WeightsError
from hbac.files import sha256_of
from hbac.keras_files import import_weights
from hbac.manifest import Fold, Manifest
from hbac.resnet import NetworkSettings, Tensors, shapes
from hbac.weights import read_safetensors


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
    return read_tensors(path, manifest.network)


def read_tensors(path: Path, settings: NetworkSettings) -> Tensors:
    """Tensors of a whole network from a `.safetensors`, `.keras` or `.weights.h5` file, checked, float32.

    Raises:
        WeightsError: not such a file, or its names, shapes, dtypes or values are not those of the network.
    """
    if path.name.endswith(".safetensors"):
        tensors = read_safetensors(path, shapes(settings))
    else:
        tensors = import_weights(path, settings)
    return {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
