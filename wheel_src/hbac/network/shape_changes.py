"""The shapes that layers without tensors give: padding, pooling, merging, reshaping, slices."""

import math
from collections.abc import Callable
from typing import Any

from hbac.errors import InputError
from hbac.network.graph import Layer
from hbac.network.shape_parts import Shape, all_known, known, windowed


def _spatial(layer: Layer, shape: Shape, axes: int, change: Callable[..., int], values: Any) -> Shape:
    """An input with so many axes between batch and channels, each changed by a value."""
    channels = known(layer, shape, axes + 2)
    sizes = [None if size is None else change(size, value) for size, value in zip(shape[1:-1], values)]
    if any(size is not None and size < 1 for size in sizes):
        raise InputError(f"layer {layer.name}: expected something to be left, received {shape}")
    return (shape[0], *sizes, channels)


def _pairs(value: Any) -> Any:
    """A pair for each axis, also where there is only one."""
    return value if isinstance(value[0], tuple) else (value,)


def padded(layer: Layer, shape: Shape) -> Shape:
    """Of ZeroPadding1D and 2D."""
    pairs = _pairs(layer["padding"])
    return _spatial(layer, shape, len(pairs), lambda size, pair: size + sum(pair), pairs)


def cropped(layer: Layer, shape: Shape) -> Shape:
    """Of Cropping1D and 2D."""
    pairs = _pairs(layer["cropping"])
    return _spatial(layer, shape, len(pairs), lambda size, pair: size - sum(pair), pairs)


def repeated(layer: Layer, shape: Shape) -> Shape:
    """Of UpSampling1D and 2D."""
    factors = layer["size"] if isinstance(layer["size"], tuple) else (layer["size"],)
    return _spatial(layer, shape, len(factors), lambda size, factor: size * factor, factors)


def resized(layer: Layer, shape: Shape) -> Shape:
    """Of Resizing."""
    return _spatial(layer, shape, 2, lambda size, new: int(new), (layer["height"], layer["width"]))


def pooled(layer: Layer, shape: Shape) -> Shape:
    """Of pooling in windows."""
    channels = known(layer, shape, len(layer["pool_size"]) + 2)
    return (shape[0], *windowed(layer, shape, "pool_size"), channels)


def pooled_whole(axes: int) -> Callable[..., Shape]:
    """Of pooling over all places, of inputs with so many axes."""

    def pooled(layer: Layer, shape: Shape) -> Shape:
        channels = known(layer, shape, axes)
        return (shape[0], *((1,) * (axes - 2) if layer["keepdims"] else ()), channels)

    return pooled


def added(layer: Layer, *shapes: Shape) -> Shape:
    """Of inputs that have one shape."""
    if len(set(shapes)) != 1:
        raise InputError(f"layer {layer.name}: expected inputs of one shape, received {list(shapes)}")
    return shapes[0]


def broadcast(layer: Layer, *shapes: Shape) -> Shape:
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


def joined(layer: Layer, *shapes: Shape) -> Shape:
    """Of Concatenate."""
    rank = len(shapes[0])
    axis = layer["axis"] + rank if layer["axis"] < 0 else layer["axis"]
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if not 0 < axis < rank or len(others) != 1 or any(len(shape) != rank or shape[axis] is None for shape in shapes):
        raise InputError(
            f"layer {layer.name}: expected inputs that differ in axis {layer['axis']} alone, received {list(shapes)}"
        )
    return (*shapes[0][:axis], sum(shape[axis] or 0 for shape in shapes), *shapes[0][axis + 1 :])


def reshaped(layer: Layer, shape: Shape) -> Shape:
    """Of Reshape; one size may be -1."""
    whole, target = math.prod(all_known(layer, shape)), layer["target_shape"]
    stated = math.prod(size for size in target if size != -1)
    if (whole % stated if -1 in target else whole != stated) or not whole // stated:
        raise InputError(f"layer {layer.name}: expected {whole} numbers in {target}, received {shape}")
    return (shape[0], *(whole // stated if size == -1 else size for size in target))


def flat(layer: Layer, shape: Shape) -> Shape:
    """Of Flatten."""
    return shape[0], math.prod(all_known(layer, shape))


def permuted(layer: Layer, shape: Shape) -> Shape:
    """Of Permute."""
    dims = layer["dims"]
    if sorted(dims) != list(range(1, len(shape))):
        raise InputError(f"layer {layer.name}: expected each of the axes 1 to {len(shape) - 1}, received {dims}")
    return (shape[0], *(shape[axis] for axis in dims))


def copied(layer: Layer, shape: Shape) -> Shape:
    """Of RepeatVector."""
    return shape[0], layer["n"], known(layer, shape, 2)


def sliced(layer: Layer, shape: Shape) -> Shape:
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


def reduced(layer: Layer, shape: Shape) -> Shape:
    """Of Reduce."""
    axes = layer["axes"]
    if any(axis >= len(shape) for axis in axes) or len(set(axes)) != len(axes) or len(axes) >= len(shape):
        raise InputError(f"layer {layer.name}: expected axes of {shape} behind the batch, each once, received {axes}")
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    return tuple(size for axis, size in enumerate(kept) if layer["keepdims"] or axis not in axes)


def similarity(layer: Layer, first: Shape, second: Shape) -> Shape:
    """Of Similarity: one number in place of the channels."""
    return (*added(layer, first, second)[:-1], 1)
