"""Kaggle on this machine: its mounts, read-only and in every layout, and its two ways to run a kernel.

A kernel runs in a root file system, a mount and a network namespace of its own (`unshare`): no network, the source tree
out of sight, /kaggle/input read-only. Where that is not allowed, it runs on a copy with the folder's name changed.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT
from helpers_folds import SITE

BUILT = ("build_wheel.sh", "LICENSE", "kernel", "wheel_src")
IGNORED = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info")
COMPETITION = "hms-harmful-brain-activity-classification"
LAYOUTS = {  # where the competition's data, the wheel and the weights lie below /kaggle/input
    "flat": (COMPETITION, "hbac-wheel", "hbac-weights"),
    "competitions": (f"competitions/{COMPETITION}", "hbac-wheel", "hbac-weights"),
    "datasets": (f"competitions/{COMPETITION}", "datasets/some-owner/hbac-wheel", "datasets/some-owner/hbac-weights"),
    "models": (
        f"competitions/{COMPETITION}",
        "models/some-owner/hbac/other/wheel/1",
        "models/some-owner/hbac/keras/demo/2",
    ),
    "notebooks": (f"competitions/{COMPETITION}", "notebooks/some-owner/hbac-build", "notebooks/some-owner/hbac-train"),
}
WHEELS = ("packed", "unpacked", "renamed")  # what an upload may make of it
TINY = ["--width=8", "--fold-count=2", "--folds=0", "--epochs=1,0", "--row-steps=2,1", "--batch-size=18"]

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


NOTEBOOK_RUNNER = """
import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
notebook = nbformat.read("notebook.ipynb", 4)
client = NotebookClient(notebook, timeout=900, km=AsyncKernelManager(transport="ipc", ip="/tmp/kernel-ipc"))
try:
    client.execute()
finally:
    nbformat.write(notebook, "__notebook__.ipynb")
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


def wheel_in(dist: Path) -> Path:
    (wheel,) = dist.glob("hbac-*.whl")
    return wheel


def bare_environment(folder: Path) -> Path:
    """A new environment as Kaggle's image is to us: the libraries are there, hbac is not."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    (site,) = folder.glob("lib/python*/site-packages")
    (ours,) = Path(sys.prefix).glob("lib/python*/site-packages")
    for entry in ours.iterdir():
        if not entry.name.startswith("hbac") and not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    return folder


def namespaces_allowed() -> bool:
    return shutil.which("unshare") is not None and not subprocess.run(
        ["unshare", "-rmn", "true"], capture_output=True
    ).returncode  # fmt: skip


def mount(folder: Path, layout: str, wheel: str, dist: Path, data: Path) -> Path:
    """A folder that is /kaggle/input in a layout, with the wheel as an upload may have changed it."""
    of_data, of_wheel, of_weights = (folder / place for place in LAYOUTS[layout])
    shutil.copytree(data, of_data, symlinks=True)
    shutil.copytree(dist / "kaggle" / "hbac-weights", of_weights)
    if wheel == "unpacked":
        of_wheel.mkdir(parents=True)
        for archive in (dist / "kaggle" / "hbac-wheel").glob("*.whl"):
            zipfile.ZipFile(archive).extractall(of_wheel / archive.stem)
    else:
        shutil.copytree(dist / "kaggle" / "hbac-wheel", of_wheel)
    if wheel == "renamed":
        (archive,) = of_wheel.glob("hbac-*.whl")
        archive.rename(archive.with_name("hbac-020py3noneany.zip"))
    return folder


@dataclass(frozen=True)
class Kaggle:
    """A machine of Kaggle's: an environment without hbac, and a folder for each run."""

    environment: Path
    folder: Path
    sandboxed: bool
    one_block: bool = False  # of sixteen of the network

    def run(self, dist: Path, kernel: str, mounted: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a pushed kernel ("hbac-infer", "hbac-train-notebook", ...) in `self.folder / "working"`."""
        working, root = self.folder / "working", self.folder / "root"
        for folder in (working, root):
            folder.mkdir(parents=True)
        for installed in self.environment.glob("lib/python*/site-packages/hbac*"):
            shutil.rmtree(installed)
        (site,) = self.environment.glob("lib/python*/site-packages")
        (site / "one_block.py").write_text(SITE if self.one_block else "")
        (site / "one_block.pth").write_text("import one_block\n")
        pushed = dist / "kaggle" / kernel
        code = (pushed / json.loads((pushed / "kernel-metadata.json").read_text())["code_file"]).read_text()
        if not self.sandboxed:
            code = code.replace("/kaggle/input", str(mounted)).replace("/tmp/hbac_", f"{self.folder}/hbac_")
        python = str(self.environment / "bin" / "python")
        notebook = kernel.endswith("-notebook")
        quote = '\\"' if notebook else '"'  # in a notebook the script is a string of JSON
        setting = f"ARGUMENTS = {quote}{{}}{quote}"  # edited as a user would: a script takes no arguments there
        if code.count(setting.format("")) != 1:
            raise ValueError(f"{kernel}: expected one line {setting.format('')}")
        code = code.replace(setting.format(""), setting.format(shlex.join(arguments)))
        if notebook:
            (working / "notebook.ipynb").write_text(code)
            command = [python, "-c", NOTEBOOK_RUNNER]
        else:
            (working / "script.py").write_text(code)
            command = [python, "script.py"]
        if self.sandboxed:
            visible = " ".join({str(self.environment), str(Path(sys.prefix)), str(Path(sys.base_prefix).resolve())})
            command = ["unshare", "-rmn", "bash", "-c", SANDBOX, "sandbox", str(root), str(mounted), visible, *command]
        environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "TF_CPP_MIN_LOG_LEVEL": "2"}
        return subprocess.run(command, cwd=working, env=environment, capture_output=True, text=True, timeout=1200)
