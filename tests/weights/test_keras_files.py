"""Keras's own files in and out: good ones by all forms, and wrong or hostile ones refused by name."""

import io
import json
import shutil
import struct
import warnings
import zipfile
from dataclasses import replace
from functools import cache

import h5py
import keras
import numpy as np
import pytest
from helpers_folds import (
    SHALLOW,
    SHALLOW_BACKBONE,
    keras_resnet50,
    needs_names,
    random_tensors,
    relative_difference,
    shallow_family,
)
from keras import layers

from hbac.errors import WeightsError
from hbac.network.families import FAMILIES, backbone, backbone_graph, build
from hbac.network.settings import HEAD, NetworkSettings
from hbac.weights import keras_content, keras_files, keras_hdf5
from hbac.weights.keras_files import export_keras, import_weights
from hbac.weights.tensors import set_weights

NET = NetworkSettings(width=2, input_shape=(64, 64, 3), family=SHALLOW)
DEEP = NetworkSettings(width=2, input_shape=(64, 64, 3))  # all sixteen blocks
WHOLE = (".h5", ".keras")
SUFFIXES = (*WHOLE, ".weights.h5")
IMAGES = np.random.default_rng(9).normal(0, 1, (3, 64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def shallow():
    with shallow_family():
        yield


@cache
def tensors_of_the_fold():
    """Random tensors whose probabilities are not saturated."""
    tensors = random_tensors(NET, 11)
    return {**tensors, f"{HEAD}/kernel": tensors[f"{HEAD}/kernel"] * np.float32(0.1)}


@cache
def network():
    model = build(NET)
    set_weights(model, tensors_of_the_fold())
    return model


def save(model, folder, suffix, name="model"):
    if suffix == ".weights.h5":
        needs_names()
    path = folder / f"{name}{suffix}"
    if suffix == ".weights.h5":
        model.save_weights(path)
    else:
        model.save(path)
    return path


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The network in all forms, saved once."""
    folder = tmp_path_factory.mktemp("originals")
    return {suffix: save(network(), folder, suffix) for suffix in SUFFIXES if suffix != ".weights.h5"}


@pytest.fixture
def saved(originals, tmp_path):
    """Copy the saved network to where a test may damage it."""

    def copy(suffix, name="model"):
        if suffix not in originals:
            originals[suffix] = save(network(), originals[".h5"].parent, suffix)
        return shutil.copy(originals[suffix], tmp_path / f"{name}{suffix}")

    return copy


@cache
def empty_network(net):
    return build(net)


def probabilities(tensors, net=NET):
    model = empty_network(net)
    set_weights(model, tensors)
    return model(IMAGES, training=False).numpy()


def assert_same_tensors(received, expected):
    assert received.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(received[name], tensor, err_msg=name)
        assert received[name].dtype == np.float32


# --- keras.applications


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_keras_applications_weights_load_and_give_the_same_features(tmp_path, suffix):
    full = NetworkSettings(input_shape=(96, 64, 3))
    path = save(keras_resnet50(), tmp_path, suffix)
    tensors = import_weights(path, full, head=False)
    path.unlink()
    ours = backbone(full)
    set_weights(ours, tensors)
    images = np.random.default_rng(1).normal(0, 1, (2, 96, 64, 3)).astype(np.float32)
    expected = keras_resnet50()(images, training=False).numpy()
    assert relative_difference(ours(images, training=False).numpy(), expected) <= 1e-5


# --- the same architecture with something wrong in it, made by Keras


def altered(rename=None, replace=None, longer=False):
    """The network as Keras clones it, with layers renamed or replaced; weights by place, as far as shapes allow."""
    rename = rename or {}

    def clone(layer):
        if replace and layer.name == replace:
            return layers.Activation("linear", name=layer.name)
        return type(layer).from_config({**layer.get_config(), "name": rename.get(layer.name, layer.name)})

    model = keras.models.clone_model(network(), clone_function=clone)
    if longer:
        logits = layers.Dense(4, name="extra")(model.output)
        model = keras.Model(model.input, logits)
    for layer in model.layers:
        back = {new: old for old, new in rename.items()}
        if layer.weights and layer.name != "extra":
            layer.set_weights(network().get_layer(back.get(layer.name, layer.name)).get_weights())
    return model


@cache
def wrong_model(kind):
    if kind.startswith("swapped"):
        a, b = kind.split()[1:]
        return altered(rename={a: b, b: a})
    if kind.startswith("missing"):
        return altered(replace=kind.split()[1])
    if kind.startswith("renamed"):
        old, new = kind.split()[1:]
        return altered(rename={old: new})
    return altered(longer=True)


# What follows is kept in files of weights alone, which state names and shapes; whole models state their graph.
SWAPS = (
    ("conv2_block2_2_conv", "conv2_block3_2_conv"),
    ("conv2_block2_3_bn", "conv2_block3_3_bn"),
    ("conv2_block1_0_conv", "conv2_block1_3_conv"),  # the one shortcut whose convolution has a twin
    ("conv3_block1_0_bn", "conv3_block1_3_bn"),
)
WRONG = [
    *((f"swapped {a} {b}", (a, b)) for a, b in SWAPS),
    ("missing conv3_block2_2_conv", ("missing conv3_block2_2_conv/kernel",)),
    ("renamed conv3_block2_2_conv conv3_block2_9_conv", ("missing conv3_block2_2_conv/", "unexpected conv3_block2_9_conv/")),
    ("longer", ("unexpected extra/kernel", "unexpected extra/bias")),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "named"), WRONG, ids=[kind for kind, _ in WRONG])
def test_weights_of_another_network_are_refused_with_the_differing_names(tmp_path, kind, named):
    path = save(wrong_model(kind), tmp_path, ".weights.h5")
    with pytest.raises(WeightsError) as caught:
        import_weights(path, NET)
    for part in (str(path), *named):
        assert part in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", WHOLE)
@pytest.mark.parametrize("kind", [kind for kind, _ in WRONG if kind.startswith(("swapped", "renamed"))])
def test_the_names_in_a_whole_model_are_free(tmp_path, kind, suffix):
    """Its graph tells which layer is which: the model computes what the unaltered one does."""
    path = save(wrong_model(kind), tmp_path, suffix)
    assert_same_tensors(import_weights(path, NET), tensors_of_the_fold())


@pytest.mark.slow
@pytest.mark.parametrize("suffix", WHOLE)
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("missing conv3_block2_2_conv", "our conv3_block2_2_conv behind 'conv3_block2_1_relu'"),
        ("longer", "beside resnet50_w2, received Dense 'extra'"),
    ],
)
def test_a_whole_model_of_another_network_is_refused_by_the_first_place_that_differs(tmp_path, kind, place, suffix):
    path = save(wrong_model(kind), tmp_path, suffix)
    with pytest.raises(WeightsError, match=f"{path}.*{place}"):
        import_weights(path, NET)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_unaltered_clone_is_accepted(tmp_path, suffix):
    """What the wrong models above are made from is itself right."""
    assert_same_tensors(import_weights(save(altered(), tmp_path, suffix), NET), tensors_of_the_fold())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_width_is_refused_by_shape(saved, suffix):
    path = saved(suffix)
    place = r"'conv1_conv': expected .* with filters 4, received 2"
    if suffix == ".weights.h5":
        place = r"conv1_conv/kernel expected \(7, 7, 3, 4\) received \(7, 7, 3, 2\)"
    with pytest.raises(WeightsError, match=place):
        import_weights(path, replace(NET, width=4))


def config_with(path, layer, change):
    """Change the entry of a layer in the config of a `.keras` file."""
    members = members_of(path)
    config = json.loads(members["config.json"])
    change(next(entry for entry in config["config"]["layers"] if entry["config"]["name"] == layer))
    write_zip(path, {**members, "config.json": json.dumps(config).encode()}.items())
    return path


def argument(key, value):
    return lambda entry: entry["config"].update({key: value})


def called(**named):
    return lambda entry: entry["inbound_nodes"][0]["kwargs"].update(named)


def twice(entry):
    entry["inbound_nodes"] *= 2


EDITS = [  # a layer, what of its entry is another, and what is said of it
    ("conv1_conv", argument("alpha", 0.5), "expected no argument 'alpha' of Conv2D, received 0.5"),
    ("conv1_conv", argument("dilation_rate", [2, 2]), "expected strides or a dilation_rate above 1, received both"),
    ("conv1_conv", argument("groups", 3), "expected channels and filters that 3 groups divide"),
    ("conv1_conv", argument("groups", True), "expected groups to be a whole number .*, received True"),
    ("conv1_conv", argument("data_format", "channels_first"), "expected data_format 'channels_last'"),
    ("conv1_conv", argument("activation", {"class_name": "f"}), "expected activation to be one of relu.*, received {'class_name"),
    ("conv1_conv", argument("lora_rank", 4), "expected no argument 'lora_rank' of Conv2D"),
    ("conv1_bn", argument("axis", 1), "expected axis -1, received 1"),
    ("conv1_bn", argument("renorm", True), "expected renorm False, received True"),
    ("conv1_bn", argument("epsilon", float("nan")), "expected finite numbers in 'epsilon', received nan"),
    ("conv1_bn", argument("epsilon", "1.001e-5"), "expected epsilon to be a number .*, received '1.001e-5'"),
    ("conv1_bn", called(training=True), "expected to be called without 'training', received True"),
    ("conv1_bn", called(training=0), "expected to be called without 'training', received 0"),
    ("conv1_bn", called(mask=[1]), "expected to be called without 'mask'"),
    ("conv1_relu", called(scale=2.0), "expected to be called without 'scale', received 2.0"),
    ("avg_pool", argument("keepdims", True), "with keepdims False, received True"),
    ("conv1_conv", lambda entry: entry.update(module="mine"), "received Conv2D of 'mine'"),
    ("conv1_conv", lambda entry: entry.update(module=None, registered_name="mine>Conv2D"), "received Conv2D"),
    ("conv1_conv", lambda entry: entry.update(class_name="mine>Conv2D"), "received mine>Conv2D"),
    ("image", argument("dtype", "uint8"), "expected dtype float32, received 'uint8'"),
    ("image", argument("sparse", True), "expected sparse False, received True"),
    ("conv1_conv", argument("dtype", {"class_name": "QuantizedDTypePolicy", "config": {"name": "float32"}}), "expected a dtype"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "change", "said"), EDITS, ids=[said[:50] for _, _, said in EDITS])
def test_what_a_layer_does_beside_ours_is_refused_by_its_place(saved, layer, change, said):
    with pytest.raises(WeightsError, match=f"layer {layer!r}: .*{said}"):
        import_weights(config_with(saved(".keras"), layer, change), NET)


def test_a_layer_that_is_called_twice_is_refused(saved):
    with pytest.raises(WeightsError, match="expected nothing beside resnet50_w2, received Activation 'conv1_relu@1'"):
        import_weights(config_with(saved(".keras"), "conv1_relu", twice), NET)


def test_a_function_that_is_none_of_ours_is_refused_by_its_place(saved):
    path = config_with(saved(".keras"), "conv1_conv", lambda entry: entry.update(module="keras.src.ops.numpy"))
    with pytest.raises(WeightsError, match="function 'conv1_conv': expected a function of Abs.*, received Conv2D"):
        import_weights(path, NET)


@pytest.mark.parametrize(
    "change", [{"module": "mine"}, {"registered_name": "mine>Functional"}, {"class_name": "Mine"}], ids=str
)
def test_a_model_of_another_class_is_refused(saved, change):
    path = saved(".keras")
    members = members_of(path)
    config = json.dumps({**json.loads(members["config.json"]), **change}).encode()
    write_zip(path, {**members, "config.json": config}.items())
    with pytest.raises(
        WeightsError, match="expected a Functional or Sequential model of Keras, received (Functional|Mine)"
    ):
        import_weights(path, NET)


@pytest.mark.parametrize(
    ("layer", "change"),
    [
        ("conv1_conv", argument("alpha", None)),
        ("conv1_conv", argument("kernel_regularizer", {"class_name": "L2"})),
        ("conv1_conv", argument("trainable", False)),
        ("conv1_bn", argument("axis", [3])),
        ("conv1_bn", argument("momentum", 0.5)),
        ("conv1_bn", called(training=False)),
        ("conv1_bn", called(training=None, mask=None)),
        ("image", argument("batch_shape", [None, None, None, 3])),
        ("image", argument("batch_shape", [8, 64, 64, 3])),
    ],
)
def test_what_no_answer_depends_on_is_free(saved, layer, change):
    assert_same_tensors(import_weights(config_with(saved(".keras"), layer, change), NET), tensors_of_the_fold())


@pytest.mark.parametrize("layer", ["conv1_relu", SHALLOW_BACKBONE, "avg_pool", "image"])
def test_a_model_whose_answer_is_an_inner_layer_is_refused(saved, layer):
    """All layers of ours are there, and Keras gives what the stated one computes."""
    path = saved(".keras")
    members = members_of(path)
    config = json.loads(members["config.json"])
    config["config"]["output_layers"] = [layer, 0, 0]
    write_zip(path, {**members, "config.json": json.dumps(config).encode()}.items())
    with pytest.raises(WeightsError, match=f"expected the answer of 'probabilities', received that of {layer!r}"):
        import_weights(path, NET)


@pytest.mark.parametrize("suffix", WHOLE)
def test_a_backbone_to_start_from_may_be_of_images_of_another_size(tmp_path, suffix):
    """Its convolutions have the same weights for any; an answer is not asked of it."""
    path = save(backbone(NET), tmp_path, suffix)
    tensors = import_weights(path, replace(NET, input_shape=(400, 300, 3)), head=False)
    assert_same_tensors(tensors, {v.path: v.numpy() for v in keras_backbone(path).weights})
    with pytest.raises(WeightsError, match=r"input_shape \[64, 64, 1\], received \[64, 64, 3\]"):
        import_weights(path, replace(NET, input_shape=(64, 64, 1)), head=False)


def keras_backbone(path):
    return keras.models.load_model(path, compile=False)


@pytest.mark.parametrize("suffix", WHOLE)
def test_another_input_shape_is_refused(saved, suffix):
    with pytest.raises(WeightsError, match=r"input_shape \[400, 300, 3\], received \[64, 64, 3\]"):
        import_weights(saved(suffix), replace(NET, input_shape=(400, 300, 3)))


def test_a_backbone_is_no_network_and_a_network_no_backbone(saved, tmp_path):
    path = saved(".weights.h5")
    with pytest.raises(WeightsError, match="unexpected predictions/kernel"):
        import_weights(path, NET, head=False)
    path = save(backbone(NET), tmp_path, ".weights.h5", "backbone")
    with pytest.raises(WeightsError, match="missing predictions/kernel"):
        import_weights(path, NET)


# --- the same, made by editing HDF5


def edit(path, change):
    """Apply `change(h5py.File)` to a `.h5`, a `.weights.h5` or the weights inside a `.keras`."""
    if path.suffix != ".keras":
        with h5py.File(path, "r+") as file:
            change(file)
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        change(file)
    members["model.weights.h5"] = content.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)


def swap_groups(group, a, b):
    group.move(a, "aside")
    group.move(b, a)
    group.move("aside", b)


def group_of(file, layer):
    """The group of a layer in a Keras 3 file, found by the attribute that names it."""
    needs_names()
    return next(g for g in file["layers"].values() if g["vars"].attrs.get("name") == layer)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
@pytest.mark.parametrize(("a", "b"), SWAPS)
@pytest.mark.parametrize("what", ["groups", "names"])
def test_exchanged_groups_or_names_of_a_keras_3_file_are_refused(saved, suffix, a, b, what):
    path = saved(suffix)

    def change(file):
        first, second = group_of(file, a), group_of(file, b)
        if what == "groups":
            swap_groups(file["layers"], first.name, second.name)
        else:
            first["vars"].attrs["name"], second["vars"].attrs["name"] = b, a

    edit(path, change)
    with pytest.raises(WeightsError) as caught:
        import_weights(path, NET)
    if suffix == ".keras":
        assert f"expected layer {a!r} at " in str(caught.value)
        assert f"received {b!r}" in str(caught.value)
    else:
        assert f"{a} (found {b})" in str(caught.value)
        assert f"{b} (found {a})" in str(caught.value)


@pytest.mark.parametrize(("a", "b"), SWAPS)
def test_exchanged_layers_of_a_legacy_file_are_refused(saved, a, b):
    """Three ways: the groups, the lists of variables in them, and the order in which the file lists its layers."""
    for what in ("groups", "variables", "order"):
        path = saved(".h5", what)
        with h5py.File(path, "r+") as file:
            root = file["model_weights"]
            if what == "groups":
                swap_groups(root, a, b)
            elif what == "variables":
                for mine, theirs in ((a, b), (b, a)):
                    root[mine].move(mine, theirs)
                    names = [name.replace(mine, theirs) for name in root[mine].attrs["weight_names"]]
                    root[mine].attrs["weight_names"] = names
            else:
                exchange = {a: b, b: a}
                root.attrs["layer_names"] = [exchange.get(name, name) for name in root.attrs["layer_names"]]
        with pytest.raises(WeightsError) as caught:
            import_weights(path, NET)
        assert a in str(caught.value)
        if what != "groups":
            assert b in str(caught.value)


def forget_names(file) -> None:
    """Take the layers' names out of a weights file, as Keras 3.5 and older left them out."""

    def forget(_, item) -> None:
        item.attrs.pop("name", None)

    file.visititems(forget)


def test_weights_alone_without_names_are_refused_with_advice(saved):
    path = saved(".weights.h5")
    edit(path, forget_names)
    with pytest.raises(WeightsError, match="save the whole model as .keras"):
        import_weights(path, NET)


def test_a_keras_file_without_names_beside_its_weights_has_them_in_its_config(saved):
    path = saved(".keras")
    expected = import_weights(path, NET)
    edit(path, forget_names)
    received = import_weights(path, NET)
    assert received.keys() == expected.keys()
    assert all(np.array_equal(received[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("a", "b"), [("conv2_block2_2_conv", "conv2_block3_2_conv"), ("conv2_block1_0_bn", "conv2_block1_3_bn")]
)
def test_names_exchanged_in_the_config_alone_change_nothing(saved, a, b):
    """Keras finds weights by their place among the layers."""
    path = saved(".keras")
    expected = import_weights(path, NET)
    edit(path, forget_names)
    members = members_of(path)
    config = members["config.json"].decode()
    members["config.json"] = (
        config.replace(f'"{a}"', '"?"').replace(f'"{b}"', f'"{a}"').replace('"?"', f'"{b}"').encode()
    )
    write_zip(path, members.items())
    assert_same_tensors(import_weights(path, NET), expected)


@pytest.mark.parametrize(
    "config",
    [b"", b"{{{", b"[]", b"{}", b'{"config": {"layers": [1, {"class_name": 3}]}}', b"[" * 10**5],
    ids=["empty", "garbage", "list", "object", "no model", "deep"],
)
def test_a_whole_model_without_a_config_is_refused(saved, config):
    path = saved(".keras")
    write_zip(path, {**members_of(path), "config.json": config}.items())
    with pytest.raises(WeightsError, match="expected (the config of a model|a Functional or Sequential model)"):
        import_weights(path, NET)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda g: g.move("vars/1", "vars/2"), "2 or 4 numbered variables"),
        (lambda g: g["vars"].create_dataset("2", data=np.zeros(2)), "2 or 4 numbered variables"),
        (lambda g: g["vars"].pop("1"), "missing conv1_conv/bias"),
        (lambda g: (g["vars"].pop("1"), g["vars"].create_group("1")), "array of floats at 'conv1_conv/bias'"),
        (lambda g: (g["vars"].pop("1"), g["vars"].create_dataset("1", data=[1, 2])), "array of floats"),
        (lambda g: (g["vars"].pop("1"), g["vars"].create_dataset("1", data=h5py.Empty("f4"))), "array of floats"),
        (lambda g: (g["vars"].pop("1"), g["vars"].create_dataset("1", data=[1.0, np.nan])), "others in conv1_conv/bias"),
        (lambda g: (g["vars"].pop("1"), g["vars"].create_dataset("1", data=[1.0, 1e300])), "others in conv1_conv/bias"),
        (lambda g: (g["vars"].pop("1"), g["vars"].create_dataset("1", data=np.zeros((2, 1)))), r"received \(2, 1\)"),
    ],
)  # fmt: skip
def test_damaged_variables_are_refused(saved, change, reason):
    path = saved(".weights.h5")
    edit(path, lambda file: change(group_of(file, "conv1_conv")))
    with pytest.raises(WeightsError, match=reason):
        import_weights(path, NET)


# --- ImageNet's files


def write_keras_2_file(path, tensors, chunks=False, names=lambda layer: layer, net=NET):
    """A Keras 2 weights file by hand, as ImageNet's: bytes in attributes, layers in the order of the model."""
    by_layer = {}
    ours = backbone_graph(net).by_name
    for layer in keras_resnet50().layers:  # in the order of Keras's own; of a shallow network not all are there
        if layer.name.startswith("conv") and layer.name not in ours:
            continue
        by_layer[layer.name] = [f"{layer.name}/{variable.name}" for variable in layer.weights]
    with h5py.File(path, "w") as file:
        stated = np.array([names(layer).encode() for layer in by_layer])
        if chunks:
            for i, part in enumerate(np.array_split(stated, 3)):
                file.attrs[f"layer_names{i}"] = part
        else:
            file.attrs["layer_names"] = stated
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for layer, variables in by_layer.items():
            group = file.create_group(names(layer))
            stated = [f"{names(v.split('/')[0])}/{v.split('/')[1]}:0".encode() for v in variables]
            group.attrs["weight_names"] = np.array(stated) if stated else np.array([], "S1")
            for name, variable in zip(stated, variables):
                group[name.decode()] = tensors[variable]
    return path


@pytest.mark.parametrize(("net", "chunks"), [(NET, False), (DEEP, True)])
def test_the_imagenet_form_loads_with_its_list_in_one_or_several_attributes(tmp_path, net, chunks):
    tensors = random_tensors(net, 5, head=False)
    path = write_keras_2_file(tmp_path / "notop.h5", tensors, chunks, net=net)
    with h5py.File(path) as file:
        assert file["conv1_conv"].attrs["weight_names"][0] == b"conv1_conv/kernel:0"
    assert_same_tensors(import_weights(path, net, head=False), tensors)


def test_keras_itself_loads_the_hand_made_imagenet_form(tmp_path):
    """The form is right: Keras's legacy loader takes it for the same network."""
    tensors = random_tensors(DEEP, 5, head=False)
    path = write_keras_2_file(tmp_path / "notop.h5", tensors, net=DEEP)
    model = backbone(DEEP)
    model.load_weights(path)
    for variable in model.weights:
        np.testing.assert_array_equal(variable.numpy(), tensors[variable.path])


def old_name(layer):
    return {"conv1_conv": "conv1", "conv1_bn": "bn_conv1"}.get(
        layer, layer.replace("conv2_block1_1_conv", "res2a_branch2a")
    )


def test_the_older_imagenet_file_is_refused_by_its_names(tmp_path):
    path = write_keras_2_file(tmp_path / "notop.h5", random_tensors(NET, 5, head=False), names=old_name)
    with pytest.raises(WeightsError, match="received the older file of the same name with layers res2a_branch2a"):
        import_weights(path, NET, head=False)


def test_the_older_imagenet_file_is_refused_by_its_digest(tmp_path, monkeypatch):
    path = write_keras_2_file(tmp_path / "notop.h5", random_tensors(NET, 5, head=False))
    digest = keras_files.hashlib.md5(path.read_bytes()).hexdigest()
    ours = FAMILIES[SHALLOW]
    assert ours.imagenet is not None
    assert ours.imagenet.outdated is not None
    older = replace(ours.imagenet.outdated, md5=digest[:8])
    monkeypatch.setitem(FAMILIES, SHALLOW, replace(ours, imagenet=replace(ours.imagenet, outdated=older)))
    with pytest.raises(WeightsError, match=f"MD5 {ours.imagenet.md5}.*received the older file"):
        import_weights(path, NET, head=False)


def test_a_legacy_file_that_names_a_tensor_twice_is_refused(tmp_path):
    """Two networks in one nested model would overwrite each other in silence."""
    tensors = random_tensors(NET, 5, head=False)
    path = write_keras_2_file(tmp_path / "notop.h5", tensors)
    with h5py.File(path, "r+") as file:
        group = file["conv1_conv"]
        group["second/conv1_conv/kernel:0"] = tensors["conv1_conv/kernel"] + 1
        group.attrs["weight_names"] = [*group.attrs["weight_names"], b"second/conv1_conv/kernel:0"]
    with pytest.raises(WeightsError, match="twice in 'conv1_conv'"):
        import_weights(path, NET, head=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.attrs.__setitem__("layer_names", 3),
        lambda file: file.attrs.__setitem__("layer_names", [b"nothing"]),
        lambda file: file.attrs.__setitem__("layer_names", b"conv1_conv"),
        lambda file: file.attrs.__setitem__("layer_names", h5py.Empty("S1")),
        lambda file: file["conv1_conv"].attrs.__setitem__("weight_names", [b"conv1_conv/other:0", b"\xff\xfe"]),
        lambda file: file["conv1_conv"].attrs.pop("weight_names"),
        lambda file: (file.pop("conv1_conv"), file.create_dataset("conv1_conv", data=np.zeros(3))),
        lambda file: file.create_dataset("model_weights", data=np.zeros(3)),
        lambda file: file.create_group("model_weights"),
    ],
)
def test_a_legacy_file_with_nonsense_in_its_lists_is_refused(tmp_path, change):
    path = write_keras_2_file(tmp_path / "notop.h5", random_tensors(NET, 5, head=False))
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(WeightsError, match=r"notop\.h5"):
        import_weights(path, NET, head=False)


