"""Where the files of a data set lie: where the competition has them, or nearly there; and what lies there instead."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from hbac import hms
from hbac.errors import brief
from hbac.records.csv_files import read_csv
from hbac.records.record import Record

SHOWN = 6  # names of what lies in a folder
FOUND_SHARE = 0.5  # of the files; of fewer a run says where it looked


def find_files(folder: Path, name: str, ids: Iterable[int]) -> dict[int, Path]:
    """Paths by id: `folder`/`name`/ID.parquet; where that is not, the same in other letters or one folder deeper.

    `test_eegs/test_eegs/5.parquet` is what an archive leaves that was unpacked in a folder of its own name,
    `Test_EEGs/5.PARQUET` what has been on a system that does not tell capitals. What is nowhere, or in two
    places, keeps the first path.
    """
    paths = {number: folder / name / f"{number}.parquet" for number in ids}
    absent = [number for number, path in paths.items() if not os.path.lexists(path)]
    if absent:
        places = [inner for place in _alike(folder, name) for inner in (place, *_alike(place, name))]
        others: dict[str, list[Path]] = {}
        for place in places:
            for file in _names(place):
                others.setdefault(file.casefold(), []).append(place / file)
        found = {number: others.get(f"{number}.parquet", []) for number in absent}
        paths |= {number: where[0] for number, where in found.items() if len(where) == 1}
    return paths


def where_looked(folder: Path, records: Sequence[Record], table: str = hms.TEST_TABLE) -> list[str]:
    """A line for the EEGs and one for the spectrograms, if most are nowhere: where they should be, and what is there.

    Args:
        folder: the data set.
        records: its records.
        table: the name of their table.
    """
    eegs = list(dict.fromkeys(record.eeg_path for record in records))
    spectrograms = list(dict.fromkeys(record.spectrogram_path for record in records if record.spectrogram_path))
    notes = [_missing(folder, "EEG", eegs), _missing(folder, "spectrogram", spectrograms)]
    if not spectrograms:
        headings = brief(read_csv(folder / table).headings)
        notes.append(f"{folder / table}: expected a spectrogram_id in each row, received none; columns {headings}")
    return [note for note in notes if note]


def contents(folder: Path) -> str:
    """The first names of what lies in a folder, to be shown."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        return f"that cannot be read ({error.strerror})"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "that holds " + (
        ", ".join(brief(name, quote=False) for name in names[:SHOWN]) + more if names else "nothing"
    )


def _missing(folder: Path, what: str, paths: Sequence[Path]) -> str | None:
    lost = [path for path in paths if not os.path.exists(path)]
    if len(paths) - len(lost) >= FOUND_SHARE * len(paths):
        return None
    near = lost[0].parent if os.path.isdir(lost[0].parent) else folder
    return (
        f"{len(paths) - len(lost)} of {len(paths)} {what} files found: expected files such as {lost[0]}, "
        f"received {near}, a folder {contents(near)}"
    )


def _alike(folder: Path, name: str) -> list[Path]:
    """Folders of that name in whatever letters."""
    return [folder / other for other in _names(folder) if other.casefold() == name and os.path.isdir(folder / other)]


def _names(folder: Path) -> list[str]:
    """Sorted names of what lies in a folder; none if it cannot be read."""
    with suppress(OSError):
        return sorted(os.listdir(folder))
    return []
