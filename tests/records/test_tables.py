"""test.csv and train.csv: what is read, what is refused, and that every refusal names expected and received."""

import numpy as np
import pandas as pd
import pytest
from helpers_signals import SAMPLE, needs_sample

from hbac import hms
from hbac.errors import InputError
from hbac.records.tables import read_test_table, read_train_table

# ---- test.csv


def table_in(folder, text: str | bytes, name: str = hms.TEST_TABLE):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@needs_sample
def test_the_real_test_table_is_read():
    (record,) = read_test_table(SAMPLE)
    assert (record.eeg_id, record.spectrogram_id, record.patient_id) == (3911565283, 853520, 6885)
    assert record.eeg_path.is_file()
    assert record.spectrogram_path.is_file()
    assert (record.eeg_offset_s, record.spectrogram_offset_s) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "spectrogram_id,eeg_id,patient_id\n7,5,3\n8,6,3\n",
        "patient_id,note,eeg_id,spectrogram_id\n3,x,5,7\n3,y,6,8\n",
        '"spectrogram_id","eeg_id","patient_id"\n"7","5","3"\n"8","6","3"\n',
        "\ufeffspectrogram_id,eeg_id,patient_id\n7,5,3\n8,6,3\n",  # byte-order mark
        "spectrogram_id,eeg_id,patient_id\r\n7,5,3\r\n8,6,3\r\n\r\n",
        "spectrogram_id,eeg_id,patient_id\n7,5,3,\n8,6,3,\n",  # a comma after the last value
        "spectrogram_id,eeg_id,patient_id\n 7, 5,3\n8.0,6.0,3.0",
    ],
)
def test_a_test_table_may_be_written_in_many_ways(tmp_path, text):
    first, second = read_test_table(table_in(tmp_path, text))
    assert (first.eeg_id, first.spectrogram_id, first.patient_id) == (5, 7, 3)
    assert (second.eeg_id, second.spectrogram_id, second.patient_id) == (6, 8, 3)
    assert first.eeg_path == tmp_path / "test_eegs" / "5.parquet"
    assert second.spectrogram_path == tmp_path / "test_spectrograms" / "8.parquet"


def test_records_keep_the_order_of_the_table(tmp_path):
    ids = np.random.default_rng(0).permutation(200).tolist()
    folder = table_in(tmp_path, "eeg_id\n" + "\n".join(map(str, ids)))
    assert [record.eeg_id for record in read_test_table(folder)] == ids


@pytest.mark.parametrize(
    "text",
    [
        "eeg_id\n5\n6\n",
        "eeg_id,spectrogram_id\n5,\n6,\n",
        "eeg_id,patient_id,spectrogram_id\n5,,7\n6,1,\n",
    ],
)
def test_a_record_without_spectrogram_id_has_no_spectrogram_path(tmp_path, text):
    first, second = read_test_table(table_in(tmp_path, text))
    assert (first.eeg_id, second.eeg_id) == (5, 6)
    assert (second.spectrogram_id, second.spectrogram_path) == (None, None)
    assert (first.spectrogram_id is None) == (first.spectrogram_path is None) == ("7" not in text)
    assert first.patient_id is None


@pytest.mark.parametrize("name", ["eeg_id", "spectrogram_id", "patient_id"])
@pytest.mark.parametrize(
    "value",
    [
        "-4",
        "2.5",
        "abc",
        "inf",
        "0x10",
        "1_0",
        "True",
        "+5",
        "5.",
        "1 234",
        '"1,234"',
        "1.234.567",
        "\u0663",
        str(2**63),
        f"{2**53}.0",
        "12345678901234567890",
        "1" + "0" * 40,
        "3.91157E+09",
        "4e9",
        "1.0E9",
    ],  # fmt: skip
)
def test_an_id_that_is_no_whole_number_is_an_error_that_names_column_and_value(tmp_path, name, value):
    values = {**dict.fromkeys(hms.TEST_COLUMNS, "1"), name: value}
    folder = table_in(tmp_path, ",".join(values) + "\n" + ",".join(values.values()) + "\n")
    with pytest.raises(InputError) as error:
        read_test_table(folder)
    received = value.strip('"')
    assert f"test.csv, line 2: expected whole numbers from 0 as {name}, received {received}" in str(error.value)
    assert ("spreadsheet" in str(error.value)) == ("e" in value.lower() and value[0].isdecimal())


