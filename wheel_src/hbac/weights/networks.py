"""A network in a manifest: a family and its numbers, or the file of a graph with its digest."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from hbac.errors import WeightsError
from hbac.files import sha256_of
from hbac.network.settings import RESNET50, ImportedNetwork, Network
from hbac.preprocessing.preset import Preset
from hbac.weights.graph_files import read_graph
from hbac.weights.keras_import import check_sizes


@dataclass(frozen=True)
class GraphFile:
    """The file of a graph as a manifest states it."""

    file: str  # relative to the manifest, at most one folder down
    sha256: str
    input_shape: tuple[int, ...]


def with_graph(stated: GraphFile, folder: Path) -> ImportedNetwork:
    """The network of a graph's file, at its stated place or beside the manifest, as a Kaggle data set lays it.

    Raises:
        WeightsError: there is no such file, it was changed, is no graph, or its inputs have another shape.
    """
    path = graph_path(stated.file, folder)
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{path}: expected a file that can be read: {error.strerror}") from error
    if digest != stated.sha256:
        raise WeightsError(f"{path}: expected SHA-256 {stated.sha256}, received {digest}: the graph was changed")
    return imported_network(path, stated.input_shape, stated)


def graph_path(file: str, folder: Path) -> Path:
    """Where a graph's file lies that a manifest in `folder` names; raises WeightsError as `with_graph`."""
    places = [folder / file, folder / PurePosixPath(file).name]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise WeightsError(f"{places[0]}: expected the graph of a network, found none")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise WeightsError(f"{path}: expected a file inside {folder}, received a link out of it")
    return path


def imported_network(path: Path, input_shape: tuple[int, ...], stated: GraphFile) -> ImportedNetwork:
    """The network of a graph's file for inputs of a shape.

    Raises:
        WeightsError: it is no graph, or takes others.
    """
    graph = read_graph(path)
    try:
        check_sizes(graph, input_shape)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    return ImportedNetwork(graph, input_shape, stated.file, stated.sha256)


def network_of_graph(path: Path, folder: Path, preprocessing: Preset) -> ImportedNetwork:
    """A graph's file as a new manifest in `folder` names it.

    Raises:
        WeightsError: it lies elsewhere, is no graph, or takes other inputs than the preprocessing makes.
    """
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise WeightsError(f"{path}: expected a file inside {folder.resolve()}")
    file = path.resolve().relative_to(folder.resolve()).as_posix()
    return imported_network(path, preprocessing.shape, GraphFile(file, sha256_of(path), preprocessing.shape))


def moved(network: Network, subfolder: str) -> Network:
    """A network whose graph's file lies in a folder beside the manifest."""
    if isinstance(network, ImportedNetwork):
        return replace(network, file=f"{subfolder}/{PurePosixPath(network.file).name}")
    return network


def network_document(network: Network) -> dict[str, Any]:
    """A network as a manifest states it: its family where it is not ResNet50, or its graph's file."""
    if isinstance(network, ImportedNetwork):
        return {"graph": network.file, "sha256": network.sha256, "input_shape": list(network.input_shape)}
    stated = {"width": network.width, "input_shape": list(network.input_shape)}
    return stated if network.family == RESNET50 else {**stated, "family": network.family}
