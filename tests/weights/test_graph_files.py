"""Graph files: what is written is read again as it was; what is not as the format has it is refused."""

import json

import pytest

from hbac.errors import WeightsError
from hbac.network.families import logits_graph
from hbac.network.graph import Sketch
from hbac.network.settings import NetworkSettings
from hbac.weights.graph_files import graph_text, parsed, read_graph, write_graph


def small():
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, None, 8, 2))
    x = net.add("Conv2D", "conv", x, filters=4, kernel_size=(3, 1), padding="same", use_bias=False)
    x = net.add("Slice", "slice", x, slices=((None, None, 2), (1, 4, None), -1))
    x = net.add("Reduce", "mean", x, function="mean", axes=(1,))
    return net.add("Dense", "dense", x, units=6) and net.graph("small")


@pytest.mark.parametrize("graph", [small(), logits_graph(NetworkSettings(width=2))], ids=lambda one: one.name)
def test_a_graph_is_read_as_it_was_written(tmp_path, graph):
    if graph.name == "small":
        graph = graph.taking((10, 8, 2))
    write_graph(tmp_path / "a.graph.json", graph)
    assert read_graph(tmp_path / "a.graph.json") == graph


def test_equal_graphs_have_one_text():
    """Arguments that are stated as their defaults, and those that are not stated."""
    layers = json.loads(graph_text(small().taking((10, 8, 2))))["layers"]
    layers[1]["arguments"] |= {"strides": [1, 1], "dtype": None}
    document = {"format": "hbac-graph", "version": 1, "name": "small", "layers": layers}
    assert graph_text(parsed(json.dumps(document).encode())) == graph_text(small().taking((10, 8, 2)))


def changed(change):
    document = json.loads(graph_text(small().taking((10, 8, 2))))
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "expected a graph in JSON"),
        (b"[" * 100_000, "expected a graph in JSON"),
        (b"[]", "expected an object with format, layers, name and version"),
        (changed(lambda d: d.update(more=1)), "expected an object with format"),
        (changed(lambda d: d.update(format="keras")), "format: expected 'hbac-graph', received 'keras'"),
        (changed(lambda d: d.update(version=2)), "version: expected 1, received 2"),
        (changed(lambda d: d.update(version=True)), "version: expected 1, received True"),
        (changed(lambda d: d.update(layers=[])), "layers: expected a list of 1 to 5000"),
        (changed(lambda d: d["layers"].append(1)), r"layers\[5\]: expected an object"),
        (changed(lambda d: d["layers"][1].update(code="x")), r"layers\[1\]: expected an object with some of"),
        (changed(lambda d: d["layers"][1].update(kind="Lambda")), "layer conv: expected one of"),
        (changed(lambda d: d["layers"][1].update(name="a/b")), r"layers\[1\].name: expected a text"),
        (changed(lambda d: d["layers"][1].update(inputs=["x"])), "among the layers before it"),
        (changed(lambda d: d["layers"][1].update(inputs="image")), r"layers\[1\].inputs: expected a list"),
        (changed(lambda d: d["layers"][1].update(shares="x")), "expected an earlier layer like 'conv'"),
        (changed(lambda d: d["layers"][1]["arguments"].update(filters=1e400)), "expected an object of finite values"),
        (
            changed(lambda d: d["layers"][1]["arguments"].update(filters=65536, kernel_size=[9, 6000])),
            "conv.*kernel|expected",
        ),
        (changed(lambda d: d["layers"].pop()), ""),
        (b" " * (9 << 20), "expected at most 8388608 bytes"),
    ],
)
def test_a_file_that_is_no_graph_is_refused(content, said):
    if said:
        with pytest.raises(WeightsError, match=said):
            parsed(content)
    else:
        assert parsed(content).layers[-1].name == "mean"  # a part of a graph is a graph
