"""The installed wheel on the stacks of Kaggle's images: its tests, and its answers beside those of the newest stack.

    python tests/bench/matrix.py [--stacks 0,3] [--tests all|stack|none] [--folder .matrix]

Each stack gets an environment of its own below the folder, kept for the next time. A stack whose Python is not on this
machine is named and left out. `stack` leaves out the tests of the simulator's signals, which use NumPy and SciPy alone,
and the long ones of training: both kernels run on every stack all the same, as Kaggle runs them.
Every stack writes a fold; every stack answers the same records with the folds of all, and with the demo folds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "wheel_src" / "pyproject.toml"
SIGNALS = "simulation"  # the folder of tests
LONG = ("training/test_fold.py", "training/test_run.py", "kernel/test_train.py")


@dataclass(frozen=True)
class Stack:
    """Versions of one image; '' is the newest."""

    when: str
    python: str
    tensorflow: str = ""
    keras: str = ""
    numpy: str = ""
    pandas: str = ""
    pyarrow: str = ""
    scipy: str = ""

    @property
    def name(self) -> str:
        return f"py{self.python}-tf{self.tensorflow or '-newest'}-numpy{self.numpy or '-newest'}"

    def requirements(self) -> list[str]:
        tensorflow = "tensorflow-cpu" if os.uname().machine == "x86_64" else "tensorflow"
        stated = {tensorflow: self.tensorflow, **{name: getattr(self, name) for name in ("keras", "numpy", "pandas", "pyarrow", "scipy")}}  # fmt: skip
        return [f"{name}=={version}" if version else name for name, version in stated.items()]


STACKS = (
    Stack("early 2025", "3.10", "2.17.1", "3.5.0", "1.26.4", "2.2.2", "17.0.0", "1.13.1"),
    Stack("March 2026", "3.12", "2.19.0", "3.10.0", "2.0.2", "2.2.2", "18.1.0", "1.16.3"),
    Stack("June 2026", "3.12", "2.20.0", "3.13.2", "2.0.2", "2.2.2", "18.1.0", "1.16.3"),
    Stack("since", "3.13", "2.20.0", "3.13.2", "2.1.3", "2.2.3", "18.1.0", "1.16.3"),
    Stack("newest", "3.13"),
)
TOOLS = (
    "safetensors>=0.5",
    "tqdm",
    "h5py",
    "scikit-learn",
    "matplotlib",
    "edfio",
    "pytest",
    "hypothesis",
    "ipykernel",
    "nbclient",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stacks", default=",".join(map(str, range(len(STACKS)))), help="numbers from 0 [all]")
    parser.add_argument("--tests", choices=("all", "stack", "none"), default="stack")
    parser.add_argument("--folder", type=Path, default=ROOT / ".matrix")
    options = parser.parse_args()
    (wheel,) = (ROOT / "dist").glob("hbac-*.whl")
    stacks = [STACKS[int(number)] for number in options.stacks.split(",")]
    rows, ready = [], []
    for stack in stacks:
        try:
            python = environment(stack, wheel, options.folder / stack.name)
        except LookupError as error:
            rows.append((stack, {}, str(error)))
            continue
        rows.append((stack, versions(python), ""))
        ready.append((stack, python))
    folds = [make_fold(python, options.folder / "folds" / stack.name) for stack, python in ready]
    answers = {stack: answer(python, folds) for stack, python in ready}
    newest = answers[ready[-1][0]]
    failed = False
    print(
        "| image | Python | TensorFlow | Keras | NumPy | pandas | pyarrow | SciPy | tests | passed | skipped | difference |"
    )
    print("| --- " * 12 + "|")
    for stack, found, missing in rows:
        if missing:
            print(f"| {stack.when} | {stack.python} | {missing} |")
            continue
        python = dict(ready)[stack]
        tests = run_tests(python, options.tests, options.folder / f"{stack.name}.xml")
        failed |= tests["passed"] + tests["skipped"] < tests["tests"]
        difference = max(float(np.abs(ours - theirs).max()) for ours, theirs in zip(answers[stack], newest))
        cells = [stack.when, *found.values(), tests["tests"], tests["passed"], tests["skipped"], f"{difference:.1e}"]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print(f"difference: largest of {sum(map(np.size, newest))} probabilities from the newest stack's, {len(newest)} manifests: "
          f"the demo folds and one made on each stack")  # fmt: skip
    return int(failed)


def interpreter(version: str) -> str:
    """A Python of a version: on the path, or of pyenv."""
    there = [
        shutil.which(f"python{version}"),
        *map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))),
    ]
    for python in filter(None, there):
        asked = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True)  # fmt: skip
        if asked.stdout.strip() == version:
            return python
    raise LookupError(f"left out: no Python {version} here")


def environment(stack: Stack, wheel: Path, folder: Path) -> Path:
    """The stack's environment with the wheel installed as the kernels do it; its Python."""
    python = folder / "bin" / "python"
    ready, wanted = folder / "ready", "\n".join((*stack.requirements(), *TOOLS))
    if not ready.exists() or ready.read_text() != wanted:
        subprocess.run([interpreter(stack.python), "-m", "venv", "--clear", str(folder)], check=True)
        pip(python, "install", "--upgrade", "pip")
        pip(python, "install", *stack.requirements(), *TOOLS)
        ready.write_text(wanted)
    pip(python, "install", "--no-index", "--no-deps", "--force-reinstall", str(wheel))
    return python


