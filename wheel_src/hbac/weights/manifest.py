"""The manifest: which networks, on which preprocessing, which folds, and what they must answer. JSON, schema 2."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hbac import hms
from hbac.errors import WeightsError
from hbac.files import write_atomically
from hbac.kaggle import MANIFEST_NAME as MANIFEST_NAME
from hbac.network.settings import Network
from hbac.preprocessing.preset import Preset
from hbac.weights.networks import GraphFile, network_document, with_graph
from hbac.weights.schema import ARITHMETIC, SCHEMA, checked, unique_keys

MAX_BYTES = 4 << 20
ONLY = "only"  # name of a member that is the only one and has none
# fmt: off
ORDER = (  # of the keys, as they are written
    "schema", "title", "network", "preprocessing", "classes", "temperature", "class_prior", "training_prior",
    "golden_image", "folds", "mean", "members", "training",
)
# fmt: on


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
class Member:
    """Folds of one network on one preprocessing, calibrated by one temperature."""

    network: Network
    preprocessing: Preset
    temperature: float
    golden_image: list[Any]
    folds: tuple[Fold, ...]
    name: str = ONLY
    weight: float = 1.0  # its share in the mean of the members


@dataclass(frozen=True)
class Manifest:
    """A checked manifest; `folder` is where it lies. With several members it is mixed.

    What a member has, a manifest of one member has under the same name; of a mixed one it is a WeightsError.
    """

    folder: Path
    title: str
    members: tuple[Member, ...]
    class_prior: tuple[float, ...]  # (classes,), sums to 1: the answer for a record that cannot be read
    training_prior: tuple[float, ...]  # (classes,), sums to 1: the class mix that the folds' logits answer for
    training: dict[str, Any]  # how the folds were made; informative
    mean: str = ARITHMETIC  # of the members, one of `schema.MEANS`

    @property
    def is_mixed(self) -> bool:
        """Whether there are several members."""
        return len(self.members) > 1

    @property
    def only(self) -> Member:
        """The member of a manifest that has one.

        Raises:
            WeightsError: it has several.
        """
        if self.is_mixed:
            raise WeightsError(
                f"{self.folder}: expected a manifest of one member, received a mixed one of {len(self.members)}: "
                f"{', '.join(member.name for member in self.members)}"
            )
        return self.members[0]

    @property
    def network(self) -> Network:
        """Of the only member."""
        return self.only.network

    @property
    def preprocessing(self) -> Preset:
        """Of the only member."""
        return self.only.preprocessing

    @property
    def temperature(self) -> float:
        """Of the only member."""
        return self.only.temperature

    @property
    def golden_image(self) -> list[Any]:
        """Of the only member."""
        return self.only.golden_image

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Of the only member."""
        return self.only.folds

    def all_folds(self) -> tuple[Fold, ...]:
        """Those of all members, one member after the other."""
        return tuple(fold for member in self.members for fold in member.folds)

    def presets(self) -> tuple[Preset, ...]:
        """What the members' inputs are made by, each once."""
        return tuple({member.preprocessing.preset: member.preprocessing for member in self.members}.values())

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
    parts = {
        "schema": SCHEMA,
        "title": manifest.title,
        "classes": list(hms.VOTE_COLUMNS),
        "class_prior": list(manifest.class_prior),
        "training_prior": list(manifest.training_prior),
        "training": manifest.training,
        **(_mixed_document(manifest) if manifest.is_mixed else _member_document(manifest.only)),
    }
    document = {key: parts[key] for key in ORDER if key in parts}
    _manifest(json.loads(json.dumps(document)), path.parent)  # what cannot be read again must not be written
    write_atomically(path, _compact_lists(json.dumps(document, indent=1)).encode())


def _mixed_document(manifest: Manifest) -> dict[str, Any]:
    members = [
        {"name": member.name, "weight": member.weight, **_member_document(member)} for member in manifest.members
    ]
    return {"mean": manifest.mean, "members": members}


def _member_document(member: Member) -> dict[str, Any]:
    return {
        "network": network_document(member.network),
        "preprocessing": {**member.preprocessing.document(), "digest": member.preprocessing.digest()},
        "temperature": member.temperature,
        "golden_image": member.golden_image,
        "folds": [asdict(fold) for fold in member.folds],
    }


def _manifest(document: Any, folder: Path) -> Manifest:
    known = checked(document)
    members = tuple(_member(member, folder) for member in known.pop("members"))
    return Manifest(folder=folder, members=members, **known)


def _member(known: dict[str, Any], folder: Path) -> Member:
    network, folds = known.pop("network"), known.pop("folds")
    whole: Network = with_graph(network, folder) if isinstance(network, GraphFile) else network
    return Member(network=whole, folds=tuple(Fold(**fold) for fold in folds), **known)


def _compact_lists(text: str) -> str:
    """Innermost lists on one line: a manifest is read by people too."""
    return re.sub(r"\[[^\[\]{}]*\]", lambda match: " ".join(match.group().split()), text) + "\n"
