"""`hbac weights import`: a Keras file to a `.safetensors` file and, where it is no family of ours, its graph's file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hbac.errors import InputError, WeightsError
from hbac.network.families import whole_graph
from hbac.network.graph import Graph, Tensors
from hbac.network.settings import NetworkSettings
from hbac.weights.graph_files import ENDING, graph_text, read_graph, write_graph
from hbac.weights.keras_content import saved_network
from hbac.weights.keras_files import import_weights
from hbac.weights.keras_import import import_model
from hbac.weights.keras_match import names_of_ours
from hbac.weights.tensors import write_safetensors

FULL_WIDTH = 64  # of ResNet50 itself
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Found:
    """What a file holds."""

    tensors: Tensors
    what: str  # for people
    graph: Graph | None = None  # of a network that is none of our families


def import_file(
    source: Path,
    output: Path,
    width: int | None = None,
    head: bool = True,
    graph_file: Path | None = None,
    dtype: type = np.float32,
) -> str:
    """Write what a Keras file holds; a line that says what it was.

    Args:
        source: `.keras`, `.weights.h5` or `.h5`.
        output: a name ending in `.safetensors`.
        width: of ResNet50, which it then has to be; None for any network that a whole model says.
        head: False for a backbone without the layer of logits.
        graph_file: where the graph goes; None for beside `output`. One that is there has to hold the same graph.
        dtype: of the tensors, float32 or float16.

    Raises:
        WeightsError: the file is not one that can be read, or another network than it has to be.
        InputError: a name ends otherwise.
        OutputError: a file cannot be written.
    """
    if output.suffix != SUFFIX:
        raise WeightsError(f"{output}: expected a name ending in {SUFFIX}")
    place = graph_file or output.with_name(output.name.removesuffix(SUFFIX) + ENDING)
    if not place.name.endswith(ENDING):
        raise InputError(f"--graph: expected a name ending in {ENDING}, received {place}")
    found = _found(source, width, head)
    if found.graph is None:
        write_safetensors(output, found.tensors, dtype)
        return f"{output}: {len(found.tensors)} tensors, {found.what}"
    _write_graph(place, found.graph)
    write_safetensors(output, found.tensors, dtype)
    return f"{output}: {len(found.tensors)} tensors, {found.what}; {place}: {len(found.graph.layers)} layers"


def _found(source: Path, width: int | None, head: bool) -> Found:
    if width is not None or not head:
        settings = NetworkSettings(width=width or FULL_WIDTH)
        return Found(import_weights(source, settings, head), f"resnet50 of width {settings.width}")
    ours = _width_of_ours(source)
    if ours is not None:
        return Found(import_weights(source, NetworkSettings(width=ours)), f"resnet50 of width {ours}")
    imported = import_model(source)
    return Found(imported.tensors, "a network of its own", imported.graph)


def _width_of_ours(source: Path) -> int | None:
    """The width of the ResNet50 that a file holds, None for a whole model of another network.

    Weights alone do not say what they belong to: they have to be those of ResNet50.
    """
    network = saved_network(source)
    if network is None:
        return FULL_WIDTH
    widths = [step.layer["filters"] for step in network.steps.values() if step.kind == "Conv2D"]
    if not widths:
        return None
    try:
        names_of_ours(whole_graph(NetworkSettings(width=widths[0])), network)
    except (WeightsError, InputError):
        return None
    return int(widths[0])


def _write_graph(place: Path, graph: Graph) -> None:
    if place.exists() and graph_text(read_graph(place)) != graph_text(graph):
        raise WeightsError(
            f"{place}: expected the same network as that of a fold imported before, received another; "
            "--graph names another file"
        )
    write_graph(place, graph)
