"""Weights in and out of Keras's own files, by name, without ever deserialising a config.

In: `.keras` (a zip with `model.weights.h5`), `.weights.h5` (Keras 3), legacy `.h5` (Keras 2 and ImageNet's). Only HDF5
data sets are read, after a look at what the file claims to hold. Out: a `.keras` file that plain Keras loads.
"""

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hbac.errors import WeightsError, brief
from hbac.files import write_atomically
from hbac.machine.packages import need
from hbac.network.families import ImageNetFile, backbone_graph, build, family_named, whole_graph
from hbac.network.graph import Graph, Tensors, keras_order
from hbac.network.settings import HEAD, NetworkSettings
from hbac.network.shape_inference import BN_PARTS, TensorShapes, tensor_shapes
from hbac.weights.keras_config import layer_names
from hbac.weights.tensors import LISTED, check_finite, compare_shapes, set_weights

if TYPE_CHECKING:
    import h5py

CHANGING = re.compile(  # layers that change the answer and leave nothing but their name among the weights
    r"^(tf\.|(rescaling|normalization|lambda|resizing|center_crop|average_pooling2d|global_max_pooling2d)(_\d+)?$)"
)
MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}
MAX_MEMBER_BYTES = 4 << 30
MAX_RATIO = 200  # of a zip member; weights hardly compress
MAX_OBJECTS = 20_000
PARTS = {2: ("kernel", "bias"), 4: BN_PARTS}  # by the number of variables of a layer


def import_weights(path: Path, settings: NetworkSettings, head: bool = True) -> Tensors:
    """Tensors of a Keras file by our names, checked against the network.

    Args:
        path: a `.keras`, `.weights.h5` or legacy `.h5` file of this network. Its layers may lie in a nested model.
        settings: the network that the weights are for. What a file says of it besides weights is not read; layers
            such as `Rescaling` are refused where their names show them.
        head: False for a backbone without the layer of logits, as ImageNet's "notop" file. With a head, one dense
            layer under any name is taken for `predictions`.

    Returns:
        Names to float32 arrays, as `families.shapes` has them.

    Raises:
        WeightsError: not such a file, or layers are missing, renamed, added, of another shape or in another order.
    """
    content, config = _content(path)
    imagenet = family_named(settings.family).imagenet
    if imagenet and hashlib.md5(content, usedforsecurity=False).hexdigest().startswith(imagenet.outdated_md5):
        raise _outdated(path, imagenet)
    graph = whole_graph(settings) if head else backbone_graph(settings)
    need("h5py")
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            _check_objects(path, file)
            if _is_legacy(file):
                layers = list(_legacy_layers(path, file, imagenet))
            else:
                layers = list(_layers(path, file, layer_names(config)))
                _refuse_outdated(path, (name for name, _ in layers), imagenet)
            return _by_our_names(path, layers, graph)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:  # what h5py raises for damaged files
        raise WeightsError(f"{path}: expected Keras weights in HDF5: {error}") from error


def export_keras(tensors: Tensors, settings: NetworkSettings, path: Path) -> None:
    """Write a fold as a `.keras` file: plain `keras.models.load_model(path)` gives the network with its probabilities.

    Raises:
        WeightsError: the name does not end in `.keras`, or the tensors are not those of the network.
        OutputError: the file cannot be written.
    """
    if path.suffix != ".keras":
        raise WeightsError(f"{path}: expected a name ending in .keras")
    import tempfile

    model = build(settings)
    set_weights(model, tensors)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "model.keras"
        model.save(whole)
        write_atomically(path, whole.read_bytes())


def _content(path: Path) -> tuple[bytes, bytes]:
    """The HDF5 bytes of a Keras file, whichever of the forms it has, and its config, if it has one."""
    config = b""
    try:
        if not zipfile.is_zipfile(path):
            if path.stat().st_size > MAX_MEMBER_BYTES:
                raise WeightsError(f"{path}: expected at most {MAX_MEMBER_BYTES} bytes, received more")
            content = path.read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                _check_members(path, archive.infolist())
                content, config = archive.read("model.weights.h5"), archive.read("config.json")
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{path}: expected a Keras file: {error}") from error
    return content, config


