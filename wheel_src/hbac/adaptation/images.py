"""A user's records: a folder of EEG files or a test folder to images, by name; what cannot be read is left out."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.errors import InputError, RecordError
from hbac.files import content_digest
from hbac.preprocessing.load import BOTH, EEG, load_record
from hbac.preprocessing.multitaper import rebuild_window
from hbac.preprocessing.preset import Preset
from hbac.preprocessing.presets import make_image
from hbac.records.folders import contents
from hbac.records.parquet import read_content, read_eeg
from hbac.records.record import EegFile, Record, crop_eeg, eeg_start, mirrored
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
    read = [one for one in found if one.image is not None]
    left_out = {one.name: one.why for one in found if one.image is None}
    if not read:
        first = next(iter(left_out.items()))
        raise InputError(
            f"{folder}: expected EEG that can be read, received {len(found)} files, none of which can: {first[0]}: {first[1]}"
        )
    identity = json.dumps([(one.name, one.digests) for one in read])
    return UserRecords(
        names=tuple(one.name for one in read),
        images=np.stack([one.image for one in read if one.image is not None]),
        left_out=left_out,
        files=BOTH if any(len(one.digests) == len(BOTH) for one in read) else (EEG,),
        digest=hashlib.sha256(identity.encode()).hexdigest(),
    )


def image_of_clip(path: Path, preset: Preset) -> tuple[Array, str]:
    """The image of an EEG file without a spectrogram, and the digest of its bytes.

    A clip shorter than 50 s is mirrored to 50 s, whatever the preset; of a longer file it is the middle window.

    Raises:
        RecordError: the file cannot be used.
        MachineError: something has run out that every file needs.
    """
    content = read_content(path)
    uv = read_eeg(path, None, content).uv
    if (start := eeg_start(len(uv), None)) < 0:
        uv, start = mirrored(uv, start), 0
    return make_image(crop_eeg(EegFile(uv), None).uv, rebuild_window(uv, start), preset), content_digest(content)


def _of_files(folder: Path, preset: Preset) -> Iterator[_Read]:
    paths = sorted(folder.glob("*.parquet")) or sorted((folder / EEG_FOLDER).glob("*.parquet"))
    if not paths:
        raise InputError(
            f"{folder}: expected *.parquet, {EEG_FOLDER}/*.parquet or {hms.TEST_TABLE}, received a folder {contents(folder)}"
        )
    return (_clip(path.stem, path, preset) for path in paths)


def _of_table(folder: Path, preset: Preset) -> Iterator[_Read]:
    return (_record(record, preset) for record in read_test_table(folder))


def _record(record: Record, preset: Preset) -> _Read:
    """As predict reads it; without a spectrogram as a clip."""
    name = str(record.eeg_id)
    if record.spectrogram_path is None or not record.spectrogram_path.exists():
        return _clip(name, record.eeg_path, preset)
    loaded = load_record(record, preset)
    return _Read(name, loaded.image, loaded.sources, "; ".join(loaded.notes))


def _clip(name: str, path: Path, preset: Preset) -> _Read:
    try:
        image, digest = image_of_clip(path, preset)
    except RecordError as error:
        return _Read(name, None, why=str(error))
    return _Read(name, image, (digest,))
