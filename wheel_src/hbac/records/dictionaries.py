"""Whether a parquet file's columns still fit the dictionaries that they were written with.

Arrow's writer keeps each distinct value of a column once, in the order in which they first appear, and most values of an
EEG appear once or twice. A damaged index leaves an entry without a use, or brings one before its turn: pyarrow reads
both without an error. Format: https://parquet.apache.org/docs/file-format/data-pages/, Thrift's compact protocol.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

WRITER = "parquet-cpp-arrow"  # others may order their dictionaries otherwise
MAX_HEADER_BYTES = 200
MAX_UNPACKED_BYTES = 64 << 20  # Arrow ends a dictionary at 1 MiB
DTYPES: dict[str, Any] = {"FLOAT": np.dtype("<u4"), "DOUBLE": np.dtype("<u8")}  # compared bit for bit
NAN, NONE = np.uint32(0x7FC00000), np.uint32(0xFFFFFFFF)  # bits of float32: what missing values become; another NaN
CELLS_AT_ONCE = 1 << 20

BOOLEANS, INTEGERS, STRUCT = (1, 2), (3, 4, 5, 6), 12  # Thrift's compact types
SIZE_UNPACKED, SIZE, DICTIONARY, COUNT = 2, 3, 7, 1  # numbers of fields in a page header, and of the last in the third

Bits = npt.NDArray[np.unsignedinteger[Any]]


class _Damaged(Exception):
    """A dictionary that is not as Arrow writes it."""


def misfits(content: bytes, footer: Any, table: Any, floats: Mapping[str, npt.NDArray[Any]]) -> list[str]:
    """Names of the columns whose values are not those that their dictionaries give; none for other writers' files.

    Args:
        content: the file's bytes.
        footer: its `pyarrow.parquet.FileMetaData`.
        table: what was read from it, all of its rows, `pyarrow.Table`.
        floats: the same as arrays; of columns that the file keeps in float32 nothing but these is looked at.
    """
    if not str(footer.created_by).startswith(WRITER):
        return []
    data = memoryview(content)
    found: dict[str, None] = {}
    # Arrow's own dictionaries are written in the order that they have, with entries that no row may use.
    categories = {field.name for field in table.schema if hasattr(field.type, "value_type")}
    begin = 0
    for group in (footer.row_group(i) for i in range(footer.num_row_groups)):
        rows = slice(begin, begin + group.num_rows)
        single: list[tuple[str, Bits]] = []  # columns of float32
        for chunk in (group.column(j) for j in range(group.num_columns)):
            name = chunk.path_in_schema
            if name not in floats or name in categories:
                continue
            try:
                dictionary = _dictionary(data, chunk)
            except _Damaged:
                found[name] = None
                continue
            if dictionary is not None and chunk.physical_type == "FLOAT":
                single.append((name, dictionary))
            elif dictionary is not None and not _fits(_distinct(table.column(name)[rows], dictionary), dictionary):
                found[name] = None
        block = max(1, CELLS_AT_ONCE // max(group.num_rows, 1))
        for first in range(0, len(single), block):
            some = single[first : first + block]
            found |= dict.fromkeys(_misfits_of_float32(some, np.stack([floats[name][rows] for name, _ in some])))
        begin = rows.stop
    return list(found)


def _dictionary(data: memoryview, chunk: Any) -> Bits | None:
    """The values of a column's dictionary bit for bit; None if it has none, or of a type that is not compared."""
    dtype = DTYPES.get(chunk.physical_type)
    if dtype is None or not chunk.has_dictionary_page:
        return None
    first = chunk.dictionary_page_offset
    try:
        fields, length = _fields(data[first : first + MAX_HEADER_BYTES], 0)
        packed = data[first + length : first + length + fields[SIZE]]
        if not 0 <= fields[SIZE_UNPACKED] <= MAX_UNPACKED_BYTES:
            raise ValueError(f"expected a dictionary of {MAX_UNPACKED_BYTES} bytes or less")
        if codec := _codec(chunk.compression):
            packed = codec.decompress(packed, fields[SIZE_UNPACKED], asbytes=True)
        return np.frombuffer(packed, dtype, fields[DICTIONARY][COUNT])
    except (IndexError, KeyError, TypeError, ValueError, OSError) as error:  # pyarrow's are among them
        raise _Damaged from error


def _fits(used: Bits, dictionary: Bits) -> bool:
    """Whether the distinct values begin with the dictionary; once it is full, Arrow writes the others without one."""
    return np.array_equal(used[: len(dictionary)], dictionary)


def _distinct(column: Any, dictionary: Bits) -> Bits:
    """Distinct values of a column as they first appear."""
    used: Bits = column.unique().drop_null().to_numpy().view(dictionary.dtype)
    return used


def _misfits_of_float32(columns: Sequence[tuple[str, Bits]], values: npt.NDArray[np.float32]) -> list[str]:
    """Names of those among `columns` whose dictionaries `values` (columns, rows), NaN where missing, do not fit."""
    used = _distinct_of_all(values.view(np.uint32))
    expected = np.full_like(used, NONE)
    for row, (_, dictionary) in zip(expected, columns):
        row[: len(dictionary)] = dictionary[: len(row)]
    doubtful = np.flatnonzero((used != expected).any(axis=1))
    plain = (
        (columns[j][0], used[j][(used[j] != NONE) & (used[j] != NAN)], columns[j][1][columns[j][1] != NAN])
        for j in doubtful
    )
    return [name for name, distinct, dictionary in plain if not _fits(distinct, dictionary)]


def _distinct_of_all(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Distinct values of each row as they first appear, (rows, as many as `bits` has), `NONE` after the last.

    By two sorts of numbers that hold value and place: NumPy does them in a tenth of the time of as many hash tables.
    """
    half = np.uint64(32)
    keys = bits.astype(np.uint64)
    keys <<= half
    keys |= np.arange(bits.shape[1], dtype=np.uint64)
    keys.sort(axis=1)  # by value, then by place
    values = keys >> half
    keys <<= half
    keys |= values
    again = values[:, 1:] == values[:, :-1]
    keys[:, 1:] |= -again.astype(np.uint64)  # all bits; `where=` guesses branches, in seven times the time
    keys.sort(axis=1)  # by place
    return keys.astype(np.uint32)  # the lower half


@cache
def _codec(compression: str) -> Any:
    import pyarrow as pa

    if compression == "UNCOMPRESSED":
        return None
    return pa.Codec({"LZ4": "lz4_raw"}.get(compression, compression.lower()))  # Arrow writes LZ4 without frames


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
