"""Damaged EEG and spectrogram files: mutations of good ones by a seeded generator, and a list made by hand."""

import os
from collections.abc import Callable
from pathlib import Path

import helpers_readers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

EEG, SPECTROGRAM = "EEG", "spectrogram"

# ---- mutations of bytes


def one_bit(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """One flipped bit anywhere."""
    return _flip(content, rng, 1)


def several_bits(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """2 to 64 flipped bits."""
    return _flip(content, rng, int(rng.integers(2, 65)))


def truncation(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """The first part of a file, or a file with a piece left out of its middle."""
    cut = int(rng.integers(0, len(content)))
    return content[:cut] if rng.random() < 0.5 else content[:cut] + content[cut + int(rng.integers(1, 5000)) :]


def spliced_page(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """A stretch of 0.1 to 64 KiB from elsewhere in the file, from another one, or of zeros, as a bad disk gives them."""
    length = min(int(2 ** rng.uniform(6.6, 16)), len(content) // 2)
    source = (content, other, bytes(length + 1))[rng.integers(3)]
    start, at = int(rng.integers(0, max(1, len(source) - length))), int(rng.integers(0, len(content) - length))
    piece = source[start : start + length]
    return content[:at] + piece + content[at + len(piece) :]


def edited_footer(content: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """1 to 8 changed bytes in the footer, or in its stated length."""
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    damaged = np.frombuffer(content, np.uint8).copy()
    at = rng.integers(start, len(content), int(rng.integers(1, 9)))
    damaged[at] = rng.integers(0, 256, len(at))
    return damaged.tobytes()


MUTATIONS: dict[str, Callable[[bytes, np.random.Generator, bytes], bytes]] = {
    "one bit": one_bit,
    "2 to 64 bits": several_bits,
    "truncation": truncation,
    "spliced page": spliced_page,
    "edited footer": edited_footer,
}


def _flip(content: bytes, rng: np.random.Generator, count: int) -> bytes:
    damaged = np.frombuffer(content, np.uint8).copy()
    np.bitwise_xor.at(damaged, rng.integers(0, len(content), count), (1 << rng.integers(0, 8, count)).astype(np.uint8))
    return damaged.tobytes()


# ---- by hand: each takes a path where a good file lies and leaves a bad one there


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: _replace(path, change(path.read_bytes()))


def _replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def _table(change: Callable[[dict[str, np.ndarray]], dict]) -> Callable[[Path], None]:
    """Change the columns of a file, by name, `time` included where there is one; written without page checksums."""

    def apply(path: Path) -> None:
        table = pq.read_table(path)
        columns = change({name: table[name].to_numpy().copy() for name in table.column_names})
        path.unlink()
        pq.write_table(pa.table(columns), path)

    return apply


def _values(change: Callable[[np.ndarray], np.ndarray], only: str | None = None) -> Callable[[Path], None]:
    """Change the values of the measured columns, or of one."""
    return _table(
        lambda columns: {
            name: change(x).astype(x.dtype) if name != "time" and only in (None, name) else x
            for name, x in columns.items()
        }
    )


def _rename(old: str, new: str) -> Callable[[Path], None]:
    """Two columns exchange their names, or one gets a new one."""
    names = {old: new, new: old}
    return _table(lambda columns: {names.get(name, name): x for name, x in columns.items()})


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _twice(path: Path) -> None:
    table = pq.read_table(path)
    names = [*table.column_names, table.column_names[3]]
    pq.write_table(pa.table([*table.columns, table.columns[4]], names=names), path)


def _claim(rows: int, everywhere: bool) -> Callable[[Path], None]:
    """A footer that claims another number of rows, for the whole file only or for every part of it too."""

    def apply(path: Path) -> None:
        table = pq.read_table(path)
        path.unlink()
        pq.write_table(table, path)
        content = path.read_bytes()
        start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        old, new = b"\x16" + _varint(2 * len(table)), b"\x16" + _varint(2 * rows)  # zigzag of a positive number
        footer = content[start:-8].replace(old, new, -1 if everywhere else 1)
        path.write_bytes(content[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1")

    return apply


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _bomb(rows: int) -> Callable[[Path], None]:
    """Few bytes that decode to gigabytes: one value, again and again."""

    def apply(path: Path) -> None:
        names = pq.read_schema(path).names
        path.unlink()
        part = pa.table(dict.fromkeys(names, pa.array(np.zeros(1 << 18, np.float32))))
        with pq.ParquetWriter(path, part.schema, compression="zstd", use_dictionary=False) as writer:
            for _ in range(rows >> 18):
                writer.write_table(part)

    return apply


BY_HAND: dict[str, Callable[[Path], None]] = {
    "truncated": _bytes(lambda content: content[: len(content) * 2 // 3]),
    "empty": _bytes(lambda content: b""),
    "garbage": _bytes(lambda content: bytes(range(256)) * 400),
    "only the magic": _bytes(lambda content: b"PAR1PAR1"),
    "wrong schema": _table(lambda columns: {"a": np.arange(9), "b": np.arange(9.0)}),
    "text in a column": _table(
        lambda columns: {name: x.astype(str) if i == 2 else x for i, (name, x) in enumerate(columns.items())}
    ),
    "a column twice": _twice,
    "no rows": _table(lambda columns: {name: x[:0] for name, x in columns.items()}),
    "all NaN": _values(lambda x: np.full_like(x, np.nan)),
    "infinite": _values(lambda x: np.full_like(x, np.inf)),
    "some infinite": _values(lambda x: np.where(np.arange(len(x)) % 97 == 5, np.inf, x)),
    "x 1e-6 (volts)": _values(lambda x: x * np.float32(1e-6)),
    "x 1e6": _values(lambda x: x * np.float32(1e6)),
    "constant": _values(lambda x: np.full_like(x, 7.0)),
    "short": _table(lambda columns: {name: x[: len(x) // 3] for name, x in columns.items()}),
    "rows twice": _table(lambda columns: {name: np.repeat(x, 2) for name, x in columns.items()}),
    "rows again": _table(lambda columns: {name: np.concatenate([x, x]) for name, x in columns.items()}),
    "in reverse": _table(lambda columns: {name: x[::-1] for name, x in columns.items()}),
    "a folder": _folder,
    "a pipe": _pipe,
    "a link to itself": _loop,
    "no permission": lambda path: path.chmod(0),
    "gone": lambda path: path.unlink(),
    "goes after the run began": _bytes(lambda content: bytes(helpers_readers.GOES)),
    "claims 5e9 rows": _claim(5 * 10**9, everywhere=False),
    "claims 5e9 rows throughout": _claim(5 * 10**9, everywhere=True),
    "claims 15e6 rows throughout": _claim(15 * 10**6, everywhere=True),
    "kills its reader": _bytes(lambda content: bytes(helpers_readers.KILLS)),
    "hangs its reader": _bytes(lambda content: bytes(helpers_readers.HANGS)),
}
EEG_BY_HAND: dict[str, Callable[[Path], None]] = {
    "swapped channels": _rename("T3", "T5"),
    "swapped channels outside the chains": _rename("Fz", "Cz"),
    "renamed channel": _rename("T3", "T7"),
    "channels in capitals": _table(lambda columns: {name.upper(): x for name, x in columns.items()}),
    "a constant channel": _values(lambda x: np.full_like(x, 3.0), "Cz"),
    "decodes to 1.2 GB": _bomb(16 << 20),
    "decodes to 5 GB": _bomb(64 << 20),
}
SPECTROGRAM_BY_HAND: dict[str, Callable[[Path], None]] = {
    "negative": _values(lambda x: -x),
    "swapped frequencies": _rename("LL_0.98", "LL_9.96"),
    "two chains exchanged": _table(
        lambda columns: {{"LP": "RP", "RP": "LP"}.get(name[:2], name[:2]) + name[2:]: x for name, x in columns.items()}
    ),
    "time from elsewhere": _table(lambda columns: {**columns, "time": columns["time"] + 40}),
}


def by_hand(kind: str) -> dict[str, Callable[[Path], None]]:
    """All bad files of a kind, by name."""
    return {**BY_HAND, **(EEG_BY_HAND if kind == EEG else SPECTROGRAM_BY_HAND)}
