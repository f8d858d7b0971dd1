"""What a function of `keras.ops` in a Keras 3 config computes, as kinds of our graph: slices, arithmetic, reductions.

Keras 3 stores `x[:, 1:]` or `2 * x` as an entry of its own, whose call holds the values. A function or a value that does
not stand here is refused by its place.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from hbac.errors import WeightsError, brief
from hbac.network.arguments import SAME_ACTIVATION
from hbac.network.shape_inference import Shape
from hbac.weights.keras_specials import Computed, plain

MODULES: Final = ("keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.core")
FLOATS: Final = ("float32", "float16", "bfloat16")  # what is rounded there is computed in float32 here
Values = dict[str, Any]  # arguments of a call, of the config and of the call, by name


class Tensor(str):
    """What a call is given that another step computes, by that step's name."""


def is_function(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a function of `keras.ops`."""
    name = entry.get("class_name")
    return entry.get("module") in MODULES and entry.get("registered_name") in (None, name)


def kinds_of_function(
    entry: Mapping[str, Any], given: list[Any], named: Values, where: str, shapes: Mapping[str, Shape]
) -> tuple[list[Computed], list[str]]:
    """What a function computes, and of which steps.

    Args:
        entry: of a config.
        given: what it is called on: steps as `Tensor`, lists of them, and plain values.
        named: further arguments of the call.
        where: the function, for errors.
        shapes: of the steps.

    Raises:
        WeightsError: another function, or values that our graph has no room for.
    """
    name = str(entry.get("class_name"))
    read = FUNCTIONS.get(name)
    if read is None:
        expected = ", ".join(sorted(FUNCTIONS))
        raise WeightsError(f"{where}: expected a function of {expected}, received {brief(name, quote=False)}")
    config = entry.get("config")
    stated = {key: plain(value) for key, value in config.items()} if isinstance(config, dict) else {}
    called = {key: plain(value) for key, value in named.items()}
    values = {key: value for key, value in {**stated, **called}.items() if key == "axis" or value is not None}
    values.pop("name", None)
    if not isinstance(dtype := values.pop("dtype", "float32"), dict) and dtype not in FLOATS:
        raise WeightsError(f"{where}: expected a dtype of {', '.join(FLOATS)}, received {brief(dtype)}")
    call = _Call(name, given, values, where, shapes)
    computed = read(call)
    if call.values:
        raise WeightsError(f"{where}: expected {name} without {brief(call.values)}")
    return computed, call.tensors


class _Call:
    """A function's call on its way: what has been read of it is taken out."""

    def __init__(self, name: str, given: list[Any], values: Values, where: str, shapes: Mapping[str, Shape]):
        self.name, self.given, self.values, self.where, self.shapes = name, list(given), values, where, shapes
        self.tensors: list[str] = []

    def take(self, key: str, default: Any = None) -> Any:
        """A value by its name."""
        return self.values.pop(key, default)

    def is_one_of(self, key: str, *allowed: Any) -> None:
        """Take a value that has to be one of these, or is not there."""
        value = self.values.pop(key, allowed[0])
        if not any(value == one and type(value) is type(one) for one in allowed):
            raise self.refused(f"{key} {allowed[0]!r}", value)

    def alone(self) -> Shape:
        """The shape of the only thing that it is called on."""
        if len(self.given) != 1 or not isinstance(self.given[0], Tensor):
            raise self.refused("one tensor", self.given)
        self.tensors = [self.given[0]]
        return self.shapes[self.given[0]]

    def refused(self, expected: str, received: Any) -> WeightsError:
        """What to raise."""
        return WeightsError(f"{self.where}: expected {self.name} of {expected}, received {brief(received)}")


def _arithmetic(kind: str) -> Callable[[_Call], list[Computed]]:
    """Of two tensors, or of one and a number."""

    def read(call: _Call) -> list[Computed]:
        given = call.given
        if len(given) != 2 or not any(isinstance(one, Tensor) for one in given):
            raise call.refused("two tensors, or one and a number", given)
        call.tensors = [one for one in given if isinstance(one, Tensor)]
        if len(call.tensors) == 2:
            return [Computed(kind)]
        is_first = isinstance(given[0], Tensor)
        number = given[1] if is_first else given[0]
        scale_offset = _with_number(kind, number, is_first) if type(number) in (int, float) else None
        if scale_offset is None or not all(map(math.isfinite, scale_offset)):
            raise call.refused("two tensors, or one and a number", given)
        return [Computed("Rescaling", dict(zip(("scale", "offset"), map(float, scale_offset))))]

    return read


def _with_number(kind: str, number: float, is_first: bool) -> tuple[float, float] | None:
    """(scale, offset) of what the tensor and a number give; the tensor comes first or second."""
    if kind == "Add":
        return 1.0, number
    if kind == "Multiply":
        return number, 0.0
    if kind == "Subtract":
        return (1.0, -number) if is_first else (-1.0, number)
    return (1.0 / number, 0.0) if kind == "Divide" and is_first and number else None


def _extreme(kind: str) -> Callable[[_Call], list[Computed]]:
    def read(call: _Call) -> list[Computed]:
        if (
            len(call.given) == 2
            and kind == "Maximum"
            and call.given[1] in (0, 0.0)
            and isinstance(call.given[0], Tensor)
        ):
            call.tensors = [call.given[0]]
            return [Computed("Activation", {"activation": "relu"})]
        if len(call.given) != 2 or not all(isinstance(one, Tensor) for one in call.given):
            raise call.refused("two tensors", call.given)
        call.tensors = list(call.given)
        return [Computed(kind)]

    return read


def _by_number(kind: str, **arguments: Any) -> Callable[[_Call], list[Computed]]:
    """A function of each number alone."""

    def read(call: _Call) -> list[Computed]:
        call.alone()
        return [Computed(kind, arguments)]

    return read


def _activation(name: str) -> Callable[[_Call], list[Computed]]:
    return _by_number("Activation", activation=SAME_ACTIVATION.get(name, name))


def _gelu(call: _Call) -> list[Computed]:
    call.alone()
    call.is_one_of("approximate", False)
    return [Computed("Activation", {"activation": "gelu"})]


def _leaky_relu(call: _Call) -> list[Computed]:
    call.alone()
    return [Computed("LeakyReLU", {"negative_slope": call.take("negative_slope", 0.2)})]


def _softmax(call: _Call) -> list[Computed]:
    shape = call.alone()
    call.is_one_of("axis", -1, len(shape) - 1)
    return [Computed("Activation", {"activation": "softmax"})]


def _power(call: _Call) -> list[Computed]:
    if len(call.given) != 2 or not isinstance(call.given[0], Tensor) or call.given[1] not in (2, 2.0):
        raise call.refused("a tensor and 2", call.given)
    call.tensors = [call.given[0]]
    return [Computed("Function", {"function": "square"})]


def _axes(call: _Call, rank: int, value: Any) -> tuple[int, ...]:
    """Axes counted from the front, never the batch."""
    axes = value if isinstance(value, tuple) else (value,)
    if not axes or not all(type(axis) is int and -rank < axis < rank and axis for axis in axes):
        raise call.refused(f"axes behind the batch of {rank}", value)
    return tuple(axis % rank for axis in axes)


def _reduce(function: str) -> Callable[[_Call], list[Computed]]:
    def read(call: _Call) -> list[Computed]:
        shape = call.alone()
        axes = _axes(call, len(shape), call.take("axis"))
        keepdims = call.take("keepdims", False)
        return [Computed("Reduce", {"function": function, "axes": axes, "keepdims": keepdims})]

    return read


def _concatenate(call: _Call) -> list[Computed]:
    given = call.given[0] if len(call.given) == 1 and isinstance(call.given[0], list) else call.given
    if len(given) < 2 or not all(isinstance(one, Tensor) for one in given):
        raise call.refused("tensors", given)
    call.tensors = list(given)
    axis, *others = _axes(call, len(call.shapes[given[0]]), call.take("axis", 0))
    if others:
        raise call.refused("one axis", (axis, *others))
    return [Computed("Concatenate", {"axis": axis})]


def _transpose(call: _Call) -> list[Computed]:
    shape, axes = call.alone(), call.take("axes")
    if not isinstance(axes, tuple) or len(axes) != len(shape) or axes[0] != 0:
        raise call.refused(f"axes (0, ...) of {len(shape)}", axes)
    return [Computed("Permute", {"dims": axes[1:]})]


def _known(call: _Call, shape: Shape) -> tuple[int, ...]:
    sizes = tuple(size for size in shape[1:] if size is not None)
    if len(sizes) != len(shape) - 1:
        raise call.refused("a tensor of a known size", shape)
    return sizes


def _reshape(call: _Call) -> list[Computed]:
    """The first size is the batch: -1 or none, with the others stated, so that records stay apart."""
    whole, target = math.prod(_known(call, call.alone())), call.take("newshape", call.values.pop("shape", None))
    if not isinstance(target, tuple) or len(target) < 2 or target[0] not in (-1, None):
        raise call.refused("a shape that begins with -1", target)
    if not all(type(size) is int and size > 0 for size in target[1:]) or math.prod(target[1:]) != whole:
        raise call.refused(f"a shape of {whole} numbers a record", target)
    return [Computed("Reshape", {"target_shape": target[1:]})]


def _expand_dims(call: _Call) -> list[Computed]:
    sizes = _known(call, call.alone())
    axis, *others = _axes(call, len(sizes) + 2, call.take("axis"))
    if others:
        raise call.refused("one axis", (axis, *others))
    return [Computed("Reshape", {"target_shape": (*sizes[: axis - 1], 1, *sizes[axis - 1 :])})]


def _squeeze(call: _Call) -> list[Computed]:
    sizes = _known(call, call.alone())
    axes = _axes(call, len(sizes) + 1, call.take("axis"))
    if any(sizes[axis - 1] != 1 for axis in axes) or len(sizes) == len(axes):
        raise call.refused("axes of size 1", axes)
    return [Computed("Reshape", {"target_shape": tuple(n for i, n in enumerate(sizes, 1) if i not in axes)})]


WHOLE: Final = (None, None, None)  # a slice that takes all of an axis


def _get_item(call: _Call) -> list[Computed]:
    """Whole numbers, slices and at most one `...`, which stands for the axes that are left; all of the batch."""
    if len(call.given) != 2 or not isinstance(call.given[0], Tensor):
        raise call.refused("a tensor and its slices", call.given)
    call.tensors, places = [call.given[0]], call.given[1]
    slices = [_place(call, place) for place in (places if isinstance(places, list) else [places])]
    if slices.count(...) > 1:
        raise call.refused("slices with at most one '...'", places)
    if ... in slices:
        at, left = slices.index(...), len(call.shapes[call.given[0]]) - len(slices) + 1
        if left < 0:
            raise call.refused(f"at most {len(slices) - 1 + left} slices", places)
        slices[at : at + 1] = [WHOLE] * left
    if not slices or slices[0] != WHOLE:
        raise call.refused("slices that take the whole batch", places)
    return [Computed("Slice", {"slices": tuple(slices[1:])})] if slices[1:] else []


def _place(call: _Call, place: Any) -> Any:
    if type(place) is int:
        return place
    if place == {"class_name": "__ellipsis__", "config": {}}:
        return ...
    if isinstance(place, dict) and place.get("class_name") == "__slice__" and isinstance(place.get("config"), dict):
        config = place["config"]
        if set(config) == {"start", "stop", "step"} and all(type(one) in (int, type(None)) for one in config.values()):
            return config["start"], config["stop"], config["step"]
    raise call.refused("whole numbers, slices and '...'", place)


def _cast(call: _Call) -> list[Computed]:
    call.alone()
    return []


FUNCTIONS: Final[Mapping[str, Callable[[_Call], list[Computed]]]] = {
    "Add": _arithmetic("Add"),
    "Subtract": _arithmetic("Subtract"),
    "Multiply": _arithmetic("Multiply"),
    **dict.fromkeys(("Divide", "TrueDivide"), _arithmetic("Divide")),
    "Maximum": _extreme("Maximum"),
    "Minimum": _extreme("Minimum"),
    "Negative": _by_number("Rescaling", scale=-1.0),
    **dict.fromkeys(("Abs", "Absolute"), _by_number("Function", function="abs")),
    **{
        name.capitalize(): _by_number("Function", function=name)
        for name in ("exp", "log", "log1p", "sqrt", "square", "sin", "cos")
    },
    "Power": _power,
    **{
        name: _activation(activation)
        for name, activation in (
            *(("Relu", "relu"), ("Relu6", "relu6"), ("Sigmoid", "sigmoid"), ("Tanh", "tanh"), ("Silu", "silu")),
            *(("Softplus", "softplus"), ("Softsign", "softsign"), ("Selu", "selu"), ("HardSigmoid", "hard_sigmoid")),
            *(("HardSilu", "hard_silu"), ("Swish", "silu"), ("HardSwish", "hard_silu")),
        )
    },
    "Gelu": _gelu,
    "LeakyRelu": _leaky_relu,
    "Softmax": _softmax,
    "Mean": _reduce("mean"),
    "Sum": _reduce("sum"),
    **dict.fromkeys(("Max", "Amax"), _reduce("max")),
    **dict.fromkeys(("Min", "Amin"), _reduce("min")),
    "Concatenate": _concatenate,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "ExpandDims": _expand_dims,
    "Squeeze": _squeeze,
    "GetItem": _get_item,
    "Cast": _cast,
}
