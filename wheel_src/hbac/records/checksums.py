"""An optional list of the SHA-256 of the input files, as `sha256sum` writes it: what differs is not read."""

import re
from dataclasses import replace
from pathlib import Path

from hbac.errors import InputError
from hbac.records.record import Record

LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def with_digests(records: list[Record], path: Path) -> list[Record]:
    """Records with the digests that a list states for their files; a file is known by its folder and name.

    Args:
        records: what will be read.
        path: lines of 64 hexadecimal digits, two spaces and a path such as `test_eegs/3911565283.parquet`; what comes
            before the last folder does not matter.

    Raises:
        InputError: the list cannot be read, a line is of another form, or a file is listed twice with other digests.
    """
    stated: dict[str, str] = {}
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a list as sha256sum writes it, received {error}") from error
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line)
        if not match:
            raise InputError(f"{path}, line {number}: expected a SHA-256 and a path, received {line[:120]!r}")
        name = _name(Path(match[2]))
        if stated.setdefault(name, match[1].lower()) != match[1].lower():
            raise InputError(f"{path}, line {number}: expected one SHA-256 for {name}, received two")
    return [
        replace(
            record,
            eeg_sha256=stated.get(_name(record.eeg_path)),
            spectrogram_sha256=stated.get(_name(record.spectrogram_path)) if record.spectrogram_path else None,
        )
        for record in records
    ]


def _name(path: Path) -> str:
    return "/".join(path.parts[-2:])
