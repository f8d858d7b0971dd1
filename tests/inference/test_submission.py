"""The submission's schema: Kaggle's rules, each violation caught, and files that are written whole."""

import bz2
import gzip
import lzma
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hbac.cli import main
from hbac.errors import OutputError, SubmissionError
from hbac.hms import SUBMISSION_COLUMNS, VOTE_COLUMNS
from hbac.inference.submission import check_submission, differs_from_template, order_of_rows, write_submission

IDS = [30, 10, 20]


@pytest.fixture
def answers() -> dict[int, np.ndarray]:
    return dict(zip(IDS, np.random.default_rng(0).dirichlet(np.ones(6), 3)))


@pytest.fixture
def written(tmp_path: Path, answers: dict[int, np.ndarray]) -> Path:
    write_submission(tmp_path / "submission.csv", IDS, answers)
    return tmp_path / "submission.csv"


def test_the_file_has_the_competition_s_columns_and_the_ids_in_the_order_asked_for(written: Path) -> None:
    lines = written.read_text().splitlines()
    assert lines[0] == "eeg_id,seizure_vote,lpd_vote,gpd_vote,lrda_vote,grda_vote,other_vote"
    assert [line.split(",")[0] for line in lines[1:]] == ["30", "10", "20"]


def test_probabilities_come_back_to_the_last_bit(written: Path, answers: dict[int, np.ndarray]) -> None:
    table = pd.read_csv(written, float_precision="round_trip").set_index("eeg_id")
    for eeg_id in IDS:
        assert table.loc[eeg_id].to_numpy().tolist() == answers[eeg_id].tolist()


def test_a_valid_file_passes_the_rules_as_kaggle_states_them(written: Path) -> None:
    table = check_submission(written, IDS)
    values = table[list(VOTE_COLUMNS)]
    assert list(table.columns) == list(SUBMISSION_COLUMNS)
    assert values.dtypes.map(pd.api.types.is_numeric_dtype).all()
    assert values.min().min() >= 0
    assert values.max().max() <= 1
    assert np.allclose(values.sum(axis=1), 1)


def test_the_real_sample_submission_is_valid(sample: Path) -> None:
    assert len(check_submission(sample / "sample_submission.csv", [3911565283])) == 1


def scaled(table: pd.DataFrame) -> pd.DataFrame:
    table.iloc[1, 1:] *= 0.99
    return table


def put(row: int, column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.astype(object)
        table.loc[row, column] = value
        return table

    return change


VIOLATIONS = {
    "a column missing": (lambda t: t.drop(columns="grda_vote"), "columns"),
    "a column more": (lambda t: t.assign(extra=0.0), "columns"),
    "columns in another order": (lambda t: t[[*t.columns[:-2], t.columns[-1], t.columns[-2]]], "columns"),
    "a column renamed": (lambda t: t.rename(columns={"eeg_id": "id"}), "columns"),
    "an id missing": (lambda t: t.iloc[:2], "1 fewer"),
    "no rows": (lambda t: t.iloc[:0], "3 fewer"),
    "an unknown id": (put(0, "eeg_id", 99), "1 others"),
    "an id twice": (lambda t: pd.concat([t, t.iloc[:1]]), "each id once"),
    "ids in another order": (lambda t: t.iloc[::-1], "another order"),
    "an id with a fraction": (put(0, "eeg_id", 30.5), "whole numbers"),
    "a text": (put(1, "lpd_vote", "many"), "numbers in column lpd_vote"),
    "a missing value": (put(1, "lpd_vote", np.nan), "no missing values"),
    "infinity": (put(1, "lpd_vote", np.inf), "no missing values"),
    "below 0": (
        lambda t: put(0, "lpd_vote", -0.1)(put(0, "other_vote", t.other_vote[0] + t.lpd_vote[0] + 0.1)(t)),
        "0 to 1",
    ),
    "above 1": (put(2, "other_vote", 1.5), "0 to 1"),
    "a row that does not sum to 1": (scaled, "sum to 1"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_violation_is_caught_and_named(name: str, written: Path) -> None:
    change, message = VIOLATIONS[name]
    change(pd.read_csv(written)).to_csv(written, index=False)
    with pytest.raises(SubmissionError, match=message):
        check_submission(written, IDS)


@pytest.mark.parametrize("content", ["", "\x00\x01", "eeg_id\n"])
def test_a_file_that_is_no_such_table_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "submission.csv").write_text(content)
    with pytest.raises(SubmissionError):
        check_submission(tmp_path / "submission.csv", IDS)


@pytest.mark.parametrize("value", ["30.0", "3E+01", "+30", "3 0", "", str(2**63)])
def test_an_id_that_is_not_written_as_an_integer_is_named_with_its_line(value: str, written: Path) -> None:
    written.write_text(written.read_text().replace("\n30,", f"\n{value},"))
    with pytest.raises(SubmissionError, match=r"submission.csv, line 2: expected whole numbers from 0 as eeg_id, rec"):
        check_submission(written, IDS)


@pytest.mark.parametrize("wrong", [30.0, np.float64(30), "30", -1, 2**63])
def test_ids_that_are_no_integers_are_refused(wrong: object, written: Path, answers: dict[int, np.ndarray]) -> None:
    """As a DataFrame gives them whose column of ids has gaps: above 2**53 they are others."""
    ids: list[int] = [wrong, 10, 20]  # type: ignore[list-item]
    with pytest.raises(SubmissionError, match="expected integers from 0 to"):
        check_submission(written, ids)
    with pytest.raises(SubmissionError, match="expected integers from 0 to"):
        write_submission(written, ids, answers | {wrong: answers[30]})  # type: ignore[dict-item]


def test_ids_of_numpy_are_integers_and_large_ones_stay_exact(tmp_path: Path, answers: dict[int, np.ndarray]) -> None:
    ids = np.array([2**63 - 1, 2**53 + 1, 2**53], np.int64)
    write_submission(tmp_path / "x.csv", ids, dict(zip(ids, answers.values())))  # type: ignore[arg-type]
    assert check_submission(tmp_path / "x.csv", ids)["eeg_id"].tolist() == ids.tolist()  # type: ignore[arg-type]
    with pytest.raises(SubmissionError, match="1 fewer"):
        check_submission(tmp_path / "x.csv", [2**63 - 1, 2**53 + 2, 2**53])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="expected a submission"):
        check_submission(tmp_path / "none.csv", IDS)


@pytest.mark.parametrize("wrong", [[0.2] * 6, [np.nan, 0.2, 0.2, 0.2, 0.2, 0.2], [1.2, -0.2, 0, 0, 0, 0]])
def test_nothing_is_written_if_a_row_breaks_a_rule(
    wrong: list[float], tmp_path: Path, answers: dict[int, np.ndarray]
) -> None:
    with pytest.raises(SubmissionError):
        write_submission(tmp_path / "submission.csv", IDS, {**answers, 10: wrong})
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_is_not_there_is_named(tmp_path: Path, answers: dict[int, np.ndarray]) -> None:
    with pytest.raises(OutputError, match="none/submission.csv"):
        write_submission(tmp_path / "none" / "submission.csv", IDS, answers)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ([10, 20, 30], [10, 20, 30]),  # the host's order
        ([10, 20], IDS),  # not the same ids: the order of test.csv
        ([10, 20, 30, 40], IDS),
        ([10, 20, 20], IDS),
        (None, IDS),
    ],
)
def test_rows_follow_the_host_s_template_if_it_names_the_same_ids(
    template: list[int] | None, expected: list[int], tmp_path: Path
) -> None:
    if template is not None:
        pd.DataFrame({"eeg_id": template}).to_csv(tmp_path / "sample_submission.csv", index=False)
    assert order_of_rows(IDS, tmp_path) == expected


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zip", ".GZ"])
def test_an_ending_of_a_compression_gets_it(ending: str, written: Path, answers: dict[int, np.ndarray]) -> None:
    path = written.with_name(f"submission.csv{ending}")
    write_submission(path, IDS, answers)
    pd.testing.assert_frame_equal(pd.read_csv(path), pd.read_csv(written))
    assert len(check_submission(path, IDS)) == 3
    first = path.read_bytes()
    write_submission(path, IDS, answers)
    assert path.read_bytes() == first


