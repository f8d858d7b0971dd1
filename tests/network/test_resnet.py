"""ResNet50 against keras.applications; its head by hand."""

import keras
import numpy as np
import pytest
from helpers_folds import keras_resnet50, random_tensors, relative_difference

from hbac.network.batch_norm import fold_batch_norm
from hbac.network.families import backbone, build, logits_graph, shapes
from hbac.network.settings import HEAD, NetworkSettings
from hbac.weights.tensors import set_weights

FULL_PARAMETERS = 25_636_712  # of ResNet50 with 1000 classes, keras.io/api/applications
CLASSES_OF_IMAGENET = 1000


def _weighted(model):
    return [layer.name for layer in model.layers if layer.weights]


@pytest.fixture(scope="module")
def ours():
    """The backbone at full width, without `hbac.weights.tensors`: Keras's own weights by place, as both have one order."""
    model = backbone(NetworkSettings(input_shape=(400, 300, 3)))
    model.set_weights(keras_resnet50().get_weights())
    return model


def test_layers_have_the_names_and_the_order_of_keras_applications(ours):
    assert [layer.name for layer in ours.layers][1:] == [layer.name for layer in keras_resnet50().layers][1:]


def test_tensors_have_the_names_and_the_shapes_of_keras_applications(ours):
    received = [(variable.path, tuple(variable.shape)) for variable in ours.weights]
    assert received == [(variable.path, tuple(variable.shape)) for variable in keras_resnet50().weights]


@pytest.mark.parametrize("size", [(400, 300), (97, 130)])
def test_features_are_those_of_keras_applications(ours, size):
    """The random statistics make every tensor count; odd sizes make every padding count."""
    images = np.random.default_rng(1).normal(0, 1, (1, *size, 3)).astype(np.float32)
    if size != (400, 300):
        model = backbone(NetworkSettings(input_shape=(*size, 3)))
        model.set_weights(ours.get_weights())
    else:
        model = ours
    expected = keras_resnet50()(images, training=False).numpy()
    received = model(images, training=False).numpy()
    assert received.shape == (1, -(-size[0] // 32), -(-size[1] // 32), 2048)
    assert expected.std() > 0.01
    assert relative_difference(received, expected) <= 1e-5


def test_width_64_has_the_published_number_of_parameters():
    table = shapes(NetworkSettings(classes=CLASSES_OF_IMAGENET))
    assert sum(int(np.prod(shape)) for shape in table.values()) == FULL_PARAMETERS
    assert len(table) == 320
    assert len(shapes(NetworkSettings(), head=False)) == len(keras_resnet50().weights) == 318


@pytest.mark.parametrize("width", [1, 12])
def test_the_table_of_shapes_is_that_of_the_built_model(width):
    settings = NetworkSettings(width=width, classes=5, input_shape=(64, 32, 4), dropout=0.3)
    model = build(settings)
    assert shapes(settings) == {variable.path: tuple(variable.shape) for variable in model.weights}
    assert shapes(settings, head=False) == {v.path: tuple(v.shape) for v in backbone(settings).weights}
    assert model.get_layer(HEAD).input.shape == (None, 32 * width)


@pytest.fixture(scope="module")
def narrow():
    settings = NetworkSettings(width=8, input_shape=(96, 64, 3))
    return settings, random_tensors(settings, seed=3), np.random.default_rng(2).normal(0, 1, (3, 96, 64, 3))


def test_the_folded_network_computes_the_same_logits(narrow):
    settings, tensors, images = narrow
    whole, folded = build(settings), build(settings, batch_norm=False)
    set_weights(whole, tensors)
    set_weights(folded, fold_batch_norm(logits_graph(settings), tensors)[1])
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)
    expected, received = (
        keras.Model(model.input, model.get_layer(HEAD).output)(images, training=False).numpy()
        for model in (whole, folded)
    )
    assert relative_difference(received, expected) <= 1e-5


def test_the_head_is_pooling_a_dense_layer_and_a_softmax(narrow):
    """The head by hand, float64, from the last feature map."""
    settings, tensors, images = narrow
    tensors = {**tensors, f"{HEAD}/kernel": tensors[f"{HEAD}/kernel"] * np.float32(0.05)}
    model = build(settings)
    set_weights(model, tensors)
    features = keras.Model(model.input, model.get_layer("conv5_block3_out").output)(images, training=False).numpy()
    logits = features.astype(np.float64).mean(axis=(1, 2)) @ tensors[f"{HEAD}/kernel"] + tensors[f"{HEAD}/bias"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    received = model(images, training=False).numpy()
    assert 0.01 < expected.max() < 0.99
    np.testing.assert_allclose(received, expected, rtol=2e-5)
    np.testing.assert_allclose(received.sum(axis=1), 1, atol=1e-6)


def test_dropout_is_idle_at_inference_and_at_work_in_training(narrow):
    settings, tensors, images = narrow
    plain = build(settings)
    dropping = build(NetworkSettings(width=8, input_shape=settings.input_shape, dropout=0.5))
    for model in (plain, dropping):
        set_weights(model, tensors)
    logits = [keras.Model(m.input, m.get_layer(HEAD).output) for m in (plain, dropping)]
    idle, expected = logits[1](images, training=False).numpy(), logits[0](images, training=False).numpy()
    np.testing.assert_array_equal(idle, expected)
    assert relative_difference(logits[1](images, training=True).numpy(), expected) > 0.01
