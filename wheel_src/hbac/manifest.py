"""The manifest: which network, which preprocessing, which folds, and what they must answer. JSON, schema 1.

A manifest from a stranger can do no more than be refused: every key, type, range and path is checked, and whatever is
unknown, missing or out of range is an error that names expected and received.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from hbac import competition as hms
from hbac.errors import WeightsError
from hbac.files import write_atomically
from hbac.golden import PROBE_SHAPE
from hbac.image import PRESETS, SHAPE, ImageSettings
from hbac.resnet import NetworkSettings

SCHEMA = 1
MANIFEST_NAME = "weights_manifest.json"
MAX_BYTES = 4 << 20
MAX_FOLDS = 64
MAX_FOLD_BYTES = 4 << 30
SUFFIXES = (".safetensors", ".keras", ".weights.h5")


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
    preprocessing: ImageSettings
    temperature: float
    class_prior: tuple[float, ...]  # (classes,), sums to 1: the answer for a record that cannot be read
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
        WeightsError: it is missing, not JSON, or any part of it is not as schema 1 has it.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WeightsError(f"{path}: expected a manifest: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise WeightsError(f"{path}: expected at most {MAX_BYTES} bytes, received more")
    try:
        document = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_unique_keys)
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
        "network": {"width": manifest.network.width, "input_shape": list(manifest.network.input_shape)},
        "preprocessing": {**asdict(manifest.preprocessing), "digest": manifest.preprocessing.digest()},
        "classes": list(hms.VOTE_COLUMNS),
        "temperature": manifest.temperature,
        "class_prior": list(manifest.class_prior),
        "golden_image": manifest.golden_image,
        "folds": [asdict(fold) for fold in manifest.folds],
        "training": manifest.training,
    }
    _manifest(json.loads(json.dumps(document)), path.parent)  # what cannot be read again must not be written
    write_atomically(path, _compact_lists(json.dumps(document, indent=1)).encode())


Check = Callable[[Any, str], Any]


def _manifest(document: Any, folder: Path) -> Manifest:
    top = _object(
        document,
        "manifest",
        {
            "schema": _exactly(SCHEMA),
            "title": _text,
            "network": _network,
            "preprocessing": _preprocessing,
            "classes": _exactly(list(hms.VOTE_COLUMNS)),
            "temperature": _number(1e-3, 1e3),
            "class_prior": _distribution,
            "golden_image": _golden_image,
            "folds": _folds,
            "training": _plain,
        },
    )
    del top["schema"], top["classes"]
    return Manifest(folder=folder, **top)


def _network(value: Any, where: str) -> NetworkSettings:
    known = _object(value, where, {"width": _whole(1, 512), "input_shape": _exactly(list(SHAPE))})
    return NetworkSettings(width=known["width"])


def _preprocessing(value: Any, where: str) -> ImageSettings:
    checks: dict[str, Check] = {
        field.name: _text if isinstance(field.default, str) else _number(-1e6, 1e6) for field in fields(ImageSettings)
    }
    known = _object(value, where, {**checks, "digest": _text})
    digest = known.pop("digest")
    settings = PRESETS.get(known["preset"])
    if settings is None:
        raise WeightsError(f"{where}.preset: expected one of {sorted(PRESETS)}, received {known['preset']!r}")
    for name, expected in asdict(settings).items():
        if known[name] != expected:
            raise WeightsError(f"{where}.{name}: expected {expected!r} for this preset, received {known[name]!r}")
    if digest != settings.digest():
        raise WeightsError(f"{where}.digest: expected {settings.digest()}, received {digest!r}")
    return settings


def _folds(value: Any, where: str) -> tuple[Fold, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_FOLDS:
        raise WeightsError(f"{where}: expected a list of 1 to {MAX_FOLDS} folds, received {brief(value)}")
    checks: dict[str, Check] = {
        "file": _file,
        "sha256": _sha256,
        "bytes": _whole(1, MAX_FOLD_BYTES),
        "weight": _number(1e-6, 1e6),
        "score": _scores,
        "golden": _distribution,
    }
    folds = tuple(Fold(**_object(fold, f"{where}[{i}]", checks)) for i, fold in enumerate(value))
    for key in ("file", "sha256"):
        values = [getattr(fold, key) for fold in folds]
        if len(set(values)) != len(values):
            raise WeightsError(f"{where}: expected each {key} once, received a duplicate")
    return folds


def _file(value: Any, where: str) -> str:
    text = _text(value, where)
    parts = text.split("/")
    plain = all(part not in ("", ".", "..") for part in parts) and not set(text) & set("\\\0:")
    if not plain or len(parts) > 2 or not text.endswith(SUFFIXES):
        raise WeightsError(
            f"{where}: expected a file name ending in {', '.join(SUFFIXES)}, at most one folder down, received {text!r}"
        )
    return text


def _sha256(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise WeightsError(f"{where}: expected 64 hexadecimal digits, received {brief(value)}")
    return value


def _distribution(value: Any, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != len(hms.CLASSES):
        raise WeightsError(f"{where}: expected {len(hms.CLASSES)} probabilities, received {brief(value)}")
    numbers = tuple(_number(0.0, 1.0)(p, f"{where}[{i}]") for i, p in enumerate(value))
    if not math.isclose(sum(numbers), 1.0, abs_tol=1e-5):
        raise WeightsError(f"{where}: expected a sum of 1, received {sum(numbers)!r}")
    return numbers


def _golden_image(value: Any, where: str) -> Any:
    return _nested(value, where, PROBE_SHAPE)


def _nested(value: Any, where: str, shape: tuple[int, ...]) -> Any:
    if not shape:
        return _number(-1e6, 1e6)(value, where)
    if not isinstance(value, list) or len(value) != shape[0]:
        raise WeightsError(f"{where}: expected a list of {shape[0]}, received {brief(value)}")
    return [_nested(item, f"{where}[{i}]", shape[1:]) for i, item in enumerate(value)]


def _scores(value: Any, where: str) -> dict[str, float]:
    return {
        key: _number(-1e9, 1e9)(number, f"{where}.{brief(key, quote=False)}")
        for key, number in _mapping(value, where).items()
    }


def _object(value: Any, where: str, checks: dict[str, Check]) -> dict[str, Any]:
    received = _mapping(value, where)
    missing, unknown = sorted(set(checks) - set(received)), sorted(set(received) - set(checks))
    if missing or unknown:
        raise WeightsError(f"{where}: expected keys {sorted(checks)}, missing {missing}, unknown {brief(unknown)}")
    return {key: check(received[key], f"{where}.{key}") for key, check in checks.items()}


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WeightsError(f"{where}: expected an object, received {brief(value)}")
    return value


def _plain(value: Any, where: str) -> dict[str, Any]:
    """An object with whatever JSON has but numbers that are not finite."""

    for key, item in _mapping(value, where).items():
        for number in _floats(item):
            if not math.isfinite(number):
                raise WeightsError(f"{where}.{brief(key, quote=False)}: expected finite numbers, received {number}")
    return value


def _floats(item: Any) -> Iterator[float]:
    if isinstance(item, float):
        yield item
    for part in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
        yield from _floats(part)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 1000 or not value.isprintable():
        raise WeightsError(f"{where}: expected a text of 1 to 1000 printable characters, received {brief(value)}")
    return value


def _number(low: float, high: float) -> Check:
    def check(value: Any, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise WeightsError(f"{where}: expected a number from {low:g} to {high:g}, received {brief(value)}")
        return float(value)

    return check


def _whole(low: int, high: int) -> Check:
    def check(value: Any, where: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise WeightsError(f"{where}: expected a whole number from {low} to {high}, received {brief(value)}")
        return value

    return check


def _exactly(expected: Any) -> Check:
    def check(value: Any, where: str) -> Any:
        if value != expected or isinstance(value, bool):
            raise WeightsError(f"{where}: expected {expected!r}, received {brief(value)}")
        return value

    return check


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    received: dict[str, Any] = {}
    for key, value in pairs:
        if key in received:
            raise WeightsError(f"expected each key once, received {brief(key)} twice")
        received[key] = value
    return received


def brief(value: Any, quote: bool = True) -> str:
    """A value as an error shows it: one line, not long; a printable text without quotes where those would disturb."""
    text = repr(value) if quote or not isinstance(value, str) or not value.isprintable() else value
    return text if len(text) <= 120 else f"{text[:117]}..."


def _compact_lists(text: str) -> str:
    """Innermost lists on one line: a manifest is read by people too."""
    return re.sub(r"\[[^\[\]{}]*\]", lambda match: " ".join(match.group().split()), text) + "\n"