def test_a_gzip_holds_the_bytes_of_the_plain_file_and_no_time(written: Path, answers: dict[int, np.ndarray]) -> None:
    path = written.with_name("submission.csv.gz")
    write_submission(path, IDS, answers)
    assert gzip.decompress(path.read_bytes()) == written.read_bytes()
    assert path.read_bytes()[3:8] == bytes(5)  # no name, no time


@pytest.mark.parametrize("name", ["x.parquet", "x.tsv", "x.xlsx", "x.tar", "x.tar.gz", "x.parquet.gz", "x.json"])
def test_an_ending_of_another_form_is_refused(name: str, tmp_path: Path, answers: dict[int, np.ndarray]) -> None:
    with pytest.raises(OutputError, match=r"expected a name as \*.csv, \*.csv.gz"):
        write_submission(tmp_path / name, IDS, answers)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zip", ".zst"])
@pytest.mark.parametrize("damage", [lambda content: content[:-20], lambda content: b"eeg_id\n" + content])
def test_a_damaged_archive_is_one_line(ending: str, damage: Callable[[bytes], bytes], written: Path) -> None:
    path = written.with_name(f"submission.csv{ending}")
    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}.get(ending, lambda content: content)
    path.write_bytes(damage(pack(written.read_bytes())))
    with pytest.raises(SubmissionError, match="expected a submission") as caught:
        check_submission(path, IDS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (None, None),
        ("eeg_id\n20\n10\n30\n", None),
        ("eeg_id\n20\n10\n", r"each of the 3 ids of test.csv once, received 2, 1 fewer \[30\] and 0 others"),
        ("eeg_id\n20\n10\n31\n", r"received 3, 1 fewer \[30\] and 1 others \[31\]"),
        ("eeg_id\n20\n10\n30\n30\n", "received 4, 0 fewer"),
        ("eeg_id\n2E1\n10\n30\n", "line 2: expected whole numbers from 0 as eeg_id, received 2E1"),
        ("id\n20\n", r"missing \['eeg_id'\], received \['id'\]"),
    ],
)
def test_a_template_with_other_ids_than_the_table_is_named(
    template: str | None, said: str | None, tmp_path: Path
) -> None:
    if template is not None:
        (tmp_path / "sample_submission.csv").write_text(template)
    received = differs_from_template(IDS, tmp_path)
    assert (received is None) if said is None else re.search(rf"sample_submission.csv.*{said}", received or "")


def test_check_refuses_a_submission_while_test_csv_and_the_template_differ(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test.csv").write_text("eeg_id\n30\n10\n20\n")
    (tmp_path / "sample_submission.csv").write_text("eeg_id\n30\n10\n21\n")
    assert main(["check", str(written), "--test-dir", str(tmp_path)]) == 2
    assert "sample_submission.csv: expected each of the 3 ids" in capsys.readouterr().err
