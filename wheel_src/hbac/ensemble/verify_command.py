"""`hbac verify`: a manifest, its folds and their golden answers, said line by line."""

from collections.abc import Iterator
from pathlib import Path

from hbac.ensemble.calibrated import make_ensemble
from hbac.network.settings import TENSORFLOW
from hbac.weights.manifest import Manifest, Member, read_manifest


def verify(path: Path, engine: str = TENSORFLOW) -> Iterator[str]:
    """Check a manifest and all of its folds, then say what they are.

    Raises:
        WeightsError: anything is not as the manifest says.
        MachineError: this machine cannot use the engine.
    """
    manifest = read_manifest(path)
    make_ensemble(manifest, engine)
    yield manifest.title
    for member in manifest.members:
        yield from _of_member(member, manifest.is_mixed)
    for name, value in manifest.training.items():
        yield f"{name}: {value}"
    yield f"{path}: {summary(manifest)}, files and answers as stated"


def summary(manifest: Manifest) -> str:
    """How many folds of what."""
    count = len(manifest.all_folds())
    if manifest.is_mixed:
        return f"{count} folds of {len(manifest.members)} members, {manifest.mean} mean"
    return f"{count} folds, {manifest.network.described()}"


def _of_member(member: Member, is_named: bool) -> Iterator[str]:
    if is_named:
        preset, network = member.preprocessing.preset, member.network.described()
        yield f"{member.name}: {preset}, {network}, temperature {member.temperature:g}, weight {member.weight:g}"
    for fold in member.folds:
        scores = ", ".join(f"{name} {score:g}" for name, score in fold.score.items())
        yield f"{fold.file}: {fold.bytes} bytes, weight {fold.weight:g}, out of fold: {scores or 'not stated'}"
