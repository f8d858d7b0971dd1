"""Each package that a run may need, missing and broken: what each command says, and whether it wrote anything.

    PYTHONPATH=wheel_src python tests/fuzz/packages.py

A command has to answer all the same, or to end with one line that names the package, exit code 2 and nothing written;
`doctor` says it as a fault or a note. Training that does not need the package is asked for a folder without a table,
and has to name that. Other outcomes are counted (asked: none).
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, for its helpers

from conftest import ROOT, package_folder

from hbac.machine.packages import OF_TRAINING, PACKAGES

KINDS = {
    "missing": "raise ModuleNotFoundError(f'No module named {__name__!r}', name=__name__)",
    "broken": "raise OSError('libcore.so.7: cannot open shared object file: No such file or directory')",
}
OF_A_TRAINING = (*OF_TRAINING, "tensorflow", "keras")
MODULES = {"scikit-learn": "sklearn"}  # where a package has another name in Python


def commands(package: str, work: Path, data: Path) -> dict[str, list[object]]:
    """What is run, by its name in the table."""
    manifest = ("--manifest", ROOT / "weights_manifest.json")
    answer = ("--test-dir", data, *manifest, "--output", work / "out" / "submission.csv", "--quiet")
    return {
        "predict": ["-m", "hbac", "predict", *answer],
        "infer.py": [ROOT / "kernel" / "infer.py", *answer],
        "train": [
            "-m",
            "hbac",
            "train",
            "--data",
            data if package in OF_A_TRAINING else work,
            "--output",
            work / "out",
            "--gpus",
            "",
        ],
        "doctor": ["-m", "hbac", "doctor"],
    }


def outcome(name: str, package: str, done: subprocess.CompletedProcess[str], out: Path) -> tuple[bool, str]:
    """Whether a process did as it should, and its line."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if "Traceback" in done.stderr:
        return False, lines[-1]
    if name == "doctor":
        said = next((line for line in done.stdout.splitlines() if f" {package}: " in line), "")
        return said.startswith(("fault", "note")) and done.returncode in (0, 1), said
    if done.returncode == 0 and (out / "submission.csv").exists():
        return True, "answers" + "".join(f"; {line}" for line in lines)
    named = package if name != "train" or package in OF_A_TRAINING else f"{out.parent}/train.csv"
    alone = len(lines) == 1 and lines[0].startswith(f"hbac: error: {named}: ")
    return alone and done.returncode == 2 and not list(out.glob("*")), lines[-1] if lines else f"exit {done.returncode}"


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        environment = {**os.environ, "PYTHONPATH": package_folder()}
        simulate = ["-m", "hbac", "simulate", data, "--patients", "3", "--test-records", "1", "--quiet"]
        subprocess.run([sys.executable, *map(str, simulate)], env=environment, check=True, capture_output=True)
        for package in PACKAGES:
            for kind, text in KINDS.items():
                work = Path(folder) / f"{package} {kind}"
                module = work / "site" / MODULES.get(package, package)
                module.mkdir(parents=True)
                (module / "__init__.py").write_text(text + "\n")
                for name, words in commands(package, work, data).items():
                    path = os.pathsep.join([str(work / "site"), package_folder()])
                    done = subprocess.run(
                        [sys.executable, *map(str, words)],
                        env={**os.environ, "PYTHONPATH": path},
                        capture_output=True,
                        text=True,
                        timeout=600,
                    )
                    good, line = outcome(name, package, done, work / "out")
                    faults += not good
                    state = "as asked" if good else "OTHERWISE"
                    print(f"{package:12} {kind:8} {name:9} {state:9} {line[:170]}", flush=True)
                    for file in (work / "out").glob("submission*"):
                        file.unlink()
    print(f"\n{faults} otherwise, of {len(PACKAGES) * len(KINDS) * 4}")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
