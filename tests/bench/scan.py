"""What scanning a recording costs and how well it finds what is there, on simulated recordings.

    PYTHONPATH=wheel_src python tests/bench/scan.py speed
    PYTHONPATH=wheel_src python tests/bench/scan.py whole --hours 6 24 --step 10
    PYTHONPATH=wheel_src python tests/bench/scan.py whole --hours 6 72 --without-network
    PYTHONPATH=wheel_src python tests/bench/scan.py scores --recordings 20 --hours 1

`speed`: processor time to make one input, by `scan` and by `predict`. `whole`: time and peak memory of whole recordings,
an hour's simulation one after the other; `--without-network` computes no network. `scores`: SzCORE's scores of seizures
(`timescoring`) by rules, and the burden of the other patterns, told against true.
"""

import argparse
import csv
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbac.hms import CLASSES, EEG_COLUMNS, EEG_RATE_HZ, EEG_WINDOW

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".bench" / "scan"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(required=True)
    speed = actions.add_parser("speed")
    speed.set_defaults(run=lambda options: _speed())
    whole = actions.add_parser("whole")
    whole.add_argument("--hours", type=int, nargs="+", default=[6])
    whole.add_argument("--step", type=int, default=10)
    whole.add_argument("--engine", default="auto")
    whole.add_argument("--without-network", action="store_true")
    whole.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    whole.set_defaults(run=_whole)
    scores = actions.add_parser("scores")
    scores.add_argument("--recordings", type=int, default=20)
    scores.add_argument("--hours", type=int, default=1)
    scores.add_argument("--step", type=int, default=10)
    scores.add_argument("--first-seed", type=int, default=0)
    scores.set_defaults(run=_scores)
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    options.run(options)


# What an input costs


def _speed() -> None:
    from hbac.preprocessing.load import image_of_eeg, load_record
    from hbac.preprocessing.presets import PRESETS
    from hbac.recordings.read import read_recording
    from hbac.recordings.windows import inputs
    from hbac.records.record import EegFile
    from hbac.records.tables import read_test_table
    from hbac.simulation.dataset import simulate

    preset = PRESETS["three-zooms-v2"]
    folder = FOLDER / "predict"
    if not folder.exists():
        simulate(folder, 0, 0, test_records=8, progress=False)
    records = read_test_table(folder)
    load_record(records[0], preset)
    of_predict = _cpu_ms(lambda: [load_record(record, preset) for record in records], len(records))
    print(f"predict, both files read, checked, made: {of_predict:.1f} ms of a core an input")
    path = _recording(1, 1)
    whole = EegFile(read_recording(path).block(0, 1500 * EEG_RATE_HZ))
    offsets = range(600, 900, 100)
    rebuilt = _cpu_ms(lambda: [image_of_eeg(whole, float(offset), preset) for offset in offsets], len(offsets))
    print(f"predict's image of a window of a recording, its ten minutes rebuilt: {rebuilt:.1f} ms")
    for step_s in (10, 2):
        starts = range(0, 3600 * EEG_RATE_HZ - EEG_WINDOW, step_s * EEG_RATE_HZ)
        recording = read_recording(path)
        of_scan = _cpu_ms(lambda: [None for _ in inputs(recording, preset, starts)], len(starts))  # noqa: B023
        print(
            f"scan every {step_s} s, EDF read, made: {of_scan:.2f} ms, "
            f"{of_predict / of_scan:.1f} and {rebuilt / of_scan:.0f} times less"
        )


def _cpu_ms(call: Callable[[], object], count: int) -> float:
    started = time.process_time()
    call()
    return (time.process_time() - started) / count * 1e3


def _recording(hours: int, seed: int) -> Path:
    """A simulated recording, made once."""
    from hbac.simulation.long_recording import simulate_recording

    path = FOLDER / f"{hours}h_{seed}.edf"
    if not path.exists():
        simulate_recording(path, hours * 3600, seed, progress=False)
    return path


# Whole recordings


def _whole(options: argparse.Namespace) -> None:
    if options.one:
        _one(options)
        return
    hour = _recording(1, 1)
    for hours in options.hours:
        path = _repeated(hour, hours)
        command = [sys.executable, __file__, "whole", "--one", "--hours", str(hours), "--step", str(options.step)]
        command += ["--engine", options.engine, *(["--without-network"] if options.without_network else [])]
        print(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout, end="", flush=True)
        path.unlink()


def _repeated(hour: Path, hours: int) -> Path:
    """An hour again and again as one recording."""
    from hbac.edf import Signal, header

    content = hour.read_bytes()
    size = 256 * (1 + len(EEG_COLUMNS))
    signals = [Signal("", "uV", (-3276.8, 3276.7), EEG_RATE_HZ)] * len(EEG_COLUMNS)
    first = header(signals, 3600 * hours, 1, None, plus=False)[:256]
    path = FOLDER / f"repeated_{hours}h.edf"
    with open(path, "wb") as file:
        file.write(first + content[256:size])
        for _ in range(hours):
            file.write(content[size:])
    return path


