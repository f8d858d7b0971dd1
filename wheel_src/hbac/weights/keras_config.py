"""The graph in a whole Keras file's config, read as plain JSON: nothing is deserialised, no name is looked up.

Models within the model are taken apart, so that what is left is a list of layers that compute something. A layer or a
model that is called several times is there as often; the later ones share the tensors of the first.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from hbac.errors import InputError, WeightsError, brief, one_line
from hbac.network.graph import Graph, Layer, Tensors
from hbac.network.kinds import KINDS
from hbac.network.shape_inference import Shape, layer_tensors, output_shape
from hbac.weights.keras_hdf5 import Place
from hbac.weights.keras_layers import AUGMENTATION, PREPROCESSING, Computed, kinds_of, plain, received_class, spec_of
from hbac.weights.keras_ops import Tensor, is_function, kinds_of_function

MAX_DEPTH: Final = 8  # models within models
MAX_LAYERS: Final = 5000
MAX_NAME: Final = 200  # characters
FUNCTIONAL: Final = ("Functional", "Model")  # as Keras 2 and 3 name it, and as older files do
MODEL_MODULE: Final = re.compile(r"keras(\.src)?(\.(models|engine)(\.(functional|sequential|training))?)?$")
MAX_CALLS: Final = 64  # of one layer
CALLED_WITH: Final = {"training": (None, False), "mask": (None,), "initial_state": (None,)}
WITHIN: Final = {  # where in a layer's place its tensors lie, by kind; elsewhere at the place itself
    "GRU": ("cell",),
    "LSTM": ("cell",),
    "Bidirectional": ("forward_layer/cell", "backward_layer/cell"),
}


@dataclass(frozen=True)
class Step:
    """One kind of our graph that the file's network computes."""

    name: str  # the layer's, behind those of the models it lies in: resnet50/conv1_conv; `:activation` if it has one
    layer: Layer  # as our graph has it, under a name that our graphs take, behind the layers of its inputs
    inputs: tuple[str, ...]  # names of steps

    @property
    def kind(self) -> str:
        """Of our graph."""
        return self.layer.kind

    @property
    def arguments(self) -> dict[str, Any]:
        """All of them."""
        return dict(self.layer.arguments)


@dataclass
class SavedNetwork:
    """What a config says that a network computes."""

    input: str = ""  # the step that the others begin from
    input_shape: tuple[int | None, ...] = ()
    output: str = ""  # the step that is the answer
    steps: dict[str, Step] = field(default_factory=dict)  # by name, each behind its inputs
    shapes: dict[str, Shape] = field(default_factory=dict)  # what each step gives
    constants: Tensors = field(default_factory=dict)  # tensors that the config itself holds, by our graph's names
    deviations: set[str] = field(default_factory=set)  # steps that stand for `keras.layers.Normalization`
    places: dict[str, Place] = field(default_factory=dict)  # in a weights file, by /layers/conv2d_3
    order: list[list[tuple[str, bool]]] = field(default_factory=list)  # names, trainable, of each layer of the top
    layers: int = 0  # read so far, those of models within too

    def begin(self, name: str, shape: Any) -> str:
        """Write down the input."""
        where = f"layer {brief(name)}"
        if self.input or not isinstance(shape, tuple) or len(shape) < 2:
            raise WeightsError(f"{where}: expected one input of a stated shape, received {brief(shape)}")
        layer = _layer(where, our_name(name), "InputLayer", {"batch_shape": (None, *shape[1:])}, ())
        self.input, self.input_shape = name, shape[1:]
        self.steps[name] = Step(name, layer, ())
        self.shapes[name] = layer["batch_shape"]
        return name

    def add(self, name: str, computed: list[Computed], inputs: tuple[str, ...], first: str | None = None) -> str:
        """Write down what a layer computes; the step it ends in.

        Args:
            name: of the layer.
            computed: by the layer, one behind the other.
            inputs: names of steps.
            first: the name under which the same layer was written down before.
        """
        for i, one in enumerate(computed):
            ending = ":activation" if i else ""
            self._write(name + ending, one, inputs, first + ending if first else None)
            inputs = (name + ending,)
        return inputs[0]

    def _write(self, name: str, computed: Computed, inputs: tuple[str, ...], first: str | None) -> None:
        where, shapes = f"layer {brief(name)}", [self.shapes[one] for one in inputs]
        if name in self.steps:
            raise WeightsError(f"expected each layer once, received {brief(name)} twice")
        owner = self.steps[first].layer.owner if first in self.steps else None
        ours = tuple(self.steps[one].layer.name for one in inputs)
        layer = _layer(where, our_name(name), computed.kind, computed.arguments, ours)
        try:
            self.shapes[name] = output_shape(layer, shapes)
            parts = layer_tensors(layer, shapes)
        except InputError as error:
            raise WeightsError(_in_the_files_words(where, error)) from error
        if owner and parts:
            layer = replace(layer, shares=owner)
        self.steps[name] = Step(name, layer, inputs)
        if not layer.shares:
            self.constants |= {f"{layer.name}/{part}": value for part, value in computed.constants.items()}

    def put(self, place: str, name: str, parts: tuple[str, ...]) -> None:
        """Write down where the tensors of a step lie."""
        kind = self.steps[name].kind if name in self.steps else ""
        within = WITHIN.get(kind, ("",))
        size = len(parts) // len(within)
        for i, inner in enumerate(within):
            self.places[f"{place}/{inner}".rstrip("/")] = Place(
                name, parts[i * size : (i + 1) * size], bool(inner), name in self.deviations
            )

    def graph(self, name: str) -> Graph:
        """All that was written down, for the step that is the answer."""
        layers = tuple(step.layer for step in self.steps.values())
        return Graph(name, layers)