@pytest.mark.parametrize(
    ("text", "number"),
    [("9007199254740993", 2**53 + 1), (str(2**63 - 1), 2**63 - 1), ("007", 7), (" 7 ", 7), ("7.00", 7), ("0", 0)],
)
def test_ids_are_exact_to_the_last_digit(tmp_path, text, number):
    """Also where another row has none, for which pandas alone would read the column as float64."""
    first, _ = read_test_table(table_in(tmp_path, f"eeg_id,spectrogram_id,patient_id\n{text},{text},{text}\n1,,\n"))
    assert (first.eeg_id, first.spectrogram_id, first.patient_id) == (number, number, number)
    _, table = read_train_table(train_table(tmp_path, dict.fromkeys(("eeg_id", "spectrogram_id", "patient_id"), text)))
    assert table[["eeg_id", "spectrogram_id", "patient_id"]].to_numpy(np.int64).tolist() == [[number] * 3]
    table.to_parquet(tmp_path / "x.parquet")
    assert pd.read_parquet(tmp_path / "x.parquet")["eeg_id"].tolist() == [number]


def test_the_line_of_an_id_counts_blank_lines_and_lines_in_quotes(tmp_path):
    folder = table_in(tmp_path, '\neeg_id,note\n\n1,"two\nlines"\n\n2x,\n')
    with pytest.raises(InputError, match="line 7: expected whole numbers from 0 as eeg_id, received 2x"):
        read_test_table(folder)


@pytest.mark.parametrize(
    "headings",
    ["EEG_ID,Spectrogram_ID,Patient_ID", '"eeg_id", "spectrogram_id" , patient_id', "Eeg Id,spectrogram-id,patientId"],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_headings_separators_and_encodings_are_found(tmp_path, headings, separator, encoding):
    text = f"{headings}\r\n5,7,3\r\n".replace(",", separator)
    (record,) = read_test_table(table_in(tmp_path, text.encode(encoding)))
    assert (record.eeg_id, record.spectrogram_id, record.patient_id) == (5, 7, 3)


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"test.csv: expected each column once, received eeg_id twice: .*'EEG_ID'"):
        read_test_table(table_in(tmp_path, "eeg_id,EEG_ID,spectrogram_id\n1,2,3\n"))


@pytest.mark.parametrize("row", ["1,,3\n", "1,nan,3\n", "2,5,3\n1,,3\n"])
def test_a_missing_eeg_id_is_an_error(tmp_path, row):
    with pytest.raises(InputError, match="expected whole numbers from 0 as eeg_id, received nan"):
        read_test_table(table_in(tmp_path, "spectrogram_id,eeg_id,patient_id\n" + row))


def test_an_eeg_id_that_comes_twice_is_an_error_that_names_it(tmp_path):
    with pytest.raises(
        InputError, match=r"test.csv, line 5: expected each eeg_id once, received twice or more: \[5, 9\]"
    ):
        read_test_table(table_in(tmp_path, "eeg_id\n5\n9\n4\n5\n9\n5.0\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a table in CSV form, received No columns"),
        ("eeg_id\n", "expected one row or more, received none"),
        ("EEG,spectrogram_id\n1,2\n", r"missing \['eeg_id'\], received \['EEG', 'spectrogram_id'\]"),
        (b"\xff\xfe\x00\x01", r"missing \['eeg_id'\], received \['\u0100'\]"),  # UTF-16
        (b"\xff\xfe\x00", "expected a table in CSV form, received 'utf-16"),
        (b"eeg_id\xe9\n1\n", "expected a table in CSV form, received 'utf-8"),
        ("eeg_id\n1\n".encode("utf-16-le"), "received NUL characters, as in UTF-16"),
        ("3911565283,853520\n", r"missing \['eeg_id'\], received \['3911565283', '853520'\]"),
        ("eeg_id,patient_id\n1,2\n3,4,5\n", "expected a table in CSV form, received .*line 3"),
        ("spectrogram_id,eeg_id,patient_id\n1,2,3,4\n", "expected a table in CSV form, received Length"),
        ('eeg_id\n"1\n', "expected a table in CSV form, received|expected whole numbers"),
    ],
)
def test_a_table_that_is_none_is_one_clear_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        read_test_table(table_in(tmp_path, text))
    assert "\n" not in str(error.value)
    assert str(tmp_path / "test.csv") in str(error.value)


