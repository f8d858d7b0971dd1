"""A run of inference: from a test folder to a valid submission, one row for every id, whatever the files are."""

import json
import os
import queue
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hbac.budget import Budget, Plan
from hbac.digests import with_digests
from hbac.engines import AUTO, ENGINES, make_engine
from hbac.ensemble import Ensemble
from hbac.errors import InputError
from hbac.files import sha256_of, write_atomically
from hbac.journal import Answer, Journal
from hbac.loading import INCOMPLETE, OK, RECORD_LIMIT_S, SUSPECT, Loaded, Loader
from hbac.manifest import Manifest, read_manifest
from hbac.records import Record
from hbac.submission import order_of_rows, write_submission
from hbac.tables import read_test_table
from hbac.version import __version__

OUT_OF_TIME = "out of time"


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


@dataclass(frozen=True)
class Summary:
    """What came of a run."""

    output: Path
    report: Path
    rows: int
    status: dict[str, int]  # rows by status
    seconds: float
    problems: tuple[Answer, ...]  # rows that were not answered by the whole ensemble from both files

    def line(self) -> str:
        """One line for the end of a notebook."""
        counts = ", ".join(f"{n} {status}" for status, n in sorted(self.status.items(), key=lambda item: -item[1]))
        rate = self.rows / max(self.seconds, 1e-9)
        return (
            f"{self.output}: {self.rows} rows ({counts}) in {self.seconds:.1f} s, {rate:.2f} records/s; "
            f"details in {self.report}"
        )


def predict(settings: RunSettings) -> Summary:
    """Answer every record of a test folder and write the submission and its report.

    Raises:
        InputError: the test folder, its table or the output folder is not usable, or, with `strict`, a record could
            not be read whole.
        WeightsError: the manifest or a fold is not as it must be.
    """
    clock = _StartClock(settings.started_s)
    records = read_test_table(settings.test_dir)
    if settings.sha256_list is not None:
        records = with_digests(records, settings.sha256_list)
    manifest = read_manifest(settings.manifest)
    _check_settings(settings)
    ids = order_of_rows([record.eeg_id for record in records], settings.test_dir)  # now: a folder may go during the run
    digests = _digests(settings)
    with Journal(settings.output.with_name(f".{settings.output.name}.journal"), settings.resume) as journal:
        full = Plan(len(manifest.folds), settings.flip_tta)
        journal.keep(lambda answer: _whole(answer, full))
        answered = {answer.eeg_id for answer in journal.answers}
        todo = [record for record in records if record.eeg_id not in answered]
        budget = Budget(settings.time_budget_s, full, clock.began)
        limit_s = _record_limit_s(settings.time_budget_s)
        with Loader(todo, manifest.preprocessing, settings.workers, limit_s) as loader:  # while TensorFlow is imported
            clock.mark("tables_and_readers")
            engine = make_engine(settings.engine, manifest.network, settings.batch_size)
            clock.mark("import")
            ensemble = Ensemble(manifest, engine)
            journal.begin(_fingerprint(settings, digests, records, engine.description))
            budget.begin()
            clock.mark("load")
            with _progress_bar(settings, len(records), len(answered)) as bar:
                for answer in _answers(loader, todo, ensemble, budget):
                    journal.add(answer)
                    clock.mark("first_record")
                    bar.update()
        summary = _summary(settings, records, journal.answers, full, time.monotonic() - clock.began)
        _write_report(summary, settings, manifest, digests["manifest"], engine.description, clock)
        if settings.strict and summary.problems:
            first = summary.problems[0]
            raise InputError(
                f"--strict: expected every record whole, {len(summary.problems)} were not, first eeg_id "
                f"{first.eeg_id} ({first.status}: {'; '.join(first.notes)}); all of them in {summary.report}"
            )
        write_submission(settings.output, ids, {answer.eeg_id: answer.probabilities for answer in journal.answers})
        journal.remove()
    return summary


