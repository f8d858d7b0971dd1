"""A user's labels: a CSV file with votes or a class for each named record, and whose record it is."""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hbac import hms
from hbac.errors import InputError, brief, one_line
from hbac.records.csv_files import CsvFile, read_csv

NAME_COLUMNS = ("sample", hms.ID_COLUMN)  # the first that is there
CLASS_COLUMN, PATIENT_COLUMN = "class", "patient"

Votes = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """What the rows of a table say, in its order."""

    names: tuple[str, ...]
    votes: Votes  # (rows, 6), rows summing to 1
    patients: tuple[str, ...]
    patients_stated: bool  # False: each record counts as a patient of its own


def read_labels(path: Path, known: Iterable[str]) -> Labels:
    """Read a table of labels.

    Args:
        path: a column `sample` or `eeg_id`, the file's name without .parquet; the six vote columns, or a column `class`
            with names of `hms.CLASSES`; perhaps a column `patient`. Other columns do not matter.
        known: names of all records.

    Raises:
        InputError: no such table, a column is missing, a name is unknown or comes twice, a vote is missing, negative or
            no number, a row has no votes, a class is unknown, or a patient is missing.
    """
    file = read_csv(path)
    table = _texts(file)
    column = next((name for name in NAME_COLUMNS if name in table.columns), None)
    if column is None:
        raise InputError(
            f"{path}: expected a column {' or '.join(NAME_COLUMNS)}, received {brief(list(table.columns))}"
        )
    names = table[column].tolist()
    _check(file, names, set(known).__contains__, "a record's file name without .parquet")
    seen: set[str] = set()
    _check(file, names, lambda name: not (name in seen or seen.add(name)), "each record once")  # type: ignore[func-returns-value]
    stated = PATIENT_COLUMN in table.columns
    patients = table[PATIENT_COLUMN].tolist() if stated else names
    _check(file, patients, bool, "a patient in each row")
    return Labels(tuple(names), _votes(file, table), tuple(patients), stated)


def _texts(file: CsvFile) -> pd.DataFrame:
    """The table, every value as the text that stands there."""
    source = io.StringIO(file.text)
    try:
        table = pd.read_csv(source, sep=file.separator, dtype=str, keep_default_na=False, index_col=False)
    except ValueError as error:  # damaged or empty
        raise InputError(f"{file.path}: expected a table in CSV form, received {one_line(error)}") from error
    if not len(table):
        raise InputError(f"{file.path}: expected one row or more, received none")
    table.columns = table.columns.str.strip()
    return table.fillna("").apply(lambda column: column.str.strip())


def _check(file: CsvFile, values: Sequence[Any], good: Callable[[Any], object], expected: str) -> None:
    """The first value that is not good is an error that names its line."""
    bad = next((row for row, value in enumerate(values) if not good(value)), None)
    if bad is not None:
        raise InputError(f"{file.path}, line {file.line(bad)}: expected {expected}, received {brief(values[bad])}")


def _votes(file: CsvFile, table: pd.DataFrame) -> Votes:
    """(rows, 6) shares of the votes, from vote columns or from names of classes."""
    missing = [name for name in hms.VOTE_COLUMNS if name not in table.columns]
    if CLASS_COLUMN in table.columns and len(missing) == len(hms.VOTE_COLUMNS):
        return _of_classes(file, table[CLASS_COLUMN].tolist())
    if missing or CLASS_COLUMN in table.columns:
        raise InputError(
            f"{file.path}: expected either the columns {list(hms.VOTE_COLUMNS)} or a column {CLASS_COLUMN}, "
            f"received {brief(list(table.columns))}"
        )
    votes = table[list(hms.VOTE_COLUMNS)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    rows = table[list(hms.VOTE_COLUMNS)].agg(",".join, axis=1).tolist()
    whole = np.isfinite(votes).all(axis=1) & (votes >= 0).all(axis=1) & (votes.sum(axis=1) > 0)
    good = dict(zip(rows, whole))
    _check(file, rows, good.__getitem__, "six votes of 0 or more, not all 0")
    shares: Votes = votes / votes.sum(axis=1, keepdims=True)
    return shares


def _of_classes(file: CsvFile, names: list[str]) -> Votes:
    lower = [name.lower() for name in names]
    _check(file, lower, hms.CLASSES.__contains__, f"one of {list(hms.CLASSES)} as {CLASS_COLUMN}")
    return np.eye(len(hms.CLASSES))[[hms.CLASSES.index(name) for name in lower]]
