"""`hbac weights export`: a fold of a manifest as a `.keras` file for plain Keras."""

from pathlib import Path

from hbac.errors import InputError
from hbac.weights.checkpoints import load_fold
from hbac.weights.keras_files import export_keras
from hbac.weights.manifest import Manifest, Member, read_manifest


def export_fold(path: Path, output: Path, number: int = 0, name: str | None = None) -> str:
    """Write a fold; a line that says what was written.

    Args:
        path: of the manifest.
        output: a name ending in `.keras`.
        number: of the fold, from 0.
        name: of the member, where there are several.

    Raises:
        InputError: the output is a fold of the manifest, or there is no such fold or member.
        WeightsError: the manifest or the fold is not as it must be.
    """
    manifest = read_manifest(path)
    if output.resolve() in {manifest.path(fold).resolve() for fold in manifest.all_folds()}:
        raise InputError(f"{output}: expected a file of its own, received a fold of the manifest")
    member = _member(manifest, name)
    if not 0 <= number < len(member.folds):
        raise InputError(f"--fold: expected 0 to {len(member.folds) - 1}, received {number}")
    export_keras(load_fold(manifest, member.folds[number]), member.network, output)
    return f"{output}: loads with keras.models.load_model; probabilities at temperature 1"


def _member(manifest: Manifest, name: str | None) -> Member:
    if name is None and not manifest.is_mixed:
        return manifest.only
    by_name = {member.name: member for member in manifest.members}
    if name not in by_name:
        raise InputError(f"--member: expected one of {', '.join(by_name)}, received {name or 'none'}")
    return by_name[name]
