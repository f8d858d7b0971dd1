"""What the package as a whole promises: a light import, names that exist, rooms that import what they may."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import hbac

PACKAGE = Path(hbac.__file__).parent
HEAVY = {"tensorflow", "keras", "pandas", "pyarrow", "scipy", "h5py", "sklearn", "matplotlib"}
TOP = "top"
THIN = ("cli", "__main__", "__init__")  # may import everything


def module_of(path: Path) -> str:
    """`network.resnet` of .../hbac/network/resnet.py."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.stem not in THIN}


def room_of(module: str) -> str:
    return module.split(".")[0] if (PACKAGE / module.split(".")[0]).is_dir() else TOP


def modules_after(statement: str) -> set[str]:
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_hbac_loads_nothing_heavy() -> None:
    assert not {name.split(".")[0] for name in modules_after("import hbac")} & HEAVY


def test_no_module_imports_tensorflow_keras_or_h5py_at_its_top() -> None:
    loaded = {name.split(".")[0] for name in modules_after(f"import {', '.join(f'hbac.{m}' for m in MODULES)}")}
    assert not loaded & {"tensorflow", "keras", "h5py", "sklearn", "matplotlib"}


def test_a_process_that_reads_records_loads_no_pandas() -> None:
    loaded = {name.split(".")[0] for name in modules_after("import hbac.preprocessing.readers")}
    assert not loaded & {"pandas", "tensorflow", "keras"}


@pytest.mark.parametrize("name", hbac.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(hbac, name) is not None


def test_each_public_name_has_its_type() -> None:
    """`__init__` names each twice: for the interpreter by its home, for type checkers by an import."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    typed = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.asname
    }
    assert typed == {name: f"hbac.{home}" for name, home in hbac._HOME.items()}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = hbac.no_such_name  # type: ignore[attr-defined]


def imports_of(path: Path) -> set[str]:
    """Modules of the package that a module imports anywhere, in functions too."""
    tree = ast.parse(path.read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    found: set[str] = set()
    for node in nodes:
        if node.module == "hbac" or (node.module or "").startswith("hbac."):
            base = (node.module or "").removeprefix("hbac").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}" if base else alias.name
                found.add(inner if inner in MODULES else base)
    return found - {""}


def rooms_table() -> dict[str, set[str]]:
    """The table of rooms in CONTRIBUTING.md: each room's name, and those that it may import."""
    rows = re.findall(r"^\| `(\w+)/?` \|[^|]*\|([^|]*)\|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    return {room: set(re.findall(r"`(\w+)`", allowed)) | {TOP} for room, allowed in rows}


def test_the_table_of_rooms_lists_every_room() -> None:
    assert set(rooms_table()) == {room_of(module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_what_its_room_may(module: str) -> None:
    allowed = rooms_table()[room_of(module)] | {room_of(module)}
    assert {other for other in imports_of(MODULES[module]) if room_of(other) not in allowed} == set()


def test_imports_have_no_cycle() -> None:
    graph = {module: imports_of(path) for module, path in MODULES.items()}
    done: set[str] = set()
    while ready := [name for name, needs in graph.items() if name not in done and not (needs & graph.keys()) - done]:
        done.update(ready)
    assert sorted(graph.keys() - done) == []


def test_rooms_have_no_cycle() -> None:
    table = rooms_table()
    done: set[str] = {TOP}
    while ready := [room for room, needs in table.items() if room not in done and not needs - done]:
        done.update(ready)
    assert set(table) == done


def test_the_tests_mirror_the_rooms() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")} - {"kernel"}
    assert folders == {room_of(module) for module in MODULES} - {TOP}
