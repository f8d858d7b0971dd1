"""Recordings to files: each one scanned, its results written whole, and one that fails left out with one line."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from hbac.ensemble.calibrated import Ensemble, make_ensemble
from hbac.errors import InputError, MachineError, OutputError, RecordError
from hbac.files import check_place, sha256_of, write_atomically
from hbac.hms import CLASSES, EEG_RATE_HZ
from hbac.machine.environment import settle
from hbac.machine.packages import OF_RUN, need
from hbac.network.engine import AUTO, ENGINES
from hbac.recordings.events import RULES, Rules, events_of
from hbac.recordings.outputs import ENDINGS, files_of
from hbac.recordings.page import ENDINGS as PAGE_ENDINGS
from hbac.recordings.page import page_files
from hbac.recordings.read import read_recording
from hbac.recordings.recording import Recording
from hbac.recordings.scan import STEP_S, Scan, check_step, scan
from hbac.recordings.shown import PageSettings
from hbac.recordings.units import check_unit
from hbac.streams import open_closed_descriptors
from hbac.version import __version__
from hbac.weights.manifest import Manifest, read_manifest

FORMAT: Final = 1  # of NAME_scan.json
DONE: Final = "_scan.json"  # of the file that is written last


@dataclass(frozen=True)
class ScanSettings:
    """What `scan_files` is asked for; see `hbac scan --help`."""

    recordings: tuple[Path, ...]
    output: Path
    manifest: Path
    step_s: int = STEP_S
    rules: Rules = field(default_factory=lambda: RULES)
    unit: str | None = None  # of channels that state none
    engine: str = AUTO
    resume: bool = False
    progress: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of one recording."""

    source: Path
    line: str
    failed: bool = False


def scan_files(settings: ScanSettings) -> Iterator[Outcome]:
    """Scan recordings and write what was found under their names into one folder, `NAME_scan.json` last.

    A recording that cannot be read is said in one line, and the others go on. With `resume`, a recording is left out
    whose files are there as they were written, of the same input, manifest, settings and version.

    Yields:
        What became of each recording, in their order, as they are done.

    Raises:
        InputError: settings that cannot be meant, or two recordings of one name.
        OutputError: a file cannot be written.
        WeightsError: the manifest or a fold is not as it must be.
        MachineError: a package that a run needs does not work.
    """
    open_closed_descriptors()
    settle()
    need(*OF_RUN)
    _check(settings)
    manifest = read_manifest(settings.manifest)
    yield from map(_Maker(settings, manifest).outcome, settings.recordings)


def _check(settings: ScanSettings) -> None:
    check_step(settings.step_s)
    settings.rules.check()
    check_unit(settings.unit)
    if settings.engine not in ENGINES:
        raise InputError(f"engine: expected one of {', '.join(ENGINES)}, received {settings.engine!r}")
    if not settings.recordings:
        raise InputError("recordings: expected one or more, received none")
    _check_names(settings)
    try:
        settings.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{settings.output}: expected a folder to write to: {error.strerror}") from error
    for source in settings.recordings:
        for name in files_named(source.stem):
            check_place(settings.output / name)


def _check_names(settings: ScanSettings) -> None:
    """Refuse recordings whose files would be written over each other, or over a recording."""
    name, times = Counter(source.stem for source in settings.recordings).most_common(1)[0]
    if times > 1:
        raise InputError(f"recordings: expected a name of its own for each, received {times} called {name!r}")
    written = {
        (settings.output / name).resolve(): source
        for source in settings.recordings
        for name in files_named(source.stem)
    }
    for source in settings.recordings:
        if (path := source.resolve()) in written:
            raise InputError(f"{source}: expected a recording, received a file that the scan of {written[path]} writes")


def files_named(name: str) -> list[str]:
    """Names of the files of one recording."""
    return [f"{name}{ending}" for ending in (*ENDINGS, *PAGE_ENDINGS, DONE)]


