"""Runs killed at random moments and resumed: the same bytes every time, and never a part of a file under its name.

    PYTHONPATH=wheel_src python tests/fuzz/kills.py [--count 200] [--seed 7]

Each run answers 24 records with one fold. Every second SIGKILL comes at a moment drawn evenly from the length of a
whole run, which is mostly start; the others come up to 0.1 s after a drawn number of rows is in the journal. A run is
killed one to four times, with --resume in between. Its output folder is looked at every five milliseconds. Readers
must be gone within a minute of the kill.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, for its helpers

from helpers_runs import command, environment, make_data, make_weights, run

RECORDS = 24


class Watcher:
    """Looks at the files of a run; use as a context manager around it."""

    def __init__(self, output: Path, expected: bytes):
        self._output, self._expected = output, expected
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.partial: list[str] = []
        self.looks = 0

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self._look()

    def _look(self) -> None:
        self.looks += 1
        if (received := _read(self._output)) not in (None, self._expected):
            self.partial.append(f"submission of {len(received or b'')} bytes")
        if (report := _read(self._output.with_name("submission_report.json"))) is not None:
            try:
                json.loads(report)
            except ValueError:
                self.partial.append(f"report of {len(report)} bytes")
        if (journal := _read(journal_of(self._output))) is not None and b"\n" not in journal:
            self.partial.append("journal without a fingerprint")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def journal_of(output: Path) -> Path:
    return output.with_name(f".{output.name}.journal")


def rows_of(journal: Path) -> int:
    """Whole rows in a journal."""
    return max(0, (_read(journal) or b"").count(b"\n") - 1)


def killed(words: list[str], after_s: float, journal: Path, after_rows: int) -> tuple[bool, int]:
    """Start a run and kill it; whether it was killed before its end, and how many of its processes outlived it."""
    process = subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and rows_of(journal) < after_rows:
        time.sleep(0.001)
    try:
        process.wait(after_s)
        return False, 0
    except subprocess.TimeoutExpired:
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        return True, len(psutil.wait_procs(children, timeout=60)[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="kills [%(default)s]")
    parser.add_argument("--seed", type=int, default=7, help="[%(default)s]")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data, manifest = make_data(folder, RECORDS, options.seed), make_weights(folder / "weights")
        run(command(data, manifest, folder / "warm.csv")).check_returncode()
        started = time.monotonic()
        run(command(data, manifest, folder / "whole.csv")).check_returncode()
        length_s = time.monotonic() - started
        expected = (folder / "whole.csv").read_bytes()
        while counts["kills"] < options.count:
            one(folder / f"run{counts['runs']}", data, manifest, expected, length_s, rng, counts)
            counts["runs"] += 1
            if counts["runs"] % 20 == 0:
                print(dict(counts), file=sys.stderr, flush=True)
    show(counts, length_s)
    bad = ("other bytes after resume", "resume failed", "partial files seen", "readers that outlived it by 60 s")
    return int(any(counts[name] for name in bad))


def one(
    folder: Path, data: Path, manifest: Path, expected: bytes, length_s: float, rng: random.Random, counts: Counter[str]
) -> None:
    """One run: killed, resumed, perhaps killed again, resumed to its end."""
    folder.mkdir()
    output = folder / "submission.csv"
    words = command(data, manifest, output, "--workers", 1 + counts["runs"] % 2)
    with Watcher(output, expected) as watcher:
        for attempt in range(1 + counts["runs"] % 4):
            rows = rng.randint(1, RECORDS) if counts["attempts"] % 2 else 0
            after_s = rng.uniform(0, 0.1 if rows else length_s)
            counts["attempts"] += 1
            was_killed, orphans = killed([*words, *["--resume"][:attempt]], after_s, journal_of(output), rows)
            counts["readers that outlived it by 60 s"] += orphans
            counts["kills"] += was_killed
            rows = rows_of(journal_of(output))
            stage = "before the first row" if rows < 1 else "with rows" if rows < RECORDS else "with all rows"
            counts[f"killed {stage}"] += was_killed
            counts["rows taken up"] += rows if was_killed else 0
        done = run([*words, "--resume"])
    counts["looks at the folder"] += watcher.looks
    counts["partial files seen"] += len(watcher.partial)
    counts["resume failed"] += done.returncode != 0
    counts["other bytes after resume"] += _read(output) != expected
    left = sorted(set(os.listdir(folder)) - {"submission.csv", "submission_report.json"})
    counts["temporary files left"] += len(left)
    if done.returncode or watcher.partial:
        print(done.stderr, watcher.partial, file=sys.stderr)


def show(counts: Counter[str], length_s: float) -> None:
    print("\n| kills and resumes | count |\n| --- | --- |")
    for name in (
        "runs", "kills", "killed before the first row", "killed with rows", "killed with all rows", "rows taken up",
        "resume failed", "other bytes after resume", "looks at the folder", "partial files seen",
        "readers that outlived it by 60 s", "temporary files left",
    ):  # fmt: skip
        print(f"| {name} | {counts[name]} |")
    print(f"| a whole run, s | {length_s:.1f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