# --- what users have


def layers_before(kind):
    """Layers that a notebook puts before the backbone."""
    if kind == "augmentation":
        return [layers.RandomFlip("vertical", seed=1), layers.GaussianNoise(0.1)]
    if kind == "adapted normalization":
        layer = layers.Normalization()
        layer.adapt(2 * IMAGES + 1)
        return [layer]
    known = {
        "rescaling": layers.Rescaling(1 / 255),
        "normalization": layers.Normalization(mean=[0.5] * 3, variance=[4.0] * 3),
    }
    return [known[kind]] if kind else []


@cache
def user_model(form, head="out", before=None):
    """A model as notebooks build it: a backbone named resnet50, nested or flat, pooling, dropout, a dense softmax."""
    inside = backbone(NET)
    set_weights(inside, {k: v for k, v in tensors_of_the_fold().items() if not k.startswith(HEAD)})
    end = [
        layers.GlobalAveragePooling2D(name="gap"),
        layers.Dropout(0.4),
        layers.Dense(6, activation="softmax", name=head),
    ]
    if form == "flat":
        x = inside.output
        for layer in end:
            x = layer(x)
        model = keras.Model(inside.input, x)
    elif form == "sequential":
        inside.name = "resnet50"
        model = keras.Sequential([layers.Input(NET.input_shape), *layers_before(before), inside, *end])
    else:
        inside.name = "resnet50"
        image = layers.Input(NET.input_shape, name="spectrogram")
        x = image
        for layer in (*layers_before(before), inside, *end):
            x = layer(x)
        model = keras.Model(image, x)
    model.layers[-1].set_weights([tensors_of_the_fold()[f"{HEAD}/{part}"] for part in ("kernel", "bias")])
    return model


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("form", ["functional", "sequential", "flat"])
def test_a_users_model_gives_its_own_probabilities(tmp_path, form, suffix):
    model = user_model(form, head="dense_7" if form == "flat" else "answer")
    tensors = import_weights(save(model, tmp_path, suffix, "best_model"), NET)
    assert_same_tensors(tensors, tensors_of_the_fold())
    if suffix == ".keras":  # the same tensors give the same answers, whichever file they come from
        expected = model(IMAGES, training=False).numpy()
        assert 0.01 < expected.max() < 0.99
        np.testing.assert_allclose(probabilities(tensors), expected, rtol=2e-5, atol=1e-7)


