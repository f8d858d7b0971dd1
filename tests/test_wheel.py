"""The wheel and the Kaggle folders: the same bytes anywhere, and a kernel that runs from them with nothing else.

The kernel runs as Kaggle runs it: a root file system of its own with a read-only /kaggle/input, no network, and the
source tree out of sight (`unshare`); where that is not allowed the test says so.
"""

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

from hbac.submission import check_submission

BUILT = ("build_wheel.sh", "LICENSE", "kernel", "wheel_src")
IGNORED = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info")

SANDBOX = r"""
set -eu
root=$1 input=$2 environment=$3; shift 3
mount -t tmpfs tmpfs "$root"
show() { mkdir -p "$root$1"; mount --rbind "$1" "$root$1"; }
for entry in /*; do
  case $entry in /kaggle | /work | /tmp) ;; *)
    if [ -L "$entry" ]; then cp -a "$entry" "$root$entry"; elif [ -d "$entry" ]; then show "$entry"; fi ;;
  esac
done
mkdir -p "$root/tmp" "$root/kaggle/input" "$root/kaggle/working"
for folder in $environment; do show "$folder"; done
mount --rbind "$input" "$root/kaggle/input"
mount -o remount,bind,ro "$root/kaggle/input"
mount --bind "$PWD" "$root/kaggle/working"
exec chroot "$root" /bin/sh -c 'cd /kaggle/working && exec "$@"' sh "$@"
"""


def build(folder: Path, weights: Path) -> Path:
    """A copy of what the build needs, built in `folder`; the path of its dist/."""
    folder.mkdir(parents=True)
    for name in BUILT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=IGNORED)
        else:
            shutil.copy(source, folder / name)
    command = ["bash", str(folder / "build_wheel.sh"), str(weights)]
    environment = {**os.environ, "PYTHON": sys.executable, "KAGGLE_OWNER": "some-owner"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory, manifest: Path) -> Path:
    return build(tmp_path_factory.mktemp("build") / "here", manifest.parent)


def wheel_in(dist: Path) -> Path:
    (wheel,) = dist.glob("hbac-*.whl")
    return wheel


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
    modules = {f"hbac/{path.name}" for path in (ROOT / "wheel_src" / "hbac").glob("*.py")} | {"hbac/py.typed"}
    assert {name for name in names if ".dist-info/" not in name} == modules
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_states_no_upper_bounds(dist: Path) -> None:
    archive = zipfile.ZipFile(wheel_in(dist))
    (name,) = [name for name in archive.namelist() if name.endswith("METADATA")]
    stated = [line for line in archive.read(name).decode().splitlines() if line.startswith("Requires-")]
    assert any(line.startswith("Requires-Python: >=3.10") for line in stated)
    assert not [line for line in stated if "<" in line or "==" in line.split(";")[0]]


def test_the_kaggle_folders_are_flat_and_name_their_owner(dist: Path) -> None:
    folders = {path.name: path for path in (dist / "kaggle").iterdir()}
    assert sorted(folders) == ["hbac-infer", "hbac-train", "hbac-weights", "hbac-wheel"]
    assert not [path for folder in folders.values() for path in folder.iterdir() if path.is_dir()]
    for name in ("hbac-infer", "hbac-train"):
        metadata = json.loads((folders[name] / "kernel-metadata.json").read_text())
        assert metadata["id"] == f"some-owner/{name}"
        assert metadata["enable_internet"] is False
        assert (folders[name] / metadata["code_file"]).is_file()
        assert "some-owner/hbac-wheel" in metadata["dataset_sources"]
        assert metadata["competition_sources"] == ["hms-harmful-brain-activity-classification"]
    assert (folders["hbac-wheel"] / "infer.py").read_bytes() == (ROOT / "kernel" / "infer.py").read_bytes()
    for name in ("hbac-wheel", "hbac-weights"):
        metadata = json.loads((folders[name] / "dataset-metadata.json").read_text())
        assert metadata["id"] == f"some-owner/{name}"
        assert 6 <= len(metadata["title"]) <= 50


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


@pytest.fixture(scope="module")
def bare_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment as Kaggle's image is to us: the libraries are there, hbac is not."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    (site,) = folder.glob("lib/python*/site-packages")
    (ours,) = Path(sys.prefix).glob("lib/python*/site-packages")
    for entry in ours.iterdir():
        if not entry.name.startswith("hbac") and not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    return folder


def lay_flat(dist: Path, test_dir: Path, mount: Path) -> None:
    """/kaggle/input/SLUG, as attached by hand for years."""
    shutil.copytree(dist / "kaggle" / "hbac-wheel", mount / "hbac-wheel")
    shutil.copytree(dist / "kaggle" / "hbac-weights", mount / "hbac-weights")
    shutil.copytree(test_dir, mount / "hms-harmful-brain-activity-classification")


def lay_by_owner_unpacked(dist: Path, test_dir: Path, mount: Path) -> None:
    """/kaggle/input/datasets/OWNER/SLUG, the wheel unpacked by the upload, the weights attached as a model."""
    wheel = wheel_in(dist)
    zipfile.ZipFile(wheel).extractall(mount / "datasets" / "some-owner" / "hbac-wheel" / wheel.stem)
    shutil.copytree(dist / "kaggle" / "hbac-weights", mount / "models" / "some-owner" / "hbac" / "keras" / "demo" / "1")
    shutil.copytree(test_dir, mount / "competitions" / "hms-harmful-brain-activity-classification")


def lay_renamed(dist: Path, test_dir: Path, mount: Path) -> None:
    """A wheel whose name the upload has changed so that pip no longer takes it."""
    lay_flat(dist, test_dir, mount)
    (wheel,) = (mount / "hbac-wheel").glob("hbac-*.whl")
    wheel.rename(wheel.with_name("hbac-010py3noneany.whl"))


@pytest.mark.parametrize("lay", [lay_flat, lay_by_owner_unpacked, lay_renamed])
def test_the_kernel_answers_on_kaggle_with_no_arguments_no_network_and_no_source(
    lay, dist: Path, test_dir: Path, bare_environment: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    if subprocess.run(["unshare", "-rmn", "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine allows no namespaces (unshare -rmn)")
    mount, working, root = tmp_path / "input", tmp_path / "working", tmp_path / "root"
    for folder in (mount, working, root):
        folder.mkdir()
    lay(dist, test_dir, mount)
    shutil.copy(dist / "kaggle" / "hbac-infer" / "infer.py", working / "script.py")
    visible = " ".join({str(bare_environment), str(Path(sys.prefix)), str(Path(sys.base_prefix).resolve())})
    for installed in bare_environment.glob("lib/python*/site-packages/hbac*"):
        shutil.rmtree(installed)
    command = ["unshare", "-rmn", "bash", "-c", SANDBOX, "sandbox", root, mount, visible]
    kernel = [bare_environment / "bin" / "python", "script.py"]
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(
        [*map(str, command), *map(str, kernel)],
        cwd=working,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("submission.csv: 6 rows (6 ok)")
    ids = [int(line.split(",")[0]) for line in (test_dir / "sample_submission.csv").read_text().splitlines()[1:]]
    check_submission(working / "submission.csv", ids)
    assert sorted(os.listdir(working)) == ["script.py", "submission.csv", "submission_report.json"]
    report = json.loads((working / "submission_report.json").read_text())
    assert report["settings"]["test_dir"].startswith("/kaggle/input/")
    assert report["settings"]["time_budget_s"] == 8.5 * 3600
