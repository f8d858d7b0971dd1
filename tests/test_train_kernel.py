"""kernel/train.py: from train.csv to a manifest that the submission kernel takes, in a tiny form."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from hbac.competition import VOTE_COLUMNS
from hbac.manifest import read_manifest
from hbac.tables import read_train_table


@pytest.fixture(scope="module")
def train() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train", ROOT / "kernel" / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_from_a_data_set_to_a_manifest_that_predicts(simulated: Path, tmp_path: Path, hbac) -> None:  # type: ignore[no-untyped-def]
    command = [sys.executable, str(ROOT / "kernel" / "train.py"), "--data", str(simulated), "--output", str(tmp_path)]
    done = subprocess.run(
        [*command, "--width", "8", "--fold-count", "2", "--epochs", "1,0"],
        env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "weights_manifest.json")
    assert [fold.file for fold in manifest.folds] == ["fold0.safetensors", "fold1.safetensors"]
    assert all(score > 0 for fold in manifest.folds for score in fold.score.values())
    cached = json.loads((tmp_path / "images.json").read_text())
    assert np.load(tmp_path / "images.npy", mmap_mode="r").shape == (len(cached["rows"]), 400, 300, 3)
    assert "out of fold, all rows" in done.stdout
    report = (tmp_path / "report.html").read_text()
    assert report.count("data:image/png;base64,") >= 5
    assert "http" not in report.split("<body>")[1]
    oof = pd.read_parquet(tmp_path / "oof.parquet")
    assert len(oof) == len(cached["rows"])
    assert not oof.groupby("patient_id")["fold"].nunique().gt(1).any()
    np.testing.assert_allclose(oof.filter(like="answered_").sum(axis=1), 1, atol=1e-6)
    again = subprocess.run(
        [*command, "--fold-count", "2"], env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True
    )
    assert again.returncode != 0
    assert "--resume" in again.stderr
    output = tmp_path / "submission.csv"
    ran = hbac("predict", "--test-dir", simulated, "--manifest", tmp_path / "weights_manifest.json", "--output", output)
    assert ran.returncode == 0, ran.stderr
    assert len(pd.read_csv(output)) == 6


def test_every_switch_names_a_view(train: ModuleType) -> None:
    off = train.ViewSettings(**dict.fromkeys(train.VIEWS.values(), 0.0))
    assert {name: getattr(off, name) for name in train.VIEWS.values()} == dict.fromkeys(train.VIEWS.values(), 0.0)
    assert len(set(train.VIEWS.values())) == 5


def test_at_most_two_windows_of_an_eeg_and_vote_are_kept(train: ModuleType, simulated: Path) -> None:
    table = read_train_table(simulated)[1]
    chosen = table.iloc[train.choose_windows(table)]
    sizes = chosen.groupby(["eeg_id", *VOTE_COLUMNS]).size()
    assert sizes.max() == 2
    assert len(sizes) == len(table.groupby(["eeg_id", *VOTE_COLUMNS]).size())


def test_the_genuine_table_is_grouped_too(train: ModuleType, sample: Path) -> None:
    records, table = read_train_table(sample)
    assert len(records) == 43
    chosen = train.choose_windows(table)
    assert 2 <= len(chosen) < 43
    assert table.iloc[chosen]["eeg_id"].nunique() == 2
