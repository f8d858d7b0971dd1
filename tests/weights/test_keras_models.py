"""Saved Keras models of many kinds, read without Keras: both engines give Keras's own probabilities."""

import importlib.util
import json
import sys
import zipfile
from pathlib import Path

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


def with_renorm(source: Path, target: Path, renorm: bool) -> Path:
    """The model as Keras 3.15 writes it: batch normalisations state three arguments more."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                for layer in config["config"]["layers"]:
                    if layer["class_name"] == "BatchNormalization":
                        more = {"renorm": renorm, "renorm_clipping": None, "renorm_momentum": 0.99}
                        layer["config"].update(more)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


@pytest.mark.slow
def test_what_newer_kerases_state_of_batch_normalisations(tmp_path: Path) -> None:
    keras_zoo.write(tmp_path, "layers-2d")
    source = tmp_path / "layers-2d.keras"
    (tmp_path / "newer.npz").write_bytes((tmp_path / "layers-2d.npz").read_bytes())
    _, found = keras_zoo.differences(with_renorm(source, tmp_path / "newer.keras", False), ENGINES)
    assert max(found.values()) < 1e-5
    with pytest.raises(WeightsError, match="renorm"):
        keras_zoo.differences(with_renorm(source, tmp_path / "newer.keras", True), ENGINES)
