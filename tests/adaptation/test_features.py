"""Statistics and pooled features against Keras and the engine."""

import numpy as np
import pytest
from helpers_folds import random_tensors

from hbac.adaptation import features
from hbac.adaptation.features import Backbone, as_float16, views_of
from hbac.network.families import build
from hbac.network.settings import HEAD, NetworkSettings
from hbac.network.shape_inference import BN_PARTS
from hbac.network.tensorflow_engine import TensorFlowEngine
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.weights.tensors import set_weights

NETWORK = NetworkSettings(width=4, input_shape=(40, 30, 3))
PRESET = PRESETS[THREE_ZOOMS]
pytestmark = pytest.mark.usefixtures("shallow_network")


def images_of(count: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.normal(size=(count, 40, 30, 3)) * rng.uniform(0.2, 3, (count, 1, 1, 1))).astype(np.float32)


def test_statistics_go_half_way_to_those_of_one_pass_in_training_mode() -> None:
    tensors, images = random_tensors(NETWORK, 1), images_of(6)
    received = Backbone(NETWORK, PRESET).adapted(tensors, images)
    model = build(NETWORK)
    set_weights(model, tensors)
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    for layer in norms:
        layer.momentum = 0.0
    flipped = np.concatenate([images[:, [*range(10, 20), *range(10), *range(30, 40), *range(20, 30)]]])
    model(np.concatenate([images, flipped]), training=True)
    assert len(norms) == 5
    for layer in norms:
        for variable in (layer.moving_mean, layer.moving_variance):
            expected = (tensors[variable.path] + variable.numpy()) / 2
            np.testing.assert_allclose(received[variable.path], expected, rtol=2e-3, atol=1e-4)  # float16
            assert np.abs(received[variable.path] - tensors[variable.path]).max() > 0.01


def test_no_other_tensor_changes_but_by_its_rounding() -> None:
    tensors = random_tensors(NETWORK, 1)
    received = Backbone(NETWORK, PRESET).adapted(tensors, images_of(4))
    assert received.keys() == tensors.keys()
    for name, tensor in tensors.items():
        if name.rsplit("/", 1)[1] not in BN_PARTS[2:]:
            np.testing.assert_array_equal(received[name], tensor.astype(np.float16).astype(np.float32))


def test_several_batches_give_the_first_layer_the_statistics_of_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors, images = random_tensors(NETWORK, 1), images_of(8)
    whole = Backbone(NETWORK, PRESET).adapted(tensors, images)
    monkeypatch.setattr(features, "VIEWS_TIMES_WIDTH", 4 * 4)  # two images a batch
    parts = Backbone(NETWORK, PRESET).adapted(tensors, images)
    for part in BN_PARTS:
        np.testing.assert_allclose(parts[f"conv1_bn/{part}"], whole[f"conv1_bn/{part}"], rtol=2e-3, atol=1e-5)
    last = "conv2_block1_3_bn/moving_variance"
    assert np.abs(parts[last] - whole[last]).max() > 1e-3  # the batches do normalise themselves


@pytest.mark.parametrize("count", [1, 8, 17])
def test_pooled_features_are_what_the_engine_makes_logits_of(count: int) -> None:
    tensors, images = random_tensors(NETWORK, 1), images_of(count)
    pooled = Backbone(NETWORK, PRESET).pooled(tensors, images)
    engine = TensorFlowEngine(NETWORK)
    engine.load([tensors])
    views = views_of(images, PRESET)
    logits = np.concatenate([engine.logits(0, view[None]) for view in views]).reshape(2, count, 6)
    engine.close()
    np.testing.assert_allclose(pooled @ tensors[f"{HEAD}/kernel"] + tensors[f"{HEAD}/bias"], logits, atol=1e-4)


def test_what_float16_cannot_hold_stays_float32() -> None:
    large = np.array([1e6, 1 / 3], np.float32)
    received = as_float16({"large": large, "small": np.array([1 / 3], np.float32)})
    np.testing.assert_array_equal(received["large"], large)
    assert received["small"] == np.float32(np.float16(1 / 3))
