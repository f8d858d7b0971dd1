"""Standard streams as callers leave them: closed, full, or of another alphabet. What they cannot show costs no answer."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm


class Tolerant:
    """A text stream that never fails: characters that it does not know are escaped, what it cannot take is left out.

    Args:
        stream: the stream, or None where there is none, as in a process without a terminal.
    """

    def __init__(self, stream: TextIO | None):
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError, ValueError):  # full, broken; closed
            try:
                self._write(text)
            except UnicodeEncodeError as error:
                self._write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        return len(text)

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def say(line: str, stream: TextIO | None) -> None:
    """Show a line, if that is possible."""
    print(line, file=Tolerant(stream), flush=True)


def progress_bar(total: int, done: int, unit: str, label: str, shown: bool) -> "tqdm[Any]":
    """A bar on standard error, whatever that is."""
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit=unit, desc=label, file=Tolerant(sys.stderr), disable=not shown)


@contextlib.contextmanager
def tolerant_streams() -> Iterator[None]:
    """Standard output and standard error that cost nothing inside, also not at the end of this process.

    A result is its exit code and its files, so that a line which nobody could read does not change it.
    """
    open_closed_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(Tolerant, before)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in before:
            _empty(stream)


def open_closed_descriptors() -> None:
    """Give closed standard streams a descriptor: otherwise the next file has it, and what libraries print goes there."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest that is free; writing fails as it does where it is closed


def _empty(stream: TextIO | None) -> None:
    """Flush, and let go of what a stream does not take: Python would end with another exit code for it."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())  # type: ignore[union-attr]
            os.close(null)
            stream.flush()  # type: ignore[union-attr]
