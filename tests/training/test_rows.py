"""Folds by patient, and what a row weighs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hbac.errors import InputError
from hbac.hms import VOTE_COLUMNS
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.tables import read_train_table
from hbac.training.rows import TrainData, choose_windows, patient_folds, read_rows


def cohort(seed: int, patients: int = 60) -> tuple[list[int], list[int]]:
    """Classes and patients of a few rows each; a patient mostly has one class, as in the competition."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(rng.permutation(10_000)[:patients], rng.integers(1, 9, patients))
    favourite = {patient: rng.integers(6) for patient in ids}
    classes = [int(favourite[p]) if rng.random() < 0.8 else int(rng.integers(6)) for p in ids]
    return classes, ids.tolist()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_no_patient_is_on_both_sides_and_every_row_is_validated_once(seed, folds):
    classes, patients = cohort(seed)
    ids = np.array(patients)
    split = patient_folds(classes, patients, folds, seed)
    assert len(split) == folds
    for train, validation in split:
        assert not set(ids[train]) & set(ids[validation])
        assert sorted([*train, *validation]) == list(range(len(ids)))
    assert sorted(np.concatenate([validation for _, validation in split])) == list(range(len(ids)))


def test_classes_are_spread_over_the_folds_better_than_by_chance():
    """The largest difference of a class's share between a fold and the whole, against patients dealt at random."""
    classes, patients = (np.array(column) for column in cohort(1, patients=200))
    overall = np.bincount(classes, minlength=6) / len(classes)

    def worst(members: list[np.ndarray]) -> float:
        shares = [np.bincount(classes[rows], minlength=6) / len(rows) for rows in members]
        return float(np.abs(np.array(shares) - overall).max())

    rng = np.random.default_rng(0)
    dealt = []
    for _ in range(20):
        fold = dict(zip(np.unique(patients), rng.permutation(np.arange(200) % 5)))
        of_row = np.array([fold[patient] for patient in patients])
        dealt.append(worst([np.flatnonzero(of_row == i) for i in range(5)]))
    ours = worst([validation for _, validation in patient_folds(classes, patients, 5, 0)])
    assert ours < min(dealt)
    assert ours < 0.02


def test_the_seed_decides_the_folds():
    classes, patients = cohort(2)
    first, again, other = ([list(v) for _, v in patient_folds(classes, patients, 3, seed)] for seed in (7, 7, 8))
    assert first == again
    assert first != other


@pytest.mark.parametrize("folds", [-1, 0, 1, 4])
def test_fewer_than_two_folds_or_more_than_patients_is_an_error(folds):
    with pytest.raises(InputError, match=rf"folds: expected 2 to 3 .*received {folds}"):
        patient_folds([0, 0, 1, 1, 0, 1], [5, 5, 6, 6, 7, 7], folds, 0)


def test_more_folds_than_rows_of_any_class_is_an_error():
    with pytest.raises(InputError, match=r"folds: expected .*received 3"):
        patient_folds([0, 0, 1, 1], [1, 2, 3, 4], 3, 0)


def test_a_class_of_fewer_rows_than_folds_is_allowed():
    with pytest.warns(UserWarning, match="least populated class"):  # scikit-learn's word on it
        split = patient_folds([0, 0, 0, 0, 1], [1, 2, 3, 4, 5], 3, 0)
    assert sorted(np.concatenate([validation for _, validation in split])) == [0, 1, 2, 3, 4]


def test_as_many_folds_as_patients_leave_one_patient_out_each_time():
    split = patient_folds([0, 0, 0, 1, 1, 1], [1, 1, 2, 2, 3, 3], 3, 0)
    assert sorted(sorted(validation) for _, validation in split) == [[0, 1], [2, 3], [4, 5]]


def test_at_most_two_windows_of_an_eeg_and_vote_are_kept(simulated: Path) -> None:
    table = read_train_table(simulated)[1]
    sizes = table.iloc[choose_windows(table)].groupby(["eeg_id", *VOTE_COLUMNS]).size()
    assert sizes.max() == 2
    assert len(sizes) == len(table.groupby(["eeg_id", *VOTE_COLUMNS]).size())
    assert choose_windows(table, len(table)) == list(range(len(table)))


def test_of_a_group_the_first_and_the_last_window_are_kept() -> None:
    votes = {column: [1, 1, 1, 2, 1] for column in VOTE_COLUMNS}
    table = pd.DataFrame({"eeg_id": [7, 7, 7, 7, 7], **votes})
    assert choose_windows(table) == [0, 3, 4]
    assert choose_windows(table, 1) == [0, 3]
    assert choose_windows(table, 3) == [0, 1, 3, 4] or choose_windows(table, 3) == [0, 2, 3, 4]


def test_the_genuine_table_is_grouped_too(sample: Path) -> None:
    records, table = read_train_table(sample)
    assert len(records) == 43
    rows = read_rows(sample)
    assert 2 <= len(rows.records) == len(rows.table) == len(rows.counts) < 43
    assert rows.table["eeg_id"].nunique() == 2
    assert [record.eeg_id for record in rows.records] == rows.table["eeg_id"].tolist()


def test_a_row_without_a_patient_is_named(simulated: Path, tmp_path: Path) -> None:
    table = pd.read_csv(simulated / "train.csv")
    table["patient_id"] = table["patient_id"].astype(float)
    table.loc[0, "patient_id"] = np.nan
    table.to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(InputError, match=f"EEG {table['eeg_id'][0]} has none"):
        read_rows(tmp_path)


def test_the_rows_of_an_eeg_share_one_weight() -> None:
    eeg_ids = np.array([1, 1, 2, 3, 3, 3, 4, 5, 6, 6, 6, 7])
    nothing = np.zeros(0)
    data = TrainData(nothing, nothing, nothing, eeg_ids, PRESETS[THREE_ZOOMS], np.zeros((12, 2), "S32"))
    weights = data.eeg_weights(np.arange(12))
    assert weights[:3].tolist() == [0.5, 0.5, 1.0]
    assert data.eeg_weights(np.array([0, 2])).tolist() == [1.0, 1.0]  # among the rows that are asked for
    assert weights.sum() == pytest.approx(7)
