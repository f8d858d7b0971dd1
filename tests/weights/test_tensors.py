"""Safetensors folds: read back by safetensors itself, and refused for every reason that a file can give."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy
from helpers_folds import random_tensors

from hbac.errors import WeightsError
from hbac.files import sha256_of
from hbac.network.families import build
from hbac.network.settings import NetworkSettings
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.weights.checkpoints import load_fold, read_tensors
from hbac.weights.manifest import Fold, Manifest, Member
from hbac.weights.tensors import (
    MAX_HEADER_BYTES,
    check_finite,
    compare_shapes,
    read_safetensors,
    set_weights,
    write_safetensors,
)

NET = NetworkSettings(width=2, input_shape=(64, 64, 3))
SMALL = {"a_conv/kernel": (2, 3), "a_bn/moving_variance": (3,)}


@pytest.fixture
def small():
    return {
        "a_conv/kernel": np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5,
        "a_bn/moving_variance": np.array([0, 1, 2], np.float32),
    }


def _raw(path, header, data=b"", length=None):
    """A safetensors file as stated, true or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def _table(**changes):
    table = {
        "a_bn/moving_variance": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
        "a_conv/kernel": {"dtype": "F32", "shape": [2, 3], "data_offsets": [12, 36]},
    }
    for name, change in changes.items():
        table[{"variance": "a_bn/moving_variance", "kernel": "a_conv/kernel"}[name]].update(change)
    return table


# --- round trips


@pytest.mark.parametrize(("dtype", "code"), [(np.float32, "F32"), (np.float16, "F16")])
def test_written_tensors_are_those_that_safetensors_reads(tmp_path, dtype, code):
    tensors = random_tensors(NET, 0)
    path = tmp_path / "fold.safetensors"
    write_safetensors(path, tensors, dtype)
    theirs = safetensors.numpy.load_file(path)
    assert theirs.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert theirs[name].dtype == dtype
        np.testing.assert_array_equal(theirs[name], tensor.astype(dtype))
    ours = read_tensors(path, NET)
    assert {tensor.dtype for tensor in ours.values()} == {np.dtype(np.float32)}
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(ours[name], tensor.astype(dtype).astype(np.float32))
    header = json.loads(path.read_bytes()[8 : 8 + struct.unpack("<Q", path.read_bytes()[:8])[0]])
    assert {entry["dtype"] for name, entry in header.items() if name != "__metadata__"} == {code}


def test_what_safetensors_writes_is_read(tmp_path, small):
    safetensors.numpy.save_file(small, tmp_path / "x.safetensors", metadata={"who": "someone"})
    received = read_safetensors(tmp_path / "x.safetensors", SMALL)
    for name, tensor in small.items():
        np.testing.assert_array_equal(received[name], tensor)


def test_tensors_in_another_memory_order_are_written_as_they_read(tmp_path, small):
    kernel = np.asfortranarray(small["a_conv/kernel"])
    write_safetensors(tmp_path / "x.safetensors", {**small, "a_conv/kernel": kernel})
    np.testing.assert_array_equal(safetensors.numpy.load_file(tmp_path / "x.safetensors")["a_conv/kernel"], kernel)


def test_the_same_tensors_give_the_same_bytes(tmp_path, small):
    write_safetensors(tmp_path / "a.safetensors", small)
    write_safetensors(tmp_path / "b.safetensors", dict(reversed(small.items())))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("name", "value", "dtype"),
    [
        ("a_conv/kernel", np.nan, np.float32),
        ("a_conv/kernel", -np.inf, np.float32),
        ("a_bn/moving_variance", -1e-3, np.float32),
    ],
)
def test_values_that_no_network_has_are_not_written(tmp_path, small, name, value, dtype):
    small[name].flat[1] = value
    with pytest.raises(WeightsError, match=name):
        write_safetensors(tmp_path / "x.safetensors", small, dtype)
    assert not list(tmp_path.iterdir())


def test_65504_fits_into_float16(tmp_path, small):
    small["a_conv/kernel"][0, 0] = 65_504
    write_safetensors(tmp_path / "x.safetensors", small, np.float16)
    assert read_safetensors(tmp_path / "x.safetensors", SMALL)["a_conv/kernel"][0, 0] == 65_504


def test_a_tensor_beyond_float16_stays_in_float32(tmp_path, small):
    small["a_bn/moving_variance"].flat[0] = 1e6
    write_safetensors(tmp_path / "x.safetensors", small, np.float16)
    received = read_safetensors(tmp_path / "x.safetensors", SMALL)
    assert received["a_bn/moving_variance"].flat[0] == 1e6
    assert received["a_conv/kernel"].dtype == np.float16


# --- files that are refused; `_raw` writes what is stated


