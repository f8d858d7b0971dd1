"""A graph as an OpenVINO model: a converter a kind in `CONVERTERS`. Feature maps have channels first inside.

A graph with another kind goes through TensorFlow, whose graphs OpenVINO converts itself. The answers and the speed are the
same; but TensorFlow has to be imported, which takes seconds.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from hbac.errors import InputError
from hbac.network.graph import Graph, Layer, Tensors
from hbac.network.groups import without_groups
from hbac.network.padding import Padding, paddings


def openvino_model(graph: Graph, tensors: Tensors) -> Any:
    """The network as an OpenVINO model for one image a call.

    Args:
        graph: of `fold_batch_norm`, with sizes that are all known.
        tensors: of `fold_batch_norm`: `conv1_conv/kernel` (height, width, in, out) float32 ...

    Returns:
        `openvino.Model`, (1, *input_shape) float32 to what the last layer gives, such as (1, classes) float32 logits.

    Raises:
        InputError: a kind of layer that has no converter.
    """
    import openvino

    conversion = Conversion(graph, tensors)
    for layer in graph.layers:
        convert = CONVERTERS.get(layer.kind)
        if convert is None:
            raise InputError(
                f"layer {layer.name}: expected one of {sorted(CONVERTERS)} for OpenVINO, received {layer.kind}"
            )
        conversion.values[layer.name] = convert(conversion, layer, *(conversion.values[name] for name in layer.inputs))
    return openvino.Model([conversion.values[graph.layers[-1].name]], [conversion.parameter], graph.name)


ANSWER: Final = "Identity:0"  # what a TensorFlow function calls its one result; an activation's gradient may add others


def has_converters(graph: Graph) -> bool:
    """Whether `openvino_model` knows every layer of a graph; elsewhere `through_tensorflow` converts it."""
    plain = {
        "dilation_rate": ((1, 1),),
        "groups": (1,),
        "use_bias": (True,),
        "keepdims": (False,),
        "activation": ("relu",),
    }
    return all(
        layer.kind in CONVERTERS
        and layer.shares is None
        and all(layer[name] in allowed for name, allowed in plain.items() if name in layer.arguments)
        and (layer.kind != "InputLayer" or len(layer["batch_shape"]) == 4)
        for layer in graph.layers
    )


def through_tensorflow(graph: Graph, tensors: Tensors) -> Any:
    """See `openvino_model`: the same for any graph, by way of a TensorFlow function with the tensors as constants."""
    import openvino

    from hbac.network.keras_model import build_keras, with_tensors
    from hbac.network.quiet import import_tensorflow

    tf = import_tensorflow()
    graph, tensors = without_groups(graph, tensors)  # OpenVINO does not convert TensorFlow's own
    model = build_keras(graph)
    images = tf.TensorSpec((1, *graph.layers[0]["batch_shape"][1:]), tf.float32)
    answer = with_tensors(model, graph, tensors)
    function = tf.function(answer, input_signature=[images], autograph=False)
    converted = openvino.convert_model(function.get_concrete_function())
    (output,) = (output for output in converted.outputs if ANSWER in output.get_names())
    return openvino.Model([output.get_node().input_value(0)], converted.get_parameters(), graph.name)  # no other output


class Conversion:
    """A graph that is being converted: what its converters look up, and what they have made so far."""

    def __init__(self, graph: Graph, tensors: Tensors):
        from openvino import opset13

        self.ops: Any = opset13
        self.tensors = tensors
        self.paddings = paddings(graph)
        self.parameter: Any = None  # the image
        self.values: dict[str, Any] = {}  # what each layer gives, by its name


def _begins_and_ends(padding: Padding) -> tuple[list[int], list[int]]:
    (top, bottom), (left, right) = padding
    return [top, left], [bottom, right]


def _input(to: Conversion, layer: Layer) -> Any:
    _, *shape = layer["batch_shape"]
    to.parameter = to.ops.parameter([1, *shape], np.float32, name=layer.name)
    return to.ops.transpose(to.parameter, np.array([0, 3, 1, 2]))  # (1, channels, H, W)


def _conv(to: Conversion, layer: Layer, x: Any) -> Any:
    kernel = to.tensors[f"{layer.name}/kernel"].transpose(3, 2, 0, 1)  # (out, in, height, width)
    constant = to.ops.constant(kernel.copy())  # given the array itself, OpenVINO makes a list of it, 0.6 s a network
    begins, ends = _begins_and_ends(to.paddings[layer.name])
    x = to.ops.convolution(x, constant, list(layer["strides"]), begins, ends, [1, 1])
    return to.ops.add(x, to.tensors[f"{layer.name}/bias"].reshape(1, -1, 1, 1))


def _activation(to: Conversion, layer: Layer, x: Any) -> Any:
    if layer["activation"] != "relu":
        raise InputError(f"layer {layer.name}: expected relu for OpenVINO, received {layer['activation']!r}")
    return to.ops.relu(x)


def _zero_padding(to: Conversion, layer: Layer, x: Any) -> Any:
    """Nothing where the layers behind it take it over, see `paddings`."""
    begins, ends = _begins_and_ends(to.paddings[layer.name])
    if not any(begins + ends):
        return x
    zero = to.ops.constant(np.float32(0))
    return to.ops.pad(x, np.array([0, 0, *begins]), np.array([0, 0, *ends]), "constant", zero)


def _max_pool(to: Conversion, layer: Layer, x: Any) -> Any:
    begins, ends = _begins_and_ends(to.paddings[layer.name])
    return to.ops.max_pool(x, list(layer["strides"]), [1, 1], begins, ends, list(layer["pool_size"])).output(0)


def _add(to: Conversion, layer: Layer, first: Any, *others: Any) -> Any:
    for other in others:
        first = to.ops.add(first, other)
    return first


def _mean(to: Conversion, layer: Layer, x: Any) -> Any:
    return to.ops.reduce_mean(x, np.array([2, 3]), keep_dims=False)  # (1, features)


def _dense(to: Conversion, layer: Layer, x: Any) -> Any:
    product = to.ops.matmul(x, to.tensors[f"{layer.name}/kernel"], False, False)
    return to.ops.add(product, to.tensors[f"{layer.name}/bias"][None])


CONVERTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "InputLayer": _input,
    "Conv2D": _conv,
    "Activation": _activation,
    "ZeroPadding2D": _zero_padding,
    "MaxPooling2D": _max_pool,
    "Add": _add,
    "GlobalAveragePooling2D": _mean,
    "Dense": _dense,
}