@pytest.mark.slow
def test_keras_applications_inside_a_users_model_gives_its_own_probabilities(tmp_path):
    image = layers.Input((64, 64, 3))
    x = keras_resnet50()(image)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, layers.Dense(6, activation="softmax", kernel_initializer=small_kernel)(x))
    path = tmp_path / "best_model.keras"
    model.save(path)
    full = NetworkSettings(input_shape=(64, 64, 3))
    expected = model(IMAGES, training=False).numpy()
    received = probabilities(import_weights(path, full), full)
    path.unlink()
    assert 0.01 < expected.max() < 0.99
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-6)


@keras.saving.register_keras_serializable("tests")
def small_kernel(shape, dtype=None):
    return 0.003 * np.random.default_rng(3).normal(size=shape)


@cache
def trained_model():
    model = user_model("functional", head="trained")
    model.compile(optimizer="adam", loss="kl_divergence", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    steps = [rng.normal(0, 1, variable.shape).astype(np.float32) for variable in model.trainable_variables]
    model.optimizer.apply(steps, model.trainable_variables)  # what `fit` does with its gradients
    return model


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_trained_model_with_its_optimizer_loads(tmp_path, suffix):
    """An optimizer counts its steps in integers and keeps tensors of the network's shapes."""
    model = trained_model()
    backbone_layers = model.get_layer("resnet50").layers
    expected = {f"{layer.name}/{v.name}": v.numpy() for layer in backbone_layers for v in layer.weights}
    expected |= {f"{HEAD}/{v.name}": v.numpy() for v in model.get_layer("trained").weights}
    assert (
        np.abs(expected["conv1_conv/kernel"] - tensors_of_the_fold()["conv1_conv/kernel"]).min() > 1e-4
    )  # it has learnt
    assert_same_tensors(import_weights(save(model, tmp_path, suffix), NET), expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_augmentation_layers_that_are_idle_at_inference_pass(tmp_path, suffix):
    model = user_model("functional", before="augmentation")
    assert_same_tensors(import_weights(save(model, tmp_path, suffix), NET), tensors_of_the_fold())
    if suffix == ".keras":
        expected = network()(IMAGES, training=False).numpy()
        np.testing.assert_allclose(model(IMAGES, training=False).numpy(), expected, rtol=2e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", ["rescaling", "normalization", "adapted normalization"])
def test_layers_whose_effect_would_be_lost_are_refused_by_name(tmp_path, suffix, kind):
    """Without weights of the network's own they would drop out of the model in silence."""
    model = user_model("functional", before=kind)
    if suffix == ".keras":
        assert np.abs(model(IMAGES, training=False) - network()(IMAGES, training=False)).max() > 0.003
    received = "expected ZeroPadding2D as our conv1_pad .*, received (Rescaling|BatchNormalization)"
    if suffix == ".weights.h5":
        received = "a layer '(re|normali).*', whose effect would be lost|.*variables at /layers/normalization/vars"
    with pytest.raises(WeightsError, match=received):
        import_weights(save(model, tmp_path, suffix), NET)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_state_of_a_random_generator_is_no_layer(tmp_path, suffix):
    """Keras before 3.6 stored the seed of a dropout layer as a variable of its own."""
    path = save(user_model("functional"), tmp_path, suffix)

    def change(file):
        state = file["layers/dropout"].create_group("seed_generator/vars")
        state.attrs["name"] = "seed_generator"
        state["0"] = np.array([1, 2], np.uint32)

    edit(path, change)
    assert_same_tensors(import_weights(path, NET), tensors_of_the_fold())


@cache
def model_of(policy):
    model = build(NET, precision=policy)
    set_weights(model, tensors_of_the_fold())
    return model


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_mixed_precision_keeps_its_float32_weights(tmp_path, policy):
    path = save(model_of(policy), tmp_path, ".keras")
    assert_same_tensors(import_weights(path, NET), tensors_of_the_fold())


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float16", "bfloat16", "float64"])
def test_a_network_computed_in_another_precision_is_refused(tmp_path, policy):
    path = save(model_of(policy), tmp_path, ".keras")
    with pytest.raises(WeightsError, match=f"{policy}|expected arrays of numbers, received .V2 at '/layers/"):
        import_weights(path, NET)


def test_two_dense_layers_of_the_heads_shape_are_ambiguous(tmp_path):
    inside = backbone(NET)
    x = layers.GlobalAveragePooling2D()(inside.output)
    both = layers.Dense(6, name="a")(x) + layers.Dense(6, name="b")(x)
    path = save(keras.Model(inside.input, both), tmp_path, ".weights.h5")
    with pytest.raises(WeightsError, match="missing predictions/kernel.*unexpected a/kernel.*unexpected b/kernel"):
        import_weights(path, NET)


@cache
def two_networks():
    image = layers.Input(NET.input_shape)
    halves = [backbone(NET), backbone(NET)]
    for i, half in enumerate(halves):
        half.name = f"resnet50_{i}"
    x = layers.GlobalAveragePooling2D()(halves[0](image) + halves[1](image))
    return keras.Model(image, layers.Dense(6)(x))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_networks_in_one_file_are_refused(tmp_path, suffix):
    path = save(two_networks(), tmp_path, suffix)
    place = (
        "2 layers ZeroPadding2D, received 4" if suffix == ".weights.h5" else f"behind 'resnet50_0/{SHALLOW_BACKBONE}'"
    )
    with pytest.raises(WeightsError, match=place):
        import_weights(path, NET)


# --- hostile files


@pytest.fixture
def zipped(saved):
    return saved(".keras")


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_zip(path, members, compression=zipfile.ZIP_STORED):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of a name that comes twice; here that is the point
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in members:
                archive.writestr(name, content)
    return path


CANARY = """{{"module": "builtins", "class_name": "exec", "registered_name": "exec", "config":
{{"code": "open({0!r}, 'w')", "function": "import os; os.system('touch {0}')"}}}}"""


@pytest.mark.parametrize("kind", ["garbage", "not text", "custom class", "lambda", "deep"])
def test_the_config_of_a_keras_file_is_never_deserialised(tmp_path, zipped, kind):
    """A config that is not of our network is refused, and nothing that it names runs."""
    needs_names()
    canary = tmp_path / "canary"
    members = members_of(zipped)
    config = {
        "garbage": "{{{",
        "not text": b"\xff\x00\xfe",
        "custom class": CANARY.format(str(canary)),
        "lambda": json.dumps(
            {
                "module": "keras.layers",
                "class_name": "Lambda",
                "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAAA"}}},
            }
        ),
        "deep": "[" * 100_000,
    }[kind]
    members["config.json"] = config if isinstance(config, bytes) else config.encode()
    members["metadata.json"] = members["config.json"]
    write_zip(zipped, members.items())
    with pytest.raises(WeightsError, match=f"{zipped}: expected"):
        import_weights(zipped, NET)
    assert not canary.exists()