def our_name(name: str) -> str:
    """A layer's name as our graphs take it: resnet50/conv1_conv to resnet50.conv1_conv."""
    plain_name = re.sub(r"[^A-Za-z0-9_.\-]", "_", name.replace("/", ".").replace(":", "."))
    return plain_name if plain_name[:1].isalnum() else f"x{plain_name}"


def _layer(where: str, name: str, kind: str, arguments: dict[str, Any], inputs: tuple[str, ...]) -> Layer:
    try:
        return Layer(name, kind, arguments, inputs)
    except InputError as error:
        raise WeightsError(_in_the_files_words(where, error)) from error


def _in_the_files_words(where: str, error: InputError) -> str:
    """What is wrong with a layer of ours, by the name that it has in the file."""
    return f"{where}: {str(error).partition(': ')[2] or error}"


@dataclass(frozen=True)
class _Scope:
    """A model within the models around it."""

    name: str = ""  # of the layers in it, what comes before: resnet50/
    first: str = ""  # the same at its first call
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
    saved.layers += len(layers)
    if scope.depth > MAX_DEPTH or max(saved.layers, len(saved.steps)) > MAX_LAYERS:
        raise WeightsError(f"{where}: expected models at most {MAX_DEPTH} deep and {MAX_LAYERS} layers, received more")
    scope = replace(scope, trainable=scope.trainable and config.get("trainable", True) is not False)
    if entry["class_name"] == "Sequential":
        return _read_sequential(saved, config, scope, given)
    return _read_functional(saved, config, scope, given)


def _read_functional(saved: SavedNetwork, config: dict[str, Any], scope: _Scope, given: str | None) -> str:
    """Layer by layer as their inputs are there: a list may hold a layer before one that it is called on."""
    where = f"model {brief(config.get('name'))}"
    first, last = (_one_end(config.get(f"{end}_layers"), f"{where}, {end}") for end in ("input", "output"))
    values: dict[tuple[str, int], str] = {}
    waiting: list[tuple[dict[str, Any], str, int]] = []  # a layer, its place, which of its calls
    names = Counter(entry["config"].get("name", entry.get("name")) for entry in config["layers"])
    for entry, place in zip(config["layers"], _places(config["layers"], scope.place), strict=True):
        name = _name_of(entry)
        if names[name] > 1 or (entry["class_name"] == "InputLayer") != (name == first[0]):
            raise WeightsError(f"{where}: expected one input and each layer once, received {brief(name)} too")
        if name == first[0]:
            values[first] = _read_input(saved, entry["config"], scope.name, given)
        else:
            waiting += [(entry, place, call) for call in range(_calls(entry, f"layer {brief(scope.name + name)}"))]
    while waiting:
        later = []
        for entry, place, call in waiting:
            arguments = _call(entry, call, f"layer {brief(scope.name + _name_of(entry))}")
            if all(tensor in values for tensor in arguments.tensors):
                values[_name_of(entry), call] = _read_layer(saved, entry, place, scope, call, arguments.of(values))
            else:
                later.append((entry, place, call))
        if len(later) == len(waiting):
            raise WeightsError(
                f"{where}: expected inputs of {brief(_name_of(later[0][0]))} among its layers, received others"
            )
        waiting = later
    if last not in values:
        raise WeightsError(f"{where}: expected a layer {brief(last[0])}, its output, received none")
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
        value = _read_layer(saved, entry, place, scope, 0, ([Tensor(value)], {}))
    return str(value)