def _whole(answer: Answer, full: Plan) -> bool:
    """Whether a row is as good as it can be: what a time budget or an unreadable file took, another run may give."""
    both_files = answer.status in (OK, INCOMPLETE, SUSPECT)
    return both_files and (answer.folds, answer.flipped) == (full.folds, full.flip)


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


class _StartClock:
    """What the time until the first record goes into."""

    def __init__(self, started_s: float | None) -> None:
        self.date = datetime.now(timezone.utc)
        self.began = self._last = time.monotonic() if started_s is None else started_s
        self.parts: dict[str, float] = {}  # seconds by name, one after the other

    def mark(self, part: str) -> None:
        """A part ended now; its later ends do not count."""
        if part not in self.parts:
            now = time.monotonic()
            self.parts[part], self._last = now - self._last, now

    def ready_s(self) -> float:
        """From the beginning to the first record's."""
        return sum(seconds for part, seconds in self.parts.items() if part != "first_record")


def _check_settings(settings: RunSettings) -> None:
    """Refuse what would only fail after hours."""
    for name in ("workers", "batch_size"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise InputError(f"{name}: expected 1 or more, received {value}")
    if settings.engine not in ENGINES:
        raise InputError(f"engine: expected one of {', '.join(ENGINES)}, received {settings.engine!r}")
    if settings.output.is_dir():
        raise InputError(f"{settings.output}: expected a file to write, found a folder")
    try:
        settings.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{settings.output.parent}: expected a folder to write to: {error.strerror}") from error
    if not os.access(settings.output.parent, os.W_OK):
        raise InputError(f"{settings.output.parent}: expected a folder to write to, received one that is read-only")


def _fingerprint(
    settings: RunSettings, digests: dict[str, str | None], records: list[Record], engine: str
) -> dict[str, Any]:
    """All that decides an answer, so that a journal is only taken up by the run it belongs to."""
    return {
        "hbac": __version__,
        **digests,
        "engine": engine,
        "flip_tta": settings.flip_tta,
        "records": sorted(map(_identity, records)),
    }


def _identity(record: Record) -> list[float]:
    """What a record is known by: ids, offsets, sizes of its files."""
    offsets = [-1.0 if o is None else o for o in (record.eeg_offset_s, record.spectrogram_offset_s)]
    ids = [record.eeg_id, -1 if record.spectrogram_id is None else record.spectrogram_id]
    return [*ids, *offsets, _size(record.eeg_path), _size(record.spectrogram_path)]


def _size(path: Path | None) -> int:
    try:
        return path.stat().st_size if path else -1
    except OSError:
        return -1


def _answers(loader: Loader, todo: list[Record], ensemble: Ensemble, budget: Budget) -> Iterator[Answer]:
    """Answers as they are done: images in, batches over the engine's streams, rows out."""
    engine = ensemble.engine
    waiting = {record.eeg_id for record in todo}
    batch: list[Loaded] = []
    running: set[Future[list[Answer]]] = set()
    with ThreadPoolExecutor(engine.streams) as pool:
        for remaining in range(len(todo), 0, -1):
            while budget.left_s() > 0:
                loaded = _next(loader, running, budget)
                if loaded is not None:
                    break
                yield from _take(running, block=False)  # nothing is ready: hand on what is done meanwhile
            else:
                break
            waiting.discard(loaded.record.eeg_id)
            if loaded.image is None:
                yield _prior(loaded.record.eeg_id, ensemble.manifest, loaded.status, loaded.notes)
            else:
                batch.append(loaded)
            if batch and (len(batch) == engine.batch_size or remaining == 1):
                running.add(pool.submit(_compute, batch, ensemble, budget, budget.plan(remaining + len(batch) - 1)))
                batch = []
            yield from _take(running, block=len(running) > engine.streams)
        while running:
            yield from _take(running, block=True)
    late = [loaded.record.eeg_id for loaded in batch] + sorted(waiting)
    for eeg_id in late:
        yield _prior(eeg_id, ensemble.manifest, OUT_OF_TIME, ("the time budget ended before this record",))


def _next(loader: Loader, running: "set[Future[list[Answer]]]", budget: Budget) -> Loaded | None:
    """The next image, or None if none comes soon."""
    idle, since = all(future.done() for future in running), time.monotonic()
    try:
        return loader.get(timeout_s=0.2)
    except queue.Empty:
        return None
    finally:
        if idle:
            budget.idle(time.monotonic() - since)


def _take(running: "set[Future[list[Answer]]]", block: bool) -> Iterator[Answer]:
    """Answers of the batches that are done; with `block`, of at least one."""
    done, _ = wait(running, timeout=None if block else 0, return_when=FIRST_COMPLETED)
    for future in done:
        running.discard(future)
        yield from future.result()


def _compute(batch: list[Loaded], ensemble: Ensemble, budget: Budget, plan: Plan) -> list[Answer]:
    if plan.folds == 0:
        return [_prior(one.record.eeg_id, ensemble.manifest, OUT_OF_TIME, one.notes) for one in batch]
    images = np.stack([one.image for one in batch])  # type: ignore[misc]
    rows = ensemble.predict(images, range(plan.folds), plan.flip)
    budget.done(plan.passes * len(batch), len(batch))
    return [
        Answer(one.record.eeg_id, tuple(row.tolist()), one.status, one.notes, plan.folds, plan.flip)
        for one, row in zip(batch, rows)
    ]


def _prior(eeg_id: int, manifest: Manifest, status: str, notes: tuple[str, ...]) -> Answer:
    prior = np.array(manifest.class_prior)
    return Answer(eeg_id, tuple((prior / prior.sum()).tolist()), status, notes)


def _progress_bar(settings: RunSettings, total: int, done: int) -> tqdm:
    return tqdm(
        total=total, initial=done, unit="record", desc="predict", file=sys.stderr, disable=not settings.progress
    )


def _summary(
    settings: RunSettings, records: list[Record], answers: list[Answer], full: Plan, seconds: float
) -> Summary:
    def whole(answer: Answer) -> bool:
        return answer.status == OK and (answer.folds, answer.flipped) == (full.folds, full.flip)

    by_id = {answer.eeg_id: answer for answer in answers}
    rows = [by_id[record.eeg_id] for record in records]
    return Summary(
        output=settings.output,
        report=settings.output.with_name(f"{settings.output.stem}_report.json"),
        rows=len(rows),
        status=dict(Counter(_named(answer, full) for answer in rows)),
        seconds=seconds,
        problems=tuple(replace(answer, status=_named(answer, full)) for answer in rows if not whole(answer)),
    )


def _named(answer: Answer, full: Plan) -> str:
    """A row's status, with what the time budget took from it."""
    if not answer.folds or (answer.folds, answer.flipped) == (full.folds, full.flip):
        return answer.status
    return f"{answer.status}, {answer.folds} of {full.folds} folds{'' if answer.flipped else ', no flip' * full.flip}"


def _write_report(
    summary: Summary, settings: RunSettings, manifest: Manifest, digest: str | None, engine: str, clock: "_StartClock"
) -> None:
    document = {
        "hbac": __version__,
        "rows": summary.rows,
        "status": summary.status,
        "rows_not_answered_whole": [
            {"eeg_id": a.eeg_id, "status": a.status, "notes": list(a.notes)} for a in summary.problems
        ],
        "manifest": {"title": manifest.title, "sha256": digest, "folds": len(manifest.folds)},
        "engine": engine,
        "settings": {
            key: str(value) if isinstance(value, Path) else value
            for key, value in asdict(settings).items()
            if key != "started_s"
        },
        "started": clock.date.isoformat(),
        "seconds": round(summary.seconds, 3),
        "seconds_until_network_ready": round(clock.ready_s(), 3),
        "start": {part: round(seconds, 3) for part, seconds in clock.parts.items()},
        "records_per_second": round(summary.rows / max(summary.seconds, 1e-9), 3),
        "peak_memory_mb": _peak_memory_mb(),
    }
    write_atomically(summary.report, (json.dumps(document, indent=1) + "\n").encode())


def _peak_memory_mb() -> int | None:
    """Largest resident size of this process, without its readers, where the system tells (not on Windows)."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 10**6
