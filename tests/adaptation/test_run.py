"""Whole adaptations of small random folds: what is written, what answers it gives, and that a refusal writes nothing."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers_folds import write_random_folds
from helpers_signals import noise_eeg, write_parquet

import hbac
from hbac import hms
from hbac.adaptation import run
from hbac.adaptation.features import Backbone
from hbac.adaptation.fitting import Gain
from hbac.adaptation.images import read_user_records
from hbac.cli import main
from hbac.errors import InputError, OutputError
from hbac.network.settings import HEAD
from hbac.network.shape_inference import BN_PARTS
from hbac.network.tensorflow_engine import TensorFlowEngine
from hbac.weights.checkpoints import load_fold
from hbac.weights.manifest import read_manifest

pytestmark = pytest.mark.usefixtures("shallow_network")
CLIPS, BROKEN = 24, "clip_05"
CLASSES = ("lpd", "other", "gpd")  # of the clips in turn


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 s of noise each, the louder the further the class; one file is broken."""
    folder = tmp_path_factory.mktemp("clips")
    for i in range(CLIPS):
        uv = noise_eeg(2000, seed=i, sd_uv=10.0 * 4 ** (i % 3))
        write_parquet(folder / f"clip_{i:02}.parquet", dict(zip(hms.ELECTRODES, uv.T)))
    (folder / f"{BROKEN}.parquet").write_bytes(b"no parquet")
    return folder


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory, shallow_network: None) -> Path:
    return write_random_folds(tmp_path_factory.mktemp("parent"), width=4, folds=2, temperature=1.3)


def labels_of(folder: Path, classes: list[str]) -> Path:
    """A table of labels for all clips, two a patient."""
    names = [f"clip_{i:02}" for i in range(len(classes))]
    patients = [f"p{i // 2}" for i in range(len(classes))]
    pd.DataFrame({"sample": names, "class": classes, "patient": patients}).to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return labels_of(tmp_path, [CLASSES[i % 3] for i in range(CLIPS)])


