"""Converted graphs compute what TensorFlow computes; paddings are merged where that changes nothing."""

from collections import Counter

import numpy as np
import pytest
from helpers_folds import random_tensors, relative_difference

from hbac.errors import InputError
from hbac.network.batch_norm import fold_batch_norm
from hbac.network.families import logits_graph
from hbac.network.graph import Graph, Sketch, Tensors
from hbac.network.keras_model import build_keras
from hbac.network.openvino_graph import openvino_model
from hbac.network.padding import paddings
from hbac.network.settings import NetworkSettings
from hbac.network.shape_inference import tensor_shapes
from hbac.weights.tensors import set_weights

openvino = pytest.importorskip("openvino")


def compute(graph: Graph, tensors: Tensors, image: np.ndarray) -> np.ndarray:
    compiled = openvino.Core().compile_model(openvino_model(graph, tensors), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([image])[0]


def by_keras(graph: Graph, tensors: Tensors, image: np.ndarray) -> np.ndarray:
    model = build_keras(graph)
    set_weights(model, tensors)
    return model(image, training=False).numpy()


def nodes(graph: Graph, tensors: Tensors) -> Counter[str]:
    return Counter(op.get_type_name() for op in openvino_model(graph, tensors).get_ordered_ops())


def check(graph: Graph) -> Counter[str]:
    """That an image mostly below 0 gets Keras's answer; gives how many nodes of each type there are."""
    rng = np.random.default_rng(1)
    tensors: Tensors = {n: rng.normal(0, 1, s).astype(np.float32) for n, s in tensor_shapes(graph).items()}
    image = rng.normal(-0.5, 1, (1, *graph.layers[0]["batch_shape"][1:])).astype(np.float32)
    expected = by_keras(graph, tensors, image)
    np.testing.assert_allclose(compute(graph, tensors, image), expected, rtol=1e-5, atol=1e-6)
    return nodes(graph, tensors)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(96, 64), (97, 131), (33, 31)])
def test_logits_of_resnet50_are_those_of_tensorflow(size: tuple[int, int]) -> None:
    settings = NetworkSettings(width=8, input_shape=(*size, 3))
    graph, tensors = logits_graph(settings), random_tensors(settings, 3)
    image = np.random.default_rng(2).normal(0, 1, (1, *size, 3)).astype(np.float32)
    assert (
        relative_difference(compute(*fold_batch_norm(graph, tensors), image), by_keras(graph, tensors, image)) <= 1e-5
    )


def test_resnet50_has_a_node_for_each_layer_and_none_for_its_paddings() -> None:
    """53 convolutions, 16 sums, a sum for each bias and for that of the head, 49 activations (He et al. 2015)."""
    settings = NetworkSettings(width=2, input_shape=(64, 64, 3))
    found = nodes(*fold_batch_norm(logits_graph(settings), random_tensors(settings, 3)))
    del found["Constant"], found["Reshape"]
    assert found == {
        "Parameter": 1,
        "Transpose": 1,
        "Convolution": 53,
        "Add": 53 + 16 + 1,
        "Relu": 49,
        "MaxPool": 1,
        "ReduceMean": 1,
        "MatMul": 1,
        "Result": 1,
    }


def padded(before: str | None, window: str, padding: str = "valid", strides: tuple[int, int] = (2, 2)) -> Graph:
    """An image, a layer or none, an uneven padding, a window, and the mean."""
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, 9, 8, 2))
    if before:
        x = net.add("Activation", "before", x, activation=before)
    x = net.add("ZeroPadding2D", "padding", x, padding=((0, 2), (1, 0)))
    size = {"filters": 3, "kernel_size": (3, 2)} if window == "Conv2D" else {"pool_size": (3, 2)}
    x = net.add(window, "window", x, **size, strides=strides, padding=padding)
    net.add("GlobalAveragePooling2D", "mean", x)
    return net.graph("padded")


@pytest.mark.parametrize(
    ("graph", "merged"),
    [
        (padded(None, "Conv2D"), True),
        (padded("relu", "MaxPooling2D"), True),
        (padded(None, "MaxPooling2D"), False),  # of values below 0 the padding is the maximum
        (padded(None, "Conv2D", "same"), False),
        (padded(None, "Conv2D", "same", (1, 1)), False),
        (padded("relu", "MaxPooling2D", "same", (3, 1)), False),
    ],
)
def test_a_padding_is_merged_only_where_the_answer_stays(graph: Graph, merged: bool) -> None:
    assert check(graph)["Pad"] == (0 if merged else 1)


def test_a_padding_with_other_users_is_kept() -> None:
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, 9, 8, 2))
    x = net.add("ZeroPadding2D", "padding", x, padding=((1, 1), (1, 1)))
    wide = net.add("Conv2D", "wide", x, filters=2, kernel_size=(3, 3), padding="same")
    x = net.add("Add", "sum", wide, x)
    net.add("GlobalAveragePooling2D", "mean", x)
    graph = net.graph("shared")
    assert paddings(graph)["padding"] == ((1, 1), (1, 1))
    check(graph)


@pytest.mark.parametrize(
    ("window", "arguments"),
    [
        ("Conv2D", {"filters": 3, "kernel_size": 2}),
        ("DepthwiseConv2D", {"kernel_size": 2}),
        ("MaxPooling2D", {"pool_size": 2, "strides": 2}),
    ],
)
def test_a_padding_as_large_as_the_window_is_kept(window: str, arguments: dict[str, object]) -> None:
    """The maximum of a window that holds padding alone is 0, not that of nothing."""
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, 4, 4, 2))
    x = net.add("Activation", "positive", x, activation="relu")
    x = net.add("ZeroPadding2D", "padding", x, padding=((2, 1), (0, 0)))
    net.add(window, "window", x, **arguments)
    graph = net.graph("padded")
    assert paddings(graph)["padding"] == ((2, 1), (0, 0))
    check(graph)


@pytest.mark.parametrize("kind", ["Conv1D", "DepthwiseConv1D", "SeparableConv1D", "MaxPooling1D", "AveragePooling1D"])
def test_a_padding_of_a_wave_is_merged_where_the_answer_stays(kind: str) -> None:
    size = {"pool_size": 3, "strides": 2} if "Pooling" in kind else {"kernel_size": 3, "dilation_rate": 2}
    filters = {"filters": 3} if kind in ("Conv1D", "SeparableConv1D") else {}
    net = Sketch()
    x = net.add("InputLayer", "wave", batch_shape=(None, 9, 2))
    x = net.add("Activation", "positive", x, activation="relu")
    net.add(kind, "window", net.add("ZeroPadding1D", "padding", x, padding=(2, 1)), **size, **filters)
    graph = net.graph("padded")
    assert paddings(graph)["padding"] == ((0, 0),) if kind != "AveragePooling1D" else ((2, 1),)
    check(graph)


def test_a_size_that_is_not_known_is_refused_by_name() -> None:
    settings = NetworkSettings(width=2, input_shape=(None, 64, 3))
    with pytest.raises(InputError, match=r"layer \w+: expected an input of a known size, received"):
        openvino_model(*fold_batch_norm(logits_graph(settings), random_tensors(settings, 3)))
