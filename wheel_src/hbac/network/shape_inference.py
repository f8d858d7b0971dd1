"""Shapes of a graph's feature maps and tensors, in plain Python: no Keras, no TensorFlow. A row a kind in `ROWS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hbac.errors import InputError
from hbac.network.graph import Graph, Layer

BN_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")
Shape = tuple[int | None, ...]  # batch first; None is any size
TensorShapes = dict[str, tuple[int, ...]]


def tensor_shapes(graph: Graph) -> TensorShapes:
    """Names and shapes of all tensors: `conv1_conv/kernel` (height, width, in, out), `conv1_conv/bias` (out,) ...

    In the order of the graph's layers.

    Raises:
        InputError: a layer's inputs have shapes that it does not take.
    """
    found: TensorShapes = {}
    sizes = output_shapes(graph)
    for layer in graph.layers:
        shapes = ROWS[layer.kind].tensors(layer, *(sizes[name] for name in layer.inputs))
        found.update({f"{layer.name}/{part}": shape for part, shape in shapes.items()})
    return found


def output_shapes(graph: Graph) -> dict[str, Shape]:
    """What each layer gives, by its name, batch first: (None, 200, 150, 64).

    Raises:
        InputError: a layer's inputs have shapes that it does not take.
    """
    sizes: dict[str, Shape] = {}
    for layer in graph.layers:
        sizes[layer.name] = ROWS[layer.kind].output(layer, *(sizes[name] for name in layer.inputs))
    return sizes


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """What padding="same" puts before and behind, as TensorFlow does: an odd one goes behind."""
    whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return whole // 2, whole - whole // 2


def _known(layer: Layer, shape: Shape, axes: int) -> int:
    """The number of channels of an input with so many axes, batch among them."""
    channels = shape[-1] if len(shape) == axes else None
    if channels is None:
        raise InputError(
            f"layer {layer.name}: expected an input of {axes} axes and a known number of channels, received {shape}"
        )
    return channels


def _windows(layer: Layer, size: int | None, kernel: int, stride: int) -> int | None:
    """How many places a window takes along one axis."""
    if size is None:
        return None
    count = -(-size // stride) if layer["padding"] == "same" else (size - kernel) // stride + 1
    if count < 1:
        raise InputError(f"layer {layer.name}: expected an input of {kernel} or more, received {size}")
    return count


def _windowed(layer: Layer, shape: Shape, kernel: str) -> tuple[int | None, int | None]:
    rows, columns = zip(shape[1:3], layer[kernel], layer["strides"])
    return _windows(layer, *rows), _windows(layer, *columns)


def _input(layer: Layer) -> Shape:
    return tuple(layer["batch_shape"])


def _like_its_input(layer: Layer, shape: Shape) -> Shape:
    return shape


def _conv(layer: Layer, shape: Shape) -> Shape:
    _known(layer, shape, 4)
    return (shape[0], *_windowed(layer, shape, "kernel_size"), layer["filters"])


def _conv_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    filters = layer["filters"]
    return {"kernel": (*layer["kernel_size"], _known(layer, shape, 4), filters), "bias": (filters,)}


def _norm_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    return dict.fromkeys(BN_PARTS, (_known(layer, shape, len(shape)),))


def _padded(layer: Layer, shape: Shape) -> Shape:
    channels = _known(layer, shape, 4)
    sides = (None if size is None else size + sum(pair) for size, pair in zip(shape[1:3], layer["padding"]))
    return (shape[0], *sides, channels)


def _pooled(layer: Layer, shape: Shape) -> Shape:
    channels = _known(layer, shape, 4)
    return (shape[0], *_windowed(layer, shape, "pool_size"), channels)


def _added(layer: Layer, *shapes: Shape) -> Shape:
    if len(set(shapes)) != 1:
        raise InputError(f"layer {layer.name}: expected inputs of one shape, received {list(shapes)}")
    return shapes[0]


def _mean(layer: Layer, shape: Shape) -> Shape:
    return shape[0], _known(layer, shape, 4)


def _dense(layer: Layer, shape: Shape) -> Shape:
    _known(layer, shape, 2)
    return shape[0], layer["units"]


def _dense_tensors(layer: Layer, shape: Shape) -> TensorShapes:
    return {"kernel": (_known(layer, shape, 2), layer["units"]), "bias": (layer["units"],)}


def _no_tensors(layer: Layer, *shapes: Shape) -> TensorShapes:
    return {}


@dataclass(frozen=True)
class Row:
    """Of a kind: the shape it gives and the tensors it has, both of a layer and its inputs' shapes."""

    output: Callable[..., Shape]
    tensors: Callable[..., TensorShapes] = _no_tensors


ROWS: Final[Mapping[str, Row]] = {
    "InputLayer": Row(_input),
    "Conv2D": Row(_conv, _conv_tensors),
    "BatchNormalization": Row(_like_its_input, _norm_tensors),
    "Activation": Row(_like_its_input),
    "ZeroPadding2D": Row(_padded),
    "MaxPooling2D": Row(_pooled),
    "Add": Row(_added),
    "GlobalAveragePooling2D": Row(_mean),
    "Dropout": Row(_like_its_input),
    "Dense": Row(_dense, _dense_tensors),
}