def _outdated(path: Path, imagenet: ImageNetFile) -> WeightsError:
    return WeightsError(
        f"{path}: expected the ImageNet file with layers {imagenet.example} (MD5 {imagenet.md5}), "
        f"received the older file of the same name with layers {imagenet.outdated_example}, whose network differs"
    )


def _refuse_outdated(path: Path, layers: Iterable[str], imagenet: ImageNetFile | None) -> None:
    if imagenet and any(map(imagenet.outdated_layers.search, layers)):
        raise _outdated(path, imagenet)


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if sorted(names) != sorted(MEMBERS):
        raise WeightsError(f"{path}: expected the members {sorted(MEMBERS)}, received {brief(sorted(names))}")
    for member in members:
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise WeightsError(
                f"{path}: expected {member.filename} stored or deflated, received it otherwise or encrypted"
            )
        if member.file_size > min(MAX_MEMBER_BYTES, MAX_RATIO * max(member.compress_size, 1) + 65536):
            raise WeightsError(
                f"{path}: expected {member.filename} of a plausible size, received {member.file_size} bytes"
            )


def _check_objects(path: Path, file: "h5py.File") -> None:
    """Refuse links and data sets that lead out of the file, and absurd counts, before any value is read."""
    import h5py

    def walk(group: "h5py.Group", depth: int) -> int:
        if depth > 32:
            raise WeightsError(f"{path}: expected groups at most 32 deep, received {group.name[:60]}...")
        count = 0
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise WeightsError(f"{path}: expected plain objects, received a {type(link).__name__} at {brief(name)}")
            item = group[name]
            count += 1
            if count > MAX_OBJECTS:
                raise WeightsError(f"{path}: expected at most {MAX_OBJECTS} objects, received more")
            if isinstance(item, h5py.Group):
                count += walk(item, depth + 1)
            elif not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
                raise WeightsError(f"{path}: expected arrays inside the file, received none at {brief(item.name)}")
            elif item.dtype.kind not in "fiub":  # an optimizer counts its steps in integers
                raise WeightsError(f"{path}: expected arrays of numbers, received {item.dtype} at {brief(item.name)}")
        return count

    walk(file, 0)


Layer = tuple[str, dict[str, Any]]  # a layer's name, and its h5py data sets by the name of the variable


def _is_legacy(file: "h5py.File") -> bool:
    return "layer_names" in file.attrs or "layer_names0" in file.attrs or "model_weights" in file


def _layers(path: Path, file: "h5py.File", names: dict[str, str]) -> Iterator[Layer]:
    """Layers of a Keras 3 file: groups of numbered variables, each with its layer's name, or by its place in `names`."""

    def natural(name: str) -> tuple[str, int]:  # conv2d, conv2d_1 ... conv2d_10
        stem, _, number = name.rpartition("_")
        return (stem, int(number)) if number.isdigit() and stem else (name, 0)

    def walk(group: "h5py.Group") -> Iterator[Layer]:
        import h5py

        for name in sorted(group, key=natural):
            item = group[name]
            _refuse_changing(path, name)
            if name == "vars" and isinstance(item, h5py.Group) and len(item):
                stated = item.attrs.get("name", names.get(group.name))
                if stated is None:
                    raise WeightsError(
                        f"{path}: expected the layer's name at {item.name}, found none; save the whole model as .keras, "
                        "or its weights with a newer Keras"
                    )
                yield _text(stated), _numbered(path, item)
            elif isinstance(item, h5py.Group) and name not in ("optimizer", "seed_generator", "vars"):
                yield from walk(item)

    yield from walk(file)


def _numbered(path: Path, group: "h5py.Group") -> dict[str, Any]:
    names = PARTS.get(len(group))
    if names is None or set(group) != {str(i) for i in range(len(group))}:
        raise WeightsError(f"{path}: expected 2 or 4 numbered variables at {group.name}, received {sorted(group)[:6]}")
    return {name: group[str(i)] for i, name in enumerate(names)}


