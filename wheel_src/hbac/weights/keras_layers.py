"""What a layer of a Keras config computes when it answers, as kinds of our graph. A class, an argument or a value that
does not stand here is refused by its place; arguments that only training reads are free.

Read are the configs that Keras 2 and 3 write. A class name counts for the layer of `keras.layers` alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from hbac.errors import WeightsError, brief
from hbac.network.kinds import KINDS, RECURRENT, activation, is_finite
from hbac.network.shape_inference import Shape


@dataclass(frozen=True)
class Computed:
    """One kind of our graph that a layer computes; `constants` are tensors that its config holds."""

    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)


Config = Mapping[str, Any]
Special = Callable[[Config, str, Shape], list[Computed]]  # of a config, where it stands, and its input's shape


@dataclass(frozen=True)
class Spec:
    """How the config of one class is read."""

    kind: str | None = None  # of our graph; None: nothing is computed when the network answers
    fixed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # arguments that have to be one of these
    free: tuple[str, ...] = ()  # arguments that only training reads
    stated: Mapping[str, Any] = field(default_factory=dict)  # arguments of our graph that the class stands for
    special: Special | None = None  # what it computes, where arguments are not enough
    read: tuple[str, ...] = ()  # arguments that `special` reads
    old_names: Mapping[str, str] = field(default_factory=dict)  # Keras 2's name of an argument to ours

    @property
    def compared(self) -> tuple[str, ...]:
        """Arguments that are our graph's."""
        ours = KINDS[self.kind].arguments if self.kind and not self.special else {}
        return tuple(name for name in ours if name not in self.stated)


def _batch_norm(config: Config, where: str, shape: Shape) -> list[Computed]:
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
    if vector.ndim > 1 and vector.size == max(vector.shape):
        vector = vector.reshape(-1)  # (1, 1, 1, channels)
    if vector.shape not in ((), (1,), (size,)) or not np.isfinite(vector).all():
        raise WeightsError(f"{where}: expected a number for each of {size} channels, received {brief(value)}")
    return np.broadcast_to(vector, (size,)).astype(np.float32)


def _per_channel(mean: Any, variance: Any, **more: Any) -> Computed:
    """(x - mean) / sqrt(variance), as a normalisation without an epsilon."""
    arguments = {"epsilon": 0.0, "center": "beta" in more, "scale": "gamma" in more}
    return Computed("BatchNormalization", arguments, {"moving_mean": mean, "moving_variance": variance, **more})


SMALLEST_DEVIATION = 1e-7  # of `keras.layers.Normalization`: keras.config.epsilon()


def _normalization(config: Config, where: str, shape: Shape) -> list[Computed]:
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


def _rescaling(config: Config, where: str, shape: Shape) -> list[Computed]:
    scale, offset = present(config, "scale", where), config.get("offset", 0.0)
    if not isinstance(scale, list | tuple) and not isinstance(offset, list | tuple):
        return [Computed("Rescaling", {"scale": scale, "offset": offset})]
    size = _channels(shape, where)
    gamma, beta = _vector(scale, where, shape), _vector(offset, where, shape)
    return [_per_channel(np.zeros(size, np.float32), np.ones(size, np.float32), gamma=gamma, beta=beta)]


def _flatten(config: Config, where: str, shape: Shape) -> list[Computed]:
    return [] if len(shape) == 2 else [Computed("Flatten")]


def _reshape(config: Config, where: str, shape: Shape) -> list[Computed]:
    target = present(config, "target_shape", where)
    return [] if target == tuple(shape[1:]) else [Computed("Reshape", {"target_shape": target})]


def _activation_of(key: str, config: Config, where: str) -> str:
    value = present(config, key, where)
    try:
        return activation("linear" if value is None else value)
    except ValueError as error:
        raise WeightsError(f"{where}: expected {key} to be {error}, received {brief(value)}") from error


def _activated(config: Config, where: str) -> list[Computed]:
    name = _activation_of("activation", config, where)
    return [] if name == "linear" else [Computed("Activation", {"activation": name})]


def _recurrent(kind: str) -> Special:
    def read(config: Config, where: str, shape: Shape) -> list[Computed]:
        return [Computed(kind, _recurrent_arguments(kind, config, where))]

    return read


def _recurrent_arguments(kind: str, config: Config, where: str) -> dict[str, Any]:
    arguments = {key: config[key] for key in KINDS[kind].arguments if key in config}
    if kind == "GRU" and "reset_after" not in config:
        raise WeightsError(f"{where}: expected an argument reset_after, received none")
    return arguments | {key: _activation_of(key, config, where) for key in ("activation", "recurrent_activation")}


