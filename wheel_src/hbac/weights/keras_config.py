"""Names of layers from the config of a `.keras` file, read as plain JSON: nothing is deserialised, nothing is built.

Keras before 3.6 or so kept no layer names beside the weights, only places such as `layers/conv2d_3`: a layer's class in
snake case, and how many of that class came before it in its model.
"""

import json
import re
from collections import Counter
from typing import Any

MAX_DEPTH = 8  # models within models


def layer_names(config: bytes) -> dict[str, str]:
    """Place in the weights file, such as `/layers/functional/layers/conv2d_3`, to the layer's name.

    What is not a config as Keras writes it gives no names.
    """
    try:
        model = json.loads(config)
    except (ValueError, RecursionError):
        return {}
    names: dict[str, str] = {}
    _walk(model.get("config") if isinstance(model, dict) else None, "", names, MAX_DEPTH)
    return names


def _walk(config: Any, place: str, names: dict[str, str], depth: int) -> None:
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list) or not depth:
        return
    before: Counter[str] = Counter()
    for layer in layers:
        inner = layer.get("config") if isinstance(layer, dict) else None
        if not isinstance(inner, dict) or not isinstance(layer.get("class_name"), str):
            continue
        stem = _snake_case(layer["class_name"])
        own = f"{place}/layers/{stem}" + (f"_{before[stem]}" if before[stem] else "")
        before[stem] += 1
        if isinstance(inner.get("name"), str):
            names[own] = inner["name"]
        _walk(inner, own, names, depth - 1)


def _snake_case(name: str) -> str:
    """BatchNormalization to batch_normalization, Conv2D to conv2d, as Keras names places."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
