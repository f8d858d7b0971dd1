"""How a manifest is checked: every key, type, range and path; what is unknown, missing or out of range is refused.

A manifest from a stranger can do no more than be refused. An error names where, what was expected and what came.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from hbac import hms
from hbac.errors import WeightsError, brief
from hbac.network.families import FAMILIES
from hbac.network.settings import NetworkSettings
from hbac.preprocessing.golden import probe_shape
from hbac.preprocessing.preset import Preset
from hbac.preprocessing.presets import PRESETS
from hbac.weights.graph_files import ENDING
from hbac.weights.networks import GraphFile

SCHEMA = 2  # that is written; 1 is read too
MAX_FOLDS = 64  # of all members
MAX_MEMBERS = 16
ARITHMETIC, GEOMETRIC = "arithmetic", "geometric"
MEANS = (ARITHMETIC, GEOMETRIC)  # of members
MAX_AXES, MAX_SIZE = 4, 1 << 16  # of an input
MAX_FOLD_BYTES = 4 << 30
MIN_DIVISOR = 1e-6  # of a class in the training prior
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"  # of a member: it is a folder's name too
SUFFIXES = (".safetensors", ".keras", ".weights.h5")

Check = Callable[[Any, str], Any]


def checked(document: Any) -> dict[str, Any]:
    """The fields of `manifest.Manifest` of a JSON document, members and folds as dictionaries.

    Raises:
        WeightsError: any part of it is not as its schema has it.
    """
    optional = _optional(document)
    mixed = optional and not {"members", "mean"}.isdisjoint(document)
    top = _object(
        document,
        "manifest",
        {
            "schema": _whole(1, SCHEMA),
            "title": _text,
            "classes": _exactly(list(hms.VOTE_COLUMNS)),
            "class_prior": _distribution,
            "training": _plain,
            **({"members": _members, "mean": _one_of(MEANS)} if mixed else OF_MEMBER),
            **optional,
        },
        frozenset(optional),
    )
    top.setdefault("training_prior", top["class_prior"])
    del top["schema"], top["classes"]
    if not mixed:
        top["members"] = [_fitting({key: top.pop(key) for key in OF_MEMBER}, "manifest")]
    _each_once([fold for member in top["members"] for fold in member["folds"]], "manifest.folds")
    return top


def _optional(document: Any) -> dict[str, Check]:
    """Keys that a manifest of the schema that it states may have or lack."""
    schema = _mapping(document, "manifest").get("schema")
    return {"training_prior": _divisor} if schema == 2 else {}


def _members(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_MEMBERS:
        raise WeightsError(f"{where}: expected a list of 1 to {MAX_MEMBERS} members, received {brief(value)}")
    checks = {"name": _name, "weight": _number(1e-6, 1e6), **OF_MEMBER}
    places = [f"{where}[{i}]" for i in range(len(value))]
    members = [_fitting(_object(member, place, checks), place) for member, place in zip(value, places)]
    names = [member["name"] for member in members]
    if len(set(names)) != len(names):
        raise WeightsError(f"{where}: expected each name once, received {brief(names)}")
    return members


def _fitting(member: dict[str, Any], where: str) -> dict[str, Any]:
    """A member whose parts are of one input."""
    expected, received = member["preprocessing"].shape, member["network"].input_shape
    if received != expected:
        raise WeightsError(
            f"{where}.network.input_shape: expected {list(expected)}, as the preprocessing makes it, "
            f"received {list(received)}"
        )
    _nested(member["golden_image"], f"{where}.golden_image", probe_shape(expected))
    return member


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(NAME, value):
        raise WeightsError(f"{where}: expected a name of 1 to 64 letters, digits, . _ -, received {brief(value)}")
    return value


def _network(value: Any, where: str) -> NetworkSettings | GraphFile:
    """A network of a family, or a graph's file, which `networks.with_graph` reads."""
    if "graph" in _mapping(value, where):
        checks: dict[str, Check] = {"graph": _graph_file, "sha256": _sha256, "input_shape": _shape}
        known = _object(value, where, checks)
        return GraphFile(known["graph"], known["sha256"], known["input_shape"])
    checks = {"width": _whole(1, 512), "input_shape": _shape, "family": _family}
    return NetworkSettings(**_object(value, where, checks, frozenset({"family"})))


def _graph_file(value: Any, where: str) -> str:
    return _file(value, where, (ENDING,))


