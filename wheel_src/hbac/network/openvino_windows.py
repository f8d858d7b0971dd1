"""Converters of kinds with a window: convolutions, poolings, and those that change the size of a map."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from hbac.network.graph import Layer
from hbac.network.openvino_values import FIRST, Conversion, Made, Value


def _conv(to: Conversion, layer: Layer, value: Value) -> Made:
    kernel = _channels_first(to.tensor(layer, "kernel"))
    return _biased(to, layer, _convolved(to, layer, value.first(), kernel, layer["groups"])), FIRST


def _depthwise(to: Conversion, layer: Layer, value: Value) -> Made:
    return _biased(to, layer, _by_channel(to, layer, value, "kernel")), FIRST


def _separable(to: Conversion, layer: Layer, value: Value) -> Made:
    x = _by_channel(to, layer, value, "depthwise_kernel")
    kernel = to.constant(_channels_first(to.tensor(layer, "pointwise_kernel")))
    ones, zeros = [1] * (value.rank - 2), [0] * (value.rank - 2)
    return _biased(to, layer, to.ops.convolution(x, kernel, ones, zeros, zeros, ones)), FIRST


def _channels_first(kernel: Any) -> Any:
    """(*window, in, out) to (out, in, *window)."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def _by_channel(to: Conversion, layer: Layer, value: Value, part: str) -> Any:
    """Each channel alone through `depth_multiplier` windows."""
    kernel = np.moveaxis(to.tensor(layer, part), (-2, -1), (0, 1))  # (channels, multiplier, *window)
    channels, multiplier, *window = kernel.shape
    return _convolved(to, layer, value.first(), kernel.reshape(channels * multiplier, 1, *window), channels)


def _convolved(to: Conversion, layer: Layer, x: Any, kernel: Any, groups: int) -> Any:
    """x (1, in, ...) with a kernel (out, in / groups, *window)."""
    begins, ends = _begins_and_ends(to, layer)
    window = list(layer["strides"]), begins, ends, list(layer["dilation_rate"])
    if groups == 1:
        return to.ops.convolution(x, to.constant(kernel), *window)
    kernel = kernel.reshape(groups, -1, *kernel.shape[1:])
    return to.ops.group_convolution(x, to.constant(kernel), *window)


def _begins_and_ends(to: Conversion, layer: Layer) -> tuple[list[int], list[int]]:
    pairs = to.paddings[layer.name]
    return [begin for begin, _ in pairs], [end for _, end in pairs]


def _biased(to: Conversion, layer: Layer, x: Any) -> Any:
    bias, axes = to.tensor(layer, "bias"), len(layer["kernel_size"])
    return x if bias is None else to.ops.add(x, to.constant(bias.reshape(1, -1, *[1] * axes)))


def _max_pool(to: Conversion, layer: Layer, value: Value) -> Made:
    begins, ends = _begins_and_ends(to, layer)
    size, ones = list(layer["pool_size"]), [1] * len(begins)
    return to.ops.max_pool(value.first(), list(layer["strides"]), ones, begins, ends, size).output(0), FIRST


def _average_pool(to: Conversion, layer: Layer, value: Value) -> Made:
    """The padding is no part of a mean, as in TensorFlow."""
    begins, ends = _begins_and_ends(to, layer)
    return to.ops.avg_pool(value.first(), list(layer["strides"]), begins, ends, list(layer["pool_size"]), True), FIRST


def _global(operation: str) -> Callable[..., Made]:
    def convert(to: Conversion, layer: Layer, value: Value) -> Made:
        axes = np.array([value.axis(axis) for axis in range(1, value.rank - 1)])
        return getattr(to.ops, operation)(value.node, axes, keep_dims=layer["keepdims"]), value.channels_first

    return convert


def _zero_padding(to: Conversion, layer: Layer, value: Value) -> Made:
    """Nothing where the layers behind it take it over, see `paddings`."""
    pairs = to.paddings[layer.name]
    if any(map(any, pairs)):
        begins, ends = zip(*value.ordered([(0, 0), *pairs, (0, 0)]))
        zero = to.ops.constant(np.float32(0))
        return to.ops.pad(value.node, np.array(begins), np.array(ends), "constant", zero), value.channels_first
    return value.node, value.channels_first


def _repeated(to: Conversion, layer: Layer, value: Value) -> Made:
    factors = layer["size"] if isinstance(layer["size"], tuple) else (layer["size"],)
    if layer.arguments.get("interpolation") == "bilinear":
        return _interpolated(to, layer, value)
    places = [np.repeat(np.arange(size or 0), factor) for size, factor in zip(value.shape[1:-1], factors)]
    return _taken(to, value, places), value.channels_first


def _resized(to: Conversion, layer: Layer, value: Value) -> Made:
    if layer["interpolation"] == "bilinear":
        return _interpolated(to, layer, value)
    sizes = zip(value.shape[1:-1], to.shapes[layer.name][1:-1])
    return _taken(to, value, [_nearest(*size) for size in sizes]), value.channels_first


def _nearest(old: int, new: int) -> Any:
    """Which places TensorFlow takes, in its own precision (`resize_nearest_neighbor_op.cc`, half_pixel_centers)."""
    scale = np.float32(old) / np.float32(new)
    places = np.floor((np.arange(new, dtype=np.float32) + np.float32(0.5)) * scale)
    return np.minimum(places.astype(np.int64), old - 1)


def _taken(to: Conversion, value: Value, places: list[Any]) -> Any:
    """Places along each axis between batch and channels."""
    node = value.node
    for axis, some in enumerate(places, start=1):
        node = to.ops.gather(node, to.ops.constant(some), np.array(value.axis(axis)))
    return node


def _interpolated(to: Conversion, layer: Layer, value: Value) -> Made:
    """Bilinear between the centres of pixels, not smoothed where it gets smaller."""
    sizes, axes = np.array(to.shapes[layer.name][1:3]), np.array([2, 3])
    x = to.ops.interpolate(
        value.first(), sizes, "linear_onnx", "sizes", coordinate_transformation_mode="half_pixel", axes=axes
    )
    return x, FIRST


WINDOWS: Final[Mapping[str, Callable[..., Made]]] = {
    **dict.fromkeys(("Conv1D", "Conv2D"), _conv),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D"), _max_pool),
    **dict.fromkeys(("AveragePooling1D", "AveragePooling2D"), _average_pool),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalAveragePooling2D"), _global("reduce_mean")),
    **dict.fromkeys(("GlobalMaxPooling1D", "GlobalMaxPooling2D"), _global("reduce_max")),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _zero_padding),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), _repeated),
    "Resizing": _resized,
}