def test_a_missing_folder_or_table_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"none: expected a folder that holds test.csv, found none"):
        read_test_table(tmp_path / "none")
    with pytest.raises(InputError, match=r"test.csv: expected this table, found none"):
        read_test_table(tmp_path)
    (tmp_path / "test.csv").mkdir()
    with pytest.raises(InputError, match="expected a table in CSV form, received"):
        read_test_table(tmp_path)


# ---- train.csv


TRAIN_ROW = {**dict.fromkeys(hms.TRAIN_COLUMNS, "1"), "expert_consensus": "Seizure"}


def train_table(folder, *rows: dict):
    lines = [",".join(hms.TRAIN_COLUMNS), *(",".join({**TRAIN_ROW, **row}.values()) for row in rows)]
    return table_in(folder, "\n".join(lines) + "\n", hms.TRAIN_TABLE)


@needs_sample
def test_the_genuine_train_table_is_read_row_for_row():
    rows, table = read_train_table(SAMPLE)
    assert len(rows) == len(table) == 43
    genuine = pd.read_csv(SAMPLE / hms.TRAIN_TABLE)
    assert [r.eeg_id for r in rows] == genuine["eeg_id"].tolist()
    assert [r.spectrogram_id for r in rows] == genuine["spectrogram_id"].tolist()
    assert [r.eeg_offset_s for r in rows] == genuine["eeg_label_offset_seconds"].tolist()
    assert [r.spectrogram_offset_s for r in rows] == genuine["spectrogram_label_offset_seconds"].tolist()
    assert table[list(hms.VOTE_COLUMNS)].equals(genuine[list(hms.VOTE_COLUMNS)])
    assert all(r.eeg_path.is_file() and r.spectrogram_path.is_file() for r in rows)


def test_an_eeg_id_may_come_again_in_the_train_table(tmp_path):
    rows, _ = read_train_table(train_table(tmp_path, {}, {"eeg_label_offset_seconds": "6.0"}))
    assert [(r.eeg_id, r.eeg_offset_s) for r in rows] == [(1, 1.0), (1, 6.0)]
    assert rows[0].eeg_path == tmp_path / "train_eegs" / "1.parquet"


@pytest.mark.parametrize(
    "votes", [{"gpd_vote": "-1"}, {"gpd_vote": ""}, {"gpd_vote": "inf"}, {"gpd_vote": "x"}, {"gpd_vote": "True"}]
)
def test_a_vote_that_is_none_is_an_error_that_names_the_row(tmp_path, votes):
    with pytest.raises(InputError, match=r"train.csv, line 3: expected votes of 0 or more .*in 1 rows"):
        read_train_table(train_table(tmp_path, {}, votes))


def test_a_row_without_votes_is_an_error(tmp_path):
    with pytest.raises(InputError, match="line 2: .*sum above 0 in every row, received others in 2 rows"):
        read_train_table(train_table(tmp_path, *2 * [dict.fromkeys(hms.VOTE_COLUMNS, "0")], {}))


@pytest.mark.parametrize("name", ["eeg_label_offset_seconds", "spectrogram_label_offset_seconds"])
@pytest.mark.parametrize("value", ["soon", "inf", "-inf"])
def test_an_offset_that_is_no_number_is_an_error(tmp_path, name, value):
    with pytest.raises(InputError, match=f"line 3: expected seconds as {name}, received {value}"):
        read_train_table(train_table(tmp_path, {}, {name: value}))


def test_a_train_table_without_a_column_or_without_rows_is_an_error(tmp_path):
    with pytest.raises(InputError, match="expected one row or more, received none"):
        read_train_table(train_table(tmp_path))
    short = [name for name in hms.TRAIN_COLUMNS if name != "lrda_vote"]
    table_in(tmp_path, ",".join(short) + "\n", hms.TRAIN_TABLE)
    with pytest.raises(InputError, match=r"missing \['lrda_vote'\], received \['eeg_id', "):
        read_train_table(tmp_path)
