"""A scan that lies in a folder, read back: its answers, its facts and what they amount to."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hbac.errors import InputError, one_line
from hbac.files import sha256_of
from hbac.hms import CLASSES
from hbac.recordings.burden import Burden, burden_table
from hbac.recordings.items import folders_below
from hbac.recordings.outputs import CSV_COLUMNS, PROBABILITIES
from hbac.recordings.quality import Status
from hbac.recordings.run import DONE, FORMAT


@dataclass(frozen=True)
class Finished:
    """One recording of a folder of scans.

    Attributes:
        place: its name, below the folder: `night`, `sub-01/night`.
        statuses: (n,) of `Status`.
    """

    place: str
    start: datetime | None
    duration_s: float
    step_s: float
    threshold: float
    manifest: str  # SHA-256
    version: str
    notes: tuple[str, ...]
    onsets_s: npt.NDArray[np.float64]  # (n,)
    probabilities: npt.NDArray[np.float64]  # (n, 6)
    statuses: Sequence[str]
    burden: Burden


def finished_in(folder: Path) -> Iterator[Path]:
    """What says that a scan is whole, of every recording in and below a folder, in the order of their names.

    Links are followed.

    Raises:
        OSError: a folder cannot be read.
    """
    found = (above / name for above, _, files in folders_below(folder) for name in files if name.endswith(DONE))
    yield from sorted(found)


def read_finished(folder: Path, done: Path) -> Finished:
    """The scan that `done`, one of `finished_in`, is of.

    Raises:
        InputError: its files are not as they were written.
        OSError: one cannot be read.
    """
    try:
        document = json.loads(done.read_bytes())
        if document["format"] != FORMAT:
            raise InputError(f"{done}: expected format {FORMAT}, received {document['format']}")
        return _finished(folder, done, document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{done}: expected what hbac scan wrote, received another document: {one_line(error)}"
        ) from error


def _finished(folder: Path, done: Path, document: dict[str, Any]) -> Finished:
    place = done.relative_to(folder).as_posix().removesuffix(DONE)
    path = done.with_name(f"{done.name.removesuffix(DONE)}{PROBABILITIES}")
    if (found := sha256_of(path)) != (stated := document["files"][path.name]):
        raise InputError(f"{path}: expected SHA-256 {stated}, received {found}: it was changed after the scan")
    table = _table(path)
    answers = _Read(
        table["onset"].to_numpy(np.float64),
        float(document["of"]["step_s"]),
        table[list(CLASSES)].to_numpy(np.float64),
        tuple(Status(status) for status in table["status"]),
    )
    threshold = float(document["of"]["rules"]["threshold"])
    duration_s = float(document["seconds"])
    return Finished(
        place=place,
        start=datetime.fromisoformat(document["start"]) if document["start"] else None,
        duration_s=duration_s,
        step_s=answers.step_s,
        threshold=threshold,
        manifest=str(document["of"]["manifest"]),
        version=str(document["of"]["hbac"]),
        notes=tuple(map(str, document["notes"])),
        onsets_s=answers.onsets_s,
        probabilities=answers.probabilities,
        statuses=answers.statuses,
        burden=burden_table(answers, (threshold,) * len(CLASSES), duration_s),
    )


def _table(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in CLASSES})
    if list(table.columns) != list(CSV_COLUMNS):
        raise InputError(
            f"{path}: expected the columns {','.join(CSV_COLUMNS)}, received {','.join(map(str, table.columns))}"
        )
    return table


@dataclass(frozen=True)
class _Read:
    """Answers as a CSV holds them."""

    onsets_s: npt.NDArray[np.float64]
    step_s: float
    probabilities: npt.NDArray[np.float64]
    statuses: Sequence[str]


def row_of(scan: Finished) -> dict[str, Any]:
    """One row of the table of all recordings; times in seconds, shares of the analysed time."""
    burden, whole = scan.burden, scan.burden.whole
    row: dict[str, Any] = {
        "recording": scan.place,
        "start": scan.start,
        "duration": scan.duration_s,
        "analysed": whole.analysed_s,
        "step": scan.step_s,
        "threshold": scan.threshold,
    }
    for number, pattern in enumerate(CLASSES):
        row[f"{pattern}_share"] = whole.share(number)
        row[f"{pattern}_prevalence"] = whole.prevalence(number)
        row[f"{pattern}_longest"] = whole.longest_s[number]
        row[f"{pattern}_runs"] = len(burden.runs[number])
    row["worst_60_min_onset"], row["worst_60_min_seizure"] = burden.worst_60_min
    row["status_epilepticus_rule"] = burden.status_epilepticus
    for status in Status:
        row[f"steps_{status.value.replace(' ', '_')}"] = sum(one == status for one in scan.statuses)
    return row | {"notes": "; ".join(scan.notes), "manifest": scan.manifest, "hbac": scan.version}