def pip(python: Path, *arguments: str) -> None:
    print(python.parent.parent.name, "pip", *arguments, file=sys.stderr, flush=True)
    subprocess.run([python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def versions(python: Path) -> dict[str, str]:
    names = ("tensorflow-cpu" if os.uname().machine == "x86_64" else "tensorflow", "keras", "numpy", "pandas", "pyarrow", "scipy")  # fmt: skip
    code = f"import json, platform; from importlib.metadata import version; print(json.dumps([platform.python_version(), *map(version, {names})]))"
    return dict(zip(("python", *names), json.loads(run(python, "-c", code))))


def run(python: Path, *arguments: object) -> str:
    """What a command of an environment prints; no source tree on its path."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run([python, *map(str, arguments)], cwd="/", env=clean, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{python} {arguments}: {done.stderr[-3000:]}")
    return done.stdout


def make_fold(python: Path, folder: Path) -> Path:
    """A manifest with one fold, initialised and written by the stack."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r}); from pathlib import Path; from helpers_folds import write_random_folds; write_random_folds(Path({str(folder)!r}), folds=1)"
    run(python, "-c", code)
    return folder / "weights_manifest.json"


def answer(python: Path, manifests: list[Path]) -> list[np.ndarray]:
    """Probabilities (records, 6) of the demo folds, then of each manifest, on a test folder made by the first stack."""
    data = manifests[0].parent / "data"
    if not data.exists():
        run(python, "-m", "hbac", "simulate", data, "--patients", "0", "--test-records", "12", "--seed", "1")
    out = []
    for manifest in (ROOT / "weights_manifest.json", *manifests):
        output = manifest.parent / "submission.csv" if manifest in manifests else manifests[0].parent / "demo.csv"
        run(python, "-m", "hbac", "predict", "--test-dir", data, "--manifest", manifest, "--output", output)
        out.append(np.loadtxt(output, delimiter=",", skiprows=1)[:, 1:])
    return out


def run_tests(python: Path, which: str, result: Path) -> dict[str, int]:
    """Counts of the suite against the installed wheel; the whole output lies beside `result`.

    Warnings are no errors here: libraries of other years deprecate each other's functions.
    """
    if which == "none":
        return dict.fromkeys(("tests", "passed", "skipped"), 0)
    chosen = [
        path for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if which == "all" or (path.parent.name != SIGNALS and f"{path.parent.name}/{path.name}" not in LONG)
    ]  # fmt: skip
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "pytest", "-c", CONFIG, "--rootdir", ROOT, "-o", "pythonpath=../tests", "-o", "filterwarnings=default", "--junit-xml", result, "--durations", "25", "-p", "no:cacheprovider", *chosen]  # fmt: skip
    with result.with_suffix(".log").open("w") as log:
        subprocess.run(list(map(str, command)), cwd=ROOT, env=clean, stdout=log, stderr=subprocess.STDOUT)
    suite = ET.parse(result).getroot()[0].attrib
    tests, skipped = int(suite["tests"]), int(suite["skipped"])
    return {
        "tests": tests,
        "passed": tests - skipped - int(suite["failures"]) - int(suite["errors"]),
        "skipped": skipped,
    }


if __name__ == "__main__":
    sys.exit(main())
