"""Saved Keras models of many kinds, read without Keras: both engines give Keras's own probabilities."""

import importlib.util
import sys
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "bench"))

import keras_zoo

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
