"""What a layer of a Keras config computes when it answers, as kinds of our graph. A class, an argument or a value that
does not stand here is refused by its place; arguments that only training reads are free.

Read are the configs that Keras 2 and 3 write. A class name counts for the layer of `keras.layers` alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hbac.errors import WeightsError, brief
from hbac.network.kinds import KINDS, RECURRENT, is_finite
from hbac.network.shape_inference import Shape
from hbac.weights.keras_specials import (
    Computed,
    Config,
    Special,
    activated,
    batch_norm,
    flatten,
    layer_scale,
    normalization,
    plain,
    present,
    recurrent,
    recurrent_arguments,
    rescaling,
    reshape,
)


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


def _backwards(forward: Mapping[str, Any]) -> Mapping[str, Any]:
    """The layer of the other direction that Keras makes where none is stated."""
    config = forward.get("config")
    return {**forward, "config": {**config, "go_backwards": True}} if isinstance(config, dict) else forward


def _bidirectional(config: Config, where: str, shape: Shape) -> list[Computed]:
    """Two layers that differ in their direction alone."""
    forward = config.get("layer")
    kind = forward.get("class_name") if isinstance(forward, dict) else None
    if kind not in RECURRENT or not isinstance(forward, dict):
        raise WeightsError(f"{where}: expected {' or '.join(RECURRENT)} within, received {brief(forward)}")
    ways = [forward, config.get("backward_layer") or _backwards(forward)]  # Keras 2 states one's own alone
    arguments = []
    for way in ways:
        if not isinstance(way, dict) or way.get("class_name") != kind or not isinstance(way.get("config"), dict):
            raise WeightsError(f"{where}: expected two layers {kind}, received {brief(way)}")
        inner = {key: plain(value) for key, value in way["config"].items()}
        check_config(spec_of(way, where), kind, inner, where)
        arguments.append(recurrent_arguments(kind, inner, where))
    if arguments[1] != {**arguments[0], "go_backwards": True} or arguments[0].get("go_backwards"):
        raise WeightsError(f"{where}: expected the same layer forwards and backwards, received {brief(arguments)}")
    merge = {"merge_mode": present(config, "merge_mode", where), "layer": kind}
    return [Computed("Bidirectional", {**arguments[0], **merge})]


LAST: Final = {"data_format": ("channels_last",)}
AUGMENTATION: Final = Spec(  # gives images back as they are when the network answers
    free=(
        *("mode", "factor", "height_factor", "width_factor", "fill_mode", "fill_value", "interpolation"),
        *("value_range", "seed", "data_format", "rng_type"),
    )
)
_DROPOUT: Final = Spec(free=("rate", "seed", "noise_shape", "data_format", "stddev"))
_RECURRENT_FREE: Final = ("unroll", "dropout", "recurrent_dropout", "seed", "implementation", "zero_output_for_mask")
_RECURRENT_FIXED: Final = {"return_state": (False,), "stateful": (False,), "time_major": (False,)}


def _recurrent_spec(kind: str) -> Spec:
    free = (*_RECURRENT_FREE, "unit_forget_bias")
    return Spec(kind, _RECURRENT_FIXED, free, special=recurrent(kind), read=tuple(KINDS[kind].arguments))


SPECS: Final[Mapping[str, Spec]] = {
    **{name: Spec(name, LAST) for name in ("Conv1D", "Conv2D")},
    **{
        name: Spec(name, {**LAST, "groups": (1,)})
        for name in ("SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D")
    },
    "BatchNormalization": Spec(
        "BatchNormalization",
        {"renorm": (False,)},
        ("momentum", "synchronized", "virtual_batch_size", "fused", "renorm_momentum", "renorm_clipping"),
        special=batch_norm,
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
    "Reshape": Spec("Reshape", special=reshape, read=("target_shape",)),
    "Flatten": Spec("Flatten", LAST, special=flatten),
    "Permute": Spec("Permute"),
    "RepeatVector": Spec("RepeatVector"),
    "Rescaling": Spec("Rescaling", special=rescaling, read=("scale", "offset")),
    "Normalization": Spec(
        "BatchNormalization", {"invert": (False,)}, special=normalization, read=("axis", "mean", "variance")
    ),
    "Dense": Spec("Dense", {"lora_rank": (None,), "quantization_config": (None,)}),
    "GRU": _recurrent_spec("GRU"),
    "LSTM": _recurrent_spec("LSTM"),
    "Bidirectional": Spec("Bidirectional", special=_bidirectional, read=("layer", "backward_layer", "merge_mode")),
    **dict.fromkeys(("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout"), _DROPOUT),
    **dict.fromkeys(("AlphaDropout", "GaussianNoise"), _DROPOUT),
    "ActivityRegularization": Spec(free=("l1", "l2")),
    "Identity": Spec(),
    "LayerScale": Spec("BatchNormalization", special=layer_scale, free=("init_values", "projection_dim")),
    **dict.fromkeys(("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"), AUGMENTATION),
    **dict.fromkeys(("RandomContrast", "RandomBrightness"), AUGMENTATION),
}
MODULES: Final = {"LayerScale": ("keras.src.applications.convnext",)}  # of classes that are not in `keras.layers`
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
        return activated(config, where)
    if name == "ReLU" and (arguments["max_value"], arguments["negative_slope"], arguments["threshold"]) == (None, 0, 0):
        return [Computed("Activation", {"activation": "relu"})]
    if name == "Softmax" and arguments["axis"] in (-1, (-1,)):
        return [Computed("Activation", {"activation": "softmax"})]
    computed = [Computed(spec.kind, {**arguments, **spec.stated})] if spec.kind else []
    return computed + (activated(config, where) if name in FUSED else [])


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


def _check_precision(policy: Any, where: str) -> None:
    if isinstance(policy, dict) and policy.get("class_name") in POLICIES and isinstance(policy.get("config"), dict):
        policy = policy["config"].get("name")
    if policy is not None and policy not in PRECISIONS:
        raise WeightsError(f"{where}: expected a dtype of {', '.join(PRECISIONS)}, received {brief(policy)}")


def _is_of_keras(entry: Mapping[str, Any]) -> bool:
    """Whether an entry names a class of `keras.layers`.

    Keras's legacy form has no entry for the module. One that is null is of a class of somebody's notebook.
    """
    name, registered = entry.get("class_name"), entry.get("registered_name")
    if "module" not in entry:
        return registered is None and name not in MODULES
    return registered in (None, name) and entry["module"] in MODULES.get(str(name), ("keras.layers",))


def received_class(entry: Mapping[str, Any]) -> str:
    """A layer's class for errors, with the module if it is not `keras.layers`."""
    module = entry.get("module")
    of = "" if module in (None, "keras.layers") else f" of {brief(module)}"
    return f"{brief(entry.get('class_name'), quote=False)}{of}"
