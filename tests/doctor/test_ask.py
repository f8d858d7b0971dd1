"""`hbac doctor`: a point for each thing that a run needs, and a fault for what would end it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import package_folder

from hbac.doctor import of_inputs, of_machine
from hbac.doctor.points import FAULT, NOTE, OK, Point, asked
from hbac.errors import InputError
from hbac.machine import environment

Run = Callable[..., subprocess.CompletedProcess[str]]


def state_of(points: list[dict[str, str]]) -> dict[str, str]:
    return {point["name"]: point["state"] for point in points}


@pytest.mark.slow
def test_a_machine_on_which_all_is_well_has_no_fault(
    hbac: Run, test_dir: Path, manifest: Path, simulated: Path
) -> None:
    done = hbac("doctor", "--test-dir", test_dir, "--manifest", manifest, "--data", simulated, "--json")
    assert done.returncode == 0, done.stdout
    states = state_of(json.loads(done.stdout))
    assert FAULT not in states.values()
    named = {"python", "numpy", "tensorflow", "cores", "memory", "engine tensorflow", "test data", "manifest", "images"}
    assert named <= states.keys()


@pytest.mark.slow
def test_what_would_end_a_run_is_a_fault_and_exit_code_1(hbac: Run, test_dir: Path, tmp_path: Path) -> None:
    shutil.rmtree(test_dir / "test_eegs")
    shutil.rmtree(test_dir / "test_spectrograms")
    done = hbac("doctor", "--test-dir", test_dir, "--manifest", tmp_path / "none.json")
    assert done.returncode == 1
    faults = [line for line in done.stdout.splitlines() if line.startswith("fault ")]
    assert [line.split(":")[0] for line in faults] == [*["fault test data"] * 3, "fault first record", "fault manifest"]
    assert "0 of 6 EEG files found: expected files such as " in faults[1]
    assert "of 6 records 0 have an EEG and 0 a spectrogram as well; looked for in" in faults[0]


@pytest.mark.parametrize("package", ["numpy", "pyarrow"])
def test_a_package_that_does_not_work_is_a_fault_and_the_rest_is_still_said(package: str, tmp_path: Path) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError('built for another NumPy')\n")
    variables = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{package_folder()}", "OPENBLAS_CORETYPE": "Prescott"}
    done = subprocess.run(
        [sys.executable, "-m", "hbac", "doctor", "--json"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    points = json.loads(done.stdout)
    states = state_of(points)
    assert states[package] == FAULT
    assert {"cores", "output folder", "temporary folder", "variable"} <= states.keys()
    said = next(point["text"] for point in points if point["name"] == package)
    assert "built for another NumPy" in said
    assert str(tmp_path) in said


@pytest.mark.parametrize("package", ["tensorflow", "keras", "scikit-learn", "matplotlib"])
@pytest.mark.parametrize(("training", "state"), [(False, NOTE), (True, FAULT)])
def test_what_training_alone_needs_is_a_fault_to_it_alone(
    package: str, training: bool, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_machine, "_fault_of", lambda name: f"{name}: gone" if name == package else None)
    assert {point.name: point.state for point in of_machine.packages(training)}[package] == state


@pytest.mark.parametrize("other", [0.5, float("nan")])
def test_engines_that_answer_otherwise_are_a_fault(other: float, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"tensorflow": 0.0, "openvino": other}
    monkeypatch.setattr(of_machine, "_answer", lambda name: (np.full((1, 6), answers[name]), name))
    assert [point.state for point in of_machine.engines()] == [OK, OK, FAULT]
    answers["openvino"] = 1e-6
    assert [point.state for point in of_machine.engines()] == [OK, OK]


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    points = {point.name: point for point in of_machine.folders(tmp_path / "none")}
    assert points["output folder"].state == FAULT
    assert str(tmp_path / "none") in points["output folder"].text
    assert points["temporary folder"].state in (OK, NOTE)
    assert [point.state for point in of_machine.folders(tmp_path)][0] in (OK, NOTE)
    assert list(tmp_path.iterdir()) == []


def test_records_without_some_of_their_files_are_a_note(test_dir: Path) -> None:
    next((test_dir / "test_spectrograms").iterdir()).unlink()
    points = {point.name: point for point in of_inputs.test_folder(test_dir)}
    assert points["test data"].state == NOTE
    assert points["test data"].text.startswith("of 6 records 6 have an EEG and 5 a spectrogram as well; looked for in")


@pytest.mark.parametrize("column", ["eeg_id", "id"])
def test_a_template_of_other_ids_is_a_note(column: str, test_dir: Path) -> None:
    (test_dir / "sample_submission.csv").write_text(f"{column}\n1\n")
    (point,) = (point for point in of_inputs.test_folder(test_dir) if point.name == "order of rows")
    assert point.state == NOTE
    assert "sample_submission.csv: expected " in point.text
    assert point.text.endswith("a run follows test.csv")


def test_what_is_attached_is_told_by_what_a_kernel_would_take(tmp_path: Path, test_dir: Path) -> None:
    points = {point.name: point for point in of_inputs.mounts([tmp_path, test_dir])}
    assert points["test data"].text == f"found as {test_dir}"
    assert points["manifest"].state == NOTE


def test_variables_that_were_taken_away_are_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(environment.named, "KERAS_BACKEND", "jax")
    assert Point("variable", NOTE, "KERAS_BACKEND=jax could change answers; hbac does not use it") in list(
        of_machine.variables()
    )


def test_an_error_of_the_package_is_a_fault() -> None:
    def ask():  # type: ignore[no-untyped-def]
        yield Point("first", OK, "fine")
        raise InputError("no such table")

    assert [point.line() for point in asked("second", ask)] == ["ok    first: fine", "fault second: no such table"]
