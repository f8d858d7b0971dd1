"""kernel/train.py: the story of a training run as one script, killed and resumed."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from hbac.training.state import read_progress
from hbac.weights.manifest import read_manifest

COMMAND = [sys.executable, str(ROOT / "kernel" / "train.py"), "--width=8", "--fold-count=2", "--epochs=1,1"]
COMMAND += ["--row-steps=2,1", "--batch-size=18", "--precision=float32"]
PATIENCE_S = 600


@pytest.fixture(scope="module")
def environment(one_block: Path) -> dict[str, str]:
    """Without hbac on the path, and with networks of one block."""
    return {**os.environ, "PYTHONPATH": str(one_block)}


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


@pytest.mark.slow
def test_killed_with_a_process_on_each_gpu_it_goes_on_where_it_was(
    simulated: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """All processes are gone after a SIGKILL; what was finished is not done again; more kills are in `make fuzz`."""
    output = tmp_path / "killed"
    command = [*COMMAND, "--data", str(simulated), "--output", str(output), "--gpus", "0,1", "--resume"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_S
    while not list(output.glob("*.state")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    parts = children(process.pid)
    assert process.poll() is None
    process.kill()
    process.wait()
    assert len(parts) >= 2
    while any(map(alive, parts)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, parts))
    kept = sum(read_progress(state).epochs_done for state in output.glob("*.state"))
    assert 1 <= kept < 4
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch") == 4 - kept
    assert [read_progress(output / f"fold{fold}.state").epochs_done for fold in range(2)] == [2, 2]
    assert len(read_manifest(output / "weights_manifest.json").folds) == 2
    assert "WARNING" not in done.stderr


def test_what_the_user_has_to_mend_is_one_line_and_exit_code_2(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [*COMMAND, "--data", str(tmp_path / "none"), "--output", str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 2
    assert done.stderr.startswith("hbac: error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_its_settings_are_the_package_s_defaults() -> None:
    """The numbers at its top, which a Kaggle user edits, start as those of `hbac train`."""
    from hbac.training.options import DROPOUT, MIXUP_ALPHA
    from hbac.training.schedule import SCORED_VOTES, WINDOWS_PER_GROUP

    lines = (ROOT / "kernel" / "train.py").read_text().splitlines()
    stated = {
        line.split(" = ")[0]: line.split(" = ")[1].split("  #")[0]
        for line in lines
        if line[:1].isupper() and " = " in line
    }
    expected = {
        "WINDOWS_PER_GROUP": WINDOWS_PER_GROUP,
        "SCORED_VOTES": SCORED_VOTES,
        "MIXUP_ALPHA": MIXUP_ALPHA,
        "DROPOUT": DROPOUT,
        "ARGUMENTS": "",
    }
    assert {name: json.loads(stated[name]) for name in expected} == expected