def _legacy_layers(path: Path, file: "h5py.File", imagenet: ImageNetFile | None) -> Iterator[Layer]:
    """Layers of a Keras 2 file: attributes `layer_names` and, for each, `weight_names` such as conv1_conv/kernel:0."""
    root = file.get("model_weights", file)
    for layer in _names(root, "layer_names"):
        _refuse_changing(path, layer)
        group = root[layer]
        variables: dict[str, dict[str, Any]] = {}
        for stated in _names(group, "weight_names"):
            *_, owner, variable = ["", *stated.split("/")]
            parts = variables.setdefault(owner, {})
            if variable.split(":")[0] in parts:
                raise WeightsError(
                    f"{path}: expected each tensor once, received {brief(stated)} twice in {brief(layer)}"
                )
            parts[variable.split(":")[0]] = group[stated]
        _refuse_outdated(path, variables, imagenet)
        nested = len(variables) > 1  # a model in the model: its group holds the variables of all its layers
        for owner, parts in variables.items():
            if not nested and owner != layer:
                raise WeightsError(
                    f"{path}: expected variables of layer {brief(layer)}, received those of {brief(owner)}"
                )
            yield owner, parts


def _names(group: "h5py.Group", attribute: str) -> list[str]:
    """A list of names that Keras stores as one attribute or, where it is long, as several numbered ones."""
    if attribute in group.attrs:
        return [_text(name) for name in group.attrs[attribute]]
    chunks = [f"{attribute}{i}" for i in range(len(group.attrs)) if f"{attribute}{i}" in group.attrs]
    return [_text(name) for chunk in chunks for name in group.attrs[chunk]]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _refuse_changing(path: Path, name: str) -> None:
    if CHANGING.match(name):
        raise WeightsError(
            f"{path}: expected nothing in the model beside the network and its head, received a layer {brief(name)}, "
            "whose effect would be lost"
        )


def _by_our_names(path: Path, layers: list[Layer], graph: Graph) -> Tensors:
    expected = tensor_shapes(graph)
    if HEAD in graph.by_name:
        layers = _name_the_head(layers, expected)
    names = [name for name, _ in layers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise WeightsError(f"{path}: expected each layer once, received twice: {brief(twice)}")
    arrays = {f"{name}/{variable}": data for name, parts in layers for variable, data in parts.items()}
    for name, data in arrays.items():
        if getattr(data, "shape", None) is None or data.dtype.kind != "f":
            raise WeightsError(f"{path}: expected an array of floats at {brief(name)}, received {brief(data)}")
    compare_shapes(path, expected, {name: data.shape for name, data in arrays.items()})
    _check_order(path, names, graph)
    with np.errstate(over="ignore"):  # of float64; what became infinite is named below
        tensors = {name: np.asarray(arrays[name][()], np.float32) for name in expected}
    check_finite(path, tensors)
    return tensors


def _name_the_head(layers: list[Layer], expected: TensorShapes) -> list[Layer]:
    """The one dense layer of the head's shape is `predictions`, whatever its name."""
    ours = {name.rsplit("/", 1)[0] for name in expected}
    heads = [
        i
        for i, (name, parts) in enumerate(layers)
        if name not in ours and getattr(parts.get("kernel"), "shape", None) == expected[f"{HEAD}/kernel"]
    ]
    if len(heads) != 1 or any(name == HEAD for name, _ in layers):
        return layers
    return [(HEAD, parts) if i == heads[0] else (name, parts) for i, (name, parts) in enumerate(layers)]


def _check_order(path: Path, received: list[str], graph: Graph) -> None:
    """Layers that share a shape must come in the network's order: names that changed places are a wrong file.

    Layers of one kind keep one order in all versions of Keras, whatever stands between them.
    """
    order = keras_order(graph)
    for kind in dict.fromkeys(graph.by_name[name].kind for name in received):
        ours, theirs = ([name for name in names if graph.by_name[name].kind == kind] for names in (order, received))
        moved = [f"{a} (found {b})" for a, b in zip(ours, theirs) if a != b]
        if moved:
            raise WeightsError(f"{path}: expected layers in the network's order, others stand at {moved[:LISTED]}")
