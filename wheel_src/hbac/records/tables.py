"""test.csv and train.csv to checked records."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hbac import hms
from hbac.errors import InputError
from hbac.records.csv_files import CsvFile, read_csv
from hbac.records.folders import contents, find_files
from hbac.records.record import Record


def read_test_table(folder: Path) -> list[Record]:
    """Records of `folder`/test.csv, in its order.

    Raises:
        InputError: the folder or the table is missing or unreadable, the column eeg_id is missing, an id is not a
            whole number, an offset is not a number, an eeg_id is missing or occurs twice, or the table has no rows.
    """
    file, table = _read_table(folder, hms.TEST_TABLE, ("eeg_id",))
    again = table["eeg_id"].duplicated().to_numpy()
    if again.any():
        duplicates = table["eeg_id"][again].unique().tolist()[:5]
        line = file.line(int(again.argmax()))
        raise InputError(f"{file.path}, line {line}: expected each eeg_id once, received twice or more: {duplicates}")
    return _records(folder, table, "test")


def read_train_table(folder: Path) -> tuple[list[Record], pd.DataFrame]:
    """Records of `folder`/train.csv, one a label window, and the table itself, row for row.

    Raises:
        InputError: as `read_test_table`, where an eeg_id may occur again but every column must be there; or a vote is
            missing, negative or not a number, or a row has no votes.
    """
    file, table = _read_table(folder, hms.TRAIN_TABLE, hms.TRAIN_COLUMNS)
    votes = np.column_stack([_numbers(table[column]) for column in hms.VOTE_COLUMNS])
    bad = np.flatnonzero(~(np.isfinite(votes).all(axis=1) & (votes >= 0).all(axis=1) & (votes.sum(axis=1) > 0)))
    if bad.size:
        raise InputError(
            f"{file.path}, line {file.line(int(bad[0]))}: expected votes of 0 or more with a sum above 0 in every row, "
            f"received others in {bad.size} rows"
        )
    return _records(folder, table, "train"), table


def _read_table(folder: Path, name: str, needed: tuple[str, ...]) -> tuple[CsvFile, pd.DataFrame]:
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder that holds {name}, found none")
    if not os.path.lexists(folder / name):
        raise InputError(f"{folder / name}: expected this table, found none in a folder {contents(folder)}")
    file = read_csv(folder / name)
    table = file.table(needed)
    for column in ("eeg_label_offset_seconds", "spectrogram_label_offset_seconds"):
        if column in table.columns:
            table[column] = _seconds(file, table[column])
    return file, table


def _numbers(column: pd.Series) -> pd.Series:
    """A column of a table as float64, NaN for what is not a number."""
    if column.dtype == bool:  # True is no id and no vote
        return pd.Series(np.nan, column.index)
    return pd.to_numeric(column, errors="coerce").astype(np.float64)


def _seconds(file: CsvFile, column: pd.Series) -> pd.Series:
    numbers = _numbers(column)
    good = np.isfinite(numbers) | column.isna()
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise InputError(
            f"{file.path}, line {file.line(row)}: expected seconds as {column.name}, received {column.iloc[row]}"
        )
    return numbers


def read_ids(path: Path) -> list[int]:
    """The eeg_ids of any table, in its order.

    Raises:
        InputError: as `read_test_table`, where an eeg_id may occur again.
    """
    ids: list[int] = read_csv(path).table((hms.ID_COLUMN,))[hms.ID_COLUMN].tolist()
    return ids


def _records(folder: Path, table: pd.DataFrame, split: str) -> list[Record]:
    def optional(name: str, kind: type) -> list[Any]:
        values = table[name].tolist() if name in table.columns else [None] * len(table)
        return [None if pd.isna(value) else kind(value) for value in values]

    eeg_ids, spectrogram_ids = table["eeg_id"].tolist(), optional("spectrogram_id", int)
    eegs = find_files(folder, hms.eeg_folder(split), eeg_ids)
    spectrograms = find_files(
        folder, hms.spectrogram_folder(split), (number for number in spectrogram_ids if number is not None)
    )
    rows = zip(
        eeg_ids,
        spectrogram_ids,
        optional("patient_id", int),
        optional("eeg_label_offset_seconds", float),
        optional("spectrogram_label_offset_seconds", float),
    )
    return [
        Record(
            eeg_id,
            spectrogram_id,
            patient_id,
            eegs[eeg_id],
            spectrograms.get(spectrogram_id),
            eeg_offset_s,
            spectrogram_offset_s,
        )
        for eeg_id, spectrogram_id, patient_id, eeg_offset_s, spectrogram_offset_s in rows
    ]
