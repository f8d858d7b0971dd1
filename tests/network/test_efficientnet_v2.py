"""EfficientNetV2 against keras.applications."""

from functools import cache

import keras
import numpy as np
import pytest
from helpers_folds import random_tensors, relative_difference

from hbac.network.families import FAMILIES, backbone, backbone_graph, build, logits_graph, shapes, whole_graph
from hbac.network.settings import NetworkSettings
from hbac.weights.tensors import set_weights

BY_KERAS = {f"efficientnetv2-b{n}": getattr(keras.applications, f"EfficientNetV2B{n}") for n in range(4)}
PUBLISHED = {  # parameters with 1000 classes, keras.io/api/applications, in millions
    "efficientnetv2-b0": 7.2,
    "efficientnetv2-b1": 8.2,
    "efficientnetv2-b2": 10.2,
    "efficientnetv2-b3": 14.5,
}
SIZE = (97, 66, 3)  # odd and uneven sizes make every padding count


@cache
def by_keras(name: str) -> keras.Model:
    return BY_KERAS[name](include_top=False, weights=None, input_shape=SIZE, include_preprocessing=False)


@pytest.mark.parametrize("name", ["efficientnetv2-b0", pytest.param("efficientnetv2-b3", marks=pytest.mark.slow)])
def test_it_has_the_tensors_and_the_answers_of_keras_applications(name: str) -> None:
    settings = NetworkSettings(input_shape=SIZE, family=name)
    expected = by_keras(name)
    assert shapes(settings, head=False) == {v.path: tuple(v.shape) for v in expected.weights}
    assert [layer.name for layer in backbone_graph(settings).layers if layer.name in expected.output_names] == [
        FAMILIES[name].backbone
    ]
    tensors = random_tensors(settings, 7, head=False)
    ours = backbone(settings)
    for model in (expected, ours):
        set_weights(model, tensors)
    images = np.random.default_rng(1).normal(0, 1, (2, *SIZE)).astype(np.float32)
    answers = [model(images, training=False).numpy() for model in (expected, ours)]
    assert answers[0].std() > 0.01
    assert answers[0].shape[1:3] == (4, 3)
    assert relative_difference(answers[1], answers[0]) <= 1e-5


@pytest.mark.parametrize("name", BY_KERAS)
def test_width_64_has_the_published_number_of_parameters(name: str) -> None:
    table = shapes(NetworkSettings(classes=1000, family=name))
    assert sum(int(np.prod(shape)) for shape in table.values()) / 1e6 == pytest.approx(PUBLISHED[name], abs=0.06)


def test_layers_have_the_names_of_keras_applications() -> None:
    """But for the activations, which Keras puts into the two convolutions of squeeze and excitation."""
    ours = [layer.name for layer in backbone_graph(NetworkSettings(family="efficientnetv2-b0")).layers][1:]
    theirs = [layer.name for layer in by_keras("efficientnetv2-b0").layers][1:]
    assert {name for name in ours if not name.endswith(("se_reduce_activation", "se_expand_activation"))} == set(
        name for name in theirs if not name.endswith("_drop")
    )


def test_blocks_are_dropped_in_training_as_often_as_in_keras_applications() -> None:
    settings = NetworkSettings(family="efficientnetv2-b0", dropout=0.3)
    ours = {layer.name: layer for layer in whole_graph(settings).layers if layer.kind == "Dropout"}
    assert ours.pop("head_dropout")["rate"] == 0.3
    theirs = [layer for layer in by_keras("efficientnetv2-b0").layers if isinstance(layer, keras.layers.Dropout)]
    assert {layer.name: (layer.rate, layer.noise_shape) for layer in theirs} == {
        name: (pytest.approx(layer["rate"]), layer["noise_shape"]) for name, layer in ours.items()
    }
    assert "Dropout" not in {layer.kind for layer in logits_graph(settings).layers}


@pytest.mark.parametrize("width", [1, 12])
def test_a_narrow_one_has_multiples_of_8_channels(width: int) -> None:
    settings = NetworkSettings(width=width, classes=5, input_shape=(64, 32, 4), dropout=0.3, family="efficientnetv2-b0")
    table = shapes(settings)
    assert {shape[0] % 8 for name, shape in table.items() if name.endswith("moving_mean")} == {0}
    if width == 1:
        model = build(settings)
        assert table == {variable.path: tuple(variable.shape) for variable in model.weights}
        assert model(np.ones((2, 64, 32, 4), np.float32), training=True).shape == (2, 5)
