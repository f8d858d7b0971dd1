"""The run from a test folder to submission.csv: every id answered, the same bytes, and clear refusals."""

import importlib.util
import io
import json
import os
import shutil
import stat
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import helpers_runs
import numpy as np
import pandas as pd
import pytest
from helpers_readers import Here
from helpers_runs import kill_after

from hbac.ensemble.calibrated import Ensemble
from hbac.errors import HbacError, InputError, OutputError, WeightsError
from hbac.hms import CLASSES, VOTE_COLUMNS
from hbac.inference import run as inference
from hbac.inference.answers import source_of
from hbac.inference.budget import Effort
from hbac.inference.run import RunSettings, predict
from hbac.inference.submission import check_submission
from hbac.network.tensorflow_engine import TensorFlowEngine
from hbac.preprocessing.load import EEG_ONLY, OK, OUT_OF_TIME, SPECTROGRAM_ONLY, UNREADABLE, load_record, sources_now
from hbac.preprocessing.readers import Loader
from hbac.records.tables import read_test_table
from hbac.weights.manifest import read_manifest


@pytest.fixture
def settings(test_dir: Path, shallow_manifest: Path, tmp_path: Path) -> RunSettings:
    return RunSettings(test_dir, shallow_manifest, tmp_path / "out" / "submission.csv", progress=False, workers=1)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests below are of what becomes of the images; the others take `Loader`."""
    monkeypatch.setattr(inference, "Loader", Here)


def ids_of(folder: Path) -> list[int]:
    return pd.read_csv(folder / "test.csv")["eeg_id"].tolist()


def report_of(settings: RunSettings) -> dict:
    return json.loads(settings.output.with_name("submission_report.json").read_text())


@pytest.mark.parametrize("flip", [False, True])
def test_every_record_gets_the_ensemble_s_answer(
    flip: bool, settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "Loader", Loader)
    summary = predict(replace(settings, flip_tta=flip))
    table = check_submission(settings.output, ids_of(settings.test_dir)).set_index("eeg_id")
    manifest = read_manifest(settings.manifest)
    ensemble = Ensemble(manifest, TensorFlowEngine(manifest.network))
    for record in read_test_table(settings.test_dir):
        image = load_record(record, manifest.preprocessing).image
        assert image is not None
        expected = ensemble.predict(image[None], flip=flip)[0]
        np.testing.assert_allclose(table.loc[record.eeg_id].to_numpy(), expected, atol=1e-4)
    assert table.round(3).nunique().min() > 1  # records differ, so that a constant answer would be seen
    assert summary.status == {OK: 6}
    assert summary.problems == ()
    assert sorted(os.listdir(settings.output.parent)) == ["submission.csv", "submission_report.json"]
    assert report_of(settings)["status"] == {OK: 6}


def test_the_report_says_what_the_start_went_into(settings: RunSettings) -> None:
    before = datetime.now(timezone.utc)
    summary = predict(settings)
    report = report_of(settings)
    assert list(report["start"]) == ["tables_and_readers", "import", "load", "first_record"]
    assert all(0 <= seconds <= summary.seconds for seconds in report["start"].values())
    until_ready = sum(seconds for part, seconds in report["start"].items() if part != "first_record")
    assert report["seconds_until_network_ready"] == pytest.approx(until_ready, abs=0.01)
    assert before <= datetime.fromisoformat(report["started"]) <= datetime.now(timezone.utc)


def test_the_real_record_is_answered(sample: Path, settings: RunSettings) -> None:
    summary = predict(replace(settings, test_dir=sample))
    assert summary.status == {OK: 1}
    assert len(check_submission(settings.output, [3911565283])) == 1


def test_a_stream_gets_the_bytes_of_the_file_and_nothing_is_written_beside_it(
    settings: RunSettings, tmp_path: Path
) -> None:
    predict(settings)
    pipe = tmp_path / "streams" / "pipe"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    summary = predict(replace(settings, output=pipe))
    received = os.read(reader, 1 << 20)
    os.close(reader)
    assert received == settings.output.read_bytes()
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert [path.name for path in pipe.parent.iterdir()] == ["pipe"]
    assert summary.report is None
    assert summary.line().endswith("no report beside what is no file")


def test_broken_files_are_answered_from_what_is_left_and_named(
    settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "Loader", Loader)
    records = read_test_table(settings.test_dir)
    records[0].eeg_path.unlink()
    records[1].spectrogram_path.write_bytes(b"garbage")  # type: ignore[union-attr]
    records[2].eeg_path.write_bytes(b"")
    records[2].spectrogram_path.unlink()  # type: ignore[union-attr]
    summary = predict(settings)
    table = check_submission(settings.output, ids_of(settings.test_dir)).set_index("eeg_id")
    prior = np.array(read_manifest(settings.manifest).class_prior)
    np.testing.assert_allclose(table.loc[records[2].eeg_id].to_numpy(), prior / prior.sum(), rtol=1e-12)
    assert not np.allclose(table.loc[records[0].eeg_id], prior / prior.sum(), atol=1e-3)
    expected = {
        records[0].eeg_id: SPECTROGRAM_ONLY,
        records[1].eeg_id: EEG_ONLY,
        records[2].eeg_id: UNREADABLE,
    }
    assert {answer.eeg_id: answer.status for answer in summary.problems} == expected
    rows = {row["eeg_id"]: row for row in report_of(settings)["rows_not_answered_whole"]}
    assert {eeg_id: row["status"] for eeg_id, row in rows.items()} == expected
    assert all(row["notes"] for row in rows.values())


def test_strict_makes_a_broken_file_an_error_and_writes_no_submission(settings: RunSettings) -> None:
    record = read_test_table(settings.test_dir)[0]
    record.eeg_path.unlink()
    with pytest.raises(InputError, match=f"--strict.*{record.eeg_id}"):
        predict(replace(settings, strict=True))
    assert not settings.output.exists()
    assert len(report_of(settings)["rows_not_answered_whole"]) == 1


def ends_at(number: int) -> type:
    """A budget of 1,000 s that are over when it is asked for the record of this number, from 1."""

    class Ends(inference.Budget):
        now, asked = 0.0, 0

        def __init__(self, limit_s: float | None, full: Effort, *_: object) -> None:
            super().__init__(limit_s, full, 0.0, lambda: self.now)

        def effort(self, remaining: int) -> Effort:
            self.asked += 1
            self.now = 1000.0 if self.asked == number else self.now
            return super().effort(remaining)

    return Ends


def test_out_of_time_every_row_is_still_valid(settings: RunSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "Budget", ends_at(3))
    summary = predict(replace(settings, time_budget_s=1000.0))
    assert len(check_submission(settings.output, ids_of(settings.test_dir))) == 6
    assert summary.status == {OK: 2, OUT_OF_TIME: 4}


@pytest.mark.slow
def test_what_a_budget_cut_short_is_answered_anew_after_resume(
    settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(InputError, match="4 were not"):
        patch.setattr(inference, "Budget", ends_at(3))
        predict(replace(settings, strict=True, time_budget_s=1000.0))
    assert predict(replace(settings, resume=True)).status == {OK: 6}


@pytest.mark.slow
def test_a_file_that_is_there_again_after_resume_is_read(settings: RunSettings) -> None:
    records = read_test_table(settings.test_dir)
    whole = records[0].eeg_path.read_bytes()
    records[0].eeg_path.write_bytes(bytes(len(whole)))
    with pytest.raises(InputError, match="1 were not"):
        predict(replace(settings, strict=True))
    records[0].eeg_path.write_bytes(whole)
    assert predict(replace(settings, resume=True, strict=True)).status == {OK: 6}


def test_a_prior_takes_the_place_of_training_s_in_every_row_and_is_reported(settings: RunSettings) -> None:
    """The journal of a run without a prior is taken up: answers stand there as the folds gave them."""
    predict(settings)
    trained = pd.read_csv(settings.output).set_index("eeg_id")
    records = read_test_table(settings.test_dir)
    for path in (records[0].eeg_path, records[1].eeg_path, records[1].spectrogram_path):
        path.unlink()  # type: ignore[union-attr]
    with pytest.raises(InputError, match="2 were not"):
        predict(replace(settings, strict=True))
    summary = predict(replace(settings, resume=True, prior="uniform"))
    received = pd.read_csv(settings.output).set_index("eeg_id")
    whole = [record.eeg_id for record in records[2:]]
    odds = trained.loc[whole] / np.array(read_manifest(settings.manifest).training_prior)
    np.testing.assert_allclose(received.loc[whole], odds.div(odds.sum(axis=1), axis=0), atol=1e-6)
    np.testing.assert_allclose(received.loc[records[1].eeg_id], [1 / 6] * 6, rtol=1e-12)
    assert summary.status == {OK: 4, SPECTROGRAM_ONLY: 1, UNREADABLE: 1}
    reported = report_of(settings)["prior"]
    assert (reported["name"], reported["note"]) == ("uniform", "")
    assert reported["shares"] == pytest.approx(dict.fromkeys(CLASSES, 1 / 6))
    assert summary.prior.line() == f"answers for the prior uniform: {', '.join(f'{name} 0.167' for name in CLASSES)}"


def test_an_estimate_from_a_handful_of_records_leaves_the_answers_and_says_so(settings: RunSettings) -> None:
    predict(settings)
    trained = pd.read_csv(settings.output)
    summary = predict(replace(settings, prior="estimate"))
    np.testing.assert_allclose(pd.read_csv(settings.output), trained, atol=1e-6)
    assert "as trained: expected 50 whole records for an estimate, received 6" in summary.prior.line()
    assert report_of(settings)["prior"]["note"] == summary.prior.note


def swap(one: Path, other: Path) -> None:
    kept = one.with_suffix(".kept")
    one.rename(kept)
    other.rename(one)
    kept.rename(other)


@pytest.mark.slow
def test_after_resume_only_rows_whose_files_or_windows_changed_are_answered_anew(
    settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files changed places: no size and no time is another."""
    table = pd.read_csv(settings.test_dir / "test.csv")
    records = read_test_table(settings.test_dir)
    missing = records[5].eeg_path.rename(settings.test_dir / "kept")
    with pytest.raises(InputError, match="1 were not"):
        predict(replace(settings, strict=True))  # leaves a journal of the five others
    missing.rename(records[5].eeg_path)
    swap(records[0].eeg_path, records[1].eeg_path)
    table.loc[2, "eeg_label_offset_seconds"] = 0.0
    table.loc[3, "spectrogram_id"] = table.loc[4, "spectrogram_id"]
    table.iloc[::-1].to_csv(settings.test_dir / "test.csv", index=False)
    read: list[int] = []

    class Watched(inference.Loader):
        def __init__(self, records, *arguments):  # type: ignore[no-untyped-def]
            read.extend(record.eeg_id for record in records)
            super().__init__(records, *arguments)

    monkeypatch.setattr(inference, "Loader", Watched)
    predict(replace(settings, resume=True))
    assert sorted(read) == sorted(records[i].eeg_id for i in (0, 1, 2, 3, 5))
    resumed = settings.output.read_bytes()
    predict(settings)
    np.testing.assert_allclose(
        pd.read_csv(settings.output), pd.read_csv(io.BytesIO(resumed)), atol=1e-6
    )  # rows of two sessions of TensorFlow


