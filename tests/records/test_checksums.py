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
from hbac.records.checksums import unlisted, with_digests
from hbac.records.tables import read_test_table


@pytest.fixture
def listed(test_dir: Path, tmp_path: Path) -> Path:
    """What `sha256sum` of the coreutils says of the test folder."""
    files = [str(path.relative_to(test_dir)) for path in sorted(test_dir.glob("test_*/*.parquet"))]
    said = subprocess.run(["sha256sum", *files], cwd=test_dir, capture_output=True, text=True, check=True).stdout
    (tmp_path / "SHA256SUMS").write_text(said)
    return tmp_path / "SHA256SUMS"


def test_files_as_listed_are_read_and_a_changed_one_is_not(test_dir: Path, listed: Path) -> None:
    records = with_digests(read_test_table(test_dir), listed, test_dir)
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
    digests = {record.eeg_id: record.eeg_sha256 for record in with_digests(read_test_table(test_dir), listed, test_dir)}
    lines = [line.split(" ", 1) for line in listed.read_text().splitlines()]
    listed.write_text("".join(f"{digest.upper()} {rest}\n" for digest, rest in lines))
    records = with_digests(read_test_table(test_dir), listed, test_dir)
    assert {record.eeg_id: record.eeg_sha256 for record in records} == digests
    assert load_record(records[0], PRESETS[THREE_ZOOMS]).status == OK


