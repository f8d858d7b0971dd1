"""Reading records: what the competition's files may look like, and what they must not."""

import os
import shutil
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers_signals import (
    SAMPLE,
    at,
    eeg_columns,
    electrodes_of,
    needs_sample,
    real_pairs,
    spectrogram_columns,
    write_parquet,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hbac import hms
from hbac.errors import RecordError
from hbac.records import parquet as records
from hbac.records.parquet import read_eeg, read_spectrogram
from hbac.records.record import EegFile, SpectrogramFile, crop_eeg, crop_spectrogram, eeg_start

needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
both_readers = pytest.mark.parametrize(
    ("read", "make"), [(read_eeg, eeg_columns), (read_spectrogram, spectrogram_columns)], ids=["eeg", "spectrogram"]
)


def measured(read, path) -> np.ndarray:
    file = read(path)
    return file.uv if isinstance(file, EegFile) else file.power


def stated(columns: dict) -> np.ndarray:
    """What `measured` should give for these columns."""
    names = hms.ELECTRODES if "Fp1" in columns else hms.SPECTROGRAM_COLUMNS
    return np.stack([columns[name] for name in names], axis=1)


# ---- parquet: what is handled


@needs_sample
@real_pairs
def test_real_files_hold_what_pandas_reads(split, eeg_id, spectrogram_id):
    path = SAMPLE / hms.eeg_folder(split) / f"{eeg_id}.parquet"
    eeg = read_eeg(path)
    np.testing.assert_array_equal(eeg.uv, pd.read_parquet(path)[list(hms.ELECTRODES)].to_numpy())
    assert eeg.uv.dtype == np.float32
    assert eeg.notes == ()
    path = SAMPLE / hms.spectrogram_folder(split) / f"{spectrogram_id}.parquet"
    spectrogram, table = read_spectrogram(path), pd.read_parquet(path)
    np.testing.assert_array_equal(spectrogram.power, table.iloc[:, 1:].to_numpy(np.float32))
    np.testing.assert_array_equal(spectrogram.time_s, table["time"])
    assert spectrogram.power.dtype == np.float32
    assert spectrogram.time_s.dtype == np.int64
    assert spectrogram.notes == ()


@both_readers
@pytest.mark.parametrize("kind", ["float16", "float64", "int16", "int32", "int64"])
def test_the_numeric_type_of_the_columns_does_not_matter(tmp_path, read, make, kind):
    columns = make()
    path = write_parquet(tmp_path / "x.parquet", {name: values.astype(kind) for name, values in columns.items()})
    np.testing.assert_array_equal(measured(read, path), stated(columns))
    assert measured(read, path).dtype == np.float32


def test_decimals_of_two_places_are_numbers(tmp_path):
    columns = eeg_columns()
    decimals = {n: pa.array([Decimal(int(v)) / 100 for v in x], pa.decimal128(9, 2)) for n, x in columns.items()}
    uv = read_eeg(write_parquet(tmp_path / "x.parquet", decimals)).uv
    np.testing.assert_allclose(uv, electrodes_of(columns) / 100, rtol=1e-6)


@both_readers
def test_dictionary_encoding_and_several_row_groups_do_not_matter(tmp_path, read, make):
    columns = make()
    table = pa.table({name: pa.array(values).dictionary_encode() for name, values in columns.items()})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=170, compression="zstd")
    np.testing.assert_array_equal(measured(read, tmp_path / "x.parquet"), stated(columns))


@both_readers
def test_the_order_of_the_columns_and_columns_that_are_not_needed_do_not_matter(tmp_path, read, make):
    columns = make()
    names = [*np.random.default_rng(1).permutation(list(columns)), "annotation"]
    shuffled = {name: columns.get(name, pa.array(["x"] * len(columns[names[0]]))) for name in names}
    path = write_parquet(tmp_path / "x.parquet", shuffled)
    np.testing.assert_array_equal(measured(read, path), stated(columns))
    assert read(path).notes == ()