def test_no_function_of_keras_that_deserialises_is_called(zipped, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a config was deserialised")

    for module, name in (
        (keras.models, "load_model"),
        (keras.saving, "load_model"),
        (keras.saving, "deserialize_keras_object"),
        (keras.models, "model_from_json"),
        (np, "load"),
    ):
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr("pickle.loads", refuse)
    monkeypatch.setattr("pickle.load", refuse)
    assert_same_tensors(import_weights(zipped, NET), tensors_of_the_fold())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: [*m.items(), ("evil.py", b"x")], "received .*evil.py"),
        (lambda m: [*m.items(), ("../evil.py", b"x")], "received .*evil.py"),
        (lambda m: [*m.items(), ("/etc/evil", b"x")], "received .*evil"),
        (lambda m: [*m.items(), ("model.weights.h5", b"x")], "expected the members"),
        (lambda m: [*m.items(), ("config.json", b"{}")], "expected the members"),
        (lambda m: [("model.weights.h5", m["model.weights.h5"])], "expected the members"),
        (lambda m: [(k, v) for k, v in m.items() if not k.endswith("h5")], "expected the members"),
        (lambda m: [*m.items(), *((f"{i}" * 60_000, b"") for i in range(9))], "expected the members"),
        (lambda m: [], "expected the members"),
        (lambda m: [*((k, v) for k, v in m.items() if k[0] != "m"), ("metadata.json", b""), ("model.weights.h5", b"")],
         "expected Keras weights in HDF5"),
        (lambda m: [*((k, v) for k, v in m.items() if not k.endswith("h5")), ("model.weights.h5", b"\x80\x04pickle")],
         "expected Keras weights in HDF5"),
    ],
)  # fmt: skip
def test_a_zip_with_other_members_is_refused(zipped, change, reason):
    write_zip(zipped, change(members_of(zipped)))
    with pytest.raises(WeightsError, match=reason) as caught:
        import_weights(zipped, NET)
    assert len(str(caught.value)) < 1000


