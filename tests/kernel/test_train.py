"""kernel/train.py: from train.csv to a manifest that the submission kernel takes, in a tiny form."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from safetensors.numpy import load_file

from hbac.hms import CLASSES, VOTE_COLUMNS
from hbac.records.tables import read_train_table
from hbac.training.cache import MADE
from hbac.training.metrics import kl_divergence
from hbac.training.state import read_progress
from hbac.weights.manifest import read_manifest


@pytest.fixture(scope="module")
def train() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train", ROOT / "kernel" / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COMMAND = [sys.executable, str(ROOT / "kernel" / "train.py"), "--width", "8", "--fold-count", "2"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": ""}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)


@dataclass(frozen=True)
class Run:
    output: Path
    stdout: str
    seconds: float


@pytest.fixture(scope="module")
def whole(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An uninterrupted run of two folds, an epoch in each stage."""
    output = tmp_path_factory.mktemp("whole")
    started = time.monotonic()
    done = run("--data", simulated, "--output", output, "--epochs", "1,1", "--row-steps", "2,1")
    assert done.returncode == 0, done.stderr
    return Run(output, done.stdout, time.monotonic() - started)


def histories(output: Path) -> list[list[dict[str, float]]]:
    return [read_progress(output / f"fold{fold}.state").history for fold in range(2)]


def assert_same_course(received: Path, expected: Path) -> None:
    """The same epochs and learning rates; losses as equal as two runs of TensorFlow are."""
    for one, other in zip(histories(received), histories(expected), strict=True):
        assert [(e["epoch"], e["stage"], e["learning_rate"]) for e in one] == [
            (e["epoch"], e["stage"], e["learning_rate"]) for e in other
        ]
        for name in ("loss", "kl"):
            np.testing.assert_allclose([e[name] for e in one], [e[name] for e in other], rtol=1e-3)


def test_from_a_data_set_to_a_manifest_that_predicts(whole: Run, simulated: Path, tmp_path: Path, hbac) -> None:  # type: ignore[no-untyped-def]
    manifest = read_manifest(whole.output / "weights_manifest.json")
    assert [fold.file for fold in manifest.folds] == ["fold0.safetensors", "fold1.safetensors"]
    assert all(score > 0 for fold in manifest.folds for score in fold.score.values())
    cached = json.loads((whole.output / "images.json").read_text())
    assert np.load(whole.output / "images.npy", mmap_mode="r").shape == (len(cached["rows"]), 400, 300, 3)
    for rows in ("all rows", "10 votes or more, EEG alone", "10 votes or more, spectrogram alone"):
        assert f"out of fold, {rows}: KL" in whole.stdout
    report = (whole.output / "report.html").read_text()
    assert report.count("data:image/png;base64,") >= 5
    assert "http" not in report.split("<body>")[1]
    oof = pd.read_parquet(whole.output / "oof.parquet")
    assert len(oof) == len(cached["rows"])
    assert not oof.groupby("patient_id")["fold"].nunique().gt(1).any()
    np.testing.assert_allclose(oof.filter(like="answered_").sum(axis=1), 1, atol=1e-6)
    output = tmp_path / "submission.csv"
    manifest_path = whole.output / "weights_manifest.json"
    ran = hbac("predict", "--test-dir", simulated, "--manifest", manifest_path, "--output", output)
    assert ran.returncode == 0, ran.stderr
    assert len(pd.read_csv(output)) == 6


