"""Out-of-fold tables: the rows that count, and what makes two of them no tables of the same rows."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers_experts import expert, rows_of, truth

from hbac.blending.runs import _read_table, names_of, read_runs
from hbac.errors import InputError

TABLE = truth(6)
ONE, OTHER = expert(TABLE, 1.0, 1), expert(TABLE, 1.0, 2)


def test_rows_are_put_together_by_their_ids_whatever_their_order() -> None:
    rows = rows_of(ONE, OTHER.sample(frac=1, random_state=0))
    names = [name for name in OTHER if name.startswith("predicted_")]
    np.testing.assert_array_equal(rows.predictions[1], OTHER[names].to_numpy())
    np.testing.assert_array_equal(rows.patients, TABLE["patient_id"])


def test_rows_that_one_run_lacks_and_rows_of_few_votes_do_not_count_and_each_eeg_weighs_the_same() -> None:
    first, second = ONE.iloc[3:], OTHER.iloc[:40].copy()
    few = first["eeg_id"] >= 1010
    first = first.assign(votes=np.where(few, 9.0, 12.0))
    second = second.assign(votes=np.where(second["eeg_id"] >= 1010, 9.0, 12.0))
    rows = rows_of(first, second)
    assert rows.not_in_all == {"r0": 20, "r1": 3}
    assert (rows.in_all, len(rows.votes), rows.fewest_votes) == (37, 17, 10)  # from the fourth row to EEG 1009's last
    np.testing.assert_allclose(rows.weights, np.array([1.0, *[0.5] * 16]) / 9)


def test_where_no_row_has_enough_votes_all_count() -> None:
    rows = rows_of(ONE.assign(votes=3.0), OTHER.assign(votes=3.0))
    assert (len(rows.votes), rows.fewest_votes) == (len(TABLE), 0)


@pytest.mark.parametrize(
    ("column", "change", "said"),
    [
        ("patient_id", 1, "expected the patient of r0.*1, first EEG 1002 at 2 s"),
        ("votes", 1.0, "expected the votes of r0"),
        ("voted_lpd", 0.01, "expected the votes of r0"),
    ],
)
def test_runs_that_differ_in_votes_or_patient_are_refused(column: str, change: float, said: str) -> None:
    other = OTHER.copy()
    other.loc[5, column] += change
    with pytest.raises(InputError, match=said):
        rows_of(ONE, other)


def test_runs_without_a_row_in_common_are_refused() -> None:
    with pytest.raises(InputError, match="none in common"):
        rows_of(ONE, OTHER.assign(eeg_id=OTHER["eeg_id"] + 10**6))


def nan_in(name: str) -> pd.DataFrame:
    return ONE.assign(**{name: ONE[name].where(ONE.index != 4)})


DAMAGED = {
    "no such column": (ONE.drop(columns="predicted_gpd"), "missing.*predicted_gpd"),
    "of hbac 0.1": (ONE.rename(columns=lambda name: name.replace("predicted", "answered")), "missing"),
    "no rows": (ONE.iloc[:0], "0 rows"),
    "NaN": (nan_in("predicted_lrda"), "predicted_seizure ... predicted_other of 0 or more that sum to 1.*EEG 1002"),
    "a sum of 2": (ONE.assign(predicted_gpd=ONE["predicted_gpd"] + 1), "sum to 1"),
    "below 0": (ONE.assign(voted_gpd=-0.1), "voted_seizure ... voted_other"),
    "text for votes": (ONE.assign(votes="many"), "numbers in each column, received .*votes"),
    "text for patients": (ONE.assign(patient_id="p"), "numbers in each column, received .*patient_id"),
    "no EEG": (nan_in("eeg_id"), "eeg_id in each row"),
    "no votes": (nan_in("votes"), "votes in each row"),
    "a window twice": (pd.concat([ONE, ONE.iloc[[7]]]), "each window once, received EEG 1003 at 2 s twice"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_table_that_is_none_is_refused_with_its_path(name: str, tmp_path: Path) -> None:
    table, said = DAMAGED[name]
    path = tmp_path / "oof.parquet"
    table.to_parquet(path)
    with pytest.raises(InputError, match=f"{re.escape(str(path))}: expected.*{said}"):
        _read_table(path)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "oof.parquet").write_bytes(b"PAR1 not at all PAR1")
    for path in (tmp_path / "oof.parquet", tmp_path / "none"):
        with pytest.raises(InputError, match="expected the out-of-fold predictions of a run"):
            _read_table(path)


def test_rows_without_an_offset_are_told_apart_by_their_eeg(tmp_path: Path) -> None:
    table = ONE.iloc[::2].assign(eeg_label_offset_seconds=np.nan)
    table.to_parquet(tmp_path / "oof.parquet")
    assert len(_read_table(tmp_path / "oof.parquet")) == len(table)


def test_names_are_plain_and_each_comes_once(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a/out", "b/out", "Größe 8", "..hidden", "c/out")]
    assert names_of(folders) == ["out", "out-2", "Gr-e-8", "hidden", "out-3"]


@pytest.mark.parametrize(("folders", "said"), [(["a"], "2 to 16 runs, received 1"), (["a", "b/../a"], "each run once")])
def test_one_run_or_one_twice_is_no_blend(folders: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match=said):
        read_runs([tmp_path / folder for folder in folders])
