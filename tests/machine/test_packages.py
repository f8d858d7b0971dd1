"""Packages that are missing or broken: one line before the first record, and nothing is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, package_folder, python_path

from hbac.errors import MachineError
from hbac.machine.packages import OF_RUN, OF_TRAINING, PACKAGES, fault_of, need, version_of

BROKEN = {
    "import": 'raise ImportError("numpy.core.multiarray failed to import")',
    "library": 'raise OSError("libarrow.so.1800: cannot open shared object file: No such file or directory")',
    "binary": 'raise ValueError("numpy.dtype size changed, may indicate binary incompatibility")',
    "attribute": "raise AttributeError('_ARRAY_API not found')",
    "dependency": "import no_such_dependency",
    "lacking": '__version__ = "0.1"',
    "cut": "def (",
}
MODULES = {"numpy": "numpy", "scipy": "scipy", "pyarrow": "pyarrow", "pandas": "pandas", "safetensors": "safetensors"}
MODULES |= {"tqdm": "tqdm", "tensorflow": "tensorflow", "keras": "keras", "openvino": "openvino", "h5py": "h5py"}
MODULES |= {"scikit-learn": "sklearn", "matplotlib": "matplotlib"}


def put(folder: Path, module: str, text: str) -> None:
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text(text + "\n")


def run_with(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{python_path()}"}
    return subprocess.run([sys.executable, *map(str, command)], env=environment, capture_output=True, text=True)


def predict_with(folder: Path, test_dir: Path, manifest: Path, *options: str) -> subprocess.CompletedProcess[str]:
    output = ("--manifest", manifest, "--output", folder / "out" / "submission.csv", "--quiet")
    return run_with(folder, "-m", "hbac", "predict", "--test-dir", test_dir, *output, *options)


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_installed_here_can_be_used(name: str) -> None:
    if name not in ("tensorflow", "keras", "matplotlib"):  # which take seconds
        assert fault_of(name) is None
        assert version_of(name)


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("kind", ["import", "lacking"])
def test_a_package_that_does_not_work_is_one_line(package: str, kind: str, tmp_path: Path) -> None:
    put(tmp_path, MODULES[package], BROKEN[kind])
    code = f"from hbac.machine.packages import fault_of; print(fault_of({package!r}))"
    said = run_with(tmp_path, "-c", code).stdout
    assert said.startswith(f"{package}: expected {PACKAGES[package].requirement}, found ")
    assert str(tmp_path) in said
    assert said.endswith(f"install it anew: pip install --force-reinstall '{PACKAGES[package].requirement}'\n")
    assert ("found 0.1 in" in said) == (kind == "lacking")


@pytest.mark.parametrize("kind", BROKEN)
def test_whatever_an_import_raises_is_that_package_that_does_not_work(kind: str, tmp_path: Path) -> None:
    put(tmp_path, "pyarrow", BROKEN[kind])
    said = run_with(tmp_path, "-c", "from hbac.machine.packages import fault_of; print(fault_of('pyarrow'))").stdout
    assert said.startswith("pyarrow: expected pyarrow>=17, found ")
    assert said.count("\n") == 1


def test_the_package_that_another_one_stumbles_over_is_named(tmp_path: Path) -> None:
    put(tmp_path, "h5py", BROKEN["binary"])
    put(tmp_path, "keras", "import h5py")
    said = run_with(tmp_path, "-c", "from hbac.machine.packages import fault_of; print(fault_of('keras'))").stdout
    assert said.startswith("h5py: expected h5py>=3.10")


def test_a_package_that_is_not_there_is_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "openvino", type(PACKAGES["openvino"])("nowhere>=1", {"no_such_module": ()}))  # type: ignore[arg-type]
    with pytest.raises(MachineError, match=r"openvino: expected nowhere>=1, found none \(.*pip install 'nowhere>=1'"):
        need("numpy", "openvino")


@pytest.mark.slow
@pytest.mark.parametrize("package", [*OF_RUN, "keras"])
def test_a_run_ends_before_the_first_record_and_writes_nothing(
    package: str, tmp_path: Path, test_dir: Path, manifest: Path
) -> None:
    put(tmp_path, MODULES[package], BROKEN["import"])
    done = predict_with(tmp_path, test_dir, manifest, "--engine", "tensorflow")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"hbac: error: {package}: expected {PACKAGES[package].requirement}, found ")
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "out").glob("*"))


TRAINING = {"hbac train": ("-m", "hbac", "train"), "train.py": (ROOT / "kernel" / "train.py",)}


CALLS = [("hbac train", package) for package in (*OF_TRAINING, "keras")]
CALLS += [("train.py", package) for package in ("safetensors", "matplotlib", "keras")]  # the first, the last, after all


@pytest.mark.slow
@pytest.mark.parametrize(("command", "package"), CALLS)
def test_training_ends_before_its_first_image(command: str, package: str, tmp_path: Path, simulated: Path) -> None:
    put(tmp_path, MODULES[package], BROKEN["import"])
    out = tmp_path / "out"
    done = run_with(tmp_path, *TRAINING[command], "--data", simulated, "--output", out, "--gpus", "")
    assert done.returncode == 2
    assert done.stderr.startswith(f"hbac: error: {package}: expected {PACKAGES[package].requirement}, found ")
    assert done.stderr.count("\n") == 1
    assert not out.exists()


def test_without_numpy_help_and_version_still_answer(tmp_path: Path) -> None:
    put(tmp_path, "numpy", BROKEN["import"])
    assert run_with(tmp_path, "-m", "hbac", "--version").returncode == 0


@pytest.mark.slow
def test_an_openvino_that_does_not_work_is_replaced_by_tensorflow(
    tmp_path: Path, test_dir: Path, manifest: Path
) -> None:
    put(tmp_path, "openvino", '__version__ = "2023.0.2"')
    done = predict_with(tmp_path, test_dir, manifest)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("hbac: engine tensorflow in place of openvino: openvino: expected openvino>=2025.0")
    assert "found 2023.0.2 in" in done.stderr
    asked = predict_with(tmp_path, test_dir, manifest, "--engine", "openvino")
    assert asked.returncode == 2
    assert "found 2023.0.2 in" in asked.stderr


@pytest.mark.slow
def test_files_of_the_working_folder_are_no_modules(tmp_path: Path, test_dir: Path, manifest: Path) -> None:
    names = ["queue", "random", "numpy", "keras", "openvino"]
    if sys.version_info >= (3, 11):  # before, a process that starts looks into the working folder
        names += ["socket", "pickle", "signal"]
    for name in names:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not the one that is meant')\n")
    environment = {**os.environ, "PYTHONPATH": package_folder()}
    command = ["-m", "hbac", "predict", "--test-dir", test_dir, "--manifest", manifest, "--quiet"]
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
