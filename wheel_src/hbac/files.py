"""Files that appear whole or not at all, streams that are written through, digests, and texts in the encodings that
tables come in."""

import codecs
import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hbac.errors import OutputError

LINKS = 40  # that a path may lead through, as Linux has it
NOT_WRITTEN_TO = {stat.S_ISDIR: "a folder", stat.S_ISBLK: "a disk", stat.S_ISSOCK: "a socket"}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that no reader ever sees a part of it under its name.

    A link stays, and the file that it leads to is replaced. A device, a pipe or an open descriptor (/dev/stdout) is
    written to as it is.

    Raises:
        OutputError: `check_place` refuses it, or the disk is full; no part of a file is left behind.
    """
    check_place(path)
    try:
        if is_stream(path):
            _write_through(path, content)
        else:
            _replace(_target(path), content)
    except OSError as error:
        raise OutputError(f"{path}: expected a place to write to, received: {error.strerror or error}") from error


def check_place(path: Path) -> None:
    """Refuse what `write_atomically` does not write to; a check before a long run.

    Raises:
        OutputError: a folder, a disk, a socket, a read-only file, a link that leads nowhere, or a folder around it
            that is missing or read-only.
    """
    try:
        wrong = _fault(path)
    except (OSError, ValueError) as error:  # a name that is too long, a link to itself, a zero byte in the name
        wrong = getattr(error, "strerror", None) or str(error)
    if wrong:
        raise OutputError(f"{path}: expected a place to write to, received: {wrong}")


def is_stream(path: Path) -> bool:
    """Whether what is written there goes on to somebody: a device, a pipe, an open descriptor of this process."""
    try:
        mode = _mode(path)
    except (OSError, ValueError):  # what `check_place` refuses
        return False
    return _descriptor(path) is not None or stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def is_standard_output(path: Path) -> bool:
    """Whether a path such as /dev/stdout leads to the standard output of this process."""
    return _descriptor(path) == 1


def _fault(path: Path) -> str | None:
    """What speaks against writing there."""
    mode, descriptor = _mode(path), _descriptor(path)
    if descriptor is not None:
        return None if _takes_bytes(descriptor) else "a descriptor that is not open for writing"
    if mode and not (stat.S_ISREG(mode) or stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        return next((name for is_one, name in NOT_WRITTEN_TO.items() if is_one(mode)), "neither a file nor a stream")
    target = _target(path)
    if mode and not (os.access(path, os.W_OK) and mode & 0o222):  # root may write to any, and yet must not
        return "one that is read-only"
    if is_stream(path):
        return None
    if mode and not target.exists():
        return "an open file of another process that has no name any more"
    os.stat(target.parent)
    return None if os.access(target.parent, os.W_OK | os.X_OK) else "one in a folder that is read-only"


def _mode(path: Path) -> int:
    """Kind and permissions of what a path leads to, 0 if there is nothing."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return 0


def _target(path: Path) -> Path:
    """Where a link leads to; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _descriptor(path: Path) -> int | None:
    """The open descriptor of this process that a path such as /dev/stdout leads to."""
    text = os.path.abspath(path)
    for _ in range(LINKS):
        folder, name = os.path.realpath(os.path.dirname(text)), os.path.basename(text)
        if re.fullmatch(rf"/dev/fd|/proc/{os.getpid()}(/task/\d+)?/fd", folder) and name.isdigit():
            return int(name)
        if not os.path.islink(text):
            return None
        text = os.path.join(folder, os.readlink(text))
    return None


def _takes_bytes(descriptor: int) -> bool:
    import fcntl  # not on Windows, which has no such paths

    try:
        return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR))
    except OSError:
        return False


def _write_through(path: Path, content: bytes) -> None:
    descriptor = _descriptor(path)
    with open(os.open(path, os.O_WRONLY) if descriptor is None else os.dup(descriptor), "wb") as stream:
        stream.write(content)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to piece by piece, which gets its name once all is there: for what is too large for memory.

    A link stays, and the file that it leads to is replaced.

    Raises:
        OutputError: `check_place` refuses it, it is a stream, or the disk is full; no part of a file is left behind.
    """
    check_place(path)
    if is_stream(path):
        raise OutputError(f"{path}: expected the name of a file, received a stream")
    try:
        with _replaced(_target(path)) as file:
            yield file
    except OSError as error:
        raise OutputError(f"{path}: expected a place to write to, received: {error.strerror or error}") from error


def _replace(path: Path, content: bytes) -> None:
    """Give a whole file its name, with the permissions of the one that it replaces."""
    with _replaced(path) as file:
        file.write(content)


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name at the end, with the permissions of the one that it replaces."""
    mode = _mode(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            yield file
            if mode:
                with contextlib.suppress(OSError):  # a file system without permissions
                    os.chmod(part, stat.S_IMODE(mode))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    return _digest_of(path, "sha256")


def md5_of(path: Path) -> str:
    """MD5 of a file's content, 32 hexadecimal digits: tells files apart that nobody has made to be taken for others."""
    return _digest_of(path, "md5")


def _digest_of(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_text(path: Path) -> str:
    """A text in UTF-8, or in UTF-16 where it begins with that mark; marks are left out.

    Raises:
        OSError: it cannot be read.
        UnicodeError: it is in another encoding.
    """
    content = path.read_bytes()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The bytes of a regular file; a pipe would be waited for.

    Raises:
        OSError: it cannot be read, it is no regular file, or it is larger than allowed.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("a folder, a pipe or a device")
    with open(path, "rb", buffering=0) as file:
        if (size := os.fstat(file.fileno()).st_size) > most_bytes:
            raise OSError(f"{size} bytes, more than {most_bytes}")
        return file.readall()


def content_digest(content: bytes) -> str:
    """What tells one content from another, 32 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:32]