def _read_input(saved: SavedNetwork, config: dict[str, Any], within: str, given: str | None) -> str:
    name = f"{within}{config['name']}"
    for key, expected in (("dtype", "float32"), ("sparse", False), ("ragged", False)):
        if config.get(key) not in (None, expected):
            raise WeightsError(f"layer {brief(name)}: expected {key} {expected}, received {brief(config[key])}")
    if given is not None:
        return given
    return saved.begin(name, plain(config.get("batch_shape", config.get("batch_input_shape"))))


def _read_layer(
    saved: SavedNetwork, entry: dict[str, Any], place: str, scope: _Scope, call: int, arguments: "Given"
) -> str:
    """What a layer gives for one of its calls."""
    own = scope.name + _name_of(entry)
    name, first = own + (f"@{call}" if call else ""), scope.first + _name_of(entry)
    config, (given, named) = entry["config"], arguments
    if is_function(entry):
        computed, tensors = kinds_of_function(entry, given, named, f"function {brief(name)}", saved.shapes)
        return saved.add(name, computed, tuple(tensors))
    steps = tuple(one for one in _flat(given) if isinstance(one, Tensor))
    if len(steps) != len(_flat(given)) or not steps:
        raise WeightsError(f"layer {brief(name)}: expected to be called on outputs of layers, received {brief(given)}")
    if not scope.depth and not call:
        saved.order.append([])
    if "layers" in config:
        if len(steps) != 1:
            raise WeightsError(f"layer {brief(name)}: expected one input, received {len(steps)}")
        depth = scope.depth + 1
        inner = replace(scope, name=f"{name}/", first=f"{first}/", place=place, depth=depth)
        return _read_model(saved, entry, inner, steps[0])
    computed = kinds_of(entry, f"layer {brief(name)}", [saved.shapes[one] for one in steps])
    if len(steps) != 1 and [one.kind for one in computed[:1]] and not _takes_several(computed[0].kind):
        raise WeightsError(f"layer {brief(name)}: expected one input, received {len(steps)}")
    if not computed and len(steps) != 1:
        raise WeightsError(f"layer {brief(name)}: expected one input, received {len(steps)}")
    ends = saved.add(name, computed, steps, first if name != first else None)
    if name == first:
        saved.order[-1].append((name, scope.trainable and config.get("trainable", True) is not False))
        if entry["class_name"] == "Normalization":
            saved.deviations.add(name)
        saved.put(place, name, _parts_in_file(saved, name, computed))
    return ends


def _takes_several(kind: str) -> bool:
    return len(KINDS[kind].inputs) > 0 and KINDS[kind].inputs[-1] > 1


def _parts_in_file(saved: SavedNetwork, name: str, computed: list[Computed]) -> tuple[str, ...]:
    """Names of the tensors that a file holds of a step; none of those that its config holds."""
    if not computed:
        return ()
    step = saved.steps[name]
    parts = layer_tensors(step.layer, [saved.shapes[one] for one in step.inputs])
    return tuple(part for part in parts if f"{step.layer.name}/{part}" not in saved.constants)


def _flat(given: list[Any]) -> list[Any]:
    return list(given[0]) if len(given) == 1 and isinstance(given[0], list) else given


def _name_of(entry: dict[str, Any]) -> str:
    name = entry["config"].get("name", entry.get("name"))
    return str(name)


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("class_name"), str)
        and isinstance(entry.get("config"), dict)
        and _is_name(entry["config"].get("name", entry.get("name")))
    )


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable() and not set(name) & set("/@:\\")


def _is_model(entry: dict[str, Any]) -> bool:
    """Whether an entry is a plain model of Keras; Keras's legacy form states no module."""
    name, module = entry.get("class_name"), entry.get("module")
    return (
        name in ("Sequential", *FUNCTIONAL)
        and entry.get("registered_name") in (None, name)
        and (module is None or (isinstance(module, str) and MODEL_MODULE.match(module) is not None))
    )


