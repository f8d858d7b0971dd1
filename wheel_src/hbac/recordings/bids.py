"""BIDS: the EEG of a data set by participant and session, and the description of what is derived from it.

Brain Imaging Data Structure: https://bids-specification.readthedocs.io.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from hbac.errors import InputError, OutputError, brief, one_line
from hbac.files import write_atomically
from hbac.recordings.items import Item
from hbac.version import __version__

VERSION: Final = "1.9.0"  # of BIDS, by which results are laid out
DESCRIPTION: Final = "dataset_description.json"
PARTICIPANT, SESSION = "sub-", "ses-"
SUFFIXES: Final = (".edf", ".bdf", ".vhdr", ".set")  # the formats of EEG that BIDS knows


def recordings_in(data: Path, participants: Sequence[str] = (), sessions: Sequence[str] = ()) -> list[Item]:
    """The recordings `sub-*/[ses-*/]eeg/*_eeg.*` of a data set, in the order of their names.

    Args:
        data: the data set's folder.
        participants: labels, with or without `sub-`; none for all.
        sessions: labels, with or without `ses-`; none for all, and for participants without sessions.

    Raises:
        InputError: a label of none, one without a recording, or no recording at all.
        OSError: a folder that cannot be read.
    """
    if not data.is_dir():
        raise InputError(f"{data}: expected a BIDS data set, found no folder")
    of = _chosen(_labelled([data], PARTICIPANT), PARTICIPANT, participants, "participant-label")
    inside = _labelled(of, SESSION)
    wanted = _chosen(inside, SESSION, sessions, "session-label") if sessions else [*of, *inside]
    items = [
        Item(path, path.parent.relative_to(data))
        for folder in wanted
        for path in _files(folder / "eeg")
        if path.stem.endswith("_eeg") and path.suffix.lower() in SUFFIXES
    ]
    _check_found(data, participants, items)
    return sorted(items, key=lambda item: item.source)


def _labelled(folders: Iterable[Path], prefix: str) -> list[Path]:
    """Folders in these that are called as such."""
    return [path for folder in folders for path in sorted(folder.glob(f"{prefix}*")) if path.is_dir()]


def _chosen(folders: list[Path], prefix: str, labels: Sequence[str], option: str) -> list[Path]:
    names = {f"{prefix}{label.removeprefix(prefix)}" for label in labels}
    known = sorted({path.name for path in folders})
    if unknown := sorted(names - set(known)):
        there = brief(", ".join(known) or "none, as there are none", quote=False)
        raise InputError(f"{option}: expected some of {there}, received {', '.join(unknown)}")
    return [path for path in folders if not names or path.name in names]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _check_found(data: Path, participants: Sequence[str], items: Sequence[Item]) -> None:
    found = {item.folder.parts[0] for item in items}
    for label in participants:
        name = f"{PARTICIPANT}{label.removeprefix(PARTICIPANT)}"
        if name not in found:
            raise InputError(f"{data / name}: expected recordings eeg/*_eeg ({', '.join(SUFFIXES)}), found none")
    if not items:
        raise InputError(f"{data}: expected recordings sub-*/[ses-*/]eeg/*_eeg ({', '.join(SUFFIXES)}), found none")


def write_description(data: Path, output: Path) -> None:
    """Write `dataset_description.json` of what is derived, unless it is there.

    Raises:
        InputError: the folder holds another data set.
        OutputError: it cannot be written.
    """
    path = output / DESCRIPTION
    wanted = _description(data)
    if output.resolve() == data.resolve():
        raise InputError(f"{output}: expected a folder for results, received the data set itself")
    if path.exists():
        found = _read(path)
        if found == wanted:
            return
        if not _is_ours(found):
            raise InputError(f"{path}: expected a folder for results of hbac, received the data set of another")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: expected a folder to write to: {error.strerror}") from error
    write_atomically(path, (json.dumps(wanted, indent=2) + "\n").encode())


def _description(data: Path) -> dict[str, Any]:
    source = data / DESCRIPTION
    name = _read(source).get("Name") if source.is_file() else None
    return {
        "Name": f"Harmful brain activity in {name if isinstance(name, str) and name else 'EEG'}, by a neural network",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "hbac", "Version": __version__}],
    }


def _is_ours(description: dict[str, Any]) -> bool:
    by = description.get("GeneratedBy")
    return isinstance(by, list) and bool(by) and isinstance(by[0], dict) and by[0].get("Name") == "hbac"


def _read(path: Path) -> dict[str, Any]:
    """A description, as it stands.

    Raises:
        InputError: it is no JSON object.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected a JSON object, received {one_line(error)}") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a JSON object, received {type(document).__name__}")
    return document
