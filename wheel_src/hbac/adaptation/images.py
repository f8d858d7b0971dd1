"""A user's records: a folder of EEG files or a test folder to images, by name; what cannot be read is left out."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.errors import InputError
from hbac.preprocessing.load import BOTH, EEG, load_record
from hbac.preprocessing.preset import Preset
from hbac.records.folders import contents
from hbac.records.record import Record
from hbac.records.tables import read_test_table

EEG_FOLDER = "eegs"  # that a folder of EEG may have its files in

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class UserRecords:
    """Images of the records that could be read; the others by name with the reason."""

    names: tuple[str, ...]  # of the EEG files, without .parquet
    images: Array  # (len(names), *shape)
    left_out: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = BOTH  # that a record has: the EEG alone where none has a spectrogram
    digest: str = ""  # SHA-256 of the names and of the bytes that the images were made of


@dataclass(frozen=True)
class _Read:
    name: str
    image: Array | None
    digests: tuple[str, ...] = ()
    why: str = ""


def read_user_records(folder: Path, preset: Preset) -> UserRecords:
    """Images of all records of a folder.

    Args:
        folder: EEG files in the competition's form, `*.parquet` or `eegs/*.parquet`; or a test folder, where test.csv is.
        preset: what defines an image.

    Raises:
        InputError: no such folder, none of these files, or none that can be read.
        MachineError: something has run out that every file needs.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of EEG files or a test folder, found none")
    found = list(_of_table(folder, preset) if (folder / hms.TEST_TABLE).exists() else _of_files(folder, preset))
    usable = [one for one in found if one.image is not None]
    left_out = {one.name: one.why for one in found if one.image is None}
    if not usable:
        first = next(iter(left_out.items()))
        raise InputError(
            f"{folder}: expected EEG that can be read, received {len(found)} files, none of which can: {first[0]}: {first[1]}"
        )
    identity = json.dumps([(one.name, one.digests) for one in usable])
    return UserRecords(
        names=tuple(one.name for one in usable),
        images=np.stack([one.image for one in usable if one.image is not None]),
        left_out=left_out,
        files=BOTH if any(len(one.digests) == len(BOTH) for one in usable) else (EEG,),
        digest=hashlib.sha256(identity.encode()).hexdigest(),
    )


def _of_files(folder: Path, preset: Preset) -> Iterator[_Read]:
    paths = sorted(folder.glob("*.parquet")) or sorted((folder / EEG_FOLDER).glob("*.parquet"))
    if not paths:
        raise InputError(
            f"{folder}: expected *.parquet, {EEG_FOLDER}/*.parquet or {hms.TEST_TABLE}, received a folder {contents(folder)}"
        )
    return (_read(path.stem, Record(0, None, None, path, None), preset) for path in paths)


def _of_table(folder: Path, preset: Preset) -> Iterator[_Read]:
    return (_read(str(record.eeg_id), record, preset) for record in read_test_table(folder))


def _read(name: str, record: Record, preset: Preset) -> _Read:
    """As predict reads it; where it has no spectrogram, that is no fault."""
    there = record.spectrogram_path is not None and record.spectrogram_path.exists()
    files = BOTH if there else (EEG,)
    loaded = load_record(record, preset, files)
    return _Read(name, loaded.image, loaded.sources[: len(files)], "; ".join(loaded.notes))
