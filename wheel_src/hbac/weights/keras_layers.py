"""What a layer in a Keras config computes when it answers, as kinds of our graph. A class, an argument or a value that
does not stand here is refused by its place; arguments that only training reads are free.

Read are the configs that Keras 2 and 3 write. A class name counts for the layer of `keras.layers` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hbac.errors import WeightsError, brief

Kinds = list[tuple[str, dict[str, Any]]]  # kinds of our graph, each with its arguments, one behind the other


@dataclass(frozen=True)
class Spec:
    """How the config of one class is read."""

    kind: str | None = None  # of our graph; None: nothing is computed when the network answers
    compared: tuple[str, ...] = ()  # arguments that are our graph's
    fixed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # arguments that have to be one of these
    free: tuple[str, ...] = ()  # arguments that only training reads
    stated: Mapping[str, Any] = field(default_factory=dict)  # arguments of our graph that the class stands for
    behind: str | None = None  # the kind that it has to follow


LAST: Final = {"data_format": ("channels_last",)}
AUGMENTATION: Final = Spec(  # gives images back as they are when the network answers
    free=(
        *("mode", "factor", "height_factor", "width_factor", "fill_mode", "fill_value", "interpolation"),
        *("value_range", "seed", "data_format"),
    )
)
SPECS: Final[Mapping[str, Spec]] = {
    "Conv2D": Spec(
        "Conv2D",
        ("filters", "kernel_size", "strides", "padding"),
        {**LAST, "dilation_rate": ((1, 1),), "groups": (1,), "use_bias": (True,)},
    ),
    "BatchNormalization": Spec(
        "BatchNormalization",
        ("epsilon",),
        {"axis": (-1, 3, (3,), (-1,)), "center": (True,), "scale": (True,), "renorm": (False,)},
        ("momentum", "synchronized"),
    ),
    "Activation": Spec("Activation"),
    "ReLU": Spec(
        "Activation",
        fixed={"max_value": (None,), "negative_slope": (0,), "threshold": (0,)},
        stated={"activation": "relu"},
    ),
    "Softmax": Spec("Activation", fixed={"axis": (-1, (-1,))}, stated={"activation": "softmax"}),
    "ZeroPadding2D": Spec("ZeroPadding2D", ("padding",), LAST),
    "MaxPooling2D": Spec("MaxPooling2D", ("pool_size", "strides", "padding"), LAST),
    "Add": Spec("Add"),
    "GlobalAveragePooling2D": Spec("GlobalAveragePooling2D", fixed={**LAST, "keepdims": (False,)}),
    "Dense": Spec("Dense", ("units",), {"use_bias": (True,)}),
    "Dropout": Spec(free=("rate", "seed", "noise_shape")),
    "SpatialDropout2D": Spec(free=("rate", "seed", "noise_shape", "data_format")),
    "GaussianDropout": Spec(free=("rate", "seed")),
    "GaussianNoise": Spec(free=("stddev", "seed")),
    **dict.fromkeys(("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"), AUGMENTATION),
    **dict.fromkeys(("RandomContrast", "RandomBrightness"), AUGMENTATION),
    "Flatten": Spec(fixed=LAST, behind="GlobalAveragePooling2D"),
}
FUSED: Final = ("Conv2D", "Dense", "Activation")  # classes with an argument `activation`
FREE: Final = ("name", "trainable", "batch_input_shape")  # of all classes
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


def kinds_of(entry: Mapping[str, Any], where: str, before: str | None) -> Kinds:
    """What a layer computes, one kind behind the other; none for one that only training knows.

    Args:
        entry: see `spec_of`.
        where: the layer, for errors.
        before: the kind in front of it, None for the network's input.

    Raises:
        WeightsError: another class, or an argument that our graph has no room for.
    """
    spec, name, config = spec_of(entry, where), str(entry["class_name"]), entry["config"]
    if spec.behind and spec.behind != before:
        raise WeightsError(f"{where}: expected {name} behind {spec.behind} alone, received it behind {before}")
    _check_precision(config.get("dtype"), where)
    for key, value in config.items():
        _check_argument(name, spec, key, plain(value), where)
    arguments = {key: plain(_present(config, key, where)) for key in spec.compared}
    kinds: Kinds = []
    if spec.kind and name != "Activation":
        kinds.append((spec.kind, {**arguments, **spec.stated}))
    if name in FUSED and (activation := _activation(config, where)) != "linear":
        kinds.append(("Activation", {"activation": activation}))
    return kinds


def _activation(config: Mapping[str, Any], where: str) -> str:
    activation = _present(config, "activation", where)
    if activation is not None and not isinstance(activation, str):
        raise WeightsError(f"{where}: expected the name of an activation, received {brief(activation)}")
    return activation or "linear"


def _check_argument(name: str, spec: Spec, key: str, value: Any, where: str) -> None:
    fixed = spec.fixed.get(key)
    if fixed and not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in fixed):
        raise WeightsError(f"{where}: expected {key} {fixed[0]!r}, received {brief(value)}")
    known = (*FREE, *spec.compared, *spec.free, "dtype", *(("activation",) if name in FUSED else ()))
    if value is not None and key not in (*known, *spec.fixed) and not key.endswith(FREE_ENDINGS):
        raise WeightsError(f"{where}: expected no argument {brief(key)} of {name}, received {brief(value)}")


def _present(config: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in config:
        raise WeightsError(f"{where}: expected an argument {key}, received none")
    return config[key]


def _check_precision(policy: Any, where: str) -> None:
    if isinstance(policy, dict) and policy.get("class_name") in POLICIES and isinstance(policy.get("config"), dict):
        policy = policy["config"].get("name")
    if policy is not None and policy not in PRECISIONS:
        raise WeightsError(f"{where}: expected a dtype of {', '.join(PRECISIONS)}, received {brief(policy)}")


def _is_of_keras(entry: Mapping[str, Any]) -> bool:
    """Whether an entry names a class of `keras.layers`; Keras's legacy form states no module.

    `a + b` of two tensors is the function `Add` of `keras.ops`, which computes what the layer does.
    """
    name, module, registered = entry.get("class_name"), entry.get("module"), entry.get("registered_name")
    return registered in (None, name) and (
        module in (None, "keras.layers") or (name == "Add" and module == "keras.src.ops.numpy")
    )


def received_class(entry: Mapping[str, Any]) -> str:
    """A layer's class for errors, with the module if it is not `keras.layers`."""
    module = entry.get("module")
    of = "" if module in (None, "keras.layers") else f" of {brief(module)}"
    return f"{brief(entry.get('class_name'), quote=False)}{of}"


def plain(value: Any) -> Any:
    """A value as our graph has it: lists as tuples."""
    return tuple(map(plain, value)) if isinstance(value, list) else value
