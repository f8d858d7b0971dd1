"""Runs that are killed and taken up again after something changed: nothing of another source, nothing done twice.

    PYTHONPATH=wheel_src python tests/fuzz/resumes.py [--count 200] [--seed 7]

Half of the runs answer six records with one fold, half make their training images. Each ends without a word after a
drawn number of records, in half of the cases with a part of the journal's last line; then one thing of CHANGES happens,
and the run is taken up. All files have one size and one time throughout. What comes out is compared with a fresh run
over the same folder, and the records that were read again with those that had to be. Records are read in this process.
"""

import argparse
import contextlib
import json
import os
import queue
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, for its helpers

from helpers_runs import make_weights

from hbac.errors import InputError
from hbac.inference import run as inference
from hbac.inference.run import RunSettings, predict
from hbac.preprocessing.load import Loaded, load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.record import Record
from hbac.records.tables import read_test_table
from hbac.simulation.dataset import simulate
from hbac.training import cache
from hbac.weights.manifest import MANIFEST_NAME

RECORDS = 6
PLAIN: dict[str, Any] = {"compression": "none", "use_dictionary": False, "write_statistics": False}  # one size for all
SETTINGS = PRESETS[THREE_ZOOMS]


class Killed(BaseException):
    """The end of a run in this process."""


class Here:
    """In place of `Loader`: reads in this process, notes what it reads, and is killed when it is told to."""

    dies_after = RECORDS + 1
    read: list[int] = []  # noqa: RUF012 - of all of them, cleared by `told`

    def __init__(self, records: Sequence[Record], settings: Any, *_: object) -> None:
        self._records, self._settings = list(records), settings

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Loaded]:
        while self._records:
            yield self.get()

    def get(self, timeout_s: float | None = None) -> Loaded:
        if not self._records:
            raise queue.Empty
        if len(Here.read) >= Here.dies_after:
            raise Killed
        record = self._records.pop(0)
        Here.read.append(record.eeg_id)
        return load_record(record, self._settings)


def told(dies_after: int = RECORDS + 1) -> None:
    Here.dies_after, Here.read = dies_after, []


def rewrite(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, **PLAIN)
    os.utime(path, (0, 0))


def swap(one: Path, other: Path) -> None:
    kept = one.with_suffix(".kept")
    one.rename(kept)
    other.rename(one)
    kept.rename(other)


def halve(path: Path) -> None:
    table = pq.read_table(path)
    halves = [pa.array(column.to_numpy() * np.float32(0.5)) for column in table.columns]
    rewrite(path, pa.table(halves, table.column_names) if "time" not in table.column_names else table.take([0] * 300))


def change_row(column: str, value: Callable[[pd.DataFrame], object]) -> Callable[[Path, list[Record]], set[int]]:
    def change(folder: Path, records: list[Record]) -> set[int]:
        table = pd.read_csv(folder / "test.csv")
        table[column] = table.get(column, pd.Series([None] * len(table), dtype=object))
        table.loc[0, column] = value(table)
        table.to_csv(folder / "test.csv", index=False)
        return {int(table["eeg_id"].iloc[0])}

    return change


def swap_files(kind: str) -> Callable[[Path, list[Record]], set[int]]:
    def change(folder: Path, records: list[Record]) -> set[int]:
        swap(getattr(records[0], kind), getattr(records[1], kind))
        return {records[0].eeg_id, records[1].eeg_id}

    return change


def one_file(change: Callable[[Path], object], kind: str) -> Callable[[Path, list[Record]], set[int]]:
    def apply(folder: Path, records: list[Record]) -> set[int]:
        change(getattr(records[0], kind))
        return {records[0].eeg_id}

    return apply


def garbage(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, (0, 0))


def reorder(folder: Path, records: list[Record]) -> set[int]:
    pd.read_csv(folder / "test.csv").iloc[::-1].to_csv(folder / "test.csv", index=False)
    return set()


def drop(folder: Path, records: list[Record]) -> set[int]:
    pd.read_csv(folder / "test.csv").iloc[1:].to_csv(folder / "test.csv", index=False)
    return set()


CHANGES: dict[str, Callable[[Path, list[Record]], set[int]]] = {  # each returns the EEGs that have to be read again
    "nothing": lambda folder, records: set(),
    "two EEGs swapped": swap_files("eeg_path"),
    "two spectrograms swapped": swap_files("spectrogram_path"),
    "an EEG halved": one_file(halve, "eeg_path"),
    "a spectrogram of one row": one_file(halve, "spectrogram_path"),
    "an EEG of zeros": one_file(garbage, "eeg_path"),
    "an EEG gone": one_file(Path.unlink, "eeg_path"),
    "another order": reorder,
    "a row less": drop,
    "another spectrogram": change_row("spectrogram_id", lambda table: table["spectrogram_id"].iloc[1]),
    "an offset": change_row("spectrogram_label_offset_seconds", lambda table: 2.0),
}
SETTING_CHANGES = ("flip", "another fold")


