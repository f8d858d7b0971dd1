"""Files that appear whole or not at all."""

import hashlib
import os
from pathlib import Path

import pytest

from hbac import files
from hbac.errors import OutputError
from hbac.files import sha256_of, write_atomically


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path):
    write_atomically(tmp_path / "submission.csv", b"eeg_id\n1\n")
    assert [path.name for path in tmp_path.iterdir()] == ["submission.csv"]
    assert (tmp_path / "submission.csv").read_bytes() == b"eeg_id\n1\n"


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old and longer")
    write_atomically(path, b"")
    assert path.read_bytes() == b""


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_write_leaves_the_old_file_and_no_part(tmp_path, monkeypatch, failing, failure):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail(*_):
        raise failure

    monkeypatch.setattr(files.os, failing, fail)
    with pytest.raises(OutputError if isinstance(failure, OSError) else KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_the_name_never_shows_a_part_of_the_content(tmp_path, monkeypatch):
    """When the content is moved into place, all of it is on the disk under another name."""
    path, seen = tmp_path / "x", []
    replace = os.replace

    def look(source, target):
        seen.append((path.exists(), Path(source).read_bytes()))
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", look)
    write_atomically(path, b"content")
    assert seen == [(False, b"content")]


def test_a_folder_that_is_missing_is_an_error_of_input(tmp_path):
    with pytest.raises(OutputError, match=r"none/x: expected a place to write to, received: No such file"):
        write_atomically(tmp_path / "none" / "x", b"")


def test_a_file_in_place_of_the_folder_is_an_error_of_input(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="expected a place to write to, received: Not a directory"):
        write_atomically(tmp_path / "file" / "x", b"")


def test_a_folder_in_place_of_the_file_is_an_error_of_input_and_stays(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OutputError, match="expected a place to write to"):
        write_atomically(tmp_path / "x", b"")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_an_error_of_input(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_atomically(tmp_path / "x", b"")


@pytest.mark.parametrize(
    ("content", "digest"),
    [  # the answers of sha256sum
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ],
)
def test_the_digest_is_that_of_sha256sum(tmp_path, content, digest):
    (tmp_path / "x").write_bytes(content)
    assert sha256_of(tmp_path / "x") == digest


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_the_digest_does_not_depend_on_the_size_of_the_blocks(tmp_path, size):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "x").write_bytes(content)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(content).hexdigest()
