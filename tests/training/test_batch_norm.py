"""Statistics of normalisation layers against NumPy's, and layers that are frozen."""

import numpy as np

from hbac.network.families import build
from hbac.network.settings import NetworkSettings
from hbac.training.batch_norm import MOMENTUM, estimate_statistics, layers_of, prepare, training_pass


def test_statistics_are_those_of_all_images_together() -> None:
    import keras

    image = keras.Input((5, 4, 3))
    model = keras.Model(image, keras.layers.BatchNormalization()(image))
    prepare(model, frozen=False)
    rng = np.random.default_rng(0)
    scales = (0.1, 1.0, 10.0)  # batches that differ much: the variance between them counts
    batches = [rng.normal(scale, scale, (6, 5, 4, 3)).astype(np.float32) for scale in scales]
    for _ in range(2):  # the second time from other statistics than the layer's first
        estimate_statistics(model, training_pass(model), batches)
        layer = layers_of(model)[0]
        pixels = np.concatenate(batches).reshape(-1, 3)
        np.testing.assert_allclose(layer.moving_mean, pixels.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(layer.moving_variance, pixels.var(axis=0), rtol=1e-4)
        assert layer.momentum == MOMENTUM


def test_frozen_layers_compute_in_training_as_in_inference() -> None:
    network = NetworkSettings(width=2, input_shape=(40, 30, 3))
    images = np.random.default_rng(1).normal(size=(2, 40, 30, 3)).astype(np.float32)
    model = build(network)
    whole = len(model.trainable_variables)
    assert not np.allclose(model(images, training=True), model(images, training=False), atol=1e-3)
    prepare(model, frozen=True)
    np.testing.assert_array_equal(model(images, training=True), model(images, training=False))
    assert len(model.trainable_variables) == whole - 2 * len(layers_of(model))