def make_base(folder: Path, seed: int) -> Path:
    """Six records, all files of a kind of one size and one time."""
    simulate(folder, patients=0, seed=seed, test_records=RECORDS, progress=False, balanced=True)
    for path in folder.rglob("*.parquet"):
        rewrite(path, pq.read_table(path))
    (folder / "sample_submission.csv").unlink()
    for kind in ("test_eegs", "test_spectrograms"):
        assert len({path.stat().st_size for path in (folder / kind).iterdir()}) == 1
    return folder


def one_prediction(folder: Path, manifests: list[Path], what: str, rng: random.Random, counts: Counter[str]) -> None:
    """Killed, changed, resumed: its bytes beside those of a fresh run."""
    data = folder / "data"
    records = read_test_table(data)
    rng.shuffle(records)
    settings = RunSettings(data, manifests[0], folder / "submission.csv", engine="openvino", progress=False)
    told(rng.randint(0, RECORDS - 1))
    try:
        predict(settings)
    except Killed:
        pass
    else:
        raise SystemExit("expected a run that is killed")
    journal = folder / ".submission.csv.journal"
    if rng.random() < 0.5:
        journal.write_bytes(journal.read_bytes()[: -rng.randint(1, 40)])
    kept = {json.loads(line)["eeg_id"] for line in journal.read_bytes().split(b"\n")[1:] if line.endswith(b"}")}
    changed: set[int] = set()
    if what in CHANGES:
        changed = CHANGES[what](data, records)
    elif what == "flip":
        settings, changed = replace(settings, flip_tta=True), kept
    else:
        settings, changed = replace(settings, manifest=manifests[1]), kept
    compare_predictions(settings, kept, changed, what, counts)


def compare_predictions(
    settings: RunSettings, kept: set[int], changed: set[int], what: str, counts: Counter[str]
) -> None:
    fresh = settings.output.with_name("fresh.csv")
    told()
    try:
        predict(replace(settings, resume=True))
    except InputError:
        counts["refused"] += 1
        counts["refused though nothing speaks against it"] += what not in SETTING_CHANGES
        return
    read = set(Here.read)
    told()
    predict(replace(settings, output=fresh))
    lines, expected = (path.read_text().splitlines() for path in (settings.output, fresh))
    counts["rows"] += len(lines) - 1
    counts["rows of another source"] += sum(line not in expected for line in lines) + (lines[0] != expected[0])
    counts["rows taken up"] += len(expected) - 1 - len(read)
    counts["rows done again for nothing"] += len(read & (kept - changed))


def one_cache(folder: Path, what: str, rng: random.Random, counts: Counter[str]) -> None:
    """Killed, changed, made again: its images beside those of a fresh cache."""
    data, (here, fresh) = folder / "data", (folder / "here", folder / "fresh")
    here.mkdir()
    fresh.mkdir()
    records = read_test_table(data)
    told(rng.randint(1, RECORDS))
    with contextlib.suppress(Killed):
        cache.make_cache(records, here, SETTINGS, 1, progress=False)
    done = set(Here.read)
    changed = CHANGES[what](data, rng.sample(records, len(records)))
    records = read_test_table(data)
    told()
    received = cache.open_cache(records, here, SETTINGS) or cache.make_cache(records, here, SETTINGS, 1, progress=False)
    read = set(Here.read)
    told()
    expected = cache.make_cache(records, fresh, SETTINGS, 1, progress=False)
    counts["images"] += len(records)
    counts["images of another source"] += int((received.images != expected.images).any(axis=(1, 2, 3)).sum())
    counts["images of another source"] += int((received.readable != expected.readable).sum())
    if (here / "images.json").read_text() == (fresh / "images.json").read_text() and what in SAME_ROWS:
        counts["images taken up"] += len(records) - len(read)
        counts["images done again for nothing"] += len(read & (done - changed))


SAME_ROWS = [
    name for name in CHANGES if name not in ("another order", "a row less", "another spectrogram", "an offset")
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="runs [%(default)s]")
    parser.add_argument("--seed", type=int, default=7, help="[%(default)s]")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    counts: Counter[str] = Counter()
    inference.Loader = cache.Loader = Here  # type: ignore[misc, assignment]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        base = make_base(folder / "base", options.seed)
        manifests = [make_weights(folder / "weights"), make_weights(folder / "others", 2)]
        document = json.loads(manifests[1].read_text())
        manifests[1].with_name(MANIFEST_NAME).write_text(json.dumps({**document, "folds": document["folds"][1:]}))
        for number in range(options.count):
            run = folder / "run"
            shutil.copytree(base, run / "data")
            names = [*CHANGES, *(SETTING_CHANGES if number % 2 else ())]
            what = names[number // 2 % len(names)]
            if number % 2:
                one_prediction(run, manifests, what, rng, counts)
            else:
                one_cache(run, what, rng, counts)
            counts[f"runs, {what}"] += 1
            shutil.rmtree(run)
    for name, count in sorted(counts.items()):
        print(f"{count:6d} {name}")
    bad = ("of another source", "for nothing", "speaks against")
    return int(any(count for name, count in counts.items() if any(part in name for part in bad)))


if __name__ == "__main__":
    sys.exit(main())
