"""The graph in a whole Keras file's config, read as plain JSON: nothing is deserialised, no name is looked up.

Models within the model are taken apart, so that what is left is a list of layers that compute something.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hbac.errors import WeightsError, brief, one_line
from hbac.weights.keras_layers import AUGMENTATION, Kinds, kinds_of, plain, received_class, spec_of

MAX_DEPTH: Final = 8  # models within models
MAX_LAYERS: Final = 5000
FUNCTIONAL: Final = ("Functional", "Model")  # as Keras 2 and 3 name it, and as older files do
MODEL_MODULE: Final = re.compile(r"keras(\.src)?(\.(models|engine)(\.(functional|sequential|training))?)?$")
CALLED_WITH: Final = {"training": (None, False), "mask": (None,)}


@dataclass(frozen=True)
class Step:
    """One kind of our graph that the file's network computes."""

    name: str  # the layer's, behind those of the models it lies in: resnet50/conv1_conv; `:activation` if it has one
    kind: str
    arguments: dict[str, Any]
    inputs: tuple[str, ...]  # names of steps


@dataclass
class SavedNetwork:
    """What a config says that a network computes."""

    input: str = ""  # the step that the others begin from
    input_shape: tuple[int | None, ...] = ()
    output: str = ""  # the step that is the answer
    steps: dict[str, Step] = field(default_factory=dict)  # by name, each behind its inputs
    places: dict[str, str] = field(default_factory=dict)  # in a weights file, /layers/conv2d_3, to the layer's name
    order: list[list[tuple[str, bool]]] = field(default_factory=list)  # names, trainable, of each layer of the top

    def add(self, name: str, kinds: Kinds, inputs: tuple[str, ...]) -> str:
        """Write down what a layer computes; the step it ends in."""
        for i, (kind, arguments) in enumerate(kinds):
            own = f"{name}:activation" if i else name
            if own in self.steps or own == self.input:
                raise WeightsError(f"expected each layer once, received {brief(own)} twice")
            self.steps[own] = Step(own, kind, arguments, inputs)
            inputs = (own,)
        return inputs[0]


@dataclass(frozen=True)
class _Scope:
    """A model within the models around it."""

    name: str = ""  # of the layers in it, what comes before: resnet50/
    place: str = ""  # in a weights file
    trainable: bool = True
    depth: int = 0


def read_network(config: bytes | str) -> SavedNetwork:
    """The network of a config.

    Raises:
        WeightsError: not a config of a model with one input and one output, made of layers that our graphs have.
    """
    try:
        model = json.loads(config)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"expected the config of a model in JSON: {one_line(error)}") from error
    saved = SavedNetwork()
    saved.output = _read_model(saved, model, _Scope(), None)
    return saved


def _read_model(saved: SavedNetwork, entry: Any, scope: _Scope, given: str | None) -> str:
    """Take a model apart, which is called on the step `given`, None for the whole; the step it ends in."""
    config = entry.get("config") if isinstance(entry, dict) else None
    if not isinstance(config, dict) or not _is_model(entry):
        received = received_class(entry) if isinstance(entry, dict) else brief(entry)
        raise WeightsError(f"expected a Functional or Sequential model of Keras, received {received}")
    where, layers = f"model {brief(config.get('name'))}", config.get("layers")
    if not isinstance(layers, list) or not layers or not all(map(_is_entry, layers)):
        raise WeightsError(f"{where}: expected a list of named layers, received {brief(layers)}")
    if scope.depth > MAX_DEPTH or len(saved.places) + len(layers) > MAX_LAYERS:
        raise WeightsError(f"{where}: expected models at most {MAX_DEPTH} deep and {MAX_LAYERS} layers, received more")
    scope = replace(scope, trainable=scope.trainable and config.get("trainable", True) is not False)
    if entry["class_name"] == "Sequential":
        return _read_sequential(saved, config, scope, given)
    return _read_functional(saved, config, scope, given)


def _read_functional(saved: SavedNetwork, config: dict[str, Any], scope: _Scope, given: str | None) -> str:
    where = f"model {brief(config.get('name'))}"
    first, last = (_one_end(config.get(f"{end}_layers"), f"{where}, {end}") for end in ("input", "output"))
    values: dict[str, str] = {}
    for entry, place in zip(config["layers"], _places(config["layers"], scope.place), strict=True):
        name = entry["config"]["name"]
        if name in values or (entry["class_name"] == "InputLayer") != (name == first):
            raise WeightsError(f"{where}: expected one input and each layer once, received {brief(name)} too")
        if name == first:
            values[name] = _read_input(saved, entry["config"], scope.name, given)
            continue
        tensors = _called_on(entry, f"layer {brief(scope.name + name)}")
        if missing := [tensor for tensor in tensors if tensor not in values]:
            raise WeightsError(f"{where}: expected inputs of {brief(name)} before it, received {brief(missing)}")
        values[name] = _read_layer(saved, entry, place, scope, tuple(values[tensor] for tensor in tensors))
    if last not in values:
        raise WeightsError(f"{where}: expected a layer {brief(last)}, its output, received none")
    return values[last]


def _read_sequential(saved: SavedNetwork, config: dict[str, Any], scope: _Scope, given: str | None) -> str:
    layers, value = config["layers"], given
    for entry, place in zip(layers, _places(layers, scope.place), strict=True):
        if entry["class_name"] == "InputLayer":
            value = _read_input(saved, entry["config"], scope.name, value)
            continue
        if value is None:  # built without an input of its own
            shape = layers[0]["config"].get("batch_input_shape") or config.get("build_input_shape")
            value = _read_input(saved, {"name": "input", "batch_shape": shape}, scope.name, None)
        value = _read_layer(saved, entry, place, scope, (value,))
    return str(value)


