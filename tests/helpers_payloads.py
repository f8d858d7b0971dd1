"""Files that would write a canary if any code in them ran, and what the package says to each."""

import base64
import io
import json
import marshal
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from helpers_hostile import MANIFEST_NAME, restate, spy_on, write_fold, zip_of
from helpers_signals import eeg_columns

from hbac.errors import HbacError
from hbac.inference.journal import Journal
from hbac.inference.run import RunSettings
from hbac.network.settings import NetworkSettings
from hbac.records.parquet import read_eeg
from hbac.records.tables import read_test_table
from hbac.weights.keras_files import import_weights


class Armed:
    """Unpickled, it writes the canary."""

    def __init__(self, canary: Path):
        self._canary = canary

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return os.system, (f"touch '{self._canary}'",)


def armed_pickle(canary: Path) -> bytes:
    return pickle.dumps(Armed(canary))


def lambda_config(canary: Path) -> str:
    """The config of a model with a Lambda layer, as Keras 2 and 3 state its code."""
    code = base64.b64encode(marshal.dumps(compile(f"open({str(canary)!r}, 'w')", "x", "exec"))).decode()
    function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": function}}
    custom = {"module": "os", "class_name": "system", "registered_name": "system", "config": {"command": f"touch {canary}"}}  # fmt: skip
    return json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": [layer, custom]}})


def _fold(name: str, make: Callable[[Path], bytes]) -> Callable[[Path], None]:
    """A manifest that states a fold of this name and content, loaded as a run loads it, and imported."""

    def run(folder: Path) -> None:
        write_fold(folder / "fold")
        path, manifest = folder / "fold" / name, folder / "fold" / MANIFEST_NAME
        path.write_bytes(make(folder / "canary"))
        document = json.loads(manifest.read_text())
        document["folds"][0]["file"] = name
        manifest.write_text(json.dumps(document))
        restate(folder / "fold")
        try:
            import_weights(path, NetworkSettings(width=4))
        except HbacError:
            spy_on(manifest)

    return run


def _h5(write: Callable[[h5py.File, Path], None]) -> Callable[[Path], bytes]:
    def make(canary: Path) -> bytes:
        out = io.BytesIO()
        with h5py.File(out, "w") as file:
            write(file, canary)
        return out.getvalue()

    return make


def _keras(**members: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    def make(canary: Path) -> bytes:
        whole = {"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": _h5(lambda f, c: None)(canary)}
        return zip_of(whole | {name.replace("__", "."): part(canary) for name, part in members.items()})

    return make


def _legacy(file: h5py.File, canary: Path) -> None:
    file.attrs["model_config"] = file.attrs["training_config"] = lambda_config(canary)
    file.attrs["layer_names"] = [b"l"]
    file.create_group("l").attrs["weight_names"] = np.array([], "S1")


def _opaque(file: h5py.File, canary: Path) -> None:
    file["layers/x/vars/0"] = np.void(armed_pickle(canary))


def _filter(file: h5py.File, canary: Path) -> None:
    """A data set whose filter HDF5 would load from a library of its plug-in path."""
    space, kind = h5py.h5s.create_simple((9,)), h5py.h5t.NATIVE_FLOAT
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((9,))
    settings.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, ())
    h5py.h5d.create(file.create_group("layers/x/vars").id, b"0", kind, space, settings)


def _npy(canary: Path) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([Armed(canary)], object), allow_pickle=True)
    return out.getvalue()


def _npz(canary: Path) -> bytes:
    out = io.BytesIO()
    np.savez(out, a=np.array([Armed(canary)], object))
    return out.getvalue()


def _torch(canary: Path) -> bytes:
    return zip_of({"archive/data.pkl": armed_pickle(canary), "archive/version": b"3\n"})


def _slip(canary: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../canary", b"x")
        archive.writestr(str(canary), b"x")
    return out.getvalue()


def _metadata(canary: Path) -> bytes:
    header = json.dumps({"__metadata__": {"format": f"__import__('os').system('touch {canary}')"}}).encode()
    return len(header).to_bytes(8, "little") + header


def _manifest(make: Callable[[Path], bytes]) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        (folder / MANIFEST_NAME).write_bytes(make(folder / "canary"))
        spy_on(folder / MANIFEST_NAME)

    return run


def _shell_name(folder: Path) -> None:
    name = f"$(cd {folder.name}; touch canary);`touch canary`.safetensors".replace("/", "")
    _fold(name, armed_pickle)(folder)


def _extension_type(folder: Path) -> None:
    """CVE-2023-47248: pyarrow before 14.0.1 unpickled the type of a column."""
    schema = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": armed_pickle(folder / "canary")}  # fmt: skip
    columns = eeg_columns()
    fields = [pa.field(name, pa.float32(), metadata=schema) for name in columns]
    pq.write_table(pa.table(list(columns.values()), schema=pa.schema(fields)), folder / "x.parquet")
    read_eeg(folder / "x.parquet")


def _pandas_metadata(folder: Path) -> None:
    table = pa.table(eeg_columns()).replace_schema_metadata({b"pandas": armed_pickle(folder / "canary")})
    pq.write_table(table, folder / "x.parquet")
    read_eeg(folder / "x.parquet")


def _pickled_table(folder: Path) -> None:
    (folder / "test.csv").write_bytes(armed_pickle(folder / "canary"))
    read_test_table(folder)


def _pickled_journal(folder: Path) -> None:
    path = RunSettings(folder, folder, folder / "submission.csv").output.with_name("journal")
    path.write_bytes(armed_pickle(folder / "canary"))
    with Journal(path, resume=True) as journal:
        journal.begin({})


YAML = "!!python/object/apply:os.system ['touch {0}']\n"
PAYLOADS: dict[str, Callable[[Path], None]] = {
    "pickle as .safetensors": _fold("fold.safetensors", armed_pickle),
    "PyTorch zip as .safetensors": _fold("fold.safetensors", _torch),
    "PyTorch zip as .keras": _fold("fold.keras", _torch),
    "object array (.npy) as .safetensors": _fold("fold.safetensors", _npy),
    "object arrays (.npz) as .keras": _fold("fold.keras", _npz),
    "code in safetensors' metadata": _fold("fold.safetensors", _metadata),
    "Lambda in .keras config": _fold("fold.keras", _keras(config__json=lambda c: lambda_config(c).encode())),
    "Lambda in .keras metadata": _fold("fold.keras", _keras(metadata__json=lambda c: lambda_config(c).encode())),
    "pickle as .keras config": _fold("fold.keras", _keras(config__json=armed_pickle)),
    "module beside the .keras members": _fold("fold.keras", _keras(init__py=lambda c: f"open('{c}', 'w')".encode())),
    "zip that climbs out": _fold("fold.keras", _slip),
    "Lambda in attributes of .weights.h5": _fold("fold.weights.h5", _h5(_legacy)),
    "pickle in an opaque HDF5 data set": _fold("fold.weights.h5", _h5(_opaque)),
    "HDF5 filter to be loaded": _fold("fold.weights.h5", _h5(_filter)),
    "YAML as manifest": _manifest(lambda canary: YAML.format(canary).encode()),
    "pickle as manifest": _manifest(armed_pickle),
    "shell in a fold's name": _shell_name,
    "pickled column type in parquet": _extension_type,
    "pickle as parquet metadata": _pandas_metadata,
    "pickle as test.csv": _pickled_table,
    "pickle as journal": _pickled_journal,
}


def run_payload(name: str, folder: Path) -> str:
    """Give a payload to the package; what it said."""
    try:
        PAYLOADS[name](folder)
    except HbacError as error:
        return f"refused: {error}"
    return "read as data"
