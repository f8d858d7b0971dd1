"""The journal of finished rows: what lets a killed run go on where it was, and only that very run.

JSON lines beside the output: first the fingerprint of what decides all answers, then one line a finished row, with what
that row was made of. A line that a kill cut short does not count. Removed when the submission is there.
"""

import io
import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from hbac import hms
from hbac.errors import InputError, OutputError, brief
from hbac.files import write_atomically
from hbac.inference.answers import Answer
from hbac.preprocessing.load import Status


class Journal:
    """Rows on disk as they are finished; use as a context manager, and `begin` before the first `add`.

    Args:
        path: the file; None keeps the rows in memory alone.
        resume: take over the rows of an earlier run; otherwise start empty.
    """

    def __init__(self, path: Path | None, resume: bool):
        self.path = path
        self._file: BinaryIO | None = None
        lines = _read(path) if resume and path and path.exists() else []
        self._received = lines[0].get("fingerprint") if lines and isinstance(lines[0], dict) else None
        self.answers = [answer for answer in map(_answer, lines[1:]) if answer is not None]

    def keep(self, wanted: Callable[[Answer], bool]) -> None:
        """Forget the taken-over rows that are not wanted; before `begin`. Several are asked for at once."""
        with ThreadPoolExecutor() as pool:
            self.answers = [answer for answer, is_kept in zip(self.answers, pool.map(wanted, self.answers)) if is_kept]

    def begin(self, fingerprint: dict[str, Any]) -> None:
        """Start writing, after the rows that were taken over.

        Args:
            fingerprint: what decides all answers, as JSON values.

        Raises:
            InputError: the rows taken over are those of another run.
            OutputError: the file cannot be written.
        """
        if self.answers:
            received = self._received or {}
            differing = [key for key in fingerprint if received.get(key) != fingerprint[key]]
            if differing:
                raise InputError(
                    f"{self.path}: expected the journal of this very run, received one with another "
                    f"{', '.join(_named(key, received.get(key)) for key in differing)}; "
                    "run without --resume to start anew"
                )
        if self.path is None:
            self._file = io.BytesIO()
            return
        lines = [{"fingerprint": fingerprint}, *(answer.document() for answer in self.answers)]
        write_atomically(self.path, "".join(map(_line, lines)).encode())
        try:
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - closed by __exit__; nothing waits to be written
        except OSError as error:
            raise OutputError(f"{self.path}: expected a journal to write to: {error.strerror}") from error

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, answer: Answer) -> None:
        """Write one finished row.

        Raises:
            OutputError: the disk does not take it.
        """
        if self._file is None:
            raise RuntimeError("Journal.begin comes before Journal.add")
        self.answers.append(answer)
        line = _line(answer.document()).encode()
        try:
            written = self._file.write(line)
            if written != len(line):  # a nearly full disk takes a part, and refuses the rest
                self._file.write(line[written:])
        except OSError as error:
            raise OutputError(
                f"{self.path}: expected room for the journal: {error.strerror}; go on with --resume when there is"
            ) from error

    def remove(self) -> None:
        """Take the journal away: the submission is there."""
        if self._file:
            self._file.close()
        if self.path:
            self.path.unlink(missing_ok=True)


def _read(path: Path) -> list[Any]:
    lines = []
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: expected a journal that can be read: {error.strerror}") from error
    for text in content.splitlines():
        try:
            lines.append(json.loads(text))
        except (ValueError, RecursionError):
            break  # cut short by the kill; whatever follows is not to be trusted
    return lines


def _named(key: str, received: Any) -> str:
    """A part of the fingerprint, with what came where that is short: `hbac (0.1.0)`."""
    return f"{key} ({brief(received, quote=False)})" if isinstance(received, str) and len(received) < 40 else key


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value) + "\n"


def _answer(line: Any) -> Answer | None:
    """A row of the journal, or None if it is not one."""
    names: Sequence[str] = ("eeg_id", "probabilities", "status", "notes", "folds", "flipped", "source")
    if not isinstance(line, dict) or sorted(line.keys() - {"members"}) != sorted(names):
        return None
    lists = {name: line[name] for name in ("probabilities", "notes", "members") if name in line}
    if not all(isinstance(one, list) for one in lists.values()) or len(lists["probabilities"]) != len(hms.CLASSES):
        return None
    if line["status"] not in [status.value for status in Status]:
        return None
    status = Status(line["status"])
    answer = Answer(**{**line, **{name: tuple(one) for name, one in lists.items()}, "status": status})
    return answer if _sound(answer) else None


def _sound(answer: Answer) -> bool:
    """Whether every part is of its type and the probabilities are some: a damaged disk must not pass for an answer."""
    numbers = [answer.eeg_id, answer.folds, *answer.members]
    if not all(type(number) is int for number in numbers) or type(answer.flipped) is not bool:
        return False
    if not all(isinstance(text, str) for text in (*answer.notes, answer.source)):
        return False
    if not all(type(p) in (int, float) and 0 <= p <= 1 for p in answer.probabilities):
        return False
    return math.isclose(sum(answer.probabilities), 1.0, abs_tol=1e-9)
