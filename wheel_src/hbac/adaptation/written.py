"""Adapted folds and their manifest in a folder: checked by reading them back, whole or not at all, nothing overwritten."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hbac.ensemble.calibrated import Ensemble
from hbac.errors import OutputError
from hbac.kaggle import MANIFEST_NAME
from hbac.network.graph import Tensors
from hbac.network.tensorflow_engine import TensorFlowEngine
from hbac.weights.checkpoints import Checkpoint, new_manifest
from hbac.weights.manifest import Manifest, read_manifest, write_manifest
from hbac.weights.tensors import write_safetensors

SUFFIX = ", adapted"  # of the title
MAX_TITLE = 1000 - len(SUFFIX)


def names_of(count: int) -> list[str]:
    """What is written for so many folds, the manifest last."""
    return [*(f"adapted_fold{number}.safetensors" for number in range(count)), MANIFEST_NAME]


def check_output(folder: Path, count: int) -> None:
    """Refuse a place that cannot take what is to be written; a check before a long run.

    Raises:
        OutputError: no folder, one that is read-only, or a file of one of the names is there.
    """
    there = folder
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: expected a folder to write to, received {there}, which is none")
    for name in names_of(count):
        if os.path.lexists(folder / name):
            raise OutputError(f"{folder / name}: expected a place without this file, which is never overwritten")


def write_adapted(parent: Manifest, folds: Sequence[Tensors], folder: Path, training: dict[str, Any]) -> Path:
    """Write folds in float16 and their manifest; its path.

    Args:
        parent: whose folds were adapted; title, preprocessing, temperature, priors and weights are taken over.
        folds: all tensors of each.
        folder: made if absent.
        training: of the new manifest.

    Raises:
        OutputError: as `check_output`, or the disk is full.
        WeightsError: what was written does not answer as it should.
    """
    check_output(folder, len(folds))
    names = names_of(len(folds))
    with _folder(folder), tempfile.TemporaryDirectory(prefix=".adapt-", dir=folder) as staging:
        _write(parent, folds, Path(staging), training)
        _move(names, Path(staging), folder)
    return folder / MANIFEST_NAME


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """A folder that is there; one that was made for nothing goes again."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OutputError(f"{folder}: expected a place to write to, received: {error.strerror or error}") from error
    finally:
        if made:
            with contextlib.suppress(OSError):  # not empty: it was not for nothing
                folder.rmdir()


def _write(parent: Manifest, folds: Sequence[Tensors], staging: Path, training: dict[str, Any]) -> None:
    *files, of_manifest = [staging / name for name in names_of(len(folds))]
    for file, tensors in zip(files, folds):
        write_safetensors(file, tensors, np.float16)
    engine = TensorFlowEngine(parent.network)
    manifest = new_manifest(
        [Checkpoint(file, fold.weight) for file, fold in zip(files, parent.folds)],
        staging,
        f"{parent.title.removesuffix(SUFFIX)[:MAX_TITLE]}{SUFFIX}",
        parent.preprocessing,
        parent.network,
        engine,
        parent.temperature,
        parent.class_prior,
        training,
        parent.training_prior,
    )
    write_manifest(manifest, of_manifest)
    Ensemble(read_manifest(of_manifest), engine)
    engine.close()


def _move(names: Sequence[str], staging: Path, folder: Path) -> None:
    """Give all files their place, the manifest last; if one cannot have it, none keeps it."""
    moved = []
    try:
        for name in names:
            if os.path.lexists(folder / name):  # a rename would overwrite it; links are not on every file system
                raise FileExistsError(0, f"{name}, which came in the meantime")
            os.rename(staging / name, folder / name)
            moved.append(folder / name)
    except OSError:
        for path in moved:
            path.unlink()
        raise
