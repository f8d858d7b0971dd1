"""Keras files made to harm: refused with a reason, nothing in them executed, memory bounded."""

import copy
import io
import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import package_folder

from hbac.errors import WeightsError
from hbac.weights.keras_import import import_model

SIZES = {"conv2d": (3, 3, 3, 4), "dense": (4, 6)}


def layer(kind, name, before=None, module="keras.layers", **config):
    nodes = []
    if before:
        tensors = [
            {
                "class_name": "__keras_tensor__",
                "config": {"shape": None, "dtype": "float32", "keras_history": [one, 0, 0]},
            }
            for one in ([before] if isinstance(before, str) else before)
        ]
        nodes = [{"args": tensors if len(tensors) == 1 else [tensors], "kwargs": {}}]
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": name, **config},
        "registered_name": None,
        "name": name,
        "inbound_nodes": nodes,
    }


def conv(name="conv2d", before="image", **more):
    plain = {
        "filters": 4,
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "padding": "same",
        "dilation_rate": [1, 1],
        "groups": 1,
        "activation": "relu",
        "use_bias": True,
    }
    return layer("Conv2D", name, before, **{**plain, **more})


def model(*between, last="pool", shape=(16, 16, 3), **config):
    """image, conv2d, whatever comes between, pool, dense."""
    before = between[-1]["config"]["name"] if between else "conv2d"
    layers = [
        layer("InputLayer", "image", batch_shape=[None, *shape], dtype="float32"),
        conv(),
        *between,
        layer("GlobalAveragePooling2D", "pool", before, keepdims=False),
        layer("Dense", "dense", last, units=6, activation="softmax", use_bias=True),
    ]
    ends = {"input_layers": ["image", 0, 0], "output_layers": ["dense", 0, 0]}
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "registered_name": "Functional",
        "config": {"name": "functional", "trainable": True, "layers": layers, **ends, **config},
    }


def weights(change=lambda file: None, **shapes):
    buffer = io.BytesIO()
    rng = np.random.default_rng(0)
    with h5py.File(buffer, "w") as file:
        for name, shape in {**SIZES, **shapes}.items():
            group = file.create_group(f"layers/{name}/vars")
            group["0"] = rng.normal(size=shape).astype(np.float32)
            group["1"] = np.zeros(shape[-1], np.float32)
        change(file)
    return buffer.getvalue()


def write(path, config, content=None, members=None, **more):
    text = config if isinstance(config, str | bytes) else json.dumps(config)
    parts = {
        "config.json": text,
        "metadata.json": '{"keras_version": "3.13.2"}',
        "model.weights.h5": content or weights(),
    }
    with zipfile.ZipFile(path, "w", **more) as archive:
        for name, value in (members or parts).items():
            archive.writestr(name, value)
    return path


def edited(change, *between, **config):
    whole = model(*between, **config)
    change(whole["config"]["layers"])
    return whole


def at(name):
    def find(layers):
        return next(one for one in layers if one["config"]["name"] == name)

    return find


def setting(layer_name, **config):
    return lambda layers: at(layer_name)(layers)["config"].update(config)


def entry(name, **keys):
    return lambda layers: at(name)(layers).update(keys)


CANARY = "import pathlib; pathlib.Path('canary').touch()"
LAMBDA = {"class_name": "__lambda__", "config": {"value": "4wEAAAA=", "defaults": None, "closure": None}}
ELLIPSIS = {"class_name": "__ellipsis__", "config": {}}
SLICE = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
DEEP = "[" * 100_000 + "]" * 100_000


def nested(depth):
    whole = model()
    for number in range(depth):
        inner = {**whole, "name": f"m{number}", "inbound_nodes": layer("x", "x", "image")["inbound_nodes"]}
        inner["config"] = {**whole["config"], "name": f"m{number}"}
        image = layer("InputLayer", "image", batch_shape=[None, 16, 16, 3], dtype="float32")
        ends = {"input_layers": ["image", 0, 0], "output_layers": [f"m{number}", 0, 0]}
        whole = {**model(), "config": {"name": "outer", "layers": [image, inner], **ends}}
    return whole


def bomb_by_calls():
    """A model that holds a model twice, that holds a model twice ...: 2 to the power of its depth."""
    whole = model()
    for number in range(7):
        calls = [{"args": layer("x", "x", "image")["inbound_nodes"][0]["args"], "kwargs": {}} for _ in range(60)]
        inner = {**whole, "name": f"m{number}", "inbound_nodes": calls}
        inner["config"] = {**whole["config"], "name": f"m{number}"}
        image = layer("InputLayer", "image", batch_shape=[None, 16, 16, 3], dtype="float32")
        ends = {"input_layers": ["image", 0, 0], "output_layers": [f"m{number}", 0, 0]}
        whole = {**model(), "config": {"name": "outer", "layers": [image, inner], **ends}}
    return whole


