"""Tensors in safetensors files and into networks: names, shapes, dtypes and finite values are checked first.

A fold is a `.safetensors` file with tensors named `conv1_conv/kernel`, float32 or float16. Loading goes by name: 310 of
ResNet50's 320 tensors share their shape with another one, so a loader that goes by order can load a wrong file in
silence.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hbac.errors import WeightsError, brief
from hbac.files import write_atomically
from hbac.network.graph import Tensors

if TYPE_CHECKING:
    import keras

DTYPES = {"F32": np.float32, "F16": np.float16}
MAX_HEADER_BYTES = 1 << 20
LISTED = 8  # differences that an error names before it only counts them


def read_safetensors(path: Path, expected: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Tensors of a safetensors file that holds exactly the expected names and shapes; no more of it is read than that.

    Raises:
        WeightsError: the header or the size is not as expected, or a value is not finite.
    """
    received = _header(path)
    compare_shapes(path, expected, {name: tuple(entry["shape"]) for name, entry in received.items()})
    for name, entry in received.items():
        if entry["dtype"] not in DTYPES:
            raise WeightsError(f"{path}: expected {name} as one of {sorted(DTYPES)}, received {brief(entry['dtype'])}")
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors: Tensors = load(path.read_bytes())  # not mapped into memory: not every file system can do that
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: expected a safetensors file: {error}") from error
    check_finite(path, tensors)
    return tensors


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray[Any, Any]], dtype: type = np.float32) -> None:
    """Write tensors as one safetensors file, float32 or float16, names in sorted order.

    A tensor that leaves float16's range is written as float32.

    Raises:
        WeightsError: a value is not finite.
        OutputError: the file cannot be written.
    """
    from safetensors.numpy import save

    check_finite(path, tensors)
    with np.errstate(over="ignore"):
        stored: Tensors = {name: np.ascontiguousarray(tensors[name], dtype) for name in sorted(tensors)}
    for name, tensor in stored.items():
        if not np.isfinite(tensor).all():
            stored[name] = np.ascontiguousarray(tensors[name], np.float32)
    write_atomically(path, save(stored))


def set_weights(model: "keras.Model", tensors: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Give a Keras model its weights by name.

    Raises:
        WeightsError: names or shapes differ from the model's; both differences are named.
    """
    variables = {variable.path: variable for variable in model.weights}
    compare_shapes(
        model.name,
        {name: tuple(variable.shape) for name, variable in variables.items()},
        {name: tensor.shape for name, tensor in tensors.items()},
    )
    for name, variable in variables.items():
        variable.assign(tensors[name])


def compare_shapes(
    where: object, expected: Mapping[str, tuple[int, ...]], received: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise WeightsError with both differences unless names and shapes are the same."""
    differences = [f"missing {name}" for name in expected if name not in received]
    differences += [f"unexpected {brief(name, quote=False)}" for name in received if name not in expected]
    differences += [
        f"{name} expected {expected[name]} received {brief(tuple(received[name]))}"
        for name in expected
        if name in received and tuple(received[name]) != tuple(expected[name])
    ]
    if differences:
        more = f"; and {len(differences) - LISTED} more" if len(differences) > LISTED else ""
        raise WeightsError(
            f"{where}: expected {len(expected)} tensors, received {len(received)}; "
            + "; ".join(differences[:LISTED])
            + more
        )


def check_finite(where: object, tensors: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Raise WeightsError if a tensor holds NaN or infinity, or a variance is negative."""
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise WeightsError(f"{where}: expected finite values, received others in {name}")
        if name.endswith("moving_variance") and tensor.min() < 0:
            raise WeightsError(f"{where}: expected a variance of 0 or more, received {tensor.min()} in {name}")


def _header(path: Path) -> dict[str, dict[str, Any]]:
    """The table of a safetensors file, after checking that it and the file have a size that makes sense."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise WeightsError(f"{path}: expected a safetensors header, received one of {length} in {size} bytes")
            table = json.loads(file.read(length))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: expected a safetensors file: {error}") from error
    table = {name: entry for name, entry in table.items() if name != "__metadata__"} if isinstance(table, dict) else {}
    if not table or not all(isinstance(e, dict) and {"shape", "dtype"} <= e.keys() for e in table.values()):
        raise WeightsError(f"{path}: expected a safetensors table of tensors, received none")
    for name, entry in table.items():
        shape, dtype = entry["shape"], entry["dtype"]
        if not isinstance(shape, list) or not all(type(n) is int for n in shape) or not isinstance(dtype, str):
            raise WeightsError(
                f"{path}: expected a dtype and a shape of whole numbers for {brief(name)}, received {brief(entry)}"
            )
    return table
