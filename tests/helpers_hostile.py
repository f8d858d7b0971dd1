"""Broken checkpoints, broken manifests and payloads: what a stranger's folder may hold, by a seeded generator."""

import copy
import hashlib
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from conftest import ROOT
from helpers_folds import random_tensors

from hbac.ensemble.calibrated import Ensemble
from hbac.network.graph import Tensors
from hbac.network.settings import NetworkSettings
from hbac.network.tensorflow_engine import Array
from hbac.weights.manifest import MANIFEST_NAME, read_manifest
from hbac.weights.tensors import write_safetensors

WIDTH = 4
Rng = np.random.Generator


class Spy:
    """An engine that only counts what reaches it."""

    batch_size, streams, exact, description = 1, 1, True, "a spy"

    def __init__(self) -> None:
        self.seen = 0

    def load(self, folds: Any) -> None:
        self.seen += len(list(folds))

    def logits(self, fold: int, images: Array) -> Array:
        raise AssertionError("the spy was asked for an answer")


def spy_on(manifest: Path) -> Spy:
    """Load a manifest and its folds as a run does; raises what that raises, with `spy` as an attribute of the error."""
    spy = Spy()
    try:
        Ensemble(read_manifest(manifest), spy)
    except Exception as error:
        error.spy = spy  # type: ignore[attr-defined]
        raise
    return spy


# ---- folders with one fold


def write_fold(folder: Path, suffix: str = ".safetensors", whole: Path | None = None) -> Path:
    """A folder with one good fold of width 4 and a manifest that states it; its golden answer is not that of the fold.

    Args:
        folder: made here.
        suffix: of the fold's file.
        whole: a fold to copy instead of random tensors.
    """
    folder.mkdir(parents=True)
    path = folder / f"fold{suffix}"
    if whole is None:
        write_safetensors(path, random_tensors(NetworkSettings(width=WIDTH), 0))
    else:
        path.write_bytes(whole.read_bytes())
    document = json.loads((ROOT / MANIFEST_NAME).read_text())
    document["network"]["width"] = WIDTH
    document["folds"] = [{**document["folds"][0], "file": path.name}]
    (folder / MANIFEST_NAME).write_text(json.dumps(document))
    restate(folder)
    return path


def restate(folder: Path) -> None:
    """Let the manifest state size and digest of the file as it is now: its author is the one who broke it."""
    path = folder / MANIFEST_NAME
    document = json.loads(path.read_text())
    for fold in document["folds"]:
        if (folder / fold["file"]).is_file():
            content = (folder / fold["file"]).read_bytes()
            fold.update(bytes=max(1, len(content)), sha256=hashlib.sha256(content).hexdigest())
    path.write_text(json.dumps(document))


# ---- broken safetensors files: each changes the file of a fold


def _header(change: Callable[[dict, Rng], Any]) -> Callable[[Path, Rng], None]:
    """Change the table of a safetensors file; what `change` returns, if anything, stands in its place."""

    def apply(path: Path, rng: Rng) -> None:
        content = path.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        table = json.loads(content[8 : 8 + length])
        text = json.dumps(change(table, rng) or table).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])

    return apply


def _tensors(change: Callable[[Tensors, Rng], None]) -> Callable[[Path, Rng], None]:
    """Change the tensors of a safetensors file, whatever a checked writer would say."""

    def apply(path: Path, rng: Rng) -> None:
        import safetensors.numpy

        tensors = safetensors.numpy.load_file(path)
        change(tensors, rng)
        path.write_bytes(safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in tensors.items()}))

    return apply


def _any(names: Any, rng: Rng) -> str:
    return sorted(names)[rng.integers(len(names))]


def _poison(value: float) -> Callable[[Tensors, Rng], None]:
    def change(tensors: Tensors, rng: Rng) -> None:
        tensor = tensors[_any(tensors, rng)]
        tensor.flat[rng.integers(tensor.size)] = value

    return change


def _negative(tensors: Tensors, rng: Rng) -> None:
    tensors[_any([n for n in tensors if n.endswith("moving_variance")], rng)][0] = -1


