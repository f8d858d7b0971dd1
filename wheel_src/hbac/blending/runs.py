"""Output folders of training runs: their manifests, and what they predict for the rows that all of them have."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hbac import hms
from hbac.errors import InputError, one_line
from hbac.kaggle import MANIFEST_NAME
from hbac.training.out_of_fold import TABLE_NAME
from hbac.training.schedule import SCORED_VOTES
from hbac.weights.manifest import Manifest, read_manifest
from hbac.weights.schema import MAX_MEMBERS

KEY = ["eeg_id", "eeg_label_offset_seconds"]
VOTED = [f"voted_{name}" for name in hms.CLASSES]
PREDICTED = [f"predicted_{name}" for name in hms.CLASSES]
COLUMNS = [*KEY, "patient_id", "votes", *VOTED, *PREDICTED]
SUM_TOLERANCE = 1e-3  # of shares that were rounded to float32
SAME_VOTES = 1e-5
NO_WINDOW_S = -1.0  # in place of an offset that a table does not have
LONGEST_NAME = 60

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """A training's output."""

    name: str
    folder: Path
    manifest: Manifest  # of one member
    table: pd.DataFrame  # `COLUMNS` but for `KEY`, which is its index


@dataclass(frozen=True)
class SharedRows:
    """The rows that all runs have and that count."""

    votes: Floats  # (n, 6), rows summing to 1
    predictions: Floats  # (runs, n, 6), calibrated
    weights: Floats  # (n,), summing to 1: each EEG counts the same
    patients: npt.NDArray[np.int64]  # (n,)
    in_all: int  # rows that all runs have, with any number of votes
    not_in_all: dict[str, int]  # by run: its rows that another one lacks
    fewest_votes: int  # of the rows that count; 0 where none has `SCORED_VOTES`

    def of(self, rows: npt.NDArray[np.int64]) -> "SharedRows":
        """Some of the rows."""
        weights = self.weights[rows] / self.weights[rows].sum()
        return SharedRows(
            self.votes[rows],
            self.predictions[:, rows],
            weights,
            self.patients[rows],
            self.in_all,
            self.not_in_all,
            self.fewest_votes,
        )


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The manifests and out-of-fold tables of several runs, named after their folders.

    Raises:
        InputError: fewer than two or too many, one is named twice, or a table is not as `kernel/train.py` writes it.
        WeightsError: a manifest is not as it must be, or is mixed.
    """
    if not 2 <= len(folders) <= MAX_MEMBERS:
        raise InputError(f"expected the output folders of 2 to {MAX_MEMBERS} runs, received {len(folders)}")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError(f"expected each run once, received {', '.join(map(str, folders))}")
    runs = []
    for name, folder in zip(names_of(folders), folders):
        manifest = read_manifest(folder / MANIFEST_NAME)
        _ = manifest.only
        runs.append(Run(name, folder, manifest, _read_table(folder / TABLE_NAME)))
    return runs


def names_of(folders: Sequence[Path]) -> list[str]:
    """A plain name for each folder, each once: its own, with a number where another has it too."""
    names: list[str] = []
    for folder in folders:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).lstrip("._-")[:LONGEST_NAME] or "run"
        numbered = [plain, *(f"{plain}-{number}" for number in range(2, MAX_MEMBERS + 1))]
        names.append(next(name for name in numbered if name not in names))
    return names


def shared_rows(runs: Sequence[Run]) -> SharedRows:
    """What the runs predict for the rows that all of them have, those with `SCORED_VOTES` or more if there are any.

    Raises:
        InputError: they have no row in common, or differ in a row's votes or patient.
    """
    index = runs[0].table.index
    for run in runs[1:]:
        index = index.intersection(run.table.index)
    if not len(index):
        raise InputError(f"expected rows that all runs have, {runs[0].folder} and the others have none in common")
    index = index.sort_values()
    first, *others = (run.table.loc[index] for run in runs)
    for run, table in zip(runs[1:], others):
        _check_same(runs[0], first, run, table)
    scored = np.flatnonzero(first["votes"].to_numpy() >= SCORED_VOTES)
    rows = scored if len(scored) else np.arange(len(index))
    _, which, counts = np.unique(index.get_level_values(0)[rows], return_inverse=True, return_counts=True)
    weights = 1.0 / counts[which]
    return SharedRows(
        votes=first[VOTED].to_numpy(np.float64)[rows],
        predictions=np.stack([table[PREDICTED].to_numpy(np.float64)[rows] for table in (first, *others)]),
        weights=weights / weights.sum(),
        patients=first["patient_id"].to_numpy(np.int64)[rows],
        in_all=len(index),
        not_in_all={run.name: len(run.table) - len(index) for run in runs},
        fewest_votes=SCORED_VOTES if len(scored) else 0,
    )


def _check_same(first: Run, expected: pd.DataFrame, run: Run, received: pd.DataFrame) -> None:
    apart = np.abs(expected[VOTED].to_numpy(np.float64) - received[VOTED].to_numpy(np.float64)).max(axis=1)
    votes = (apart > SAME_VOTES) | (expected["votes"].to_numpy() != received["votes"].to_numpy())
    patients = expected["patient_id"].to_numpy() != received["patient_id"].to_numpy()
    for what, differs in (("votes", votes), ("patient", patients)):
        if differs.any():
            eeg_id, offset_s = expected.index[int(np.flatnonzero(differs)[0])]
            raise InputError(
                f"{run.folder / TABLE_NAME}: expected the {what} of {first.folder / TABLE_NAME} in each row of both, "
                f"received others in {int(differs.sum())}, first EEG {eeg_id} at {offset_s:g} s"
            )


def _read_table(path: Path) -> pd.DataFrame:
    """An out-of-fold table, checked."""
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the out-of-fold predictions of a run: {one_line(error)}") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing or not len(table):
        raise InputError(f"{path}: expected rows with the columns {COLUMNS}, missing {missing}, {len(table)} rows")
    wrong = {name: str(table[name].dtype) for name in COLUMNS if not pd.api.types.is_numeric_dtype(table[name])}
    if wrong:
        raise InputError(f"{path}: expected numbers in each column, received {wrong}")
    for name in ("eeg_id", "patient_id", "votes"):
        if not np.isfinite(table[name].to_numpy(np.float64, na_value=np.nan)).all():
            raise InputError(f"{path}: expected {name} in each row, received rows without it")
    table = table[COLUMNS].astype({"eeg_label_offset_seconds": float})
    table = table.fillna({"eeg_label_offset_seconds": NO_WINDOW_S})
    for columns in (VOTED, PREDICTED):
        values = table[columns].to_numpy(np.float64)
        bad = ~(np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1))
        bad |= np.abs(values.sum(axis=1) - 1) > SUM_TOLERANCE
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"{path}: expected {columns[0]} ... {columns[-1]} of 0 or more that sum to 1, received "
                f"{values[row].tolist()} for EEG {table['eeg_id'].iloc[row]}"
            )
    twice = table.duplicated(KEY)
    if twice.any():
        eeg_id, offset_s = table.loc[twice, KEY].iloc[0]
        raise InputError(f"{path}: expected each window once, received EEG {eeg_id:.0f} at {offset_s:g} s twice")
    return table.set_index(KEY)
