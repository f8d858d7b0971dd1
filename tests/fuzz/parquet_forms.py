"""Whole files in every form that pyarrow writes: none may be called damaged.

    PYTHONPATH=wheel_src python tests/fuzz/parquet_forms.py [--seed 7] [--every 1]

The EEG and the spectrogram of a simulated record are written again: each codec, encoding and type of number with each
other, then one option at a time. What pyarrow does not write, or a type cannot hold, does not count. A false alarm is a
record that is not answered whole, or, where the type holds every value, whose image is another.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hbac.preprocessing.load import OK, load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.record import Record
from hbac.records.tables import read_test_table
from hbac.simulation.dataset import simulate

CODECS = ("none", "snappy", "gzip", "brotli", "zstd", "lz4")
ENCODINGS: dict[str, dict[str, Any]] = {
    "dictionary": {},
    "plain": {"use_dictionary": False},
    "byte stream split": {"use_dictionary": False, "column_encoding": "BYTE_STREAM_SPLIT"},
    "delta": {"use_dictionary": False, "column_encoding": "DELTA_BINARY_PACKED"},
}
TYPES: dict[str, pa.DataType] = {
    **{str(t): t for t in (pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 2), pa.decimal128(24, 3))},
    **{str(t): t for t in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{str(t): t for t in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())},
}
EXACT = ("float", "double", "decimal128(9, 2)", "decimal128(24, 3)")  # hold two decimals
PAGES = [{"data_page_version": v, "write_page_checksum": c} for v in ("1.0", "2.0") for c in (False, True)]
OPTIONS: dict[str, dict[str, Any]] = {
    "small row groups": {"row_group_size": 97},
    "row groups": {"row_group_size": 4000},
    "no statistics": {"write_statistics": False},
    "page index": {"write_page_index": True},
    "small pages": {"data_page_size": 100, "write_batch_size": 7},
    "large pages": {"data_page_size": 1 << 30, "write_batch_size": 1 << 20},
    "small dictionaries": {"dictionary_pagesize_limit": 400, "data_page_size": 100},
    "large dictionaries": {"dictionary_pagesize_limit": 1 << 30},
    "version 1.0": {"version": "1.0"},
    "version 2.4": {"version": "2.4"},
    "no schema": {"store_schema": False},
    "dictionaries of some columns": {"use_dictionary": ["Fp1", "T3", "LL_0.59", "RP_4.1"]},
    "codecs by column": {"compression": {"Fp1": "lz4", "T3": "brotli", "LL_0.59": "lz4", "RP_4.1": "gzip"}},
    "compressed hard": {"compression": "zstd", "compression_level": 19},
    "decimals as integers": {"store_decimal_as_integer": True},
}


def categories(column: pa.ChunkedArray) -> pa.Array:
    """As pandas keeps a categorical: the dictionary sorted."""
    values = column.to_numpy()
    distinct, indices = np.unique(values, return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), pa.array(distinct))


def each(table: pa.Table, change: Any) -> pa.Table:
    return pa.table({name: column if name == "time" else change(column) for name, column in zip(table.column_names, table.columns)})  # fmt: skip


def required(table: pa.Table) -> pa.Table:
    return table.cast(pa.schema([field.with_nullable(False) for field in table.schema]))


def with_index(table: pa.Table) -> pa.Table:
    return pa.Table.from_pandas(table.to_pandas().iloc[::-1].iloc[::-1], preserve_index=True)


def time_as_index(table: pa.Table) -> pa.Table:
    frame = table.to_pandas()
    return pa.Table.from_pandas(frame.set_index(frame.columns[0]))


def chunked(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table[:31], table[31:1000], table[1000:]])


def permuted(table: pa.Table) -> pa.Table:
    return table.select([table.column_names[i] for i in np.random.default_rng(1).permutation(table.num_columns)])


LAYOUTS = {
    "as it is": lambda table: table,
    "categories": lambda table: each(table, categories),
    "encoded by first appearance": lambda table: each(table, lambda column: column.dictionary_encode()),
    "required": required,
    "index as a column": with_index,
    "first column as index": time_as_index,
    "several chunks": chunked,
    "columns in another order": permuted,
    "nulls for NaN": lambda table: each(table, lambda c: pa.chunked_array([pa.array(c.to_numpy(), from_pandas=True)])),
    "pandas nullable": lambda table: pa.Table.from_pandas(table.to_pandas().convert_dtypes()),
}
Form = tuple[str, str, Any, dict[str, Any]]  # group, type, layout, options


def forms() -> Iterator[Form]:
    """All of the sweep."""
    for kind, (name, encoding), codec, page in product(TYPES, ENCODINGS.items(), CODECS, PAGES):
        yield f"{codec}, {name}", kind, LAYOUTS["as it is"], {"compression": codec, **encoding, **page}
    for kind, (name, options) in product(TYPES, OPTIONS.items()):
        yield name, kind, LAYOUTS["as it is"], options
    for kind, (name, layout), codec in product(TYPES, LAYOUTS.items(), ("snappy", "lz4")):
        yield name, kind, layout, {"compression": codec}


def cast(table: pa.Table, kind: str) -> pa.Table:
    """The measured columns as another type, rounded where it needs whole numbers; raises where one does not fit."""
    to = TYPES[kind]

    def change(column: pa.ChunkedArray) -> pa.Array:
        values = column.to_numpy().astype(np.float64)
        if pa.types.is_integer(to):
            values = np.rint(values)
        if pa.types.is_float16(to):
            if (np.abs(values) > np.finfo(np.float16).max).any():
                raise pa.ArrowInvalid("beyond float16")
            return pa.array(values.astype(np.float16))
        if pa.types.is_decimal(to):
            return pa.array(values.round(2), from_pandas=True).cast(to, safe=False)
        return pa.array(values, from_pandas=True).cast(to)

    return each(table, change)


def rewrite(source: Path, target: Path, form: Form) -> bool:
    """Write a file again; whether pyarrow does that and the type holds the values."""
    _, kind, layout, options = form
    try:
        table = layout(cast(pq.read_table(source), kind))
        options = dict(options)
        if "column_encoding" in options:
            options["column_encoding"] = dict.fromkeys(set(table.column_names) - {"time"}, options["column_encoding"])
        pq.write_table(table, target, **options)
        pq.read_table(target)
    except (pa.ArrowException, OSError, ValueError, TypeError, NotImplementedError):  # pandas has no index of float16
        return False
    return True


def alarm(record: Record, folder: Path, form: Form, image: np.ndarray) -> tuple[int, str | None]:
    """How many of the two files were written, and what is said of the record, None if it is whole."""
    written, paths = 0, []
    for source in (record.eeg_path, record.spectrogram_path):
        assert source is not None
        target = folder / source.parent.name / source.name
        target.parent.mkdir(exist_ok=True)
        done = rewrite(source, target, form)
        written += done
        paths.append(target if done else source)
    if not written:
        return 0, None
    loaded = load_record(Record(1, 1, None, *paths), PRESETS[THREE_ZOOMS])
    if loaded.status != OK:
        return written, f"{loaded.status}: {'; '.join(loaded.notes)}"
    same = form[1] not in EXACT or np.array_equal(loaded.image, image)  # type: ignore[arg-type]
    return written, None if same else "another image"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7, help="[%(default)s]")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one form of so many [%(default)s]")
    options = parser.parse_args()
    written, records, alarms = Counter[str](), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        simulate(folder / "data", patients=0, seed=options.seed, test_records=1, progress=False)
        (record,) = read_test_table(folder / "data")
        image = load_record(record, PRESETS[THREE_ZOOMS]).image
        assert image is not None
        for form in islice(forms(), 0, None, options.every):
            files, said = alarm(record, folder, form, image)
            written[form[0]] += files
            records[form[0]] += files > 0
            alarms[form[0]] += said is not None
            if said:
                print(f"{form[0]}, {form[1]}, {form[3]}: {said[:200]}", file=sys.stderr, flush=True)
    print("\n| written as | files | records | whole | false alarms |\n| --- | --- | --- | --- | --- |")
    for name in [*written, "all"]:
        counts = [sum(c.values()) if name == "all" else c[name] for c in (written, records, alarms)]
        print(f"| {name} | {counts[0]} | {counts[1]} | {counts[1] - counts[2]} | {counts[2]} |")
    return int(alarms.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