def refuse_reading(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a member was read before the check")

    monkeypatch.setattr(zipfile.ZipFile, "read", refuse)
    monkeypatch.setattr(zipfile.ZipFile, "open", refuse)


@pytest.mark.parametrize("name", ["model.weights.h5", "config.json"])
def test_a_bomb_is_refused_before_it_is_unpacked(zipped, monkeypatch, name):
    members = {**members_of(zipped), name: bytes(200 << 20)}
    write_zip(zipped, members.items(), zipfile.ZIP_DEFLATED)
    assert zipped.stat().st_size < 3 << 20
    refuse_reading(monkeypatch)
    with pytest.raises(WeightsError, match=f"{name} of a plausible size, received 209715200 bytes"):
        import_weights(zipped, NET)


def _directory_fields(content, offset, value):
    """Overwrite two bytes at `offset` in every record of the zip's central directory."""
    out, at = bytearray(content), 0
    while (at := out.find(b"PK\x01\x02", at)) >= 0:
        out[at + offset : at + offset + 2] = struct.pack("<H", value)
        at += 4
    return bytes(out)


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (10, 12), (10, 14), (10, 99)])
def test_encrypted_and_oddly_packed_members_are_refused(zipped, monkeypatch, offset, value):
    """Offset 8 holds the flags, bit 0 for encryption; 10 the method: 12 bzip2, 14 lzma, 99 unknown."""
    zipped.write_bytes(_directory_fields(zipped.read_bytes(), offset, value))
    refuse_reading(monkeypatch)
    with pytest.raises(WeightsError, match="plainly stored or deflated|stored or deflated"):
        import_weights(zipped, NET)


