"""Runs over damaged EEG and spectrogram files: no row may be lost, and how much silent damage is noticed.

    PYTHONPATH=wheel_src python tests/fuzz/inputs.py [--count 3600] [--hand 200] [--seed 7]

Mutations of simulated records are answered by whole runs with the demo folds. Damage is silent where both files of a
record are read without an error and its image differs from that of the whole record. It is noticed by the range (notes
on a window's values), by the structure (notes on the file) or by the comparison of EEG and spectrogram. The main count
is of files without page checksums, as the competition's are; a quarter of it is done again with page checksums, and
once more with a list of SHA-256.
"""

import argparse
import hashlib
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, for its helpers

import helpers_readers
from conftest import ROOT
from helpers_damage import EEG, MUTATIONS, SPECTROGRAM, by_hand

from hbac.hms import eeg_folder, spectrogram_folder
from hbac.inference import run as inference
from hbac.inference.run import RunSettings, predict
from hbac.inference.submission import check_submission
from hbac.preprocessing import readers as loading
from hbac.preprocessing.load import INCOMPLETE, OK, SUSPECT, Loaded
from hbac.preprocessing.readers import Loader
from hbac.simulation.dataset import simulate

BASES = 20  # whole records that the damaged ones come from
BATCH = 200  # records a run
LIMIT_S = 5.0  # for one attempt at a record; 120 s by default, too long for what hangs on purpose
FOLDERS = {EEG: eeg_folder("test"), SPECTROGRAM: spectrogram_folder("test")}


@dataclass
class Count:
    """Of one kind of damage."""

    files: int = 0
    lost: int = 0
    refused: int = 0  # the file was not read
    harmless: int = 0  # the image is that of the whole record
    silent: int = 0
    noticed: Counter[str] = field(default_factory=Counter)  # of the silent ones, by what
    readers: int = 0  # that ended or took too long
    longest_s: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)


class Recorder(Loader):
    """The loader of a run, with readers that tell their time; keeps what it hands on."""

    seen: list[Loaded] = []

    def __init__(self, *arguments, **options):  # type: ignore[no-untyped-def]
        super().__init__(*arguments[:3], limit_s=LIMIT_S)

    def get(self, timeout_s: float | None = None) -> Loaded:
        loaded = super().get(timeout_s)
        self.seen.append(loaded)
        return replace(loaded, notes=notes_of(loaded))


def notes_of(loaded: Loaded) -> tuple[str, ...]:
    return tuple(note for note in loaded.notes if not note.startswith(helpers_readers.TOOK))


def answer(folder: Path, count: int, sha256_list: Path | None = None) -> tuple[dict[int, Loaded], int]:
    """A whole run over records 1 to `count` in `folder`: what was loaded, and how many rows were lost."""
    ids = list(range(1, count + 1))
    pd.DataFrame({"eeg_id": ids, "spectrogram_id": ids, "patient_id": ids}).to_csv(folder / "test.csv", index=False)
    Recorder.seen = []
    output = folder / "submission.csv"
    settings = RunSettings(folder, ROOT / "weights_manifest.json", output, engine="openvino", progress=False)
    predict(replace(settings, sha256_list=sha256_list))
    return {one.record.eeg_id: one for one in Recorder.seen}, count - len(check_submission(output, ids))


class Bases:
    """Whole records, one folder for each kind of file, and their images."""

    def __init__(self, folder: Path, seed: int, checksums: bool):
        data = folder / "data"
        if not data.exists():
            simulate(data, patients=0, seed=seed, test_records=BASES, progress=False, balanced=True)
        table = pd.read_csv(data / "test.csv")
        self.folder = folder / ("checksums" if checksums else "plain")
        for kind, column in ((EEG, "eeg_id"), (SPECTROGRAM, "spectrogram_id")):
            (self.folder / FOLDERS[kind]).mkdir(parents=True)
            for number, name in enumerate(table[column], start=1):
                columns = pq.read_table(data / FOLDERS[kind] / f"{name}.parquet")
                pq.write_table(columns, self.path(kind, number), write_page_checksum=checksums)
        loaded, _ = answer(self.folder, BASES)
        self.images = {number: one.image for number, one in loaded.items()}
        self.alarms = sum(one.status != OK for one in loaded.values())

    def path(self, kind: str, number: int) -> Path:
        return self.folder / FOLDERS[kind] / f"{number}.parquet"

    def place(self, folder: Path, row: int, base: int, bad: str) -> Path:
        """Link the files of a base to a row of a test folder, but copy the one that is to be damaged."""
        for kind, name in FOLDERS.items():
            path = folder / name / f"{row}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == bad:
                shutil.copy(self.path(kind, base), path)
            else:
                path.symlink_to(self.path(kind, base))
        return folder / FOLDERS[bad] / f"{row}.parquet"


def judge(count: Count, loaded: Loaded | None, whole: np.ndarray) -> None:
    count.files += 1
    if loaded is None:
        count.lost += 1
        return
    notes = notes_of(loaded)
    count.statuses[loaded.status] += 1
    count.readers += any(note.startswith("reading ") for note in notes)
    took = [float(note.split()[1]) for note in loaded.notes if note.startswith(helpers_readers.TOOK)]
    count.longest_s = max(count.longest_s, *took, 0.0)
    if loaded.status not in (OK, INCOMPLETE, SUSPECT):
        count.refused += 1
    elif np.array_equal(loaded.image, whole):
        count.harmless += 1
    else:
        count.silent += 1
        by = {noticer(note) for note in notes}
        count.noticed.update([*by, *(["any"] if by else [])])


