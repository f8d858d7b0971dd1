"""Convolutions in groups of channels as what they are made of: slices, a convolution each, and a concatenation."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from hbac.network.graph import Graph, Layer, Tensors
from hbac.network.shape_inference import output_shapes

EVERYTHING = (None, None, None)  # a slice


def without_groups(graph: Graph, tensors: Tensors) -> tuple[Graph, Tensors]:
    """A graph that computes the same without an argument `groups`, and its tensors."""
    sizes = output_shapes(graph)
    layers: list[Layer] = []
    split = dict(tensors)
    for layer in graph.layers:
        if layer.arguments.get("groups", 1) == 1 or not layer.kind.startswith("Conv"):
            layers.append(layer)
            continue
        layers += _in_parts(layer, sizes[layer.inputs[0]][-1] or 0, len(sizes[layer.inputs[0]]))
        if layer.shares is None:
            split |= _tensors_in_parts(layer, split.pop(f"{layer.name}/kernel"), split.pop(f"{layer.name}/bias", None))
    return Graph(graph.name, tuple(layers)), split


def _in_parts(layer: Layer, channels: int, axes: int) -> Iterator[Layer]:
    groups, name = layer["groups"], layer.name
    each, arguments = channels // groups, {**layer.arguments, "groups": 1, "filters": layer["filters"] // groups}
    for i in range(groups):
        some = (*[EVERYTHING] * (axes - 2), (i * each, (i + 1) * each, None))
        yield Layer(f"{name}.slice{i}", "Slice", {"slices": some}, layer.inputs)
        shares = f"{layer.shares}.group{i}" if layer.shares else None
        part = replace(layer, name=f"{name}.group{i}", arguments=arguments, inputs=(f"{name}.slice{i}",), shares=shares)
        yield part
    yield Layer(name, "Concatenate", {"axis": -1}, tuple(f"{name}.group{i}" for i in range(groups)))


def _tensors_in_parts(layer: Layer, kernel: Any, bias: Any) -> Tensors:
    groups = layer["groups"]
    parts: Tensors = {f"{layer.name}.group{i}/kernel": one for i, one in enumerate(np.split(kernel, groups, axis=-1))}
    biases = [] if bias is None else np.split(bias, groups)
    return parts | {f"{layer.name}.group{i}/bias": one for i, one in enumerate(biases)}