def test_damaged_compressed_data_is_refused(zipped):
    write_zip(zipped, members_of(zipped).items(), zipfile.ZIP_DEFLATED)
    content = zipped.read_bytes()
    start = content.index(b"model.weights.h5") + 200
    for damage in (bytes(300), b"\xff" * 300):
        zipped.write_bytes(content[:start] + damage + content[start + 300 :])
        with pytest.raises(WeightsError, match="expected a Keras file"):
            import_weights(zipped, NET)


def test_a_member_larger_than_it_claims_is_refused(zipped):
    """The directory of the zip states a tenth of the size."""
    content = bytearray(zipped.read_bytes())
    size = struct.pack("<I", len(members_of(zipped)["model.weights.h5"]))
    directory = content.index(b"PK\x01\x02")
    at = content.index(size, directory)
    while at >= 0:
        content[at : at + 4] = struct.pack("<I", 4096)
        at = content.find(size, at + 4)
    zipped.write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.keras"):
        import_weights(zipped, NET)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("keep", [0, 1, 100, 0.3, 0.9, -1])
def test_truncated_files_are_refused(saved, suffix, keep):
    path = saved(suffix)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(WeightsError, match=path.name):
        import_weights(path, NET)


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "none.keras", tmp_path / "none.h5", tmp_path):
        with pytest.raises(WeightsError, match="expected a Keras file"):
            import_weights(path, NET)