def _as(dtype: str) -> Callable[[Tensors, Rng], None]:
    def change(tensors: Tensors, rng: Rng) -> None:
        name = _any(tensors, rng)
        tensors[name] = tensors[name].astype(dtype)

    return change


def _rename(tensors: Tensors, rng: Rng) -> None:
    name = _any(tensors, rng)
    tensors[name + "x"] = tensors.pop(name)


def _reshape(tensors: Tensors, rng: Rng) -> None:
    name = _any([n for n, x in tensors.items() if x.ndim == 4], rng)
    tensors[name] = tensors[name].reshape(-1)


def _of_another_width(path: Path, rng: Rng) -> None:
    write_safetensors(path, random_tensors(NetworkSettings(width=int(rng.choice([2, 3, 5, 6]))), 0))


def _edit(key: str, value: Callable[[Any, Rng], Any]) -> Callable[[dict, Rng], None]:
    def change(table: dict, rng: Rng) -> None:
        entry = table[_any([name for name in table if name != "__metadata__"], rng)]
        entry[key] = value(entry.get(key), rng)

    return change


def _length(path: Path, rng: Rng) -> None:
    content = path.read_bytes()
    path.write_bytes(
        struct.pack("<Q", int(rng.choice([0, 1, 1 << 21, 1 << 40, 2**64 - 1], 1)[0] % 2**64)) + content[8:]
    )


def _content(make: Callable[[Rng], bytes]) -> Callable[[Path, Rng], None]:
    return lambda path, rng: _put(path, make(rng))


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _cut(path: Path, rng: Rng) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(0, len(content))])


def _flip(path: Path, rng: Rng) -> None:
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def _link_out(path: Path, rng: Rng) -> None:
    outside = path.parent.parent / f"outside{path.name}"
    outside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(outside)


def _make_folder(path: Path, rng: Rng) -> None:
    path.unlink()
    path.mkdir()


STALE: dict[str, Callable[[Path, Rng], None]] = {"one bit": _flip, "truncated": _cut}  # the manifest is not restated
BROKEN: dict[str, Callable[[Path, Rng], None]] = {
    "truncated, restated": _cut,
    "bytes appended": lambda path, rng: _put(path, path.read_bytes() + bytes(int(rng.integers(1, 99)))),
    "length of the header": _length,
    "header no JSON": _content(lambda rng: struct.pack("<Q", 90) + b"{" * 90 + rng.bytes(99)),
    "header nested": _content(lambda rng: struct.pack("<Q", 200_000) + b"[" * 200_000 + rng.bytes(9)),
    "header a list": _header(lambda table, rng: list(table)),
    "offsets": _header(
        _edit("data_offsets", lambda old, rng: [int(rng.integers(0, 99)), 2 ** int(rng.integers(9, 63))])
    ),
    "offsets overlap": _header(_edit("data_offsets", lambda old, rng: [0, old[1] - old[0]])),
    "dtype unknown": _header(_edit("dtype", lambda old, rng: str(rng.choice(["F8", "BF16", "object", "", "F128"])))),
    "dtype no text": _header(_edit("dtype", lambda old, rng: [1])),
    "shape huge": _header(_edit("shape", lambda old, rng: [2**62, 2**62])),
    "shape negative": _header(_edit("shape", lambda old, rng: [-1, *old])),
    "shape no list": _header(_edit("shape", lambda old, rng: {"0": 1})),
    "tensor missing": _tensors(lambda tensors, rng: tensors.__delitem__(_any(tensors, rng))),
    "tensor added": _tensors(lambda tensors, rng: tensors.update(extra=np.zeros(3, np.float32))),
    "tensor renamed": _tensors(_rename),
    "tensor reshaped": _tensors(_reshape),
    "NaN": _tensors(_poison(np.nan)),
    "infinite": _tensors(_poison(-np.inf)),
    "negative variance": _tensors(_negative),
    "float64": _tensors(_as("f8")),
    "integers": _tensors(_as("i4")),
    "another width": _of_another_width,
    "empty": _content(lambda rng: b""),
    "random bytes": _content(lambda rng: rng.bytes(int(rng.integers(1, 9999)))),
    "a pickle": _content(lambda rng: pickle.dumps({"conv1_conv/kernel": rng.normal(size=9)})),
    "a zip": _content(lambda rng: zip_of({"data.pkl": pickle.dumps(1), "version": b"3"})),
    "a link out": _link_out,
    "a folder": _make_folder,
}


