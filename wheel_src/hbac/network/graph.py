"""A network as data: layers by Keras's class names and arguments, each after its inputs. Nothing is built, no files.

`kinds.KINDS` says what a kind of layer takes. What is done with a graph has a table of its own, a row a kind:
`shape_inference`, `openvino_graph`, `keras_model`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from hbac.errors import InputError, brief
from hbac.network.kinds import KINDS, checked_arguments

Tensors = dict[str, np.ndarray[Any, Any]]  # by `layer/variable`, such as conv1_conv/kernel


@dataclass(frozen=True)
class Layer:
    """One layer. Arguments that are not stated have Keras's defaults, so that equal layers compare equal.

    Args:
        name: of the layer, part of its tensors' names.
        kind: a key of `kinds.KINDS`.
        arguments: plain values under Keras's names; sizes are pairs.
        inputs: names of the layers it takes.
        shares: the name of an earlier layer of the same kind and arguments whose tensors this one uses.

    Raises:
        InputError: an unknown kind, arguments or a number of inputs that the kind does not take.
    """

    name: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    shares: str | None = None

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise InputError(f"expected a layer's name without a slash, received {brief(self.name)}")
        where, kind = f"layer {brief(self.name, quote=False)}", KINDS.get(self.kind)
        if kind is None:
            raise InputError(f"{where}: expected one of {sorted(KINDS)}, received {brief(self.kind)}")
        try:
            whole = checked_arguments(self.kind, self.arguments)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from error
        if len(self.inputs) not in kind.inputs:
            expected = " to ".join(map(str, sorted({kind.inputs[0], kind.inputs[-1]})))
            raise InputError(f"{where}: expected {expected} inputs for {self.kind}, received {len(self.inputs)}")
        object.__setattr__(self, "arguments", whole)

    @property
    def owner(self) -> str:
        """The layer under whose name its tensors are."""
        return self.shares or self.name

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
            self._check_shared(layer, earlier)
            earlier.add(layer.name)
        self._check_ends()

    def _check_shared(self, layer: Layer, earlier: set[str]) -> None:
        owner = self.by_name[layer.owner] if layer.owner in earlier else None
        same = owner and (owner.kind, owner.arguments, owner.shares) == (layer.kind, layer.arguments, None)
        if layer.shares and not same:
            raise InputError(
                f"{self.name}: expected an earlier layer like {brief(layer.name)} whose tensors it shares, "
                f"received {brief(layer.shares)}"
            )

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

    def taking(self, input_shape: tuple[int | None, ...]) -> "Graph":
        """The same network for inputs of another shape, without the batch."""
        first = replace(self.layers[0], arguments={"batch_shape": (None, *input_shape)})
        return Graph(self.name, (first, *self.layers[1:]))


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
