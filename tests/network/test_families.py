"""Every family of the registry is complete; an unknown one is refused by name."""

import keras
import pytest

from hbac.errors import InputError
from hbac.network.families import FAMILIES, backbone_graph, build, family_named, logits_graph, shapes, whole_graph
from hbac.network.graph import Graph
from hbac.network.settings import HEAD, PROBABILITIES, NetworkSettings


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_a_backbone_a_head_and_probabilities(name: str) -> None:
    settings = NetworkSettings(width=2, input_shape=(64, 64, 3), dropout=0.1, family=name)
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


def test_the_digest_of_imagenets_file_is_the_one_that_keras_states() -> None:
    from keras.src.applications.resnet import WEIGHTS_HASHES

    imagenet = FAMILIES["resnet50"].imagenet
    assert imagenet is not None
    assert imagenet.md5 == WEIGHTS_HASHES["resnet50"][1]


def test_mixed_precision_leaves_the_head_in_float32_and_the_policy_as_it_was() -> None:
    before = keras.config.dtype_policy().name
    model = build(NetworkSettings(width=2, input_shape=(64, 64, 3)), precision="mixed_float16")
    assert keras.config.dtype_policy().name == before
    assert model.get_layer("conv1_conv").compute_dtype == "float16"
    assert {model.get_layer(name).compute_dtype for name in (HEAD, PROBABILITIES)} == {"float32"}
    assert {variable.dtype for variable in model.weights} == {"float32"}


def test_graphs_of_equal_settings_are_equal() -> None:
    graphs: list[Graph] = [whole_graph(NetworkSettings(width=width)) for width in (2, 2, 3)]
    assert graphs[0] == graphs[1] != graphs[2]
