"""Of each kind of layer the shape that it gives and the tensors that it has: a row a kind in `ROWS`.

Tensors come in the order in which Keras lists the weights of such a layer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hbac.errors import InputError
from hbac.network.arguments import MAX_AXES
from hbac.network.graph import Layer
from hbac.network.shape_changes import (
    broadcast,
    copied,
    cropped,
    flat,
    joined,
    padded,
    permuted,
    pooled,
    pooled_whole,
    reduced,
    repeated,
    reshaped,
    resized,
    similarity,
    sliced,
)
from hbac.network.shape_parts import Shape, TensorShapes, all_known, channels_of, known, windowed

BN_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")


def _input(layer: Layer) -> Shape:
    return tuple(layer["batch_shape"])


def _like_its_input(layer: Layer, shape: Shape) -> Shape:
    return shape


def _convolved(layer: Layer, shape: Shape, filters: int) -> Shape:
    if max(layer["strides"]) > 1 and max(layer["dilation_rate"]) > 1:
        raise InputError(f"layer {layer.name}: expected strides or a dilation_rate above 1, received both")
    return (shape[0], *windowed(layer, shape, "kernel_size", "dilation_rate"), filters)


def _conv(layer: Layer, shape: Shape) -> Shape:
    channels, groups = known(layer, shape, len(layer["kernel_size"]) + 2), layer["groups"]
    if channels % groups or layer["filters"] % groups:
        raise InputError(
            f"layer {layer.name}: expected channels and filters that {groups} groups divide, received {shape}"
        )
    return _convolved(layer, shape, layer["filters"])


def _with_bias(layer: Layer, tensors: TensorShapes, units: int) -> TensorShapes:
    return {**tensors, "bias": (units,)} if layer["use_bias"] else tensors


def _conv_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    filters, channels = layer["filters"], shape[-1] or 0
    return _with_bias(layer, {"kernel": (*layer["kernel_size"], channels // layer["groups"], filters)}, filters)


def _depthwise(layer: Layer, shape: Shape) -> Shape:
    channels = known(layer, shape, len(layer["kernel_size"]) + 2)
    if len(set(layer["strides"])) > 1:
        raise InputError(f"layer {layer.name}: expected equal strides, received {layer['strides']}")
    return _convolved(layer, shape, channels * layer["depth_multiplier"])


def _depthwise_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    channels, multiplier = shape[-1] or 0, layer["depth_multiplier"]
    return _with_bias(layer, {"kernel": (*layer["kernel_size"], channels, multiplier)}, channels * multiplier)


def _separable(layer: Layer, shape: Shape) -> Shape:
    return (*_depthwise(layer, shape)[:-1], layer["filters"])


def _separable_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    channels, multiplier, filters = shape[-1] or 0, layer["depth_multiplier"], layer["filters"]
    kernels = {
        "depthwise_kernel": (*layer["kernel_size"], channels, multiplier),
        "pointwise_kernel": (*(1 for _ in layer["kernel_size"]), channels * multiplier, filters),
    }
    return _with_bias(layer, kernels, filters)


def _norm(layer: Layer, shape: Shape) -> Shape:
    channels_of(layer, shape, range(2, MAX_AXES + 1))
    return shape


def _scaled(layer: Layer, shape: tuple[int, ...], **more: tuple[int, ...]) -> TensorShapes:
    own = {"gamma": shape} if layer["scale"] else {}
    return {**own, **({"beta": shape} if layer["center"] else {}), **more}


def _norm_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    size = (channels_of(layer, shape, range(2, MAX_AXES + 1)),)
    return _scaled(layer, size, moving_mean=size, moving_variance=size)


def _layer_norm_axes(layer: Layer, shape: Shape) -> tuple[int, ...]:
    axes = tuple(axis % len(shape) for axis in layer["axis"] if -len(shape) <= axis < len(shape))
    if axes != tuple(range(len(shape) - len(layer["axis"]), len(shape))) or 0 in axes:
        raise InputError(
            f"layer {layer.name}: expected the last axes in their order, received {layer['axis']} of {shape}"
        )
    return axes


def _layer_norm(layer: Layer, shape: Shape) -> Shape:
    _layer_norm_tensors(layer, shape)
    return shape


def _layer_norm_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    axes = _layer_norm_axes(layer, shape)
    return _scaled(layer, all_known(layer, (None, *(shape[axis] for axis in axes))))


def _group_norm(layer: Layer, shape: Shape) -> Shape:
    channels = channels_of(layer, shape, range(2, MAX_AXES + 1))
    groups = channels if layer["groups"] == -1 else layer["groups"]
    if groups < 1 or channels % groups:
        raise InputError(f"layer {layer.name}: expected channels that {groups} groups divide, received {shape}")
    return shape


def _group_norm_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    return _scaled(layer, (channels_of(layer, shape, range(2, MAX_AXES + 1)),))


def _prelu_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    shared = layer["shared_axes"] or ()
    sizes = [None if axis == 0 else 1 if axis in shared else size for axis, size in enumerate(shape)]
    return {"alpha": all_known(layer, tuple(sizes))}


def _softmax(layer: Layer, shape: Shape) -> Shape:
    if layer["axis"] not in (-1, len(shape) - 1):
        raise InputError(f"layer {layer.name}: expected the last axis, received {layer['axis']} of {shape}")
    return shape


def _dense(layer: Layer, shape: Shape) -> Shape:
    channels_of(layer, shape, range(2, MAX_AXES + 1))
    return (*shape[:-1], layer["units"])


def _dense_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    return _with_bias(layer, {"kernel": (shape[-1] or 0, layer["units"])}, layer["units"])


def _recurrent(layer: Layer, shape: Shape) -> Shape:
    known(layer, shape, 3)
    return (shape[0], *((shape[1],) if layer["return_sequences"] else ()), layer["units"])


def _recurrent_tensors(layer: Layer, shape: Shape, kind: str | None = None) -> TensorShapes:
    kind, units = kind or layer.kind, layer["units"]
    wide = units * GATES[kind]
    bias = (2, wide) if kind == "GRU" and layer["reset_after"] else (wide,)
    tensors: TensorShapes = {"kernel": (shape[-1] or 0, wide), "recurrent_kernel": (units, wide)}
    return {**tensors, "bias": bias} if layer["use_bias"] else tensors


def _bidirectional(layer: Layer, shape: Shape) -> Shape:
    one = _recurrent(layer, shape)
    return (*one[:-1], layer["units"] * (2 if layer["merge_mode"] == "concat" else 1))


def _bidirectional_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    one = _recurrent_tensors(layer, shape, layer["layer"])
    return {f"{way}_{part}": size for way in ("forward", "backward") for part, size in one.items()}


def _dropped(layer: Layer, shape: Shape) -> Shape:
    if layer["noise_shape"] and len(layer["noise_shape"]) != len(shape):
        raise InputError(f"layer {layer.name}: expected an input of {len(layer['noise_shape'])} axes, received {shape}")
    return shape


def _no_tensors(layer: Layer, *shapes: Shape) -> TensorShapes:
    return {}


GATES: Final = {"GRU": 3, "LSTM": 4}


@dataclass(frozen=True)
class Row:
    """Of a kind: the shape it gives and the tensors it has, both of a layer and its inputs' shapes."""

    output: Callable[..., Shape]
    tensors: Callable[..., TensorShapes] = _no_tensors