@both_readers
def test_nulls_and_what_is_not_finite_become_nan(tmp_path, read, make):
    columns = make()
    expected = stated(columns)
    second, third = (hms.ELECTRODES if read is read_eeg else hms.SPECTROGRAM_COLUMNS)[1:3]
    columns[second] = columns[second].astype(np.float64)
    columns[second][:4] = [np.inf, -np.inf, np.nan, 1e300]  # the last is more than float32 can hold
    columns[third] = pa.array([None, *columns[third][1:].astype(int).tolist()])
    expected[:4, 1] = expected[0, 2] = np.nan
    path = write_parquet(tmp_path / "x.parquet", columns)
    np.testing.assert_array_equal(measured(read, path), expected)
    assert read(path).notes == ("x.parquet: 3 infinite values taken as missing",)


def test_negative_power_is_damage(tmp_path):
    columns = spectrogram_columns()
    expected = stated(columns)
    columns["RL_0.59"][7], expected[7, 100] = -1, np.nan
    spectrogram = read_spectrogram(write_parquet(tmp_path / "x.parquet", columns))
    np.testing.assert_array_equal(spectrogram.power, expected)
    assert spectrogram.notes == ("x.parquet: 1 negative values taken as missing",)


def test_missing_electrodes_become_nan_and_are_named(tmp_path):
    columns = eeg_columns()
    expected = electrodes_of(columns)
    expected[:, [at("T3"), at("O2")]] = np.nan
    del columns["T3"], columns["O2"], columns["EKG"]
    eeg = read_eeg(write_parquet(tmp_path / "17.parquet", columns))
    np.testing.assert_array_equal(eeg.uv, expected)
    assert eeg.notes == ("17.parquet: columns missing: T3, O2",)


def test_an_electrode_without_a_single_value_is_nan(tmp_path):
    columns = eeg_columns()
    columns["Cz"] = pa.nulls(len(columns["Fp1"]))
    eeg = read_eeg(write_parquet(tmp_path / "x.parquet", columns))
    assert np.isnan(eeg.uv).all(axis=0).nonzero()[0].tolist() == [at("Cz")]


def test_many_missing_frequencies_are_counted_not_named(tmp_path):
    columns = {name: x for name, x in spectrogram_columns().items() if not name.startswith("LP")}
    spectrogram = read_spectrogram(write_parquet(tmp_path / "x.parquet", columns))
    assert np.isnan(spectrogram.power[:, 200:300]).all()
    assert np.isfinite(np.delete(spectrogram.power, np.s_[200:300], axis=1)).all()
    assert spectrogram.notes == ("x.parquet: columns missing: 100 of 400",)


def test_an_eeg_of_exactly_four_seconds_is_read(tmp_path):
    assert len(read_eeg(write_parquet(tmp_path / "x.parquet", eeg_columns(800))).uv) == 800


# ---- parquet: what is an error


def refused(read, path) -> str:
    with pytest.raises(RecordError) as error:
        read(path)
    text = str(error.value)
    assert text.startswith(path.name)
    assert "\n" not in text
    return text


@both_readers
def test_a_missing_file_is_an_error(tmp_path, read, make):
    assert "expected a file, found none" in refused(read, tmp_path / "1.parquet")


@both_readers
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"garbage " * 200, b"PAR1" + bytes(500) + b"PAR1"])
def test_garbage_is_an_error(tmp_path, read, make, content):
    (tmp_path / "x.parquet").write_bytes(content)
    assert "expected a parquet file, received" in refused(read, tmp_path / "x.parquet")


@both_readers
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_truncated_file_is_an_error(tmp_path, read, make, share):
    whole = write_parquet(tmp_path / "whole.parquet", make()).read_bytes()
    (tmp_path / "x.parquet").write_bytes(whole[: int(len(whole) * share)])
    assert "expected a parquet file, received" in refused(read, tmp_path / "x.parquet")


@both_readers
def test_a_folder_in_place_of_the_file_is_an_error(tmp_path, read, make):
    (tmp_path / "x.parquet").mkdir()
    assert "expected a parquet file, received" in refused(read, tmp_path / "x.parquet")


@both_readers
def test_a_pipe_in_place_of_the_file_is_an_error_at_once(tmp_path, read, make):
    os.mkfifo(tmp_path / "x.parquet")  # opened as a file, it would be waited for
    assert "received a folder, a pipe or a device" in refused(read, tmp_path / "x.parquet")


