"""A graph refuses what is no network, by name; its order of layers is that of Keras."""

import keras
import pytest

from hbac.errors import InputError
from hbac.network.families import backbone_graph, whole_graph
from hbac.network.graph import Graph, Layer, Sketch, keras_order
from hbac.network.keras_model import FUNCTIONS, build_keras
from hbac.network.kinds import KINDS, REQUIRED
from hbac.network.settings import HEAD, NetworkSettings

IMAGE = Layer("image", "InputLayer", {"batch_shape": (None, 8, 6, 3)})
CONV = Layer("a", "Conv2D", {"filters": 4, "kernel_size": (3, 3)}, ("image",))
RELU = Layer("b", "Activation", {"activation": "relu"}, ("a",))


def ladder() -> Graph:
    """Shortcuts of several lengths, a layer that is used three times, and one that adds the image's branch twice."""
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, 8, 8, 4))
    same = {"filters": 4, "kernel_size": (3, 3), "padding": "same"}
    a = net.add("Conv2D", "a", x, **same)
    b = net.add("Activation", "b", a, activation="relu")
    c = net.add("Conv2D", "c", a, **same)
    d = net.add("BatchNormalization", "d", c)
    e = net.add("Add", "e", d, b)
    f = net.add("Conv2D", "f", x, **same)
    g = net.add("Add", "g", f, e, a)
    h = net.add("Add", "h", g, g)
    net.add("GlobalAveragePooling2D", "i", h)
    return net.graph("ladder")


@pytest.mark.parametrize(
    "graph",
    [
        ladder(),
        whole_graph(NetworkSettings(width=8)),
        whole_graph(NetworkSettings(dropout=0.2)),
        backbone_graph(NetworkSettings(width=8, input_shape=(97, 131, 3))),
    ],
    ids=lambda graph: f"{graph.name}-{len(graph.layers)}",
)
def test_the_order_of_layers_is_that_of_keras(graph: Graph) -> None:
    assert keras_order(graph) == [layer.name for layer in build_keras(graph).layers]


def test_the_order_of_keras_applications_is_the_graphs() -> None:
    theirs = keras.applications.ResNet50(weights=None, include_top=False)
    assert keras_order(backbone_graph(NetworkSettings()))[1:] == [layer.name for layer in theirs.layers][1:]


def test_layers_with_stated_and_with_default_arguments_are_equal() -> None:
    stated = {"filters": 4, "kernel_size": (3, 3), "strides": (1, 1), "padding": "valid", "dtype": None}
    assert Layer("a", "Conv2D", stated, ("image",)) == CONV
    assert Layer("a", "Conv2D", {**stated, "strides": (2, 2)}, ("image",)) != CONV


OWN_KINDS = ("Bidirectional", *FUNCTIONS)  # that are no classes of `keras.layers` with our arguments


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(OWN_KINDS) - {"InputLayer"}))
def test_defaults_are_those_of_keras(kind: str) -> None:
    """What a layer made without them says in its own config."""
    axes = 1 if kind.endswith("1D") else 2
    needed = {
        **{"filters": 4, "kernel_size": (3,) * axes, "activation": "relu", "rate": 0.5, "units": 2, "scale": 2.0},
        **{
            "height": 4,
            "width": 5,
            "target_shape": (2, 3),
            "dims": (2, 1),
            "n": 3,
            "pool_size": (2,) * axes,
            "strides": (2,) * axes,
        },
    }
    known = KINDS[kind].arguments
    stated = {key: needed[key] for key, argument in known.items() if argument.default is REQUIRED}
    config = getattr(keras.layers, kind)(**stated).get_config()
    for name, argument in known.items():
        assert argument.check(config[name]) == stated.get(name, argument.default), (name, config[name])


def test_a_part_ends_in_the_layer_that_is_asked_for() -> None:
    whole = whole_graph(NetworkSettings(width=2, dropout=0.5))
    part = whole.until(HEAD, "logits")
    assert part.name == "logits"
    assert part.layers == whole.layers[:-1]
    assert [layer.name for layer in ladder().until("e").layers] == ["image", "a", "b", "c", "d", "e"]
    with pytest.raises(InputError, match="ladder: expected a layer 'z', received none of that name"):
        ladder().until("z")


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((IMAGE, CONV, CONV), "net: expected each name once, received layer 'a' twice"),
        ((IMAGE, RELU, CONV), r"net: expected the inputs of 'b' among the layers before it, received \['a'\]"),
        ((IMAGE, CONV, RELU, Layer("c", "Add", {}, ("b", "x"))), r"inputs of 'c' .* received \['x'\]"),
        ((IMAGE, Layer("a", "Add", {}, ("a", "image"))), r"inputs of 'a' .* received \['a'\]"),
        ((IMAGE, CONV, Layer("c", "Add", {}, ("image", "image"))), r"net: expected one output, received \['a', 'c'\]"),
        ((IMAGE, Layer("other", "InputLayer", {"batch_shape": (None, 2)})), "net: expected one input, received"),
        ((), r"net: expected one input, received \[\]"),
    ],
)
def test_a_wrong_graph_is_refused_by_name(layers: tuple[Layer, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Graph("net", layers)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (("a", "Lambda", {}, ("b",)), "layer a: expected one of .*'Add'.*, received 'Lambda'"),
        (("a", "Conv2D", {"filters": 4}, ("b",)), r"layer a: expected \['kernel_size'\] for Conv2D, received none"),
        (
            ("a", "Dense", {"units": 4, "activation": "relu"}, ("b",)),
            r"layer a: .* for Dense, received \['activation'\]",
        ),
        (("a", "Add", {}, ("b",)), "layer a: expected 2 to 99 inputs for Add, received 1"),
        (("a", "Dense", {"units": 4}, ("b", "c")), "layer a: expected 1 inputs for Dense, received 2"),
        (("", "Add", {}, ("b", "c")), "expected a layer's name without a slash, received ''"),
        (("a/b", "Add", {}, ("b", "c")), "expected a layer's name without a slash, received 'a/b'"),
    ],
)
def test_a_wrong_layer_is_refused_by_name(
    layer: tuple[str, str, dict[str, object], tuple[str, ...]], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        Layer(*layer)
