"""Batch normalisation folded into the layer before it, found by the graph's structure, not by names."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from hbac.network.graph import Graph, Tensors
from hbac.network.shape_inference import BN_PARTS

# Kinds that give kernel * x + bias, channels last, and which of their tensors comes last before the sum.
FOLDABLE = {
    **dict.fromkeys(("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "Dense"), "kernel"),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), "pointwise_kernel"),
}


def without_batch_norm(graph: Graph) -> Graph:
    """The graph without the normalisation layers that can be folded: their users take the layer before."""
    before = _folded_into(graph)
    with_bias = set(before.values())
    layers = (
        replace(
            layer,
            inputs=tuple(before.get(name, name) for name in layer.inputs),
            arguments={**layer.arguments, "use_bias": True} if layer.name in with_bias else layer.arguments,
        )
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
    before = {graph.by_name[norm].owner: graph.by_name[layer].owner for norm, layer in _folded_into(graph).items()}
    folded = {
        name: np.asarray(tensor, np.float32) for name, tensor in tensors.items() if name.rsplit("/", 1)[0] not in before
    }
    for norm, layer in before.items():
        kind = graph.by_name[layer].kind
        gamma, beta, mean, variance = (_float64(tensors.get(f"{norm}/{part}")) for part in BN_PARTS)
        scale = (1.0 if gamma is None else gamma) / np.sqrt(variance + graph.by_name[norm]["epsilon"])
        kernel, bias = tensors[f"{layer}/{FOLDABLE[kind]}"], tensors.get(f"{layer}/bias", np.float64(0))
        of_kernel = scale.reshape(kernel.shape[-2:]) if kind.startswith("Depthwise") else scale
        folded[f"{layer}/{FOLDABLE[kind]}"] = (kernel * of_kernel).astype(np.float32)
        folded[f"{layer}/bias"] = ((bias - mean) * scale + (0.0 if beta is None else beta)).astype(np.float32)
    return without_batch_norm(graph), folded


def _float64(tensor: Any) -> Any:
    return None if tensor is None else np.asarray(tensor, np.float64)


def _folded_into(graph: Graph) -> dict[str, str]:
    """Names of the normalisations that can be folded, and of the layers that take them up.

    Layers that share tensors are folded together or not at all.
    """
    found = {}
    for layer in graph.layers:
        if layer.kind == "BatchNormalization":
            (before,) = layer.inputs
            if graph.by_name[before].kind in FOLDABLE and graph.users[before] == [layer.name]:
                found[layer.name] = before
    users: dict[str, int] = Counter(layer.owner for layer in graph.layers)
    pairs = Counter((graph.by_name[norm].owner, graph.by_name[before].owner) for norm, before in found.items())
    return {
        norm: before
        for norm, before in found.items()
        for pair in [(graph.by_name[norm].owner, graph.by_name[before].owner)]
        if pairs[pair] == users[pair[0]] == users[pair[1]]
    }