@both_readers
def test_a_column_that_comes_twice_is_an_error(tmp_path, read, make):
    columns = make()
    name = "T5" if read is read_eeg else "LP_4.1"
    table = pa.table([*columns.values(), columns[name]], names=[*columns, name])
    pq.write_table(table, tmp_path / "x.parquet")
    assert f"expected each column once, received twice: {name}" in refused(read, tmp_path / "x.parquet")


@needs_permissions
@both_readers
def test_a_file_that_may_not_be_read_is_an_error(tmp_path, read, make):
    path = write_parquet(tmp_path / "x.parquet", make())
    path.chmod(0)
    assert "Permission denied" in refused(read, path)


@both_readers
def test_no_rows_are_an_error(tmp_path, read, make):
    path = write_parquet(tmp_path / "x.parquet", {name: x[:0] for name, x in make().items()})
    assert "expected 1 to 17280000 rows, received 0" in refused(read, path)


def test_less_than_four_seconds_of_eeg_is_an_error(tmp_path):
    text = refused(read_eeg, write_parquet(tmp_path / "x.parquet", eeg_columns(799)))
    assert "expected at least 4 s of EEG (800 rows), received 799 rows" in text


@both_readers
def test_a_file_without_any_of_the_columns_is_an_error(tmp_path, read, make):
    path = write_parquet(tmp_path / "x.parquet", {"time": np.arange(9), "EKG": np.arange(9.0)})
    assert "expected columns" in refused(read, path)
    assert "received ['time', 'EKG']" in refused(read, path)


@both_readers
def test_a_file_without_columns_is_an_error(tmp_path, read, make):
    assert "received []" in refused(read, write_parquet(tmp_path / "x.parquet", {}))


@both_readers
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nothing_finite_is_an_error(tmp_path, read, make, value):
    columns = {name: x if name == "time" else np.full_like(x, value) for name, x in make().items()}
    assert "without one finite value" in refused(read, write_parquet(tmp_path / "x.parquet", columns))


@both_readers
@pytest.mark.parametrize(
    ("values", "kind"),
    [(["1.5"], "string"), ([True], "bool"), ([[1.0]], "list"), ([np.datetime64(0, "s")], "timestamp")],
)
def test_a_column_that_is_not_numeric_is_an_error_that_names_it(tmp_path, read, make, values, kind):
    columns = make()
    name = "T5" if read is read_eeg else "LP_4.1"
    columns[name] = pa.array(values * len(columns[name]))
    text = refused(read, write_parquet(tmp_path / "x.parquet", columns))
    assert f"expected numbers in column {name}, received {kind}" in text


def test_text_in_a_column_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    """Dictionary-encoded text can be far larger in memory than its footer says."""
    columns = eeg_columns()
    columns["T5"] = pa.array(["x" * 1000] * 1000)
    path = write_parquet(tmp_path / "x.parquet", columns)

    def read(*_, **__):
        raise AssertionError("decoded")

    monkeypatch.setattr(pq.ParquetFile, "read", read)
    assert "expected numbers in column T5, received string" in refused(read_eeg, path)


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("MAX_ROWS", 999, "expected 1 to 999 rows, received 1000"),
        ("MAX_DECODED_BYTES", 75_999, "expected at most 75999 bytes once decoded, received"),
    ],
)
def test_a_file_beyond_the_limits_is_refused_by_its_footer(tmp_path, monkeypatch, limit, value, message):
    monkeypatch.setattr(records, limit, value)
    text = refused(read_eeg, write_parquet(tmp_path / "x.parquet", eeg_columns(1000)))
    assert message in text


def test_what_compression_hides_counts_towards_the_limit_and_is_named(tmp_path, monkeypatch):
    """A million equal values take a few bytes in the file and in its footer, and 76 MB in memory."""
    path = write_parquet(tmp_path / "x.parquet", {name: np.zeros(10**6, np.float32) for name in hms.ELECTRODES})
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(records, "MAX_DECODED_BYTES", 75_999_999)
    assert "expected at most 75999999 bytes once decoded, received 76000000" in refused(read_eeg, path)