def test_statistics_alone_leave_the_head_and_answer_in_an_ordinary_run(
    parent: Path, clips: Path, tmp_path: Path, test_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    assert main(["adapt", str(parent), "--data", str(clips), "--output", str(out), "--simulated", "0"]) == 0
    printed = capsys.readouterr().out
    assert f"{BROKEN}: left out: eeg: {BROKEN}.parquet: expected a parquet file" in printed
    assert f"{clips}: 23 records, 1 left out" in printed
    assert {path.name for path in out.iterdir()} == {
        "adapted_fold0.safetensors",
        "adapted_fold1.safetensors",
        "weights_manifest.json",
    }
    old, new = read_manifest(parent), read_manifest(out / "weights_manifest.json")
    for fold, adapted in zip(old.folds, new.folds):
        before, after = load_fold(old, fold), load_fold(new, adapted)
        for name, tensor in before.items():
            if name.rsplit("/", 1)[1] in BN_PARTS[2:]:
                assert np.abs(after[name] - tensor).max() > 0
            else:
                np.testing.assert_allclose(after[name], tensor, rtol=1e-3, atol=1e-6)  # float16
        assert adapted.weight == fold.weight
    assert main(["verify", str(out / "weights_manifest.json")]) == 0
    settings = hbac.RunSettings(
        test_dir, out / "weights_manifest.json", tmp_path / "submission.csv", engine="tensorflow", progress=False
    )
    assert hbac.predict(settings).status == {"ok": 6}


def test_labels_fold_into_the_written_heads_as_the_formula_has_it(
    parent: Path, clips: Path, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's logits of the written folds, and the formula on pooled features with what was fitted."""
    fitted = []

    def remember(*arguments: object) -> object:
        fitted.append(original(*arguments))  # type: ignore[arg-type]
        return fitted[-1]

    from hbac.adaptation import fitting

    original = fitting.fit_correction
    monkeypatch.setattr(fitting, "fit_correction", remember)
    lines: list[str] = []
    written = hbac.adapt(parent, clips, tmp_path / "out", labels, simulated=0, log=lines.append)
    old, new = read_manifest(parent), read_manifest(written)
    images = read_user_records(clips, old.preprocessing).images[:4]
    engine = TensorFlowEngine(new.network)
    engine.load(load_fold(new, fold) for fold in new.folds)
    prior = np.log(old.training_prior)
    for number, correction in enumerate(fitted[-2:]):
        tensors = load_fold(new, new.folds[number])  # statistics are the new ones; the head stands below
        (pooled, _) = Backbone(new.network, new.preprocessing).pooled(tensors, images)
        own = load_fold(old, old.folds[number])
        kernel, bias = (own[f"{HEAD}/{part}"].astype(np.float16).astype(np.float64) for part in ("kernel", "bias"))
        free = (pooled @ kernel + bias) / 1.3 - prior
        expected = 1.3 * (correction.slope * free + pooled @ correction.matrix + correction.constant + prior)
        received = np.concatenate([engine.logits(number, image[None]) for image in images])
        np.testing.assert_allclose(received, expected, atol=0.02)  # the new head's float16
        assert np.abs(expected - (pooled @ kernel + bias)).max() > 0.3
        np.testing.assert_array_equal(correction.slope[[0, 3, 4]], 1)  # seizure, lrda, grda have no labels
    engine.close()
    assert any("gain +" in line for line in lines)


def test_the_manifest_says_what_the_folds_were_adapted_to(
    parent: Path, clips: Path, labels: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    written = hbac.adapt(parent, clips, tmp_path / "out", labels, "clips of noise", 0, lines.append)
    old, new = read_manifest(parent), read_manifest(written)
    assert new.training.items() >= old.training.items()
    (entry,) = new.training[run.HISTORY]
    assert entry["parent"] == hashlib.sha256(parent.read_bytes()).hexdigest()
    assert entry["note"] == "clips of noise"
    assert (entry["records"], entry["left_out"], entry["patients"]) == (23, 1, 12)
    assert entry["labelled"] == {"seizure": 0, "lpd": 8, "gpd": 7, "lrda": 0, "grda": 0, "other": 8}
    assert entry["labels_sha256"] == hashlib.sha256(labels.read_bytes()).hexdigest()
    assert entry["records_sha256"] == read_user_records(clips, old.preprocessing).digest
    assert entry["part_of_statistics"] == 0.5
    assert entry["strength"] > 0
    assert entry["smoothing"] in (0.0, 0.1)
    gain = entry["gain"]
    assert 0 < gain["mean"] == pytest.approx(gain["before"] - gain["after"])
    said = next(line for line in lines if "95 % interval" in line)
    assert f"KL {gain['before']:.3f} before, {gain['alone']:.3f} with statistics alone" in said
    assert f"{gain['after']:.3f} with labels: gain {gain['mean']:+.3f}" in said
    assert (new.temperature, new.class_prior, new.training_prior) == (1.3, old.class_prior, old.training_prior)
    assert new.title == "random folds, for tests only, adapted"
    again = read_manifest(hbac.adapt(written, clips, tmp_path / "again", simulated=0, log=lines.append))
    assert [one["parent"] for one in again.training[run.HISTORY]] == [
        entry["parent"],
        hashlib.sha256(written.read_bytes()).hexdigest(),
    ]
    assert again.title == new.title


def test_simulated_records_show_what_was_forgotten(
    parent: Path, clips: Path, simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(folder: Path, *_: object, **options: object) -> None:
        assert options["test_records"] == 6
        shutil.copytree(simulated, folder, dirs_exist_ok=True)

    monkeypatch.setattr("hbac.adaptation.forgotten.simulate", copied)
    lines: list[str] = []
    new = read_manifest(hbac.adapt(parent, clips, tmp_path / "out", simulated=6, log=lines.append))
    (line,) = (line for line in lines if "on 6 simulated records: KL" in line)
    assert "statistics alone should cost 0.01 at most" in line
    found = {}
    votes = pd.read_csv(simulated / "answers.csv")[list(hms.VOTE_COLUMNS)].to_numpy()
    images = np.stack(
        [hbac.load_record(one, new.preprocessing, ("eeg",)).image for one in hbac.read_test_table(simulated)]
    )  # type: ignore[arg-type]
    for name, manifest in (("before", read_manifest(parent)), ("after", new)):
        ensemble = hbac.Ensemble(manifest, hbac.TensorFlowEngine(manifest.network))
        answers = (
            np.concatenate([ensemble.predict(image[None], flip=True) for image in images]) / manifest.training_prior
        )
        answers /= answers.sum(axis=1, keepdims=True)
        found[name] = float(
            np.where(votes > 0, votes * np.log(np.where(votes > 0, votes, 1) / answers), 0).sum(axis=1).mean()
        )
    stated = new.training[run.HISTORY][0]["simulated"]
    assert stated == {
        "records": 6,
        "before": pytest.approx(found["before"], abs=1e-3),
        "after": pytest.approx(found["after"], abs=1e-3),
    }


def test_labels_that_do_not_pay_are_refused_and_nothing_is_written(
    parent: Path, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gain = Gain(before=0.5, after=0.52, low=-0.1, high=0.05, alone=0.49)
    monkeypatch.setattr(run, "measure_gain", lambda *_: gain)
    table = labels_of(tmp_path, [CLASSES[i % 3] for i in range(CLIPS)])
    out = tmp_path / "out"
    words = [
        "adapt",
        str(parent),
        "--data",
        str(clips),
        "--output",
        str(out),
        "--labels",
        str(table),
        "--simulated",
        "0",
    ]
    assert main(words) == 2
    printed = capsys.readouterr()
    assert (
        "KL 0.500 before, 0.490 with statistics alone, 0.520 with labels: gain -0.020, 95 % interval -0.100 to +0.050"
        in printed.out
    )
    assert "hbac: error: labels do not pay: expected a mean gain above 0" in printed.err
    assert not out.exists()


@pytest.mark.parametrize("wrong", ["few labels", "one class", "few records", "unknown name", "negative simulated"])
def test_what_cannot_be_adapted_to_is_refused_and_nothing_is_written(
    wrong: str, parent: Path, clips: Path, tmp_path: Path
) -> None:
    data, table, simulated = clips, None, 0
    classes = [CLASSES[i % 3] for i in range(CLIPS)]
    if wrong == "few labels":
        table, expected = labels_of(tmp_path, classes[:12]), "12 or more labelled records that can be read, received 11"
    elif wrong == "one class":
        table, expected = labels_of(tmp_path, ["lpd"] * CLIPS), "2 or more classes among the labels, received 1"
    elif wrong == "unknown name":
        table, expected = labels_of(tmp_path, [*classes, "lpd"]), "line 26: expected a record's file name"
    elif wrong == "negative simulated":
        simulated, expected = -1, "simulated: expected 0 or more records, received -1"
    else:
        data = tmp_path / "few"
        data.mkdir()
        for i in range(5):
            shutil.copy(clips / f"clip_{i:02}.parquet", data)
        expected = "12 or more records that can be read, received 5"
    with pytest.raises(InputError, match=expected):
        hbac.adapt(parent, data, tmp_path / "out", table, simulated=simulated, log=lambda _: None)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_there_is_never_overwritten(parent: Path, clips: Path, tmp_path: Path) -> None:
    for name in ("weights_manifest.json", "adapted_fold1.safetensors"):
        out = tmp_path / name.split(".")[0]
        out.mkdir()
        (out / name).write_text("mine")
        with pytest.raises(OutputError, match=f"{name}: expected a place without this file"):
            hbac.adapt(parent, clips, out, simulated=0, log=lambda _: None)
        assert (out / name).read_text() == "mine"
        assert len(list(out.iterdir())) == 1
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="expected a folder to write to"):
        hbac.adapt(parent, clips, tmp_path / "file", simulated=0, log=lambda _: None)


def test_folds_that_do_not_answer_as_written_leave_no_file(
    parent: Path, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk changes a byte between writing and reading back."""
    from hbac.adaptation import written

    def damaged(manifest: object, path: Path) -> None:
        original(manifest, path)  # type: ignore[arg-type]
        document = json.loads(path.read_text())
        document["folds"][0]["golden"] = document["folds"][1]["golden"]
        path.write_text(json.dumps(document))

    original = written.write_manifest
    monkeypatch.setattr(written, "write_manifest", damaged)
    with pytest.raises(hbac.WeightsError, match="expected the golden record's answer"):
        hbac.adapt(parent, clips, tmp_path / "out", simulated=0, log=lambda _: None)
    assert not (tmp_path / "out").exists()
