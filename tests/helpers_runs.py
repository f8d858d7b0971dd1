"""Whole runs of `hbac predict` in processes of their own, over many links to a few simulated records."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from conftest import ROOT, python_path

from hbac.hms import eeg_folder, spectrogram_folder
from hbac.simulation.dataset import simulate
from hbac.weights.manifest import MANIFEST_NAME


def make_data(folder: Path, records: int, seed: int, bases: int = 6) -> Path:
    """A test folder of `records` records, links to `bases` simulated ones."""
    base, out = folder / "bases", folder / "data"
    simulate(base, patients=0, seed=seed, test_records=bases, progress=False, balanced=True)
    table = pd.read_csv(base / "test.csv")
    many = table.iloc[[i % bases for i in range(records)]].reset_index(drop=True)
    numbers = pd.Series(range(1, records + 1))
    for column, name in (("eeg_id", eeg_folder("test")), ("spectrogram_id", spectrogram_folder("test"))):
        (out / name).mkdir(parents=True, exist_ok=True)
        for number, of in zip(numbers, many[column]):
            (out / name / f"{number}.parquet").symlink_to(base / name / f"{of}.parquet")
    many = many.assign(eeg_id=numbers, spectrogram_id=numbers)
    many.to_csv(out / "test.csv", index=False)
    many[["eeg_id"]].to_csv(out / "sample_submission.csv", index=False)  # the order of rows is its own
    return out


def kill_after(lines: int, words: Sequence[object], journal: Path) -> None:
    """Run a command and kill it as soon as its journal has so many lines."""
    with subprocess.Popen(
        [*map(str, words)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while not (journal.exists() and len(journal.read_text().splitlines()) >= lines):
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)


def make_weights(folder: Path, folds: int = 1) -> Path:
    """The manifest of the first demo folds, in a folder of its own."""
    folder.mkdir()
    shutil.copytree(ROOT / "weights", folder / "weights")
    document = json.loads((ROOT / MANIFEST_NAME).read_text())
    document["folds"] = document["folds"][:folds]
    (folder / MANIFEST_NAME).write_text(json.dumps(document))
    return folder / MANIFEST_NAME


def command(data: Path, manifest: Path, output: Path, *more: object) -> list[str]:
    """`hbac predict` with OpenVINO."""
    options = ["--test-dir", data, "--manifest", manifest, "--output", output, "--engine", "openvino", "--quiet", *more]
    return [sys.executable, "-m", "hbac", "predict", *map(str, options)]


def patched(code: str, words: list[str]) -> list[str]:
    """The same command in a Python that runs `code` first, with this folder's helpers at hand."""
    call = "from hbac.cli import main\nif __name__ == '__main__': sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", f"import sys\n{code}\n{call}", *words[3:]]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([python_path(), str(ROOT / "tests")])}


def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=1800, **options)
