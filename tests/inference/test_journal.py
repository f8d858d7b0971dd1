"""The journal: rows survive a kill, and only the very same run takes them up."""

import json
from pathlib import Path

import pytest

from hbac.errors import InputError, OutputError
from hbac.inference.answers import Answer
from hbac.inference.journal import Journal

ANSWERS = [
    Answer(7, (0.1, 0.2, 0.3, 0.15, 0.05, 0.2), "ok", (), 3, True, "[7, 1]"),
    Answer(8, (1 / 3, 1 / 3, 0.0, 1e-300, 1 / 3, 0.0), "eeg only", ("spectrogram: gone",), 2, False),
]
RUN = {"manifest": "abc", "engine": "abacus"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    with Journal(path, resume=False) as journal:
        journal.begin(RUN)
        for answer in ANSWERS:
            journal.add(answer)
    return path


def test_resuming_gives_back_every_row_to_the_last_bit(path: Path) -> None:
    assert Journal(path, resume=True).answers == ANSWERS


def test_without_resume_it_starts_empty(path: Path) -> None:
    with Journal(path, resume=False) as journal:
        assert journal.answers == []
        journal.begin({"manifest": "other"})
    assert Journal(path, resume=True).answers == []


@pytest.mark.parametrize("cut", range(1, 200, 7))
def test_a_line_that_a_kill_cut_short_does_not_count_and_the_journal_goes_on(cut: int, path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with Journal(path, resume=True) as journal:
        kept = len(journal.answers)
        assert journal.answers == ANSWERS[:kept]
        journal.begin(RUN)
        for answer in ANSWERS[kept:]:
            journal.add(answer)
    assert path.read_bytes() == whole


def test_the_journal_of_another_run_is_refused_by_what_differs(path: Path) -> None:
    with Journal(path, resume=True) as journal, pytest.raises(InputError, match="another manifest"):
        journal.begin({**RUN, "manifest": "xyz"})


CHANGES = [  # of one value of a row
    ("eeg_id", [7]),
    ("eeg_id", True),
    ("probabilities", [0.1, 0.2, 0.3, 0.15, 0.05, "0.2"]),
    ("probabilities", [0.1, 0.2, 0.3, 0.15, 0.05, float("nan")]),
    ("probabilities", [0.1, 0.2, 0.3, 0.15, 0.05, 0.3]),
    ("probabilities", [1.1, -0.1, 0, 0, 0, 0]),
    ("status", None),
    ("notes", [1]),
    ("folds", "3"),
    ("flipped", 1),
    ("source", None),
]


@pytest.mark.parametrize(("key", "value"), CHANGES, ids=lambda x: str(x))
def test_a_row_with_a_value_that_no_run_writes_is_left_out(key: str, value: object, path: Path) -> None:
    first, second, third = path.read_text().splitlines()
    path.write_text("\n".join([first, json.dumps({**json.loads(second), key: value}), third]) + "\n")
    assert Journal(path, resume=True).answers == ANSWERS[1:]


def test_deep_nesting_ends_the_rows(path: Path) -> None:
    path.write_text(path.read_text() + "[" * 200_000 + "\n")
    assert Journal(path, resume=True).answers == ANSWERS


@pytest.mark.parametrize("room", range(3))
def test_a_disk_that_fills_up_gives_one_clear_line_and_rows_to_go_on_from(room: int, path: Path) -> None:
    """A limit on the size of files stands for the disk: it takes part of a line, then none."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100 * room + 1, before[1]))
    try:
        with (
            pytest.raises(OutputError, match="room for the journal: .*--resume"),
            Journal(path, resume=True) as journal,
        ):
            journal.begin(RUN)
            for answer in ANSWERS * 3:
                journal.add(answer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert Journal(path, resume=True).answers[:2] == ANSWERS


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[]\n", b"{}\n", b'"text"\n{"eeg_id": 7}\n', b"null\n"])
def test_what_is_no_journal_gives_no_rows(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    assert Journal(path, resume=True).answers == []


def test_rows_of_another_form_are_left_out(path: Path) -> None:
    lines = path.read_text().splitlines()
    short = {**json.loads(lines[1]), "probabilities": [0.5, 0.5]}
    number = {**json.loads(lines[1]), "probabilities": 5}
    path.write_text("\n".join([lines[0], *map(json.dumps, (short, number, {"eeg_id": 9}, [])), lines[2]]) + "\n")
    assert Journal(path, resume=True).answers == ANSWERS[1:]


def test_removing_takes_the_file_away(path: Path) -> None:
    with Journal(path, resume=True) as journal:
        journal.begin(RUN)
        journal.remove()
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="none"):
        Journal(tmp_path / "none" / "journal", resume=False).begin(RUN)


MIXED = Answer(9, (0.0, 0.0, 0.0, 0.0, 0.0, 1.0), "ok", (), 3, False, "[9]", (2, 1))


def test_a_row_of_several_members_keeps_them_and_one_of_a_single_member_has_no_such_key(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, resume=False) as journal:
        journal.begin(RUN)
        for answer in (ANSWERS[0], MIXED):
            journal.add(answer)
    assert Journal(path, resume=True).answers == [ANSWERS[0], MIXED]
    single, several = map(json.loads, path.read_text().splitlines()[1:])
    assert list(single) == ["eeg_id", "probabilities", "status", "notes", "folds", "flipped", "source"]
    assert several["members"] == [2, 1]


@pytest.mark.parametrize("members", [3, "21", [2, True], [2, 0.5], None])
def test_a_row_whose_members_are_none_does_not_count(members: object, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    line = {**MIXED.document(), "members": members}
    path.write_text(json.dumps({"fingerprint": RUN}) + "\n" + json.dumps(line) + "\n")
    assert Journal(path, resume=True).answers == []