def test_a_file_above_the_limit_is_refused_before_it_is_read(saved, monkeypatch):
    path = saved(".weights.h5")
    monkeypatch.setattr(keras_content, "MAX_MEMBER_BYTES", path.stat().st_size)
    import_weights(path, NET)
    monkeypatch.setattr(keras_content, "MAX_MEMBER_BYTES", path.stat().st_size - 1)
    with pytest.raises(WeightsError, match="expected at most"):
        import_weights(path, NET)


def _external_link(file, secret):
    file["layers/outside"] = h5py.ExternalLink(str(secret), "/layers")


def _soft_link(file, secret):
    file["layers/soft"] = h5py.SoftLink("/layers/conv2d")


def _dangling_link(file, secret):
    file["layers/soft"] = h5py.SoftLink("/nowhere")


def _virtual(file, secret):
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "layers/conv2d/vars/1", (2,))
    del file["layers/conv2d/vars/1"]
    file.create_virtual_dataset("layers/conv2d/vars/1", layout)


def _external_storage(file, secret):
    del file["layers/conv2d/vars/1"]
    file["layers/conv2d/vars"].create_dataset("1", (2,), "f4", external=[(str(secret), 0, 8)])


def _text(file, secret):
    file["layers/text"] = "some text"


def _object(file, secret):
    file.create_dataset("layers/object", data=[b"a", b"longer"], dtype=h5py.string_dtype())


