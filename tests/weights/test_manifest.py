"""The manifest: what is written reads back, and every kind of bad one is refused with its key named."""

import json
import os
import shutil
import struct
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hbac import hms
from hbac.errors import WeightsError
from hbac.network.settings import NetworkSettings
from hbac.preprocessing.golden import probe_shape
from hbac.preprocessing.presets import PRESETS, STARTER
from hbac.preprocessing.three_zooms import SHAPE, THREE_ZOOMS
from hbac.weights.manifest import MANIFEST_NAME, MAX_BYTES, Fold, Manifest, Member, read_manifest, write_manifest

PRIOR = (0.1, 0.2, 0.1, 0.1, 0.1, 0.4)
TRAINING_PRIOR = (0.2, 0.2, 0.1, 0.1, 0.1, 0.3)

PROBE_SHAPE = probe_shape(SHAPE)


def example(folder, **changes):
    golden_image = [
        [[0.25 * (c + r - k) for k in range(PROBE_SHAPE[2])] for r in range(PROBE_SHAPE[1])]
        for c in range(PROBE_SHAPE[0])
    ]
    folds = (
        Fold("weights/a.safetensors", "a" * 64, 100, 1.0, {"kl": 0.3, "rows": 50.0}, PRIOR),
        Fold("b.keras", "0123456789abcdef" * 4, 2, 2.5, {}, (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    )
    of_member = {
        "network": NetworkSettings(width=8),
        "preprocessing": PRESETS[THREE_ZOOMS],
        "temperature": 1.25,
        "golden_image": golden_image,
        "folds": folds,
    }
    member = Member(**{key: changes.pop(key, value) for key, value in of_member.items()})
    manifest = Manifest(
        folder=folder,
        title="An example, Größe 8",
        members=(member,),
        class_prior=PRIOR,
        training_prior=TRAINING_PRIOR,
        training={"command": "train.py", "epochs": 3, "lr": [1e-3, None, True], "nested": {"a": {"b": "c"}}},
    )
    return replace(manifest, **changes)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / MANIFEST_NAME
    write_manifest(example(tmp_path), path)
    return path


def alter(path, change):
    """Apply `change(document)` to a manifest on disk, without any check on the way."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def refused(path, *parts):
    with pytest.raises(WeightsError) as caught:
        read_manifest(path)
    message = str(caught.value)
    for part in (str(path), "expected", *parts):
        assert part in message
    assert len(message) < 1200
    assert message.isprintable()


# --- round trips


@pytest.mark.parametrize("preset", [THREE_ZOOMS, STARTER])
def test_what_is_written_reads_back_the_same(tmp_path, preset):
    manifest = example(tmp_path, preprocessing=PRESETS[preset])
    write_manifest(manifest, tmp_path / MANIFEST_NAME)
    assert read_manifest(tmp_path / MANIFEST_NAME) == manifest


def test_the_file_states_schema_classes_and_digest(path):
    document = json.loads(path.read_text())
    assert document["schema"] == 2
    assert document["classes"] == ["seizure_vote", "lpd_vote", "gpd_vote", "lrda_vote", "grda_vote", "other_vote"]
    assert document["preprocessing"]["digest"] == PRESETS[THREE_ZOOMS].digest()
    assert document["network"] == {"width": 8, "input_shape": [400, 300, 3]}


def test_a_family_is_stated_where_it_is_not_resnet50(tmp_path, path):
    assert "family" not in json.loads(path.read_text())["network"]
    network = NetworkSettings(width=16, family="densenet121")
    write_manifest(example(tmp_path, network=network), path)
    assert json.loads(path.read_text())["network"] == {
        "width": 16,
        "input_shape": [400, 300, 3],
        "family": "densenet121",
    }
    assert read_manifest(path).network == network
    for wrong in ("vgg16", None, ["densenet121"]):
        alter(path, lambda document, wrong=wrong: document["network"].update(family=wrong))
        with pytest.raises(WeightsError, match=r"manifest.network.family: expected one of .*'resnet50'.*, received"):
            read_manifest(path)


def test_a_byte_order_mark_and_other_spacing_are_read(path):
    expected = read_manifest(path)
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(json.loads(path.read_text()), indent=4).encode())
    assert read_manifest(path) == expected


def test_whole_numbers_stand_for_floats(path):
    alter(path, lambda d: d.update(temperature=1))
    assert read_manifest(path).temperature == 1.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"temperature": float("nan")}, "manifest.temperature"),
        ({"title": ""}, "manifest.title"),
        ({"class_prior": (0.5,) * 6}, "manifest.class_prior"),
        ({"training_prior": (0.5, 0.5, 0.0, 0.0, 0.0, 0.0)}, "manifest.training_prior"),
        ({"folds": ()}, "manifest.folds"),
        ({"training": {"loss": float("inf")}}, "manifest.training.loss"),
        ({"network": NetworkSettings(width=0)}, "manifest.network.width"),
        ({"preprocessing": replace(PRESETS[THREE_ZOOMS], clip_uv=500.0)}, "manifest.preprocessing.clip_uv"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, changes, named):
    with pytest.raises(WeightsError, match=named):
        write_manifest(example(tmp_path, **changes), tmp_path / MANIFEST_NAME)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("schema", [1, 2])
def test_without_a_training_prior_it_is_the_class_prior(path, schema):
    alter(path, lambda d: [d.pop("training_prior"), d.update(schema=schema)])
    assert read_manifest(path) == example(path.parent, training_prior=PRIOR)


def test_schema_1_has_no_training_prior(path):
    alter(path, lambda d: d.update(schema=1))
    refused(path, "training_prior", "unknown")


# --- keys, types, ranges


def _paths(value, at=()):
    yield at
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _paths(part, (*at, key))


def _put(document, at, value):
    for key in at[:-1]:
        document = document[key]
    document[at[-1]] = value


OPTIONAL = {"training_prior"}
OBJECTS = ((), ("network",), ("preprocessing",), ("folds", 1))


def _get(document, at):
    for key in at:
        document = document[key]
    return document


@pytest.mark.parametrize("at", OBJECTS, ids=lambda at: "/".join(map(str, at)) or "top")
def test_an_unknown_key_is_refused_by_name(path, at):
    alter(path, lambda d: _get(d, at).update(surprise=1))
    refused(path, "surprise", "unknown")


@pytest.mark.parametrize("at", OBJECTS, ids=lambda at: "/".join(map(str, at)) or "top")
def test_every_missing_key_is_refused_by_name(path, at):
    for key in set(_get(json.loads(path.read_text()), at)) - OPTIONAL:
        good = path.read_text()
        alter(path, lambda d, key=key: _get(d, at).pop(key))
        refused(path, key, "missing")
        path.write_text(good)


KEYS = [
    ("schema",), ("title",), ("network",), ("network", "width"), ("network", "input_shape"), ("preprocessing",),
    ("preprocessing", "preset"), ("preprocessing", "clip_uv"), ("preprocessing", "digest"), ("classes",), ("temperature",),
    ("class_prior",), ("class_prior", 2), ("training_prior",), ("training_prior", 5), ("golden_image",), ("golden_image", 1), ("golden_image", 2, 14, 8), ("folds",),
    ("folds", 0), ("folds", 0, "file"), ("folds", 1, "sha256"), ("folds", 1, "bytes"), ("folds", 1, "weight"),
    ("folds", 0, "score"), ("folds", 0, "score", "kl"), ("folds", 1, "golden"), ("folds", 1, "golden", 5), ("training",),
]  # fmt: skip


@pytest.mark.parametrize("at", KEYS, ids=lambda at: "/".join(map(str, at)))
def test_a_value_of_the_wrong_type_is_refused_with_its_key(path, at):
    """None, truth values (which Python counts as numbers), huge numbers, 1e400, and each kind of JSON value."""
    good = path.read_text()
    kept = _get(json.loads(good), at)
    for wrong in (
        None,
        True,
        "text",
        1.5,
        -7,
        10**400,
        float("inf"),
        float("nan"),
        [],
        [None] * 6,
        {},
        {"a": 1},
        "x" * 5000,
    ):
        same_kind = (
            (
                at in (("title",), ("training",), ("folds", 0, "score"))
                and type(wrong) is type(kept)
                and wrong != "x" * 5000
            )
            or (at == ("temperature",) and wrong == 1.5)
            or (at == ("folds", 1, "weight") and wrong == 1.5)
            or (at[:1] == ("golden_image",) and len(at) == 4 and wrong in (1.5, -7))
            or (at == ("folds", 0, "score", "kl") and wrong in (1.5, -7) and wrong is not True)
        )
        if same_kind and wrong != kept:
            continue
        alter(path, lambda d, wrong=wrong: _put(d, at, wrong))
        refused(path, str(at[-1]) if isinstance(at[-1], str) else f"[{at[-1]}]")
        path.write_text(good)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("temperature",), 0),
        (("temperature",), 1e4),
        (("folds", 0, "weight"), 0),
        (("folds", 0, "weight"), -1.0),
        (("folds", 0, "bytes"), 0),
        (("folds", 0, "bytes"), 1 << 40),
        (("folds", 0, "bytes"), 100.0),
        (("network", "width"), 513),
        (("network", "width"), 8.0),
        (("network", "input_shape"), [300, 400, 3]),
        (("class_prior",), [0.1, 0.2, 0.1, 0.1, 0.1, 0.39]),
        (("class_prior",), [1.1, -0.1, 0, 0, 0, 0]),
        (("class_prior",), [0.2] * 5),
        (("training_prior",), [0.1, 0.2, 0.1, 0.1, 0.1, 0.39]),
        (("training_prior",), [0.6, 0.0, 0.1, 0.1, 0.1, 0.1]),
        (("training_prior",), [0.6, 1e-7, 0.1, 0.1, 0.1, 0.1 - 1e-7]),
        (("training_prior",), [1.1, -0.1, 0, 0, 0, 0]),
        (("training_prior",), [0.2] * 5),
        (("folds", 1, "golden"), [1 / 7] * 7),
        (("folds", 0, "sha256"), "A" * 64),
        (("folds", 0, "sha256"), "a" * 63),
        (("folds", 0, "sha256"), "g" * 64),
        (("schema",), 0),
        (("schema",), 3),
        (("schema",), 2.0),
        (("schema",), "1"),
        (("classes",), list(hms.VOTE_COLUMNS[::-1])),
        (("classes",), list(hms.VOTE_COLUMNS[:5])),
        (("preprocessing", "clip_uv"), 1000.0),
        (("preprocessing", "log_floor"), -4.0001),
        (("preprocessing", "preset"), "four-zooms-v9"),
        (("preprocessing", "digest"), "0" * 64),
        (("title",), "two\nlines"),
        (("title",), "\x1b[2J"),
        (("title",), "\ud800"),
        (("golden_image",), [[[0.0] * 9] * 15] * 2),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_key(path, at, value):
    alter(path, lambda d: _put(d, at, value))
    refused(path, at[-1])


def test_an_unknown_preset_is_refused_with_the_known_ones(path):
    alter(path, lambda d: d["preprocessing"].update(preset="other"))
    refused(path, "preprocessing.preset", THREE_ZOOMS, STARTER, "'other'")


def test_settings_of_one_preset_under_the_name_of_another_are_refused(path):
    """The digest names the settings; here it is of the preset that the file does not name."""
    alter(path, lambda d: d["preprocessing"].update(digest=PRESETS[STARTER].digest()))
    refused(path, "preprocessing.digest", PRESETS[THREE_ZOOMS].digest(), PRESETS[STARTER].digest())


@pytest.mark.parametrize("name", [f for f, v in asdict(PRESETS[THREE_ZOOMS]).items() if isinstance(v, float)])
def test_every_altered_preprocessing_value_is_refused_even_with_its_own_digest(path, name):
    value = asdict(PRESETS[THREE_ZOOMS])[name] * 1.01 + 1e-6
    changed = replace(PRESETS[THREE_ZOOMS], **{name: value})
    alter(path, lambda d: d["preprocessing"].update({name: value, "digest": changed.digest()}))
    refused(path, f"preprocessing.{name}", repr(value))


def test_no_fold_and_too_many_folds_are_refused(path):
    good = path.read_text()
    alter(path, lambda d: d.update(folds=[]))
    refused(path, "manifest.folds")
    path.write_text(good)
    alter(
        path, lambda d: d.update(folds=[dict(d["folds"][0], file=f"{i}.keras", sha256=f"{i:064x}") for i in range(65)])
    )
    refused(path, "manifest.folds", "1 to 64")


@pytest.mark.parametrize("key", ["file", "sha256"])
def test_a_fold_that_comes_twice_is_refused(path, key):
    alter(path, lambda d: d["folds"][1].update({key: d["folds"][0][key]}))
    refused(path, "manifest.folds", f"each {key} once")


# --- file names

BAD_FILES = [
    "/etc/fold.keras", "../fold.keras", "weights/../fold.keras", "..", "./fold.keras", "weights/./a.keras", "a//b.keras",
    "/fold.keras", "weights\\fold.keras", "..\\fold.keras", "C:fold.keras", "C:\\fold.keras", "c:/fold.keras", "\\\\host\\f.keras",
    "file:///fold.keras", "a\0.keras", "a.keras\0.safetensors", "one/two/fold.keras", "fold.h5", "fold.pkl", "fold.npz", "fold",
    "fold.keras/", "", "a\n.keras", "\ud800.keras", "x" * 1000 + ".keras",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES, ids=[ascii(name)[:30] for name in BAD_FILES])
def test_a_file_name_that_leads_elsewhere_is_refused(path, name):
    alter(path, lambda d: d["folds"][1].update(file=name))
    refused(path, "folds[1].file")


@pytest.mark.parametrize("name", ["a.safetensors", "w/a.keras", "w/a.weights.h5", "..a.keras", "ünïcode fold.keras"])
def test_plain_file_names_at_most_one_folder_down_are_taken(path, name):
    alter(path, lambda d: d["folds"][1].update(file=name))
    assert read_manifest(path).folds[1].file == name


# --- text that is no manifest


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "JSON"),
        (b"\x00" * 100, "JSON"),
        (b"not json", "JSON"),
        (b"[]", "an object"),
        (b"null", "an object"),
        (b'"text"', "an object"),
        (b"1e400", "an object"),
        (b'{"schema": 1', "JSON"),
        (b'{"schema": 1} trailing', "JSON"),
        (b'{"title": "caf\xe9"}', "JSON"),
        ('{"schema": 1}'.encode("utf-16"), "JSON"),
        ('{"schema": 1}'.encode("utf-32-le"), "JSON"),
        (b"[" * 1_000_000, "JSON"),
        (b'{"a":' * 500_000, "JSON"),
        (b"9" * 1_000_000, "JSON"),
        (b"\x80\x04\x95pickle", "JSON"),
        (struct.pack("<Q", 2) + b"{}", "JSON"),
    ],
    ids=range(17),
)
def test_what_is_no_manifest_at_all_is_refused(path, content, part):
    path.write_bytes(content)
    refused(path, part)


@pytest.mark.parametrize("at", ["training", "training.deep"])
def test_nesting_that_exhausts_python_is_refused(path, at):
    deep = "[" * 90_000 + "]" * 90_000
    path.write_text(path.read_text().replace('"command"', f'"deep": {deep}, "command"'))
    refused(path, "JSON")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"schema": 2', '"schema": 2, "schema": 2', "'schema' twice"),
        ('"width": 8', '"width": 8, "width": 9', "'width' twice"),
        ('"epochs": 3', '"epochs": 3, "epochs": 3', "'epochs' twice"),
        ('"kl": 0.3', '"kl": 0.3, "kl": 0.1', "'kl' twice"),
        ('"weight": 2.5', '"weight": NaN', "folds[1].weight"),
        ('"weight": 2.5', '"weight": -Infinity', "folds[1].weight"),
        ('"weight": 2.5', '"weight": 1e400', "folds[1].weight"),
        ('"temperature": 1.25', '"temperature": Infinity', "manifest.temperature"),
        ('"kl": 0.3', '"kl": NaN', "score.kl"),
        ('"epochs": 3', '"epochs": 1e400', "training.epochs"),
        ('"c"', "[[NaN]]", "training.nested"),
    ],
)
def test_keys_twice_and_numbers_that_are_not_finite_are_refused_by_name(path, old, new, key):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    refused(path, key)


def test_a_file_above_the_limit_is_refused(path):
    text = path.read_text()
    path.write_text(text + " " * (MAX_BYTES - len(text.encode())))
    read_manifest(path)
    path.write_text(path.read_text() + " ")
    refused(path, f"at most {MAX_BYTES} bytes")


def test_a_missing_manifest_or_a_folder_is_refused(tmp_path):
    refused(tmp_path / "none.json", "No such file")
    refused(tmp_path, "directory")


# --- where the folds lie


@pytest.fixture
def placed(path):
    """A manifest with two (empty) files at their stated places."""
    (path.parent / "weights").mkdir()
    (path.parent / "weights/a.safetensors").write_bytes(b"a")
    (path.parent / "b.keras").write_bytes(b"b")
    return read_manifest(path)


def test_folds_are_found_at_their_stated_places(placed):
    assert [placed.path(fold).read_bytes() for fold in placed.folds] == [b"a", b"b"]


def test_a_fold_beside_the_manifest_is_found_where_kaggle_flattens_the_folders(placed):
    shutil.move(placed.folder / "weights/a.safetensors", placed.folder / "a.safetensors")
    (placed.folder / "weights").rmdir()
    assert placed.path(placed.folds[0]) == placed.folder / "a.safetensors"


def test_the_stated_place_wins(placed):
    (placed.folder / "a.safetensors").write_bytes(b"other")
    assert placed.path(placed.folds[0]).read_bytes() == b"a"


def test_a_missing_fold_is_named(placed):
    (placed.folder / "b.keras").unlink()
    with pytest.raises(WeightsError, match=r"b\.keras: expected the file of a fold, found none"):
        placed.path(placed.folds[1])


@pytest.mark.parametrize("folder", ["b.keras", "b"])
def test_a_fold_that_an_upload_has_unpacked_is_named_with_what_to_do(placed, folder):
    (placed.folder / "b.keras").unlink()
    (placed.folder / folder).mkdir()
    with pytest.raises(WeightsError, match=r"b\.keras: expected the file .* unpacked it; `hbac weights import`"):
        placed.path(placed.folds[1])


@pytest.mark.parametrize("kind", ["absolute", "relative", "folder", "dangling", "loop", "chain"])
def test_links_that_leave_the_folder_are_refused(placed, tmp_path_factory, kind):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.safetensors").write_bytes(b"secret")
    link = placed.folder / "weights/a.safetensors"
    link.unlink()
    if kind == "folder":
        link.parent.rmdir()
        (outside / "a.safetensors").write_bytes(b"secret")
        link.parent.symlink_to(outside)
    elif kind == "chain":
        (placed.folder / "inner").symlink_to(outside)
        link.symlink_to(placed.folder / "inner/secret.safetensors")
    else:
        target = {
            "absolute": outside / "secret.safetensors",
            "relative": Path(os.path.relpath(outside / "secret.safetensors", link.parent)),
            "dangling": outside / "none",
            "loop": link,
        }[kind]
        link.symlink_to(target)
    with pytest.raises(WeightsError, match=r"a\.safetensors: expected"):
        placed.path(placed.folds[0])


def test_links_inside_the_folder_and_a_linked_folder_are_fine(placed, tmp_path_factory):
    """Kaggle and many clusters mount data sets through links."""
    os.replace(placed.folder / "b.keras", placed.folder / "real.keras")
    (placed.folder / "b.keras").symlink_to("real.keras")
    assert placed.path(placed.folds[1]).read_bytes() == b"b"
    mount = tmp_path_factory.mktemp("mount") / "data"
    mount.symlink_to(placed.folder)
    mounted = read_manifest(mount / MANIFEST_NAME)
    assert [mounted.path(fold).read_bytes() for fold in mounted.folds] == [b"a", b"b"]


# --- several members


def mixed(folder, **changes):
    """Two members, the second on another preset."""
    first = replace(example(folder).only, name="zooms", weight=0.6)
    fold = replace(first.folds[0], file="weights/c.safetensors", sha256="c" * 64)
    second = replace(first, name="starter", weight=2.0, preprocessing=PRESETS[STARTER], temperature=0.9, folds=(fold,))
    return replace(example(folder), members=(first, second), **{"mean": "geometric", **changes})


@pytest.fixture
def of_two(tmp_path):
    path = tmp_path / MANIFEST_NAME
    write_manifest(mixed(tmp_path), path)
    return path


def test_a_mixed_manifest_reads_back_the_same(of_two):
    assert read_manifest(of_two) == mixed(of_two.parent)
    keys = list(json.loads(of_two.read_text()))
    assert keys == ["schema", "title", "classes", "class_prior", "training_prior", "mean", "members", "training"]


def test_what_a_member_has_is_no_mixed_manifest_s(of_two):
    manifest = read_manifest(of_two)
    assert (manifest.is_mixed, len(manifest.all_folds())) == (True, 3)
    assert [preset.preset for preset in manifest.presets()] == [THREE_ZOOMS, STARTER]
    for name in ("network", "preprocessing", "temperature", "golden_image", "folds", "only"):
        with pytest.raises(
            WeightsError, match="expected a manifest of one member, received a mixed one of 2: zooms, starter"
        ):
            getattr(manifest, name)


def test_a_manifest_of_one_member_is_written_without_members(tmp_path, path):
    """Whatever its name and weight: the bytes are those of the time before there were several."""
    named = replace(example(tmp_path).only, name="alone", weight=7.0)
    write_manifest(replace(example(tmp_path), members=(named,)), tmp_path / "other.json")
    assert (tmp_path / "other.json").read_bytes() == path.read_bytes()
    assert "members" not in json.loads(path.read_text())


def test_a_list_of_one_member_is_read(of_two):
    alter(of_two, lambda document: document["members"].pop())
    manifest = read_manifest(of_two)
    assert (manifest.is_mixed, manifest.only.name, manifest.temperature) == (False, "zooms", 1.25)


def set_in(*keys, value):
    def change(document):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def twice(key):
    def change(document):
        first, second = document["members"]
        second["folds"][0][key] = first["folds"][1][key]

    return change


REFUSED_MEMBERS = {
    "none": (set_in("members", value=[]), "manifest.members: expected a list of 1 to 16"),
    "too many": (lambda d: set_in("members", value=d["members"] * 9)(d), "manifest.members: expected a list of 1 to 16"),
    "an object": (set_in("members", value={}), "manifest.members: expected a list"),
    "a text": (set_in("members", 0, value="zooms"), "manifest.members[0]: expected an object"),
    "one name": (set_in("members", 1, "name", value="zooms"), "expected each name once"),
    "a path for a name": (set_in("members", 1, "name", value="../x"), "manifest.members[1].name: expected a name of 1 to 64"),
    "a name of a line": (set_in("members", 1, "name", value="x\n"), "manifest.members[1].name"),
    "a hidden name": (set_in("members", 1, "name", value=".x"), "manifest.members[1].name"),
    "no weight": (lambda d: d["members"][0].pop("weight"), "missing ['weight']"),
    "a weight of 0": (set_in("members", 0, "weight", value=0), "manifest.members[0].weight: expected a number"),
    "an unknown key": (set_in("members", 0, "colour", value=1), "unknown ['colour']"),
    "no mean": (lambda d: d.pop("mean"), "missing ['mean']"),
    "no members": (lambda d: d.pop("members"), "missing ['members']"),
    "another mean": (set_in("mean", value="harmonic"), "manifest.mean: expected one of arithmetic, geometric"),
    "a list for a mean": (set_in("mean", value=["arithmetic"]), "manifest.mean: expected one of"),
    "both forms": (set_in("temperature", value=1.0), "unknown ['temperature']"),
    "schema 1": (lambda d: (d.pop("training_prior"), set_in("schema", value=1)(d)), "unknown ['mean', 'members']"),
    "a file twice": (twice("file"), "expected each file once"),
    "a digest twice": (twice("sha256"), "expected each sha256 once"),
    "another shape": (set_in("members", 1, "network", "input_shape", value=[2000, 16]), "manifest.members[1].network.input_shape"),
    "another golden image": (set_in("members", 1, "golden_image", value=[[1.0]]), "manifest.members[1].golden_image"),
    "another digest": (set_in("members", 1, "preprocessing", "digest", value="0"), "manifest.members[1].preprocessing.digest"),
    "no folds": (set_in("members", 1, "folds", value=[]), "manifest.members[1].folds"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED_MEMBERS)
def test_members_that_are_not_as_the_schema_has_them_are_refused(name, of_two):
    change, said = REFUSED_MEMBERS[name]
    alter(of_two, change)
    refused(of_two, said)


def test_more_folds_of_all_members_than_one_may_have_are_refused(of_two):
    def many(document):
        for member, letter in zip(document["members"], "de"):
            fold = member["folds"][0]
            member["folds"] = [
                {**fold, "file": f"{letter}{number}.safetensors", "sha256": f"{letter}{number:063d}"}
                for number in range(33)
            ]

    alter(of_two, many)
    refused(of_two, "manifest.folds: expected at most 64 of all members, received 66")
