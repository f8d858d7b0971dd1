"""The wheel: the same bytes anywhere, whole, and with no upper bounds; what the build refuses."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT
from helpers_kaggle import build, wheel_in

pytestmark = pytest.mark.slow


def test_two_builds_in_other_folders_give_the_same_bytes(
    dist: Path, tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    before = os.umask(0o077)
    try:
        other = build(tmp_path / "some where" / "else", manifest.parent)
    finally:
        os.umask(before)
    digests = {hashlib.sha256(wheel_in(d).read_bytes()).hexdigest() for d in (dist, other)}
    assert len(digests) == 1


def test_the_wheel_holds_the_whole_package_and_nothing_else(dist: Path) -> None:
    names = zipfile.ZipFile(wheel_in(dist)).namelist()
    source = ROOT / "wheel_src"
    kinds = ("*.py", "*.css", "*.js")  # and what pages are made with
    files = {path.relative_to(source).as_posix() for kind in kinds for path in source.rglob(f"hbac/**/{kind}")}
    assert {name for name in names if ".dist-info/" not in name} == files | {"hbac/py.typed"}
    assert {"hbac/recordings/page.css", "hbac/recordings/page.js"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_states_no_upper_bounds(dist: Path) -> None:
    archive = zipfile.ZipFile(wheel_in(dist))
    (name,) = [name for name in archive.namelist() if name.endswith("METADATA")]
    stated = [line for line in archive.read(name).decode().splitlines() if line.startswith("Requires-")]
    assert any(line.startswith("Requires-Python: >=3.10") for line in stated)
    assert not [line for line in stated if "<" in line or "==" in line.split(";")[0]]


def test_the_build_names_a_missing_manifest(tmp_path: Path) -> None:
    done = subprocess.run(["bash", str(ROOT / "build_wheel.sh"), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "weights_manifest.json" in done.stderr


def test_the_build_refuses_weights_below_the_folder_it_makes_anew(dist: Path) -> None:
    weights = dist / "kaggle" / "hbac-weights"
    done = subprocess.run(["bash", str(dist.parent / "build_wheel.sh"), str(weights)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "outside dist/" in done.stderr
    assert (weights / "weights_manifest.json").is_file()


@pytest.mark.parametrize(
    ("name", "said"), [("best.keras", "hbac weights import"), ("fold+1.safetensors", "A-Z a-z 0-9 . _ -")]
)
def test_the_build_refuses_folds_that_an_upload_would_change(
    dist: Path, manifest: Path, tmp_path: Path, name: str, said: str
) -> None:
    document = json.loads(manifest.read_text())
    document["folds"][0]["file"] = name
    (tmp_path / "weights_manifest.json").write_text(json.dumps(document))
    shutil.copytree(dist.parent, tmp_path / "checkout", ignore=shutil.ignore_patterns("dist"))
    environment = {**os.environ, "PYTHON": sys.executable}
    command = ["bash", str(tmp_path / "checkout" / "build_wheel.sh"), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert name in done.stderr
    assert said in done.stderr
