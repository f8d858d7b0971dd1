"""Saved Keras models of many kinds, read without Keras: both engines give Keras's own probabilities."""

import importlib.util
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "bench"))

import keras_zoo

from hbac.errors import WeightsError

ENGINES = ("tensorflow", "openvino")[: 1 + (importlib.util.find_spec("openvino") is not None)]
SMALL = (
    *("sequential-logits", "nested-in-sequential", "wavenet-shared", "residual-gru", "lstm", "functions", "layers-1d"),
    *("layers-2d", "normalised", "adapted", "shared-layers", "mixed-sequential", "compiled-layers-1d"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_saved_model_has_keras_s_own_answers(name: str, tmp_path: Path) -> None:
    keras_zoo.write(tmp_path, name)
    _, found = keras_zoo.differences(tmp_path / f"{name}.keras", ENGINES)
    assert max(found.values()) < 1e-5


def changed(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The model with the entries of its layers changed, and Keras's answers beside it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                for layer in config["config"]["layers"]:
                    change(layer)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    target.with_suffix(".npz").write_bytes(source.with_suffix(".npz").read_bytes())
    return target


@pytest.mark.slow
def test_what_newer_kerases_state_of_batch_normalisations(tmp_path: Path) -> None:
    """Keras 3.15 writes three arguments more."""

    def of(renorm: bool) -> Callable[[dict[str, Any]], None]:
        def change(layer: dict[str, Any]) -> None:
            if layer["class_name"] == "BatchNormalization":
                layer["config"].update(renorm=renorm, renorm_clipping=None, renorm_momentum=0.99)

        return change

    keras_zoo.write(tmp_path, "layers-2d")
    source, target = tmp_path / "layers-2d.keras", tmp_path / "newer.keras"
    _, found = keras_zoo.differences(changed(source, target, of(False)), ENGINES)
    assert max(found.values()) < 1e-5
    with pytest.raises(WeightsError, match="renorm"):
        keras_zoo.differences(changed(source, target, of(True)), ENGINES)


@pytest.mark.slow
def test_a_bidirectional_layer_of_keras_2_states_no_backward_layer(tmp_path: Path) -> None:
    keras_zoo.write(tmp_path, "lstm")
    source, target = tmp_path / "lstm.keras", tmp_path / "older.keras"
    wrapped: list[object] = []

    def change(layer: dict[str, Any]) -> None:
        if layer["class_name"] == "Bidirectional":
            wrapped.append(layer["config"].pop("backward_layer"))

    _, found = keras_zoo.differences(changed(source, target, change), ENGINES)
    assert wrapped
    assert max(found.values()) < 1e-5