def test_a_listed_file_is_not_looked_over_for_damage(
    test_dir: Path, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are those that were listed; comparing its columns with their dictionaries takes longer than that."""
    monkeypatch.setattr("hbac.records.parquet.misfits", lambda *_: ["Fp1"])
    record = read_test_table(test_dir)[0]
    assert load_record(record, PRESETS[THREE_ZOOMS]).status == SUSPECT
    assert load_record(with_digests([record], listed, test_dir)[0], PRESETS[THREE_ZOOMS]).status == OK


def test_a_file_that_is_not_listed_is_read_and_said(test_dir: Path, listed: Path) -> None:
    first, second, *_ = read_test_table(test_dir)
    lines = [line for line in listed.read_text().splitlines() if str(first.eeg_id) not in line]
    listed.write_text("\n".join(lines))
    records = with_digests([first, second], listed, test_dir)
    assert load_record(records[0], PRESETS[THREE_ZOOMS]).status == OK
    assert unlisted(records) == [first.eeg_path]


WRITTEN = {  # how others write the path of a file, and its line
    "./": "{digest}  ./{folder}/{name}",
    "from elsewhere": "{digest}  /kaggle/input/hms/{folder}/{name}",
    "from a folder above": "{digest}  ../hms/{folder}/{name}",
    "by Windows": "{digest} *C:\\data\\{folder}\\{name}",
    "a backslash escaped": "\\{digest}  {folder}\\\\{name}",
    "binary": "{digest} *{folder}/{name}",
    "a tab": "{digest}\t{folder}/{name}",
    "BSD": "SHA256 ({folder}/{name}) = {digest}",
    "OpenSSL 1": "SHA256({folder}/{name})= {digest}",
    "OpenSSL 3": "SHA2-256({folder}/{name})= {digest}",
    "a bare name": "{digest}  {name}",
}


def write_list(path: Path, form: str, files: list[Path], encoding: str = "utf-8", end: str = "\n") -> Path:
    lines = []
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        lines.append(form.format(digest=digest, folder=file.parent.name, name=file.name) + end)
    path.write_bytes("".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n\r\n"), ("utf-16", "\r\n")])
def test_each_line_finds_its_file_however_it_is_written(
    form: str, encoding: str, end: str, test_dir: Path, tmp_path: Path
) -> None:
    files = sorted(test_dir.glob("test_*/*.parquet"))
    path = write_list(tmp_path / "list", WRITTEN[form], files, encoding, end)
    for record in with_digests(read_test_table(test_dir), path, test_dir):
        assert record.spectrogram_path is not None
        assert record.eeg_sha256 == hashlib.sha256(record.eeg_path.read_bytes()).hexdigest()
        assert record.spectrogram_sha256 == hashlib.sha256(record.spectrogram_path.read_bytes()).hexdigest()


def same_names(folder: Path) -> list[Path]:
    """An EEG and a spectrogram of one name."""
    (folder / "test.csv").write_text("eeg_id,spectrogram_id\n7,7\n")
    files = [folder / "test_eegs" / "7.parquet", folder / "test_spectrograms" / "7.parquet"]
    for file in files:
        file.parent.mkdir()
        file.write_bytes(file.parent.name.encode())
    return files


def test_two_files_of_one_name_are_told_apart_by_folder_or_by_where_the_list_lies(tmp_path: Path) -> None:
    eeg, spectrogram = same_names(tmp_path)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (eeg, spectrogram)]
    (record,) = with_digests(
        read_test_table(tmp_path), write_list(tmp_path / "list", WRITTEN["./"], [spectrogram, eeg]), tmp_path
    )
    assert [record.eeg_sha256, record.spectrogram_sha256] == digests
    path = write_list(spectrogram.parent / "SHA256SUMS", WRITTEN["a bare name"], [spectrogram])
    (record,) = with_digests(read_test_table(tmp_path), path, tmp_path)
    assert [record.eeg_sha256, record.spectrogram_sha256] == [None, digests[1]]


def test_a_bare_name_of_two_files_is_refused(tmp_path: Path) -> None:
    eeg, spectrogram = same_names(tmp_path)
    path = write_list(tmp_path / "list", WRITTEN["a bare name"], [eeg])
    for table in ("eeg_id,spectrogram_id\n7,7\n", "eeg_id\n7\n"):  # the other file may be meant though none reads it
        (tmp_path / "test.csv").write_text(table)
        with pytest.raises(InputError, match=f"list, line 1: expected a path that tells {eeg} from {spectrogram}, rec"):
            with_digests(read_test_table(tmp_path), path, tmp_path)


def test_other_files_of_the_folder_may_be_listed_and_the_tables_are_verified(test_dir: Path, listed: Path) -> None:
    """`sha256sum` over all that a folder holds."""
    (test_dir / "train_eegs").mkdir()
    (test_dir / "train_eegs" / "5.parquet").touch()
    files = [test_dir / "test.csv", test_dir / "sample_submission.csv", test_dir / "train_eegs" / "5.parquet"]
    more = write_list(listed.with_name("more"), WRITTEN["./"], files).read_text()
    listed.write_text(more + listed.read_text())
    assert all(record.eeg_sha256 for record in with_digests(read_test_table(test_dir), listed, test_dir))
    (test_dir / "sample_submission.csv").write_text("eeg_id\n1\n")
    with pytest.raises(InputError, match=r"sample_submission.csv: expected SHA-256 .* as .* states, received"):
        with_digests(read_test_table(test_dir), listed, test_dir)


@pytest.mark.parametrize("path", ["elsewhere/{name}", "{name}x", "train_eegs/{name}", "test_eegs/{name}.gz", "README"])
def test_a_digest_of_no_file_is_refused_with_its_line_and_a_path(path: str, test_dir: Path, listed: Path) -> None:
    file = read_test_table(test_dir)[2].eeg_path
    line = f"{'0' * 64}  {path.format(name=file.name)}"
    listed.write_text(f"{listed.read_text()}{line}\n")
    with pytest.raises(InputError, match=rf"SHA256SUMS, line 13: expected .*, such as .*parquet, received '{line}'"):
        with_digests(read_test_table(test_dir), listed, test_dir)


def test_a_list_of_none_of_the_records_files_is_refused(test_dir: Path, tmp_path: Path) -> None:
    path = write_list(tmp_path / "list", WRITTEN["./"], [test_dir / "test.csv"])
    with pytest.raises(InputError, match="list: expected a file of a record, such as .*parquet, received none"):
        with_digests(read_test_table(test_dir), path, test_dir)


def test_a_file_listed_twice_with_other_digests_is_refused(test_dir: Path, tmp_path: Path) -> None:
    file = read_test_table(test_dir)[0].eeg_path
    (tmp_path / "list").write_text(f"{'0' * 64}  test_eegs/{file.name}\n{'1' * 64}  elsewhere/test_eegs/{file.name}\n")
    with pytest.raises(InputError, match=f"list, line 2: expected one SHA-256 for {file}, received two"):
        with_digests(read_test_table(test_dir), tmp_path / "list", test_dir)


@pytest.mark.parametrize(
    "text", ["no digest  test_eegs/1.parquet", f"{'0' * 63}  test_eegs/1.parquet", f"{'0' * 64}", f"{'0' * 64}  ./"]
)
def test_a_list_of_another_form_is_refused_with_its_line(text: str, test_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"\n{text}\n")
    with pytest.raises(InputError, match="list, line 2: expected a SHA-256 and a path, received"):
        with_digests(read_test_table(test_dir), tmp_path / "list", test_dir)


def test_an_empty_list_is_refused(test_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\n")
    with pytest.raises(InputError, match="list: expected a SHA-256 and a path a line, received no line"):
        with_digests(read_test_table(test_dir), tmp_path / "list", test_dir)


def test_a_list_that_is_not_there_is_refused(test_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a list"):
        with_digests(read_test_table(test_dir), tmp_path / "none", test_dir)


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
