"""A folder of scans as one table and one page: which recordings hold what, and how much of it."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from hbac.errors import InputError
from hbac.files import check_place, write_atomically
from hbac.hms import CLASSES
from hbac.recordings.archive_page import archive_page
from hbac.recordings.axis import length
from hbac.recordings.finished import Finished, finished_in, read_finished, row_of
from hbac.recordings.page import ENDINGS
from hbac.recordings.run import DONE

NAME: Final = "summary"
TABLE, CSV, PAGE = (f"{NAME}{ending}" for ending in (".parquet", ".csv", ".html"))


@dataclass(frozen=True)
class Summary:
    """What `summarise` wrote.

    Attributes:
        scans: the recordings, in the order of their names.
        refused: one line for each whose files are not as they were written.
        files: what was written.
    """

    scans: tuple[Finished, ...]
    refused: tuple[str, ...]
    files: tuple[Path, ...]

    def lines(self) -> Iterator[str]:
        """What there is to say."""
        seconds = sum(scan.duration_s for scan in self.scans)
        seizures = sum(bool(scan.burden.runs[0]) for scan in self.scans)
        status = sum(scan.burden.status_epilepticus for scan in self.scans)
        yield from self.refused
        yield from differences(self.scans)
        yield (
            f"{len(self.scans)} recordings, {length(seconds)}: {seizures} with seizure windows, {status} that meet the rule "
            f"of status epilepticus: {', '.join(map(str, self.files))}"
        )


def summarise(folder: Path) -> Summary:
    """Write `summary.parquet`, `summary.csv` and `summary.html` into a folder of scans.

    What is summarised are the probabilities of each scan, by the threshold that it was made with. A scan that is not
    whole has no `NAME_scan.json` and is left out; one whose files were changed is refused, and the others go on.

    Args:
        folder: what `hbac scan --output` wrote to, or a folder above several such.

    Raises:
        InputError: no scan is there, or none that can be read, or one of a recording called `summary`.
        OutputError: a file cannot be written.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of scans, found none")
    found = list(finished_in(folder))
    if not found:
        raise InputError(f"{folder}: expected files called NAME{DONE}, as hbac scan writes them, found none")
    if (own := folder / f"{NAME}{DONE}") in found:
        raise InputError(f"{own}: expected no recording called {NAME}: its page would be overwritten")
    files = tuple(folder / name for name in (TABLE, CSV, PAGE))
    for file in files:
        check_place(file)
    scans, refused = _read(folder, found)
    if not scans:
        raise InputError(
            f"{folder}: expected scans that can be read, received {len(refused)} that cannot: {refused[0]}"
        )
    pages = {scan.place for scan in scans if (folder / f"{scan.place}{ENDINGS[0]}").is_file()}
    contents = (*_tables(scans), archive_page(folder.resolve().name, scans, pages, [*refused, *differences(scans)]))
    for file, content in zip(files, contents):
        write_atomically(file, content)
    return Summary(tuple(scans), tuple(refused), files)


def _read(folder: Path, found: Sequence[Path]) -> tuple[list[Finished], list[str]]:
    scans, refused = [], []
    for done in found:
        try:
            scans.append(read_finished(folder, done))
        except (InputError, OSError) as error:
            refused.append(" ".join(str(error).split()))
    return scans, refused


def _tables(scans: Sequence[Finished]) -> tuple[bytes, bytes]:
    """As parquet and as CSV."""
    table = pd.DataFrame([row_of(scan) for scan in scans])
    kinds = {"start": "datetime64[ms]"} | {
        f"{pattern}_share": "float64" for pattern in CLASSES
    }  # also where all are missing
    table = table.astype(kinds)
    parquet = io.BytesIO()
    table.to_parquet(parquet, index=False, write_page_checksum=True)
    return parquet.getvalue(), table.to_csv(index=False, lineterminator="\n").encode()


def differences(scans: Sequence[Finished]) -> Iterator[str]:
    """In what the scans differ, so that their shares cannot simply be compared."""
    for name, values in (
        ("manifests", {scan.manifest for scan in scans}),
        ("thresholds", {scan.threshold for scan in scans}),
        ("steps", {scan.step_s for scan in scans}),
        ("versions of hbac", {scan.version for scan in scans}),
    ):
        if len(values) > 1:
            yield f"the scans were made with {len(values)} {name}"