def _bidirectional(config: Config, where: str, shape: Shape) -> list[Computed]:
    """Two layers that differ in their direction alone."""
    forward = config.get("layer")
    kind = forward.get("class_name") if isinstance(forward, dict) else None
    if kind not in RECURRENT or not isinstance(forward, dict):
        raise WeightsError(f"{where}: expected {' or '.join(RECURRENT)} within, received {brief(forward)}")
    ways = [forward, config.get("backward_layer") or forward]
    if config.get("backward_layer") is None:
        raise WeightsError(f"{where}: expected a backward_layer, received none")
    arguments = []
    for way in ways:
        if not isinstance(way, dict) or way.get("class_name") != kind or not isinstance(way.get("config"), dict):
            raise WeightsError(f"{where}: expected two layers {kind}, received {brief(way)}")
        inner = {key: plain(value) for key, value in way["config"].items()}
        check_config(spec_of(way, where), kind, inner, where)
        arguments.append(_recurrent_arguments(kind, inner, where))
    if arguments[1] != {**arguments[0], "go_backwards": True} or arguments[0].get("go_backwards"):
        raise WeightsError(f"{where}: expected the same layer forwards and backwards, received {brief(arguments)}")
    merge = {"merge_mode": present(config, "merge_mode", where), "layer": kind}
    return [Computed("Bidirectional", {**arguments[0], **merge})]


LAST: Final = {"data_format": ("channels_last",)}
AUGMENTATION: Final = Spec(  # gives images back as they are when the network answers
    free=(
        *("mode", "factor", "height_factor", "width_factor", "fill_mode", "fill_value", "interpolation"),
        *("value_range", "seed", "data_format"),
    )
)
_DROPOUT: Final = Spec(free=("rate", "seed", "noise_shape", "data_format", "stddev"))
_RECURRENT_FREE: Final = ("unroll", "dropout", "recurrent_dropout", "seed", "implementation", "zero_output_for_mask")
_RECURRENT_FIXED: Final = {"return_state": (False,), "stateful": (False,), "time_major": (False,)}


def _recurrent_spec(kind: str) -> Spec:
    free = (*_RECURRENT_FREE, "unit_forget_bias")
    return Spec(kind, _RECURRENT_FIXED, free, special=_recurrent(kind), read=tuple(KINDS[kind].arguments))


