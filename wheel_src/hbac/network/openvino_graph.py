"""A graph as an OpenVINO model: a converter a kind in `CONVERTERS`, which four modules beside this one hold."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from hbac.errors import InputError
from hbac.network.graph import Graph, Layer, Tensors
from hbac.network.openvino_numbers import NUMBERS
from hbac.network.openvino_recurrent import RECURRENT
from hbac.network.openvino_shapes import SHAPES
from hbac.network.openvino_values import LAST, Conversion, Made, Value
from hbac.network.openvino_windows import WINDOWS


def openvino_model(graph: Graph, tensors: Tensors) -> Any:
    """The network as an OpenVINO model for one input a call.

    Args:
        graph: with sizes that are all known; batch normalisation is faster folded (`fold_batch_norm`).
        tensors: of that graph: `conv1_conv/kernel` (height, width, in, out) float32 ...

    Returns:
        `openvino.Model`, (1, *input_shape) float32 to what the last layer gives, such as (1, classes) float32 logits.

    Raises:
        InputError: a size is not known.
    """
    import openvino

    conversion = Conversion(graph, tensors)
    for layer in graph.layers:
        inputs = (conversion.values[name] for name in layer.inputs)
        node, channels_first = CONVERTERS[layer.kind](conversion, layer, *inputs)
        shape = conversion.shapes[layer.name]
        conversion.values[layer.name] = Value(conversion.ops, node, shape, channels_first)
    return openvino.Model([conversion.values[graph.layers[-1].name].last()], [conversion.parameter], graph.name)


def _input(to: Conversion, layer: Layer) -> Made:
    _, *shape = layer["batch_shape"]
    if None in shape:
        raise InputError(f"layer {layer.name}: expected an input of a known size, received {tuple(shape)}")
    to.parameter = to.ops.parameter([1, *shape], np.float32, name=layer.name)
    return to.parameter, LAST


CONVERTERS: Final[Mapping[str, Callable[..., Made]]] = {
    "InputLayer": _input,
    **WINDOWS,
    **NUMBERS,
    **SHAPES,
    **RECURRENT,
}