def test_the_hand_made_file_is_read(tmp_path):
    """What the refused files below are made from is itself a good file."""
    values = np.arange(9, dtype="<f4")
    received = read_safetensors(_raw(tmp_path / "x.safetensors", _table(), values.tobytes()), SMALL)
    np.testing.assert_array_equal(received["a_bn/moving_variance"], values[:3])
    np.testing.assert_array_equal(received["a_conv/kernel"].ravel(), values[3:])


GOOD = np.arange(9, dtype="<f4").tobytes()
NAN = np.array([0, 1, 2, 3, np.nan, 5, 6, 7, 8], "<f4").tobytes()
NEGATIVE = np.array([0, -1, 2, 3, 4, 5, 6, 7, 8], "<f4").tobytes()
LONG = "x" * 100_000


@pytest.mark.parametrize(
    ("header", "data", "length", "reason"),
    [
        (_table(), GOOD, 0, "header"),
        (_table(), GOOD, 1, "header"),
        (_table(), GOOD, 10_000, "header"),
        (_table(), GOOD, 2**63 + 5, "header"),
        (_table(), GOOD, 2**64 - 1, "header"),
        (_table(), GOOD, 60, "expected a safetensors file"),
        (b"\x80\x02garbage!", GOOD, None, "expected a safetensors file"),
        (b"[1, 2, 3]", GOOD, None, "received none"),
        (b"{}", GOOD, None, "received none"),
        (b'{"__metadata__": {"a": "b"}}', GOOD, None, "received none"),
        (b'{"a_conv/kernel": 3}', GOOD, None, "received none"),
        (b'{"a_conv/kernel": {"dtype": "F32"}}', GOOD, None, "received none"),
        (b"[" * 100_000, b"", None, "expected a safetensors file"),
        (_table(kernel={"shape": [3, 2]}), GOOD, None, r"a_conv/kernel expected \(2, 3\) received \(3, 2\)"),
        (_table(kernel={"shape": [2.0, 3]}), GOOD, None, "whole numbers for 'a_conv/kernel'"),
        (_table(kernel={"shape": [True, 6]}), GOOD, None, "whole numbers for 'a_conv/kernel'"),
        (_table(kernel={"shape": "23"}), GOOD, None, "whole numbers for 'a_conv/kernel'"),
        (_table(kernel={"shape": [-2, -3]}), GOOD, None, r"received \(-2, -3\)"),
        (_table(kernel={"shape": [2**70, 3]}), GOOD, None, "a_conv/kernel expected"),
        (_table(kernel={"dtype": "F64"}), GOOD, None, r"a_conv/kernel as one of \['F16', 'F32'\], received 'F64'"),
        (_table(kernel={"dtype": "BF16"}), GOOD, None, "received 'BF16'"),
        (_table(kernel={"dtype": ["F32"]}), GOOD, None, "a dtype"),
        (_table(kernel={"dtype": None}), GOOD, None, "a dtype"),
        (_table(kernel={"dtype": "F16"}), GOOD, None, "expected a safetensors file"),  # 12 bytes are left over
        (_table(kernel={"data_offsets": [0, 24]}), GOOD, None, "expected a safetensors file"),
        (_table(kernel={"data_offsets": [24, 48]}), GOOD + GOOD, None, "expected a safetensors file"),
        (_table(kernel={"data_offsets": [36, 12]}), GOOD, None, "expected a safetensors file"),
        (_table(kernel={"data_offsets": [-1, 23]}), GOOD, None, "expected a safetensors file"),
        (_table(), GOOD[:-1], None, "expected a safetensors file"),
        (_table(), GOOD + b"\0", None, "expected a safetensors file"),
        ({**_table(), "b/bias": {"dtype": "F32", "shape": [1], "data_offsets": [36, 40]}}, GOOD, None, "unexpected b/bias"),
        ({k: v for k, v in _table().items() if "kernel" not in k}, GOOD[:12], None, "missing a_conv/kernel"),
        ({**_table(), LONG: {"dtype": "F32", "shape": [1], "data_offsets": [36, 40]}}, GOOD, None, "unexpected xxx"),
        ({**_table(), "b\n\x1b[2J": {"dtype": "F32", "shape": [1], "data_offsets": [36, 40]}}, GOOD, None, "unexpected"),
        (_table(), NAN, None, "expected finite values, received others in a_conv/kernel"),
        (_table(), NEGATIVE, None, "received -1.0 in a_bn/moving_variance"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_exactly_the_network_is_refused_by_name(tmp_path, header, data, length, reason):
    path = _raw(tmp_path / "x.safetensors", header, data, length)
    with pytest.raises(WeightsError, match=reason) as caught:
        read_safetensors(path, SMALL)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\0" * 8, b"PK\x03\x04" + b"\0" * 60])
def test_short_and_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="safetensors"):
        read_safetensors(tmp_path / "x.safetensors", SMALL)


def test_a_header_above_the_limit_is_refused_before_it_is_read(tmp_path):
    """safetensors itself would take it: the file is good but for its size."""
    header = {**_table(), "__metadata__": {"padding": "x" * MAX_HEADER_BYTES}}
    path = _raw(tmp_path / "x.safetensors", header, GOOD)
    assert set(safetensors.numpy.load_file(path)) == set(SMALL)
    with pytest.raises(WeightsError, match="header"):
        read_safetensors(path, SMALL)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_missing_file_or_a_folder_is_refused(tmp_path, make):
    make(tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="x.safetensors"):
        read_safetensors(tmp_path / "x.safetensors", SMALL)


# --- names and shapes


def test_the_error_names_both_differences():
    expected, received = {"a/b": (1,), "c/d": (2,), "e/f": (3,)}, {"a/b": (1,), "e/f": (4,), "g/h": (2,)}
    with pytest.raises(WeightsError) as caught:
        compare_shapes("file", expected, received)
    for part in ("missing c/d", "unexpected g/h", "e/f expected (3,) received (4,)", "expected 3 tensors, received 3"):
        assert part in str(caught.value)
    assert "a/b" not in str(caught.value)


def test_many_differences_are_counted_after_the_first_eight():
    with pytest.raises(WeightsError, match="and 12 more") as caught:
        compare_shapes("file", {f"t{i}": (1,) for i in range(20)}, {})
    assert str(caught.value).count("missing") == 8
    with pytest.raises(WeightsError) as caught:
        compare_shapes("file", {f"t{i}": (1,) for i in range(8)}, {})
    assert "more" not in str(caught.value)


def test_equal_names_in_another_order_are_equal():
    compare_shapes("file", {"a": (1,), "b": (2,)}, {"b": (2,), "a": (1,)})


def test_a_variance_of_zero_passes_and_less_does_not():
    check_finite("file", {"x_bn/moving_variance": np.zeros(2)})
    with pytest.raises(WeightsError, match="x_bn/moving_variance"):
        check_finite("file", {"x_bn/moving_variance": np.array([1.0, -1e-30])})
    check_finite("file", {"x_bn/moving_mean": np.array([-1.0])})


def test_a_model_gets_its_weights_by_name_whatever_their_order():
    model = build(NET)
    tensors = random_tensors(NET, 4)
    set_weights(model, dict(reversed(tensors.items())))
    for layer in model.layers:
        for variable in layer.weights:
            np.testing.assert_array_equal(variable.numpy(), tensors[f"{layer.name}/{variable.name}"])


def test_a_model_refuses_weights_of_another_name_and_stays_as_it_is():
    model = build(NET)
    before = [w.copy() for w in model.get_weights()]
    tensors = random_tensors(NET, 4)
    tensors["conv2_block9_1_conv/bias"] = tensors.pop("conv2_block2_1_conv/bias")
    with pytest.raises(WeightsError, match="missing conv2_block2_1_conv/bias; unexpected conv2_block9_1_conv/bias"):
        set_weights(model, tensors)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


# --- folds of a manifest


@pytest.fixture
def fold(tmp_path):
    path = tmp_path / "fold.safetensors"
    write_safetensors(path, random_tensors(NET, 1), np.float16)
    entry = Fold(path.name, sha256_of(path), path.stat().st_size, 1.0, {}, (1.0, 0, 0, 0, 0, 0))
    member = Member(NET, PRESETS[THREE_ZOOMS], 1.0, [], (entry,))
    return Manifest(tmp_path, "t", (member,), (1.0, 0, 0, 0, 0, 0), (1 / 6,) * 6, {}), entry, path


def test_a_fold_of_the_stated_size_and_digest_loads(fold):
    manifest, entry, _ = fold
    tensors = load_fold(manifest, entry)
    np.testing.assert_array_equal(
        tensors["conv1_conv/kernel"], random_tensors(NET, 1)["conv1_conv/kernel"].astype(np.float16)
    )


def test_one_flipped_bit_is_refused_with_both_digests(fold):
    manifest, entry, path = fold
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"expected SHA-256 {entry.sha256}, received {sha256_of(path)}"):
        load_fold(manifest, entry)


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"\0", lambda c: b""])
def test_another_size_is_refused_with_both_sizes(fold, change):
    manifest, entry, path = fold
    content = change(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"expected {entry.bytes} bytes, received {len(content)}"):
        load_fold(manifest, entry)


def test_a_file_that_cannot_be_read_is_refused(fold, monkeypatch):
    """Root may read everything, so the refusal of the operating system is put in its place."""
    manifest, entry, _ = fold

    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hbac.weights.checkpoints.sha256_of", denied)
    with pytest.raises(WeightsError, match="Permission denied"):
        load_fold(manifest, entry)


def test_a_missing_fold_is_refused(fold):
    manifest, entry, path = fold
    path.unlink()
    with pytest.raises(WeightsError, match=r"fold\.safetensors: expected the file of a fold, found none"):
        load_fold(manifest, entry)
