"""kernel/infer.py: what it finds below /kaggle/input, what it says when it does not, and how it runs at home."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT

from hbac.inference.submission import check_submission


@pytest.fixture
def infer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The kernel as a module, its /kaggle/input in a temporary folder."""
    spec = importlib.util.spec_from_file_location("infer", ROOT / "kernel" / "infer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "INPUT", tmp_path / "input")
    monkeypatch.setattr(sys, "path", list(sys.path))  # which it changes
    return module


PLACES = ["slug", "competitions/slug", "datasets/owner/slug", "notebooks/owner/slug", "models/owner/slug/keras/v/1"]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_attached_is_found_in_every_mount_layout(place: str, infer: ModuleType) -> None:
    folder = infer.INPUT / f"{place}-hms"
    folder.mkdir(parents=True)
    assert folder in infer.find_hbac()


def test_a_mount_and_a_link_to_it_are_one(infer: ModuleType) -> None:
    folder = infer.INPUT / "datasets" / "owner" / "slug"
    folder.mkdir(parents=True)
    (infer.INPUT / "slug").symlink_to(folder)
    assert [path.resolve() for path in infer.find_hbac()].count(folder.resolve()) == 1


def test_two_wheels_are_an_error_that_lists_both(infer: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (infer.INPUT / name / "hbac").mkdir(parents=True)
        (infer.INPUT / name / "hbac" / "__init__.py").touch()
    with pytest.raises(SystemExit) as caught:
        infer.find_hbac()
    assert caught.value.code == 2
    assert f"received {infer.INPUT}/a, {infer.INPUT}/b" in capsys.readouterr().err


def test_no_wheel_and_nothing_installed_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "kernel").mkdir()
    shutil.copy(ROOT / "kernel" / "infer.py", tmp_path / "kernel")
    bare = [sys.executable, "-S", str(tmp_path / "kernel" / "infer.py")]  # no site-packages
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(bare, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert done.stderr == "hbac: error: expected one wheel of hbac attached, or hbac installed, received none\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["hbac-0.1.0-py3-none-any.whl/hbac/__init__.py"], "hbac-0.1.0-py3-none-any.whl"),
        (["hbac-0.1.0-py3-none-any/hbac/__init__.py"], "hbac-0.1.0-py3-none-any"),
        (["hbac/__init__.py", "hbac-0.1.0.dist-info/METADATA"], "."),
    ],
)
def test_an_unpacked_wheel_comes_first_on_the_path(files: list[str], expected: str, infer: ModuleType) -> None:
    root = infer.INPUT / "slug"
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    zipfile.ZipFile(root / "hbac-weights.zip", "w").writestr("fold0.safetensors", "")  # not a wheel
    infer.find_hbac()
    assert Path(sys.path[0]) == root / expected


def test_a_wheel_that_an_upload_renamed_is_unpacked(infer: ModuleType, tmp_path: Path) -> None:
    (infer.INPUT / "slug").mkdir(parents=True)
    zipfile.ZipFile(infer.INPUT / "slug" / "hbac-020py3noneany.zip", "w").writestr("hbac/__init__.py", "")
    infer.find_hbac()
    assert [path.relative_to(sys.path[0]).as_posix() for path in Path(sys.path[0]).rglob("*.py")] == [
        "hbac/__init__.py"
    ]


def test_a_checkout_s_own_package_is_taken_without_a_wheel(infer: ModuleType) -> None:
    assert infer.find_hbac() == []
    assert Path(sys.path[0]) == ROOT / "wheel_src"


@pytest.mark.slow
def test_the_script_runs_from_any_folder_with_nothing_installed(test_dir: Path, manifest: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(ROOT / "kernel" / "infer.py"),
        "--test-dir",
        str(test_dir),
        "--manifest",
        str(manifest),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    (tmp_path / "cwd").mkdir()
    done = subprocess.run(
        [*command, "--flip-tta", "--workers", "1", "--batch-size", "4", "--time-budget", "1h", "--prior", "uniform"],
        cwd=tmp_path / "cwd", env=environment, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "predict: 100%" in done.stderr
    assert "record/s" in done.stderr
    assert "answers for the prior uniform: seizure 0.167" in done.stdout
    ids = [int(line.split(",")[0]) for line in (test_dir / "sample_submission.csv").read_text().splitlines()[1:]]
    check_submission(tmp_path / "cwd" / "submission.csv", ids)


def test_an_error_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "kernel" / "infer.py"), "--test-dir", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