class _Maker:
    """Scans recordings with one ensemble, which is loaded when the first one needs it."""

    def __init__(self, settings: ScanSettings, manifest: Manifest):
        self._settings, self._manifest = settings, manifest
        self._digest = sha256_of(settings.manifest)
        self._loaded: Ensemble | None = None

    def outcome(self, source: Path) -> Outcome:
        """Scan one recording, or say why not."""
        try:
            what = self._fingerprint(source)
            if self._settings.resume and self._is_done(source.stem, what):
                return Outcome(source, f"{source.stem}: done before")
            recording = read_recording(source, unit=self._settings.unit)
            found = scan(recording, self._ensemble(), self._settings.step_s, self._settings.progress)
            files = self._files(recording, found)
        except (RecordError, InputError, MachineError, OSError) as error:
            return Outcome(source, _with_name(source, error), failed=True)
        return Outcome(source, self._written(recording, found, what, files))

    def _ensemble(self) -> Ensemble:
        if self._loaded is None:
            self._loaded = make_ensemble(self._manifest, self._settings.engine)
        return self._loaded

    def _files(self, recording: Recording, found: Scan) -> dict[str, bytes]:
        rules = self._settings.rules
        page = page_files(recording, found, self._manifest.title, PageSettings((rules.threshold,) * len(CLASSES)))
        return files_of(found, rules) | page

    def _written(self, recording: Recording, found: Scan, what: dict[str, Any], files: dict[str, bytes]) -> str:
        digests = {}
        for name, content in files.items():
            write_atomically(self._settings.output / name, content)
            digests[name] = sha256_of(self._settings.output / name)
        facts = _facts(recording, found)
        document = {
            "format": FORMAT,
            "of": what,
            **facts,
            "engine": self._ensemble().engine.description,
            "files": digests,
        }
        done = self._settings.output / f"{recording.name}{DONE}"
        write_atomically(done, (json.dumps(document, indent=1) + "\n").encode())
        return _line(found, self._settings.rules)

    def _fingerprint(self, source: Path) -> dict[str, Any]:
        """All that decides a result, but for the engine: those agree to 1e-5."""
        return {
            "hbac": __version__,
            "inputs": {path.name: sha256_of(path) for path in inputs_of(source)},
            "manifest": self._digest,
            "step_s": self._settings.step_s,
            "unit": self._settings.unit,
            "rules": asdict(self._settings.rules),
        }

    def _is_done(self, name: str, what: dict[str, Any]) -> bool:
        """Whether the files are there, whole, and of the same."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            document = json.loads((self._settings.output / f"{name}{DONE}").read_bytes())
            if document["format"] == FORMAT and document["of"] == what and document["files"]:
                return all(
                    sha256_of(self._settings.output / one) == digest for one, digest in document["files"].items()
                )
        return False


def inputs_of(source: Path) -> list[Path]:
    """The files that a recording may consist of: itself, what lies in it, or what is called like it beside it.

    Raises:
        RecordError: there is none.
    """
    if source.is_dir():
        return sorted(path for path in source.rglob("*") if path.is_file())
    if not source.is_file():
        raise RecordError(f"{source}: expected a recording, found none")
    if source.suffix.lower() in (".edf", ".bdf"):
        return [source]
    return sorted(path for path in source.parent.glob(f"{_literal(source.stem)}.*") if path.is_file()) or [source]


def _literal(name: str) -> str:
    """A name that `glob` takes as it is."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _facts(recording: Recording, found: Scan) -> dict[str, Any]:
    return {
        "name": found.name,
        "start": found.start.isoformat(timespec="milliseconds") if found.start else None,
        "seconds": found.duration_s,
        "montage": "electrodes" if recording.electrodes else "bipolar pairs",
        "rate_hz": EEG_RATE_HZ,
        "notes": list(found.notes),
        "steps": dict(Counter(map(str, found.statuses))),
    }


def _line(found: Scan, rules: Rules) -> str:
    """What a recording's result is, on one line."""
    events = Counter(event.kind for event in events_of(found, rules))
    told = ", ".join(f"{count} {kind}" for kind, count in events.items()) or "no pattern"
    steps = ", ".join(f"{count} {status}" for status, count in Counter(map(str, found.statuses)).items())
    return f"{found.name}: {found.duration_s / 3600:.2f} h: {told} ({steps})"


def _with_name(source: Path, error: Exception) -> str:
    """An error's line, with the recording named once."""
    text = " ".join(str(error).split())
    return text if str(source) in text or source.name in text else f"{source}: {text}"
