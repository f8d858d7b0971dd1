"""A network as data: layers by Keras's class names and arguments, each after its inputs. Nothing is built, no files.

One row of `KINDS` says what a kind of layer takes. What is done with a graph has a table of its own, a row a kind:
`shape_inference`, `openvino_graph`. `keras_model` needs none: a kind is the name of a class of `keras.layers`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np

from hbac.errors import InputError, brief

Tensors = dict[str, np.ndarray[Any, Any]]  # by `layer/variable`, such as conv1_conv/kernel

REQUIRED: Final = object()
NONE, ONE, SEVERAL = range(0, 1), range(1, 2), range(2, 100)  # how many inputs a layer takes


@dataclass(frozen=True)
class Kind:
    """What a layer of a kind takes: how many inputs, and which of Keras's arguments, with Keras's own defaults."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: range = ONE


KINDS: Final[Mapping[str, Kind]] = {
    "InputLayer": Kind({"batch_shape": REQUIRED}, NONE),
    "Conv2D": Kind({"filters": REQUIRED, "kernel_size": REQUIRED, "strides": (1, 1), "padding": "valid"}),
    "BatchNormalization": Kind({"epsilon": 1e-3}),
    "Activation": Kind({"activation": REQUIRED}),
    "ZeroPadding2D": Kind({"padding": ((1, 1), (1, 1))}),  # ((top, bottom), (left, right))
    "MaxPooling2D": Kind({"pool_size": (2, 2), "strides": (2, 2), "padding": "valid"}),
    "Add": Kind(inputs=SEVERAL),
    "GlobalAveragePooling2D": Kind(),
    "Dropout": Kind({"rate": REQUIRED}),
    "Dense": Kind({"units": REQUIRED}),
}
OF_ALL_KINDS: Final = {"dtype": None}  # None: what the precision of the whole network says


@dataclass(frozen=True)
class Layer:
    """One layer. Arguments that are not stated have Keras's defaults, so that equal layers compare equal.

    Args:
        name: of the layer, part of its tensors' names.
        kind: a key of `KINDS`.
        arguments: plain values under Keras's names; sizes are pairs.
        inputs: names of the layers it takes.

    Raises:
        InputError: an unknown kind, arguments or a number of inputs that the kind does not take.
    """

    name: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise InputError(f"expected a layer's name without a slash, received {brief(self.name)}")
        where, kind = f"layer {brief(self.name, quote=False)}", KINDS.get(self.kind)
        if kind is None:
            raise InputError(f"{where}: expected one of {sorted(KINDS)}, received {brief(self.kind)}")
        known = {**kind.arguments, **OF_ALL_KINDS}
        if unknown := sorted(set(self.arguments) - set(known)):
            raise InputError(f"{where}: expected some of {sorted(known)} for {self.kind}, received {brief(unknown)}")
        whole = {**known, **self.arguments}
        if missing := [name for name, value in whole.items() if value is REQUIRED]:
            raise InputError(f"{where}: expected {missing} for {self.kind}, received none")
        if len(self.inputs) not in kind.inputs:
            expected = " to ".join(map(str, sorted({kind.inputs[0], kind.inputs[-1]})))
            raise InputError(f"{where}: expected {expected} inputs for {self.kind}, received {len(self.inputs)}")
        object.__setattr__(self, "arguments", whole)

    def __getitem__(self, argument: str) -> Any:
        """The value of an argument, stated or Keras's default."""
        return self.arguments[argument]


@dataclass(frozen=True)
class Graph:
    """A network of one input, the first layer, and one output, the last.

    Raises:
        InputError: a name that comes twice, an input that does not come before, more than one input or output.
    """

    name: str
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        earlier: set[str] = set()
        for layer in self.layers:
            if layer.name in earlier:
                raise InputError(f"{self.name}: expected each name once, received layer {brief(layer.name)} twice")
            if later := [name for name in layer.inputs if name not in earlier]:
                raise InputError(
                    f"{self.name}: expected the inputs of {brief(layer.name)} among the layers before it, "
                    f"received {brief(later)}"
                )
            earlier.add(layer.name)
        self._check_ends()

    def _check_ends(self) -> None:
        inputs = [layer.name for layer in self.layers if layer.kind == "InputLayer"]
        outputs = [name for name, users in self.users.items() if not users]
        for what, names in (("input", inputs), ("output", outputs)):
            if len(names) != 1:
                raise InputError(f"{self.name}: expected one {what}, received {brief(names)}")

    @cached_property
    def by_name(self) -> dict[str, Layer]:
        """Each layer by its name."""
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def users(self) -> dict[str, list[str]]:
        """Names of the layers that take a layer, once for each time they do."""
        users: dict[str, list[str]] = {layer.name: [] for layer in self.layers}
        for layer in self.layers:
            for name in layer.inputs:
                users[name].append(layer.name)
        return users

    def until(self, output: str, name: str | None = None) -> "Graph":
        """The part that computes one layer, under the same name or another.

        Raises:
            InputError: there is no such layer.
        """
        if output not in self.by_name:
            raise InputError(f"{self.name}: expected a layer {brief(output)}, received none of that name")
        needed = {output}
        for layer in reversed(self.layers):
            if layer.name in needed:
                needed.update(layer.inputs)
        return Graph(name or self.name, tuple(layer for layer in self.layers if layer.name in needed))


class Sketch:
    """Layers as they are written down: each `add` gives the name that the next one takes as its input."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []

    def add(self, kind: str, name: str, *inputs: str, **arguments: Any) -> str:
        """See `Layer`."""
        self._layers.append(Layer(name, kind, arguments, inputs))
        return name

    def graph(self, name: str) -> Graph:
        """What was added, in its order."""
        return Graph(name, tuple(self._layers))


def keras_order(graph: Graph) -> list[str]:
    """Names of layers in the order of `keras.Model.layers`.

    Keras sorts them by depth, the length of the longest path to the output, and equal ones by where a depth-first
    walk from the output meets them first (`keras/src/ops/function.py`, `map_graph`).
    """
    depth: Counter[str] = Counter()
    for layer in reversed(graph.layers):
        for name in layer.inputs:
            depth[name] = max(depth[name], depth[layer.name] + 1)
    met: dict[str, int] = {}
    waiting = [graph.layers[-1].name]
    while waiting:
        name = waiting.pop()
        if name not in met:
            met[name] = len(met)
            waiting += reversed(graph.by_name[name].inputs)
    return sorted(met, key=lambda name: (-depth[name], met[name]))
