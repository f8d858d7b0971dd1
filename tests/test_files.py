"""Files that appear whole or not at all."""

import hashlib
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import package_folder

from hbac import files
from hbac.errors import OutputError
from hbac.files import check_place, is_standard_output, is_stream, sha256_of, write_atomically, written_whole


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


def test_a_file_written_piece_by_piece_has_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"old")
    with written_whole(path) as file:
        file.write(b"one ")
        assert path.read_bytes() == b"old"
        file.write(b"two")
    assert path.read_bytes() == b"one two"
    with pytest.raises(KeyError), written_whole(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"one two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_stream_is_not_written_piece_by_piece():
    with (
        pytest.raises(OutputError, match="expected the name of a file, received a stream"),
        written_whole(Path("/dev/null")),
    ):
        pass


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


def make_socket(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.close()


REFUSED = {
    "a folder": (lambda x: x.mkdir(), "a folder"),
    "a link to a folder": (lambda x: x.symlink_to(x.parent), "a folder"),
    "a link to itself": (lambda x: x.symlink_to(x), "Too many levels"),
    "a link into a missing folder": (lambda x: x.symlink_to(x.parent / "none" / "y"), "No such file"),
    "a socket": (make_socket, "a socket"),
    "a read-only file": (lambda x: (x.write_bytes(b"kept"), x.chmod(0o444)), "read-only"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_place_to_write_to_is_refused_before_and_stays(tmp_path, kind):
    make, reason = REFUSED[kind]
    path = tmp_path / "x"
    make(path)
    before = path.lstat()
    for refuse in (check_place, lambda place: write_atomically(place, b"new")):
        with pytest.raises(OutputError, match=f"x: expected a place to write to, received: .*{reason}"):
            refuse(path)
    assert path.lstat() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(OutputError, match="File name too long"):
        check_place(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_disk_is_refused(tmp_path):
    os.mknod(tmp_path / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 254))
    with pytest.raises(OutputError, match="a disk"):
        check_place(tmp_path / "disk")


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_replaced(tmp_path, there):
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"old")
    link.symlink_to(Path("folder") / "target")
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["folder", "link", "target"]


def test_another_name_of_the_file_keeps_the_old_content(tmp_path):
    (tmp_path / "x").write_bytes(b"old")
    os.link(tmp_path / "x", tmp_path / "y")
    write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "y").read_bytes() == b"old"


def test_permissions_stay(tmp_path):
    (tmp_path / "x").write_bytes(b"old")
    (tmp_path / "x").chmod(0o600)
    write_atomically(tmp_path / "x", b"new")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


@pytest.fixture
def device(tmp_path):
    """A device by name: a twin of it, since root could replace the machine's own if the code were wrong."""

    def made(name):
        twin = tmp_path / name
        try:
            os.mknod(twin, stat.S_IFCHR | 0o666, os.stat(f"/dev/{name}").st_rdev)
            twin.open("rb").close()  # not on a file system that is mounted without devices
        except OSError as error:
            pytest.skip(f"expected to make a device, received {error}")
        return twin

    return made


def test_a_device_is_written_through(device):
    null = device("null")
    before = null.stat()
    write_atomically(null, b"new")
    assert (null.stat().st_ino, null.stat().st_rdev) == (before.st_ino, before.st_rdev)
    with pytest.raises(OutputError, match="/full: .*No space left"):
        write_atomically(device("full"), b"new")


@pytest.mark.parametrize("way", ["stdout", "/proc/self/fd/1", "/dev/fd/1"])
def test_standard_output_takes_the_content_where_it_stands(tmp_path, way):
    """Also where that is a file: what stands there stays, what is printed later follows. `stdout` is as in /dev."""
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    way = tmp_path / way
    code = (
        "import sys; from pathlib import Path; from hbac.files import write_atomically; print('first', flush=True); "
        f"write_atomically(Path({str(way)!r}), b'content\\n'); print('last')"
    )
    with open(tmp_path / "out", "wb") as out:
        subprocess.run(
            [sys.executable, "-c", code], stdout=out, check=True, env={**os.environ, "PYTHONPATH": package_folder()}
        )
    assert (tmp_path / "out").read_text() == "first\ncontent\nlast\n"
    assert is_stream(way)
    assert is_standard_output(way)


def test_a_descriptor_that_is_not_open_for_writing_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"kept")
    with open(tmp_path / "x", "rb") as file, pytest.raises(OutputError, match="not open for writing"):
        check_place(Path(f"/proc/self/fd/{file.fileno()}"))
    with pytest.raises(OutputError):
        check_place(Path("/proc/self/fd/9999"))


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
