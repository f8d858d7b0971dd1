"""Shapes of a graph's feature maps and tensors, in plain Python: no Keras, no TensorFlow."""

import math

from hbac.errors import InputError
from hbac.network.arguments import MAX_AXES
from hbac.network.graph import Graph, Layer
from hbac.network.shape_parts import Shape as Shape
from hbac.network.shape_parts import TensorShapes as TensorShapes
from hbac.network.shape_parts import same_padding as same_padding
from hbac.network.shape_rows import BN_PARTS as BN_PARTS
from hbac.network.shape_rows import ROWS

MAX_ELEMENTS = 1 << 28  # of one feature map, and of all tensors together: 1 GiB of float32


def tensor_shapes(graph: Graph) -> TensorShapes:
    """Names and shapes of all tensors: `conv1_conv/kernel` (height, width, in, out), `conv1_conv/bias` (out,) ...

    In the order of the graph's layers; layers that share tensors have none of their own.

    Raises:
        InputError: a layer's inputs have shapes that it does not take, or the tensors are larger than 1 GiB.
    """
    found: TensorShapes = {}
    sizes = output_shapes(graph)
    for layer in graph.layers:
        shapes = layer_tensors(layer, [sizes[name] for name in layer.inputs])
        if layer.shares is None:
            found.update({f"{layer.name}/{part}": shape for part, shape in shapes.items()})
        elif shapes != {part: found[f"{layer.shares}/{part}"] for part in shapes}:
            raise InputError(f"layer {layer.name}: expected inputs as {layer.shares} has, whose tensors it shares")
    if (elements := sum(map(math.prod, found.values()))) > MAX_ELEMENTS:
        raise InputError(f"{graph.name}: expected tensors of at most {MAX_ELEMENTS} numbers, received {elements}")
    return found


def output_shapes(graph: Graph) -> dict[str, Shape]:
    """What each layer gives, by its name, batch first: (None, 200, 150, 64).

    Raises:
        InputError: a layer's inputs have shapes that it does not take, or what it gives is larger than 1 GiB a record.
    """
    sizes: dict[str, Shape] = {}
    for layer in graph.layers:
        sizes[layer.name] = output_shape(layer, [sizes[name] for name in layer.inputs])
    return sizes


def output_shape(layer: Layer, inputs: list[Shape]) -> Shape:
    """What one layer gives for inputs of these shapes; see `output_shapes`."""
    shape = ROWS[layer.kind].output(layer, *inputs)
    elements = math.prod(size for size in shape if size is not None)
    if elements > MAX_ELEMENTS or len(shape) > MAX_AXES:
        raise InputError(
            f"layer {layer.name}: expected at most {MAX_AXES} axes and {MAX_ELEMENTS} numbers a record, received {shape}"
        )
    return shape


def layer_tensors(layer: Layer, inputs: list[Shape]) -> TensorShapes:
    """Names, without the layer's, and shapes of the tensors of one layer; see `tensor_shapes`."""
    return ROWS[layer.kind].tensors(layer, *inputs)
