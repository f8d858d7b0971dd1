"""Folded normalisation computes what Keras computes with its own layers; what cannot be folded stays."""

import numpy as np
import pytest
from helpers_folds import random_tensors, relative_difference

from hbac.network.batch_norm import fold_batch_norm, without_batch_norm
from hbac.network.families import backbone_graph, build, logits_graph
from hbac.network.graph import Graph, Sketch, Tensors
from hbac.network.keras_model import build_keras
from hbac.network.settings import NetworkSettings
from hbac.network.shape_inference import BN_PARTS, tensor_shapes
from hbac.weights.tensors import set_weights

NET = NetworkSettings(width=8, input_shape=(97, 64, 3))


def kinds(graph: Graph) -> list[str]:
    return [layer.kind for layer in graph.layers]


def any_tensors(graph: Graph, seed: int = 0) -> Tensors:
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(0.5, 1.5, shape) if "variance" in name else rng.normal(0, 1, shape)
        for name, shape in tensor_shapes(graph).items()
    }


@pytest.mark.slow
def test_the_folded_backbone_computes_what_keras_computes_in_float64() -> None:
    graph = backbone_graph(NET)
    tensors = random_tensors(NET, 3, head=False)
    images = np.random.default_rng(2).normal(0, 1, (2, *NET.input_shape))
    answers = []
    for each, values in ((graph, tensors), fold_batch_norm(graph, tensors)):
        model = build_keras(each, "float64")
        set_weights(model, values)
        answers.append(model(images, training=False).numpy())
    assert answers[0].dtype == np.float64
    assert answers[0].std() > 0.01
    assert relative_difference(answers[1], answers[0]) <= 1e-6  # folded tensors are rounded to float32


def test_folding_is_the_formula_of_batch_normalisation() -> None:
    """One channel by hand: (2 x + 1 - 3) * 4 / sqrt(0.25 + epsilon) + 5."""
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, 1, 1, 1))
    x = net.add("Conv2D", "first", x, filters=1, kernel_size=(1, 1))
    net.add("GlobalAveragePooling2D", "mean", net.add("BatchNormalization", "second", x, epsilon=0.01))
    tensors = {f"second/{name}": np.array([value], np.float16) for name, value in zip(BN_PARTS, (4, 5, 3, 0.25))}
    tensors |= {"first/kernel": np.full((1, 1, 1, 1), 2, np.float32), "first/bias": np.array([1], np.float32)}
    graph, folded = fold_batch_norm(net.graph("net"), tensors)
    scale = 4 / np.sqrt(0.25 + 0.01)
    assert kinds(graph) == ["InputLayer", "Conv2D", "GlobalAveragePooling2D"]
    assert folded["first/kernel"].item() == pytest.approx(2 * scale, rel=1e-6)
    assert folded["first/bias"].item() == pytest.approx((1 - 3) * scale + 5, rel=1e-6)
    assert folded.keys() == {"first/kernel", "first/bias"}
    assert {tensor.dtype for tensor in folded.values()} == {np.dtype(np.float32)}


def test_a_normalisation_is_found_by_its_place_and_stays_where_it_cannot_be_folded() -> None:
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, 6, 6, 3))
    x = net.add("BatchNormalization", "of_the_image", x)
    twice = net.add("Conv2D", "used_twice", x, filters=3, kernel_size=(1, 1))
    x = net.add("Add", "sum", net.add("BatchNormalization", "of_one_use", twice), twice)
    x = net.add("BatchNormalization", "behind_the_sum", x)
    x = net.add("Conv2D", "alone", x, filters=4, kernel_size=(3, 3))
    x = net.add("BatchNormalization", "alone_norm", x)
    x = net.add("BatchNormalization", "again", x)
    x = net.add("Dense", "dense", net.add("GlobalAveragePooling2D", "mean", x), units=2)
    net.add("BatchNormalization", "last", x)
    graph = net.graph("net")
    tensors = any_tensors(graph)
    folded, values = fold_batch_norm(graph, tensors)
    assert folded == without_batch_norm(graph)
    assert {layer.name for layer in graph.layers} - {layer.name for layer in folded.layers} == {"alone_norm", "last"}
    assert values.keys() == tensor_shapes(folded).keys()
    images = np.random.default_rng(1).normal(0, 1, (3, 6, 6, 3))
    answers = []
    for each, of_each in ((graph, tensors), (folded, values)):
        model = build_keras(each, "float64")
        set_weights(model, of_each)
        answers.append(model(images, training=False).numpy())
    assert relative_difference(answers[1], answers[0]) <= 1e-5


def test_built_without_normalisation_it_has_the_folded_tensors() -> None:
    graph, folded = fold_batch_norm(logits_graph(NET), random_tensors(NET, 3))
    assert "BatchNormalization" not in kinds(graph)
    assert {v.path: tuple(v.shape) for v in build(NET, batch_norm=False).weights} == {
        name: tensor.shape for name, tensor in folded.items()
    }