def _read_input(saved: SavedNetwork, config: dict[str, Any], within: str, given: str | None) -> str:
    name = f"{within}{config['name']}"
    for key, expected in (("dtype", "float32"), ("sparse", False), ("ragged", False)):
        if config.get(key) not in (None, expected):
            raise WeightsError(f"layer {brief(name)}: expected {key} {expected}, received {brief(config[key])}")
    if given is not None:
        return given
    shape = plain(config.get("batch_shape", config.get("batch_input_shape")))
    if saved.input or not isinstance(shape, tuple) or len(shape) < 2:
        raise WeightsError(f"layer {brief(name)}: expected one input of a stated shape, received {brief(shape)}")
    saved.input, saved.input_shape = name, shape[1:]
    return saved.input


def _read_layer(saved: SavedNetwork, entry: dict[str, Any], place: str, scope: _Scope, inputs: tuple[str, ...]) -> str:
    name, config = scope.name + entry["config"]["name"], entry["config"]
    saved.places[place] = name
    if not scope.depth:
        saved.order.append([])
    before = saved.steps[inputs[0]].kind if inputs[0] in saved.steps else None
    kinds = [] if "layers" in config else kinds_of(entry, f"layer {brief(name)}", before)
    if len(inputs) != 1 and [kind for kind, _ in kinds] != ["Add"]:
        raise WeightsError(f"layer {brief(name)}: expected one input, received {len(inputs)}")
    if "layers" in config:
        inner = replace(scope, name=f"{name}/", place=place, depth=scope.depth + 1)
        return _read_model(saved, entry, inner, inputs[0])
    saved.order[-1].append((name, scope.trainable and config.get("trainable", True) is not False))
    return saved.add(name, kinds, inputs)


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("class_name"), str)
        and isinstance(entry.get("config"), dict)
        and isinstance(entry["config"].get("name"), str)
        and "/" not in entry["config"]["name"]
    )


def _is_model(entry: dict[str, Any]) -> bool:
    """Whether an entry is a plain model of Keras; Keras's legacy form states no module."""
    name, module = entry.get("class_name"), entry.get("module")
    return (
        name in ("Sequential", *FUNCTIONAL)
        and entry.get("registered_name") in (None, name)
        and (module is None or (isinstance(module, str) and MODEL_MODULE.match(module) is not None))
    )


def _places(layers: list[dict[str, Any]], place: str) -> Iterator[str]:
    """Where the weights of each layer lie in a file: its class in snake case, and how many of it came before."""
    before: Counter[str] = Counter()
    for entry in layers:
        stem = snake_case(entry["class_name"])
        yield f"{place}/layers/{stem}" + (f"_{before[stem]}" if before[stem] else "")
        before[stem] += 1


def snake_case(name: str) -> str:
    """BatchNormalization to batch_normalization, Conv2D to conv2d, as Keras names places."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _one_end(ends: Any, what: str) -> str:
    """The one layer of `input_layers` or `output_layers`: [name, 0, 0], or a list that holds one of these."""
    while isinstance(ends, list) and len(ends) == 1:
        ends = ends[0]
    if not _is_tensor(ends):
        raise WeightsError(f"{what}: expected one, received {brief(ends)}")
    return str(ends[0])


def _is_tensor(tensor: Any) -> bool:
    """[layer's name, which of its calls, which of its outputs]."""
    return (
        isinstance(tensor, list)
        and len(tensor) == 3
        and isinstance(tensor[0], str)
        and type(tensor[1]) is int
        and type(tensor[2]) is int
        and tensor[2] == 0
    )


def _called_on(entry: dict[str, Any], where: str) -> list[str]:
    """The layers that one is called on, once; how it is called has to be as for an answer."""
    spec, nodes = None if "layers" in entry["config"] else spec_of(entry, where), entry.get("inbound_nodes")
    if not isinstance(nodes, list) or len(nodes) != 1:
        calls = len(nodes) if isinstance(nodes, list) else brief(nodes)
        raise WeightsError(f"{where}: expected to be called once, received {calls} calls")
    in_keras_3 = isinstance(nodes[0], dict)
    tensors, named = _keras_3_call(nodes[0]) if in_keras_3 else _keras_2_call(nodes[0])
    if in_keras_3 and spec is AUGMENTATION and named.get("training") is True:
        del named["training"]  # their default, which `predict` overrides
    for key, value in named.items():
        if not any(value is allowed for allowed in CALLED_WITH.get(key, ())):
            raise WeightsError(f"{where}: expected to be called without {brief(key)}, received {brief(value)}")
    if not tensors or not all(map(_is_tensor, tensors)):
        raise WeightsError(f"{where}: expected to be called on outputs of layers, received {brief(tensors)}")
    return [tensor[0] for tensor in tensors]


def _keras_3_call(node: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    arguments, named = node.get("args"), node.get("kwargs")
    if not isinstance(arguments, list) or not isinstance(named, dict):
        return [node], {}
    if len(arguments) == 1 and isinstance(arguments[0], list):
        arguments = arguments[0]
    return [_history(argument) for argument in arguments], dict(named)


def _history(argument: Any) -> Any:
    config = argument.get("config") if isinstance(argument, dict) else None
    if isinstance(config, dict) and argument.get("class_name") == "__keras_tensor__":
        return config.get("keras_history")
    return argument


def _keras_2_call(node: Any) -> tuple[list[Any], dict[str, Any]]:
    if not isinstance(node, list) or not all(isinstance(t, list) and len(t) == 4 for t in node):
        return [node], {}
    named: dict[str, Any] = {}
    for *_, more in node:
        named |= more if isinstance(more, dict) else {"arguments": more}
    return [tensor[:3] for tensor in node], named
