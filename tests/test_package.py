"""What the package as a whole promises: a light import, names that exist, imports that point one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hbac

PACKAGE = Path(hbac.__file__).parent
HEAVY = {"tensorflow", "keras", "pandas", "pyarrow", "scipy", "h5py", "sklearn", "matplotlib"}


def modules_after(statement: str) -> set[str]:
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_import_hbac_loads_nothing_heavy() -> None:
    assert not modules_after("import hbac") & HEAVY


@pytest.mark.parametrize("module", sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__main__"))
def test_no_module_imports_tensorflow_or_keras_at_its_top(module: str) -> None:
    assert not modules_after(f"import hbac.{module}") & {"tensorflow", "keras", "h5py"}


def test_a_process_that_reads_records_loads_no_pandas() -> None:
    assert not modules_after("import hbac.loading") & {"pandas", "tensorflow", "keras"}


@pytest.mark.parametrize("name", hbac.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(hbac, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = hbac.no_such_name


def imports_of(path: Path) -> set[str]:
    """Modules of the package that a module imports anywhere, in functions too."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    found = {node.module.removeprefix("hbac.") for node in nodes if node.module and node.module.startswith("hbac.")}
    return found | {alias.name for node in nodes if node.module == "hbac" for alias in node.names}


def test_imports_have_no_cycle() -> None:
    graph = {path.stem: imports_of(path) for path in PACKAGE.glob("*.py") if path.stem not in ("__init__", "__main__")}
    done: set[str] = set()
    while ready := [name for name, needs in graph.items() if name not in done and not (needs & graph.keys()) - done]:
        done.update(ready)
    assert sorted(graph.keys() - done) == []
