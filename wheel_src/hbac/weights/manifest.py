"""The manifest: which network, which preprocessing, which folds, and what they must answer. JSON, schema 2."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hbac import hms
from hbac.errors import WeightsError
from hbac.files import write_atomically
from hbac.kaggle import MANIFEST_NAME as MANIFEST_NAME
from hbac.network.settings import NetworkSettings
from hbac.preprocessing.preset import Preset
from hbac.weights.schema import SCHEMA, checked, network_document, unique_keys

MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class Fold:
    """One checkpoint: its file relative to the manifest, what it must be, how much it counts, what it must answer."""

    file: str
    sha256: str
    bytes: int
    weight: float
    score: dict[str, float]  # out-of-fold figures by name; informative
    golden: tuple[float, ...]  # (classes,) probabilities of the golden record, before calibration


@dataclass(frozen=True)
class Manifest:
    """A checked manifest; `folder` is where it lies."""

    folder: Path
    title: str
    network: NetworkSettings
    preprocessing: Preset
    temperature: float
    class_prior: tuple[float, ...]  # (classes,), sums to 1: the answer for a record that cannot be read
    training_prior: tuple[float, ...]  # (classes,), sums to 1: the class mix that the folds' logits answer for
    golden_image: list[list[list[float]]]
    folds: tuple[Fold, ...]
    training: dict[str, Any]  # how the folds were made; informative

    def path(self, fold: Fold) -> Path:
        """Where the file of a fold is: at its stated place, or beside the manifest, as a Kaggle data set lays it.

        Raises:
            WeightsError: there is no such file, or a link leads out of the manifest's folder.
        """
        stated = self.folder / fold.file
        candidates = [stated, self.folder / PurePosixPath(fold.file).name]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None and any(path.is_dir() or path.with_suffix("").is_dir() for path in candidates):
            raise WeightsError(
                f"{stated}: expected the file of a fold, received a folder: an upload has unpacked it; "
                "`hbac weights import` writes it as .safetensors, which no upload changes"
            )
        if found is None:
            raise WeightsError(f"{stated}: expected the file of a fold, found none")
        if not found.resolve().is_relative_to(self.folder.resolve()):
            raise WeightsError(f"{stated}: expected a file inside {self.folder}, received a link out of it")
        return found


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises:
        WeightsError: it is missing, not JSON, or any part of it is not as its schema has it.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WeightsError(f"{path}: expected a manifest: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise WeightsError(f"{path}: expected at most {MAX_BYTES} bytes, received more")
    try:
        document = json.loads(text.decode("utf-8-sig"), object_pairs_hook=unique_keys)
        return _manifest(document, path.parent)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or too deep
        raise WeightsError(f"{path}: expected JSON: {error}") from error
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest that `read_manifest` accepts; the file appears whole or not at all."""
    document = {
        "schema": SCHEMA,
        "title": manifest.title,
        "network": network_document(manifest.network),
        "preprocessing": {**manifest.preprocessing.document(), "digest": manifest.preprocessing.digest()},
        "classes": list(hms.VOTE_COLUMNS),
        "temperature": manifest.temperature,
        "class_prior": list(manifest.class_prior),
        "training_prior": list(manifest.training_prior),
        "golden_image": manifest.golden_image,
        "folds": [asdict(fold) for fold in manifest.folds],
        "training": manifest.training,
    }
    _manifest(json.loads(json.dumps(document)), path.parent)  # what cannot be read again must not be written
    write_atomically(path, _compact_lists(json.dumps(document, indent=1)).encode())


def _manifest(document: Any, folder: Path) -> Manifest:
    known = checked(document)
    folds = tuple(Fold(**fold) for fold in known.pop("folds"))
    return Manifest(folder=folder, folds=folds, **known)


def _compact_lists(text: str) -> str:
    """Innermost lists on one line: a manifest is read by people too."""
    return re.sub(r"\[[^\[\]{}]*\]", lambda match: " ".join(match.group().split()), text) + "\n"