def _reference(file, secret):
    file.create_dataset("layers/reference", data=file["layers"].ref, dtype=h5py.ref_dtype)


def _fixed_text(file, secret):
    file["layers/fixed"] = np.array([b"abc"])


def _compound(file, secret):
    file["layers/compound"] = np.zeros(2, [("a", "f4"), ("b", "i4")])


def _datatype(file, secret):
    file["layers/type"] = np.dtype("f8")


def _cycle(file, secret):
    file["layers/loop"] = file["layers"]


def _crowd(file, secret):
    for i in range(300):
        file.create_group(f"layers/conv2d/g{i}")


HOSTILE = [
    (_external_link, "ExternalLink at 'outside'"),
    (_soft_link, "SoftLink at 'soft'"),
    (_dangling_link, "SoftLink at 'soft'"),
    (_virtual, "arrays inside the file.*/layers/conv2d/vars/1"),
    (_external_storage, "arrays inside the file.*/layers/conv2d/vars/1"),
    (_text, "arrays of numbers.*/layers/text"),
    (_object, "arrays of numbers.*/layers/object"),
    (_reference, "arrays of numbers.*/layers/reference"),
    (_fixed_text, r"arrays of numbers.*\|S3 at '/layers/fixed"),
    (_compound, "arrays of numbers.*/layers/compound"),
    (_datatype, "arrays inside the file.*/layers/type"),
    (_cycle, "at most 32 deep"),
]


@pytest.mark.parametrize(
    ("suffix", "change", "reason"),
    [(".weights.h5", *case) for case in HOSTILE] + [(".keras", *case) for case in HOSTILE[:4]],
    ids=[change.__name__ for change, _ in HOSTILE] + [f"{change.__name__}, zipped" for change, _ in HOSTILE[:4]],
)
def test_links_and_other_objects_are_refused_before_a_value_is_read(
    saved, tmp_path, monkeypatch, suffix, change, reason
):
    path = saved(suffix)
    secret = shutil.copy(saved(".weights.h5", "secret"), tmp_path / "secret.h5")
    edit(path, lambda file: change(file, secret))

    def refuse(*args, **kwargs):
        raise AssertionError("a value was read before the check")

    monkeypatch.setattr(h5py.Dataset, "__getitem__", refuse)
    monkeypatch.setattr(h5py.Dataset, "__array__", refuse)
    with pytest.raises(WeightsError, match=reason):
        import_weights(path, NET)


def test_a_crowd_of_objects_is_refused(saved, monkeypatch):
    path = saved(".weights.h5")
    monkeypatch.setattr(keras_hdf5, "MAX_OBJECTS", 1000)
    import_weights(path, NET)
    edit(path, lambda file: _crowd(file, None))
    monkeypatch.setattr(keras_hdf5, "MAX_OBJECTS", 200)
    with pytest.raises(WeightsError, match="at most 200 objects"):
        import_weights(path, NET)


def test_groups_that_share_their_members_cannot_multiply_the_work(saved):
    """24 groups in a chain, each holding the next one twice: 2**24 paths through 25 objects."""
    path = saved(".weights.h5")
    with h5py.File(path, "r+") as file:
        group = file.create_group("layers/chain")
        for _ in range(24):
            following = group.create_group("a")
            group["b"] = following
            group = following
    with pytest.raises(WeightsError, match="at most 20000 objects"):
        import_weights(path, NET)


@pytest.mark.parametrize("chunked", [True, False])
def test_an_absurd_claimed_shape_is_refused_before_memory_is_asked_for(saved, chunked):
    """8 TB that take no room in the file: nothing is ever written into it."""
    path = saved(".weights.h5")
    with h5py.File(path, "r+") as file:
        variables = group_of(file, "conv1_conv")["vars"]
        del variables["1"]
        variables.create_dataset("1", (2 << 40,), "f4", chunks=(1024,) if chunked else None)
    with pytest.raises(WeightsError, match=r"conv1_conv/bias expected \(2,\) received \(2199023255552,\)"):
        import_weights(path, NET)


def test_random_damage_gives_tensors_or_one_clear_refusal(saved, tmp_path):
    """60 copies with up to 40 changed bytes: whatever h5py raises arrives as WeightsError."""
    content = saved(".weights.h5").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = np.frombuffer(content, np.uint8).copy()
        at = rng.integers(0, 60_000, rng.integers(1, 40))  # where the first groups are described
        damaged[at] = rng.integers(0, 256, len(at))
        path = tmp_path / "damaged.weights.h5"
        path.write_bytes(damaged.tobytes())
        try:
            import_weights(path, NET)
        except WeightsError as error:
            assert str(path) in str(error)  # noqa: PT017
            refused += 1
    assert refused >= 10


# --- out


@pytest.mark.slow
def test_an_exported_fold_is_a_plain_keras_model_with_the_same_probabilities(tmp_path):
    path = tmp_path / "fold.keras"
    export_keras(tensors_of_the_fold(), NET, path)
    model = keras.models.load_model(path, custom_objects=None, safe_mode=True)
    received = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(received, network()(IMAGES, training=False).numpy(), rtol=2e-5, atol=1e-7)
    np.testing.assert_allclose(received.sum(axis=1), 1, atol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["fold.keras"]


def test_an_exported_fold_comes_in_again(tmp_path):
    export_keras(tensors_of_the_fold(), replace(NET, dropout=0.2), tmp_path / "f.keras")
    assert_same_tensors(import_weights(tmp_path / "f.keras", NET), tensors_of_the_fold())


def test_export_refuses_other_names_and_other_tensors(tmp_path):
    with pytest.raises(WeightsError, match="ending in .keras"):
        export_keras(tensors_of_the_fold(), NET, tmp_path / "fold.h5")
    tensors = {k: v for k, v in tensors_of_the_fold().items() if k != "conv1_conv/bias"}
    with pytest.raises(WeightsError, match="missing conv1_conv/bias"):
        export_keras(tensors, NET, tmp_path / "fold.keras")
    assert not list(tmp_path.iterdir())
