"""The padding of each window of a graph in numbers, for engines whose convolutions and poolings take it themselves."""

from hbac.errors import InputError
from hbac.network.graph import Graph, Layer
from hbac.network.shape_inference import output_shapes, same_padding

Padding = tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), (left, right))
NO_PADDING: Padding = ((0, 0), (0, 0))
WINDOWS = {"Conv2D": "kernel_size", "MaxPooling2D": "pool_size"}  # kinds with a window, and the argument of its size


def paddings(graph: Graph) -> dict[str, Padding]:
    """Of each convolution and pooling, by its name, and of each `ZeroPadding2D` that they leave over: 0 if they take it.

    A `ZeroPadding2D` is taken over by those behind it if they are all convolutions, or poolings of what is never below
    0: there, padding with 0, as Keras does, and with nothing give the same maxima.

    Raises:
        InputError: padding="same" of an input whose size is not known.
    """
    sizes = output_shapes(graph)
    taken = {layer.name for layer in graph.layers if layer.kind == "ZeroPadding2D" and _is_taken(graph, layer)}
    found: dict[str, Padding] = {}
    for layer in graph.layers:
        if layer.kind == "ZeroPadding2D":
            found[layer.name] = NO_PADDING if layer.name in taken else layer["padding"]
        elif layer.kind in WINDOWS:
            (before,) = layer.inputs
            if layer["padding"] == "same":
                found[layer.name] = _same(layer, sizes[before][1:3])
            else:
                found[layer.name] = graph.by_name[before]["padding"] if before in taken else NO_PADDING
    return found


def _is_taken(graph: Graph, padding: Layer) -> bool:
    before = graph.by_name[padding.inputs[0]]
    never_negative = before.kind == "Activation" and before["activation"] == "relu"
    users = [graph.by_name[name] for name in graph.users[padding.name]]
    return bool(users) and all(
        user["padding"] == "valid" and (user.kind == "Conv2D" or never_negative) if user.kind in WINDOWS else False
        for user in users
    )


def _same(layer: Layer, size: tuple[int | None, ...]) -> Padding:
    height, width = size
    if height is None or width is None:
        raise InputError(f"layer {layer.name}: expected an input of a known size, received {size}")
    rows, columns = zip((height, width), layer[WINDOWS[layer.kind]], layer["strides"])
    return same_padding(*rows), same_padding(*columns)
