"""A training run: from train.csv to a manifest that predicts, in folders that hold one run."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from hbac.errors import InputError
from hbac.hms import CLASSES
from hbac.records.tables import read_train_table
from hbac.training.cache import MADE
from hbac.training.metrics import kl_divergence
from hbac.training.options import TrainOptions
from hbac.training.run import start_weights, train
from hbac.training.state import read_progress
from hbac.weights.manifest import read_manifest

pytestmark = [  # so few patients that a class may have one row
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The least populated class"),
]

SCORED = "10 votes or more"


@dataclass(frozen=True)
class Run:
    options: TrainOptions
    log: list[str]

    @property
    def output(self) -> Path:
        return self.options.output


@pytest.fixture(scope="module")
def whole(simulated: Path, tmp_path_factory: pytest.TempPathFactory, eagerly: None) -> Run:
    """An uninterrupted run of two folds, an epoch in each stage."""
    options = TrainOptions(
        data=simulated,
        output=tmp_path_factory.mktemp("whole"),
        width=8,
        fold_count=2,
        epochs=(1, 1),
        row_steps=(2, 1),
        batch_size=9,
    )
    log: list[str] = []
    train(options, log.append)
    return Run(options, log)


def test_from_a_data_set_to_a_manifest_that_predicts(
    whole: Run, simulated: Path, tmp_path: Path, hbac: Callable[..., object]
) -> None:
    manifest = read_manifest(whole.output / "weights_manifest.json")
    assert [fold.file for fold in manifest.folds] == ["fold0.safetensors", "fold1.safetensors"]
    scores = [score for fold in manifest.folds for score in fold.score.values()]
    assert scores
    assert min(scores) > 0
    cached = json.loads((whole.output / "images.json").read_text())
    assert np.load(whole.output / "images.npy", mmap_mode="r").shape == (len(cached["rows"]), 400, 300, 3)
    for rows in ("all rows", f"{SCORED}, EEG alone", f"{SCORED}, spectrogram alone"):
        assert [line for line in whole.log if line.startswith(f"out of fold, {rows}: KL")]
        assert manifest.training["out_of_fold"][rows]["kl"] > 0
    report = (whole.output / "report.html").read_text()
    assert report.count("data:image/png;base64,") >= 5
    oof = pd.read_parquet(whole.output / "oof.parquet")
    assert len(oof) == len(cached["rows"])
    assert not oof.groupby("patient_id")["fold"].nunique().gt(1).any()
    np.testing.assert_allclose(oof.filter(like="predicted_").sum(axis=1), 1, atol=1e-6)
    output = tmp_path / "submission.csv"
    ran = hbac(
        "predict", "--test-dir", simulated, "--manifest", whole.output / "weights_manifest.json", "--output", output
    )
    assert ran.returncode == 0, ran.stderr  # type: ignore[attr-defined]
    assert len(pd.read_csv(output)) == 6


def test_the_best_epoch_and_the_manifest_s_score_are_scored_alike(whole: Run) -> None:
    """At temperature 1: each EEG weighted equally, on rows with 10 votes or more if the fold has any, else on all."""
    oof = pd.read_parquet(whole.output / "oof.parquet")
    temperature = read_manifest(whole.output / "weights_manifest.json").temperature
    compared = 0
    for fold in range(2):
        rows = oof[(oof["fold"] == fold) & (oof["votes"] >= 10)]
        if rows.empty:
            continue
        predictions = rows.filter(like="predicted_").to_numpy() ** temperature  # as they were before
        predictions /= predictions.sum(axis=1, keepdims=True)
        kl = kl_divergence(rows.filter(like="voted_").to_numpy(), predictions)
        weights = 1 / rows.groupby("eeg_id")["eeg_id"].transform("size").to_numpy()
        best = read_progress(whole.output / f"fold{fold}.state").best_kl
        assert np.average(kl, weights=weights) == pytest.approx(best, rel=1e-3)
        compared += 1
    assert compared


def test_a_folder_with_a_run_is_not_overwritten(whole: Run) -> None:
    with pytest.raises(InputError, match="--resume"):
        train(whole.options)


def test_a_run_of_an_earlier_version_is_refused_in_a_line_that_says_so(whole: Run, tmp_path: Path) -> None:
    """hbac 0.1 kept digests alone, without a format."""
    stated = json.loads((whole.output / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(stated["digests"]))
    with pytest.raises(InputError, match=r"expected a run of format 3 of hbac .*, received one of hbac 0\.1"):
        train(replace(whole.options, output=tmp_path / "new", take_from=(tmp_path,)))
    (tmp_path / "run.json").write_text(json.dumps({**stated, "format": 4, "hbac": "0.9.1"}))
    (tmp_path / "fold0.state").touch()
    with pytest.raises(InputError, match=r"received one of hbac 0\.9\.1"):
        train(replace(whole.options, output=tmp_path, resume=True))


def test_a_finished_run_taken_up_again_trains_nothing_and_gives_the_same_manifest(whole: Run) -> None:
    before = (whole.output / "weights_manifest.json").read_bytes()
    log: list[str] = []
    train(replace(whole.options, resume=True), log.append)
    assert not [line for line in log if "epoch" in line]
    assert read_manifest(whole.output / "weights_manifest.json").folds
    stated, received = (json.loads(text) for text in (before, (whole.output / "weights_manifest.json").read_bytes()))
    for document in (stated, received):  # answers of another TensorFlow session differ in the last digits
        for fold in document["folds"]:
            fold["golden"] = np.round(fold["golden"], 4).tolist()
    assert received == stated


def test_folds_of_two_sessions_become_one_manifest(whole: Run, tmp_path: Path) -> None:
    sessions = (tmp_path / "first", tmp_path / "second")
    for fold, session in enumerate(sessions):
        session.mkdir()
        for path in (*whole.output.glob(f"fold{fold}.*"), *whole.output.glob("images*"), whole.output / "run.json"):
            os.link(path, session / path.name)
    merged = replace(whole.options, take_from=sessions, output=tmp_path / "merged")
    log: list[str] = []
    train(merged, log.append)
    assert "fold1: taken over" in log
    assert not [line for line in log if "epoch" in line]  # nothing was left to train
    assert not (merged.output / "images.npy").exists()  # those of the first session were enough
    received, expected = (read_manifest(folder / "weights_manifest.json") for folder in (merged.output, whole.output))
    assert [fold.sha256 for fold in received.folds] == [fold.sha256 for fold in expected.folds]
    assert received.temperature == expected.temperature
    with pytest.raises(InputError, match="another stages"):
        train(replace(merged, epochs=(1, 2), output=tmp_path / "other"))


def test_the_genuine_rows_take_the_same_way(sample: Path, simulated: Path, tmp_path: Path, eagerly: None) -> None:
    options = TrainOptions(
        data=sample, output=tmp_path, width=8, fold_count=2, epochs=(1, 0), folds=(1,), beside=simulated, batch_size=64
    )
    log: list[str] = []
    train(options, log.append)
    assert log[-1].startswith(f"{tmp_path / 'weights_manifest.json'}: 1 of 2 folds")
    rows = json.loads((tmp_path / "images.json").read_text())["rows"]
    assert np.load(tmp_path / "images.state.npy").tolist() == [MADE] * len(rows)
    assert len({eeg_id for eeg_id, *_ in rows}) == 2
    page = (tmp_path / "report.html").read_text()
    beside = set(read_train_table(simulated)[1]["expert_consensus"].str.lower())
    assert beside <= set(CLASSES)
    assert page.count(f"{simulated.name}: EEG") >= len(beside)  # at least one of each class that the other data set has


def test_of_several_folds_the_mean_is_the_start(whole: Run) -> None:
    folds = tuple(whole.output / f"fold{fold}.safetensors" for fold in range(2))
    for start in (folds, folds[:1]):
        received = start_weights(replace(whole.options, start=start))
        assert received is not None
        tensors = [load_file(file) for file in start]
        assert received.keys() == tensors[0].keys()
        for name, value in received.items():
            assert value.dtype == np.float32
            mean = sum(t[name].astype(np.float64) for t in tensors) / len(start)
            np.testing.assert_allclose(value, mean, rtol=1e-6, atol=1e-9)
        assert any(not np.array_equal(tensors[0][name], tensors[-1][name]) for name in received) == (len(start) == 2)
    assert start_weights(whole.options) is None
