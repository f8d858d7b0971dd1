"""Recordings to files: each one scanned, its results written whole, and one that fails left out with one line."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

from hbac.ensemble.calibrated import Ensemble, make_ensemble
from hbac.errors import InputError, MachineError, OutputError, RecordError, WeightsError
from hbac.files import check_place, sha256_of, write_atomically
from hbac.hms import CLASSES, EEG_RATE_HZ
from hbac.machine.environment import settle
from hbac.machine.packages import OF_RUN, need
from hbac.network.engine import AUTO, ENGINES
from hbac.recordings.cluster import LOCAL, spread, streams_of, threads_of_worker
from hbac.recordings.events import RULES, Rules, events_of
from hbac.recordings.items import Item, check_name, check_places, inputs_of, items_of, plain
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

    recordings: tuple[Path, ...]  # files, and folders of such
    output: Path
    manifest: Path
    step_s: int = STEP_S
    rules: Rules = field(default_factory=lambda: RULES)
    unit: str | None = None  # of channels that state none
    engine: str = AUTO
    resume: bool = False
    progress: bool = True
    dask: str | None = None  # see `cluster.spread`
    workers: int | None = None  # of `dask="local"`; the usable cores where it is None
    streams: int | None = None  # answers at once, a core each; None: the usable cores, or a worker's share of them


@dataclass(frozen=True)
class Outcome:
    """What became of one recording."""

    source: Path
    line: str
    failed: bool = False


def scan_files(settings: ScanSettings) -> Iterator[Outcome]:
    """Scan recordings and write what was found under their names into one folder, `NAME_scan.json` last.

    Of a folder, all recordings below it are scanned, and their results lie in the same folders below the output. A
    recording that cannot be read is said in one line, and the others go on. With `resume`, a recording is left out
    whose files are there as they were written, of the same input, manifest, settings and version.

    Yields:
        What became of each recording, as they are done: in their order, but with `dask`.

    Raises:
        InputError: settings that cannot be meant, a folder without a recording, or two recordings of one name.
        OutputError: a file cannot be written.
        WeightsError: the manifest or a fold is not as it must be.
        MachineError: a package that a run needs does not work, or a cluster.
    """
    yield from scan_items(settings, items_of(settings.recordings, settings.output))


def scan_items(settings: ScanSettings, items: Sequence[Item]) -> Iterator[Outcome]:
    """The same for recordings that were found already; see `scan_files`."""
    open_closed_descriptors()
    settle()
    need(*OF_RUN)
    _check(settings, items)
    manifest = read_manifest(settings.manifest)
    if settings.dask is None:
        yield from map(_Maker(settings, manifest).outcome, items)
    else:
        yield from _spread(settings, items)


def _spread(settings: ScanSettings, items: Sequence[Item]) -> Iterator[Outcome]:
    """Each recording by a worker, which may run elsewhere and have another working folder."""
    where = settings.dask or LOCAL
    ask = _Ask(
        replace(
            settings,
            recordings=(),
            output=settings.output.resolve(),
            manifest=settings.manifest.resolve(),
            dask=None,
            workers=None,
            progress=False,
            streams=settings.streams or streams_of(where, settings.workers, len(items)),
        ),
        sha256_of(settings.manifest),
    )
    there = {Item(item.source.absolute(), item.folder): item for item in items}
    for item, outcome in spread(partial(_on_worker, ask), list(there), where, settings.workers):
        source = there[item].source
        if isinstance(outcome, MachineError):
            yield Outcome(source, _with_name(item, outcome), failed=True)
        else:
            yield replace(outcome, source=source)


@dataclass(frozen=True)
class _Ask:
    """What a worker is told beside a recording."""

    settings: ScanSettings
    manifest: str  # SHA-256
    version: str = __version__


def _on_worker(ask: _Ask, item: Item) -> Outcome:
    """What a worker does: scan one recording; the folds stay for the next ones.

    Raises:
        MachineError: the worker has another hbac.
        WeightsError: the worker has another manifest at that place, or folds that are not as they must be.
    """
    if ask.version != __version__:
        raise MachineError(f"worker: expected hbac {ask.version}, received {__version__}")
    with _LOADING:
        maker = _maker(ask)
    return maker.outcome(item)


_LOADING: Final = Lock()


@lru_cache(maxsize=1)
def _maker(ask: _Ask) -> "_Maker":
    settle()
    need(*OF_RUN)
    path = ask.settings.manifest
    if (received := sha256_of(path)) != ask.manifest:
        raise WeightsError(f"{path}: expected SHA-256 {ask.manifest} on the worker, received {received}")
    return _Maker(replace(ask.settings, streams=ask.settings.streams or threads_of_worker()), read_manifest(path))


def _check(settings: ScanSettings, items: Sequence[Item]) -> None:
    check_step(settings.step_s)
    settings.rules.check()
    check_unit(settings.unit)
    if settings.engine not in ENGINES:
        raise InputError(f"engine: expected one of {', '.join(ENGINES)}, received {settings.engine!r}")
    if not items:
        raise InputError("recordings: expected one or more, received none")
    if settings.workers is not None and (settings.dask != LOCAL or settings.workers < 1):
        raise InputError(f"workers: expected 1 or more of --dask {LOCAL}, received {settings.workers}")
    check_places(items, settings.output, files_named(""))
    for item in items:
        folder = settings.output / item.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: expected a folder to write to: {error.strerror}") from error
        for name in files_named(item.source.stem):
            check_place(folder / name)


def files_named(name: str) -> list[str]:
    """Names of the files of one recording."""
    return [f"{name}{ending}" for ending in (*ENDINGS, *PAGE_ENDINGS, DONE)]


class _Maker:
    """Scans recordings with one ensemble, which is loaded when the first one needs it."""

    def __init__(self, settings: ScanSettings, manifest: Manifest):
        self._settings, self._manifest = settings, manifest
        self._digest = sha256_of(settings.manifest)
        self._loaded: Ensemble | None = None
        self._lock = Lock()  # a worker of a cluster may have several threads, which share the folds

    def outcome(self, item: Item) -> Outcome:
        """Scan one recording, or say why not."""
        source, folder = item.source, self._settings.output / item.folder
        try:
            check_name(source)
            what = self._fingerprint(source)
            if self._settings.resume and _is_done(folder, source.stem, what):
                return Outcome(source, f"{item.place}: done before")
            recording = read_recording(source, unit=self._settings.unit)
        except (RecordError, InputError, MachineError, OSError) as error:  # a package is missing for this file alone
            return Outcome(source, _with_name(item, error), failed=True)
        ensemble = self._ensemble()  # its faults are no recording's
        try:
            found = scan(recording, ensemble, self._settings.step_s, self._settings.progress)
            files = self._files(recording, found)
        except (RecordError, InputError, OSError) as error:
            return Outcome(source, _with_name(item, error), failed=True)
        self._write(folder, recording, found, what, files)
        return Outcome(source, _line(item.place, found, self._settings.rules))

    def _ensemble(self) -> Ensemble:
        with self._lock:
            if self._loaded is None:
                streams = self._settings.streams
                self._loaded = make_ensemble(self._manifest, self._settings.engine, streams=streams)
        return self._loaded

    def _files(self, recording: Recording, found: Scan) -> dict[str, bytes]:
        rules = self._settings.rules
        page = page_files(recording, found, self._manifest.title, PageSettings((rules.threshold,) * len(CLASSES)))
        return files_of(found, rules) | page

    def _write(
        self, folder: Path, recording: Recording, found: Scan, what: dict[str, Any], files: dict[str, bytes]
    ) -> None:
        digests = {}
        with contextlib.suppress(OSError):  # an earlier result's: it must not stand beside files of this one
            (folder / f"{recording.name}{DONE}").unlink(missing_ok=True)
        for name, content in files.items():
            write_atomically(folder / name, content)
            digests[name] = sha256_of(folder / name)
        facts = _facts(recording, found)
        document = {
            "format": FORMAT,
            "of": what,
            **facts,
            "engine": self._ensemble().engine.description,
            "files": digests,
        }
        write_atomically(folder / f"{recording.name}{DONE}", (json.dumps(document, indent=1) + "\n").encode())

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


def _is_done(folder: Path, name: str, what: dict[str, Any]) -> bool:
    """Whether the files are there, whole, and of the same."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        document = json.loads((folder / f"{name}{DONE}").read_bytes())
        if document["format"] == FORMAT and document["of"] == what and document["files"]:
            return all(sha256_of(folder / one) == digest for one, digest in document["files"].items())
    return False


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


def _line(place: str, found: Scan, rules: Rules) -> str:
    """What a recording's result is, on one line."""
    events = Counter(event.kind for event in events_of(found, rules))
    told = ", ".join(f"{count} {kind}" for kind, count in events.items()) or "no pattern"
    steps = ", ".join(f"{count} {status}" for status, count in Counter(map(str, found.statuses)).items())
    return f"{place}: {found.duration_s / 3600:.2f} h: {told} ({steps})"


def _with_name(item: Item, error: Exception) -> str:
    """An error's line, with the recording named once; in full where others below other folders may be called so."""
    text, source = " ".join(str(error).split()), item.source
    if plain(source) in text or (item.folder == Path() and source.name in text):
        return text
    return f"{plain(source)}: {text.removeprefix(f'{source.name}: ')}"