def test_folders_that_go_during_the_run_cost_no_row_and_no_order(
    settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = pd.read_csv(settings.test_dir / "sample_submission.csv")
    template.iloc[::-1].to_csv(settings.test_dir / "sample_submission.csv", index=False)
    shutil.copytree(settings.manifest.parent, tmp_path / "weights")
    settings = replace(settings, manifest=tmp_path / "weights" / settings.manifest.name)

    monkeypatch.setattr(inference, "Loader", Loader)

    class Removing(inference.Budget):
        def begin(self) -> None:
            super().begin()
            shutil.rmtree(settings.test_dir)
            shutil.rmtree(settings.manifest.parent)

    monkeypatch.setattr(inference, "Budget", Removing)
    summary = predict(settings)
    check_submission(settings.output, template["eeg_id"].tolist()[::-1])
    assert sum(summary.status.values()) == 6


@pytest.mark.parametrize(("budget_s", "limit_s"), [(None, 120), (30600.0, 120), (600.0, 30), (20.0, 5)])
def test_a_file_that_hangs_takes_a_twentieth_of_the_budget_at_most(budget_s: float | None, limit_s: float) -> None:
    assert inference._record_limit_s(budget_s) == limit_s


def damage_weights(settings: RunSettings, tmp_path: Path) -> RunSettings:
    folder = tmp_path / "damaged"
    shutil.copytree(settings.manifest.parent, folder)
    fold = sorted((folder / "weights").iterdir())[0]
    fold.write_bytes(fold.read_bytes()[:-1] + b"\x01")
    return replace(settings, manifest=folder / settings.manifest.name)


def change_table(change):  # type: ignore[no-untyped-def]
    def apply(settings: RunSettings, tmp_path: Path) -> RunSettings:
        path = settings.test_dir / "test.csv"
        change(pd.read_csv(path)).to_csv(path, index=False)
        return settings

    return apply


def link_to_input(settings: RunSettings, tmp_path: Path) -> RunSettings:
    (tmp_path / "x.csv").symlink_to(settings.test_dir / "sample_submission.csv")
    return replace(settings, output=tmp_path / "x.csv")


def bad_prior(settings: RunSettings, folder: Path) -> RunSettings:
    (folder / "prior.json").write_text(json.dumps({**dict.fromkeys(CLASSES, 0.2), "lpd": -0.0}))
    return replace(settings, prior=str(folder / "prior.json"))


def prior_as_output(settings: RunSettings, folder: Path) -> RunSettings:
    (folder / "prior.csv").write_text(",".join(CLASSES) + "\n1,1,1,1,1,1\n")
    return replace(settings, prior=str(folder / "prior.csv"), output=folder / "prior.csv")


def resume_into_a_pipe(settings: RunSettings, folder: Path) -> RunSettings:
    os.mkfifo(folder / "pipe")
    return replace(settings, output=folder / "pipe", resume=True)


REFUSALS = {
    "no test folder": (lambda s, t: replace(s, test_dir=t / "none"), InputError, "expected a folder"),
    "no test.csv": (lambda s, t: [(s.test_dir / "test.csv").unlink(), s][1], InputError, "test.csv"),
    "an id twice": (change_table(lambda t: pd.concat([t, t.iloc[:1]])), InputError, "once"),
    "no rows": (change_table(lambda t: t.iloc[:0]), InputError, "one row or more"),
    "no eeg_id": (change_table(lambda t: t.drop(columns="eeg_id")), InputError, "missing.*eeg_id"),
    "no manifest": (lambda s, t: replace(s, manifest=t / "none.json"), WeightsError, "none.json"),
    "a damaged fold": (damage_weights, WeightsError, "SHA-256"),
    "output is a folder": (lambda s, t: replace(s, output=t), OutputError, "received: a folder"),
    "output is another form": (lambda s, t: replace(s, output=t / "x.parquet"), OutputError, "ends in .parquet"),
    "output is an input": (lambda s, t: replace(s, output=s.test_dir / "test.csv"), OutputError, "one that it reads"),
    "output is a link to an input": (link_to_input, OutputError, "one that it reads"),
    "resume into a stream": (resume_into_a_pipe, InputError, "no journal"),
    "output below a file": (lambda s, t: replace(s, output=s.manifest / "x" / "y.csv"), OutputError, "folder to write"),
    "no workers": (lambda s, t: replace(s, workers=0), InputError, "workers: expected 1 or more, received 0"),
    "no batch": (lambda s, t: replace(s, batch_size=0), InputError, "batch_size"),
    "no prior of that name": (lambda s, t: replace(s, prior="test"), InputError, "train, uniform, estimate or a file"),
    "a bad prior": (bad_prior, InputError, "lpd: expected a number above 0"),
    "output is the prior": (prior_as_output, OutputError, "one that it reads"),
    "unknown engine": (lambda s, t: replace(s, engine="abacus"), InputError, "abacus"),
}
if importlib.util.find_spec("zstandard") is None:
    REFUSALS["output needs a package"] = (lambda s, t: replace(s, output=t / "x.csv.zst"), OutputError, "zstandard")


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_run_cannot_start_without_is_refused_with_nothing_written(
    name: str, settings: RunSettings, tmp_path: Path
) -> None:
    change, error, message = REFUSALS[name]
    changed = change(settings, tmp_path)
    with pytest.raises(error, match=message) as caught:
        predict(changed)
    assert isinstance(caught.value, HbacError)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("submission*.csv"))
    assert not list(tmp_path.rglob("x.csv*")) or (tmp_path / "x.csv").is_symlink()


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_workers_or_the_order_of_rows(settings: RunSettings, hbac) -> None:  # type: ignore[no-untyped-def]
    written = []
    for number, workers in enumerate((1, 4, 3)):
        if number == 2:
            path = settings.test_dir / "test.csv"
            pd.read_csv(path).sample(frac=1, random_state=0).to_csv(path, index=False)
        output = settings.output.with_name(f"{number}.csv")
        done = hbac("predict", "--test-dir", settings.test_dir, "--manifest", settings.manifest, "--output", output,
                    "--workers", workers, "--quiet")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].startswith(f"{output}: 6 rows (6 ok)")
        written.append(output.read_bytes())
    assert written[0] == written[1] == written[2]
    assert len(written[0].splitlines()) == 7


