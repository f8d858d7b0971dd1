"""Runs that are stopped and continued: every record answered whole, whoever was paused and however long.

    PYTHONPATH=wheel_src python tests/fuzz/pauses.py [--count 40] [--at-once 4] [--seed 7]

Each run answers 40 records with one fold. It is stopped (SIGSTOP) once a drawn number of rows is in the journal, from 0,
which is while readers and network start: the whole group, the run alone, or its readers alone. By turns it has no
budget and is paused for 130 s, longer than a record's limit, or 8 s with a budget of 240 s, in which a record has 12 s,
or 8 s with one of 150 s, in which it has 7.5 s.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, for its helpers

from helpers_runs import command, environment, make_data, make_weights

RECORDS = 40
WHO = ("group", "run", "readers")
PAUSES = ((130.0, None), (8.0, "240s"), (8.0, "150s"))  # seconds, and the run's budget


def processes_of(who: str, pid: int) -> list[psutil.Process]:
    """The run, its readers, or all of them."""
    run = psutil.Process(pid)
    readers = run.children(recursive=True)
    return {"group": [run, *readers], "run": [run], "readers": readers}[who]


def signalled(processes: list[psutil.Process], what: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(what)
        except psutil.NoSuchProcess:
            continue


def rows_of(journal: Path) -> int:
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else -1


def one(number: int, folder: Path, data: Path, manifest: Path, rows: int) -> tuple[str, str]:
    """What kind of a run it was, and what it said."""
    who, (pause_s, budget) = WHO[number % len(WHO)], PAUSES[number // len(WHO) % len(PAUSES)]
    output = folder / f"run{number}" / "submission.csv"
    output.parent.mkdir()
    words = command(data, manifest, output, *(("--time-budget", budget) if budget else ()))
    process = subprocess.Popen(
        words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    journal = output.with_name(".submission.csv.journal")
    while process.poll() is None and rows_of(journal) < rows:
        time.sleep(0.01)
    paused = []
    if process.poll() is None:
        paused = processes_of(who, process.pid)
        signalled(paused, signal.SIGSTOP)
        time.sleep(pause_s)
        signalled(paused, signal.SIGCONT)
    said = process.communicate()[0]
    whole = f"({RECORDS} ok)" in said and os.path.exists(output)
    kind = f"{who}, {pause_s:.0f} s, budget {budget or 'none'}"
    return kind if paused else f"{kind}: too late to pause", "" if whole else f"{kind}, at row {rows}: {said}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=40, help="runs [%(default)s]")
    parser.add_argument("--at-once", type=int, default=4, help="of them at the same time [%(default)s]")
    parser.add_argument("--seed", type=int, default=7, help="[%(default)s]")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data, manifest = make_data(folder, RECORDS, options.seed), make_weights(folder / "weights")
        drawn = [rng.randint(-1, RECORDS // 2) for _ in range(options.count)]
        with ThreadPoolExecutor(options.at_once) as pool:
            kinds, said = zip(*pool.map(lambda n: one(n, folder, data, manifest, drawn[n]), range(options.count)))
    for kind, count in sorted(Counter(kinds).items()):
        print(f"{count:4d} runs, paused: {kind}")
    bad = [text for text in said if text]
    print(f"{options.count - len(bad)} of {options.count} runs whole")
    print("\n".join(bad))
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
