"""The padding of each window of a graph in numbers, for engines whose convolutions and poolings take it themselves."""

from typing import Final

from hbac.errors import InputError
from hbac.network.graph import Graph, Layer
from hbac.network.shape_inference import Shape, output_shapes, same_padding

Padding = tuple[
    tuple[int, int], ...
]  # (before, behind) of each axis between batch and channels: ((top, bottom), (left, right))

CONVOLUTIONS: Final = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")
MAXIMA: Final = ("MaxPooling1D", "MaxPooling2D")
WINDOWS: Final = {  # kinds with a window, and the argument of its size
    **dict.fromkeys(CONVOLUTIONS, "kernel_size"),
    **dict.fromkeys((*MAXIMA, "AveragePooling1D", "AveragePooling2D"), "pool_size"),
}
NEVER_NEGATIVE: Final = ("relu", "relu6", "sigmoid", "hard_sigmoid", "softmax")


def paddings(graph: Graph) -> dict[str, Padding]:
    """Of each convolution and pooling, by its name, and of each zero padding what they leave over: 0 if they take it.

    A zero padding is taken over by those behind it if they are all convolutions, or poolings to the maximum of what is
    never below 0: there, padding with 0, as Keras does, and with nothing give the same maxima. It has to be smaller
    than the window: a maximum of nothing is not 0.

    Raises:
        InputError: padding="same" of an input whose size is not known.
    """
    sizes = output_shapes(graph)
    taken = {layer.name for layer in graph.layers if layer.kind.startswith("ZeroPadding") and _is_taken(graph, layer)}
    found: dict[str, Padding] = {}
    for layer in graph.layers:
        if layer.kind.startswith("ZeroPadding"):
            stated = zero_padding(layer)
            found[layer.name] = tuple((0, 0) for _ in stated) if layer.name in taken else stated
        elif layer.kind in WINDOWS:
            (before,) = layer.inputs
            found[layer.name] = zero_padding(graph.by_name[before]) if before in taken else _own(layer, sizes[before])
    return found


def zero_padding(layer: Layer) -> Padding:
    """What a `ZeroPadding1D` or `ZeroPadding2D` puts before and behind each axis."""
    stated = layer["padding"]
    pairs: Padding = stated if isinstance(stated[0], tuple) else (stated,)
    return pairs


def _reach(layer: Layer) -> tuple[int, ...]:
    """How many places a window spans along each axis."""
    sizes = layer[WINDOWS[layer.kind]]
    return tuple((size - 1) * step + 1 for size, step in zip(sizes, layer.arguments.get("dilation_rate", [1, 1])))


def _is_taken(graph: Graph, padding: Layer) -> bool:
    before = graph.by_name[padding.inputs[0]]
    never_negative = before.kind == "Activation" and before["activation"] in NEVER_NEGATIVE
    kinds = (*CONVOLUTIONS, *MAXIMA) if never_negative else CONVOLUTIONS
    most = [max(pair) for pair in zero_padding(padding)]
    users = [graph.by_name[name] for name in graph.users[padding.name]]
    return bool(users) and all(
        user.kind in kinds
        and user["padding"] == "valid"
        and all(pad < reach for pad, reach in zip(most, _reach(user), strict=True))
        for user in users
    )


def _own(layer: Layer, shape: Shape) -> Padding:
    reach = _reach(layer)
    if layer["padding"] == "causal":
        return tuple((size - 1, 0) for size in reach)
    if layer["padding"] == "valid":
        return tuple((0, 0) for _ in reach)
    sizes = tuple(size for size in shape[1:-1] if size is not None)
    if len(sizes) < len(reach):
        raise InputError(f"layer {layer.name}: expected an input of a known size, received {shape[1:-1]}")
    return tuple(same_padding(*axis) for axis in zip(sizes, reach, layer["strides"]))
