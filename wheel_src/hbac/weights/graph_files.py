"""A graph as a file: canonical JSON, so that a network has one file and one digest. Every part is checked when read.

The file says what is computed and holds no weights and no code; `FORMATS.md` has its keys.
"""

import json
from pathlib import Path
from typing import Any, Final

from hbac.errors import InputError, WeightsError, brief
from hbac.files import write_atomically
from hbac.network.graph import Graph, Layer
from hbac.network.kinds import KINDS, is_finite
from hbac.network.shape_inference import tensor_shapes

FORMAT: Final = "hbac-graph"
VERSION: Final = 1
ENDING: Final = ".graph.json"
MAX_BYTES: Final = 8 << 20
MAX_LAYERS: Final = 5000
MAX_NAME: Final = 400  # characters


def graph_text(graph: Graph) -> str:
    """The one text that a graph has: arguments that differ from their defaults, a layer a line."""
    lines = [json.dumps(_document_of(layer), sort_keys=True) for layer in graph.layers]
    head = {"format": FORMAT, "version": VERSION, "name": graph.name}
    return json.dumps(head)[:-1] + ', "layers": [\n ' + ",\n ".join(lines) + "\n]}\n"


def write_graph(path: Path, graph: Graph) -> None:
    """Write a graph that `read_graph` gives back; the file appears whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    text = graph_text(graph)
    parsed(text.encode())  # what cannot be read again must not be written
    write_atomically(path, text.encode())


def read_graph(path: Path) -> Graph:
    """Read and check a graph file.

    Raises:
        WeightsError: it cannot be read, is not JSON, or any part of it is not as the format has it.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WeightsError(f"{path}: expected a graph file: {error.strerror}") from error
    try:
        return parsed(content)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def parsed(content: bytes) -> Graph:
    """The graph of a file's content; see `read_graph`."""
    if len(content) > MAX_BYTES:
        raise WeightsError(f"expected at most {MAX_BYTES} bytes, received more")
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"expected a graph in JSON: {brief(str(error), quote=False)}") from error
    keys = {"format": FORMAT, "version": VERSION}
    if not isinstance(document, dict) or sorted(document) != ["format", "layers", "name", "version"]:
        raise WeightsError(f"expected an object with format, layers, name and version, received {brief(document)}")
    for key, value in keys.items():
        if type(document[key]) is not type(value) or document[key] != value:
            raise WeightsError(f"{key}: expected {value!r}, received {brief(document[key])}")
    layers = document["layers"]
    if not isinstance(layers, list) or not 0 < len(layers) <= MAX_LAYERS:
        raise WeightsError(f"layers: expected a list of 1 to {MAX_LAYERS}, received {brief(layers)}")
    return _graph(_text(document["name"], "name"), layers)


def _graph(name: str, entries: list[Any]) -> Graph:
    try:
        graph = Graph(name, tuple(_layer(entry, f"layers[{i}]") for i, entry in enumerate(entries)))
        tensor_shapes(graph)
    except InputError as error:
        raise WeightsError(str(error)) from error
    return graph


def _layer(entry: Any, where: str) -> Layer:
    known = {"name", "kind", "arguments", "inputs", "shares"}
    if not isinstance(entry, dict) or not {"name", "kind"} <= set(entry) <= known:
        raise WeightsError(f"{where}: expected an object with some of {sorted(known)}, received {brief(entry)}")
    arguments, inputs = entry.get("arguments", {}), entry.get("inputs", [])
    if not isinstance(arguments, dict) or not is_finite(list(arguments.values())):
        raise WeightsError(f"{where}.arguments: expected an object of finite values, received {brief(arguments)}")
    if not isinstance(inputs, list):
        raise WeightsError(f"{where}.inputs: expected a list of names, received {brief(inputs)}")
    names = tuple(_text(one, f"{where}.inputs") for one in inputs)
    shares = entry.get("shares")
    owner = None if shares is None else _text(shares, f"{where}.shares")
    return Layer(_text(entry["name"], f"{where}.name"), _text(entry["kind"], f"{where}.kind"), arguments, names, owner)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable() or "/" in value:
        raise WeightsError(f"{where}: expected a text of 1 to {MAX_NAME} printable characters, received {brief(value)}")
    return value


def _document_of(layer: Layer) -> dict[str, Any]:
    defaults = KINDS[layer.kind].arguments
    arguments = {
        name: value
        for name, value in layer.arguments.items()
        if name not in defaults or value != defaults[name].default or type(value) is not type(defaults[name].default)
    }
    stated = {name: value for name, value in arguments.items() if name != "dtype" or value is not None}
    document: dict[str, Any] = {"name": layer.name, "kind": layer.kind, "inputs": list(layer.inputs)}
    if stated:
        document["arguments"] = stated
    if layer.shares:
        document["shares"] = layer.shares
    return document
