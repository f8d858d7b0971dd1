"""DenseNet121 against keras.applications."""

import keras
import numpy as np
import pytest
from helpers_folds import random_tensors, relative_difference

from hbac.network.families import backbone, shapes
from hbac.network.settings import NetworkSettings
from hbac.weights.tensors import set_weights

FULL_PARAMETERS = 8_062_504  # with 1000 classes, keras.io/api/applications
SIZE = (97, 66, 3)  # odd and uneven sizes make every padding count


def test_it_has_the_tensors_and_the_answers_of_keras_applications() -> None:
    settings = NetworkSettings(input_shape=SIZE, family="densenet121")
    expected = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=SIZE)
    ours = backbone(settings)
    received = [(variable.path, tuple(variable.shape)) for variable in ours.weights]
    assert received == [(variable.path, tuple(variable.shape)) for variable in expected.weights]
    assert dict(received) == shapes(settings, head=False)
    names = [[layer.name for layer in model.layers if "pad" not in layer.name][1:] for model in (expected, ours)]
    assert names[0] == names[1]
    tensors = random_tensors(settings, 7, head=False)
    for model in (expected, ours):
        set_weights(model, tensors)
    images = np.random.default_rng(1).normal(0, 1, (2, *SIZE)).astype(np.float32)
    answers = [model(images, training=False).numpy() for model in (expected, ours)]
    assert answers[0].std() > 0.01
    assert answers[0].shape == (2, 3, 2, 1024)
    assert relative_difference(answers[1], answers[0]) <= 1e-5


def test_width_64_has_the_published_number_of_parameters() -> None:
    table = shapes(NetworkSettings(classes=1000, family="densenet121"))
    assert sum(int(np.prod(shape)) for shape in table.values()) == FULL_PARAMETERS


@pytest.mark.parametrize(("width", "growth"), [(1, 1), (7, 4), (16, 8)])
def test_its_growth_is_half_its_width(width: int, growth: int) -> None:
    settings = NetworkSettings(width=width, classes=5, input_shape=(64, 32, 4), dropout=0.3, family="densenet121")
    table = shapes(settings)
    assert {shape[-1] for name, shape in table.items() if name.endswith("_2_conv/kernel")} == {growth}
