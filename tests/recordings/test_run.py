"""`hbac scan`: files whole or not at all, one recording's fault its own, and what is done not done again."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from helpers_recordings import write_edf

import hbac
from hbac.cli import main
from hbac.recordings import run
from hbac.recordings.burden import burden_csv
from hbac.recordings.events import Rules
from hbac.recordings.items import inputs_of
from hbac.recordings.run import Outcome, ScanSettings, scan_files


@pytest.fixture
def loaded(fake: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A fake ensemble in place of folds; a 1 for each time that it was loaded."""
    times: list[int] = []

    def make(*_: Any, **__: Any) -> Any:
        times.append(1)
        return fake()

    monkeypatch.setattr(run, "make_ensemble", make)
    return times


@pytest.fixture
def settings(eeg: np.ndarray, tmp_path: Path) -> ScanSettings:  # type: ignore[type-arg]
    recordings = tuple(write_edf(tmp_path / f"{name}.edf", eeg[: 30 * 200]) for name in ("a", "b"))
    return ScanSettings(recordings, tmp_path / "out", ROOT / "weights_manifest.json", progress=False)


def lines(outcomes: Any) -> list[tuple[str, bool]]:
    return [(outcome.line, outcome.failed) for outcome in outcomes]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_each_recording_has_its_files_and_a_line(settings: ScanSettings, loaded: list[int]) -> None:
    first, second = scan_files(settings)
    assert not first.failed
    assert first.line.startswith("a: 0.01 h: ")
    assert "3 partly missing" in first.line
    assert names(settings.output) == {name for recording in ("a", "b") for name in run.files_named(recording)}
    assert loaded == [1]
    assert second.source == settings.recordings[1]


def test_the_last_file_tells_what_the_others_are_of(settings: ScanSettings, loaded: list[int]) -> None:
    list(scan_files(settings))
    document = json.loads((settings.output / "a_scan.json").read_text())
    assert document["of"]["inputs"] == {"a.edf": run.sha256_of(settings.recordings[0])}
    assert (document["seconds"], document["steps"]) == (30.0, {"partly missing": 3})
    assert document["files"] == {
        name: run.sha256_of(settings.output / name) for name in run.files_named("a") if name != "a_scan.json"
    }


@pytest.mark.usefixtures("loaded")
def test_a_recording_that_cannot_be_read_is_a_line_and_no_file(settings: ScanSettings, tmp_path: Path) -> None:
    (tmp_path / "no.edf").write_bytes(b"0       " + b"x" * 500)
    both = (tmp_path / "gone.edf", tmp_path / "no.edf", settings.recordings[1])
    found = list(scan_files(replace(settings, recordings=both)))
    assert [outcome.failed for outcome in found] == [True, True, False]
    assert found[0].line == f"{tmp_path / 'gone.edf'}: expected a recording, found none"
    assert found[1].line.startswith("no.edf: expected a number of signals, received")
    assert "\n" not in found[1].line
    assert names(settings.output) == set(run.files_named("b"))


def done(outcomes: Any) -> list[bool]:
    return [outcome.line.endswith(": done before") for outcome in outcomes]


def test_resume_leaves_out_what_is_done(settings: ScanSettings, loaded: list[int]) -> None:
    again = replace(settings, resume=True)
    assert done(scan_files(replace(again, recordings=settings.recordings[:1]))) == [False]
    before = {path: path.stat().st_mtime_ns for path in settings.output.iterdir()}
    assert done(scan_files(again)) == [True, False]
    assert done(scan_files(again)) == [True, True]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert len(loaded) == 2


@pytest.mark.usefixtures("loaded")
def test_without_resume_all_is_done_anew(settings: ScanSettings) -> None:
    assert done(scan_files(settings)) == done(scan_files(settings)) == [False, False]


