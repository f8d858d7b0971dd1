"""What the network of a Keras file computes, as it is read: steps of our kinds, their shapes, where their tensors lie."""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hbac.errors import InputError, WeightsError, brief
from hbac.network.graph import Graph, Layer, Tensors
from hbac.network.shape_inference import Shape, layer_tensors, output_shape
from hbac.weights.keras_hdf5 import Place
from hbac.weights.keras_specials import Computed

WITHIN: Final = {  # where in a layer's place its tensors lie, by kind; elsewhere at the place itself
    "GRU": ("cell",),
    "LSTM": ("cell",),
    "Bidirectional": ("forward_layer/cell", "backward_layer/cell"),
}


@dataclass(frozen=True)
class Step:
    """One kind of our graph that the file's network computes."""

    name: str  # the layer's, behind those of the models it lies in: resnet50/conv1_conv; `:activation` if it has one
    layer: Layer  # as our graph has it, under a name of its own, behind the layers of its inputs
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
    counts: Counter[str] = field(default_factory=Counter)  # steps by kind
    layers: int = 0  # read so far, those of models within too

    def begin(self, name: str, shape: Any) -> str:
        """Write down the input."""
        where = f"layer {brief(name)}"
        if self.input or not isinstance(shape, tuple) or len(shape) < 2:
            raise WeightsError(f"{where}: expected one input of a stated shape, received {brief(shape)}")
        layer = _layer(where, self._our_name("InputLayer"), "InputLayer", {"batch_shape": (None, *shape[1:])}, ())
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
        layer = _layer(where, self._our_name(computed.kind), computed.kind, computed.arguments, ours)
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

    def _our_name(self, kind: str) -> str:
        """conv2d, conv2d_1 ...: what the author's session called a layer differs between the folds of one network."""
        self.counts[kind] += 1
        return snake_case(kind) + (f"_{self.counts[kind] - 1}" if self.counts[kind] > 1 else "")

    def graph(self, name: str) -> Graph:
        """All that was written down, for the step that is the answer."""
        layers = tuple(step.layer for step in self.steps.values())
        return Graph(name, layers)


def _layer(where: str, name: str, kind: str, arguments: dict[str, Any], inputs: tuple[str, ...]) -> Layer:
    try:
        return Layer(name, kind, arguments, inputs)
    except InputError as error:
        raise WeightsError(_in_the_files_words(where, error)) from error


def _in_the_files_words(where: str, error: InputError) -> str:
    """What is wrong with a layer of ours, by the name that it has in the file."""
    return f"{where}: {str(error).partition(': ')[2] or error}"


def snake_case(name: str) -> str:
    """BatchNormalization to batch_normalization, Conv2D to conv2d, as Keras names places."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
