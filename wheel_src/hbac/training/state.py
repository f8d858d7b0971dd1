"""What a training run keeps on disk: whose folder it is, how far each fold is, and the state to go on from."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbac.errors import InputError
from hbac.files import sha256_of, write_atomically
from hbac.kaggle import RUN_NAME
from hbac.training.fold_files import FoldFiles as FoldFiles
from hbac.version import __version__

RUN_FORMAT = 3  # of run.json and the states; 1, of hbac 0.1, had no number, 2 did not know recordings by content


@dataclass
class Progress:
    """How far a fold is: what its state file says beside the tensors."""

    rows: str = ""  # digest of the rows it learns from and of those it validates on, and of their recordings
    epochs_done: int = 0
    best_kl: float = float("inf")
    history: list[dict[str, float]] = field(default_factory=list)  # epoch, stage, learning_rate, loss, kl
    made: dict[str, str] = field(default_factory=dict)  # SHA-256 of its other files, by their names in `FoldFiles`


def new(path: Path) -> Path:
    """Where a file of a fold is written before the state says that it is the one."""
    return path.with_name(f"{path.name}.new")


def settle(files: FoldFiles, progress: Progress) -> None:
    """Give the files that a state names their places: a kill may have come after the state was written.

    Raises:
        InputError: one of them is not there, or another.
    """
    for name, stated in progress.made.items():
        path = getattr(files, name)
        if new(path).exists() and sha256_of(new(path)) == stated:
            os.replace(new(path), path)
        received = sha256_of(path) if path.exists() else "no file"
        if received != stated:
            raise InputError(f"{path}: expected SHA-256 {stated}, as {files.state.name} states, received {received}")


def claim_folder(folder: Path, run: dict[str, Any], resume: bool) -> None:
    """Make sure that a folder holds this very run, a new one or, with `resume`, an earlier part of it.

    Args:
        folder: where the run keeps its files.
        run: what defines it: dataclasses, records, numbers by name.
        resume: whether an earlier part is to be taken up.

    Raises:
        InputError: the folder holds another run, or holds this one and `resume` is False.
    """
    path = folder / RUN_NAME
    if any(folder.glob("*.state")):
        if not resume:
            raise InputError(f"{folder}: expected an empty folder, received a run; go on with it by --resume")
        _compare(folder, run)
    document = {"format": RUN_FORMAT, "hbac": __version__, "digests": _digests(run)}
    write_atomically(path, json.dumps(document).encode())


def take_folds(sources: Iterable[Path], folder: Path, run: dict[str, Any], stems: Iterable[str]) -> list[str]:
    """Copy folds of the same run from other folders, such as the outputs of earlier sessions; some may be unfinished.

    Args:
        sources: folders that each hold a part of the run.
        folder: where this run keeps its files; a fold that is here already stays as it is.
        run: what defines the run, as for `claim_folder`.
        stems: names of the folds.

    Returns:
        The names of the folds that were copied.

    Raises:
        InputError: a source holds no run or another one, or two of them hold the same fold.
    """
    found: dict[str, Path] = {}
    names = list(stems)
    for source in sources:
        _compare(source, run)
        for stem in names:
            if FoldFiles.named(source, stem).state.exists():
                if stem in found:
                    raise InputError(f"{stem}: expected it in one folder, received it in {found[stem]} and {source}")
                found[stem] = source
    copied = [stem for stem in found if not FoldFiles.named(folder, stem).state.exists()]
    for stem in copied:
        there, here = (FoldFiles.named(place, stem) for place in (found[stem], folder))
        for part in ("checkpoint", "predictions", "partial", "state"):  # the state last: it says what the others are
            for path, copy in (
                (getattr(there, part), getattr(here, part)),
                (new(getattr(there, part)), new(getattr(here, part))),
            ):
                if path.exists():
                    write_atomically(copy, path.read_bytes())
    return copied


def _digests(run: dict[str, Any]) -> dict[str, str]:
    return {name: hashlib.sha256(repr(value).encode()).hexdigest() for name, value in run.items()}


def _compare(folder: Path, run: dict[str, Any]) -> None:
    try:
        earlier = json.loads((folder / RUN_NAME).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: expected a run of hbac train, received no readable {RUN_NAME}") from error
    if not isinstance(earlier, dict) or (earlier.get("format"), earlier.get("hbac")) != (RUN_FORMAT, __version__):
        raise InputError(
            f"{folder}: expected a run of format {RUN_FORMAT} of hbac {__version__}, received one of "
            f"{_maker(earlier)}: end it with that version, or train anew in another folder"
        )
    stated = earlier.get("digests", {})
    differing = [name for name, digest in _digests(run).items() if stated.get(name) != digest]
    if differing:
        raise InputError(f"{folder}: expected this very run, received one with another {', '.join(differing)}")


def _maker(earlier: Any) -> str:
    """Which hbac wrote a run.json, as far as it says."""
    known = earlier if isinstance(earlier, dict) else {}
    return f"hbac {known['hbac']}" if isinstance(known.get("hbac"), str) else "hbac 0.1"


def digest_of_rows(sources: npt.NDArray[np.bytes_], *parts: npt.NDArray[np.int64]) -> str:
    """What tells one split of rows from another; `sources` are the digests of all rows' recordings, (rows, 2)."""
    numbers = [np.ascontiguousarray(part, np.int64).tobytes() for part in parts]
    return hashlib.sha256(b"/".join([*numbers, *(sources[part].tobytes() for part in parts)])).hexdigest()


def check_rows(files: FoldFiles, sources: npt.NDArray[np.bytes_], *parts: npt.NDArray[np.int64]) -> None:
    """Make sure that a fold learnt from and validates on these very rows and recordings.

    Raises:
        InputError: it was trained on another split, or on recordings of another content; or its state cannot be read.
    """
    if read_progress(files.state).rows != digest_of_rows(sources, *parts):
        raise InputError(
            f"{files.state}: expected a fold of {' and '.join(str(len(part)) for part in parts)} rows of this run, "
            "received one of other rows or recordings; have files changed since, or were others readable then?"
        )


def read_progress(state: Path) -> Progress:
    """How far the fold of a state file is.

    Raises:
        InputError: not a state file.
    """
    return _read(state)[0]


def read_state(state: Path) -> tuple[Progress, dict[str, np.ndarray[Any, Any]]]:
    """How far a fold is, and its tensors.

    Raises:
        InputError: not a state file.
    """
    return _read(state, tensors=True)


def _read(state: Path, tensors: bool = False) -> tuple[Progress, dict[str, np.ndarray[Any, Any]]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = state.read_bytes()  # not mapped into memory: not every file system can do that
        length = int.from_bytes(content[:8], "little")
        stated = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["progress"])
        read: dict[str, np.ndarray[Any, Any]] = load(content)
        return Progress(**{entry.name: stated[entry.name] for entry in fields(Progress)}), read if tensors else {}
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{state}: expected the state of a fold: {error}") from error


def write_state(state: Path, progress: Progress, tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    """Write a state file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from safetensors.numpy import save

    contiguous = {name: np.array(tensor, order="C") for name, tensor in tensors.items()}
    write_atomically(state, save(contiguous, {"progress": json.dumps(asdict(progress))}))
