"""Weights in and out of Keras's own files, without ever deserialising a config.

In: `.keras` (a zip with `model.weights.h5`), `.weights.h5` (Keras 3), legacy `.h5` (Keras 2 and ImageNet's). A whole
model's config is read as plain JSON, and its network has to be ours; then only HDF5 data sets are read, after a look at
what the file claims to hold. Out: a `.keras` file that plain Keras loads.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hbac.errors import WeightsError, brief
from hbac.files import write_atomically
from hbac.network.families import (
    ImageNetFile,
    OutdatedFile,
    backbone_graph,
    build,
    family_named,
    is_preprocessing,
    whole_graph,
)
from hbac.network.graph import Graph, Tensors
from hbac.network.settings import HEAD, Network, NetworkSettings
from hbac.network.shape_inference import TensorShapes, tensor_shapes
from hbac.weights.keras_content import content_of, network_of, opened
from hbac.weights.keras_hdf5 import Layer, is_legacy, legacy_layers, legacy_names, numbered_layers
from hbac.weights.keras_match import names_of_ours
from hbac.weights.saved_network import SavedNetwork
from hbac.weights.tensors import LISTED, check_finite, compare_shapes, set_weights
from hbac.weights.weights_alone import check_order, check_weightless, with_head_named

if TYPE_CHECKING:
    import h5py

OF_NORMALIZATION = {"mean": "moving_mean", "variance": "moving_variance"}


def import_weights(path: Path, settings: NetworkSettings, head: bool = True) -> Tensors:
    """Tensors of a Keras file by our names.

    Args:
        path: a `.keras` or whole-model `.h5` file, whose network has to be this one: every layer, argument and
            connection, models within the model taken apart, names free, ending in the classes' probabilities or in
            logits. Or weights alone, `.weights.h5` and `.h5`, which state less: names, shapes and order have to be
            ours, the head may have any name. A mixed precision is computed in float32.
        settings: the network that the weights are for.
        head: False for a backbone without the layer of logits, as ImageNet's "notop" file, for images of any size.

    Returns:
        Names to float32 arrays, as `families.shapes` has them.

    Raises:
        WeightsError: not such a file, or another network; the first place that differs is named.
    """
    content = content_of(path)
    imagenet = family_named(settings.family).imagenet
    outdated = imagenet.outdated if imagenet else None
    if imagenet and outdated and hashlib.md5(content.hdf5, usedforsecurity=False).hexdigest().startswith(outdated.md5):
        raise _outdated(path, imagenet, outdated)
    settings = replace(settings, dropout=0.0)
    graph = whole_graph(settings) if head else backbone_graph(settings)
    with opened(path, content) as file:
        if is_legacy(file):
            _refuse_outdated(path, legacy_names(file), imagenet)
        network = network_of(path, file, content)
        layers = _named_layers(path, file, graph, network) if network else _layers_alone(path, file, settings, graph)
        _refuse_outdated(path, (name for name, _ in layers), imagenet)
        tensors = arrays_of(path, layers, tensor_shapes(graph))
        if network is None:
            check_order(path, layers, graph)
        return tensors


def _named_layers(path: Path, file: "h5py.File", graph: Graph, network: SavedNetwork) -> list[Layer]:
    """Layers of a whole file that hold weights, under our names."""
    try:
        ours = names_of_ours(graph, network, any_size=HEAD not in graph.by_name)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    return layers_of(path, file, network, ours)


def _layers_alone(path: Path, file: "h5py.File", settings: NetworkSettings, graph: Graph) -> list[Layer]:
    """Layers of weights alone that hold some, whose names say which of ours they are."""
    layers = list(legacy_layers(path, file) if is_legacy(file) else numbered_layers(path, file, {}))
    if is_legacy(file):
        layers = [_of_keras_2(name, parts, graph) for name, parts in layers]
    layers = [(name, _of_its_kind(graph, name, parts)) for name, parts in layers]
    if HEAD in graph.by_name:
        layers = with_head_named(layers, graph)
    else:
        layers = [layer for layer in layers if not is_preprocessing(layer[0], settings)]
    trained = whole_graph(replace(settings, dropout=0.5))
    dropped = {layer.name for layer in trained.layers if layer.kind == "Dropout"}
    check_weightless(path, [(name, parts) for name, parts in layers if parts or name not in dropped], graph)
    return [(name, parts) for name, parts in layers if parts]


def _of_keras_2(name: str, parts: dict[str, Any], graph: Graph) -> Layer:
    """A layer under the names of Keras 3: none has a slash, and a depthwise kernel is a kernel."""
    name = name.replace("/", "_")
    if name in graph.by_name and graph.by_name[name].kind.startswith("Depthwise"):
        parts = {"kernel" if part == "depthwise_kernel" else part: data for part, data in parts.items()}
    return name, parts


def _of_its_kind(graph: Graph, name: str, parts: dict[str, Any]) -> dict[str, Any]:
    """Numbered variables by the names that the kind of our layer has for them, where two kinds have as many."""
    if name in graph.by_name and graph.by_name[name].kind == "LayerNormalization" and set(parts) == {"kernel", "bias"}:
        return {"gamma": parts["kernel"], "beta": parts["bias"]}
    return parts


def layers_of(path: Path, file: "h5py.File", network: SavedNetwork, names: Mapping[str, str]) -> list[Layer]:
    """Layers of a whole file that hold weights, by the names that its steps have in a graph of ours."""
    if not is_legacy(file):
        found: dict[str, dict[str, Any]] = {}
        for name, parts in numbered_layers(path, file, network.places):
            found.setdefault(name, {}).update(parts)
        return [(names.get(name, name), parts) for name, parts in found.items() if parts]
    layers = [layer for layer in legacy_layers(path, file) if layer[1]]  # stated without the models around it
    _check_listed(path, [name for name, _ in layers], network)
    within = {place.layer.rsplit("/")[-1]: place.layer for place in network.places.values()}
    steps = [(within.get(name, name), parts) for name, parts in layers]
    return [(names.get(name, name), _in_our_words(network, name, parts)) for name, parts in steps]


def _in_our_words(network: SavedNetwork, name: str, parts: dict[str, Any]) -> dict[str, Any]:
    """Variables of a legacy file by our names."""
    step = network.steps.get(name)
    if name in network.deviations:
        return {OF_NORMALIZATION[part]: data for part, data in parts.items() if part in OF_NORMALIZATION}
    if step and step.kind.startswith("Depthwise"):
        return {"kernel" if part == "depthwise_kernel" else part: data for part, data in parts.items()}
    return parts


def _check_listed(path: Path, received: list[str], network: SavedNetwork) -> None:
    """Keras 2 and 3 load a legacy file by order: of layers, and in a model within the model trainable ones first."""
    stated = [name.rsplit("/")[-1] for top in network.order for name, _ in sorted(top, key=lambda one: not one[1])]
    expected = [name for name in stated if name in set(received)]
    moved = [f"{a} (found {b})" for a, b in zip(expected, received, strict=False) if a != b]
    if moved or len(expected) != len(received):
        raise WeightsError(
            f"{path}: expected layers in the order of the file's config, others stand at {moved[:LISTED]}"
        )


def export_keras(tensors: Tensors, settings: Network, path: Path) -> None:
    """Write a fold as a `.keras` file: plain `keras.models.load_model(path)` gives the network with its probabilities.

    Raises:
        WeightsError: the name does not end in `.keras`, or the tensors are not those of the network.
        OutputError: the file cannot be written.
    """
    if path.suffix != ".keras":
        raise WeightsError(f"{path}: expected a name ending in .keras")
    import tempfile

    model = build(settings)
    set_weights(model, tensors)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "model.keras"
        model.save(whole)
        write_atomically(path, whole.read_bytes())


def _outdated(path: Path, imagenet: ImageNetFile, outdated: OutdatedFile) -> WeightsError:
    return WeightsError(
        f"{path}: expected the ImageNet file with layers {imagenet.example} (MD5 {imagenet.md5}), "
        f"received the older file of the same name with layers {outdated.example}, whose network differs"
    )


def _refuse_outdated(path: Path, layers: Iterable[str], imagenet: ImageNetFile | None) -> None:
    if imagenet and imagenet.outdated and any(map(imagenet.outdated.layers.search, layers)):
        raise _outdated(path, imagenet, imagenet.outdated)


def arrays_of(path: Path, layers: list[Layer], expected: TensorShapes) -> Tensors:
    """The values of layers' variables, which have to be exactly the expected ones, float32.

    Raises:
        WeightsError: names, shapes, types or values are others.
    """
    names = [name for name, _ in layers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise WeightsError(f"{path}: expected each layer once, received twice: {brief(twice)}")
    arrays = {f"{name}/{variable}": data for name, parts in layers for variable, data in parts.items()}
    for name, data in arrays.items():
        if getattr(data, "shape", None) is None or data.dtype.kind != "f":
            raise WeightsError(f"{path}: expected an array of floats at {brief(name)}, received {brief(data)}")
    compare_shapes(path, expected, {name: data.shape for name, data in arrays.items()})
    with np.errstate(over="ignore"):  # of float64; what became infinite is named below
        tensors = {name: np.asarray(arrays[name][()], np.float32) for name in expected}
    check_finite(path, tensors)
    return tensors
