"""The submission file: its schema, by Kaggle's own rules, and how it is written.

Rules: exactly the columns eeg_id and six votes; every id once; numeric, none missing, in [0, 1]; every row sums to 1
(`numpy.allclose`).
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hbac import hms
from hbac.errors import InputError, SubmissionError, brief, one_line
from hbac.files import write_atomically
from hbac.inference.endings import COMPRESSIONS, DAMAGED, PANDAS_NAMES, compression_of
from hbac.records.csv_files import IDS_END, read_csv
from hbac.records.tables import read_ids


def order_of_rows(test_ids: Sequence[int], folder: Path) -> list[int]:
    """Ids in the order in which the submission holds them: sample_submission.csv's if it names just the same ids.

    The host's template decides, so that the file does not depend on the order of test.csv; without a usable one,
    the order of test.csv stands.
    """
    difference = differs_from_template(test_ids, folder)
    path = folder / hms.SAMPLE_SUBMISSION
    return read_ids(path) if difference is None and path.exists() else list(test_ids)


def differs_from_template(test_ids: Sequence[int], folder: Path) -> str | None:
    """One line that says how the ids of sample_submission.csv and of test.csv differ; None if not, or without it."""
    path = folder / hms.SAMPLE_SUBMISSION
    if not path.exists():
        return None
    try:
        template = read_ids(path)
    except InputError as error:
        return str(error)
    fewer, more = sorted(set(test_ids) - set(template)), sorted(set(template) - set(test_ids))
    if not fewer and not more and len(template) == len(test_ids):
        return None
    return (
        f"{path}: expected each of the {len(test_ids)} ids of {hms.TEST_TABLE} once, received {len(template)}, "
        f"{len(fewer)} fewer {fewer[:5]} and {len(more)} others {more[:5]}"
    )


def write_submission(path: Path, ids: Sequence[int], answers: Mapping[int, Iterable[float]]) -> None:
    """Write the file; it is read back and checked before it gets its name.

    Args:
        path: the file to write or replace, compressed as its ending says; or a device, a pipe, /dev/stdout.
        ids: order of rows.
        answers: six probabilities for each id, in the order of `hms.CLASSES`.

    Raises:
        SubmissionError: the table breaks a rule; nothing is written.
        OutputError: the file cannot be written, or its ending means another form.
    """
    ending = compression_of(path)
    ids = _exact(ids)
    table = pd.DataFrame([answers[eeg_id] for eeg_id in ids], columns=list(hms.VOTE_COLUMNS), dtype=np.float64)
    table.insert(0, hms.ID_COLUMN, np.array(ids, np.int64))
    content = COMPRESSIONS[ending](table.to_csv(index=False, lineterminator="\n").encode(), path.stem)
    check_table(pd.read_csv(io.BytesIO(content), compression=PANDAS_NAMES[ending]), ids)
    write_atomically(path, content)


def check_submission(path: Path, ids: Sequence[int]) -> pd.DataFrame:
    """Read a submission file and check it against the ids it has to answer, in their order.

    Raises:
        SubmissionError: it cannot be read, or it breaks a rule, which is named with the first offending row.
    """
    ids = _exact(ids)
    try:
        table = pd.read_csv(path, dtype={hms.ID_COLUMN: str})
    except (OSError, ValueError, *DAMAGED) as error:
        raise SubmissionError(f"{path}: expected a submission in CSV form: {one_line(error)}") from error
    if hms.ID_COLUMN in table.columns:
        table[hms.ID_COLUMN] = _stated_ids(path, table[hms.ID_COLUMN])
    try:
        check_table(table, ids)
    except SubmissionError as error:
        raise SubmissionError(f"{path}: {error}") from error
    return table


def _exact(ids: Sequence[int]) -> list[int]:
    """The same ids; what is no integer, as pandas gives where a column has gaps, may be another id already."""
    for eeg_id in ids:
        if not isinstance(eeg_id, int | np.integer) or not 0 <= eeg_id < IDS_END:
            raise SubmissionError(f"expected integers from 0 to 2**63 - 1 as ids, received {eeg_id!r}")
    return [int(eeg_id) for eeg_id in ids]


def _stated_ids(path: Path, column: "pd.Series[str]") -> "pd.Series[int]":
    """A column of texts as integers; unlike in a table that we read, `30.0` is no id for Kaggle."""
    for row, text in enumerate(column):
        if not re.fullmatch(r" *[0-9]{1,19} *", str(text)) or int(text) >= IDS_END:
            raise SubmissionError(
                f"{path}, line {read_csv(path).line(row)}: expected whole numbers from 0 as {hms.ID_COLUMN}, "
                f"received {brief(text, quote=False)}"
            )
    return column.map(int).astype(np.int64)


def check_table(table: pd.DataFrame, ids: Sequence[int]) -> None:
    """Check a submission's table; raises SubmissionError as `check_submission`."""
    if tuple(table.columns) != hms.SUBMISSION_COLUMNS:
        raise SubmissionError(f"expected columns {list(hms.SUBMISSION_COLUMNS)}, received {list(table.columns)}")
    _check_ids(table[hms.ID_COLUMN], ids)
    votes = table[list(hms.VOTE_COLUMNS)]
    for column in hms.VOTE_COLUMNS:
        if votes[column].dtype.kind not in "fiu":
            raise SubmissionError(f"expected numbers in column {column}, received {votes[column].dtype}")
    values = votes.to_numpy(np.float64)
    for what, bad in (
        ("no missing values", ~np.isfinite(values).all(axis=1)),
        ("probabilities from 0 to 1", ~((values >= 0) & (values <= 1)).all(axis=1)),
        ("rows that sum to 1", ~np.isclose(values.sum(axis=1), 1.0)),
    ):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise SubmissionError(
                f"expected {what}, received {values[row].tolist()} for eeg_id {table[hms.ID_COLUMN].iloc[row]} "
                f"({int(bad.sum())} such rows)"
            )


def _check_ids(column: pd.Series, ids: Sequence[int]) -> None:
    if column.dtype.kind not in "iu" and len(column):
        raise SubmissionError(f"expected whole numbers as {hms.ID_COLUMN}, received {column.dtype}")
    received = column.tolist()
    missing, unknown = sorted(set(ids) - set(received)), sorted(set(received) - set(ids))
    if missing or unknown:
        raise SubmissionError(
            f"expected the {len(ids)} ids of the test set, received {len(missing)} fewer {missing[:5]} "
            f"and {len(unknown)} others {unknown[:5]}"
        )
    if len(received) != len(ids):
        raise SubmissionError(f"expected each id once, received duplicates: {column[column.duplicated()].tolist()[:5]}")
    if received != list(ids):
        row = next(i for i, (a, b) in enumerate(zip(ids, received)) if a != b)
        raise SubmissionError(f"expected eeg_id {ids[row]} in row {row}, received {received[row]}: another order")
