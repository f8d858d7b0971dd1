"""What the converters of a graph to OpenVINO work with: values that know where their channels are, and constants.

Our graphs have channels last. OpenVINO's windows want them first. A value keeps the layout in which it was made, so that
maps pass from window to window untouched; a layer asks for the one that it needs.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from hbac.network.graph import Graph, Layer, Tensors
from hbac.network.padding import paddings
from hbac.network.shape_inference import output_shapes

Each = TypeVar("Each")
Made = tuple[Any, bool]  # what a converter gives: a node, and whether its channels come first
FIRST: Final = True  # (1, channels, ...)
LAST: Final = False  # (1, ..., channels), as the graph says


class Value:
    """What a layer gives.

    Args:
        ops: OpenVINO's operations.
        node: the node that gives it.
        shape: what the graph says, channels last, of one record.
        channels_first: how the node has it; without axes between batch and channels that is the same.
    """

    def __init__(self, ops: Any, node: Any, shape: tuple[int, ...], channels_first: bool):
        self.node, self.shape = node, shape
        self.rank = len(shape)
        self.channels_first = channels_first and self.rank > 2
        self._ops = ops
        self._other: Any = None  # the node in the other layout, once a layer has asked for it

    def first(self) -> Any:
        """A node with channels first."""
        if self.channels_first or self.rank <= 2:
            return self.node
        return self._turned([0, self.rank - 1, *range(1, self.rank - 1)])

    def last(self) -> Any:
        """A node with channels last."""
        return self._turned([0, *range(2, self.rank), 1]) if self.channels_first else self.node

    def _turned(self, order: list[int]) -> Any:
        if self._other is None:
            if set(self.shape[1:-1]) == {1}:  # nothing changes its place
                sizes = self.ordered(self.shape)
                self._other = self._ops.reshape(self.node, np.array([sizes[axis] for axis in order]), False)
            else:
                node = self.node if self.channels_first or self._is_input() else _copied(self._ops, self.node)
                self._other = self._ops.transpose(node, np.array(order))
        return self._other

    def _is_input(self) -> bool:
        return bool(self.node.get_type_name() == "Parameter")

    def axis(self, axis: int) -> int:
        """Where an axis of the graph is in `node`."""
        return self.ordered(range(self.rank)).index(axis % self.rank)

    def ordered(self, of_axes: Sequence[Each]) -> list[Each]:
        """Something for each axis of the graph, in the order of the axes of `node`."""
        batch, *sizes, channels = of_axes
        return [batch, channels, *sizes] if self.channels_first else [batch, *sizes, channels]


def _copied(ops: Any, node: Any) -> Any:
    """The same numbers in memory of their own, by an activation that changes nothing.

    On CPUs OpenVINO takes a transposition and a window behind it as a look at the memory of what is transposed. If that
    is also reshaped or joined to something, the window's memory is overwritten before it is read: OpenVINO 2026.4 then
    answers with any numbers (openvinotoolkit/openvino, pull request 26035, is on such a conflict).
    """
    return ops.prelu(node, np.array([1], np.float32))


class Conversion:
    """A graph that is being converted: what its converters look up, and what they have made so far."""

    def __init__(self, graph: Graph, tensors: Tensors):
        from openvino import opset13

        self.ops: Any = opset13
        self.tensors = tensors
        self.paddings = paddings(graph)
        self.shapes = {name: tuple(size or 1 for size in shape) for name, shape in output_shapes(graph).items()}
        self.parameter: Any = None  # the input
        self.values: dict[str, Value] = {}  # what each layer gives, by its name

    def tensor(self, layer: Layer, part: str) -> Any:
        """A tensor of a layer or of the one whose tensors it shares; None if it has none of that name."""
        return self.tensors.get(f"{layer.owner}/{part}")

    def constant(self, array: Any) -> Any:
        """A float32 constant with memory of its own: of an array that it does not own OpenVINO makes a list, 0.6 s a network."""
        return self.ops.constant(np.array(array, np.float32, order="C"))

    def scaled(self, value: Value, node: Any, scale: Any, shift: Any) -> Any:
        """Channel by channel node * scale + shift, each (channels,) or None; the node is laid out as the value."""
        for vector, operation in ((scale, self.ops.multiply), (shift, self.ops.add)):
            if vector is not None:
                shape = value.ordered([1] * (value.rank - 1) + [-1])
                node = operation(node, self.constant(np.reshape(vector, shape)))
        return node


def alike(values: Sequence[Value]) -> tuple[list[Any], bool]:
    """Nodes of one layout, channels first if any value has them so, and whether they have."""
    first = any(value.channels_first for value in values)
    return [value.first() if first else value.last() for value in values], first


def number_by_number(function: Callable[[Any, Layer, Any], Any]) -> Callable[..., Made]:
    """A converter of a function of operations, layer and node that does not care for the layout."""

    def convert(to: Conversion, layer: Layer, value: Value) -> Made:
        return function(to.ops, layer, value.node), value.channels_first

    return convert
