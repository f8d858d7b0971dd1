"""The command line: exit codes, one clear line for an error, and each command's main path."""

import json
from pathlib import Path

import numpy as np
import pytest

from hbac.cli import main
from hbac.weights.checkpoints import load_fold, read_tensors
from hbac.weights.manifest import read_manifest


def test_an_error_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["predict", "--test-dir", str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("hbac: error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["predict"], ["predict", "--test-dir"], ["no-such"], ["weights"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: hbac" in capsys.readouterr().err


def test_a_wrong_time_budget_is_refused(capsys: pytest.CaptureFixture[str], test_dir: Path) -> None:
    assert main(["predict", "--test-dir", str(test_dir), "--time-budget", "soon"]) == 2
    assert "8h30m" in capsys.readouterr().err


def test_check_accepts_the_template_and_refuses_another(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = simulated / "sample_submission.csv"
    assert main(["check", str(template), "--test-dir", str(simulated)]) == 0
    assert "6 rows, valid" in capsys.readouterr().out
    lines = template.read_text().splitlines()
    (tmp_path / "short.csv").write_text("\n".join(lines[:-1]) + "\n")
    assert main(["check", str(tmp_path / "short.csv"), "--test-dir", str(simulated)]) == 2
    assert "1 fewer" in capsys.readouterr().err


def test_simulate_writes_what_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "data"
    assert main(["simulate", str(out), "--patients", "0", "--test-records", "1", "--seed", "5", "--quiet"]) == 0
    assert len((out / "test.csv").read_text().splitlines()) == 2
    assert main(["simulate", str(out), "--patients", "1"]) == 2
    assert str(out) in capsys.readouterr().err


@pytest.mark.parametrize("balanced", [False, True])
def test_simulate_balances_the_classes_only_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, balanced: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("hbac.simulation.dataset.simulate", lambda *_, **options: asked.append(options["balanced"]))
    assert main(["simulate", str(tmp_path / "data"), "--patients", "1", *["--balanced"] * balanced]) == 0
    assert asked == [balanced]


def test_verify_accepts_whole_weights_and_names_a_wrong_answer(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(manifest)]) == 0
    assert "3 folds, width 8" in capsys.readouterr().out
    document = json.loads(manifest.read_text())
    document["folds"][1]["golden"] = document["folds"][0]["golden"]
    (manifest.parent / "wrong.json").write_text(json.dumps(document))
    assert main(["verify", str(manifest.parent / "wrong.json")]) == 2
    assert "random_fold1.safetensors: expected the golden record's answer" in capsys.readouterr().err


def test_a_fold_goes_out_as_keras_and_comes_back_the_same(manifest: Path, tmp_path: Path) -> None:
    stated = read_manifest(manifest)
    exported, imported = tmp_path / "fold.keras", tmp_path / "fold.safetensors"
    assert main(["weights", "export", str(manifest), str(exported), "--fold", "1"]) == 0
    assert main(["weights", "import", str(exported), str(imported), "--width", "8"]) == 0
    before, after = load_fold(stated, stated.folds[1]), read_tensors(imported, stated.network)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert main(["weights", "export", str(manifest), str(exported), "--fold", "3"]) == 2
    assert main(["weights", "import", str(exported), str(tmp_path / "fold.txt"), "--width", "8"]) == 2
    assert main(["weights", "import", str(exported), str(imported), "--width", "16"]) == 2


@pytest.mark.slow
def test_a_manifest_for_checkpoints_made_elsewhere_can_be_used_at_once(manifest: Path, tmp_path: Path) -> None:
    exported, written = tmp_path / "best_model.keras", tmp_path / "weights_manifest.json"
    assert main(["weights", "export", str(manifest), str(exported)]) == 0
    command = ["weights", "manifest", str(exported), "--output", str(written), "--width", "8", "--preprocessing"]
    assert main([*command, "three-zooms-v1"]) == 0
    assert main(["verify", str(written)]) == 0
    assert main([*command, "starter-v1"]) == 0
    assert read_manifest(written).preprocessing.preset == "starter-v1"
    assert main([*command, "none-such"]) == 2
