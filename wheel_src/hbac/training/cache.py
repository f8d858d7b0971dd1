"""Training images on disk: made once, in parallel, restartable, read memory-mapped.

`images.npy` is (rows, *shape of the preset) uint8; beside it, `images.state.npy` says of each row whether it is made,
`images.sources.npy` of which bytes, and `images.json` which rows and which preprocessing these are.
"""

import errno
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbac.errors import InputError, OutputError
from hbac.files import write_atomically
from hbac.preprocessing.load import digest_now
from hbac.preprocessing.preset import Preset
from hbac.preprocessing.readers import Loader
from hbac.records.record import Record
from hbac.streams import progress_bar
from hbac.version import __version__

EMPTY, MADE, UNREADABLE = 0, 1, 2  # of a row
DIGEST = np.dtype("S32")  # of a recording's content


@dataclass(frozen=True)
class ImageCache:
    """Images as they lie on disk, and which of them are there."""

    images: npt.NDArray[np.uint8]  # (rows, *shape), memory-mapped
    readable: npt.NDArray[np.bool_]  # (rows,)
    sources: npt.NDArray[np.bytes_]  # (rows, 2) digests of the EEG and of the spectrogram that an image was made of


def cache_bytes(records: Sequence[Record], settings: Preset) -> int:
    """Size of the images on disk."""
    return len(records) * int(np.prod(settings.shape))


def open_cache(records: Sequence[Record], folder: Path, settings: Preset, compared: bool = False) -> ImageCache | None:
    """The images of these very records as an earlier run left them whole in a folder; None if it did not.

    Nothing is written, so that several processes may read at once, also from a read-only folder. Every recording is
    read, and must be the one that its images were made of; not with `compared`, where this run has done so already.
    """
    path, state_path, sources_path, _ = _paths(folder)
    if not _is_of(folder, _key(records, settings), (len(records), *settings.shape)):
        return None
    state, sources = np.load(state_path), np.load(sources_path)
    if (state == EMPTY).any() or not (compared or (sources == _sources_now(records)).all()):
        return None
    return ImageCache(np.load(path, mmap_mode="r"), state == MADE, sources)


def make_cache(
    records: Sequence[Record], folder: Path, settings: Preset, workers: int, progress: bool = True
) -> ImageCache:
    """The images of records, made as far as they are not there yet.

    A record of which nothing can be read keeps an empty row and is not `readable`; a second call tries it again. A row
    whose recording has another content now is made anew; so is a cache of other records or of another preprocessing,
    or one that lacks a file or a part of one.

    Raises:
        InputError: not one record can be read.
        OutputError: the folder cannot be written, or the disk has no room.
    """
    path, state_path, sources_path, key_path = _paths(folder)
    key = _key(records, settings)
    try:
        if not _is_of(folder, key, (len(records), *settings.shape)):
            key_path.unlink(missing_ok=True)
            whole = (len(records), *settings.shape)
            np.lib.format.open_memmap(path, "w+", np.uint8, whole).flush()  # type: ignore[no-untyped-call]
            _reserve(path)
            np.save(state_path, np.zeros(len(records), np.uint8))
            np.save(sources_path, np.zeros((len(records), 2), DIGEST))
            write_atomically(key_path, key.encode())  # last: from here on the others are what it says
        images, state, sources = (np.load(file, mmap_mode="r+") for file in (path, state_path, sources_path))
        state[state == UNREADABLE] = EMPTY
        if (state == MADE).any():
            state[(sources != _sources_now(records)).any(axis=1)] = EMPTY
    except OSError as error:
        cannot_map = "; its file system cannot map files into memory" if error.errno == errno.ENODEV else ""
        raise OutputError(f"{folder}: expected a place for the images: {error.strerror}{cannot_map}") from error
    _fill(records, images, state, sources, settings, workers, progress)
    readable = np.asarray(state) == MADE
    if not readable.any():
        raise InputError(f"{folder}: expected records that can be read, received none among {len(records)}")
    return ImageCache(np.load(path, mmap_mode="r"), readable, np.array(sources))


def _paths(folder: Path) -> tuple[Path, Path, Path, Path]:
    """Images, states, digests of recordings, and which rows they are of."""
    return (
        folder / "images.npy",
        folder / "images.state.npy",
        folder / "images.sources.npy",
        folder / "images.json",
    )


def _sources_now(records: Sequence[Record]) -> npt.NDArray[np.bytes_]:
    """(rows, 2) digests of the recordings as they are now; each file is read once."""
    paths = [(record.eeg_path, record.spectrogram_path) for record in records]
    distinct = list({path: None for pair in paths for path in pair})
    with ThreadPoolExecutor() as pool:
        now = dict(zip(distinct, pool.map(digest_now, distinct)))
    return np.array([[now[path] for path in pair] for pair in paths], DIGEST).reshape(len(records), 2)


def _is_of(folder: Path, key: str, shape: tuple[int, ...]) -> bool:
    """Whether a folder holds all files, whole and made for this very key."""
    *arrays, key_path = _paths(folder)
    try:
        shapes = [np.load(array, mmap_mode="r").shape for array in arrays]
    except (OSError, ValueError, EOFError):  # not there, or cut short
        return False
    return shapes == [shape, shape[:1], (shape[0], 2)] and key_path.exists() and key_path.read_text() == key


def _reserve(path: Path) -> None:
    """Take the room on the disk now: a memory-mapped page that finds none later ends the process without a word."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)


def _key(records: Sequence[Record], settings: Preset) -> str:
    rows = [[r.eeg_id, r.eeg_offset_s, r.spectrogram_id, r.spectrogram_offset_s] for r in records]
    return json.dumps({"hbac": __version__, "preprocessing": settings.digest(), "rows": rows})


def _fill(
    records: Sequence[Record],
    images: npt.NDArray[np.uint8],
    state: npt.NDArray[np.uint8],
    sources: npt.NDArray[np.bytes_],
    settings: Preset,
    workers: int,
    progress: bool,
) -> None:
    """Make the rows that are empty; a row's state follows its image, so that a kill costs the rows on their way."""
    rows: dict[Record, list[int]] = {}
    for row in np.flatnonzero(state == EMPTY):
        rows.setdefault(records[row], []).append(row)
    done = int((state != EMPTY).sum())
    with (
        Loader(list(rows), settings, workers) as loader,
        progress_bar(len(records), done, "image", "images", progress) as bar,
    ):
        for loaded in loader:
            for row in rows[loaded.record]:
                if loaded.image is not None:
                    images[row] = settings.to_uint8(loaded.image)
                sources[row] = loaded.sources
                state[row] = UNREADABLE if loaded.image is None else MADE
                bar.update()
    for array in (images, sources, state):
        array.flush()  # type: ignore[union-attr]
