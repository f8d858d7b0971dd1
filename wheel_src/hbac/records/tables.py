"""test.csv and train.csv to checked records."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hbac import hms
from hbac.errors import InputError, one_line
from hbac.records.record import Record


def read_test_table(folder: Path) -> list[Record]:
    """Records of `folder`/test.csv, in its order.

    Raises:
        InputError: the folder or the table is missing or unreadable, the column eeg_id is missing, an id is not a
            whole number, an offset is not a number, an eeg_id is missing or occurs twice, or the table has no rows.
    """
    table = _read_table(folder, hms.TEST_TABLE, ("eeg_id",))
    duplicates = table["eeg_id"][table["eeg_id"].duplicated()].unique().tolist()
    if duplicates:
        raise InputError(
            f"{folder / hms.TEST_TABLE}: expected each eeg_id once, received twice or more: {duplicates[:5]}"
        )
    return _records(folder, table, "test")


def read_train_table(folder: Path) -> tuple[list[Record], pd.DataFrame]:
    """Records of `folder`/train.csv, one a label window, and the table itself, row for row.

    Raises:
        InputError: as `read_test_table`, where an eeg_id may occur again but every column must be there; or a vote is
            missing, negative or not a number, or a row has no votes.
    """
    table = _read_table(folder, hms.TRAIN_TABLE, hms.TRAIN_COLUMNS)
    votes = np.column_stack([_numbers(table[column]) for column in hms.VOTE_COLUMNS])
    bad = np.flatnonzero(~(np.isfinite(votes).all(axis=1) & (votes >= 0).all(axis=1) & (votes.sum(axis=1) > 0)))
    if bad.size:
        raise InputError(
            f"{folder / hms.TRAIN_TABLE}: expected votes of 0 or more with a sum above 0 in every row, "
            f"received others in {bad.size} rows, first in row {bad[0]}"
        )
    return _records(folder, table, "train"), table


def _read_table(folder: Path, name: str, needed: tuple[str, ...]) -> pd.DataFrame:
    path = folder / name
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder that holds {name}, found none")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, index_col=False)  # else a value too many in a row shifts the columns, unnoticed
    except FileNotFoundError as error:
        raise InputError(f"{path}: expected this table, found none") from error
    except (OSError, ValueError, pd.errors.ParserWarning) as error:  # ValueError: damaged or empty tables
        raise InputError(f"{path}: expected a table in CSV form, received {one_line(error)}") from error
    missing = [column for column in needed if column not in table.columns]
    if missing:
        received = list(table.columns)[: len(hms.TRAIN_COLUMNS)]
        raise InputError(f"{path}: expected columns {list(needed)}, missing {missing}, received {received}")
    if not len(table):
        raise InputError(f"{path}: expected one row or more, received none")
    for column in ("eeg_id", "spectrogram_id", "patient_id"):
        if column in table.columns:
            table[column] = _whole_numbers(path, table[column], optional=column != "eeg_id")
    for column in ("eeg_label_offset_seconds", "spectrogram_label_offset_seconds"):
        if column in table.columns:
            table[column] = _seconds(path, table[column])
    return table


def _numbers(column: pd.Series) -> pd.Series:
    """A column of a table as float64, NaN for what is not a number."""
    if column.dtype == bool:  # True is no id and no vote
        return pd.Series(np.nan, column.index)
    return pd.to_numeric(column, errors="coerce").astype(np.float64)


def _whole_numbers(path: Path, column: pd.Series, optional: bool) -> pd.Series:
    numbers = _numbers(column)
    good = (numbers % 1 == 0) & (numbers >= 0) & (numbers < 2**53)
    good |= column.isna() & optional
    if not good.all():
        raise InputError(f"{path}: expected whole numbers from 0 as {column.name}, received {column[~good].iloc[0]}")
    return numbers.astype("Int64")  # exact: below 2**53


def _seconds(path: Path, column: pd.Series) -> pd.Series:
    numbers = _numbers(column)
    good = np.isfinite(numbers) | column.isna()
    if not good.all():
        raise InputError(f"{path}: expected seconds as {column.name}, received {column[~good].iloc[0]}")
    return numbers


def _records(folder: Path, table: pd.DataFrame, split: str) -> list[Record]:
    def optional(name: str, kind: type) -> list[Any]:
        values = table[name].tolist() if name in table.columns else [None] * len(table)
        return [None if pd.isna(value) else kind(value) for value in values]

    rows = zip(
        table["eeg_id"].tolist(),
        optional("spectrogram_id", int),
        optional("patient_id", int),
        optional("eeg_label_offset_seconds", float),
        optional("spectrogram_label_offset_seconds", float),
    )
    return [
        Record(
            eeg_id,
            spectrogram_id,
            patient_id,
            folder / hms.eeg_folder(split) / f"{eeg_id}.parquet",
            None if spectrogram_id is None else folder / hms.spectrogram_folder(split) / f"{spectrogram_id}.parquet",
            eeg_offset_s,
            spectrogram_offset_s,
        )
        for eeg_id, spectrogram_id, patient_id, eeg_offset_s, spectrogram_offset_s in rows
    ]
