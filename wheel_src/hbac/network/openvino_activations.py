"""Activations and functions of one number as OpenVINO's operations; the formulas are those of Keras 3."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017, arXiv:1706.02515
LEAKY_SLOPE = 0.2  # of `keras.activations.leaky_relu`

Function = Callable[[Any, Any], Any]  # of OpenVINO's operations and a node


def leaky(ops: Any, x: Any, slope: float) -> Any:
    """`slope * x` below 0."""
    return ops.prelu(x, np.array([slope], np.float32))


def _log1p(ops: Any, x: Any) -> Any:
    """log(1 + x), also of small numbers, whose digits 1 + x loses: 2 atanh(x / (2 + x))."""
    one, two = np.float32(1), np.float32(2)
    small = ops.multiply(ops.atanh(ops.divide(x, ops.add(x, two))), two)
    large = ops.log(ops.add(x, one))
    return ops.select(ops.less(ops.abs(x), np.float32(0.5)), small, large)


ACTIVATIONS: Final[Mapping[str, Function]] = {
    "linear": lambda ops, x: x,
    "relu": lambda ops, x: ops.relu(x),
    "relu6": lambda ops, x: ops.clamp(x, 0.0, 6.0),
    "leaky_relu": lambda ops, x: leaky(ops, x, LEAKY_SLOPE),
    "sigmoid": lambda ops, x: ops.sigmoid(x),
    "hard_sigmoid": lambda ops, x: ops.hsigmoid(x),  # relu6(x + 3) / 6
    "tanh": lambda ops, x: ops.tanh(x),
    "softplus": lambda ops, x: ops.softplus(x),
    "softsign": lambda ops, x: ops.softsign(x),
    "silu": lambda ops, x: ops.swish(x),
    "hard_silu": lambda ops, x: ops.hswish(x),
    "gelu": lambda ops, x: ops.gelu(x, "erf"),
    "elu": lambda ops, x: ops.elu(x, 1.0),
    "selu": lambda ops, x: ops.selu(x, np.float32(SELU_ALPHA), np.float32(SELU_SCALE)),
    "exponential": lambda ops, x: ops.exp(x),
    "mish": lambda ops, x: ops.mish(x),
    "softmax": lambda ops, x: ops.softmax(x, -1),  # of a node with channels last
}

FUNCTIONS: Final[Mapping[str, Function]] = {
    "abs": lambda ops, x: ops.abs(x),
    "exp": lambda ops, x: ops.exp(x),
    "log": lambda ops, x: ops.log(x),
    "log1p": _log1p,
    "sqrt": lambda ops, x: ops.sqrt(x),
    "square": lambda ops, x: ops.multiply(x, x),
    "sin": lambda ops, x: ops.sin(x),
    "cos": lambda ops, x: ops.cos(x),
}
