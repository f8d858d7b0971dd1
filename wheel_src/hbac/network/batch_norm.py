"""Batch normalisation folded into the layer before it, found by the graph's structure, not by names."""

from dataclasses import replace

import numpy as np

from hbac.network.graph import Graph, Tensors
from hbac.network.shape_inference import BN_PARTS

FOLDABLE = ("Conv2D", "Dense")  # kinds that give kernel * x + bias, channels last


def without_batch_norm(graph: Graph) -> Graph:
    """The graph without the normalisation layers that can be folded: their users take the layer before."""
    before = _folded_into(graph)
    layers = (
        replace(layer, inputs=tuple(before.get(name, name) for name in layer.inputs))
        for layer in graph.layers
        if layer.name not in before
    )
    return Graph(graph.name, tuple(layers))


def fold_batch_norm(graph: Graph, tensors: Tensors) -> tuple[Graph, Tensors]:
    """A graph without normalisation, and tensors with which it computes the same: k * g/s, (b - mean) * g/s + beta.

    With s = sqrt(variance + epsilon) (Ioffe and Szegedy 2015, arXiv:1502.03167). A normalisation that is not alone
    behind a convolution or a dense layer stays in the graph.

    Args:
        graph: the network.
        tensors: its tensors, floats of any precision, by the names of `tensor_shapes`.

    Returns:
        `without_batch_norm(graph)` and its tensors, computed in float64, float32.
    """
    before = _folded_into(graph)
    folded = {
        name: np.asarray(tensor, np.float32) for name, tensor in tensors.items() if name.rsplit("/", 1)[0] not in before
    }
    for norm, layer in before.items():
        gamma, beta, mean, variance = (np.asarray(tensors[f"{norm}/{part}"], np.float64) for part in BN_PARTS)
        scale = gamma / np.sqrt(variance + graph.by_name[norm]["epsilon"])
        kernel, bias = tensors[f"{layer}/kernel"], tensors[f"{layer}/bias"]
        folded[f"{layer}/kernel"] = (kernel * scale).astype(np.float32)
        folded[f"{layer}/bias"] = ((bias - mean) * scale + beta).astype(np.float32)
    return without_batch_norm(graph), folded


def _folded_into(graph: Graph) -> dict[str, str]:
    """Names of the normalisations that can be folded, and of the layers that take them up."""
    found = {}
    for layer in graph.layers:
        if layer.kind == "BatchNormalization":
            (before,) = layer.inputs
            if graph.by_name[before].kind in FOLDABLE and graph.users[before] == [layer.name]:
                found[layer.name] = before
    return found
