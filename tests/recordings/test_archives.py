"""Many recordings: folders, BIDS data sets, and workers beside each other, all to the same files."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from helpers_recordings import write_edf
from helpers_runs import make_weights

import hbac
from hbac.cli import main
from hbac.errors import MachineError
from hbac.recordings import cluster, run
from hbac.recordings.bids import recordings_in, write_description
from hbac.recordings.cluster import spread
from hbac.recordings.items import items_of
from hbac.recordings.run import ScanSettings, files_named, scan_files


@pytest.fixture
def loaded(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "make_ensemble", lambda *_, **__: fake())


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def tree_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def places(folder: Path, output: str = "out") -> list[str]:
    return [item.place for item in items_of([folder], folder.parent / output)]


def test_all_recordings_below_a_folder_are_found_and_nothing_else(tmp_path: Path) -> None:
    archive = touch(
        tmp_path / "archive", "b.EDF", "a/x.vhdr", "a/x.eeg", "a/x.vmrk", "a/deep/y.bdf", "a/notes.txt", "z.set", "z.fdt",
        ".git/c.edf", "a/._x.edf", "e.mff/signal1.bin", "long_raw.fif", "long_raw-1.fif", "part-1.fif", "g.fif.gz",
    )  # fmt: skip
    expected = ["a/deep/y", "a/x", "b", "e", "g.fif", "long_raw", "part-1", "z"]
    assert places(archive) == expected
    assert [item.source for item in items_of([archive / "z.set", archive / "a"], tmp_path)] == [
        archive / "z.set",
        archive / "a" / "deep" / "y.bdf",
        archive / "a" / "x.vhdr",
    ]


def test_links_are_followed_and_a_circle_ends(tmp_path: Path) -> None:
    archive = touch(tmp_path / "archive", "a/x.edf")
    touch(tmp_path, "elsewhere/y.edf")
    (archive / "link").symlink_to(tmp_path / "elsewhere")
    (archive / "a" / "circle").symlink_to(archive)
    (archive / "gone.edf").symlink_to(tmp_path / "not fetched")
    assert places(archive) == ["a/x", "gone", "link/y"]


def test_results_are_no_recordings(tmp_path: Path) -> None:
    archive = touch(tmp_path / "archive", "a.edf", "a_annotations.edf", "a_probabilities.csv", "b_annotations.edf")
    touch(archive, "out/a_annotations.edf")
    assert [item.place for item in items_of([archive], archive / "out")] == ["a", "b_annotations"]


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(hbac.InputError, match=r"archive: expected recordings \(.edf, .*\), found none"):
        items_of([touch(tmp_path / "archive", "a.txt")], tmp_path / "out")


@pytest.mark.usefixtures("loaded")
def test_results_lie_as_recordings_do(eeg: np.ndarray, tmp_path: Path) -> None:  # type: ignore[type-arg]
    archive = tmp_path / "archive"
    for name in ("a.edf", "one/a.edf", "two/deep/b.edf"):
        touch(archive, name)
        write_edf(archive / name, eeg[: 20 * 200])
    (archive / "one" / "broken.edf").write_bytes(b"0       " + b"x" * 500)
    settings = ScanSettings((archive,), tmp_path / "out", ROOT / "weights_manifest.json", progress=False, resume=True)
    found = list(scan_files(settings))
    assert [outcome.line.split(": ")[0] for outcome in found if not outcome.failed] == ["a", "one/a", "two/deep/b"]
    (failed,) = [outcome.line for outcome in found if outcome.failed]
    assert failed.startswith(f"{archive / 'one' / 'broken.edf'}: expected a number of signals, received")
    results = [
        f"{folder}{name}" for folder, of in (("", "a"), ("one/", "a"), ("two/deep/", "b")) for name in files_named(of)
    ]
    assert sorted(tree_of(tmp_path / "out")) == sorted(results)
    lines = [outcome.line for outcome in scan_files(settings) if not outcome.failed]
    assert lines == ["a: done before", "one/a: done before", "two/deep/b: done before"]


def test_two_recordings_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    archive = touch(tmp_path / "archive", "a/x.edf", "a/x.bdf", "b/x.edf")
    settings = ScanSettings((archive,), tmp_path / "out", ROOT / "weights_manifest.json")
    with pytest.raises(hbac.InputError, match=r"received 2 called 'a/x': .*x.bdf, .*x.edf"):
        list(scan_files(settings))
    assert not settings.output.exists()


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    data = touch(
        tmp_path / "bids",
        "sub-01/eeg/sub-01_task-rest_eeg.edf",
        "sub-01/eeg/sub-01_task-rest_eeg.json",
        "sub-01/eeg/sub-01_task-rest_channels.tsv",
        "sub-02/ses-a/eeg/sub-02_ses-a_task-rest_eeg.vhdr",
        "sub-02/ses-a/eeg/sub-02_ses-a_task-rest_eeg.eeg",
        "sub-02/ses-b/eeg/sub-02_ses-b_task-rest_eeg.bdf",
        "sub-03/anat/sub-03_T1w.nii.gz",
        "sourcedata/sub-01/eeg/sub-01_eeg.edf",
        "derivatives/x/sub-01/eeg/sub-01_eeg.edf",
    )
    (data / "dataset_description.json").write_text('{"Name": "Nights", "BIDSVersion": "1.8.0"}')
    return data


ONE = "sub-01/eeg/sub-01_task-rest_eeg"
A, B = (f"sub-02/ses-{label}/eeg/sub-02_ses-{label}_task-rest_eeg" for label in "ab")


@pytest.mark.parametrize(
    "participants, sessions, expected",
    [
        ((), (), [ONE, A, B]),
        (("01",), (), [ONE]),
        (("sub-02", "01"), (), [ONE, A, B]),
        (("02",), ("b",), [B]),
        ((), ("ses-a",), [A]),
    ],
)
def test_the_eeg_of_participants_and_sessions(
    bids: Path, participants: tuple[str, ...], sessions: tuple[str, ...], expected: list[str]
) -> None:
    assert [item.place for item in recordings_in(bids, participants, sessions)] == expected


@pytest.mark.parametrize(
    "participants, sessions, message",
    [
        (("01", "7"), (), "participant-label: expected some of sub-01, sub-02, sub-03, received sub-7"),
        (("02",), ("c",), "session-label: expected some of ses-a, ses-b, received ses-c"),
        (("01",), ("a",), "session-label: expected some of none, as there are none, received ses-a"),
        (("01", "03"), (), "sub-03: expected recordings eeg/"),
        (("01", "02"), ("a",), "sub-01: expected recordings eeg/"),
    ],
)
def test_labels_of_nothing_are_refused_by_name(
    bids: Path, participants: tuple[str, ...], sessions: tuple[str, ...], message: str
) -> None:
    with pytest.raises(hbac.InputError, match=message):
        recordings_in(bids, participants, sessions)


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(hbac.InputError, match="expected a BIDS data set, found no folder"):
        recordings_in(tmp_path / "gone")
    with pytest.raises(hbac.InputError, match=r"expected recordings sub-\*/\[ses-\*/\]eeg/\*_eeg"):
        recordings_in(touch(tmp_path, "a.edf"))


def test_the_description_of_another_data_set_stays(bids: Path, tmp_path: Path) -> None:
    before = (bids / "dataset_description.json").read_bytes()
    with pytest.raises(hbac.InputError, match="received the data set itself"):
        write_description(bids, bids)
    other = tmp_path / "other"
    other.mkdir()
    (other / "dataset_description.json").write_bytes(before)
    with pytest.raises(hbac.InputError, match="received the data set of another"):
        write_description(bids, other)
    assert (
        (bids / "dataset_description.json").read_bytes() == (other / "dataset_description.json").read_bytes() == before
    )


@pytest.mark.usefixtures("loaded")
def test_a_bids_app_scans_resumes_and_summarises(
    eeg: np.ndarray,  # type: ignore[type-arg]
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, out = tmp_path / "bids", tmp_path / "out"
    places = [f"sub-{label}/eeg/sub-{label}_task-rest_eeg" for label in ("01", "02")]
    for place in places:
        touch(data, f"{place}.edf")
        write_edf(data / f"{place}.edf", eeg[: 20 * 200])

    def app(*words: str) -> int:
        return main(["scan-bids", str(data), str(out), *words])

    settings = ["--manifest", str(ROOT / "weights_manifest.json"), "--quiet"]
    assert app("participant", "--participant-label", "02", *settings) == 0
    assert set(tree_of(out)) == {
        "dataset_description.json",
        *(f"sub-02/eeg/{name}" for name in files_named(Path(places[1]).name)),
    }
    description = json.loads((out / "dataset_description.json").read_text())
    assert (description["DatasetType"], description["GeneratedBy"][0]["Name"]) == ("derivative", "hbac")
    capsys.readouterr()
    assert app("participant", *settings) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{places[0]}: 0.01 h")
    assert lines[1] == f"{places[1]}: done before"
    assert app("participant", "--participant_label", "03", *settings) == 2
    assert app("group", "--participant-label", "01") == 2
    assert app("group") == 0
    assert capsys.readouterr().out.startswith("2 recordings, ")
    assert (out / "summary.csv").read_text().count("\nsub-0") == 2


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"dask": "a-host-without-port"},
            "dask: expected local, an address such as .*, received 'a-host-without-port'",
        ),
        ({"workers": 2}, "workers: expected 1 or more of --dask local, received 2"),
        ({"dask": "local", "workers": 0}, "workers: expected 1 or more of --dask local, received 0"),
    ],
)
def test_a_cluster_that_is_none_is_refused(
    eeg: np.ndarray,  # type: ignore[type-arg]
    tmp_path: Path,
    change: dict[str, Any],
    message: str,
) -> None:
    recording = write_edf(tmp_path / "a.edf", eeg[: 20 * 200])
    settings = ScanSettings((recording,), tmp_path / "out", ROOT / "weights_manifest.json", progress=False)
    with pytest.raises(hbac.InputError, match=message):
        list(scan_files(replace(settings, **change)))


def test_without_the_package_that_is_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MachineError, match=r"distributed: expected .* --dask, .*pip install 'hbac\[cluster\]'"):
        list(spread(str, [1], "local"))


def test_workers_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "usable_cores", lambda: 8)
    assert [cluster.streams_of("local", *asked) for asked in ((None, 100), (2, 100), (3, 100), (16, 100), (2, 1))] == [
        *(1, 4, 2, 1),
        8,  # one recording, one process
    ]
    assert cluster.streams_of("tcp://head:8786", None, 100) is None


NEEDS_DASK = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="distributed is not installed")


@NEEDS_DASK
def test_what_workers_die_of_is_told_and_the_rest_is_done() -> None:
    code = (
        "from hbac.recordings.cluster import spread; "
        'threads = \'__import__("hbac.recordings.cluster", fromlist=[""]).threads_of_worker()\'; '
        "tasks = ['1+1', '__import__(\"os\")._exit(1)', '2+2', threads]; "
        "print(*sorted(f'{type(made).__name__}: {made}' for _, made in spread(eval, tasks, 'local', 2)), sep='\\n')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(hbac.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "MachineError: expected a worker that lives to its end, received several that died: had they memory for it?",
        "int: 1",
        "int: 2",
        "int: 4",
    ]
    assert done.stderr == ""


@NEEDS_DASK
def test_two_workers_write_the_bytes_of_one_process(eeg: np.ndarray, tmp_path: Path) -> None:  # type: ignore[type-arg]
    archive = tmp_path / "archive"
    for number in range(3):
        path = archive / f"sub-{number}" / "night.edf"
        path.parent.mkdir(parents=True)
        write_edf(path, eeg[number * 8000 : number * 8000 + 60 * 200])
    (archive / "broken.edf").write_bytes(b"0       " + b"x" * 500)
    manifest = make_weights(tmp_path / "folds")
    settings = ScanSettings((archive,), tmp_path / "serial", manifest, progress=False)
    serial = list(scan_files(settings))
    words = ["-m", "hbac", "scan", "archive", "--output", "spread", "--manifest", manifest.relative_to(tmp_path)]
    done = subprocess.run(
        [sys.executable, *map(str, words), "--quiet", "--dask", "local", "--workers", "2"],
        env={**os.environ, "PYTHONPATH": str(Path(hbac.__file__).parents[1])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(outcome.line for outcome in serial if not outcome.failed)
    assert [line for line in done.stderr.splitlines() if "broken.edf" in line] == [
        outcome.line.replace(f"{tmp_path}/", "") for outcome in serial if outcome.failed
    ]
    assert done.stderr.endswith("hbac: error: expected 4 recordings that can be scanned, 1 could not\n")
    assert tree_of(tmp_path / "spread") == tree_of(tmp_path / "serial")
