"""Parquet files to checked arrays: an EEG, a spectrogram, and what is wrong with them."""

import contextlib
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.errors import RecordError, one_line
from hbac.files import sha256_of
from hbac.records.dictionaries import misfits
from hbac.records.record import EegFile, SpectrogramFile

MAX_ROWS = 24 * 3600 * hms.EEG_RATE_HZ  # a whole day of EEG; more is a damaged footer or not a recording
MAX_DECODED_BYTES = 2 << 30  # of the needed columns
SHORTEST_EEG_S = 4  # one frame of the spectrogram


def read_eeg(path: Path, sha256: str | None = None) -> EegFile:
    """Read the 19 electrodes of an EEG file; the order and the numeric type of its columns do not matter.

    A missing electrode becomes NaN and is named in the notes; what is not finite becomes NaN.

    Raises:
        RecordError: no such file, another SHA-256 than stated, a page that fails its own checksum, not readable as
            parquet, none of the electrodes there, a column that is not numeric, shorter than 4 s, longer than a day,
            too large once decoded, or nothing finite in it.
    """
    columns, notes, doubts = _read_columns(path, sha256, hms.ELECTRODES, hms.ELECTRODES)
    uv = _stack(columns, hms.ELECTRODES)
    notes += _missing_if(path, np.isinf(uv), uv, "infinite")
    if len(uv) < SHORTEST_EEG_S * hms.EEG_RATE_HZ:
        raise RecordError(
            f"{path.name}: expected at least {SHORTEST_EEG_S} s of EEG "
            f"({SHORTEST_EEG_S * hms.EEG_RATE_HZ} rows), received {len(uv)} rows"
        )
    _check_any_finite(path, uv)
    return EegFile(uv, tuple(notes), doubts)


def read_spectrogram(path: Path, sha256: str | None = None) -> SpectrogramFile:
    """Read a spectrogram file; the order and the numeric type of its columns do not matter.

    Missing frequency columns, negative values and what is not finite become NaN; unless the column `time` increases
    from row to row, the rows are taken as 2 s apart from 1 s on.

    Raises:
        RecordError: no such file, another SHA-256 than stated, a page that fails its own checksum, not readable as
            parquet, none of the frequency columns there, a column that is not
            numeric, no rows, too large once decoded, or nothing usable in it.
    """
    columns, notes, doubts = _read_columns(path, sha256, ("time", *hms.SPECTROGRAM_COLUMNS), hms.SPECTROGRAM_COLUMNS)
    power = _stack(columns, hms.SPECTROGRAM_COLUMNS)
    notes += _missing_if(path, np.isinf(power), power, "infinite") + _missing_if(path, power < 0, power, "negative")
    _check_any_finite(path, power)
    time_s = 1 + hms.SPECTROGRAM_STEP_S * np.arange(len(power), dtype=np.int64)
    stated = columns.get("time")
    if stated is not None and np.isfinite(stated).all() and (np.diff(stated) > 0).all() and abs(stated).max() < 2**31:
        time_s = stated.astype(np.int64)
    else:
        notes.append("spectrogram: no increasing `time` column, rows taken as 2 s apart")
    return SpectrogramFile(time_s, power, tuple(notes), doubts)


def _source(path: Path) -> "contextlib.AbstractContextManager[str | BinaryIO]":
    """What pyarrow reads: a name, or where that is not UTF-8, which it cannot take, the open file."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return open(path, "rb")
    return contextlib.nullcontext(os.fspath(path))


def _read_columns(
    path: Path, sha256: str | None, wanted: tuple[str, ...], measured: tuple[str, ...]
) -> tuple[dict[str, npt.NDArray[np.float32]], list[str], tuple[str, ...]]:
    """The wanted columns that are there, as float arrays with NaN for nulls, notes on those that are not, and doubts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            raise RecordError(f"{path.name}: expected a parquet file, received a folder, a pipe or a device")
        if sha256 is not None and (received := sha256_of(path)) != sha256:
            raise RecordError(f"{path.name}: expected SHA-256 {sha256}, received {received}")
        with _source(path) as source, pq.ParquetFile(source, page_checksum_verification=True) as file:
            schema = file.schema_arrow  # made anew at each call: 1 ms
            names = schema.names
            there = set(names)
            present = [name for name in wanted if name in there]
            missing = [name for name in measured if name not in there]
            if len(missing) == len(measured):
                raise RecordError(
                    f"{path.name}: expected columns {measured[0]} ... {measured[-1]}, received {names[:3]} ..."
                )
            _check_size(path, file.metadata, set(present))
            count = Counter(names)
            twice = sorted(name for name in present if count[name] > 1)
            if twice:
                raise RecordError(f"{path.name}: expected each column once, received twice: {', '.join(twice)[:100]}")
            _check_types(path, schema, set(present))  # before a column of text can fill the memory
            table = file.read(columns=present, use_threads=False)
            columns = _columns(table)
            # With a digest nothing has changed.
            doubts = _doubts(path, file.metadata, table, columns) if sha256 is None else ()
    except FileNotFoundError as error:
        raise RecordError(f"{path.name}: expected a file, found none") from error
    except MemoryError:  # pyarrow's is an ArrowException too; the caller ends the process, see `loading`
        raise
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        raise RecordError(f"{path.name}: expected a parquet file, received {one_line(error)}") from error
    named = ", ".join(missing) if len(missing) < 20 else f"{len(missing)} of {len(measured)}"
    return columns, [f"{path.name}: columns missing: {named}"] if missing else [], doubts


