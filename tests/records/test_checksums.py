"""A list of SHA-256: a file that differs is not read, and the row is answered from the other one."""

import hashlib
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hbac.errors import InputError
from hbac.preprocessing.load import OK, SPECTROGRAM_ONLY, SUSPECT, load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.checksums import with_digests
from hbac.records.tables import read_test_table


@pytest.fixture
def listed(test_dir: Path, tmp_path: Path) -> Path:
    """What `sha256sum` of the coreutils says of the test folder."""
    files = [str(path.relative_to(test_dir)) for path in sorted(test_dir.glob("test_*/*.parquet"))]
    said = subprocess.run(["sha256sum", *files], cwd=test_dir, capture_output=True, text=True, check=True).stdout
    (tmp_path / "SHA256SUMS").write_text(said)
    return tmp_path / "SHA256SUMS"


def test_files_as_listed_are_read_and_a_changed_one_is_not(test_dir: Path, listed: Path) -> None:
    records = with_digests(read_test_table(test_dir), listed)
    assert all(record.eeg_sha256 and record.spectrogram_sha256 for record in records)
    assert load_record(records[0], PRESETS[THREE_ZOOMS]).status == OK
    content = bytearray(records[0].eeg_path.read_bytes())
    content[len(content) // 2] ^= 1
    records[0].eeg_path.write_bytes(content)
    loaded = load_record(records[0], PRESETS[THREE_ZOOMS])
    assert loaded.status == SPECTROGRAM_ONLY
    assert hashlib.sha256(content).hexdigest() in loaded.notes[0]


def test_capital_digits_are_the_same_digest(test_dir: Path, listed: Path) -> None:
    """As `Get-FileHash` and `certutil` write them."""
    digests = {record.eeg_id: record.eeg_sha256 for record in with_digests(read_test_table(test_dir), listed)}
    lines = [line.split(" ", 1) for line in listed.read_text().splitlines()]
    listed.write_text("".join(f"{digest.upper()} {rest}\n" for digest, rest in lines))
    records = with_digests(read_test_table(test_dir), listed)
    assert {record.eeg_id: record.eeg_sha256 for record in records} == digests
    assert load_record(records[0], PRESETS[THREE_ZOOMS]).status == OK


def test_a_listed_file_is_not_looked_over_for_damage(
    test_dir: Path, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are those that were listed; comparing its columns with their dictionaries takes longer than that."""
    monkeypatch.setattr("hbac.records.parquet.misfits", lambda *_: ["Fp1"])
    record = read_test_table(test_dir)[0]
    assert load_record(record, PRESETS[THREE_ZOOMS]).status == SUSPECT
    assert load_record(with_digests([record], listed)[0], PRESETS[THREE_ZOOMS]).status == OK


def test_a_file_that_is_not_listed_is_read(test_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    record = with_digests(read_test_table(test_dir), tmp_path / "empty")[0]
    assert load_record(record, PRESETS[THREE_ZOOMS]).status == OK


@pytest.mark.parametrize(
    "text",
    [
        "no digest  test_eegs/1.parquet",
        f"{'0' * 63}  test_eegs/1.parquet",
        f"{'0' * 64}",
        f"{'0' * 64}  test_eegs/1.parquet\n{'1' * 64}  elsewhere/test_eegs/1.parquet",
    ],
)
def test_a_list_of_another_form_is_refused_with_its_line(text: str, test_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(text)
    with pytest.raises(InputError, match=f"line {1 + text.count(chr(10))}: expected"):
        with_digests(read_test_table(test_dir), tmp_path / "list")


def test_a_list_that_is_not_there_is_refused(test_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a list"):
        with_digests(read_test_table(test_dir), tmp_path / "none")


def test_flipped_bits_in_a_file_with_page_checksums_are_noticed(test_dir: Path) -> None:
    """What `hbac simulate` writes has them; the host's files have not."""
    record = read_test_table(test_dir)[0]
    content = record.eeg_path.read_bytes()
    first = pq.read_metadata(record.eeg_path).row_group(0).column(3)
    start, length = first.data_page_offset, first.total_compressed_size
    for at in range(start + 60, start + length - 60, length // 12):
        damaged = bytearray(content)
        damaged[at] ^= 4
        record.eeg_path.write_bytes(damaged)
        assert load_record(record, PRESETS[THREE_ZOOMS]).status == SPECTROGRAM_ONLY