@pytest.mark.slow
def test_a_killed_run_with_an_estimate_resumes_to_the_same_bytes_and_with_any_other_prior(
    settings: RunSettings, tmp_path: Path
) -> None:
    """Four records are enough for an estimate here."""
    words = ["predict", "--test-dir", settings.test_dir, "--manifest", settings.manifest, "--quiet"]
    words += ["--workers", 1, "--output"]
    command = helpers_runs.patched(
        "from hbac.inference import priors; priors.ENOUGH = 4", [sys.executable, "-m", "hbac", *map(str, words)]
    )

    def run(output: Path, *more: str) -> str:
        done = helpers_runs.run([*command, str(output), *more])
        assert done.returncode == 0, done.stderr
        return done.stdout

    whole, trained = settings.output.with_name("whole.csv"), settings.output.with_name("trained.csv")
    assert "answers for the prior estimate: seizure " in run(whole, "--prior", "estimate")
    run(trained)
    assert whole.read_bytes() != trained.read_bytes()
    journal = settings.output.with_name(".submission.csv.journal")
    kill_after(3, [*command, str(settings.output), "--prior", "estimate"], journal)
    assert not settings.output.exists()
    assert 3 <= len(journal.read_text().splitlines()) < 8
    kept = tmp_path / "kept"
    shutil.copy(journal, kept)
    for prior, expected in (("estimate", whole), ("train", trained)):
        shutil.copy(kept, journal)
        run(settings.output, "--resume", "--prior", prior)
        assert settings.output.read_bytes() == expected.read_bytes()
        assert not journal.exists()


@pytest.mark.slow
def test_a_journal_of_other_weights_is_not_taken_up(settings: RunSettings, tmp_path: Path) -> None:
    journal = settings.output.with_name(".submission.csv.journal")
    settings.output.parent.mkdir()
    record = read_test_table(settings.test_dir)[0]
    eeg_id = record.eeg_id
    row = {
        "eeg_id": eeg_id,
        "probabilities": [1, 0, 0, 0, 0, 0],
        "status": OK,
        "notes": [],
        "folds": 3,
        "flipped": False,
        "source": source_of(record, sources_now(record)),
    }
    journal.write_text(json.dumps({"fingerprint": {"manifest": "another"}}) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(InputError, match="another hbac, manifest"):
        predict(replace(settings, resume=True))
    predict(settings)  # without --resume it starts anew
    assert float(pd.read_csv(settings.output).set_index("eeg_id").loc[eeg_id, VOTE_COLUMNS[0]]) < 1