def test_flipped_bytes_give_an_error_or_an_array_and_nothing_else(tmp_path):
    whole = write_parquet(tmp_path / "whole.parquet", eeg_columns(900)).read_bytes()
    rng, refusals = np.random.default_rng(0), 0
    for _ in range(60):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(4, len(damaged), 3)] ^= rng.integers(1, 256, 3).astype(np.uint8)
        (tmp_path / "x.parquet").write_bytes(damaged.tobytes())
        try:
            assert read_eeg(tmp_path / "x.parquet").uv.shape[1] == 19
        except RecordError:
            refusals += 1
    assert refusals > 10


# ---- time


@pytest.mark.parametrize(
    "time", [np.array([1, 3, 5], kind) for kind in ("int8", "int16", "uint16", "int64", "uint64", "float32", "float64")]
)
def test_time_may_be_of_any_numeric_type(tmp_path, time):
    spectrogram = read_spectrogram(write_parquet(tmp_path / "x.parquet", {**spectrogram_columns(3), "time": time}))
    assert spectrogram.time_s.tolist() == [1, 3, 5]
    assert spectrogram.notes == ()


@pytest.mark.parametrize(
    "time",
    [
        None,
        np.array([5, 3, 1]),
        np.array([5, 3, 1], np.uint16),  # whose differences would wrap to large positive ones
        np.array([1, 1, 3]),
        np.array([1, np.nan, 5]),
        pa.array([1, None, 5]),
        np.array([1, 3, np.inf]),
        np.array([-(2**63), 1, 3]),
        np.array([1, 3, 2**63], np.uint64),
    ],
    ids=lambda time: "none" if time is None else str(time.tolist() if hasattr(time, "tolist") else time),
)
def test_without_increasing_time_rows_are_two_seconds_apart_and_a_note_says_so(tmp_path, time):
    columns = {**spectrogram_columns(3), "time": time}
    if time is None:
        del columns["time"]
    spectrogram = read_spectrogram(write_parquet(tmp_path / "x.parquet", columns))
    assert spectrogram.time_s.tolist() == [1, 3, 5]
    np.testing.assert_array_equal(spectrogram.power, stated(columns))
    assert len(spectrogram.notes) == 1
    assert "time" in spectrogram.notes[0]


def test_text_as_time_is_an_error(tmp_path):
    columns = {**spectrogram_columns(2), "time": pa.array(["1", "3"])}
    text = refused(read_spectrogram, write_parquet(tmp_path / "x.parquet", columns))
    assert "expected numbers in column time, received string" in text


# ---- windows


def ramp(samples: int) -> EegFile:
    """Each sample holds its own number."""
    return EegFile(np.repeat(np.arange(samples, dtype=np.float32)[:, None], 19, axis=1), ("a note",))


@pytest.mark.parametrize(
    ("samples", "offset_s", "first"),
    [
        (10_000, None, 0),
        (12_000, None, 1000),  # the middle of a longer file
        (12_001, None, 1000),
        (10_000, 0, 0),
        (20_000, 7, 1400),
        (20_000, 7.5, 1500),
        (20_000, 50, 10_000),
    ],
)
def test_the_eeg_window_starts_at_its_offset_or_in_the_middle(samples, offset_s, first):
    window = crop_eeg(ramp(samples), offset_s)
    np.testing.assert_array_equal(window.uv[:, 4], np.arange(first, first + 10_000))
    assert eeg_start(samples, offset_s) == first
    assert window.uv.dtype == np.float32
    assert window.notes == ("a note",)


@pytest.mark.parametrize(
    ("samples", "offset_s", "column_of_first", "first", "count"),
    [
        (6000, None, 2000, 0, 6000),  # short: centred
        (9999, None, 1, 0, 9999),
        (10_100, 5, 0, 1000, 9100),  # over the end
        (10_000, -5, 1000, 0, 9000),  # before the start
    ],
)
def test_what_a_file_does_not_cover_of_the_window_is_nan_and_noted(samples, offset_s, column_of_first, first, count):
    window = crop_eeg(ramp(samples), offset_s)
    expected = np.full(10_000, np.nan)
    expected[column_of_first : column_of_first + count] = np.arange(first, first + count)
    np.testing.assert_array_equal(window.uv[:, 0], expected)
    assert window.notes == ("a note", f"EEG: {count} of 10000 samples")


