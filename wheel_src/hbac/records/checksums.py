"""An optional list of the SHA-256 of the input files: what differs is not read, what fits no file is refused."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from hbac import hms
from hbac.errors import InputError, brief
from hbac.files import read_text, sha256_of
from hbac.records.record import Record

GNU = re.compile(r"\\?(?P<sha256>[0-9a-fA-F]{64})[ \t]+\*?(?P<path>\S.*)")  # sha256sum; a backslash: escaped path
BSD = re.compile(r"SHA(2-)?256 ?\((?P<path>.+)\) ?= ?(?P<sha256>[0-9a-fA-F]{64})")  # sha256sum --tag, openssl dgst
TABLES = (hms.TEST_TABLE, hms.SAMPLE_SUBMISSION)


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    sha256: str
    parts: tuple[str, ...]  # of its path, `/` and `.` left out


def with_digests(records: list[Record], path: Path, folder: Path) -> list[Record]:
    """Records with the digests that a list states for their files; the tables are verified at once.

    A line is of the file that it names from the list's own folder on, or else of the one with the same folder and name,
    or else, where it is a bare name, of the only file with it. What comes before the last folder does not matter.

    Args:
        records: what will be read.
        path: lines as sha256sum, `shasum`, `sha256sum --tag` or `openssl dgst` write them.
        folder: the test folder; its other files may be listed too.

    Raises:
        InputError: the list cannot be read, a line is of another form, of no file or of two; a file is listed twice
            with other digests; not one file that the run reads is listed; or a table differs.
    """
    inputs = [path for record in records for path in (record.eeg_path, record.spectrogram_path) if path]
    tables = [folder / name for name in TABLES if os.path.isfile(folder / name)]
    places = _Places(folder, path, [*inputs, *tables])
    stated: dict[Path, _Line] = {}
    for line in _lines(path):
        file = places.find(line)
        if file is not None and stated.setdefault(file, line).sha256 != line.sha256:
            raise InputError(f"{path}, line {line.number}: expected one SHA-256 for {file}, received two")
    for table in filter(stated.get, tables):
        if (received := sha256_of(table)) != stated[table].sha256:
            raise InputError(f"{table}: expected SHA-256 {stated[table].sha256} as {path} states, received {received}")
    if not any(map(stated.get, inputs)):
        raise InputError(f"{path}: expected a file of a record, such as {inputs[0]}, received none")
    digests = {file: line.sha256 for file, line in stated.items()}
    return [
        replace(
            record,
            eeg_sha256=digests.get(record.eeg_path),
            spectrogram_sha256=digests.get(record.spectrogram_path) if record.spectrogram_path else None,
        )
        for record in records
    ]


def unlisted(records: Iterable[Record]) -> list[Path]:
    """Files of records without a digest."""
    pairs = ((record.eeg_path, record.eeg_sha256) for record in records)
    others = ((record.spectrogram_path, record.spectrogram_sha256) for record in records)
    return [path for path, sha256 in (*pairs, *others) if path and sha256 is None]


def _lines(path: Path) -> list[_Line]:
    try:
        texts = [text.strip() for text in read_text(path).splitlines()]
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path}: expected a list as sha256sum writes it, received {error}") from error
    lines = [_line(path, number, text) for number, text in enumerate(texts, start=1) if text]
    if not lines:
        raise InputError(f"{path}: expected a SHA-256 and a path a line, received no line")
    return lines


def _line(path: Path, number: int, text: str) -> _Line:
    match = GNU.fullmatch(text) or BSD.fullmatch(text)
    parts = PurePosixPath(match["path"].replace("\\", "/")).parts if match else ()
    named = tuple(part for part in parts if part not in ("/", "//", ".", "..") and not part.endswith(":"))
    if not match or not named:
        raise InputError(f"{path}, line {number}: expected a SHA-256 and a path, received {brief(text)}")
    return _Line(number, text, match["sha256"].lower(), named)


class _Places:
    """Which file a line of a list is of."""

    def __init__(self, folder: Path, path: Path, inputs: list[Path]):
        self._folder, self._list, self._inputs = folder, path, inputs
        self._exact = {file.absolute(): file for file in inputs}
        self._by_folder = {(file.parent.name, file.name): file for file in inputs}
        usual = (folder / name("test") for name in (hms.eeg_folder, hms.spectrogram_folder))
        self._parents = sorted({*usual, *(file.parent for file in inputs)})

    def find(self, line: _Line) -> Path | None:
        """The input; None for another file of the folder.

        Raises:
            InputError: no file is meant, or more than one may be.
        """
        beside = self._list.parent.absolute().joinpath(*line.parts)
        if beside in self._exact or os.path.isfile(beside):
            return self._exact.get(beside)
        if line.parts[-1] in TABLES and self._folder / line.parts[-1] in self._inputs:
            return self._folder / line.parts[-1]
        if len(line.parts) > 1:
            found = [file for file in [self._by_folder.get((line.parts[-2], line.parts[-1]))] if file]
        else:
            named = (parent / line.parts[0] for parent in self._parents)
            found = [file for file in named if file.absolute() in self._exact or os.path.exists(file)]
        if len(found) > 1:
            raise self._refusal(line, f"a path that tells {found[0]} from {found[1]}")
        if found:
            return self._exact.get(found[0].absolute())
        if any(os.path.isfile(self._folder.joinpath(*line.parts[i:])) for i in range(len(line.parts))):
            return None
        alike = next((file for file in self._inputs if file.name == line.parts[-1]), self._inputs[0])
        raise self._refusal(line, f"the path of a file below {self._folder}, such as {alike}")

    def _refusal(self, line: _Line, expected: str) -> InputError:
        return InputError(f"{self._list}, line {line.number}: expected {expected}, received {brief(line.text)}")
