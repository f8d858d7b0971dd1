"""What a submission's name says of its form: a table in CSV, compressed as its ending says, as pandas reads it."""

import bz2
import gzip
import importlib.util
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from hbac.errors import OutputError
from hbac.files import is_stream

TABLES = ("", ".csv", ".txt")  # endings of a table; before that of a compression too


def compression_of(path: Path) -> str:
    """The ending that says how a submission of this name is compressed, as pandas takes it; "" for none.

    Raises:
        OutputError: the ending means another form than a table, or needs a package that is not installed.
    """
    if is_stream(path):
        return ""
    ending = path.suffix.lower() if path.suffix.lower() in COMPRESSIONS else ""
    inner = path.with_suffix("") if ending else path
    if inner.suffix.lower() not in TABLES:
        allowed = ", ".join(f"*.csv{known}" for known in COMPRESSIONS)
        raise OutputError(f"{path}: expected a name as {allowed}, received one that ends in {inner.suffix}")
    if ending == ".zst" and importlib.util.find_spec("zstandard") is None:
        raise OutputError(f"{path}: expected the package zstandard for a name ending in .zst, found it not installed")
    return ending


def bare_name(path: Path) -> str:
    """A submission's name without its endings: what the names of the files beside it begin with."""
    return (path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path).stem


def _gzip(content: bytes, name: str) -> bytes:
    stream = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as file:  # no time: the same bytes each time
        file.write(content)
    return stream.getvalue()


def _zip(content: bytes, name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # dated 1980
    return stream.getvalue()


def _zstandard(content: bytes, name: str) -> bytes:
    import zstandard

    compressed: bytes = zstandard.ZstdCompressor().compress(content)
    return compressed


COMPRESSIONS: dict[str, Callable[[bytes, str], bytes]] = {
    "": lambda content, name: content,
    ".gz": _gzip,
    ".bz2": lambda content, name: bz2.compress(content),
    ".xz": lambda content, name: lzma.compress(content),
    ".zip": _zip,
    ".zst": _zstandard,
}
PANDAS_NAMES: dict[str, Literal["gzip", "bz2", "xz", "zip", "zstd"] | None] = {
    "": None,
    ".gz": "gzip",
    ".bz2": "bz2",
    ".xz": "xz",
    ".zip": "zip",
    ".zst": "zstd",
}
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ImportError)  # beside OSError and ValueError
