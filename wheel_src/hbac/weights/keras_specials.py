"""Layers of a Keras config of which arguments alone do not say what they compute: what they are as kinds of our graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hbac.errors import WeightsError, brief
from hbac.network.arguments import activation
from hbac.network.kinds import KINDS
from hbac.network.shape_inference import Shape


@dataclass(frozen=True)
class Computed:
    """One kind of our graph that a layer computes; `constants` are tensors that its config holds."""

    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)


Config = Mapping[str, Any]
Special = Callable[[Config, str, Shape], list[Computed]]  # of a config, where it stands, and its input's shape


def batch_norm(config: Config, where: str, shape: Shape) -> list[Computed]:
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, tuple | list) and len(axis) == 1 else axis
    if type(axis) is not int or axis not in (-1, len(shape) - 1):
        raise WeightsError(f"{where}: expected axis -1, received {brief(config.get('axis'))}")
    arguments = {name: config[name] for name in ("center", "scale") if name in config}
    return [Computed("BatchNormalization", {"epsilon": present(config, "epsilon", where), **arguments})]


def _channels(shape: Shape, where: str) -> int:
    if shape[-1] is None:
        raise WeightsError(f"{where}: expected a known number of channels, received {shape}")
    return shape[-1]


def _vector(value: Any, where: str, shape: Shape) -> Any:
    """A number for each channel, of one for all or of a list."""
    size = _channels(shape, where)
    try:
        vector = np.asarray(value, np.float64)
    except (ValueError, TypeError) as error:
        raise WeightsError(
            f"{where}: expected a number for each of {size} channels, received {brief(value)}"
        ) from error
    if 1 < vector.ndim <= len(shape) and vector.size == vector.shape[-1]:
        vector = vector.reshape(-1)  # (1, 1, 1, channels)
    if vector.shape not in ((), (1,), (size,)) or not np.isfinite(vector).all():
        raise WeightsError(f"{where}: expected a number for each of {size} channels, received {brief(value)}")
    return np.broadcast_to(vector, (size,)).astype(np.float32)


def _per_channel(mean: Any, variance: Any, **more: Any) -> Computed:
    """(x - mean) / sqrt(variance), as a normalisation without an epsilon."""
    arguments = {"epsilon": 0.0, "center": "beta" in more, "scale": "gamma" in more}
    return Computed("BatchNormalization", arguments, {"moving_mean": mean, "moving_variance": variance, **more})


SMALLEST_DEVIATION = 1e-7  # of `keras.layers.Normalization`: keras.config.epsilon()


def normalization(config: Config, where: str, shape: Shape) -> list[Computed]:
    """A mean and a variance for each channel, of the config or, where it has none, of the file's tensors."""
    axis = config.get("axis")
    axes = tuple(axis) if isinstance(axis, tuple | list) else () if axis is None else (axis,)
    if axes not in ((), (-1,), (len(shape) - 1,)):
        raise WeightsError(f"{where}: expected axis -1 or none, received {brief(axis)}")
    mean, variance = config.get("mean"), config.get("variance")
    if (mean is None) != (variance is None):
        raise WeightsError(f"{where}: expected mean and variance, received one of them")
    if mean is None:
        return [Computed("BatchNormalization", {"epsilon": 0.0, "center": False, "scale": False})]
    return [_per_channel(_vector(mean, where, shape), smallest(_vector(variance, where, shape)))]


def smallest(variance: Any) -> Any:
    """A variance as `keras.layers.Normalization` takes it: never below the square of its smallest deviation."""
    return np.maximum(np.asarray(variance, np.float32), np.float32(SMALLEST_DEVIATION**2))


def rescaling(config: Config, where: str, shape: Shape) -> list[Computed]:
    scale, offset = present(config, "scale", where), config.get("offset", 0.0)
    if not isinstance(scale, list | tuple) and not isinstance(offset, list | tuple):
        return [Computed("Rescaling", {"scale": scale, "offset": offset})]
    size = _channels(shape, where)
    gamma, beta = _vector(scale, where, shape), _vector(offset, where, shape)
    return [_per_channel(np.zeros(size, np.float32), np.ones(size, np.float32), gamma=gamma, beta=beta)]


def layer_scale(config: Config, where: str, shape: Shape) -> list[Computed]:
    """ConvNeXt's: a factor for each channel, `gamma`."""
    size = _channels(shape, where)
    constants = {"moving_mean": np.zeros(size, np.float32), "moving_variance": np.ones(size, np.float32)}
    return [Computed("BatchNormalization", {"epsilon": 0.0, "center": False, "scale": True}, constants)]


def flatten(config: Config, where: str, shape: Shape) -> list[Computed]:
    return [] if len(shape) == 2 else [Computed("Flatten")]


def reshape(config: Config, where: str, shape: Shape) -> list[Computed]:
    target = present(config, "target_shape", where)
    return [] if target == tuple(shape[1:]) else [Computed("Reshape", {"target_shape": target})]


def _activation_of(key: str, config: Config, where: str) -> str:
    value = present(config, key, where)
    try:
        return activation("linear" if value is None else value)
    except ValueError as error:
        raise WeightsError(f"{where}: expected {key} to be {error}, received {brief(value)}") from error


def activated(config: Config, where: str) -> list[Computed]:
    name = _activation_of("activation", config, where)
    return [] if name == "linear" else [Computed("Activation", {"activation": name})]


def recurrent(kind: str) -> Special:
    def read(config: Config, where: str, shape: Shape) -> list[Computed]:
        return [Computed(kind, recurrent_arguments(kind, config, where))]

    return read


def recurrent_arguments(kind: str, config: Config, where: str) -> dict[str, Any]:
    arguments = {key: config[key] for key in KINDS[kind].arguments if key in config}
    if kind == "GRU" and "reset_after" not in config:
        raise WeightsError(f"{where}: expected an argument reset_after, received none")
    return arguments | {key: _activation_of(key, config, where) for key in ("activation", "recurrent_activation")}


def present(config: Config, key: str, where: str) -> Any:
    """An argument that has to be there."""
    if key not in config:
        raise WeightsError(f"{where}: expected an argument {key}, received none")
    return config[key]


def plain(value: Any) -> Any:
    """A value as our graph has it: lists as tuples."""
    return tuple(map(plain, value)) if isinstance(value, list) else value
