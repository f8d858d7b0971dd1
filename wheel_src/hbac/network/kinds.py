"""The kinds of layers that a graph may have: how many inputs one takes, and which arguments, each a checked plain value.

A kind is the name of a class of `keras.layers` and its arguments are that class's, with Keras's own defaults. Five more
stand for what Keras computes by functions of `keras.ops`: `Slice`, `Reduce`, `Function`, `Divide` and `Similarity`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hbac.errors import brief
from hbac.network.arguments import (
    MAX_AXES,
    Check,
    activation,
    any_number_of,
    input_shape,
    noise_shape,
    number,
    one_of,
    optional,
    several,
    sides,
    slices,
    target_shape,
    whole,
)

REQUIRED: Final = object()
NONE, ONE, SEVERAL, TWO = range(0, 1), range(1, 2), range(2, 100), range(2, 3)  # how many inputs a layer takes

FUNCTIONS: Final = ("abs", "exp", "log", "log1p", "sqrt", "square", "sin", "cos")  # of `keras.ops`, number by number
REDUCTIONS: Final = ("mean", "max", "min", "sum")  # of `keras.ops`, over axes
RECURRENT: Final = ("GRU", "LSTM")


@dataclass(frozen=True)
class Argument:
    """What an argument may be, and Keras's default."""

    check: Check
    default: Any = REQUIRED


@dataclass(frozen=True)
class Kind:
    """What a layer of a kind takes."""

    arguments: Mapping[str, Argument] = field(default_factory=dict)
    inputs: range = ONE


PADDING: Final = ("valid", "same")
FLAG: Final = one_of(False, True)
AXIS: Final = whole(-MAX_AXES, MAX_AXES - 1)


def _windows(axes: int, size: str, *padding: str) -> dict[str, Argument]:
    ones = (1,) * axes
    return {
        size: Argument(several(whole(), axes)),
        "strides": Argument(several(whole(), axes), ones),
        "padding": Argument(one_of(*(padding or PADDING)), "valid"),
    }


def _convolution(axes: int, *own: str, padding: tuple[str, ...] = PADDING) -> Kind:
    known = {
        "filters": Argument(whole()),
        **_windows(axes, "kernel_size", *padding),
        "dilation_rate": Argument(several(whole(), axes), (1,) * axes),
        "groups": Argument(whole(), 1),
        "depth_multiplier": Argument(whole(), 1),
        "use_bias": Argument(FLAG, True),
    }
    names = ("kernel_size", "strides", "padding", "dilation_rate", "use_bias", *own)
    return Kind({name: argument for name, argument in known.items() if name in names})


def _pooling(axes: int) -> Kind:
    sizes = several(whole(), axes)
    return Kind(
        {
            "pool_size": Argument(sizes),
            "strides": Argument(sizes),
            "padding": Argument(one_of(*PADDING), "valid"),
        }
    )


def _recurrent(*own: str) -> dict[str, Argument]:
    known = {
        "units": Argument(whole()),
        "activation": Argument(activation, "tanh"),
        "recurrent_activation": Argument(activation, "sigmoid"),
        "use_bias": Argument(FLAG, True),
        "return_sequences": Argument(FLAG, False),
        "go_backwards": Argument(FLAG, False),
        "reset_after": Argument(FLAG, True),
    }
    return {name: argument for name, argument in known.items() if name != "reset_after" or name in own}


def _normalisation(**own: Argument) -> Kind:
    return Kind(
        {
            "epsilon": Argument(number(0.0, 1.0), 1e-3),
            "center": Argument(FLAG, True),
            "scale": Argument(FLAG, True),
            **own,
        }
    )


_CAUSAL = (*PADDING, "causal")
_KEEPDIMS = {"keepdims": Argument(FLAG, False)}
_SLOPE = number(-1e6, 1e6)
_NOT_NEGATIVE = number(0.0, 1e6)  # Keras takes nothing below 0 there

