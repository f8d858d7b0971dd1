"""Kernels as Kaggle runs them: from every mount, as scripts and as notebooks, with no network and no source tree.

Each mount layout, state of the wheel, kernel and form is seen here at least once; all of their combinations, and 2,640
records, are `python tests/bench/kaggle_forms.py`.
"""

import json
import os
from pathlib import Path

import pytest
from helpers_kaggle import LAYOUTS, TINY, WHEELS, Kaggle, bare_environment, mount, namespaces_allowed

from hbac.inference.submission import check_submission
from hbac.weights.manifest import read_manifest

pytestmark = pytest.mark.slow

BOTH = (
    ("flat", "packed", "hbac-infer"),
    ("competitions", "unpacked", "hbac-infer-notebook"),
    ("datasets", "renamed", "hbac-infer"),
    ("notebooks", "renamed", "hbac-train"),
    ("datasets", "unpacked", "hbac-train-notebook"),
)
RERUN = ("models", "unpacked", "hbac-infer")
assert {part for run in (*BOTH, RERUN) for part in run} >= {*LAYOUTS, *WHEELS}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare_environment(tmp_path_factory.mktemp("environment") / "venv")


def machine(environment: Path, folder: Path, one_block: bool = False) -> Kaggle:
    """With namespaces where they are allowed, else the nearest thing, said aloud."""
    if not namespaces_allowed():
        print("this machine allows no namespaces (unshare -rmn): kernels run on copies that name another folder")
    return Kaggle(environment, folder / "kaggle", sandboxed=namespaces_allowed(), one_block=one_block)


def ids_of(data: Path) -> list[int]:
    return [int(line.split(",")[0]) for line in (data / "sample_submission.csv").read_text().splitlines()[1:]]


def outputs(cells: list[dict]) -> str:  # type: ignore[type-arg]
    return json.dumps([output for cell in cells for output in cell.get("outputs", ())])


@pytest.mark.parametrize(("layout", "wheel", "kernel"), BOTH)
def test_a_pushed_kernel_does_its_work(
    layout: str, wheel: str, kernel: str, dist: Path, simulated: Path, environment: Path, tmp_path: Path
) -> None:
    kaggle = machine(environment, tmp_path, one_block="train" in kernel)
    mounted = mount(tmp_path / "input", layout, wheel, dist, simulated)
    done = kaggle.run(dist, kernel, mounted, TINY if "train" in kernel else [])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    working = kaggle.folder / "working"
    if "train" in kernel:
        assert [fold.file for fold in read_manifest(working / "weights_manifest.json").folds] == ["fold0.safetensors"]
        assert not list(working.glob("*.csv"))
    else:
        check_submission(working / "submission.csv", ids_of(simulated))
        report = json.loads((working / "submission_report.json").read_text())
        assert report["status"] == {"ok": 6}
        assert report["settings"]["test_dir"].startswith("/kaggle/input/" if kaggle.sandboxed else str(mounted))
        assert report["settings"]["time_budget_s"] == 8.5 * 3600
        form = ["__notebook__.ipynb", "notebook.ipynb"] if "notebook" in kernel else ["script.py"]
        assert sorted(os.listdir(working)) == [*form, "submission.csv", "submission_report.json"]
    if "notebook" in kernel:
        shown = outputs(json.loads((working / "__notebook__.ipynb").read_text())["cells"])
        assert ("report.html" in shown or "<h1>" in shown) if "train" in kernel else "image/png" in shown
        assert "ename" not in shown


def test_the_rerun_s_other_rows_and_a_missing_file_take_the_same_way(
    dist: Path, test_dir: Path, environment: Path, tmp_path: Path
) -> None:
    """One row instead of six, its spectrogram gone, the template's rows others than test.csv's."""
    lines = (test_dir / "test.csv").read_text().splitlines()
    (test_dir / "test.csv").write_text("\n".join(lines[:2]) + "\n")
    spectrogram_id, eeg_id = lines[1].split(",")[:2]
    assert (test_dir / "test_eegs" / f"{eeg_id}.parquet").exists()
    (test_dir / "test_spectrograms" / f"{spectrogram_id}.parquet").unlink()
    kaggle = machine(environment, tmp_path)
    layout, wheel, kernel = RERUN
    mounted = mount(tmp_path / "input", layout, wheel, dist, test_dir)
    done = kaggle.run(dist, kernel, mounted, [])
    assert done.returncode == 0, done.stdout + done.stderr
    check_submission(kaggle.folder / "working" / "submission.csv", [int(eeg_id)])
    report = json.loads((kaggle.folder / "working" / "submission_report.json").read_text())
    assert [row["eeg_id"] for row in report["rows_not_answered_whole"]] == [int(eeg_id)]


def test_a_notebook_whose_run_fails_fails_too(dist: Path, simulated: Path, environment: Path, tmp_path: Path) -> None:
    kaggle = machine(environment, tmp_path)
    mounted = mount(tmp_path / "input", "datasets", "unpacked", dist, simulated)
    (mounted / LAYOUTS["datasets"][2] / "weights_manifest.json").unlink()
    done = kaggle.run(dist, "hbac-infer-notebook", mounted, [])
    assert done.returncode != 0
    shown = outputs(json.loads((kaggle.folder / "working" / "__notebook__.ipynb").read_text())["cells"])
    assert "expected a data set with weights_manifest.json once" in shown
    assert "no submission was written" in shown
    assert not (kaggle.folder / "working" / "submission.csv").exists()


def test_where_no_namespaces_are_allowed_the_nearest_thing_runs(
    dist: Path, simulated: Path, environment: Path, tmp_path: Path
) -> None:
    kaggle = Kaggle(environment, tmp_path / "kaggle", sandboxed=False)
    mounted = mount(tmp_path / "input", "datasets", "packed", dist, simulated)
    done = kaggle.run(dist, "hbac-infer", mounted, [])
    assert done.returncode == 0, done.stdout + done.stderr
    check_submission(kaggle.folder / "working" / "submission.csv", ids_of(simulated))
