"""Files that appear whole or not at all, digests, and texts in the encodings that tables come in."""

import codecs
import hashlib
import os
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


def read_text(path: Path) -> str:
    """A text in UTF-8, or in UTF-16 where it begins with that mark; marks are left out.

    Raises:
        OSError: it cannot be read.
        UnicodeError: it is in another encoding.
    """
    content = path.read_bytes()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")
