"""`hbac weights blend`: from output folders to a mixed manifest that verifies, and what is said of it."""

import json
import shutil
from pathlib import Path

import pytest
from helpers_experts import expert, guesser, truth
from helpers_folds import MIXED, write_random_folds

from hbac.cli import main
from hbac.weights.manifest import read_manifest

pytestmark = pytest.mark.usefixtures("shallow_network")
TABLE = truth(20)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, shallow_network: None) -> list[Path]:
    """Two good runs on different inputs, and one that has not looked. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    tables = {"zooms": expert(TABLE, 1.0, 1), "starter": expert(TABLE, 1.2, 2), "lazy": guesser(TABLE, 3)}
    for number, (name, table) in enumerate(tables.items()):
        preset = MIXED[number % 2]
        write_random_folds(folder / name, width=1, folds=2, seed=number, temperature=1.0 + number, preprocessing=preset)
        table.to_parquet(folder / name / "oof.parquet")
    return [folder / name for name in tables]


def test_a_blend_verifies_and_says_what_it_gains(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "blend"
    assert main(["weights", "blend", *map(str, runs), "--output", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    manifest = read_manifest(out / "weights_manifest.json")
    found = manifest.training["blend"]
    assert [member.name for member in manifest.members] == ["zooms", "starter"]
    assert [member.weight for member in manifest.members] == pytest.approx(
        [r["weight"] for r in found["runs"][:2]], abs=1e-4
    )
    assert [member.temperature for member in manifest.members] == [1.0, 2.0]
    assert [fold.weight for fold in manifest.members[0].folds] == [1.0, 2.0]
    assert (manifest.mean, found["mean"]) == ("geometric", "geometric")
    assert (found["rows"], found["patients"], found["best_run"]) == (len(TABLE), 20, "zooms")
    assert found["gain"] > 3 * found["standard_error"]
    assert found["runs"][2]["weight"] == 0
    assert manifest.training["runs"]["starter"] == {"command": "tests/helpers_folds.py"}
    assert f"{len(TABLE)} rows with 10 votes or more of 20 patients" in said[0]
    assert [line.split()[0] for line in said[2:5]] == ["zooms", "starter", "lazy"]
    assert "left out" in said[4]
    assert said[6].startswith(f"gain over zooms, the best run: {found['gain']:+.4f}, standard error ")
    assert said[-1] == f"{out / 'weights_manifest.json'}: 2 of 3 runs, geometric mean"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.safetensors")) == [
        f"{name}/{name}_fold{number}.safetensors" for name in ("starter", "zooms") for number in (0, 1)
    ]
    assert main(["verify", str(out / "weights_manifest.json")]) == 0


def test_runs_that_gain_nothing_on_other_patients_leave_the_best_alone(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, run, table in (("lazy", runs[2], guesser(TABLE, 4)), ("zooms", runs[0], expert(TABLE, 1.0, 1))):
        shutil.copytree(run, tmp_path / name)
        table.to_parquet(tmp_path / name / "oof.parquet")
    out = tmp_path / "out"
    assert main(["weights", "blend", str(tmp_path / "lazy"), str(tmp_path / "zooms"), "--output", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    manifest = read_manifest(out / "weights_manifest.json")
    assert not manifest.is_mixed
    assert [fold.file for fold in manifest.folds] == ["zooms/zooms_fold0.safetensors", "zooms/zooms_fold1.safetensors"]
    assert said[-1].endswith(": 1 of 2 runs: no blend gains on other patients")
    assert said[-3].startswith("zooms alone: KL ")


def test_the_same_runs_give_the_same_bytes(runs: list[Path], tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        main(["weights", "blend", *map(str, runs), "--output", str(tmp_path / name)])
        texts.append((tmp_path / name / "weights_manifest.json").read_bytes())
    assert texts[0] == texts[1]


def test_rows_that_are_not_in_all_runs_are_counted_aloud(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(runs[1], tmp_path / "short")
    expert(TABLE, 1.2, 2).iloc[6:].to_parquet(tmp_path / "short" / "oof.parquet")
    assert main(["weights", "blend", str(runs[0]), str(tmp_path / "short"), "--output", str(tmp_path / "out")]) == 0
    assert f"zooms: 6 of its {len(TABLE)} rows are not in all runs and do not count" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["output", "manifest", "table", "fold"])
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    what: str, runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in runs[:2]:
        shutil.copytree(run, tmp_path / run.name)
    out = tmp_path / "out"
    if what == "output":
        out.mkdir()
        (out / "file").touch()
        said = "not there yet or empty"
    elif what == "manifest":
        (tmp_path / "zooms" / "weights_manifest.json").unlink()
        said = "expected a manifest"
    elif what == "table":
        (tmp_path / "zooms" / "oof.parquet").unlink()
        said = "out-of-fold predictions"
    else:
        (tmp_path / "zooms" / "weights" / "random_fold1.safetensors").write_bytes(b"other")
        said = "expected SHA-256"
    assert main(["weights", "blend", str(tmp_path / "zooms"), str(tmp_path / "starter"), "--output", str(out)]) == 2
    received = capsys.readouterr().err
    assert said in received
    assert len(received.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "out"))] == ["out"] * out.exists()


def test_a_blend_of_a_blend_is_refused(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["weights", "blend", *map(str, runs), "--output", str(tmp_path / "blend")])
    shutil.copy(runs[0] / "oof.parquet", tmp_path / "blend")
    assert main(["weights", "blend", str(runs[0]), str(tmp_path / "blend"), "--output", str(tmp_path / "out")]) == 2
    assert "expected a manifest of one member, received a mixed one of 2: zooms, starter" in capsys.readouterr().err
    assert json.loads((tmp_path / "blend" / "weights_manifest.json").read_text())["mean"] == "geometric"
