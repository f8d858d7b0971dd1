"""ImageNet's files of the families, written by hand in the form of those that Keras publishes; Keras itself loads them."""

from functools import cache
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from helpers_folds import needs_names, random_tensors

from hbac.errors import WeightsError
from hbac.network.families import backbone
from hbac.network.graph import Tensors
from hbac.network.settings import NetworkSettings
from hbac.weights.checkpoints import imagenet_backbone
from hbac.weights.keras_files import import_weights

SHAPE = (64, 64, 3)
EFFICIENTNET = NetworkSettings(input_shape=SHAPE, family="efficientnetv2-b0")
DENSENET = NetworkSettings(input_shape=SHAPE, family="densenet121")
OLD_NAMES = {"conv1_conv": "conv1/conv", "conv1_bn": "conv1/bn", "conv1_relu": "conv1/relu"}  # of DenseNet, in Keras 2
OF_NORMALIZATION = {"mean": (3,), "variance": (3,), "count": ()}  # where Keras 2 kept them


@cache
def of_keras(family: str) -> keras.Model:
    """With the layers that prepare images."""
    if family == "densenet121":
        return keras.applications.DenseNet121(include_top=False, weights=None, input_shape=SHAPE)
    return keras.applications.EfficientNetV2B0(include_top=False, weights=None, input_shape=SHAPE)


def write_published(path: Path, family: str, tensors: Tensors, normalization: bool = False) -> Path:
    """A Keras 2 file: names with slashes, depthwise kernels under their old name, layers without weights as well."""
    with h5py.File(path, "w") as file:
        names = []
        for layer in of_keras(family).layers:
            name = OLD_NAMES.get(layer.name, layer.name) if family == "densenet121" else layer.name
            names.append(name.encode())
            group = file.create_group(name)
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            values = {v.name: tensors[f"{layer.name}/{v.name}"] for v in layer.weights}
            values = {f"depthwise_{part}" if depthwise else part: value for part, value in values.items()}
            if normalization and layer.name.startswith("normalization"):
                values = {part: np.full(shape, 7, np.float32) for part, shape in OF_NORMALIZATION.items()}
            stated = [f"{name}/{part}:0".encode() for part in values]
            group.attrs["weight_names"] = np.array(stated) if stated else np.array([], "S1")
            for at, value in zip(stated, values.values()):
                group[at.decode()] = value
        file.attrs["layer_names"] = np.array(names)
    return path


@pytest.mark.parametrize("settings", [EFFICIENTNET, DENSENET], ids=lambda settings: settings.family)
def test_a_published_file_gives_what_keras_loads_from_it(settings: NetworkSettings, tmp_path: Path) -> None:
    tensors = random_tensors(settings, 5, head=False)
    path = write_published(tmp_path / "notop.h5", settings.family, tensors)
    theirs = of_keras(settings.family)
    theirs.load_weights(path)
    received = imagenet_backbone(path, settings)
    assert received.keys() == tensors.keys()
    for variable in theirs.weights:
        np.testing.assert_array_equal(received[variable.path], variable.numpy())


def test_its_preprocessing_is_left_out_even_if_it_holds_weights(tmp_path: Path) -> None:
    tensors = random_tensors(EFFICIENTNET, 5, head=False)
    path = write_published(tmp_path / "notop.h5", EFFICIENTNET.family, tensors, normalization=True)
    received = import_weights(path, EFFICIENTNET, head=False)
    assert received.keys() == tensors.keys()
    with pytest.raises(
        WeightsError, match=r"received a layer '(rescaling|normalization)"
    ):  # of a whole network it counts
        import_weights(path, EFFICIENTNET)


def test_the_file_of_another_family_is_refused(tmp_path: Path) -> None:
    path = write_published(tmp_path / "notop.h5", "densenet121", random_tensors(DENSENET, 5, head=False))
    with pytest.raises(WeightsError, match="expected weights of efficientnetv2_b0_w64_backbone|missing stem_conv"):
        imagenet_backbone(path, EFFICIENTNET)
    with pytest.raises(WeightsError, match="expected no ImageNet weights for eeg1d"):
        imagenet_backbone(path, NetworkSettings(input_shape=(2000, 16), family="eeg1d"))


@pytest.mark.parametrize("channels", [1, 8])
def test_inputs_with_other_channels_give_what_their_mean_gives_in_rgb(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean over our channels, put into all three of ImageNet's, has the same first features."""
    settings = NetworkSettings(width=8, input_shape=(40, 30, channels), family="efficientnetv2-b0")
    rgb = NetworkSettings(width=8, input_shape=(40, 30, 3), family="efficientnetv2-b0")
    tensors = random_tensors(rgb, 5, head=False)
    monkeypatch.setattr("hbac.weights.checkpoints.import_weights", lambda *_, **__: dict(tensors))
    kernel = imagenet_backbone(Path("notop.h5"), settings)["stem_conv/kernel"]
    images = np.random.default_rng(2).normal(0, 1, (2, 40, 30, channels)).astype(np.float32)
    grey = images.mean(axis=3, keepdims=True).repeat(3, axis=3)
    features = [
        keras.ops.convert_to_numpy(keras.ops.conv(inputs, weights, strides=2, padding="same"))
        for inputs, weights in ((images, kernel), (grey, tensors["stem_conv/kernel"]))
    ]
    assert kernel.shape[2] == channels
    np.testing.assert_allclose(features[0], features[1], atol=1e-5)


def test_weights_alone_that_keras_3_writes_are_known_by_their_names(tmp_path: Path) -> None:
    needs_names()
    settings = NetworkSettings(width=1, input_shape=(64, 16), family="eeg1d")
    model = backbone(settings)
    model.save_weights(tmp_path / "x.weights.h5")
    received = import_weights(tmp_path / "x.weights.h5", settings, head=False)
    assert {v.path for v in model.weights} == received.keys()
    for variable in model.weights:
        np.testing.assert_array_equal(received[variable.path], variable.numpy())