def test_the_best_epoch_and_the_manifest_s_score_are_judged_alike(whole: Run) -> None:
    """At temperature 1: each EEG weighs one, on rows with 10 votes or more if the fold has any, else on all."""
    oof = pd.read_parquet(whole.output / "oof.parquet")
    temperature = read_manifest(whole.output / "weights_manifest.json").temperature
    for fold in range(2):
        rows = oof[(oof["fold"] == fold) & (oof["votes"] >= 10)]
        if rows.empty:
            continue
        answers = rows.filter(like="answered_").to_numpy() ** temperature  # as they were before
        answers /= answers.sum(axis=1, keepdims=True)
        kl = kl_divergence(rows.filter(like="voted_").to_numpy(), answers)
        weights = 1 / rows.groupby("eeg_id")["eeg_id"].transform("size").to_numpy()
        best = read_progress(whole.output / f"fold{fold}.state").best_kl
        assert np.average(kl, weights=weights) == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize(
    ("script", "gpus"),
    [
        ("echo 0; echo 1", ["0", "1"]),
        ("echo No devices were found; exit 6", []),
        ("echo 'NVIDIA-SMI has failed because it could not communicate'; exit 9", []),
    ],
)
def test_gpus_are_those_that_nvidia_smi_lists(
    train: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, gpus: list[str]
) -> None:
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert train.visible_gpus() == gpus
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert train.visible_gpus() == ["3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert train.visible_gpus() == []


def test_a_folder_with_a_run_is_not_overwritten(whole: Run, simulated: Path) -> None:
    again = run("--data", simulated, "--output", whole.output)
    assert again.returncode == 2
    assert "--resume" in again.stderr


def test_folds_of_two_sessions_become_one_manifest(whole: Run, simulated: Path, tmp_path: Path) -> None:
    sessions = [tmp_path / "first", tmp_path / "second"]
    for fold, session in enumerate(sessions):
        session.mkdir()
        for path in (*whole.output.glob(f"fold{fold}.*"), *whole.output.glob("images*"), whole.output / "run.json"):
            os.link(path, session / path.name)
    merged = tmp_path / "merged"
    common = ("--data", simulated, "--row-steps", "2,1", "--from", *sessions)
    done = run(*common, "--epochs", "1,1", "--output", merged)
    assert done.returncode == 0, done.stderr
    assert "fold1: taken over" in done.stdout
    assert "epoch" not in done.stdout  # nothing was left to train
    assert not (merged / "images.npy").exists()  # those of the first session were enough
    received, expected = (read_manifest(folder / "weights_manifest.json") for folder in (merged, whole.output))
    assert received.folds == expected.folds
    assert received.temperature == expected.temperature
    other = run(*common, "--epochs", "1,2", "--output", tmp_path / "other")
    assert other.returncode == 2
    assert "another stages" in other.stderr


def test_killed_three_times_and_resumed_it_is_the_same_run(whole: Run, simulated: Path, tmp_path: Path) -> None:
    """Two folds at once, each in a process of its own as on two GPUs; all of them are gone after a SIGKILL."""
    output = tmp_path / "killed"
    arguments = ["--data", simulated, "--output", output, "--epochs", "1,1", "--row-steps", "2,1"]
    command = [*COMMAND, *arguments, "--gpus", "0,1", "--precision", "float32", "--resume"]
    rng = np.random.default_rng(5)
    for seconds in rng.uniform(0.1, 0.8, 3) * whole.seconds:
        process = subprocess.Popen([*map(str, command)], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        parts = children(process.pid)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{pid}/stat").exists() for pid in parts) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(Path(f"/proc/{pid}/stat").exists() for pid in parts)
    kept = sum(read_progress(state).epochs_done for state in output.glob("*.state"))
    done = subprocess.run([*map(str, command)], env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert_same_course(output, whole.output)
    assert done.stdout.count("epoch") == 4 - kept  # what the killed runs had finished is not done again
    assert (output / "images.npy").read_bytes() == (whole.output / "images.npy").read_bytes()
    assert [fold.file for fold in read_manifest(output / "weights_manifest.json").folds] == [
        "fold0.safetensors", "fold1.safetensors",
    ]  # fmt: skip


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def test_the_genuine_rows_take_the_same_way(sample: Path, simulated: Path, tmp_path: Path) -> None:
    done = run("--data", sample, "--output", tmp_path, "--epochs", "1,0", "--folds", "1", "--beside", simulated)
    assert done.returncode == 0, done.stderr
    assert "1 of 2 folds" in done.stdout
    rows = json.loads((tmp_path / "images.json").read_text())["rows"]
    assert np.load(tmp_path / "images.state.npy").tolist() == [MADE] * len(rows)
    assert len({eeg_id for eeg_id, *_ in rows}) == 2
    shown = (tmp_path / "report.html").read_text().split("What the network sees")[1]
    assert [shown.count(f"<h3>{name}</h3>") for name in CLASSES] == [1] * 6
    beside = read_train_table(simulated)[1]["expert_consensus"].nunique()
    assert shown.count("data:image/png;base64,") > beside  # at least one of each class that the other data set has


@pytest.mark.parametrize("place", ["slug", "competitions/slug"])
def test_on_kaggle_the_attached_data_and_earlier_sessions_are_taken(
    train: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(train, "INPUT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / place / "train_eegs").mkdir(parents=True)
    (tmp_path / place / "train.csv").touch()
    earlier = tmp_path / "notebooks" / "owner" / "hbac-train"
    earlier.mkdir(parents=True)
    (earlier / "run.json").touch()
    options = train.parse_options()
    assert (options.data, options.output, options.take_from) == (tmp_path / place, tmp_path, [earlier])
    assert options.time_budget == "8h30m"


def test_of_several_folds_the_mean_is_the_start(
    train: ModuleType, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = [whole.output / f"fold{fold}.safetensors" for fold in range(2)]
    command = ["train.py", "--data", tmp_path, "--output", tmp_path, "--width", "8"]
    for start in (folds, folds[:1]):
        monkeypatch.setattr(sys, "argv", list(map(str, [*command, "--start", *start])))
        options = train.parse_options()
        assert options.start == start
        received = train.weights_to_start_from(options)
        tensors = [load_file(file) for file in start]
        assert received.keys() == tensors[0].keys()
        for name, value in received.items():
            assert value.dtype == np.float32
            np.testing.assert_allclose(value, sum(t[name].astype(np.float64) for t in tensors) / len(start), rtol=1e-6, atol=1e-9)  # fmt: skip
        assert any(not np.array_equal(tensors[0][name], tensors[-1][name]) for name in received) == (len(start) == 2)


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
