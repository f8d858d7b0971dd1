"""Tables of labels: what is taken, and what is refused with what was expected and what came."""

from pathlib import Path

import numpy as np
import pytest

from hbac import hms
from hbac.adaptation.labels import read_labels
from hbac.errors import InputError

KNOWN = ("a", "b", "c")
VOTES = ",".join(hms.VOTE_COLUMNS)


def table(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_votes_become_shares(tmp_path: Path) -> None:
    path = table(tmp_path, f"sample,{VOTES},seconds,patient\nb,3,0,0,1,0,0,10,p1\na,0,0,0.5,0,0,0.5,15,p1\n")
    labels = read_labels(path, KNOWN)
    assert labels.names == ("b", "a")
    np.testing.assert_array_equal(labels.votes, [[0.75, 0, 0, 0.25, 0, 0], [0, 0, 0.5, 0, 0, 0.5]])
    assert labels.patients == ("p1", "p1")
    assert labels.patients_stated


def test_classes_become_shares_and_each_record_its_own_patient(tmp_path: Path) -> None:
    labels = read_labels(table(tmp_path, "eeg_id;class\n17;LPD\n5;other\n"), ("17", "5"))
    assert labels.names == labels.patients == ("17", "5")
    np.testing.assert_array_equal(labels.votes.argmax(axis=1), [1, 5])
    assert not labels.patients_stated


WRONG = {
    "unknown name": (
        "sample,class\na,lpd\nd,lpd\n",
        "line 3: expected a record's file name without .parquet, received 'd'",
    ),
    "a name twice": ("sample,class\na,lpd\nb,gpd\na,lpd\n", "line 4: expected each record once, received 'a'"),
    "no name": ("record,class\na,lpd\n", "expected a column sample or eeg_id, received ['record', 'class']"),
    "no label": ("sample,votes\na,lpd\n", "or a column class, received ['sample', 'votes']"),
    "a vote column missing": ("sample,lpd_vote\na,1\n", "expected either the columns ['seizure_vote'"),
    "votes and classes": (f"sample,class,{VOTES}\na,lpd,0,1,0,0,0,0\n", "expected either the columns"),
    "unknown class": ("sample,class\na,lpd\nb,spike\n", "line 3: expected one of ['seizure', 'lpd'"),
    "no class": ("sample,class\na,\n", "received ''"),
    "NaN": (
        f"sample,{VOTES}\na,0,1,0,0,0,nan\n",
        "line 2: expected six votes of 0 or more, not all 0, received '0,1,0,0,0,nan'",
    ),
    "a vote missing": (f"sample,{VOTES}\na,0,1,0,0,0,1\nb,0,1,0,,0,1\n", "line 3: expected six votes"),
    "infinite": (f"sample,{VOTES}\na,0,1,0,0,0,inf\n", "expected six votes"),
    "negative": (f"sample,{VOTES}\na,0,2,0,0,0,-1\n", "received '0,2,0,0,0,-1'"),
    "text": (f"sample,{VOTES}\na,0,many,0,0,0,0\n", "received '0,many,0,0,0,0'"),
    "all zero": (f"sample,{VOTES}\na,0,0,0,0,0,0\n", "received '0,0,0,0,0,0'"),
    "patient missing": (
        "sample,class,patient\na,lpd,p\nb,lpd,\n",
        "line 3: expected a patient in each row, received ''",
    ),
    "no rows": ("sample,class\n", "expected one row or more, received none"),
    "nothing": ("", "expected a table in CSV form"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_is_refused(name: str, tmp_path: Path) -> None:
    text, expected = WRONG[name]
    with pytest.raises(InputError) as caught:
        read_labels(table(tmp_path, text), KNOWN)
    assert str(tmp_path / "labels.csv") in str(caught.value)
    assert expected in str(caught.value)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected this table, found none"):
        read_labels(tmp_path / "labels.csv", KNOWN)