def _family(value: Any, where: str) -> str:
    if not isinstance(value, str) or value not in FAMILIES:
        raise WeightsError(f"{where}: expected one of {sorted(FAMILIES)}, received {brief(value)}")
    return str(value)


def _shape(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_AXES:
        raise WeightsError(f"{where}: expected a list of 1 to {MAX_AXES} whole numbers, received {brief(value)}")
    return tuple(_whole(1, MAX_SIZE)(size, f"{where}[{i}]") for i, size in enumerate(value))


def _preprocessing(value: Any, where: str) -> Preset:
    name = _text(_mapping(value, where).get("preset"), f"{where}.preset")
    preset = PRESETS.get(name)
    if preset is None:
        raise WeightsError(f"{where}.preset: expected one of {sorted(PRESETS)}, received {name!r}")
    expected = preset.document()
    checks = {key: _text if isinstance(stated, str) else _number(-1e6, 1e6) for key, stated in expected.items()}
    known = _object(value, where, {**checks, "digest": _text})
    for key, stated in expected.items():
        if known[key] != stated:
            raise WeightsError(f"{where}.{key}: expected {stated!r} for this preset, received {known[key]!r}")
    if known["digest"] != preset.digest():
        raise WeightsError(f"{where}.digest: expected {preset.digest()}, received {known['digest']!r}")
    return preset


def _folds(value: Any, where: str) -> list[dict[str, Any]]:
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
    return [_object(fold, f"{where}[{i}]", checks) for i, fold in enumerate(value)]


def _each_once(folds: list[dict[str, Any]], where: str) -> None:
    """No file stands for two folds, of whatever members."""
    if len(folds) > MAX_FOLDS:
        raise WeightsError(f"{where}: expected at most {MAX_FOLDS} of all members, received {len(folds)}")
    for key in ("file", "sha256"):
        values = [fold[key] for fold in folds]
        if len(set(values)) != len(values):
            raise WeightsError(f"{where}: expected each {key} once, received a duplicate")


def _file(value: Any, where: str, endings: tuple[str, ...] = SUFFIXES) -> str:
    text = _text(value, where)
    parts = text.split("/")
    plain = all(part not in ("", ".", "..") for part in parts) and not set(text) & set("\\\0:")
    if not plain or len(parts) > 2 or not text.endswith(endings):
        raise WeightsError(
            f"{where}: expected a file name ending in {', '.join(endings)}, at most one folder down, received {text!r}"
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


def _divisor(value: Any, where: str) -> tuple[float, ...]:
    """A distribution that answers are divided by."""
    numbers = _distribution(value, where)
    return tuple(_number(MIN_DIVISOR, 1.0)(p, f"{where}[{i}]") for i, p in enumerate(numbers))


def _anything(value: Any, where: str) -> Any:
    return value


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


def _object(value: Any, where: str, checks: dict[str, Check], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    """An object's items, each checked; of `optional` those that are there."""
    received = _mapping(value, where)
    missing, unknown = sorted(set(checks) - optional - set(received)), sorted(set(received) - set(checks))
    if missing or unknown:
        raise WeightsError(f"{where}: expected keys {sorted(checks)}, missing {missing}, unknown {brief(unknown)}")
    return {key: check(received[key], f"{where}.{key}") for key, check in checks.items() if key in received}


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
    items: dict[str, Any] = value
    return items


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
        whole: int = value
        return whole

    return check


def _exactly(expected: Any) -> Check:
    def check(value: Any, where: str) -> Any:
        if value != expected or isinstance(value, bool):
            raise WeightsError(f"{where}: expected {expected!r}, received {brief(value)}")
        return value

    return check


def _one_of(expected: tuple[str, ...]) -> Check:
    def check(value: Any, where: str) -> Any:
        if not isinstance(value, str) or value not in expected:
            raise WeightsError(f"{where}: expected one of {', '.join(expected)}, received {brief(value)}")
        return value

    return check


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    received: dict[str, Any] = {}
    for key, value in pairs:
        if key in received:
            raise WeightsError(f"expected each key once, received {brief(key)} twice")
        received[key] = value
    return received


OF_MEMBER: dict[str, Check] = {  # keys of a member, and of the whole manifest where it has one
    "network": _network,
    "preprocessing": _preprocessing,
    "temperature": _number(1e-3, 1e3),
    "golden_image": _anything,
    "folds": _folds,
}
