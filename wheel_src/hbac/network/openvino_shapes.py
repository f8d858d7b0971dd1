"""Converters of kinds that move numbers and change none: joining, cutting, reshaping, turning axes."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from hbac.network.graph import Layer
from hbac.network.openvino_values import LAST, Conversion, Made, Value, alike

Cut = tuple[int, int, int]  # from, to, step of an axis


def _joined(to: Conversion, layer: Layer, *values: Value) -> Made:
    nodes, channels_first = alike(values)
    axis = layer["axis"] % values[0].rank
    if channels_first:
        axis = 1 if axis == values[0].rank - 1 else axis + 1
    return to.ops.concat(nodes, axis), channels_first


def _reshaped(to: Conversion, layer: Layer, value: Value) -> Made:
    return to.ops.reshape(value.last(), np.array(to.shapes[layer.name]), False), LAST


def _permuted(to: Conversion, layer: Layer, value: Value) -> Made:
    return to.ops.transpose(value.last(), np.array([0, *layer["dims"]])), LAST


def _copied(to: Conversion, layer: Layer, value: Value) -> Made:
    return to.ops.tile(to.ops.unsqueeze(value.node, np.array([1])), np.array([1, layer["n"], 1])), LAST


def _cropped(to: Conversion, layer: Layer, value: Value) -> Made:
    stated = layer["cropping"]
    pairs = stated if isinstance(stated[0], tuple) else (stated,)
    cuts = [(begin, size - end, 1) for size, (begin, end) in zip(value.shape[1:], pairs)]
    return _cut(to, value, cuts), value.channels_first


def _sliced(to: Conversion, layer: Layer, value: Value) -> Made:
    cuts: list[Cut] = []
    dropped: list[int] = []
    for axis, (size, one) in enumerate(zip(value.shape[1:], layer["slices"]), start=1):
        if isinstance(one, int):
            dropped.append(axis)
            one = (one % size, one % size + 1, 1)
        cuts.append(slice(*one).indices(size))
    node = _cut(to, value, cuts)
    if dropped:
        node = to.ops.squeeze(node, np.array([value.axis(axis) for axis in dropped]))
    gone = value.rank - 1 in dropped  # the channels: what is left is in its order
    return node, value.channels_first and not gone


def _cut(to: Conversion, value: Value, cuts: list[Cut]) -> Any:
    """A cut of each axis behind the batch; axes that stay whole are left alone."""
    some = [(value.axis(axis), cut) for axis, cut in enumerate(cuts, start=1) if cut != (0, value.shape[axis], 1)]
    if not some:
        return value.node
    axes, (starts, stops, steps) = [axis for axis, _ in some], zip(*(cut for _, cut in some))
    return to.ops.slice(value.node, *map(np.array, (starts, stops, steps, axes)))


SHAPES: Final[Mapping[str, Callable[..., Made]]] = {
    "Concatenate": _joined,
    "Reshape": _reshaped,
    "Flatten": _reshaped,
    "Permute": _permuted,
    "RepeatVector": _copied,
    **dict.fromkeys(("Cropping1D", "Cropping2D"), _cropped),
    "Slice": _sliced,
}
