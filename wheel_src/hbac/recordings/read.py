"""A file, or an object of MNE, to a `Recording`: the one door."""

import os
import stat
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from hbac.errors import RecordError
from hbac.recordings.edf_file import opened, read_edf
from hbac.recordings.edf_header import EDF, SUFFIXES, form_of
from hbac.recordings.recording import Recording
from hbac.recordings.units import check_unit

if TYPE_CHECKING:
    from mne.io import BaseRaw


def read_recording(
    source: "str | PathLike[str] | BaseRaw", *, name: str | None = None, unit: str | None = None
) -> Recording:
    """A recording of any length: an EDF or BDF file, or what MNE reads.

    What was missing or assumed is in its `notes`. Files are read block by block.

    Args:
        source: a file, told by its content; what is neither EDF nor BDF is read by MNE (`hbac[mne]`). Or an
            `mne.io.Raw` object.
        name: of the recording; None for the stem of its file.
        unit: "V", "mV", "uV" or "nV" for channels of an EDF or BDF file that state none.

    Raises:
        InputError: an argument that is none.
        RecordError: a file that cannot be read, or in which EEG, rates, units or times are not to be had.
        MachineError: MNE is needed and is not there; or something has run out that every file needs.
    """
    check_unit(unit)
    if not isinstance(source, str | PathLike):
        from hbac.recordings.mne_raw import from_raw

        return from_raw(source, name)
    path = Path(source)
    name = path.stem if name is None else name
    if not os.path.exists(path):
        raise RecordError(f"{path}: expected a recording, found none")
    if not path.is_dir() and _is_edf(path):
        return read_edf(path, name, unit)
    from hbac.recordings.mne_raw import read_by_mne

    return read_by_mne(path, name)


def _is_edf(path: Path) -> bool:
    """Whether a file begins as EDF or BDF do, or is called so.

    Raises:
        RecordError: it is no regular file: a pipe would be waited for.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise RecordError(f"{path}: expected a file, received a pipe or a device")
    with opened(path) as file:
        return path.suffix.lower() in SUFFIXES or form_of(file.read(len(EDF.magic))) is not None