def other_input(settings: ScanSettings) -> ScanSettings:
    path = settings.recordings[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    return settings


def other_output(settings: ScanSettings) -> ScanSettings:
    (settings.output / "a_events.tsv").write_text("cut")
    return settings


def missing_output(settings: ScanSettings) -> ScanSettings:
    (settings.output / "a_probabilities.csv").unlink()
    return settings


def half_of_the_last_file(settings: ScanSettings) -> ScanSettings:
    path = settings.output / "a_scan.json"
    path.write_bytes(path.read_bytes()[:300])
    return settings


@pytest.mark.parametrize(
    "change",
    [
        other_input,
        other_output,
        missing_output,
        half_of_the_last_file,
        lambda settings: replace(settings, step_s=20),
        lambda settings: replace(settings, rules=Rules(0.6, 0.6)),
        lambda settings: replace(settings, unit="mV"),
    ],
)
@pytest.mark.usefixtures("loaded")
def test_resume_does_again_what_is_of_something_else(settings: ScanSettings, change: Any) -> None:
    one = replace(settings, recordings=settings.recordings[:1], resume=True)
    assert done(scan_files(one)) == [False]
    changed = change(one)
    assert done(scan_files(changed)) == [False]
    assert done(scan_files(changed)) == [True]


def test_recordings_of_one_name_are_refused(settings: ScanSettings, tmp_path: Path) -> None:
    twice = (*settings.recordings, tmp_path / "elsewhere" / "a.bdf")
    with pytest.raises(hbac.InputError, match="expected a name of its own for each, received 2 called 'a'"):
        list(scan_files(replace(settings, recordings=twice)))


def test_a_recording_that_the_scan_of_another_would_write_over_is_refused(
    settings: ScanSettings, tmp_path: Path
) -> None:
    both = (tmp_path / "a.edf", tmp_path / "a_annotations.edf")
    with pytest.raises(
        hbac.InputError, match=r"a_annotations.edf: expected a recording, received a file that the scan of"
    ):
        list(scan_files(replace(settings, recordings=both, output=tmp_path)))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"step_s": 0}, "step: expected"),
        ({"recordings": ()}, "recordings: expected one or more, received none"),
        ({"engine": "torch"}, "engine: expected one of"),
        ({"rules": Rules(2.0)}, "threshold: expected"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_before_anything_is_written(
    settings: ScanSettings, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(hbac.InputError, match=message):
        list(scan_files(replace(settings, **change)))
    assert not settings.output.exists()


def test_a_file_in_the_output_s_place_is_refused(settings: ScanSettings) -> None:
    settings.output.write_text("")
    with pytest.raises(hbac.OutputError, match="out: expected a folder to write to"):
        list(scan_files(settings))


def test_what_belongs_to_a_recording(tmp_path: Path) -> None:
    for name in ("a.vhdr", "a.eeg", "a.vmrk", "ab.eeg", "x[1].set", "x[1].fdt", "b.edf", "b.txt"):
        (tmp_path / name).touch()
    (tmp_path / "c.mff").mkdir()
    (tmp_path / "c.mff" / "signal1.bin").touch()

    def of(name: str) -> list[str]:
        return [path.name for path in inputs_of(tmp_path / name)]

    assert of("a.vhdr") == ["a.eeg", "a.vhdr", "a.vmrk"]
    assert of("x[1].set") == ["x[1].fdt", "x[1].set"]
    assert of("b.edf") == ["b.edf"]
    assert of("c.mff") == ["signal1.bin"]


@pytest.mark.usefixtures("loaded")
def test_the_command_ends_with_2_if_a_recording_failed(
    settings: ScanSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--output", tmp_path / "out", "--manifest", settings.manifest, "--step", 20, "--quiet"]
    assert main(list(map(str, ["scan", settings.recordings[0], tmp_path / "gone.edf", *arguments]))) == 2
    told = capsys.readouterr()
    assert told.out.startswith("a: 0.01 h")
    assert told.err.splitlines() == [
        f"{tmp_path / 'gone.edf'}: expected a recording, found none",
        "hbac: error: expected 2 recordings that can be scanned, 1 could not",
    ]
    assert main(list(map(str, ["scan", settings.recordings[0], *arguments, "--resume"]))) == 0
    assert capsys.readouterr().out == "a: done before\n"


def test_an_outcome_is_no_failure_unless_it_says_so() -> None:
    assert not Outcome(Path("x.edf"), "x").failed


@pytest.mark.usefixtures("loaded")
def test_what_a_scan_wrote_can_be_summarised_and_says_the_same(settings: ScanSettings) -> None:
    list(scan_files(settings))
    summary = hbac.summarise(settings.output)
    assert [scan.place for scan in summary.scans] == ["a", "b"] and summary.refused == ()
    for scan in summary.scans:
        assert burden_csv(scan.burden) == (settings.output / f"{scan.place}_burden.csv").read_bytes()
    page = (settings.output / "summary.html").read_text("utf-8")
    assert 'href="a.html"' in page and 'href="b.html"' in page
    assert "demo folds" in (settings.output / "a.html").read_text("utf-8")


def test_a_fault_of_the_engine_ends_the_run_and_is_no_recording_s(
    settings: ScanSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise hbac.MachineError("openvino: expected it to be there")

    monkeypatch.setattr(run, "make_ensemble", broken)
    with pytest.raises(hbac.MachineError, match="openvino: expected it to be there"):
        list(scan_files(settings))
    assert not any(settings.output.iterdir())


def test_what_belongs_to_a_recording_by_another_name(tmp_path: Path) -> None:
    for name in (
        "s_raw.fif",
        "s_raw-1.fif",
        "s_raw-2.fif",
        "t_raw.fif",
        "data1.eeg",
        "marks.vmrk",
        "e.set",
        "other.fdt",
    ):
        (tmp_path / name).touch()
    (tmp_path / "bv.vhdr").write_text("[Common Infos]\nDataFile=data1.eeg\nMarkerFile=marks.vmrk\n")

    def of(name: str) -> list[str]:
        return [path.name for path in inputs_of(tmp_path / name)]

    assert of("s_raw.fif") == ["s_raw-1.fif", "s_raw-2.fif", "s_raw.fif"]
    assert of("bv.vhdr") == ["bv.vhdr", "data1.eeg", "marks.vmrk"]
    assert of("e.set") == ["e.set", "other.fdt"]


@pytest.mark.usefixtures("loaded")
def test_a_name_that_is_no_text_is_one_recording_s_fault(settings: ScanSettings, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.edf"))
    try:
        odd.write_bytes(settings.recordings[0].read_bytes())
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    first, second = scan_files(replace(settings, recordings=(odd, settings.recordings[1])))
    assert first.line == f"{tmp_path}/\\udcff.edf: expected a name in UTF-8, received other bytes"
    assert (first.failed, second.failed) == (True, False)