class NoNetwork:
    """In place of an ensemble: an answer at once, so that preprocessing is measured alone."""

    class Engine:
        streams, batch_size, description = 2, 1, "none"

    engine = Engine()

    def __init__(self, manifest: Any):
        self.manifest = manifest

    def predict(self, images: Mapping[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float64]:
        return np.full((len(next(iter(images.values()))), len(CLASSES)), 1 / len(CLASSES))


def _one(options: argparse.Namespace) -> None:
    from hbac.ensemble.calibrated import make_ensemble
    from hbac.recordings.read import read_recording
    from hbac.recordings.scan import scan
    from hbac.weights.manifest import read_manifest

    manifest = read_manifest(ROOT / "weights_manifest.json")
    ensemble: Any = NoNetwork(manifest)
    if not options.without_network:
        ensemble = make_ensemble(manifest, options.engine)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.monotonic(), time.process_time()
    hours = options.hours[0]
    found = scan(read_recording(FOLDER / f"repeated_{hours}h.edf"), ensemble, options.step)
    seconds, cpu_s = time.monotonic() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{hours} h every {options.step} s, {ensemble.engine.description}: {len(found.statuses)} answers in "
        f"{seconds:.0f} s ({cpu_s:.0f} s of a core), peak {peak / 1024:.0f} MiB, {before / 1024:.0f} before"
    )


# What is found


@dataclass(frozen=True)
class Scored:
    """A recording's truth and its scan."""

    truth: list[tuple[float, float, str]]
    scan: Any


def _scores(options: argparse.Namespace) -> None:
    from hbac.recordings.events import Rules

    scored = list(_scanned(options))
    seizures = sum(kind == "seizure" for one in scored for *_, kind in one.truth)
    hours = sum(one.scan.duration_s for one in scored) / 3600
    print(f"{len(scored)} recordings, {hours:.0f} h, {seizures} seizures, every {options.step} s")
    print(
        "threshold keep shortest | event sensitivity precision F1 false/day | sample sensitivity precision F1 false/day"
    )
    for threshold in (0.3, 0.4, 0.5, 0.6, 0.7):
        for keep in (threshold, 0.75 * threshold, 0.5 * threshold):
            for shortest in (0.0, 20.0):
                rules = Rules(threshold, keep, max(shortest, float(options.step)))
                print(f"{threshold:9.2f} {keep:4.2f} {rules.shortest_s:8.0f} | {_line(scored, rules)}")
    _burden(scored)


def _scanned(options: argparse.Namespace) -> Iterator[Scored]:
    from hbac.ensemble.calibrated import make_ensemble
    from hbac.recordings.quality import Status
    from hbac.recordings.read import read_recording
    from hbac.recordings.scan import Scan, scan
    from hbac.weights.manifest import read_manifest

    manifest = read_manifest(ROOT / "weights_manifest.json")
    ensemble = None
    for seed in range(options.first_seed, options.first_seed + options.recordings):
        path = FOLDER / f"{options.hours}h_{seed}.edf"
        kept = path.with_name(f"{path.stem}_{options.step}.npz")
        if not kept.exists():
            _recording(options.hours, seed)
            ensemble = ensemble or make_ensemble(manifest)
            found = scan(read_recording(path), ensemble, options.step)
            np.savez(kept, p=found.probabilities, s=[str(status) for status in found.statuses])
            path.unlink()
        saved = np.load(kept)
        count = len(saved["p"])
        durations = np.full(count, float(options.step))
        onsets = np.arange(count) * durations
        statuses = tuple(Status(text) for text in saved["s"])
        length_s = options.hours * 3600.0
        found = Scan(path.stem, None, length_s, options.step, onsets, durations, saved["p"], statuses)
        with open(path.with_name(f"{path.stem}_truth.tsv")) as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        yield Scored([(float(r["onset"]), float(r["onset"]) + float(r["duration"]), r["pattern"]) for r in rows], found)


def _line(scored: list[Scored], rules: Any) -> str:
    from timescoring.annotations import Annotation
    from timescoring.scoring import EventScoring, SampleScoring

    from hbac.recordings.events import seizures_of

    parts = []
    pairs = []
    for one in scored:
        length = int(one.scan.duration_s) * 10
        true = [(start, stop) for start, stop, kind in one.truth if kind == "seizure"]
        told = [(event.onset_s, event.stop_s) for event in seizures_of(one.scan, rules)]
        pairs.append((Annotation(true, 10, length), Annotation(told, 10, length)))
    for score in (EventScoring, lambda a, b: SampleScoring(a, b, 1)):
        results = [score(*pair) for pair in pairs]
        tp, fp = (sum(getattr(result, name) for result in results) for name in ("tp", "fp"))
        positive = sum(result.refTrue for result in results)
        days = sum(one.scan.duration_s for one in scored) / 86400
        precision = tp / max(1, tp + fp)
        sensitivity = tp / max(1, positive)
        f1 = 2 * tp / max(1, positive + tp + fp)
        parts.append(f"{sensitivity:8.3f} {precision:8.3f} {f1:6.3f} {fp / days:8.1f}")
    return " | ".join(parts)


def _burden(scored: list[Scored]) -> None:
    """Share of the time of each pattern, true and told by steps that reach a probability."""
    print("pattern, probability | true, told, mean and largest difference over recordings, % of the time")
    for number, kind in enumerate(CLASSES[:-1]):
        true = np.array([_seconds(one, kind) / one.scan.duration_s for one in scored])
        for least in (0.3, 0.4, 0.5):
            told = np.array([float(np.mean(one.scan.probabilities[:, number] >= least)) for one in scored])
            apart = np.abs(true - told)
            print(
                f"{kind:8} {least:.1f} | {true.mean():6.1%} {told.mean():6.1%} {apart.mean():6.1%} {apart.max():6.1%}"
            )


def _seconds(one: Scored, kind: str) -> float:
    return sum(stop - start for start, stop, name in one.truth if name == kind)


if __name__ == "__main__":
    main()