def get_item(*places):
    one = layer("GetItem", "get_item", "conv2d", module="keras.src.ops.numpy")
    one["inbound_nodes"][0]["args"].append(list(places))
    return one


def function(kind, *given, before="conv2d", module="keras.src.ops.numpy", **config):
    one = layer(kind, "function", before, module=module, **config)
    one["inbound_nodes"][0]["args"] += given
    return one


CONFIGS = {
    # code
    "lambda layer": (model(layer("Lambda", "f", "conv2d", function=LAMBDA)), "received Lambda"),
    "lambda as an activation": (edited(setting("conv2d", activation=LAMBDA)), "activation to be one of"),
    "python as an activation": (edited(setting("conv2d", activation=CANARY)), "activation to be one of"),
    "module in an activation": (edited(setting("conv2d", activation="os.system")), "activation to be one of"),
    "custom class": (model(layer("Attack", "f", "conv2d", module="attack")), "received Attack of 'attack'"),
    "custom class by its registered name": (
        edited(entry("conv2d", registered_name="attack>Conv2D")),
        "received Conv2D",
    ),
    "a notebook's class, called like Keras's": (
        edited(entry("conv2d", module=None, registered_name="Conv2D")),
        "received Conv2D",
    ),
    "a notebook's model, called like Keras's": ({**model(), "module": None}, "expected a Functional or Sequential"),
    "a column for a row of channels": (
        model(layer("Rescaling", "f", "conv2d", scale=[[1.0], [2.0], [3.0], [4.0]], offset=0.0)),
        "a number for each of 4 channels",
    ),
    "records mixed by a softmax": (model(function("Softmax", module="keras.src.ops.nn", axis=None)), "axis -1"),
    "module of the standard library": (edited(entry("conv2d", module="os")), "received Conv2D of 'os'"),
    "class of the standard library": (edited(entry("conv2d", module="os", class_name="system")), "received system"),
    "function of another module": (model(function("Abs", module="numpy")), "received Abs of 'numpy'"),
    "function that is none": (model(function("Eval", CANARY)), "expected a function of"),
    "torch module": (model(layer("TorchModuleWrapper", "f", "conv2d", module="keras.utils")), "received TorchModule"),
    "TFSMLayer": (model(layer("TFSMLayer", "f", "conv2d", filepath="/tmp/x")), "received TFSMLayer"),
    "TFOpLambda": (model(layer("TFOpLambda", "f", "conv2d", module=None, function="io.read_file")), "TFOpLambda"),
    "another model's class": ({**model(), "class_name": "Attack"}, "expected a Functional or Sequential model"),
    "another model's module": ({**model(), "module": "attack"}, "expected a Functional or Sequential model"),
    "a model's registered name": ({**model(), "registered_name": "a>Functional"}, "expected a Functional"),
    "layer within a wrapper": (model(layer("TimeDistributed", "f", "conv2d", layer=conv())), "TimeDistributed"),
    "cell of another class": (model(layer("RNN", "f", "conv2d", cell={"class_name": "Attack"})), "received RNN"),
    "bidirectional of another class": (
        model(layer("Bidirectional", "f", "conv2d", layer={"class_name": "Lambda", "config": {}}, merge_mode="sum")),
        "expected GRU or LSTM within",
    ),
    "initializer that is a call": (edited(setting("conv2d", activation={"class_name": "exec"})), "activation"),
    "custom dtype": (edited(setting("conv2d", dtype={"class_name": "Attack", "config": {}})), "expected a dtype"),
    # sizes
    "a huge number of filters": (edited(setting("conv2d", filters=10**9)), "filters to be a whole number"),
    "a huge input": (model(shape=(65536, 65536, 3)), "numbers a record"),
    "a huge padding": (
        model(layer("ZeroPadding2D", "f", "conv2d", padding=[[0, 60000], [0, 60000]])),
        "numbers a record",
    ),
    "a huge upsampling": (
        model(
            *(
                layer("UpSampling2D", f"u{i}", f"u{i - 1}" if i else "conv2d", size=[50, 50], interpolation="nearest")
                for i in range(9)
            )
        ),
        "at most",
    ),
    "a huge kernel": (edited(setting("conv2d", filters=60000, kernel_size=[60000, 60000])), "expected"),
    "a huge repetition": (model(layer("RepeatVector", "f", "conv2d", n=10**8)), "n to be a whole number"),
    "a shape of zero": (model(shape=(16, 0, 3)), "expected batch_shape to be"),
    "a negative shape": (model(shape=(16, -5, 3)), "expected batch_shape to be"),
    "a shape of text": (model(shape=("16", 16, 3)), "expected batch_shape to be"),
    "a long name": (edited(setting("conv2d", name="a" * 10**6)), "expected a list of named layers"),
    "too many layers": (
        model(*(layer("Activation", f"a{i}", f"a{i - 1}" if i else "conv2d", activation="relu") for i in range(6000))),
        "at most 8 deep and 5000 layers",
    ),
    "models within models": (nested(12), "at most 8 deep"),
    "a thousand calls": (
        edited(lambda layers: at("conv2d")(layers).update(inbound_nodes=conv()["inbound_nodes"] * 1000)),
        "called once to 64 times",
    ),
    "calls within calls": (bomb_by_calls(), "5000 layers"),
    # structure
    "a cycle": (edited(lambda layers: layers.__setitem__(1, conv(before="pool"))), "expected inputs of 'conv2d'"),
    "a layer of itself": (edited(lambda layers: layers.__setitem__(1, conv(before="conv2d"))), "expected inputs of"),
    "an input that is not there": (
        edited(lambda layers: layers.__setitem__(1, conv(before="x"))),
        "expected inputs of",
    ),
    "two layers of one name": (edited(lambda layers: layers.append(copy.deepcopy(layers[1]))), "each layer once"),
    "no layers": ({**model(), "config": {"name": "m", "layers": []}}, "expected a list of named layers"),
    "layers that are none": ({**model(), "config": {"name": "m", "layers": [1, 2]}}, "expected a list of named layers"),
    "two inputs": (
        edited(lambda layers: layers.append(layer("InputLayer", "b", batch_shape=[None, 3]))),
        "expected one input and each layer once",
    ),
    "two outputs": (model(output_layers=[["dense", 0, 0], ["pool", 0, 0]]), "output: expected one"),
    "an output that is not there": (model(output_layers=["x", 0, 0]), "expected a layer 'x', its output"),
    "an addition of one": (model(layer("Add", "f", "conv2d")), "expected 2 to 99 inputs for Add"),
    "a convolution of two": (
        edited(lambda layers: layers.__setitem__(1, conv(before=["image", "image"]))),
        "one input",
    ),
    "a slash in a name": (edited(setting("conv2d", name="../../etc/passwd")), "expected a list of named layers"),
    "NUL in a name": (edited(setting("conv2d", name="a\0b")), "expected a list of named layers"),
    "an empty name": (edited(setting("conv2d", name="")), "expected a list of named layers"),
    "seven classes": (edited(setting("dense", units=7)), "expected an answer of 6 classes"),
    "an answer that is no distribution": (edited(setting("dense", activation="sigmoid")), "expected a softmax"),
    "records mixed by a slice": (model(get_item(0, SLICE)), "slices that take the whole batch"),
    "records mixed by a transposition": (model(function("Transpose", axes=[1, 0, 2, 3])), "axes"),
    "records mixed by a mean": (model(function("Mean", axis=0, keepdims=True)), "axes behind the batch"),
    "records mixed by a reshape": (model(function("Reshape", newshape=[16, -1, 16, 4])), "a shape that begins with -1"),
    "a slice of text": (model(get_item(SLICE, "os")), "whole numbers, slices and '...'"),
    "a slice of two ellipses": (model(get_item(ELLIPSIS, 0, ELLIPSIS)), "at most one '...'"),
    "an ellipsis among too many slices": (model(get_item(ELLIPSIS, *[SLICE] * 5)), "at most 4 slices"),
    "records mixed by an ellipsis for no axis": (
        model(get_item(ELLIPSIS, 0, 0, 0, 0)),
        "slices that take the whole batch",
    ),
    "an empty slice": (
        model(get_item(SLICE, {"class_name": "__slice__", "config": {"start": 3, "stop": 3, "step": None}})),
        "a slice that holds something",
    ),
    "an unknown argument": (edited(setting("conv2d", execute=CANARY)), "expected no argument 'execute'"),
    "NaN in an argument": (model(layer("Rescaling", "f", "conv2d", scale=float("nan"), offset=0.0)), "finite numbers"),
    "a truth for a number": (edited(setting("conv2d", filters=True)), "filters to be a whole number"),
    "deep lists in the config": (f'{{"class_name": {DEEP}}}', "expected the config of a model in JSON"),
    "a config that is no JSON": (b"\xff\xfe", "expected the config of a model in JSON"),
    "a config that is a list": ([1, 2], "expected a Functional or Sequential model"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_hostile_config_is_refused_with_a_reason(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    config, said = CONFIGS[name]
    with pytest.raises(WeightsError, match=said) as raised:
        import_model(write(Path("model.keras"), config))
    assert len(str(raised.value)) < 1500
    assert not Path("canary").exists()


def test_the_plain_model_is_read(tmp_path):
    """What the others are made from has no fault of its own."""
    imported = import_model(write(tmp_path / "model.keras", model()))
    assert [one.kind for one in imported.graph.layers] == ["InputLayer", "Conv2D", "Activation", *KINDS_BEHIND]


KINDS_BEHIND = ("GlobalAveragePooling2D", "Dense")


def outside(file):
    file["layers/x"] = h5py.ExternalLink("/etc/passwd", "/")


def soft(file):
    file["layers/x"] = h5py.SoftLink("/layers")


def not_finite(file):
    file["layers/conv2d/vars/0"][0, 0, 0, 0] = np.nan


def as_text(file):
    del file["layers/conv2d/vars/1"]
    file["layers/conv2d/vars/1"] = ["a", "b"]


def as_whole_numbers(file):
    del file["layers/conv2d/vars/1"]
    file["layers/conv2d/vars/1"] = np.zeros(4, np.int64)


def claims_much(file):
    del file["layers/conv2d/vars/1"]
    file["layers/conv2d/vars"].create_dataset("1", (10**12,), np.float32, chunks=(10**6,))


WEIGHTS = {
    "a link out of the file": (weights(outside), "expected plain objects"),
    "a link within the file": (weights(soft), "expected plain objects"),
    "NaN": (weights(not_finite), "expected finite values"),
    "text": (weights(as_text), "expected arrays of numbers"),
    "whole numbers": (weights(as_whole_numbers), "expected an array of floats"),
    "a huge array that is not there": (weights(claims_much), "conv2d/bias expected"),
    "another shape": (weights(conv2d=(3, 3, 4, 4)), "conv2d/kernel expected"),
    "a layer more": (weights(extra=(3, 4)), "variables of the layers of the file's config"),
    "a variable more": (
        weights(lambda file: file["layers/dense/vars"].create_dataset("2", data=0.5)),
        "expected 2 numbered",
    ),
    "no tensors": (weights(lambda file: file.__delitem__("layers/dense")), "missing dense"),
    "no HDF5": (b"not HDF5 at all", "expected Keras weights in HDF5"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_hostile_weights_are_refused_with_a_reason(tmp_path, name):
    content, said = WEIGHTS[name]
    with pytest.raises(WeightsError, match=said):
        import_model(write(tmp_path / "model.keras", model(), content))


def encrypted(path):
    write(path, model())
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(signature, start)) >= 0:
            (flags,) = struct.unpack_from("<H", content, start + offset)
            struct.pack_into("<H", content, start + offset, flags | 1)
            start += 4
    path.write_bytes(content)


ZIPS = {
    "a bomb": (lambda path: write(path, b" " * (64 << 20), compression=zipfile.ZIP_DEFLATED), "plausible size"),
    "a member more": (
        lambda path: write(path, model(), members={"config.json": "{}", "attack.py": CANARY}),
        "the members",
    ),
    "a member that leads out": (lambda path: write(path, model(), members={"../config.json": "{}"}), "the members"),
    "another compression": (lambda path: write(path, model(), compression=zipfile.ZIP_LZMA), "stored or deflated"),
    "encrypted": (encrypted, "or encrypted"),
    "cut short": (lambda path: write(path, model()) and path.write_bytes(path.read_bytes()[:-80]), "expected"),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_hostile_zip_is_refused_with_a_reason(tmp_path, name):
    make, said = ZIPS[name]
    make(tmp_path / "model.keras")
    with pytest.raises(WeightsError, match=said):
        import_model(tmp_path / "model.keras")


def test_no_hostile_file_takes_much_memory(tmp_path):
    """All of them in a process that may have 2 GB of addresses; a plain model needs less than half."""
    paths = [write(tmp_path / f"{i}.keras", config) for i, (config, _) in enumerate(CONFIGS.values())]
    paths += [write(tmp_path / f"w{i}.keras", model(), content) for i, (content, _) in enumerate(WEIGHTS.values())]
    code = (
        "import resource, sys; from pathlib import Path; import h5py, numpy\n"
        "from hbac.errors import WeightsError; from hbac.weights.keras_import import import_model\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "for path in map(Path, sys.argv[1:]):\n"
        "    try: import_model(path)\n"
        "    except WeightsError: continue\n"
        "    print(path)\n"
        "print('keras' in sys.modules, 'tensorflow' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": package_folder()}
    command = [sys.executable, "-c", code, *map(str, paths)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.stdout == "False False\n", run.stderr[-500:]
