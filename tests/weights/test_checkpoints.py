"""What training starts from: ImageNet's backbone and the mean of earlier folds."""

from pathlib import Path

import numpy as np
import pytest
from helpers_folds import random_tensors

from hbac.network.settings import NetworkSettings
from hbac.weights import checkpoints
from hbac.weights.checkpoints import imagenet_backbone, mean_of_folds
from hbac.weights.tensors import write_safetensors

SETTINGS = NetworkSettings(width=2)


def test_the_first_convolution_of_imagenet_gains_what_its_inputs_had_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its inputs spread by 60, ours by about 1: with a kernel 60 times as large the features stay of a size."""
    tensors = random_tensors(SETTINGS, 1, head=False)
    monkeypatch.setattr(checkpoints, "import_weights", lambda *_, **__: dict(tensors))
    received = imagenet_backbone(Path("notop.h5"), SETTINGS)
    assert received.keys() == tensors.keys()
    np.testing.assert_allclose(received["conv1_conv/kernel"], 60 * tensors["conv1_conv/kernel"], rtol=1e-6)
    assert [name for name in tensors if not np.array_equal(received[name], tensors[name])] == ["conv1_conv/kernel"]


def test_the_mean_of_folds_is_that_of_each_tensor(tmp_path: Path) -> None:
    folds = [random_tensors(SETTINGS, seed) for seed in (1, 2)]
    for number, tensors in enumerate(folds):
        write_safetensors(tmp_path / f"{number}.safetensors", tensors)
    received = mean_of_folds([tmp_path / "0.safetensors", tmp_path / "1.safetensors"], SETTINGS)
    assert received.keys() == folds[0].keys()
    for name, value in received.items():
        np.testing.assert_allclose(value, (folds[0][name] + folds[1][name]) / 2, rtol=1e-6, atol=1e-7)
        assert value.dtype == np.float32
