"""The graph in a whole Keras file's config, read as plain JSON: nothing is deserialised, no name is looked up.

Models within the model are taken apart, so that what is left is a list of layers that compute something. A layer or a
model that is called several times is there as often; the later ones share the tensors of the first.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from hbac.errors import WeightsError, brief, one_line
from hbac.network.kinds import KINDS
from hbac.network.shape_inference import layer_tensors
from hbac.weights.keras_calls import Given, call_of, calls_of, is_tensor
from hbac.weights.keras_layers import kinds_of, received_class
from hbac.weights.keras_ops import Tensor, is_function, kinds_of_function
from hbac.weights.keras_specials import Computed, plain
from hbac.weights.saved_network import SavedNetwork, snake_case

MAX_DEPTH: Final = 8  # models within models
MAX_LAYERS: Final = 5000
MAX_NAME: Final = 200  # characters
FUNCTIONAL: Final = ("Functional", "Model")  # as Keras 2 and 3 name it, and as older files do
MODEL_MODULE: Final = re.compile(r"keras(\.src)?(\.(models|engine)(\.(functional|sequential|training))?)?$")


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
            waiting += [(entry, place, call) for call in range(calls_of(entry, f"layer {brief(scope.name + name)}"))]
    while waiting:
        later = []
        for entry, place, call in waiting:
            arguments = call_of(entry, call, f"layer {brief(scope.name + _name_of(entry))}")
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
    """Whether an entry is a plain model of Keras; its legacy form has no entry for the module, one of a notebook null."""
    name, module = entry.get("class_name"), entry.get("module")
    return (
        name in ("Sequential", *FUNCTIONAL)
        and entry.get("registered_name") in (None, name)
        and ("module" not in entry or (isinstance(module, str) and MODEL_MODULE.match(module) is not None))
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


def _one_end(ends: Any, what: str) -> tuple[str, int]:
    """The one layer of `input_layers` or `output_layers`, and which of its calls: [name, 0, 0], or a list of one."""
    while isinstance(ends, list) and len(ends) == 1:
        ends = ends[0]
    if not is_tensor(ends):
        raise WeightsError(f"{what}: expected one, received {brief(ends)}")
    return str(ends[0]), int(ends[1])