ROWS: Final[Mapping[str, Row]] = {
    "InputLayer": Row(_input),
    **dict.fromkeys(("Conv1D", "Conv2D"), Row(_conv, _conv_tensors)),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), Row(_depthwise, _depthwise_tensors)),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), Row(_separable, _separable_tensors)),
    "Dense": Row(_dense, _dense_tensors),
    "BatchNormalization": Row(_norm, _norm_tensors),
    "LayerNormalization": Row(_layer_norm, _layer_norm_tensors),
    "GroupNormalization": Row(_group_norm, _group_norm_tensors),
    "PReLU": Row(_like_its_input, _prelu_tensors),
    "Softmax": Row(_softmax),
    **dict.fromkeys(("Activation", "ReLU", "LeakyReLU", "ELU", "Rescaling", "Function"), Row(_like_its_input)),
    "Dropout": Row(_dropped),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), Row(padded)),
    **dict.fromkeys(("Cropping1D", "Cropping2D"), Row(cropped)),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), Row(repeated)),
    "Resizing": Row(resized),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"), Row(pooled)),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalMaxPooling1D"), Row(pooled_whole(3))),
    **dict.fromkeys(("GlobalAveragePooling2D", "GlobalMaxPooling2D"), Row(pooled_whole(4))),
    **dict.fromkeys(("Add", "Subtract", "Divide", "Multiply", "Average", "Maximum", "Minimum"), Row(broadcast)),
    "Concatenate": Row(joined),
    "Reshape": Row(reshaped),
    "Flatten": Row(flat),
    "Permute": Row(permuted),
    "RepeatVector": Row(copied),
    **dict.fromkeys(("GRU", "LSTM"), Row(_recurrent, _recurrent_tensors)),
    "Bidirectional": Row(_bidirectional, _bidirectional_tensors),
    "Slice": Row(sliced),
    "Reduce": Row(reduced),
    "Similarity": Row(similarity),
}
