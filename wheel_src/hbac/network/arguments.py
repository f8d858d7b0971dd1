"""What an argument of a layer may be: checks that give the value as a graph holds it, or say what they expected."""

from collections.abc import Callable
from typing import Any, Final

MAX_SIZE: Final = 1 << 16  # of an axis, a window, a number of filters
MAX_AXES: Final = 6  # of a feature map, batch among them
ACTIVATIONS: Final = (  # by name, as Keras 3 computes them
    *("relu", "relu6", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "silu", "hard_silu", "gelu", "elu"),
    *("selu", "exponential", "mish", "leaky_relu", "linear", "softmax"),
)
SAME_ACTIVATION: Final = {"swish": "silu", "hard_swish": "hard_silu"}

Check = Callable[[Any], Any]  # the value as a graph holds it, or ValueError with what was expected


def whole(low: int = 1, high: int = MAX_SIZE) -> Check:
    """A whole number."""

    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return value

    return check


def number(low: float = -1e9, high: float = 1e9) -> Check:
    """A finite number, as a float."""

    def check(value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return float(value)

    return check


def one_of(*names: Any) -> Check:
    """One of the values, of its very type."""

    def check(value: Any) -> Any:
        for name in names:
            if type(value) is type(name) and value == name:
                return name
        raise ValueError(f"one of {', '.join(map(repr, names))}")

    return check


def several(each: Check, count: int) -> Check:
    """A tuple of so many; one value stands for all of them."""

    def check(value: Any) -> tuple[Any, ...]:
        values = tuple(value) if isinstance(value, list | tuple) else (value,) * count
        if len(values) != count:
            raise ValueError(f"{count} values, each {_expected(each, None)}")
        return tuple(map(each, values))

    return check


def _expected(check: Check, value: Any) -> str:
    try:
        check(value)
    except ValueError as error:
        return str(error)
    return "as it is"


def any_number_of(each: Check, most: int = MAX_AXES) -> Check:
    """A tuple of one to `most`; one value alone stands for a tuple of it."""

    def check(value: Any) -> tuple[Any, ...]:
        value = (value,) if type(value) is int else value
        if not isinstance(value, list | tuple) or not 0 < len(value) <= most:
            raise ValueError(f"a list of 1 to {most} values")
        return tuple(map(each, value))

    return check


def optional(each: Check) -> Check:
    """None, or what `each` takes."""
    return lambda value: None if value is None else each(value)


def activation(value: Any) -> str:
    """An activation's name, in one spelling."""
    if not isinstance(value, str) or SAME_ACTIVATION.get(value, value) not in ACTIVATIONS:
        raise ValueError(f"one of {', '.join(ACTIVATIONS)}")
    return SAME_ACTIVATION.get(value, value)


def sides(axes: int) -> Check:
    """(before, behind) of one axis, or a pair for each of two."""
    pair = several(whole(0), 2)
    return pair if axes == 1 else several(pair, axes)


def slices(value: Any) -> tuple[Any, ...]:
    """One an axis behind the batch: a whole number, which takes the axis away, or (start, stop, step), each may be None."""
    if not isinstance(value, list | tuple) or len(value) >= MAX_AXES:
        raise ValueError(f"at most {MAX_AXES - 1} whole numbers or slices")
    bound = optional(whole(-MAX_SIZE))
    return tuple(several(bound, 3)(one) if isinstance(one, list | tuple) else whole(-MAX_SIZE)(one) for one in value)


def target_shape(value: Any) -> tuple[int, ...]:
    """A shape without the batch; one -1 stands for what is left."""
    sizes: tuple[int, ...] = any_number_of(whole(-1, 1 << 31))(value)
    if 0 in sizes or sizes.count(-1) > 1:
        raise ValueError("sizes from 1, at most one of them -1")
    return sizes


def input_shape(value: Any) -> tuple[int | None, ...]:
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= MAX_AXES or value[0] is not None:
        raise ValueError(f"a shape of 2 to {MAX_AXES} axes, the first None")
    return (None, *map(optional(whole()), value[1:]))


def noise_shape(value: Any) -> tuple[int | None, ...]:
    """One size an axis, batch among them: None drops each place by itself, 1 all of an axis together."""
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= MAX_AXES:
        raise ValueError(f"a list of 2 to {MAX_AXES} values, each None or 1")
    return tuple(map(optional(one_of(1)), value))