def noticer(note: str) -> str:
    if "disagree" in note:
        return "comparison"
    return "range" if note.startswith(("EEG: ", "spectrogram: ")) and " of " not in note else "structure"


def mutations(folder: Path, bases: Bases, total: int, seed: int, listed: bool = False) -> dict[str, Count]:
    """Runs over mutated files: counts by kind of damage."""
    rng = np.random.default_rng(seed)
    kinds = [(name, kind) for name in MUTATIONS for kind in FOLDERS]
    counts = {f"{name}, {kind}": Count() for name, kind in kinds}
    for begin in range(0, total, BATCH):
        size = min(BATCH, total - begin)
        batch, jobs, digests = folder / "batch", [], []
        for row in range(1, size + 1):
            name, kind = kinds[(begin + row) % len(kinds)]
            base, other = 1 + rng.choice(BASES, 2, replace=False)
            path = bases.place(batch, row, base, kind)
            content = path.read_bytes()
            digests.append(f"{hashlib.sha256(content).hexdigest()}  {FOLDERS[kind]}/{row}.parquet\n")
            path.write_bytes(MUTATIONS[name](content, rng, bases.path(kind, other).read_bytes()))
            jobs.append((row, base, f"{name}, {kind}"))
        (batch / "list").write_text("".join(digests))
        loaded, lost = answer(batch, size, batch / "list" if listed else None)
        for row, base, label in jobs:
            judge(counts[label], loaded.get(row), bases.images[base])
        counts[jobs[0][2]].lost += lost
        shutil.rmtree(batch)
        print(f"{begin + size} of {total}", file=sys.stderr, flush=True)
    return counts


def handmade(folder: Path, bases: Bases, total: int) -> dict[str, Count]:
    """Runs over files made by hand: counts by name."""
    cases = [(name, kind) for kind in FOLDERS for name in by_hand(kind)]
    counts: dict[str, Count] = {}
    batch, jobs = folder / "hand", []
    for row in range(1, total + 1):
        name, kind = cases[(row - 1) % len(cases)]
        base = 1 + (row * 7) % BASES
        by_hand(kind)[name](bases.place(batch, row, base, kind))
        jobs.append((row, base, f"{name}, {kind}"))
    loaded, lost = answer(batch, total)
    for row, base, label in jobs:
        judge(counts.setdefault(label, Count()), loaded.get(row), bases.images[base])
    next(iter(counts.values())).lost += lost
    return counts


def table(title: str, counts: dict[str, Count]) -> None:
    print(f"\n{title}\n\n| damage | files | rows lost | not read | same image | silent | noticed: any | range | comparison | structure | readers ended | longest s |")  # fmt: skip
    print("| --- " * 12 + "|")
    everything = Count()
    for count in counts.values():
        for name in ("files", "lost", "refused", "harmless", "silent", "noticed", "readers"):
            setattr(everything, name, getattr(everything, name) + getattr(count, name))
        everything.longest_s = max(everything.longest_s, count.longest_s)
    for name, count in [*counts.items(), ("all", everything)]:
        by = [f"{count.noticed[how]}" for how in ("any", "range", "comparison", "structure")]
        cells = [name, count.files, count.lost, count.refused, count.harmless, count.silent, *by, count.readers]
        print("| " + " | ".join(map(str, cells)) + f" | {count.longest_s:.2f} |")
    print(flush=True)


def by_hand_table(counts: dict[str, Count]) -> None:
    print("\n| made by hand | files | rows lost | status | longest s |\n| --- | --- | --- | --- | --- |")
    for name, count in counts.items():
        statuses = ", ".join(f"{n} {status}" for status, n in count.statuses.items())
        print(f"| {name} | {count.files} | {count.lost} | {statuses} | {count.longest_s:.2f} |")
    print(f"| all | {sum(c.files for c in counts.values())} | {sum(c.lost for c in counts.values())} | | |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3600, help="mutated files [%(default)s]")
    parser.add_argument("--hand", type=int, default=200, help="files made by hand [%(default)s]")
    parser.add_argument("--seed", type=int, default=7, help="[%(default)s]")
    options = parser.parse_args()
    loading._serve = helpers_readers.timed
    inference.Loader = Recorder  # type: ignore[misc]
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bases = {checksums: Bases(folder, options.seed, checksums) for checksums in (False, True)}
        alarms = sum(base.alarms for base in bases.values())
        parts = {
            "As the competition's files are": mutations(folder, bases[False], options.count, options.seed),
            "With page checksums": mutations(folder, bases[True], options.count // 4, options.seed + 1),
            "With a list of SHA-256": mutations(
                folder, bases[False], options.count // 4, options.seed + 2, listed=True
            ),
        }
        hand = handmade(folder, bases[False], options.hand) if options.hand else {}
    for title, counts in parts.items():
        table(title, counts)
    by_hand_table(hand)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    lost = sum(count.lost for counts in (*parts.values(), hand) for count in counts.values())
    print(f"\nfalse alarms on {2 * BASES} whole records: {alarms}; largest reader: {memory} MiB; "
          f"{time.monotonic() - started:.0f} s; rows lost: {lost}")  # fmt: skip
    return int(lost > 0 or alarms > 0)


if __name__ == "__main__":
    sys.exit(main())
