"""A run of inference: from a test folder to a valid submission, one row for every id, whatever the files are."""

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hbac.clocks import WorkClock, wall_s
from hbac.ensemble.calibrated import Ensemble
from hbac.errors import InputError, OutputError
from hbac.files import sha256_of
from hbac.inference.answers import Answer, answers, source_of
from hbac.inference.budget import Budget, Effort
from hbac.inference.journal import Journal
from hbac.inference.report import StartClock, Summary, summary_of, write_run_report
from hbac.inference.submission import order_of_rows, write_submission
from hbac.network.engine import AUTO, ENGINES, make_engine
from hbac.preprocessing.load import sources_now
from hbac.preprocessing.readers import RECORD_LIMIT_S, Loader
from hbac.records.checksums import with_digests
from hbac.records.record import Record
from hbac.records.tables import read_test_table
from hbac.version import __version__
from hbac.weights.manifest import read_manifest


@dataclass(frozen=True)
class RunSettings:
    """What a run is asked for; see `hbac predict --help`."""

    test_dir: Path
    manifest: Path
    output: Path = Path("submission.csv")
    batch_size: int | None = None  # images a call on GPUs; on CPU each record is computed alone
    workers: int = 2  # processes that read records
    strict: bool = False
    resume: bool = False
    time_budget_s: float | None = None
    flip_tta: bool = False
    engine: str = AUTO
    sha256_list: Path | None = None  # of the input files, as sha256sum writes it
    progress: bool = True
    started_s: float | None = None  # on time.monotonic's clock, where the budget counts from; else from the call


def predict(settings: RunSettings) -> Summary:
    """Answer every record of a test folder and write the submission and its report.

    Raises:
        InputError: the test folder or its table is not usable, or, with `strict`, a record could not be read whole.
        OutputError: the output cannot be written.
        WeightsError: the manifest or a fold is not as it must be.
    """
    with WorkClock() as work:
        return _predict(settings, work)


def _predict(settings: RunSettings, work: WorkClock) -> Summary:
    clock = StartClock(settings.started_s)
    records = read_test_table(settings.test_dir)
    if settings.sha256_list is not None:
        records = with_digests(records, settings.sha256_list)
    manifest = read_manifest(settings.manifest)
    _check_settings(settings)
    ids = order_of_rows([record.eeg_id for record in records], settings.test_dir)  # now: a folder may go during the run
    digests = _digests(settings)
    with Journal(settings.output.with_name(f".{settings.output.name}.journal"), settings.resume) as journal:
        full = Effort(len(manifest.folds), settings.flip_tta)
        by_id = {record.eeg_id: record for record in records}
        journal.keep(lambda answer: answer.is_final(full) and _is_of(answer, by_id.get(answer.eeg_id)))
        answered = {answer.eeg_id for answer in journal.answers}
        todo = [record for record in records if record.eeg_id not in answered]
        budget = Budget(settings.time_budget_s, full, wall_s() - clock.elapsed_s(), wall_s, work.paused_s)
        limit_s = _record_limit_s(settings.time_budget_s)
        with Loader(todo, manifest.preprocessing, settings.workers, limit_s) as loader:  # while TensorFlow is imported
            clock.mark("tables_and_readers")
            engine = make_engine(settings.engine, manifest.network, settings.batch_size)
            clock.mark("import")
            ensemble = Ensemble(manifest, engine)
            journal.begin(_fingerprint(settings, digests, engine.description))
            budget.begin()
            clock.mark("load")
            with _progress_bar(settings, len(records), len(answered)) as bar:
                for answer in answers(loader, [record.eeg_id for record in todo], ensemble, budget):
                    journal.add(answer)
                    clock.mark("first_record")
                    bar.update()
        read = [record.eeg_id for record in records]
        summary = summary_of(settings.output, read, journal.answers, full, clock.elapsed_s())
        write_run_report(summary, asdict(settings), manifest, digests["manifest"], engine.description, clock)
        if settings.strict and summary.problems:
            first = summary.problems[0]
            raise InputError(
                f"--strict: expected every record whole, {len(summary.problems)} were not, first eeg_id "
                f"{first.eeg_id} ({first.status}: {'; '.join(first.notes)}); all of them in {summary.report}"
            )
        write_submission(settings.output, ids, {answer.eeg_id: answer.probabilities for answer in journal.answers})
        journal.remove()
    return summary


def _digests(settings: RunSettings) -> dict[str, str | None]:
    """SHA-256 of what a run is told by: the manifest, and the list of the inputs' digests, if there is one.

    Raises:
        InputError: one of them cannot be read.
    """
    digests: dict[str, str | None] = {"manifest": None, "sha256_list": None}
    for name, path in (("manifest", settings.manifest), ("sha256_list", settings.sha256_list)):
        try:
            digests[name] = sha256_of(path) if path else None
        except OSError as error:
            raise InputError(f"{path}: expected a file that can be read: {error.strerror}") from error
    return digests


def _record_limit_s(time_budget_s: float | None) -> float:
    """Time for one attempt at a record: a file that hangs must not take a whole budget from the others."""
    return RECORD_LIMIT_S if time_budget_s is None else min(RECORD_LIMIT_S, max(5.0, time_budget_s / 20))


def _check_settings(settings: RunSettings) -> None:
    """Refuse what would only fail after hours."""
    for name in ("workers", "batch_size"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise InputError(f"{name}: expected 1 or more, received {value}")
    if settings.engine not in ENGINES:
        raise InputError(f"engine: expected one of {', '.join(ENGINES)}, received {settings.engine!r}")
    if settings.output.is_dir():
        raise OutputError(f"{settings.output}: expected a file to write, found a folder")
    try:
        settings.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{settings.output.parent}: expected a folder to write to: {error.strerror}") from error
    if not os.access(settings.output.parent, os.W_OK):
        raise OutputError(f"{settings.output.parent}: expected a folder to write to, received one that is read-only")


def _fingerprint(settings: RunSettings, digests: dict[str, str | None], engine: str) -> dict[str, Any]:
    """What decides all answers, so that a journal is only taken up by the run it belongs to."""
    return {
        "hbac": __version__,
        **digests,
        "engine": engine,
        "flip_tta": settings.flip_tta,
    }


def _is_of(answer: Answer, record: Record | None) -> bool:
    """Whether an answer was made of a record's row and files as they are now; sizes and times tell nothing."""
    return record is not None and answer.source == source_of(record, sources_now(record))


def _progress_bar(settings: RunSettings, total: int, done: int) -> tqdm:
    return tqdm(
        total=total, initial=done, unit="record", desc="predict", file=sys.stderr, disable=not settings.progress
    )
