"""Converters of kinds that compute with numbers as they lie: dense, normalisations, activations, arithmetic."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final

import numpy as np

from hbac.network.graph import Layer
from hbac.network.openvino_activations import ACTIVATIONS, FUNCTIONS, leaky
from hbac.network.openvino_values import FIRST, LAST, Conversion, Made, Value, alike, number_by_number


def _dense(to: Conversion, layer: Layer, value: Value) -> Made:
    product = to.ops.matmul(value.last(), to.constant(to.tensor(layer, "kernel")), False, False)
    bias = to.tensor(layer, "bias")
    return product if bias is None else to.ops.add(product, to.constant(bias[None])), LAST


def _batch_norm(to: Conversion, layer: Layer, value: Value) -> Made:
    mean, variance = (to.tensor(layer, f"moving_{part}").astype(np.float64) for part in ("mean", "variance"))
    gamma, beta = to.tensor(layer, "gamma"), to.tensor(layer, "beta")
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variance + layer["epsilon"])
    shift = (0.0 if beta is None else beta) - mean * scale
    return to.scaled(value, value.node, scale, shift), value.channels_first


def _layer_norm(to: Conversion, layer: Layer, value: Value) -> Made:
    axes = np.array([axis % value.rank for axis in layer["axis"]])  # the last ones
    x = _normalised(to, layer, value.last(), axes)
    gamma, beta = to.tensor(layer, "gamma"), to.tensor(layer, "beta")
    x = x if gamma is None else to.ops.multiply(x, to.constant(gamma))
    return x if beta is None else to.ops.add(x, to.constant(beta)), LAST


def _group_norm(to: Conversion, layer: Layer, value: Value) -> Made:
    """Channels first, so that those of a group lie together."""
    sizes, channels = value.shape[1:-1], value.shape[-1]
    groups = channels if layer["groups"] == -1 else layer["groups"]
    x = to.ops.reshape(value.first(), np.array([1, groups, -1]), False)
    x = _normalised(to, layer, x, np.array([2]))
    x = to.ops.reshape(x, np.array([1, channels, *sizes]), False)
    return to.scaled(_first(to, value), x, to.tensor(layer, "gamma"), to.tensor(layer, "beta")), FIRST


def _first(to: Conversion, value: Value) -> Value:
    return Value(to.ops, value.first(), value.shape, FIRST)


def _normalised(to: Conversion, layer: Layer, x: Any, axes: Any) -> Any:
    """To mean 0 and variance 1 over axes."""
    return to.ops.mvn(x, to.ops.constant(axes), True, layer["epsilon"], "inside_sqrt")


def _activation(to: Conversion, layer: Layer, value: Value) -> Made:
    if layer["activation"] == "softmax":
        return _softmax(to, layer, value)
    return ACTIVATIONS[layer["activation"]](to.ops, value.node), value.channels_first


def _softmax(to: Conversion, layer: Layer, value: Value) -> Made:
    """Over the channels."""
    return to.ops.softmax(value.node, value.axis(-1)), value.channels_first


def _relu(ops: Any, layer: Layer, x: Any) -> Any:
    """Step by step as `keras.activations.relu` computes it."""
    highest, slope, threshold = (layer[name] for name in ("max_value", "negative_slope", "threshold"))
    if slope and highest is None and not threshold:
        return leaky(ops, x, slope)
    if threshold:
        level = ops.constant(np.float32(threshold))
        above = ops.multiply(x, ops.convert(ops.greater(x, level), np.float32))
    else:
        level, above = ops.constant(np.float32(0)), ops.relu(x)
    if highest is not None:
        above = ops.clamp(above, 0.0, highest)
    if not slope:
        return above
    return ops.subtract(above, ops.multiply(ops.relu(ops.subtract(level, x)), np.float32(slope)))


def _prelu(to: Conversion, layer: Layer, value: Value) -> Made:
    alpha = to.tensor(layer, "alpha")[None]  # (1, ..., channels), 1 where places share
    slope = to.constant(alpha.transpose(value.ordered(range(value.rank))))
    below = to.ops.multiply(to.ops.relu(to.ops.negative(value.node)), slope)
    return to.ops.subtract(to.ops.relu(value.node), below), value.channels_first


def _rescaled(ops: Any, layer: Layer, x: Any) -> Any:
    return ops.add(ops.multiply(x, np.float32(layer["scale"])), np.float32(layer["offset"]))


def _merged(operation: str) -> Callable[..., Made]:
    def convert(to: Conversion, layer: Layer, *values: Value) -> Made:
        nodes, channels_first = alike(values)
        return reduce(getattr(to.ops, operation), nodes), channels_first

    return convert


def _average(to: Conversion, layer: Layer, *values: Value) -> Made:
    total, channels_first = _merged("add")(to, layer, *values)
    return to.ops.divide(total, np.float32(len(values))), channels_first


def _reduced(to: Conversion, layer: Layer, value: Value) -> Made:
    axes = np.array([value.axis(axis) for axis in layer["axes"]])
    node = getattr(to.ops, f"reduce_{layer['function']}")(value.node, axes, keep_dims=layer["keepdims"])
    gone = value.rank - 1 in layer["axes"] and not layer["keepdims"]  # the channels: what is left is in its order
    return node, value.channels_first and not gone


def _similarity(to: Conversion, layer: Layer, one: Value, two: Value) -> Made:
    ops, a, b = to.ops, one.last(), two.last()
    axis, epsilon = np.array([one.rank - 1]), np.float32(layer["epsilon"])
    aa, bb, ab = (ops.reduce_sum(ops.multiply(*pair), axis, keep_dims=True) for pair in ((a, a), (b, b), (a, b)))
    return ops.divide(ab, ops.sqrt(ops.multiply(ops.add(aa, epsilon), ops.add(bb, epsilon)))), LAST


NUMBERS: Final[Mapping[str, Callable[..., Made]]] = {
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "Activation": _activation,
    "ReLU": number_by_number(_relu),
    "LeakyReLU": number_by_number(lambda ops, layer, x: leaky(ops, x, layer["negative_slope"])),
    "ELU": number_by_number(lambda ops, layer, x: ops.elu(x, layer["alpha"])),
    "PReLU": _prelu,
    "Softmax": _softmax,
    "Rescaling": number_by_number(_rescaled),
    "Function": number_by_number(lambda ops, layer, x: FUNCTIONS[layer["function"]](ops, x)),
    "Dropout": number_by_number(lambda ops, layer, x: x),
    "Add": _merged("add"),
    "Subtract": _merged("subtract"),
    "Multiply": _merged("multiply"),
    "Divide": _merged("divide"),
    "Maximum": _merged("maximum"),
    "Minimum": _merged("minimum"),
    "Average": _average,
    "Reduce": _reduced,
    "Similarity": _similarity,
}
