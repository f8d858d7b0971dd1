"""kernel/infer.py: what it finds below /kaggle/input, what it says when it does not, and how it runs at home."""

import importlib.util
import os
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
    return module


def competition(folder: Path) -> Path:
    (folder / "test_eegs").mkdir(parents=True)
    (folder / "test.csv").touch()
    return folder


def weights(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "weights_manifest.json").touch()
    return folder / "weights_manifest.json"


PLACES = ["slug", "competitions/slug", "datasets/owner/slug", "notebooks/owner/slug", "models/owner/slug/keras/v/1"]


@pytest.mark.parametrize("place", PLACES)
def test_inputs_are_found_in_every_mount_layout(place: str, infer: ModuleType) -> None:
    folder = competition(infer.INPUT / f"{place}-hms")
    manifest = weights(infer.INPUT / f"{place}-weights")
    assert infer.find_competition() == folder
    assert infer.find_manifest() == manifest


def test_two_that_match_are_an_error_that_lists_both(infer: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (weights(infer.INPUT / name / "w") for name in ("datasets/a", "datasets/b"))
    with pytest.raises(SystemExit) as caught:
        infer.find_manifest()
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert str(first) in said
    assert str(second) in said


def test_a_mount_and_a_link_to_it_are_one(infer: ModuleType) -> None:
    manifest = weights(infer.INPUT / "datasets" / "owner" / "slug")
    (infer.INPUT / "slug").symlink_to(manifest.parent)
    assert infer.find_manifest().resolve() == manifest.resolve()


def test_of_wheels_for_several_pythons_this_one_s_is_taken(infer: ModuleType) -> None:
    mine = f"cp{sys.version_info.major}{sys.version_info.minor}"
    names = [f"openvino-2026.4.1-1-{tag}-{tag}-manylinux_2_28_x86_64.whl" for tag in ("cp309", mine, "cp399")]
    assert [infer.fits(Path(name)) for name in names] == [False, True, False]
    for name in ("hbac-0.1.0-py3-none-any.whl", "safetensors-0.5.3-cp38-abi3-manylinux_2_17_x86_64.whl", "hbac-wheel"):
        assert infer.fits(Path(name))


def test_two_wheels_are_an_error_that_lists_both(infer: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (infer.INPUT / name / "hbac").mkdir(parents=True)
        (infer.INPUT / name / "hbac" / "__init__.py").touch()
    with pytest.raises(SystemExit):
        infer.make_importable("hbac")
    assert f"received {infer.INPUT}/a, {infer.INPUT}/b" in capsys.readouterr().err


def test_nothing_attached_is_an_error_that_says_what_to_attach(
    infer: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (infer.INPUT / "other").mkdir(parents=True)
    for find, needed in (
        (infer.find_competition, "test.csv and test_eegs/"),
        (infer.find_manifest, "weights_manifest"),
    ):
        with pytest.raises(SystemExit) as caught:
            find()
        assert caught.value.code == 2
        assert needed in capsys.readouterr().err


def test_a_folder_is_never_searched_deeper_than_the_layouts(infer: ModuleType) -> None:
    weights(infer.INPUT / "slug" / "some" / "where" / "deep" / "down")
    with pytest.raises(SystemExit):
        infer.find_manifest()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["hbac-0.1.0-py3-none-any.whl"], "hbac-0.1.0-py3-none-any.whl"),
        (["hbac-010py3noneany.zip"], "hbac-010py3noneany.zip"),
        (["hbac-0.1.0-py3-none-any.whl/hbac/__init__.py"], "hbac-0.1.0-py3-none-any.whl"),
        (["hbac-0.1.0-py3-none-any/hbac/__init__.py"], "hbac-0.1.0-py3-none-any"),
        (["hbac/__init__.py", "hbac-0.1.0.dist-info/METADATA"], "."),
    ],
)
def test_a_wheel_is_found_packed_or_unpacked(files: list[str], expected: str, infer: ModuleType) -> None:
    root = infer.INPUT / "slug"
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        if "/" in file:
            (root / file).touch()
        else:
            zipfile.ZipFile(root / file, "w").writestr("hbac/__init__.py", "")
    zipfile.ZipFile(root / "hbac-weights.zip", "w").writestr("fold0.safetensors", "")  # not a wheel
    assert infer.wheels_in(root, "hbac") == [root / expected]


def test_away_from_kaggle_the_checkout_s_manifest_is_used(infer: ModuleType) -> None:
    assert infer.find_manifest() == ROOT / "weights_manifest.json"


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
        [*command, "--flip-tta", "--workers", "1", "--batch-size", "4", "--time-budget", "1h"],
        cwd=tmp_path / "cwd", env=environment, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "predict: 100%" in done.stderr
    assert "record/s" in done.stderr
    ids = [int(line.split(",")[0]) for line in (test_dir / "sample_submission.csv").read_text().splitlines()[1:]]
    check_submission(tmp_path / "cwd" / "submission.csv", ids)


def test_an_error_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "kernel" / "infer.py"), "--test-dir", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
