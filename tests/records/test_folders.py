"""Where files are found, and what is said where they are not."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hbac.errors import InputError, RecordError
from hbac.records.folders import where_looked
from hbac.records.parquet import read_eeg
from hbac.records.record import Record
from hbac.records.tables import read_test_table, read_train_table

EEGS, SPECTROGRAMS = "test_eegs", "test_spectrograms"


def deeper(folder: Path) -> None:
    for name in (EEGS, SPECTROGRAMS):
        (folder / name).rename(folder / "inner")
        (folder / name).mkdir()
        (folder / "inner").rename(folder / name / name)


def capital_folders(folder: Path) -> None:
    (folder / EEGS).rename(folder / "Test_EEGs")
    (folder / SPECTROGRAMS).rename(folder / "TEST_SPECTROGRAMS")


def capital_files(folder: Path) -> None:
    for file in folder.glob("*/*.parquet"):
        file.rename(file.with_suffix(".PARQUET"))


@pytest.mark.parametrize("change", [deeper, capital_folders, capital_files])
def test_files_are_found_one_folder_deeper_and_in_capitals(change: Callable[[Path], None], test_dir: Path) -> None:
    before = [record.eeg_path.read_bytes() for record in read_test_table(test_dir)]
    change(test_dir)
    records = read_test_table(test_dir)
    assert [record.eeg_path.read_bytes() for record in records] == before
    assert all(record.spectrogram_path and record.spectrogram_path.is_file() for record in records)
    assert where_looked(test_dir, records) == []


def test_a_file_in_two_places_is_taken_from_neither_but_where_it_belongs(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("eeg_id\n5\n")
    for name in ("test_eegs/test_eegs/5.parquet", "test_eegs/5.PARQUET"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (record,) = read_test_table(tmp_path)
    assert record.eeg_path == tmp_path / "test_eegs" / "5.parquet"
    assert not record.eeg_path.exists()
    record.eeg_path.touch()
    assert read_test_table(tmp_path)[0].eeg_path == record.eeg_path


def test_a_file_of_another_name_or_folder_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("eeg_id\n5\n")
    for name in ("test_eegs/old/5.parquet", "train_eegs/5.parquet", "test_eegs/05.parquet", "test_eegs/5.parquet.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert not read_test_table(tmp_path)[0].eeg_path.exists()


def zipped(folder: Path) -> None:
    for name in (EEGS, SPECTROGRAMS):
        (folder / name).rename(folder / f"{name}.zip")


def as_training_data(folder: Path) -> None:
    (folder / EEGS).rename(folder / "train_eegs")
    (folder / SPECTROGRAMS).rename(folder / "train_spectrograms")


def packed_files(folder: Path) -> None:
    for file in folder.glob("*/*.parquet"):
        file.rename(file.with_name(f"{file.name}.gz"))


def no_files(folder: Path) -> None:
    for file in folder.glob("*/*.parquet"):
        file.unlink()


def links_to_nowhere(folder: Path) -> None:
    for file in folder.glob("*/*.parquet"):
        file.unlink()
        file.symlink_to(folder / "gone" / file.name)


LOST = {  # what the line names
    zipped: r"received {folder}, a folder that holds .*test_eegs.zip",
    as_training_data: r"received {folder}, a folder that holds .*train_eegs",
    packed_files: r"received {folder}/test_eegs, a folder that holds \d+.parquet.gz, ",
    no_files: r"received {folder}/test_eegs, a folder that holds nothing",
    links_to_nowhere: r"received {folder}/test_eegs, a folder that holds \d+.parquet, ",
}


@pytest.mark.parametrize("change", LOST)
def test_where_most_files_are_nowhere_it_is_said_where_they_were_looked_for_and_what_is_there(
    change: Callable[[Path], None], test_dir: Path
) -> None:
    change(test_dir)
    records = read_test_table(test_dir)
    eegs, spectrograms = where_looked(test_dir, records)
    said = f"0 of 6 EEG files found: expected files such as {records[0].eeg_path}, " + LOST[change]
    assert re.match(said.format(folder=re.escape(str(test_dir))), eegs)
    assert spectrograms.startswith("0 of 6 spectrogram files found: ")
    assert "\n" not in eegs


def test_half_of_the_files_are_enough_to_say_nothing(test_dir: Path) -> None:
    records = read_test_table(test_dir)
    for record in records[:3]:
        record.eeg_path.unlink()
    assert where_looked(test_dir, records) == []
    records[3].eeg_path.unlink()
    assert [note[:7] for note in where_looked(test_dir, records)] == ["2 of 6 "]


@pytest.mark.parametrize("text", ["eeg_id,spec\n5,7\n", "eeg_id,spectrogram_id\n5,\n"])
def test_a_table_without_spectrograms_is_named_with_its_columns(text: str, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(text)
    (tmp_path / "test_eegs").mkdir()
    (tmp_path / "test_eegs" / "5.parquet").touch()
    (note,) = where_looked(tmp_path, read_test_table(tmp_path))
    assert f"test.csv: expected a spectrogram_id in each row, received none; columns ['eeg_id', '{text[7:11]}" in note


def test_a_folder_without_the_table_is_named_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "hms").mkdir()
    with pytest.raises(InputError, match=r"test.csv: expected this table, found none in a folder that holds hms$"):
        read_test_table(tmp_path)
    with pytest.raises(InputError, match=r"train.csv: expected this table, found none in a folder that holds nothing$"):
        read_train_table(tmp_path / "hms")


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "5.parquet").symlink_to("gone.parquet")
    with pytest.raises(RecordError, match=r"5.parquet: expected a file, found a link to 'gone.parquet', which is not"):
        read_eeg(tmp_path / "5.parquet")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_that_may_not_be_read_is_named(test_dir: Path) -> None:
    (test_dir / EEGS).chmod(0)
    try:
        records: list[Record] = read_test_table(test_dir)
        assert "test_eegs, a folder that cannot be read (Permission denied)" in where_looked(test_dir, records)[0]
    finally:
        (test_dir / EEGS).chmod(0o755)
