"""A mixed run gives the same bytes for any number of workers, any order of rows, and after a kill."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from helpers_folds import MIXED
from helpers_runs import kill_after

from hbac.network.engine import make_engine
from hbac.weights.checkpoints import Checkpoint, new_manifest
from hbac.weights.compose import Share, compose
from hbac.weights.manifest import read_manifest


def demo_in_two_ways(folder: Path) -> Path:
    """A mixed manifest of two demo folds, one of them on an input that it was not trained for."""
    demo = read_manifest(ROOT / "weights_manifest.json")
    engine = make_engine("auto", demo.network)
    shares = []
    for name, fold, preset in zip("ab", demo.folds, MIXED):
        (folder / name).mkdir()
        copy = Path(shutil.copy(demo.path(fold), folder / name))
        manifest = new_manifest([Checkpoint(copy)], folder / name, "t", preset, demo.network, engine)
        shares.append(Share(name, manifest, 1.0))
    return compose(shares, folder / "mixed", "demo folds in two ways")


@pytest.mark.slow
def test_workers_order_a_kill_and_a_resume_leave_the_bytes_of_a_mixed_run(
    test_dir: Path, tmp_path: Path, hbac: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    whole, output, table = tmp_path / "whole.csv", tmp_path / "submission.csv", test_dir / "test.csv"
    command = ["predict", "--test-dir", test_dir, "--manifest", demo_in_two_ways(tmp_path), "--quiet", "--output"]
    assert hbac(*command, whole, "--workers", 1).returncode == 0
    pd.read_csv(table).sample(frac=1, random_state=0).to_csv(table, index=False)
    kill_after(
        3, [sys.executable, "-m", "hbac", *command, output, "--workers", 4], tmp_path / ".submission.csv.journal"
    )
    done = hbac(*command, output, "--resume", "--workers", 4)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == whole.read_bytes()
