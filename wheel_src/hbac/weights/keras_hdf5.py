"""Layers in the HDF5 of Keras files: what is looked at before any value is read, and which arrays each layer has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbac.errors import WeightsError, brief
from hbac.network.shape_inference import BN_PARTS

if TYPE_CHECKING:
    import h5py


@dataclass(frozen=True)
class Place:
    """Where tensors of a layer lie in a file of Keras 3, and which they are."""

    layer: str  # its name, behind those of the models it lies in
    parts: tuple[str, ...]  # names of its tensors that lie here, in their order
    is_inner: bool = False  # whether it is the place of a cell within the layer, which has a name of its own
    counts: bool = False  # whether a number of records seen lies behind them


MAX_OBJECTS = 20_000
PARTS = {1: ("kernel",), 2: ("kernel", "bias"), 4: BN_PARTS}  # by the number of variables of a layer
NO_LAYERS = ("optimizer", "metrics", "seed_generator", "vars")


def check_objects(path: Path, file: "h5py.File") -> None:
    """Refuse links and data sets that lead out of the file, and absurd counts, before any value is read.

    Raises:
        WeightsError: such an object.
    """
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


Layer = tuple[
    str, dict[str, Any]
]  # a layer's name, and its h5py data sets by the name of the variable; none if it has none


def is_legacy(file: "h5py.File") -> bool:
    """Whether a file has the form of Keras 2, which Keras 3 still writes."""
    return "layer_names" in file.attrs or "layer_names0" in file.attrs or "model_weights" in file


def numbered_layers(path: Path, file: "h5py.File", names: Mapping[str, Place]) -> Iterator[Layer]:
    """Layers of a Keras 3 file, groups of numbered variables.

    Args:
        path: for errors.
        file: the weights.
        names: a group such as /layers/conv2d_3 to its layer and that layer's tensors, as the config of a whole file
            has it. Where there is no config, the group says the name, and the number of variables which they are. A
            layer without variables has its group's name. A layer with cells comes once for each.

    Raises:
        WeightsError: a layer without a name, or another one than the config's, or another number of variables.
    """
    import h5py

    def walk(group: "h5py.Group", in_layers: bool) -> Iterator[Layer]:
        for name in sorted(group, key=_natural):
            item = group[name]
            if not isinstance(item, h5py.Group) or name in NO_LAYERS:
                continue
            variables = item.get("vars")
            if isinstance(variables, h5py.Group) and len(variables):
                yield _name(path, item, names), _numbered(path, variables, names.get(item.name))
            elif in_layers:
                yield name, {}
            yield from walk(item, name == "layers")

    yield from walk(file, False)


def _natural(name: str) -> tuple[str, int]:
    """Sorts conv2d, conv2d_1 ... conv2d_10."""
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdigit() and stem else (name, 0)


def _name(path: Path, group: "h5py.Group", names: "Mapping[str, Place]") -> str:
    stated, place = group["vars"].attrs.get("name"), names.get(group.name)
    if names and place is None:
        raise WeightsError(
            f"{path}: expected variables of the layers of the file's config, received some at {group.name}"
        )
    known = place.layer if place else None
    if stated is None and known is None:
        raise WeightsError(
            f"{path}: expected the layer's name at {group.name}/vars, found none; save the whole model as .keras, "
            "or its weights with a newer Keras"
        )
    if stated is not None and place and known and not place.is_inner and text(stated) != known.rsplit("/")[-1]:
        raise WeightsError(
            f"{path}: expected layer {brief(known)} at {group.name}, as the file's config has it, "
            f"received {brief(text(stated))}"
        )
    return known or text(stated)


def _numbered(path: Path, group: "h5py.Group", place: "Place | None") -> dict[str, Any]:
    names = PARTS.get(len(group)) if place is None else place.parts
    count = len(names) if names else 0
    counted = place is not None and place.counts and len(group) == count + 1  # the last is how much it has seen
    if names is None or set(group) != {str(i) for i in range(count + counted)}:
        expected = "1, 2 or 4" if place is None else str(count)
        raise WeightsError(
            f"{path}: expected {expected} numbered variables at {group.name}, received {sorted(group)[:6]}"
        )
    return {name: group[str(i)] for i, name in enumerate(names)}


def legacy_layers(path: Path, file: "h5py.File") -> Iterator[Layer]:
    """Layers of a Keras 2 file: attributes `layer_names` and, for each, `weight_names` such as conv1_conv/kernel:0.

    Raises:
        WeightsError: a tensor that comes twice or stands at another layer than its own.
    """
    root = file.get("model_weights", file)
    for layer in _names(root, "layer_names"):
        variables = _variables(path, root[layer], layer)
        nested = len(variables) > 1  # a model in the model: its group holds the variables of all its layers
        for owner, parts in variables.items():
            if not nested and owner != layer:
                raise WeightsError(
                    f"{path}: expected variables of layer {brief(layer)}, received those of {brief(owner)}"
                )
            yield owner, parts
        if not variables:
            yield layer, {}


def _variables(path: Path, group: "h5py.Group", layer: str) -> dict[str, dict[str, Any]]:
    variables: dict[str, dict[str, Any]] = {}
    for stated in _names(group, "weight_names"):
        *_, owner, variable = ["", *stated.split("/")]
        owner = (
            layer if stated.rpartition("/")[0] == layer else owner
        )  # a name with a slash, as Keras 2 took: conv1/conv
        parts = variables.setdefault(owner, {})
        if variable.split(":")[0] in parts:
            raise WeightsError(f"{path}: expected each tensor once, received {brief(stated)} twice in {brief(layer)}")
        parts[variable.split(":")[0]] = group[stated]
    return variables


def legacy_names(file: "h5py.File") -> Iterator[str]:
    """All names that a Keras 2 file states: of its layers, and of those that its variables belong to."""
    root = file.get("model_weights", file)
    for layer in _names(root, "layer_names"):
        yield layer
        for stated in _names(root[layer], "weight_names"):
            yield from stated.split("/")[-2:-1]


def _names(group: "h5py.Group", attribute: str) -> list[str]:
    """A list of names that Keras stores as one attribute or, where it is long, as several numbered ones."""
    if attribute in group.attrs:
        return [text(name) for name in group.attrs[attribute]]
    chunks = [f"{attribute}{i}" for i in range(len(group.attrs)) if f"{attribute}{i}" in group.attrs]
    return [text(name) for chunk in chunks for name in group.attrs[chunk]]


def text(value: Any) -> str:
    """A text of an attribute, whichever way it is stored."""
    return value.decode() if isinstance(value, bytes) else str(value)