def _places(layers: list[dict[str, Any]], place: str) -> Iterator[str]:
    """Where the weights of each layer lie in a file: its class in snake case, and how many of it came before.

    A function of `keras.ops` is no layer and has no place.
    """
    before: Counter[str] = Counter()
    for entry in layers:
        if is_function(entry):
            yield ""
            continue
        stem = snake_case(entry["class_name"])
        yield f"{place}/layers/{stem}" + (f"_{before[stem]}" if before[stem] else "")
        before[stem] += 1


def snake_case(name: str) -> str:
    """BatchNormalization to batch_normalization, Conv2D to conv2d, as Keras names places."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _one_end(ends: Any, what: str) -> tuple[str, int]:
    """The one layer of `input_layers` or `output_layers`, and which of its calls: [name, 0, 0], or a list of one."""
    while isinstance(ends, list) and len(ends) == 1:
        ends = ends[0]
    if not _is_tensor(ends):
        raise WeightsError(f"{what}: expected one, received {brief(ends)}")
    return str(ends[0]), int(ends[1])


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


class _Output(NamedTuple):
    """What a layer gives for one of its calls."""

    layer: str
    call: int


Given = tuple[list[Any], dict[str, Any]]  # what a layer is called on: steps and values, and further ones by name


@dataclass(frozen=True)
class _Arguments:
    """What a layer is called on, in the words of the config."""

    given: list[Any]  # outputs of layers, lists of these, plain values
    named: dict[str, Any]

    @property
    def tensors(self) -> list[_Output]:
        """Those that have to be there first."""
        return [one for one in _flat_deep([*self.given, *self.named.values()]) if isinstance(one, _Output)]

    def of(self, values: dict[tuple[str, int], str]) -> Given:
        """With the steps in their places."""

        def named(one: Any) -> Any:
            if isinstance(one, _Output):
                return Tensor(values[one])
            return [named(part) for part in one] if isinstance(one, list) else one

        return [named(one) for one in self.given], {key: named(value) for key, value in self.named.items()}


def _flat_deep(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flat_deep(value)
        else:
            yield value


def _calls(entry: dict[str, Any], where: str) -> int:
    """How often a layer is called."""
    nodes = entry.get("inbound_nodes")
    if not isinstance(nodes, list) or not 0 < len(nodes) <= MAX_CALLS:
        received = len(nodes) if isinstance(nodes, list) else brief(nodes)
        raise WeightsError(f"{where}: expected to be called once to {MAX_CALLS} times, received {received} calls")
    return len(nodes)


def _call(entry: dict[str, Any], number: int, where: str) -> _Arguments:
    """One call of a layer; how it is called has to be as for an answer."""
    node = entry["inbound_nodes"][number]
    in_keras_3 = isinstance(node, dict)
    given, named = _keras_3_call(node, where) if in_keras_3 else _keras_2_call(node, where)
    if is_function(entry):
        return _Arguments(given, named)
    spec = None if "layers" in entry["config"] else spec_of(entry, where)
    if in_keras_3 and named.get("training") is True and (spec is AUGMENTATION or entry["class_name"] in PREPROCESSING):
        del named["training"]  # their default, which `predict` overrides
    for key, value in named.items():
        if not any(value is allowed for allowed in CALLED_WITH.get(key, ())):
            raise WeightsError(f"{where}: expected to be called without {brief(key)}, received {brief(value)}")
    return _Arguments(given, {})


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
        if tensor is None or not _is_tensor(tensor):
            raise WeightsError(f"{where}: expected to be called on outputs of layers, received {brief(tensor)}")
        return _Output(tensor[0], tensor[1])
    return argument


def _keras_2_call(node: Any, where: str) -> Given:
    nodes = [node] if isinstance(node, list) and node and isinstance(node[0], str) else node
    if (
        not isinstance(nodes, list)
        or not nodes
        or not all(isinstance(one, list) and len(one) == 4 and _is_tensor(one[:3]) for one in nodes)
    ):
        raise WeightsError(f"{where}: expected to be called on outputs of layers, received {brief(node)}")
    named: dict[str, Any] = {}
    for *_, more in nodes:
        named |= more if isinstance(more, dict) else {"arguments": more}
    return [[_Output(name, call) for name, call, _, _ in nodes]], named
