"""Preprocessing alone: a record's two files to its image, on one core; the package's way beside the straightforward one."""

import statistics
import sys
from pathlib import Path

import numpy as np
from inputs import RECORDS, environment, test_folder
from measure import Worker, ratio, table
from peers import FOLDER, Peers

from hbac.processes import ONE_THREAD

CHANNELS = ("10 min", "50 s", "10 s")
WAYS = ("hbac", "straightforward")
PARTS = ("read EEG", "read spectrogram", "image")
ASKED_MS, ASKED_RATIO, BOUND = 40, 4, 2e-3  # the bound is on a cell of the image, whose cells lie in -6 to 6


def measure(peers: Peers, rounds: int) -> None:
    """Both in turn, record by record: processor time, parts of ours, and how far the images lie apart."""
    here = Path(__file__).parent
    running = {}
    for way, python in zip(WAYS, (sys.executable, peers.python)):
        command = [python, here / "preprocess.py", way, test_folder(RECORDS), FOLDER / f"image_{way}.npy"]
        running[way] = Worker(command, {**environment(here), **ONE_THREAD}, FOLDER / f"preprocess_{way}.log")
    taken: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    apart = []
    for turn in range(rounds * RECORDS):
        for way in WAYS:
            taken[way].append(running[way].ask(turn % RECORDS))
        if turn < RECORDS:
            images = [np.load(FOLDER / f"image_{way}.npy") for way in WAYS]
            apart.append(np.abs(images[0] - images[1]).max(axis=(0, 1)))
    for worker in running.values():
        worker.end()
    whole = {way: [seconds[0] for seconds in taken[way]] for way in WAYS}
    whole["hbac, without looking for damage"] = [sum(seconds[1:]) for seconds in taken["hbac"]]
    parts = np.median([seconds[1:] for seconds in taken["hbac"]], axis=0)
    rows = [(way, f"{1000 * statistics.median(seconds):.1f}", f"{ratio(whole['straightforward'], seconds):.1f}") for way, seconds in whole.items()]  # fmt: skip
    title = f"Preprocessing alone, processor time on one core, medians of {rounds} turns over {RECORDS} records"
    table(title, ("way", f"ms a record (asked: {ASKED_MS})", f"times faster (asked: {ASKED_RATIO})"), rows)
    print("Of the latter: " + ", ".join(f"{part} {1000 * s:.1f} ms" for part, s in zip(PARTS, parts)) + ".")
    worst = np.max(apart, axis=0)
    print("Largest difference of a cell: " + ", ".join(f"{name} {d:.1e}" for name, d in zip(CHANNELS, worst)) + ".")
    if not worst.max() <= BOUND:
        raise RuntimeError(f"expected images within {BOUND:g} of each other, received {worst.max():.2g}")
