"""What came of a run: rows by status, what the start went into, and the report that is kept beside a submission."""

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hbac.files import is_stream, write_atomically
from hbac.inference.answers import Answer
from hbac.inference.budget import Effort
from hbac.inference.endings import bare_name
from hbac.inference.priors import Prior
from hbac.preprocessing.load import EEG_ONLY, INCOMPLETE, OK, SPECTROGRAM_ONLY, SUSPECT
from hbac.records.record import Record
from hbac.version import __version__
from hbac.weights.manifest import Manifest


@dataclass(frozen=True)
class Problem:
    """A row that was not answered whole."""

    eeg_id: int
    status: str  # with what took no part: "ok, 1 of 3 folds"
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """What came of a run."""

    output: Path
    report: Path | None  # None beside a device, a pipe, /dev/stdout
    rows: int
    status: dict[str, int]  # rows by status
    seconds: float
    problems: tuple[Problem, ...]  # rows that were not answered by the whole ensemble from both files
    prior: Prior  # that the answers are for
    verified: int | None = None  # files that were read with the SHA-256 that a list states; None without a list
    notes: tuple[str, ...] = ()  # on the run as a whole

    def line(self) -> str:
        """One line for the end of a notebook."""
        counts = ", ".join(f"{n} {status}" for status, n in sorted(self.status.items(), key=lambda item: -item[1]))
        rate = self.rows / max(self.seconds, 1e-9)
        verified = "" if self.verified is None else f"{self.verified} files verified; "
        return (
            f"{self.output}: {self.rows} rows ({counts}) in {self.seconds:.1f} s, {rate:.2f} records/s; {verified}"
            f"{f'details in {self.report}' if self.report else 'no report beside what is no file'}"
        )


class StartClock:
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

    def elapsed_s(self) -> float:
        """From the beginning to now."""
        return time.monotonic() - self.began

    def ready_s(self) -> float:
        """From the beginning to the first record's."""
        return sum(seconds for part, seconds in self.parts.items() if part != "first_record")


def report_beside(output: Path) -> Path | None:
    """Where the report of a submission lies; None where that is no file."""
    return None if is_stream(output) else output.with_name(f"{bare_name(output)}_report.json")


def summary_of(
    output: Path,
    records: list[Record],
    answers: list[Answer],
    full: Effort,
    seconds: float,
    notes: tuple[str, ...],
    prior: Prior,
    names: Sequence[str] = (),
) -> Summary:
    """Count the answers of `records`, each of which has one.

    `full` is what a record gets while there is time; `names` are those of the members where there are several.
    """
    by_id = {answer.eeg_id: answer for answer in answers}
    rows = [by_id[record.eeg_id] for record in records]
    return Summary(
        output=output,
        report=report_beside(output),
        rows=len(rows),
        status=dict(Counter(_described(answer, full, names) for answer in rows)),
        seconds=seconds,
        problems=tuple(
            Problem(answer.eeg_id, _described(answer, full, names), answer.notes)
            for answer in rows
            if not answer.is_whole(full)
        ),
        verified=_verified(records, rows),
        notes=notes,
        prior=prior,
    )


def _verified(records: list[Record], rows: list[Answer]) -> int | None:
    """How many files with a stated SHA-256 the answers rest on; None if none has one."""
    listed = [
        (sha256, answer.status in (OK, INCOMPLETE, SUSPECT, alone))
        for record, answer in zip(records, rows)
        for sha256, alone in ((record.eeg_sha256, EEG_ONLY), (record.spectrogram_sha256, SPECTROGRAM_ONLY))
        if sha256
    ]
    return sum(read for _, read in listed) if listed else None


def _described(answer: Answer, full: Effort, names: Sequence[str]) -> str:
    """A row's status, with what took no part in it: by the time budget or, of several members, for want of a file."""
    if not answer.folds or answer.has(full):
        return str(answer.status)
    parts = [f"{answer.folds} of {full.folds} folds"]
    if answer.members:
        counts = zip(names, answer.members, full.members)
        parts = [f"{name} {count} of {most} folds" for name, count, most in counts]
    return f"{answer.status}, {', '.join(parts)}{'' if answer.flipped else ', no flip' * full.flip}"


def write_run_report(
    summary: Summary, settings: dict[str, Any], manifest: Manifest, digest: str | None, engine: str, clock: StartClock
) -> None:
    """Write `summary.report`, if there is one.

    Args:
        summary: what came of the run.
        settings: what it was asked for, by name.
        manifest: the ensemble.
        digest: SHA-256 of the manifest's file.
        engine: its description.
        clock: what the start went into.
    """
    if summary.report is None:
        return
    document = {
        "hbac": __version__,
        "rows": summary.rows,
        "status": summary.status,
        "notes": list(summary.notes),
        "files_verified": summary.verified,
        "rows_not_answered_whole": [
            {"eeg_id": a.eeg_id, "status": a.status, "notes": list(a.notes)} for a in summary.problems
        ],
        "manifest": {
            "title": manifest.title,
            "sha256": digest,
            "folds": len(manifest.all_folds()),
            **_of_members(manifest),
        },
        "prior": summary.prior.document(),
        "engine": engine,
        "settings": {
            key: str(value) if isinstance(value, Path) else value
            for key, value in settings.items()
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


def _of_members(manifest: Manifest) -> dict[str, Any]:
    """The members of a mixed manifest."""
    if not manifest.is_mixed:
        return {}
    members = [
        {"name": one.name, "weight": one.weight, "preset": one.preprocessing.preset, "folds": len(one.folds)}
        for one in manifest.members
    ]
    return {"mean": manifest.mean, "members": members}


def _peak_memory_mb() -> int | None:
    """Largest resident size of this process, without its readers, where the system tells (not on Windows)."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 10**6