def _doubts(path: Path, footer: Any, table: Any, columns: dict[str, npt.NDArray[Any]]) -> tuple[str, ...]:
    """What the file says of itself and does not hold."""
    if len(table) != footer.num_rows:
        return (f"{path.name}: expected {footer.num_rows} rows as its footer states, received {len(table)}",)
    if not (odd := misfits(path, footer, table, columns)):
        return ()
    named = ", ".join(odd) if len(odd) < 20 else f"{len(odd)} of {table.num_columns}"
    return (f"{path.name}: damaged, values and dictionaries do not fit in columns: {named}",)


def _check_size(path: Path, footer: Any, names: set[str]) -> None:
    if not 0 < footer.num_rows <= MAX_ROWS:
        raise RecordError(f"{path.name}: expected 1 to {MAX_ROWS} rows, received {footer.num_rows}")
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    chunks = [group.column(j) for group in groups for j in range(group.num_columns)]
    decoded = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in names)
    size = max(decoded, 4 * footer.num_rows * len(names))
    if size > MAX_DECODED_BYTES:
        raise RecordError(f"{path.name}: expected at most {MAX_DECODED_BYTES} bytes once decoded, received {size}")


def _check_types(path: Path, schema: Any, names: set[str]) -> None:
    from pyarrow import types

    numeric = (types.is_floating, types.is_integer, types.is_decimal, types.is_null)  # null: a column without a value
    kinds = schema.types
    unlike = {kind.id: kind for kind in kinds}.values()  # as a rule one kind, of 400 columns
    if all(any(is_kind(kind) for is_kind in numeric) for kind in unlike):
        return
    for name, kind in zip(schema.names, kinds):
        plain = kind.value_type if types.is_dictionary(kind) else kind
        if name in names and not any(is_kind(plain) for is_kind in numeric):
            raise RecordError(f"{path.name}: expected numbers in column {name}, received {kind}")


def _columns(table: Any) -> dict[str, npt.NDArray[Any]]:
    """All columns by name; those that are float32, as the host writes them, at once: 400 single ones take 2 ms."""
    import pyarrow as pa

    kinds = dict(zip(table.column_names, table.schema.types))
    plain = [name for name, kind in kinds.items() if kind == pa.float32()]
    out = {name: _floats(name, table.column(name)) for name, kind in kinds.items() if kind != pa.float32()}
    if plain:
        (batch,) = table.select(plain).combine_chunks().to_batches()
        values = batch.to_tensor(null_to_nan=True, row_major=False).to_numpy()  # (rows, len(plain))
        out.update(zip(plain, values.T))
    return out


def _floats(name: str, column: Any) -> npt.NDArray[Any]:
    """The values of a numeric parquet column, NaN for nulls: float64 for `time`, else float32."""
    import pyarrow as pa

    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        column = column.cast(pa.float64())
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and then NaN
        values: npt.NDArray[Any] = column.to_numpy().astype(np.float64 if name == "time" else np.float32, copy=False)
        return values


def _stack(columns: dict[str, npt.NDArray[np.float32]], names: tuple[str, ...]) -> npt.NDArray[np.float32]:
    rows = len(next(iter(columns.values())))
    out = np.full((rows, len(names)), np.nan, np.float32)
    for j, name in enumerate(names):
        if name in columns:
            out[:, j] = columns[name]
    out[np.isnan(out)] = np.nan  # damage makes signalling ones, which warn
    return out


def _missing_if(path: Path, bad: npt.NDArray[np.bool_], values: npt.NDArray[np.float32], what: str) -> list[str]:
    """Take values that no recording has as missing; a note that counts them."""
    if not (count := np.count_nonzero(bad)):
        return []
    values[bad] = np.nan
    return [f"{path.name}: {count} {what} values taken as missing"]


def _check_any_finite(path: Path, values: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(values).any():
        raise RecordError(f"{path.name}: expected values, received {values.shape[0]} rows without one finite value")