KINDS: Final[Mapping[str, Kind]] = {
    "InputLayer": Kind({"batch_shape": Argument(input_shape)}, NONE),
    "Conv1D": _convolution(1, "filters", "groups", padding=_CAUSAL),
    "Conv2D": _convolution(2, "filters", "groups"),
    "DepthwiseConv1D": _convolution(1, "depth_multiplier"),
    "DepthwiseConv2D": _convolution(2, "depth_multiplier"),
    "SeparableConv1D": _convolution(1, "filters", "depth_multiplier"),  # TensorFlow computes no causal one
    "SeparableConv2D": _convolution(2, "filters", "depth_multiplier"),
    "Dense": Kind({"units": Argument(whole()), "use_bias": Argument(FLAG, True)}),
    "BatchNormalization": _normalisation(),
    "LayerNormalization": _normalisation(axis=Argument(any_number_of(AXIS), (-1,))),
    "GroupNormalization": _normalisation(groups=Argument(whole(-1), 32)),
    "Activation": Kind({"activation": Argument(activation)}),
    "ReLU": Kind(
        {
            "max_value": Argument(optional(_NOT_NEGATIVE), None),
            "negative_slope": Argument(_NOT_NEGATIVE, 0.0),
            "threshold": Argument(_NOT_NEGATIVE, 0.0),
        }
    ),
    "LeakyReLU": Kind({"negative_slope": Argument(_NOT_NEGATIVE, 0.3)}),
    "ELU": Kind({"alpha": Argument(_SLOPE, 1.0)}),
    "PReLU": Kind({"shared_axes": Argument(optional(any_number_of(whole(1, MAX_AXES - 1))), None)}),
    "Softmax": Kind({"axis": Argument(AXIS, -1)}),
    "ZeroPadding1D": Kind({"padding": Argument(sides(1), (1, 1))}),
    "ZeroPadding2D": Kind({"padding": Argument(sides(2), ((1, 1), (1, 1)))}),  # ((top, bottom), (left, right))
    "Cropping1D": Kind({"cropping": Argument(sides(1), (1, 1))}),
    "Cropping2D": Kind({"cropping": Argument(sides(2), ((0, 0), (0, 0)))}),
    "UpSampling1D": Kind({"size": Argument(whole(), 2)}),
    "UpSampling2D": Kind(
        {
            "size": Argument(several(whole(), 2), (2, 2)),
            "interpolation": Argument(one_of("nearest", "bilinear"), "nearest"),
        }
    ),
    "Resizing": Kind(
        {
            "height": Argument(whole()),
            "width": Argument(whole()),
            "interpolation": Argument(one_of("bilinear", "nearest"), "bilinear"),
        }
    ),
    "MaxPooling1D": _pooling(1),
    "MaxPooling2D": _pooling(2),
    "AveragePooling1D": _pooling(1),
    "AveragePooling2D": _pooling(2),
    "GlobalAveragePooling1D": Kind(_KEEPDIMS),
    "GlobalAveragePooling2D": Kind(_KEEPDIMS),
    "GlobalMaxPooling1D": Kind(_KEEPDIMS),
    "GlobalMaxPooling2D": Kind(_KEEPDIMS),
    "Add": Kind(inputs=SEVERAL),
    "Subtract": Kind(inputs=TWO),
    "Divide": Kind(inputs=TWO),
    "Multiply": Kind(inputs=SEVERAL),
    "Average": Kind(inputs=SEVERAL),
    "Maximum": Kind(inputs=SEVERAL),
    "Minimum": Kind(inputs=SEVERAL),
    "Concatenate": Kind({"axis": Argument(AXIS, -1)}, SEVERAL),
    "Reshape": Kind({"target_shape": Argument(target_shape)}),
    "Flatten": Kind(),
    "Permute": Kind({"dims": Argument(any_number_of(whole(1, MAX_AXES - 1)))}),
    "RepeatVector": Kind({"n": Argument(whole())}),
    "Rescaling": Kind({"scale": Argument(number()), "offset": Argument(number(), 0.0)}),
    "Dropout": Kind({"rate": Argument(number(0.0, 1.0)), "noise_shape": Argument(optional(noise_shape), None)}),
    "GRU": Kind(_recurrent("reset_after")),
    "LSTM": Kind(_recurrent()),
    "Bidirectional": Kind(
        {
            "layer": Argument(one_of(*RECURRENT)),
            "merge_mode": Argument(one_of("concat", "sum", "mul", "ave"), "concat"),
            **_recurrent("reset_after"),
            "go_backwards": Argument(one_of(False), False),  # of the first of the two
        }
    ),
    "Slice": Kind({"slices": Argument(slices)}),  # x[:, slices...]
    "Reduce": Kind(
        {"function": Argument(one_of(*REDUCTIONS)), "axes": Argument(any_number_of(whole(1, 5))), **_KEEPDIMS}
    ),
    "Function": Kind({"function": Argument(one_of(*FUNCTIONS))}),
    # The normalised inner product over the last axis: sum(a * b) / sqrt((sum(a^2) + e) * (sum(b^2) + e)), that axis kept.
    "Similarity": Kind({"epsilon": Argument(number(1e-12, 1.0), 1e-6)}, TWO),
}
OF_ALL_KINDS: Final = {
    "dtype": Argument(optional(one_of("float32")), None)
}  # None: what the whole network's precision says


def checked_arguments(kind: str, stated: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of a layer, checked, those that are not stated with Keras's defaults.

    Raises:
        ValueError: an argument that the kind does not take, that is missing, or another value than it takes; the text
            goes on behind the layer's name.
    """
    known = {**KINDS[kind].arguments, **OF_ALL_KINDS}
    if unknown := sorted(set(stated) - set(known)):
        raise ValueError(f"expected some of {sorted(known)} for {kind}, received {brief(unknown)}")
    missing = [name for name, argument in known.items() if argument.default is REQUIRED and name not in stated]
    if missing:
        raise ValueError(f"expected {missing} for {kind}, received none")
    whole_set = {}
    for name, argument in known.items():
        if name not in stated:
            whole_set[name] = argument.default
            continue
        try:
            whole_set[name] = argument.check(stated[name])
        except ValueError as error:
            raise ValueError(f"expected {name} to be {error}, received {brief(stated[name])}") from error
    return whole_set


def is_finite(value: Any) -> bool:
    """Whether a plain value holds no NaN and no infinity."""
    if isinstance(value, list | tuple):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