# ---- broken Keras files


def zip_of(members: dict[str, bytes]) -> bytes:
    """A zip of these members, stored."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _members(change: Callable[[dict[str, bytes], Rng], None]) -> Callable[[Path, Rng], None]:
    def apply(path: Path, rng: Rng) -> None:
        members = members_of(path)
        change(members, rng)
        path.write_bytes(zip_of(members))

    return apply


def _h5(change: Callable[[h5py.File, Rng], None]) -> Callable[[Path, Rng], None]:
    """Change the HDF5 file inside a `.keras` file."""

    def edit(members: dict[str, bytes], rng: Rng) -> None:
        content = io.BytesIO(members["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            change(file, rng)
        members["model.weights.h5"] = content.getvalue()

    return _members(edit)


def _datasets(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return [name for name in names if "optimizer" not in name]


def _h5_put(make: Callable[[Array, Rng], Array]) -> Callable[[h5py.File, Rng], None]:
    def change(file: h5py.File, rng: Rng) -> None:
        name = _any(_datasets(file), rng)
        value = make(file[name][()], rng)
        del file[name]
        file[name] = value

    return change


def _h5_link(link: Any) -> Callable[[h5py.File, Rng], None]:
    def change(file: h5py.File, rng: Rng) -> None:
        name = _any(_datasets(file), rng)
        del file[name]
        file[name] = link

    return change


def _h5_external(file: h5py.File, rng: Rng) -> None:
    name = _any(_datasets(file), rng)
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def _h5_name(file: h5py.File, rng: Rng) -> None:
    name = _any({name.rsplit("/", 1)[0] for name in _datasets(file)}, rng)
    file[name].attrs["name"] = "another_name"


KERAS: dict[str, Callable[[Path, Rng], None]] = {
    "zip truncated": _cut,
    "member added": _members(lambda m, rng: m.update({"evil.py": b"x"})),
    "member missing": _members(lambda m, rng: m.__delitem__("metadata.json")),
    "member outside": _members(lambda m, rng: m.update({"../../evil": b"x"})),
    "weights a pickle": _members(lambda m, rng: m.update({"model.weights.h5": pickle.dumps([1])})),
    "weights truncated": _members(
        lambda m, rng: m.update({"model.weights.h5": m["model.weights.h5"][: rng.integers(9, 9999)]})
    ),  # fmt: skip
    "bomb": lambda path, rng: _bomb(path),
    "external link": _h5(_h5_link(h5py.ExternalLink("/etc/hostname", "/x"))),
    "soft link": _h5(_h5_link(h5py.SoftLink("/layers"))),
    "external storage": _h5(_h5_external),
    "text for numbers": _h5(_h5_put(lambda x, rng: np.bytes_(b"text"))),
    "NaN inside": _h5(_h5_put(lambda x, rng: np.full_like(x, np.nan))),
    "reshaped inside": _h5(_h5_put(lambda x, rng: x[..., None])),
    "layer missing": _h5(lambda file, rng: file.__delitem__(_any(_datasets(file), rng))),
    "layer renamed": _h5(_h5_name),
}


def _bomb(path: Path) -> None:
    members = members_of(path)
    members["config.json"] = bytes(100 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


# ---- broken manifests: each takes the parsed manifest and gives the text of a broken one


def _set(*keys: Any) -> Callable[..., Callable[[dict, Rng], str]]:
    """Put one of some values at a place of the document."""

    def values(*options: Any) -> Callable[[dict, Rng], str]:
        def change(document: dict, rng: Rng) -> str:
            place: Any = document
            for key in keys[:-1]:
                place = place[key]
            place[keys[-1]] = options[rng.integers(len(options))]
            return json.dumps(document)

        return change

    return values


def _drop(document: dict, rng: Rng) -> str:
    place = [document, document["folds"][0], document["network"], document["preprocessing"]][rng.integers(4)]
    del place[_any(place, rng)]
    return json.dumps(document)


def _wrong_type(document: dict, rng: Rng) -> str:
    place = [document, document["folds"][0], document["network"], document["preprocessing"]][rng.integers(4)]
    name = _any(place, rng)
    place[name] = [None, True, "", [[]], {"a": 1}][rng.integers(4 if isinstance(place[name], dict) else 5)]
    return json.dumps(document)


def _same_key_twice(document: dict, rng: Rng) -> str:
    return json.dumps(document)[:-1] + f', "{_any(document, rng)}": 1}}'


BIG = 10**400
MANIFESTS: dict[str, Callable[[dict, Rng], str]] = {
    "key missing": _drop,
    "wrong type": _wrong_type,
    "key twice": _same_key_twice,
    "unknown key": lambda d, rng: json.dumps({**d, str(rng.choice(["pickle", "__class__", "custom_objects", ""])): 1}),
    "path": _set("folds", 0, "file")(
        "/etc/fold.safetensors", "../fold.safetensors", "a/../../fold.safetensors", "a\\fold.safetensors",
        "fold.safetensors\0", "C:fold.safetensors", "a/b/fold.safetensors", "./fold.safetensors", "fold.pkl",
        "~/../fold.safetensors", "fold.safetensors\n", "x" * 5000 + ".safetensors", "\ud800.safetensors", ".safetensors/",
    ),
    "numbers": _set("folds", 0, "weight")(float("nan"), float("inf"), -1, 0, 1e300, BIG, "1", None, True),
    "temperature": _set("temperature")(float("nan"), float("-inf"), 0, -1, BIG, 1e-300, [1]),
    "size": _set("folds", 0, "bytes")(0, -1, 1.5, 2**63, BIG, True, "9"),
    "width": _set("network", "width")(0, -4, 10**9, 4.0, BIG, "4", None),
    "digest": _set("folds", 0, "sha256")("", "0" * 63, "G" * 64, "A" * 64, 0, None, ["0" * 64]),
    "prior": _set("class_prior")([], [1] * 6, [float("nan")] * 6, [1, 0, 0, 0, 0], [2, -1, 0, 0, 0, 0], "x"),
    "training prior": _set("training_prior")([], [1, 0, 0, 0, 0, 0], [float("nan")] * 6, [2, -1, 0, 0, 0, 0], "x", None),
    "classes": _set("classes")([], ["other_vote"] * 6, "x", None),
    "schema": _set("schema")(0, 3, "1", True, None, 1.5),
    "preprocessing": _set("preprocessing", "digest")("", "0" * 64, None),
    "golden image": _set("golden_image")([], [[[float("nan")]]], {}, "x", [[[BIG]]]),
    "folds": _set("folds")([], {}, None, "x", [None], [[]]),
    "fold twice": lambda d, rng: json.dumps({**d, "folds": d["folds"] * int(rng.integers(2, 5))}),
    "too many folds": lambda d, rng: json.dumps({**d, "folds": d["folds"] * 65}),
    "deep": lambda d, rng: json.dumps(d)[:-1] + ', "x": ' + "[" * 10**5 + "]" * 10**5 + "}",
    "training": _set("training")({"a": float("nan")}, {"a": [1, {"b": float("inf")}]}, [], None),
    "truncated": lambda d, rng: json.dumps(d)[: rng.integers(0, 900)],
    "too large": lambda d, rng: json.dumps(d) + " " * (5 << 20),
    "no JSON": lambda d, rng: ["", "null", "[]", "1" * 5000, "\x00", "{'a': 1}", "!!python/object:os.system"][rng.integers(7)],
}  # fmt: skip


def broken_manifest(kind: str, document: dict, rng: Rng) -> bytes:
    """The bytes of a broken manifest."""
    return MANIFESTS[kind](copy.deepcopy(document), rng).encode("utf-8", "surrogatepass")
