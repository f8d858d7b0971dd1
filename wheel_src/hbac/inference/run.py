"""A run of inference: from a test folder to a valid submission, one row for every id, whatever the files are."""

import os
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hbac import hms
from hbac.clocks import WorkClock, wall_s
from hbac.ensemble.calibrated import make_ensemble
from hbac.errors import InputError, OutputError
from hbac.files import check_place, is_stream, sha256_of
from hbac.inference.answers import Answer, answers, source_of
from hbac.inference.budget import Budget, Effort, Part
from hbac.inference.endings import compression_of
from hbac.inference.journal import Journal
from hbac.inference.priors import NAMES, TRAIN, Rows
from hbac.inference.report import StartClock, Summary, report_beside, summary_of, write_run_report
from hbac.inference.submission import differs_from_template, order_of_rows, write_submission
from hbac.machine.environment import settle
from hbac.machine.packages import OF_RUN, need
from hbac.network.engine import AUTO, ENGINES
from hbac.preprocessing.load import sources_now
from hbac.preprocessing.readers import RECORD_LIMIT_S, Loader
from hbac.records.checksums import unlisted, with_digests
from hbac.records.folders import where_looked
from hbac.records.record import Record
from hbac.records.tables import read_test_table
from hbac.streams import open_closed_descriptors, progress_bar
from hbac.version import __version__
from hbac.weights.manifest import Manifest, read_manifest


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
    prior: str = TRAIN  # that the answers are for: train, uniform, estimate, or a file of six shares
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
        MachineError: a package, or what reads records, does not work on this machine.
    """
    with WorkClock() as work:
        return _predict(settings, work)


def _predict(settings: RunSettings, work: WorkClock) -> Summary:
    clock = StartClock(settings.started_s)
    open_closed_descriptors()
    settle()
    need(*OF_RUN)
    records = read_test_table(settings.test_dir)
    notes = where_looked(settings.test_dir, records)
    if settings.sha256_list is not None:
        records = with_digests(records, settings.sha256_list, settings.test_dir)
        notes += _unlisted(records, settings.sha256_list)
    manifest = read_manifest(settings.manifest)
    _check_settings(settings)
    notes += _without_mirror(manifest) if settings.flip_tta else []
    rows = Rows(settings.prior, manifest)
    ids = order_of_rows([record.eeg_id for record in records], settings.test_dir)  # now: a folder may go during the run
    if difference := differs_from_template(ids, settings.test_dir):
        notes.append(f"{difference}; the rows follow {hms.TEST_TABLE}")
    digests = _digests(settings)
    with Journal(_journal_beside(settings.output), settings.resume) as journal:
        full = full_effort(manifest, settings.flip_tta)
        by_id = {record.eeg_id: record for record in records}
        journal.keep(lambda answer: answer.is_final(full) and _is_of(answer, by_id.get(answer.eeg_id)))
        answered = {answer.eeg_id for answer in journal.answers}
        todo = [record for record in records if record.eeg_id not in answered]
        began_s = wall_s() - clock.elapsed_s()
        budget = Budget(settings.time_budget_s, full, began_s, wall_s, work.paused_s, _parts(manifest))
        limit_s = _record_limit_s(settings.time_budget_s)
        with Loader(todo, manifest.presets(), settings.workers, limit_s) as loader:  # while TensorFlow is imported
            clock.mark("tables_and_readers")
            ensemble = make_ensemble(manifest, settings.engine, settings.batch_size, partial(clock.mark, "import"))
            engine = ensemble.engine
            journal.begin(_fingerprint(settings, digests, engine.description))
            budget.begin()
            clock.mark("load")
            with progress_bar(len(records), len(answered), "record", "predict", settings.progress) as bar:
                for answer in answers(loader, [record.eeg_id for record in todo], ensemble, budget):
                    journal.add(answer)
                    clock.mark("first_record")
                    bar.update()
        prior, probabilities = rows.of(journal.answers)
        of = (settings.output, records, journal.answers, full, clock.elapsed_s(), tuple(notes), prior)
        summary = summary_of(*of, names=[member.name for member in manifest.members])
        write_run_report(summary, asdict(settings), manifest, digests["manifest"], engine.description, clock)
        if settings.strict and summary.problems:
            first = summary.problems[0]
            raise InputError(
                f"--strict: expected every record whole, {len(summary.problems)} were not, first eeg_id "
                f"{first.eeg_id} ({first.status}: {'; '.join(first.notes)})"
                + (f"; all of them in {summary.report}" if summary.report else "")
            )
        write_submission(settings.output, ids, probabilities)
        journal.remove()
    return summary


def full_effort(manifest: Manifest, flip: bool) -> Effort:
    """What each record gets while there is time: all folds, and the mirror image if asked for and if there is one."""
    folds = [len(member.folds) for member in manifest.members]
    flips = flip and any(part.flips for part in _parts(manifest))
    return Effort(sum(folds), flips, tuple(folds) if manifest.is_mixed else ())


def _parts(manifest: Manifest) -> list[Part]:
    return [Part(member.weight, member.preprocessing.flips) for member in manifest.members]


def _without_mirror(manifest: Manifest) -> list[str]:
    """A note on the presets that have no mirror image, where one was asked for."""
    presets = [preset.preset for preset in manifest.presets() if not preset.flips]
    return [f"--flip-tta: expected an input with a mirror image, {', '.join(presets)} has none"] if presets else []


def _unlisted(records: list[Record], path: Path) -> list[str]:
    """A note that counts the files of which a list says nothing."""
    files = list(dict.fromkeys(unlisted(records)))
    return (
        [f"{path}: expected a SHA-256 of each file, received none of {len(files)}, first {files[0]}"] if files else []
    )


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
    _check_output(settings)


def _check_output(settings: RunSettings) -> None:
    """Refuse an output that could not be written, or that would replace an input."""
    output = settings.output
    compression_of(output)
    journal, report = _journal_beside(output), report_beside(output)
    if settings.resume and journal is None:
        raise InputError(f"--resume: expected a file as output, received {output}, which keeps no journal beside it")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output.parent}: expected a folder to write to: {error.strerror}") from error
    inputs = [settings.test_dir / hms.TEST_TABLE, settings.test_dir / hms.SAMPLE_SUBMISSION, settings.manifest]
    inputs += [settings.sha256_list] if settings.sha256_list else []
    inputs += [] if settings.prior in NAMES else [Path(settings.prior)]
    for place in filter(None, (output, journal, report)):
        check_place(place)
        if os.path.realpath(place) in map(os.path.realpath, inputs):
            raise OutputError(f"{place}: expected a file of the run's own, received one that it reads")


def _journal_beside(output: Path) -> Path | None:
    """Where the journal lies; None where the output is no file."""
    return None if is_stream(output) else output.with_name(f".{output.name}.journal")


def _fingerprint(settings: RunSettings, digests: dict[str, str | None], engine: str) -> dict[str, Any]:
    """What decides all answers, so that a journal is only taken up by the run it belongs to. A prior comes after it."""
    return {
        "hbac": __version__,
        **digests,
        "engine": engine,
        "flip_tta": settings.flip_tta,
    }


def _is_of(answer: Answer, record: Record | None) -> bool:
    """Whether an answer was made of a record's row and files as they are now; sizes and times tell nothing."""
    return record is not None and answer.source == source_of(record, sources_now(record))
