"""Of each kind of layer the shape that it gives and the tensors that it has: a row a kind in `ROWS`.

Tensors come in the order in which Keras lists the weights of such a layer.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hbac.errors import InputError
from hbac.network.graph import Layer
from hbac.network.kinds import MAX_AXES

BN_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")
Shape = tuple[int | None, ...]  # batch first; None is any size
TensorShapes = dict[str, tuple[int, ...]]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """What padding="same" puts before and behind, as TensorFlow does: an odd one goes behind."""
    whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return whole // 2, whole - whole // 2


def _channels(layer: Layer, shape: Shape, axes: range) -> int:
    """The number of channels of an input with so many axes, batch among them."""
    channels = shape[-1] if len(shape) in axes else None
    if channels is None:
        counts = str(axes[0]) if len(axes) == 1 else f"{axes[0]} to {axes[-1]}"
        raise InputError(
            f"layer {layer.name}: expected an input of {counts} axes and a known number of channels, received {shape}"
        )
    return channels


def _known(layer: Layer, shape: Shape, axes: int) -> int:
    return _channels(layer, shape, range(axes, axes + 1))


def _all_known(layer: Layer, shape: Shape) -> tuple[int, ...]:
    """The sizes behind the batch."""
    known = tuple(size for size in shape[1:] if size is not None)
    if len(known) != len(shape) - 1:
        raise InputError(f"layer {layer.name}: expected an input of a known size, received {shape}")
    return known


def _windows(layer: Layer, size: int | None, kernel: int, stride: int) -> int | None:
    """How many places a window takes along one axis."""
    if size is None:
        return None
    count = (size - kernel) // stride + 1 if layer["padding"] == "valid" else -(-size // stride)
    if count < 1:
        raise InputError(f"layer {layer.name}: expected an input of {kernel} or more, received {size}")
    return count


def _windowed(layer: Layer, shape: Shape, kernel: str, dilation: str | None = None) -> Shape:
    steps = layer[dilation] if dilation else (1,) * len(layer[kernel])
    reach = [(size - 1) * step + 1 for size, step in zip(layer[kernel], steps)]
    return tuple(_windows(layer, *one) for one in zip(shape[1:-1], reach, layer["strides"]))


def _input(layer: Layer) -> Shape:
    return tuple(layer["batch_shape"])


def _like_its_input(layer: Layer, shape: Shape) -> Shape:
    return shape


def _convolved(layer: Layer, shape: Shape, filters: int) -> Shape:
    if max(layer["strides"]) > 1 and max(layer["dilation_rate"]) > 1:
        raise InputError(f"layer {layer.name}: expected strides or a dilation_rate above 1, received both")
    return (shape[0], *_windowed(layer, shape, "kernel_size", "dilation_rate"), filters)


def _conv(layer: Layer, shape: Shape) -> Shape:
    channels, groups = _known(layer, shape, len(layer["kernel_size"]) + 2), layer["groups"]
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
    channels = _known(layer, shape, len(layer["kernel_size"]) + 2)
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
    _channels(layer, shape, range(2, MAX_AXES + 1))
    return shape


def _scaled(layer: Layer, shape: tuple[int, ...], **more: tuple[int, ...]) -> TensorShapes:
    own = {"gamma": shape} if layer["scale"] else {}
    return {**own, **({"beta": shape} if layer["center"] else {}), **more}


def _norm_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    size = (_channels(layer, shape, range(2, MAX_AXES + 1)),)
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
    return _scaled(layer, _all_known(layer, (None, *(shape[axis] for axis in axes))))


def _group_norm(layer: Layer, shape: Shape) -> Shape:
    channels = _channels(layer, shape, range(2, MAX_AXES + 1))
    groups = channels if layer["groups"] == -1 else layer["groups"]
    if groups < 1 or channels % groups:
        raise InputError(f"layer {layer.name}: expected channels that {groups} groups divide, received {shape}")
    return shape


def _group_norm_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    return _scaled(layer, (_channels(layer, shape, range(2, MAX_AXES + 1)),))


def _prelu_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    shared = layer["shared_axes"] or ()
    sizes = [None if axis == 0 else 1 if axis in shared else size for axis, size in enumerate(shape)]
    return {"alpha": _all_known(layer, tuple(sizes))}


def _softmax(layer: Layer, shape: Shape) -> Shape:
    if layer["axis"] not in (-1, len(shape) - 1):
        raise InputError(f"layer {layer.name}: expected the last axis, received {layer['axis']} of {shape}")
    return shape


def _spatial(layer: Layer, shape: Shape, axes: int, change: Callable[..., int], values: Any) -> Shape:
    """An input with so many axes between batch and channels, each changed by a value."""
    channels = _known(layer, shape, axes + 2)
    sizes = [None if size is None else change(size, value) for size, value in zip(shape[1:-1], values)]
    if any(size is not None and size < 1 for size in sizes):
        raise InputError(f"layer {layer.name}: expected something to be left, received {shape}")
    return (shape[0], *sizes, channels)


def _pairs(value: Any) -> Any:
    """A pair for each axis, also where there is only one."""
    return value if isinstance(value[0], tuple) else (value,)


def _padded(layer: Layer, shape: Shape) -> Shape:
    pairs = _pairs(layer["padding"])
    return _spatial(layer, shape, len(pairs), lambda size, pair: size + sum(pair), pairs)


def _cropped(layer: Layer, shape: Shape) -> Shape:
    pairs = _pairs(layer["cropping"])
    return _spatial(layer, shape, len(pairs), lambda size, pair: size - sum(pair), pairs)


def _repeated(layer: Layer, shape: Shape) -> Shape:
    factors = layer["size"] if isinstance(layer["size"], tuple) else (layer["size"],)
    return _spatial(layer, shape, len(factors), lambda size, factor: size * factor, factors)


def _resized(layer: Layer, shape: Shape) -> Shape:
    return _spatial(layer, shape, 2, lambda size, new: int(new), (layer["height"], layer["width"]))


def _pooled(layer: Layer, shape: Shape) -> Shape:
    channels = _known(layer, shape, len(layer["pool_size"]) + 2)
    return (shape[0], *_windowed(layer, shape, "pool_size"), channels)


def _global(axes: int) -> Callable[..., Shape]:
    def pooled(layer: Layer, shape: Shape) -> Shape:
        channels = _known(layer, shape, axes)
        return (shape[0], *((1,) * (axes - 2) if layer["keepdims"] else ()), channels)

    return pooled


def _added(layer: Layer, *shapes: Shape) -> Shape:
    if len(set(shapes)) != 1:
        raise InputError(f"layer {layer.name}: expected inputs of one shape, received {list(shapes)}")
    return shapes[0]


def _broadcast(layer: Layer, *shapes: Shape) -> Shape:
    """Inputs with as many axes; a size of 1 goes with any."""
    whole = []
    for sizes in zip(*shapes):
        distinct = set(sizes) - {1}
        if len(distinct) > 1:
            raise InputError(f"layer {layer.name}: expected inputs that go together, received {list(shapes)}")
        whole.append(distinct.pop() if distinct else 1)
    if len({len(shape) for shape in shapes}) != 1:
        raise InputError(f"layer {layer.name}: expected inputs with as many axes, received {list(shapes)}")
    return tuple(whole)


def _joined(layer: Layer, *shapes: Shape) -> Shape:
    rank = len(shapes[0])
    axis = layer["axis"] + rank if layer["axis"] < 0 else layer["axis"]
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if not 0 < axis < rank or len(others) != 1 or any(len(shape) != rank or shape[axis] is None for shape in shapes):
        raise InputError(
            f"layer {layer.name}: expected inputs that differ in axis {layer['axis']} alone, received {list(shapes)}"
        )
    return (*shapes[0][:axis], sum(shape[axis] or 0 for shape in shapes), *shapes[0][axis + 1 :])


def _reshaped(layer: Layer, shape: Shape) -> Shape:
    whole, target = math.prod(_all_known(layer, shape)), layer["target_shape"]
    stated = math.prod(size for size in target if size != -1)
    if (whole % stated if -1 in target else whole != stated) or not whole // stated:
        raise InputError(f"layer {layer.name}: expected {whole} numbers in {target}, received {shape}")
    return (shape[0], *(whole // stated if size == -1 else size for size in target))


def _flat(layer: Layer, shape: Shape) -> Shape:
    return shape[0], math.prod(_all_known(layer, shape))


def _permuted(layer: Layer, shape: Shape) -> Shape:
    dims = layer["dims"]
    if sorted(dims) != list(range(1, len(shape))):
        raise InputError(f"layer {layer.name}: expected each of the axes 1 to {len(shape) - 1}, received {dims}")
    return (shape[0], *(shape[axis] for axis in dims))


def _copied(layer: Layer, shape: Shape) -> Shape:
    return shape[0], layer["n"], _known(layer, shape, 2)


def _dense(layer: Layer, shape: Shape) -> Shape:
    _channels(layer, shape, range(2, MAX_AXES + 1))
    return (*shape[:-1], layer["units"])


def _dense_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    return _with_bias(layer, {"kernel": (shape[-1] or 0, layer["units"])}, layer["units"])


def _recurrent(layer: Layer, shape: Shape) -> Shape:
    _known(layer, shape, 3)
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


def _sliced(layer: Layer, shape: Shape) -> Shape:
    """As NumPy does it, of axes with a known size; nothing may be empty."""
    slices = layer["slices"]
    if len(slices) > len(shape) - 1:
        raise InputError(f"layer {layer.name}: expected at most {len(shape) - 1} slices, received {len(slices)}")
    sizes: list[int | None] = [shape[0]]
    for size, one in zip(shape[1:], slices):
        if one == (None, None, None):
            sizes.append(size)
        elif size is None:
            raise InputError(f"layer {layer.name}: expected an input of a known size, received {shape}")
        elif isinstance(one, int):
            if not -size <= one < size:
                raise InputError(f"layer {layer.name}: expected a place within {size}, received {one}")
        else:
            sizes.append(_slice_length(layer, size, one))
    return (*sizes, *shape[1 + len(slices) :])


def _slice_length(layer: Layer, size: int, one: Any) -> int:
    if one[2] is not None and one[2] < 1:
        raise InputError(f"layer {layer.name}: expected a step from 1, received {one[2]}")
    length = len(range(*slice(*one).indices(size)))
    if not length:
        raise InputError(f"layer {layer.name}: expected a slice that holds something of {size}, received {one}")
    return length


def _reduced(layer: Layer, shape: Shape) -> Shape:
    axes = layer["axes"]
    if any(axis >= len(shape) for axis in axes) or len(set(axes)) != len(axes) or len(axes) >= len(shape):
        raise InputError(f"layer {layer.name}: expected axes of {shape} behind the batch, each once, received {axes}")
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    return tuple(size for axis, size in enumerate(kept) if layer["keepdims"] or axis not in axes)


def _dropped(layer: Layer, shape: Shape) -> Shape:
    if layer["noise_shape"] and len(layer["noise_shape"]) != len(shape):
        raise InputError(f"layer {layer.name}: expected an input of {len(layer['noise_shape'])} axes, received {shape}")
    return shape


def _similarity(layer: Layer, first: Shape, second: Shape) -> Shape:
    return (*_added(layer, first, second)[:-1], 1)


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
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), Row(_padded)),
    **dict.fromkeys(("Cropping1D", "Cropping2D"), Row(_cropped)),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), Row(_repeated)),
    "Resizing": Row(_resized),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"), Row(_pooled)),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalMaxPooling1D"), Row(_global(3))),
    **dict.fromkeys(("GlobalAveragePooling2D", "GlobalMaxPooling2D"), Row(_global(4))),
    **dict.fromkeys(("Add", "Subtract", "Divide", "Multiply", "Average", "Maximum", "Minimum"), Row(_broadcast)),
    "Concatenate": Row(_joined),
    "Reshape": Row(_reshaped),
    "Flatten": Row(_flat),
    "Permute": Row(_permuted),
    "RepeatVector": Row(_copied),
    **dict.fromkeys(("GRU", "LSTM"), Row(_recurrent, _recurrent_tensors)),
    "Bidirectional": Row(_bidirectional, _bidirectional_tensors),
    "Slice": Row(_sliced),
    "Reduce": Row(_reduced),
    "Similarity": Row(_similarity),
}
