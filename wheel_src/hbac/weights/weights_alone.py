"""Files of weights alone: they do not say what their network computes, so all that they do say has to be ours.

That no function such as `x / 255` stands before or between the layers cannot be seen in such a file.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hbac.errors import WeightsError, brief
from hbac.network.graph import Graph, keras_order
from hbac.network.settings import HEAD
from hbac.network.shape_inference import tensor_shapes
from hbac.weights.keras_config import FUNCTIONAL
from hbac.weights.keras_hdf5 import Layer
from hbac.weights.keras_layers import SPECS
from hbac.weights.saved_network import snake_case
from hbac.weights.tensors import LISTED

CLASSES: Final = {snake_case(name): name for name in (*SPECS, *FUNCTIONAL, "InputLayer", "Sequential")}
OLD_INPUT: Final = "input"  # Keras 2 numbers its inputs input_1 ...
NEVER: Final = ("Normalization",)  # the kind in our graph that it becomes is another layer's
WITHIN_OURS: Final = (
    "ReLU",
    "Softmax",
    "Flatten",
    "GlobalAveragePooling2D",
)  # that compute what our networks do, or nothing behind their mean
COUNTED: Final = ("ZeroPadding2D", "MaxPooling2D", "Add")  # that leave no weights and cannot stand in another layer


def check_weightless(path: Path, layers: list[Layer], graph: Graph) -> None:
    """Layers without weights have to be ours by name, or by the name that Keras gives to one of their class.

    Raises:
        WeightsError: another one, whose effect would be lost, or more or fewer of a class than in our network.
    """
    classes: Counter[str] = Counter()
    for name, parts in layers:
        known = graph.by_name[name].kind if name in graph.by_name else _class_by_name(name, graph)
        if not parts and known is None:
            raise WeightsError(
                f"{path}: expected weights of {graph.name} alone, received a layer {brief(name)}, whose effect would "
                "be lost; save the whole model as .keras, which says what it is"
            )
        classes[known or ""] += not parts
    ours = Counter(layer.kind for layer in graph.layers)
    for kind in COUNTED:
        if any(classes.values()) and classes[kind] != ours[kind]:
            raise WeightsError(f"{path}: expected {ours[kind]} layers {kind}, received {classes[kind]}")


def _class_by_name(name: str, graph: Graph) -> str | None:
    """The class that a layer of a name has by Keras's own counting, if it computes nothing else than our network does."""
    stem = re.sub(r"_\d+$", "", name)
    known = "InputLayer" if stem == OLD_INPUT else CLASSES.get(stem, "")
    kind = SPECS[known].kind if known in SPECS else None
    harmless = kind is None or known in WITHIN_OURS or kind in {layer.kind for layer in graph.layers}
    return known if known and known not in NEVER and harmless else None


def with_head_named(layers: list[Layer], graph: Graph) -> list[Layer]:
    """The one dense layer of the head's shape is `predictions`, whatever its name."""
    expected = tensor_shapes(graph)
    ours = {name.rsplit("/", 1)[0] for name in expected}
    heads = [
        i
        for i, (name, parts) in enumerate(layers)
        if name not in ours and getattr(parts.get("kernel"), "shape", None) == expected[f"{HEAD}/kernel"]
    ]
    if len(heads) != 1 or any(name == HEAD for name, _ in layers):
        return layers
    return [(HEAD, parts) if i == heads[0] else (name, parts) for i, (name, parts) in enumerate(layers)]


def check_order(path: Path, layers: list[Layer], graph: Graph) -> None:
    """Layers that share a shape must come in the network's order: names that changed places are a wrong file.

    Layers of one kind keep one order in all versions of Keras, whatever stands between them.

    Raises:
        WeightsError: layers of a kind come in another order.
    """
    for moved in _moved([name for name, _ in layers], graph):
        raise WeightsError(f"{path}: expected layers in the network's order, others stand at {moved}")


def _moved(received: list[str], graph: Graph) -> Iterator[list[str]]:
    order = keras_order(graph)
    for kind in dict.fromkeys(graph.by_name[name].kind for name in received):
        ours, theirs = ([name for name in names if graph.by_name[name].kind == kind] for names in (order, received))
        if moved := [f"{a} (found {b})" for a, b in zip(ours, theirs, strict=True) if a != b]:
            yield moved[:LISTED]
