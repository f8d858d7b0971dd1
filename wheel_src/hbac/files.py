"""Files that appear whole or not at all, and digests."""

import hashlib
import os
import stat
from pathlib import Path

from hbac.errors import OutputError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that no reader ever sees a part of it under its name.

    Raises:
        OutputError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: expected a place to write to, received: {error.strerror or error}") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


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
