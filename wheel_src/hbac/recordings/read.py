"""A file, or an object of MNE, to a `Recording`: the one door."""

from os import PathLike
from typing import Any

from hbac.errors import InputError
from hbac.recordings.recording import Recording


def read_recording(
    source: str | PathLike[str] | Any,
    *,
    name: str | None = None,
    unit: str | None = None,
    mains_hz: float | None = None,
) -> Recording:
    """A recording of any length, from an EDF or BDF file, or from what MNE reads.

    Args:
        source: a path; or an `mne.io.Raw` object.
        name: of the recording; None for the stem of its file.
        unit: "uV", "mV", "nV" or "V" where a file states none; None to refuse such a file.
        mains_hz: 50, 60, or 0 for a recording without; None: not told.

    Raises:
        InputError: an argument that is none.
        RecordError: the file is no recording that can be read.
    """
    raise InputError(f"read_recording: not built yet, received {source!r}, {name!r}, {unit!r}, {mains_hz!r}")
