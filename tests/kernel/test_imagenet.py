"""kernel/train.py with an attached file of ImageNet weights: found, checked, started from, and named."""

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import ROOT
from helpers_folds import random_tensors

from hbac.errors import InputError
from hbac.network import densenet
from hbac.network.families import FAMILIES, backbone_graph
from hbac.network.settings import NetworkSettings
from hbac.training.devices import VISIBLE
from hbac.weights.manifest import read_manifest

FAMILY = "densenet121"
NETWORK = NetworkSettings(family=FAMILY)
TINY = ["--network", FAMILY, "--fold-count=2", "--folds=0", "--epochs=1,0", "--row-steps=8,1", "--batch-size=18"]

pytestmark = [
    pytest.mark.usefixtures("eagerly"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The least populated class"),
]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str], list[Path]], None]:
    """What the kernel does once hbac is found, of a network with two blocks."""
    monkeypatch.setattr(densenet, "BLOCKS", (1, 1))
    monkeypatch.setenv(VISIBLE, os.environ.get(VISIBLE, "-1"))
    spec = importlib.util.spec_from_file_location("kernel_train", ROOT / "kernel" / "train.py")
    assert spec is not None
    assert spec.loader is not None
    kernel = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kernel)
    return kernel.train  # type: ignore[no-any-return]


@pytest.fixture
def notop(train: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the file that Keras publishes; its digest stands in the table."""
    imagenet = FAMILIES[FAMILY].imagenet
    assert imagenet is not None
    path = tmp_path / "models" / imagenet.file
    path.parent.mkdir()
    tensors = random_tensors(NETWORK, 5, head=False)
    with h5py.File(path, "w") as file:
        names = [layer.name for layer in backbone_graph(NETWORK).layers]
        file.attrs["layer_names"] = np.array([name.encode() for name in names])
        for layer in names:
            stated = [name for name in tensors if name.startswith(f"{layer}/")]
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([name.encode() for name in stated] or [], "S60")
            for name in stated:
                group[name] = tensors[name]
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setitem(FAMILIES, FAMILY, replace(FAMILIES[FAMILY], imagenet=replace(imagenet, md5=md5)))
    return path


def test_the_attached_file_is_what_training_starts_from(
    train: Callable[[list[str], list[Path]], None],
    notop: Path,
    simulated: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "working"
    train([*TINY, "--output", str(output), "--gpus", ""], [simulated, notop.parent])
    said = f"from ImageNet's weights, {notop.name} (MD5 {hashlib.md5(notop.read_bytes()).hexdigest()}, as Keras states)"
    assert f"DenseNet121 of width 64: {said}" in capsys.readouterr().out
    manifest = read_manifest(output / "weights_manifest.json")
    assert manifest.training["start"] == notop.name
    assert manifest.title == "DenseNet121 folds"
    assert said.replace("'", "&#x27;") in (output / "report.html").read_text()


def test_two_files_or_another_one_end_it_before_anything_is_made(
    train: Callable[[list[str], list[Path]], None], notop: Path, simulated: Path, tmp_path: Path
) -> None:
    output, again = tmp_path / "working", tmp_path / "again"
    shutil.copytree(notop.parent, again)
    ask = [*TINY, "--output", str(output), "--gpus", ""]
    with pytest.raises(InputError, match=f"once, received {notop}, {again / notop.name}"):
        train(ask, [simulated, notop.parent, again])
    (again / notop.name).write_bytes(notop.read_bytes() + b"x")
    with pytest.raises(InputError, match="expected the file of MD5 .*, which Keras itself states, received one of"):
        train(ask, [simulated, again])
    assert not output.exists()
