"""Whether a parquet file's columns still fit the dictionaries that they were written with.

Arrow's writer keeps each distinct value of a column once, in the order in which they first appear, and most values of an
EEG appear once or twice. A damaged index leaves an entry without a use, or brings one before its turn: pyarrow reads
both without an error. Format: https://parquet.apache.org/docs/file-format/data-pages/, Thrift's compact protocol.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

WRITER = "parquet-cpp-arrow"  # others may order their dictionaries otherwise
MAX_HEADER_BYTES = 200
MAX_UNPACKED_BYTES = 64 << 20  # Arrow ends a dictionary at 1 MiB
DTYPES: dict[str, Any] = {"FLOAT": np.dtype("<u4"), "DOUBLE": np.dtype("<u8")}  # compared bit for bit

BOOLEANS, INTEGERS, STRUCT = (1, 2), (3, 4, 5, 6), 12  # Thrift's compact types
SIZE_UNPACKED, SIZE, DICTIONARY, COUNT = 2, 3, 7, 1  # numbers of fields in a page header, and of the last in the third


def misfits(path: os.PathLike[str], footer: Any, table: Any) -> list[str]:
    """Names of the columns whose values are not those that their dictionaries give; none for other writers' files.

    Args:
        path: the file.
        footer: its `pyarrow.parquet.FileMetaData`.
        table: what was read from it, all of its rows, `pyarrow.Table`.
    """
    if not str(footer.created_by).startswith(WRITER):
        return []
    data = memoryview(Path(path).read_bytes())
    columns = dict(zip(table.column_names, table.columns))
    found: dict[str, None] = {}
    begin = 0
    for group in (footer.row_group(i) for i in range(footer.num_row_groups)):
        for chunk in (group.column(j) for j in range(group.num_columns)):
            name = chunk.path_in_schema
            if name in columns and _misfit(data, chunk, columns[name], begin, group.num_rows):
                found[name] = None
        begin += group.num_rows
    return list(found)


def _misfit(data: memoryview, chunk: Any, column: Any, begin: int, rows: int) -> bool:
    dtype = DTYPES.get(chunk.physical_type)
    if dtype is None or not chunk.has_dictionary_page:
        return False
    first = chunk.dictionary_page_offset
    try:
        fields, begin_of_values = _fields(data[first : first + MAX_HEADER_BYTES], 0)
        packed = data[first + begin_of_values : first + begin_of_values + fields[SIZE]]
        if not 0 <= fields[SIZE_UNPACKED] <= MAX_UNPACKED_BYTES:
            return True
        if codec := _codec(chunk.compression):
            packed = codec.decompress(packed, fields[SIZE_UNPACKED], asbytes=True)
        dictionary = np.frombuffer(packed, dtype, fields[DICTIONARY][COUNT])
    except (IndexError, KeyError, TypeError, ValueError, OSError):  # not as Arrow writes it
        return True  # ArrowException is a ValueError
    part = column if rows == len(column) else column.slice(begin, rows)
    used = part.unique()
    used = used if used.null_count == 0 else used.drop_null()
    used = used.to_numpy().view(dtype)[: len(dictionary)]
    return not np.array_equal(used, dictionary)


@cache
def _codec(compression: str) -> Any:
    import pyarrow as pa

    return None if compression == "UNCOMPRESSED" else pa.Codec(compression.lower())


def _fields(data: memoryview, at: int) -> tuple[dict[int, Any], int]:
    """The integers and structures of a structure by their numbers, and where it ends."""
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        kind, step = head & 15, head >> 4
        if not step:  # a number of its own: no page header has one
            raise ValueError("expected fields in steps of 1 to 15")
        number += step
        if kind in INTEGERS:
            fields[number], at = _integer(data, at)
        elif kind == STRUCT:
            fields[number], at = _fields(data, at)
        elif kind not in BOOLEANS:
            raise ValueError(f"expected an integer, a boolean or a structure, received type {kind}")
    return fields, at + 1


def _integer(data: memoryview, at: int) -> tuple[int, int]:
    """A zigzag varint, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value >> 1 ^ -(value & 1), at