SPECS: Final[Mapping[str, Spec]] = {
    **{name: Spec(name, LAST) for name in ("Conv1D", "Conv2D")},
    **{
        name: Spec(name, {**LAST, "groups": (1,)})
        for name in ("SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D")
    },
    "BatchNormalization": Spec(
        "BatchNormalization",
        {"renorm": (False,)},
        ("momentum", "synchronized", "virtual_batch_size", "fused"),
        special=_batch_norm,
        read=("axis", "epsilon", "center", "scale"),
    ),
    "LayerNormalization": Spec("LayerNormalization", {"rms_scaling": (False,)}),
    "GroupNormalization": Spec("GroupNormalization", {"axis": (-1,)}),
    "Activation": Spec("Activation"),
    "ReLU": Spec("ReLU"),
    "LeakyReLU": Spec("LeakyReLU", old_names={"alpha": "negative_slope"}),
    "ELU": Spec("ELU"),
    "PReLU": Spec("PReLU"),
    "Softmax": Spec("Softmax"),
    **{name: Spec(name, LAST) for name in ("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D")},
    **{name: Spec(name, LAST) for name in ("UpSampling1D", "UpSampling2D")},
    "Resizing": Spec(
        "Resizing",
        {
            **LAST,
            "crop_to_aspect_ratio": (False,),
            "pad_to_aspect_ratio": (False,),
            "antialias": (False,),
            "fill_mode": ("constant",),
            "fill_value": (0.0, 0),
        },
    ),
    **{
        f"{kind}Pooling{axes}D": Spec(f"{kind}Pooling{axes}D", LAST)
        for kind in ("Max", "Average", "GlobalMax", "GlobalAverage")
        for axes in (1, 2)
    },
    **{name: Spec(name) for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")},
    "Reshape": Spec("Reshape", special=_reshape, read=("target_shape",)),
    "Flatten": Spec("Flatten", LAST, special=_flatten),
    "Permute": Spec("Permute"),
    "RepeatVector": Spec("RepeatVector"),
    "Rescaling": Spec("Rescaling", special=_rescaling, read=("scale", "offset")),
    "Normalization": Spec(
        "BatchNormalization", {"invert": (False,)}, special=_normalization, read=("axis", "mean", "variance")
    ),
    "Dense": Spec("Dense", {"lora_rank": (None,), "quantization_config": (None,)}),
    "GRU": _recurrent_spec("GRU"),
    "LSTM": _recurrent_spec("LSTM"),
    "Bidirectional": Spec("Bidirectional", special=_bidirectional, read=("layer", "backward_layer", "merge_mode")),
    **dict.fromkeys(("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout"), _DROPOUT),
    **dict.fromkeys(("AlphaDropout", "GaussianNoise"), _DROPOUT),
    "ActivityRegularization": Spec(free=("l1", "l2")),
    "Identity": Spec(),
    **dict.fromkeys(("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"), AUGMENTATION),
    **dict.fromkeys(("RandomContrast", "RandomBrightness"), AUGMENTATION),
}
PREPROCESSING: Final = ("Resizing", "Rescaling", "Normalization")  # compute the same when training
FUSED: Final = (  # classes with an argument `activation`
    *("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "Dense"),
    "Activation",
)
FREE: Final = ("name", "trainable", "batch_input_shape", "batch_shape")  # of all classes
FREE_ENDINGS: Final = ("_initializer", "_regularizer", "_constraint")
PRECISIONS: Final = ("float32", "mixed_float16", "mixed_bfloat16")  # all keep float32 weights
POLICIES: Final = ("DTypePolicy", "FloatDTypePolicy", "Policy")


def spec_of(entry: Mapping[str, Any], where: str) -> Spec:
    """How a layer's class is read.

    Args:
        entry: of a config: `class_name`, `config` and, where the file has them, `module` and `registered_name`.
        where: the layer, for errors.

    Raises:
        WeightsError: another class than those of `SPECS`.
    """
    name = entry.get("class_name")
    spec = SPECS.get(name) if isinstance(name, str) and _is_of_keras(entry) else None
    if spec is None:
        raise WeightsError(
            f"{where}: expected one of {', '.join(sorted(SPECS))}, received {received_class(entry)}, whose effect would "
            "be lost"
        )
    return spec


def kinds_of(entry: Mapping[str, Any], where: str, shapes: Sequence[Shape]) -> list[Computed]:
    """What a layer computes, one kind behind the other; nothing for one that only training knows.

    Args:
        entry: see `spec_of`.
        where: the layer, for errors.
        shapes: of its inputs.

    Raises:
        WeightsError: another class, or an argument that our graph has no room for.
    """
    spec, name = spec_of(entry, where), str(entry["class_name"])
    config = {spec.old_names.get(key, key): plain(value) for key, value in entry["config"].items()}
    check_config(spec, name, config, where)
    if spec.special:
        return spec.special(config, where, shapes[0])
    arguments = {key: present(config, key, where) for key in spec.compared if key in config or not _later(key)}
    if name == "Activation":
        return _activated(config, where)
    if name == "ReLU" and (arguments["max_value"], arguments["negative_slope"], arguments["threshold"]) == (None, 0, 0):
        return [Computed("Activation", {"activation": "relu"})]
    if name == "Softmax" and arguments["axis"] in (-1, (-1,)):
        return [Computed("Activation", {"activation": "softmax"})]
    computed = [Computed(spec.kind, {**arguments, **spec.stated})] if spec.kind else []
    return computed + (_activated(config, where) if name in FUSED else [])


def _later(key: str) -> bool:
    """Whether an argument came with a later version of Keras, which computes without it as with its default."""
    return key in ("groups", "keepdims", "dilation_rate", "depth_multiplier")


def check_config(spec: Spec, name: str, config: Config, where: str) -> None:
    """Raise WeightsError for an argument that is unknown, or another value than the class has to have."""
    _check_precision(config.get("dtype"), where)
    for key, value in config.items():
        if not is_finite(value):
            raise WeightsError(f"{where}: expected finite numbers in {brief(key)}, received {brief(value)}")
        _check_argument(name, spec, key, value, where)


def _check_argument(name: str, spec: Spec, key: str, value: Any, where: str) -> None:
    fixed = spec.fixed.get(key)
    if fixed and not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in fixed):
        raise WeightsError(f"{where}: expected {key} {fixed[0]!r}, received {brief(value)}")
    known = (*FREE, *spec.compared, *spec.free, *spec.read, "dtype", *(("activation",) if name in FUSED else ()))
    if value is not None and key not in (*known, *spec.fixed) and not key.endswith(FREE_ENDINGS):
        raise WeightsError(f"{where}: expected no argument {brief(key)} of {name}, received {brief(value)}")


def present(config: Config, key: str, where: str) -> Any:
    """An argument that has to be there."""
    if key not in config:
        raise WeightsError(f"{where}: expected an argument {key}, received none")
    return config[key]


def _check_precision(policy: Any, where: str) -> None:
    if isinstance(policy, dict) and policy.get("class_name") in POLICIES and isinstance(policy.get("config"), dict):
        policy = policy["config"].get("name")
    if policy is not None and policy not in PRECISIONS:
        raise WeightsError(f"{where}: expected a dtype of {', '.join(PRECISIONS)}, received {brief(policy)}")


def _is_of_keras(entry: Mapping[str, Any]) -> bool:
    """Whether an entry names a class of `keras.layers`; Keras's legacy form states no module."""
    name, module, registered = entry.get("class_name"), entry.get("module"), entry.get("registered_name")
    return registered in (None, name) and module in (None, "keras.layers")


def received_class(entry: Mapping[str, Any]) -> str:
    """A layer's class for errors, with the module if it is not `keras.layers`."""
    module = entry.get("module")
    of = "" if module in (None, "keras.layers") else f" of {brief(module)}"
    return f"{brief(entry.get('class_name'), quote=False)}{of}"


def plain(value: Any) -> Any:
    """A value as our graph has it: lists as tuples."""
    return tuple(map(plain, value)) if isinstance(value, list) else value
