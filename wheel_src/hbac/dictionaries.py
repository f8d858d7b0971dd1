"""Whether a parquet file's columns still fit the dictionaries that they were written with.

Arrow's writer keeps each distinct value of a column once, in the order in which they first appear, and most values of an
EEG appear once or twice. A damaged index leaves an entry without a use, or brings one before its turn: pyarrow reads
both without an error. Format: https://parquet.apache.org/docs/file-format/data-pages/, Thrift's compact protocol.
"""

import os
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
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    columns = {name: table.column(j) for j, name in enumerate(table.column_names)}
    found: dict[str, None] = {}
    with open(path, "rb") as file:
        begin = 0
        for group in groups:
            for chunk in (group.column(j) for j in range(group.num_columns)):
                column = columns.get(chunk.path_in_schema)
                if column is not None and _misfit(file, chunk, column.slice(begin, group.num_rows)):
                    found[chunk.path_in_schema] = None
            begin += group.num_rows
    return list(found)


def _misfit(file: Any, chunk: Any, column: Any) -> bool:
    import pyarrow as pa

    dtype = DTYPES.get(chunk.physical_type)
    if dtype is None or not chunk.has_dictionary_page or chunk.dictionary_page_offset is None:
        return False
    try:
        file.seek(chunk.dictionary_page_offset)
        page = file.read(
            min(max(chunk.data_page_offset - chunk.dictionary_page_offset, 0), chunk.total_compressed_size)
        )
        fields, begin = _fields(page[:MAX_HEADER_BYTES], 0)
        packed = page[begin : begin + fields[SIZE]]
        if not 0 <= fields[SIZE_UNPACKED] <= MAX_UNPACKED_BYTES:
            return True
        if chunk.compression != "UNCOMPRESSED":
            packed = pa.Codec(chunk.compression.lower()).decompress(packed, fields[SIZE_UNPACKED], asbytes=True)
        dictionary = np.frombuffer(packed, dtype, fields[DICTIONARY][COUNT])
    except (
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        OSError,
    ):  # not as Arrow writes it; ArrowException is ValueError
        return True
    used = column.unique().drop_null().to_numpy().view(dtype)[: len(dictionary)]
    return not np.array_equal(used, dictionary)


def _fields(data: bytes, at: int) -> tuple[dict[int, Any], int]:
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


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value >> 1 ^ -(value & 1), at
