"""The rows that training learns from: windows of train.csv, their votes, and which patients they are of."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hbac import hms
from hbac.errors import InputError
from hbac.preprocessing.preset import Preset
from hbac.records.record import Record
from hbac.records.tables import read_train_table
from hbac.training.schedule import WINDOWS_PER_GROUP

HALF_WEIGHT_VOTES = 5  # a row of so many votes weighs half of what one of infinitely many weighs

RowNumbers = npt.NDArray[np.int64]
Split = tuple[RowNumbers, RowNumbers]  # to learn from, and of other patients to validate on


@dataclass(frozen=True)
class Rows:
    """The windows that a run learns from, row for row."""

    records: list[Record]
    table: pd.DataFrame  # their rows of train.csv
    counts: npt.NDArray[np.float32]  # (rows, 6) votes
    patients: npt.NDArray[np.int64]  # (rows,) patient ids

    def identity(self) -> tuple[object, ...]:
        """What tells these rows from others: ids, offsets, patients, votes."""
        windows = [(r.eeg_id, r.eeg_offset_s, r.spectrogram_id, r.spectrogram_offset_s) for r in self.records]
        return windows, self.patients.tolist(), self.counts.tolist()


def read_rows(folder: Path, windows_per_group: int = WINDOWS_PER_GROUP) -> Rows:
    """The rows of `folder`/train.csv, at most so many windows of each EEG and vote.

    Raises:
        InputError: as `records.tables.read_train_table`, or a row has no patient_id.
    """
    records, table = read_train_table(folder)
    chosen = choose_windows(table, windows_per_group)
    table = table.iloc[chosen].reset_index(drop=True)
    nameless = table["eeg_id"][table["patient_id"].isna()]
    if len(nameless):
        raise InputError(
            f"{folder / hms.TRAIN_TABLE}: expected a patient_id in each row, EEG {nameless.iloc[0]} has none"
        )
    counts = table[list(hms.VOTE_COLUMNS)].to_numpy(np.float32)  # (rows, 6)
    return Rows([records[i] for i in chosen], table, counts, table["patient_id"].to_numpy(np.int64))


def choose_windows(table: pd.DataFrame, windows_per_group: int = WINDOWS_PER_GROUP) -> list[int]:
    """Row numbers of at most so many windows of each EEG and vote, the first and the last among them."""
    groups = defaultdict(list)
    for row, key in enumerate(zip(table["eeg_id"], *(table[column] for column in hms.VOTE_COLUMNS))):
        groups[key].append(row)
    return sorted({row for rows in groups.values() for row in _spread(rows, windows_per_group)})


def _spread(rows: list[int], count: int) -> list[int]:
    """At most `count` of some rows, evenly spread from the first to the last."""
    return [rows[round(at)] for at in np.linspace(0, len(rows) - 1, min(count, len(rows)))]


@dataclass(frozen=True)
class TrainData:
    """The rows: inputs as they are cached, and what is known of each."""

    images: npt.NDArray[np.uint8]  # (rows, 400, 300, 3) or another preset's shape, memory-mapped
    votes: npt.NDArray[np.float32]  # (rows, 6), summing to 1
    counts: npt.NDArray[np.float32]  # (rows,) votes of each row
    eeg_ids: npt.NDArray[np.int64]  # (rows,)
    preprocessing: Preset
    sources: npt.NDArray[np.bytes_]  # (rows, 2) digests of what the images were made of

    def load(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Inputs of some rows as the network takes them, (len(rows), *shape) float32."""
        return self.preprocessing.from_uint8(self.images[rows])

    def eeg_weights(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(len(rows),) weights that weight each EEG among `rows` equally."""
        _, which, count = np.unique(self.eeg_ids[rows], return_inverse=True, return_counts=True)
        weights: npt.NDArray[np.float64] = 1.0 / count[which]
        return weights


def patient_folds(classes: Sequence[int], patients: Sequence[int], folds: int, seed: int) -> list[Split]:
    """Row numbers for training and validation, one pair a fold (scikit-learn's StratifiedGroupKFold).

    The patients are shuffled here: before scikit-learn 1.8, `shuffle=True` deals them at random and balances nothing
    (https://github.com/scikit-learn/scikit-learn/pull/32540).

    Args:
        classes: (rows,) the class with most votes.
        patients: (rows,) patient ids.
        folds: 2 or more.
        seed: of the order in which patients with like classes are dealt to the folds.

    Raises:
        InputError: fewer patients than folds, or no class with as many rows as folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    count = len(set(patients))
    if not 2 <= folds <= count:
        raise InputError(f"folds: expected 2 to {count} (the number of patients), received {folds}")
    most = max(Counter(classes).values())
    if folds > most:
        raise InputError(f"folds: expected at most {most} (the rows of the largest class), received {folds}")
    _, patient = np.unique(patients, return_inverse=True)  # (rows,) 0 to count - 1
    shuffled = np.random.default_rng(seed).permutation(count)[patient]
    return list(StratifiedGroupKFold(folds).split(np.zeros(len(classes)), np.asarray(classes), shuffled))
