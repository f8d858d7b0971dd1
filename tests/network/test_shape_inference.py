"""Shapes by plain Python against those of built Keras models."""

import keras
import pytest

from hbac.errors import InputError
from hbac.network.families import build, shapes, whole_graph
from hbac.network.graph import Graph, Layer, Sketch
from hbac.network.settings import NetworkSettings
from hbac.network.shape_inference import output_shapes, tensor_shapes

SIZES = [(400, 300, 3), (97, 131, 3), (33, 1, 4), (None, 300, 3)]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "size"), [*((8, size) for size in SIZES), (64, SIZES[0])])
def test_shapes_of_resnet50_are_those_of_keras(width: int, size: tuple[int | None, int, int]) -> None:
    settings = NetworkSettings(width=width, input_shape=size, dropout=0.2)
    model = build(settings)
    assert output_shapes(whole_graph(settings)) == {layer.name: tuple(layer.output.shape) for layer in model.layers}
    assert shapes(settings) == {variable.path: tuple(variable.shape) for variable in model.weights}


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3), (5, 4)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_windows_take_as_many_places_as_in_keras(
    padding: str, kernel: tuple[int, int], strides: tuple[int, int]
) -> None:
    for kind, arguments in (("Conv2D", {"filters": 2, "kernel_size": kernel}), ("MaxPooling2D", {"pool_size": kernel})):
        for size in [(5, 4), (6, 7), (12, 9), (None, 8)]:
            net = Sketch()
            x = net.add("InputLayer", "image", batch_shape=(None, *size, 3))
            net.add(kind, "window", x, **arguments, strides=strides, padding=padding)
            layer = getattr(keras.layers, kind)(**arguments, strides=strides, padding=padding)
            expected = tuple(layer(keras.Input((*size, 3))).shape)
            assert output_shapes(net.graph("net"))["window"] == expected


def one_layer(kind: str, shape: tuple[int | None, ...], **arguments: object) -> Graph:
    image = Layer("image", "InputLayer", {"batch_shape": (None, *shape)})
    return Graph("net", (image, Layer("odd", kind, arguments, ("image",))))


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (one_layer("Conv2D", (4, 4, 3), filters=2, kernel_size=(5, 1)), "layer odd: expected an input of 5 or more"),
        (one_layer("Conv2D", (4, 3), filters=2, kernel_size=(1, 1)), "layer odd: expected an input of 4 axes"),
        (one_layer("Conv2D", (4, 4, None), filters=2, kernel_size=(1, 1)), "a known number of channels"),
        (one_layer("Dense", (4, None), units=2), "layer odd: expected an input of 2 to 6 axes and a known number"),
        (one_layer("GlobalAveragePooling2D", (4,)), "layer odd: expected an input of 4 axes"),
    ],
)
def test_an_input_that_a_layer_cannot_take_is_refused_by_name(graph: Graph, said: str) -> None:
    with pytest.raises(InputError, match=said):
        tensor_shapes(graph)


def test_inputs_of_two_shapes_are_not_added() -> None:
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, 4, 4, 3))
    net.add("Add", "sum", x, net.add("ZeroPadding2D", "larger", x))
    with pytest.raises(InputError, match=r"layer sum: expected inputs that go together, received .*4, 4, 3.*6, 6, 3"):
        output_shapes(net.graph("net"))
