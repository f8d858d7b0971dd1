"""How a layer of a Keras config is called, in the forms of Keras 2 and 3: on outputs of layers, and on plain values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from hbac.errors import WeightsError, brief
from hbac.weights.keras_layers import AUGMENTATION, PREPROCESSING, spec_of
from hbac.weights.keras_ops import Tensor, is_function

MAX_CALLS: Final = 64  # of one layer
CALLED_WITH: Final = {"training": (None, False), "mask": (None,), "initial_state": (None,)}


def is_tensor(tensor: Any) -> bool:
    """[layer's name, which of its calls, which of its outputs]."""
    return (
        isinstance(tensor, list)
        and len(tensor) == 3
        and isinstance(tensor[0], str)
        and type(tensor[1]) is int
        and type(tensor[2]) is int
        and tensor[2] == 0
    )


class Output(NamedTuple):
    """What a layer gives for one of its calls."""

    layer: str
    call: int


Given = tuple[list[Any], dict[str, Any]]  # what a layer is called on: steps and values, and further ones by name


@dataclass(frozen=True)
class Arguments:
    """What a layer is called on, in the words of the config."""

    given: list[Any]  # outputs of layers, lists of these, plain values
    named: dict[str, Any]

    @property
    def tensors(self) -> list[Output]:
        """Those that have to be there first."""
        return [one for one in _flat_deep([*self.given, *self.named.values()]) if isinstance(one, Output)]

    def of(self, values: dict[tuple[str, int], str]) -> Given:
        """With the steps in their places."""

        def named(one: Any) -> Any:
            if isinstance(one, Output):
                return Tensor(values[one])
            return [named(part) for part in one] if isinstance(one, list) else one

        return [named(one) for one in self.given], {key: named(value) for key, value in self.named.items()}


def _flat_deep(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flat_deep(value)
        else:
            yield value


def calls_of(entry: dict[str, Any], where: str) -> int:
    """How often a layer is called."""
    nodes = entry.get("inbound_nodes")
    if not isinstance(nodes, list) or not 0 < len(nodes) <= MAX_CALLS:
        received = len(nodes) if isinstance(nodes, list) else brief(nodes)
        raise WeightsError(f"{where}: expected to be called once to {MAX_CALLS} times, received {received} calls")
    return len(nodes)


def call_of(entry: dict[str, Any], number: int, where: str) -> Arguments:
    """One call of a layer; how it is called has to be as for an answer."""
    node = entry["inbound_nodes"][number]
    in_keras_3 = isinstance(node, dict)
    given, named = _keras_3_call(node, where) if in_keras_3 else _keras_2_call(node, where)
    if is_function(entry):
        return Arguments(given, named)
    spec = None if "layers" in entry["config"] else spec_of(entry, where)
    if in_keras_3 and named.get("training") is True and (spec is AUGMENTATION or entry["class_name"] in PREPROCESSING):
        del named["training"]  # their default, which `predict` overrides
    for key, value in named.items():
        if not any(value is allowed for allowed in CALLED_WITH.get(key, ())):
            raise WeightsError(f"{where}: expected to be called without {brief(key)}, received {brief(value)}")
    return Arguments(given, {})


def _keras_3_call(node: dict[str, Any], where: str) -> Given:
    given, named = node.get("args"), node.get("kwargs")
    if not isinstance(given, list) or not isinstance(named, dict):
        raise WeightsError(f"{where}: expected to be called on outputs of layers, received {brief(node)}")
    return [_history(one, where) for one in given], {key: _history(one, where) for key, one in named.items()}


def _history(argument: Any, where: str) -> Any:
    """The output of a layer, a list of these, or a plain value."""
    if isinstance(argument, list):
        return [_history(one, where) for one in argument]
    if isinstance(argument, dict) and argument.get("class_name") == "__keras_tensor__":
        config = argument.get("config")
        tensor = config.get("keras_history") if isinstance(config, dict) else None
        if tensor is None or not is_tensor(tensor):
            raise WeightsError(f"{where}: expected to be called on outputs of layers, received {brief(tensor)}")
        return Output(tensor[0], tensor[1])
    return argument


def _keras_2_call(node: Any, where: str) -> Given:
    nodes = [node] if isinstance(node, list) and node and isinstance(node[0], str) else node
    if (
        not isinstance(nodes, list)
        or not nodes
        or not all(isinstance(one, list) and len(one) == 4 and is_tensor(one[:3]) for one in nodes)
    ):
        raise WeightsError(f"{where}: expected to be called on outputs of layers, received {brief(node)}")
    named: dict[str, Any] = {}
    for *_, more in nodes:
        named |= more if isinstance(more, dict) else {"arguments": more}
    return [[Output(name, call) for name, call, _, _ in nodes]], named
