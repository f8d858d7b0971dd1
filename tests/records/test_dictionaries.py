"""Columns against their dictionaries: silent on all that Arrow writes, loud on indices that damage has changed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers_signals import REAL_PAIRS, eeg_columns, write_parquet
from hypothesis import given, settings
from hypothesis import strategies as st

from hbac.hms import eeg_folder, spectrogram_folder
from hbac.records import dictionaries
from hbac.records.dictionaries import misfits
from hbac.records.parquet import _columns, read_eeg, read_spectrogram


def misfits_of(path: Path) -> list[str]:
    with pq.ParquetFile(path) as file:
        table = file.read()
        return misfits(path.read_bytes(), file.metadata, table, _columns(table))


def test_nothing_is_said_of_the_genuine_files(sample: Path) -> None:
    for split, eeg_id, spectrogram_id in REAL_PAIRS:
        assert read_eeg(sample / eeg_folder(split) / f"{eeg_id}.parquet").doubts == ()
        assert read_spectrogram(sample / spectrogram_folder(split) / f"{spectrogram_id}.parquet").doubts == ()


FORMS = [
    {},
    {"compression": "none"},
    {"compression": "zstd", "row_group_size": 170},
    {"compression": "gzip", "data_page_version": "2.0"},
    {"write_page_checksum": True},
    {"use_dictionary": False},
    {"dictionary_pagesize_limit": 400, "data_page_size": 100},  # the rest of the column goes without a dictionary
]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", ["float32", "float64", "int16"])
def test_nothing_is_said_of_whatever_arrow_writes(tmp_path: Path, form: dict, kind: str) -> None:  # type: ignore[type-arg]
    columns: dict = {name: x.astype(kind) for name, x in eeg_columns().items()}  # type: ignore[type-arg]
    if kind != "int16":
        columns["F3"][5:9] = np.nan
        columns["C3"][:4] = [0.0, -0.0, np.inf, -np.inf]
    columns["P3"] = pa.array([None, *columns["P3"][1:-1], None])
    columns["O1"] = pa.nulls(len(columns["Fp1"]), columns["P3"].type)
    pq.write_table(pa.table(columns), tmp_path / "x.parquet", **form)
    assert misfits_of(tmp_path / "x.parquet") == []


def test_most_changed_indices_are_named(tmp_path: Path) -> None:
    """One flipped bit in the indices of one column; the reader says nothing and gives other values."""
    rng = np.random.default_rng(5)
    values = rng.normal(0, 30, 10_000).round(2).astype(np.float32)
    pq.write_table(pa.table({"Fp1": values}), tmp_path / "x.parquet", compression="none")
    whole = (tmp_path / "x.parquet").read_bytes()
    chunk = pq.read_metadata(tmp_path / "x.parquet").row_group(0).column(0)
    end = chunk.dictionary_page_offset + chunk.total_compressed_size
    changed = named = 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.integers(chunk.data_page_offset + 60, end)] ^= 1 << rng.integers(8)
        (tmp_path / "x.parquet").write_bytes(damaged)
        try:
            received = pq.read_table(tmp_path / "x.parquet")["Fp1"].to_numpy()
        except (OSError, ValueError):
            continue
        changed += not np.array_equal(received, values)
        named += misfits_of(tmp_path / "x.parquet") == ["Fp1"]
    assert changed > 150
    assert named >= 0.5 * changed  # the others name a value that has come before, and leave one that comes again


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 5) | st.integers(0, 2**32 - 2), min_size=7, max_size=7), min_size=1, max_size=9)
)
def test_distinct_values_come_as_pandas_gives_them(rows: list[list[int]]) -> None:
    bits = np.array(rows, np.uint32)
    for row, distinct in zip(bits, dictionaries._distinct_of_all(bits)):
        expected = pd.unique(row)
        np.testing.assert_array_equal(distinct[: len(expected)], expected)
        assert (distinct[len(expected) :] == dictionaries.NONE).all()


def test_long_files_are_looked_at_a_few_columns_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(tmp_path / "x.parquet", eeg_columns())
    monkeypatch.setattr(dictionaries, "CELLS_AT_ONCE", 3 * len(eeg_columns()["Fp1"]))
    assert misfits_of(path) == []
    with pq.ParquetFile(path) as file:
        floats = _columns(table := file.read())
        for name in ("C3", "O2"):
            floats[name] = floats[name][::-1]
        assert misfits(path.read_bytes(), file.metadata, table, floats) == ["C3", "O2"]


def test_files_of_other_writers_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(tmp_path / "x.parquet", eeg_columns())
    monkeypatch.setattr(dictionaries, "WRITER", "another writer")
    with pq.ParquetFile(path) as file:
        table = file.read().slice(7)
        assert misfits(path.read_bytes(), file.metadata, table, _columns(table)) == []


def test_a_dictionary_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", eeg_columns())
    with pq.ParquetFile(path) as file:
        footer, table = file.metadata, file.read()
    for junk in (b"\xff", b"\x15", b"\x00"):
        start = footer.row_group(0).column(2).dictionary_page_offset
        content = path.read_bytes()
        path.write_bytes(content[:start] + junk * 30 + content[start + 30 :])
        assert misfits(path.read_bytes(), footer, table, _columns(table)) == ["C3"]
        path.write_bytes(content)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=dictionaries.MAX_HEADER_BYTES))
def test_any_bytes_as_a_header_are_fields_or_a_refusal(data: bytes) -> None:
    try:
        fields, end = dictionaries._fields(data, 0)
    except (IndexError, ValueError):
        return
    assert 0 < end <= len(data)
    assert all(type(number) is int for number in fields)
