"""Several manifests of one member each to a mixed one: their folds copied into a folder of a member's name each."""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hbac.errors import OutputError, WeightsError
from hbac.files import sha256_of
from hbac.kaggle import MANIFEST_NAME
from hbac.network.settings import ImportedNetwork, Network
from hbac.weights.graph_files import ENDING
from hbac.weights.manifest import Fold, Manifest, Member, write_manifest
from hbac.weights.networks import graph_path
from hbac.weights.schema import ARITHMETIC, NAME, SUFFIXES


@dataclass(frozen=True)
class Share:
    """A member to be: its name in the mixed manifest, where it comes from, and its share in the mean."""

    name: str
    manifest: Manifest  # of one member
    weight: float


def compose(
    shares: Sequence[Share], output: Path, title: str, mean: str = ARITHMETIC, training: dict[str, Any] | None = None
) -> Path:
    """Write a mixed manifest and copies of its folds; its path. The class priors are the weighted means of the members'.

    Args:
        shares: one or more; of one, the manifest is that of one member.
        output: a folder that is not there or empty; it appears whole or not at all.
        title: of the manifest.
        mean: of `schema.MEANS`.
        training: how it was made, for readers.

    Raises:
        OutputError: there is something at `output`, or it cannot be written.
        WeightsError: a manifest is mixed itself, a fold is not the one that it states, or two names are the same.
    """
    check_new(output)
    names = [share.name for share in shares]
    if len(set(names)) != len(names) or not all(re.fullmatch(NAME, name) for name in names):
        raise WeightsError(f"expected a plain name for each member, each once, received {names}")
    with _new_folder(output) as staging:
        members = [_copied(share, staging) for share in shares]
        manifest = Manifest(
            folder=staging,
            title=title,
            members=tuple(members),
            class_prior=_mean_prior([share.manifest.class_prior for share in shares], shares),
            training_prior=_mean_prior([share.manifest.training_prior for share in shares], shares),
            training=training or {},
            mean=mean,
        )
        write_manifest(manifest, staging / MANIFEST_NAME)
    return output / MANIFEST_NAME


def check_new(folder: Path) -> None:
    """Refuse a folder that holds anything; a check before a long run.

    Raises:
        OutputError: there is something.
    """
    try:
        is_new = not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        raise OutputError(f"{folder}: expected a folder to write to: {error.strerror}") from error
    if not is_new:
        raise OutputError(f"{folder}: expected a folder that is not there yet or empty, received one with files")


def _copied(share: Share, staging: Path) -> Member:
    """A member whose folds lie in a folder of its name; their names differ, as an upload may lay all in one folder."""
    member = share.manifest.only
    place = staging / share.name
    place.mkdir()
    folds = []
    for number, fold in enumerate(member.folds):
        suffix = next(suffix for suffix in SUFFIXES if fold.file.endswith(suffix))
        copy = place / f"{share.name}_fold{number}{suffix}"
        folds.append(_copied_fold(share.manifest, fold, copy))
    network = _copied_network(member.network, share.manifest.folder, place)
    return replace(member, name=share.name, weight=share.weight, network=network, folds=tuple(folds))


def _copied_network(network: Network, folder: Path, place: Path) -> Network:
    """The same network; the file of its graph, if it has one, lies beside its folds."""
    if not isinstance(network, ImportedNetwork):
        return network
    copy = place / f"{place.name}{ENDING}"
    shutil.copyfile(graph_path(network.file, folder), copy)
    return replace(network, file=f"{place.name}/{copy.name}")


def _copied_fold(manifest: Manifest, fold: Fold, copy: Path) -> Fold:
    path = manifest.path(fold)
    shutil.copyfile(path, copy)
    if (received := sha256_of(copy)) != fold.sha256:
        raise WeightsError(f"{path}: expected SHA-256 {fold.sha256}, received {received}")
    return replace(fold, file=f"{copy.parent.name}/{copy.name}")


def _mean_prior(priors: Sequence[Sequence[float]], shares: Sequence[Share]) -> tuple[float, ...]:
    return tuple(np.average(priors, axis=0, weights=[share.weight for share in shares]).tolist())


@contextlib.contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    """A folder beside `output` that takes its name when all went well."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as beside:
            staging = Path(beside) / "new"
            staging.mkdir()
            yield staging
            if output.exists():
                output.rmdir()  # it is empty: a rename would not replace it everywhere
            staging.rename(output)
    except OSError as error:
        raise OutputError(f"{output}: expected a place to write to, received: {error.strerror or error}") from error