@pytest.mark.parametrize("offset_s", [60, 1e300, -50, -1e300])
def test_an_eeg_window_outside_the_file_is_an_error(offset_s):
    with pytest.raises(RecordError, match=r"EEG: expected a window at sample .*received 12000 samples"):
        crop_eeg(ramp(12_000), offset_s)


def spectrogram_of(time_s) -> SpectrogramFile:
    """Each row holds its own second."""
    time_s = np.asarray(time_s, np.int64)
    return SpectrogramFile(time_s, np.repeat(time_s[:, None].astype(np.float32), 400, axis=1))


@pytest.mark.parametrize(
    ("rows", "offset_s", "first_second"),
    [
        (300, None, 1),
        (400, None, 101),  # the middle of a longer file
        (400, 0, 1),
        (400, 6, 7),
        (400, 7, 7),  # odd: the host rounds down
        (400, 7.9, 7),
        (400, 200, 201),
    ],
)
def test_the_spectrogram_window_starts_at_its_offset_or_in_the_middle(rows, offset_s, first_second):
    window = crop_spectrogram(spectrogram_of(1 + 2 * np.arange(rows)), offset_s)
    expected = np.arange(first_second, first_second + 600, 2)
    np.testing.assert_array_equal(window.power[:, 9], expected)
    np.testing.assert_array_equal(window.time_s, expected)
    assert window.notes == ()


@needs_sample
def test_windows_of_the_genuine_table_are_the_rows_from_half_the_offset_on():
    table = pd.read_csv(SAMPLE / hms.TRAIN_TABLE)
    for spectrogram_id, rows in table.groupby("spectrogram_id"):
        path = SAMPLE / hms.spectrogram_folder("train") / f"{spectrogram_id}.parquet"
        power, file = pd.read_parquet(path).iloc[:, 1:].to_numpy(np.float32), read_spectrogram(path)
        for offset in rows["spectrogram_label_offset_seconds"]:
            start = int(offset) // 2
            np.testing.assert_array_equal(crop_spectrogram(file, offset).power, power[start : start + 300])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 399), min_size=1, max_size=30, unique=True), st.integers(0, 250))
def test_rows_are_placed_by_their_time_whatever_rows_the_file_lacks(rows, start):
    rows = np.sort(rows)
    inside = rows[(rows >= start) & (rows < start + 300)]
    file = spectrogram_of(1 + 2 * rows)
    if not inside.size:
        with pytest.raises(RecordError, match=r"spectrogram: expected rows at .*received"):
            crop_spectrogram(file, 2 * start)
        return
    window = crop_spectrogram(file, 2 * start)
    assert np.flatnonzero(np.isfinite(window.power).all(axis=1)).tolist() == (inside - start).tolist()
    np.testing.assert_array_equal(window.power[inside - start, 0], 1 + 2 * inside)
    assert window.notes == (f"spectrogram: {len(inside)} of 300 rows",)


@pytest.mark.parametrize(
    ("time_s", "first_row"),
    [
        (1 + 2 * np.arange(100), 0),  # cut at the end: rows stay where their seconds are
        (401 + 2 * np.arange(100), 200),  # cut at the start
        (601 + 2 * np.arange(300), 0),  # whole, but counted from elsewhere
        (601 + 2 * np.arange(200), 50),  # short and from elsewhere: centred
    ],
)
def test_without_an_offset_a_file_within_ten_minutes_lies_where_its_time_says(time_s, first_row):
    window = crop_spectrogram(spectrogram_of(time_s), None)
    expected = np.full(300, np.nan)
    expected[first_row : first_row + len(time_s)] = time_s
    np.testing.assert_array_equal(window.power[:, 0], expected)


def test_a_folder_whose_name_is_not_utf_8_is_read_as_any_other(simulated, tmp_path):
    folder = tmp_path / os.fsdecode(b"b\xff")
    shutil.copytree(simulated / "test_eegs", folder)
    path = sorted((simulated / "test_eegs").iterdir())[0]
    np.testing.assert_array_equal(read_eeg(folder / path.name).uv, read_eeg(path).uv)
