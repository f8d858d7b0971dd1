"""A Keras file taken apart: the HDF5 with its weights, and what its config says that its network computes.

`.keras` is a zip with `config.json` and `model.weights.h5`; `.weights.h5` and `.h5` are HDF5, a whole model with its config
as an attribute. What a file claims to hold is looked at before it is read.
"""

import contextlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hbac.errors import WeightsError, brief, one_line
from hbac.machine.packages import need
from hbac.weights.keras_config import read_network
from hbac.weights.keras_hdf5 import check_objects, is_legacy, text
from hbac.weights.saved_network import SavedNetwork

if TYPE_CHECKING:
    import h5py

MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}
MAX_MEMBER_BYTES = 4 << 30
MAX_CONFIG_BYTES = 32 << 20
MAX_RATIO = 200  # of a zip member; weights hardly compress
CHANGED_IN_KERAS_3 = {"hard_sigmoid", "hard_silu"}  # activations whose formula is another one in Keras 2


@dataclass(frozen=True)
class Content:
    """What a Keras file is made of."""

    hdf5: bytes
    config: bytes | None = None  # of the model, where it lies beside the weights
    metadata: bytes | None = None  # which says the version


def content_of(path: Path) -> Content:
    """The parts of a Keras file, whichever of the forms it has.

    Raises:
        WeightsError: it is none, or cannot be read.
    """
    try:
        if not zipfile.is_zipfile(path):
            if path.stat().st_size > MAX_MEMBER_BYTES:
                raise WeightsError(f"{path}: expected at most {MAX_MEMBER_BYTES} bytes, received more")
            return Content(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive.infolist())
            return Content(*map(archive.read, ("model.weights.h5", "config.json", "metadata.json")))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{path}: expected a Keras file: {error}") from error


@contextlib.contextmanager
def opened(path: Path, content: Content) -> "Iterator[h5py.File]":
    """The HDF5 in a Keras file, after a look at what it claims to hold.

    Raises:
        WeightsError: it is none, or damaged.
    """
    need("h5py")
    import h5py

    try:
        with h5py.File(io.BytesIO(content.hdf5), "r") as file:
            check_objects(path, file)
            yield file
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:  # what h5py raises for damaged files
        raise WeightsError(f"{path}: expected Keras weights in HDF5: {error}") from error


def saved_network(path: Path) -> SavedNetwork | None:
    """What a Keras file says that its network computes; None for weights alone.

    Raises:
        WeightsError: it is no such file, or holds a layer that our graphs have no room for.
    """
    content = content_of(path)
    with opened(path, content) as file:
        return network_of(path, file, content)


def network_of(path: Path, file: "h5py.File", content: Content) -> SavedNetwork | None:
    """What a whole file says that its network computes; None for weights alone."""
    config = _legacy_config(path, file) if is_legacy(file) else content.config
    if config is None:
        return None
    network = _read_network(path, config)
    version = _version(path, file, content)
    for step in network.steps.values():
        if not version.startswith("3.") and CHANGED_IN_KERAS_3 & set(map(str, step.arguments.values())):
            raise WeightsError(
                f"{path}: layer {brief(step.name)}: expected hard_sigmoid and hard_silu of Keras 3, received those of "
                f"Keras {brief(version, quote=False) or 'that the file does not state'}, which computes them otherwise"
            )
    return network


def _version(path: Path, file: "h5py.File", content: Content) -> str:
    """Of Keras, that wrote the file; nothing where it does not say so."""
    if content.metadata is None:
        return text(file.attrs.get("keras_version", ""))
    try:
        metadata = json.loads(content.metadata)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: expected metadata.json in JSON: {one_line(error)}") from error
    return str(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""


def _legacy_config(path: Path, file: "h5py.File") -> str | None:
    """The config of a whole model in a Keras 2 file, None for weights alone."""
    config = file.attrs.get("model_config")
    if config is not None and not isinstance(config, str | bytes):
        raise WeightsError(f"{path}: expected model_config as a text, received {brief(config)}")
    return None if config is None else text(config)


def _read_network(path: Path, config: bytes | str) -> SavedNetwork:
    if len(config) > MAX_CONFIG_BYTES:
        raise WeightsError(f"{path}: expected a config of at most {MAX_CONFIG_BYTES} bytes, received {len(config)}")
    try:
        return read_network(config)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if sorted(names) != sorted(MEMBERS):
        raise WeightsError(f"{path}: expected the members {sorted(MEMBERS)}, received {brief(sorted(names))}")
    for member in members:
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise WeightsError(
                f"{path}: expected {member.filename} stored or deflated, received it otherwise or encrypted"
            )
        if member.file_size > min(MAX_MEMBER_BYTES, MAX_RATIO * max(member.compress_size, 1) + 65536):
            raise WeightsError(
                f"{path}: expected {member.filename} of a plausible size, received {member.file_size} bytes"
            )
