"""Every family of the registry is complete; an unknown one is refused by name."""

import keras
import numpy as np
import pytest

from hbac.errors import InputError
from hbac.network.families import FAMILIES, backbone_graph, build, family_named, logits_graph, shapes, whole_graph
from hbac.network.graph import Graph, Layer, Sketch
from hbac.network.keras_model import build_keras
from hbac.network.settings import FAMILY_NAMES, HEAD, PROBABILITIES, NetworkSettings
from hbac.network.shape_inference import tensor_shapes as shapes_of

SMALL_INPUT = {"raw-v1": (64, 16), "three-zooms-v2": (64, 64, 3)}  # as those of the presets


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_a_backbone_a_head_and_probabilities(name: str) -> None:
    settings = NetworkSettings(width=2, input_shape=SMALL_INPUT[FAMILIES[name].preset], dropout=0.1, family=name)
    graph = whole_graph(settings)
    assert family_named(name).name == name
    assert graph.layers[-1].name == PROBABILITIES
    assert graph.by_name[PROBABILITIES].inputs == (HEAD,)
    assert [layer.name for layer in backbone_graph(settings).layers][-1] == family_named(name).backbone
    assert logits_graph(settings).layers[-1].name == HEAD
    assert "Dropout" not in {layer.kind for layer in logits_graph(settings).layers}
    assert set(shapes(settings)) - set(shapes(settings, head=False)) == {f"{HEAD}/kernel", f"{HEAD}/bias"}


@pytest.mark.parametrize("ask", [whole_graph, logits_graph, backbone_graph, build, shapes])
def test_an_unknown_family_is_refused_by_name(ask: object) -> None:
    with pytest.raises(InputError, match=r"expected a family of networks, one of \[.*'resnet50'.*\], received 'vgg'"):
        ask(NetworkSettings(family="vgg"))  # type: ignore[operator]


@pytest.mark.parametrize("name", ["ResNet50", "EfficientNetV2B0", "DenseNet121"])
def test_imagenets_file_and_its_digest_are_those_that_keras_states(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Keras would fetch, caught before it does."""
    asked: dict[str, str] = {}

    def get_file(fname: str, origin: str, **arguments: str) -> None:
        asked.update(arguments, file=fname)
        raise ConnectionRefusedError

    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", get_file)
    with pytest.raises(ConnectionRefusedError):
        getattr(keras.applications, name)(include_top=False)
    imagenet = FAMILIES[name.lower().replace("v2b", "v2-b")].imagenet
    assert imagenet is not None
    assert (imagenet.file, imagenet.md5) == (asked["file"], asked["file_hash"])


def test_digests_of_efficientnets_are_those_that_keras_states() -> None:
    from keras.src.applications.efficientnet_v2 import WEIGHTS_HASHES

    ours = {name: family.imagenet for name, family in FAMILIES.items() if name.startswith("efficientnetv2")}
    assert {name: one.md5 for name, one in ours.items() if one} == {
        f"efficientnetv2-{name}": notop for name, (_, notop) in WEIGHTS_HASHES.items() if name[0] == "b"
    }
    assert all(one and one.file == f"{name}_notop.h5" for name, one in ours.items())


def test_mixed_precision_leaves_the_head_in_float32_and_the_policy_as_it_was() -> None:
    before = keras.config.dtype_policy().name
    model = build(NetworkSettings(width=2, input_shape=(64, 64, 3)), precision="mixed_float16")
    assert keras.config.dtype_policy().name == before
    assert model.get_layer("conv1_conv").compute_dtype == "float16"
    assert {model.get_layer(name).compute_dtype for name in (HEAD, PROBABILITIES)} == {"float32"}
    assert {variable.dtype for variable in model.weights} == {"float32"}


def test_a_dropout_drops_places_or_whole_inputs_as_keras_does() -> None:
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, 4, 3))
    net.add("Dropout", "drop", x, rate=0.5, noise_shape=[None, 1, 1])
    ones = build_keras(net.graph("net"))(np.ones((64, 4, 3), np.float32), training=True).numpy()
    assert {tuple(np.unique(one)) for one in ones} == {(0.0,), (2.0,)}
    with pytest.raises(InputError, match="layer drop: expected noise_shape to be one of 1"):
        Layer("drop", "Dropout", {"rate": 0.5, "noise_shape": (None, 2)}, ("image",))
    net.add("Dropout", "other", "drop", rate=0.5, noise_shape=(None, 1))
    with pytest.raises(InputError, match="layer other: expected an input of 2 axes"):
        shapes_of(net.graph("net"))


def test_graphs_of_equal_settings_are_equal() -> None:
    graphs: list[Graph] = [whole_graph(NetworkSettings(width=width)) for width in (2, 2, 3)]
    assert graphs[0] == graphs[1] != graphs[2]


def test_the_names_that_a_command_line_lists_are_those_of_the_families() -> None:
    assert tuple(FAMILIES) == FAMILY_NAMES
