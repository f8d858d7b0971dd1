"""Network alone: images in memory, five folds, every engine in a process of its own, in turn."""

import statistics
import sys
from pathlib import Path

import numpy as np
from contenders import PRODUCTS
from inputs import FOLDS, environment, full_width_folds, images
from measure import Worker, in_turn, ratio, table
from peer_graphs import multiply_adds
from peers import FOLDER, Peers

from hbac.weights.manifest import read_manifest

AGREE = 1e-4  # of a probability
OURS = ("hbac tensorflow", "hbac openvino")
BY_PEERS = {
    "Keras predict": "keras",
    "ONNX Runtime": "onnxruntime",
    "OpenVINO": "openvino",
    "PyTorch eager": "torch",
    "sgemm": "numpy",
}
RIVALS = ("ONNX Runtime", "OpenVINO")
GIGA = 1e9
ASKED = {"hbac tensorflow": 0.80, "hbac openvino": 0.97}


def workers(peers: Peers, names: tuple[str, ...] = (*OURS, *BY_PEERS)) -> dict[str, Worker]:
    """A process for each contender whose peer is there."""
    here, out = Path(__file__).parent, {}
    for name in names:
        if BY_PEERS.get(name) in peers.missing:
            print(f"missing: {name} ({peers.missing[BY_PEERS[name]]})")
            continue
        python = sys.executable if name in OURS else peers.python
        command = [python, here / "contenders.py", name, full_width_folds(), images()]
        own = {**environment(here), **(_all_of_the_core() if name == "sgemm" else {})}
        out[name] = Worker(command, own, FOLDER / f"{name.replace(' ', '_')}.log")
        print(f"{name}: {out[name].ready}", file=sys.stderr, flush=True)
    return out


def measure(peers: Peers, count: int, rounds: int) -> None:
    """The table of engines, with the share of the best rival's rate and of the matrix-product rate."""
    running = workers(peers)
    try:
        _check_agreement(running)
        both = in_turn({name: lambda w=worker: w.ask(count) for name, worker in running.items()}, rounds)
    finally:
        for worker in running.values():
            worker.end()
    seconds = {name: [wall for wall, _ in pairs] for name, pairs in both.items()}
    network = read_manifest(full_width_folds()).network
    giga = FOLDS * multiply_adds(network) / GIGA  # multiply-adds of one record
    product = [s / count / PRODUCTS for s in seconds.pop("sgemm")]  # seconds of a billion multiply-adds
    rivals = [seconds[name] for name in RIVALS if name in seconds]
    best = [min(pair) for pair in zip(*rivals)]
    rows = []
    for name, taken in seconds.items():
        each = [s / count for s in taken]
        rows.append(
            (
                name,
                running[name].ready,
                f"{1000 * statistics.median(each):.0f}",
                f"{1 / statistics.median(each):.2f}",
                f"{1000 * statistics.median(cores for _, cores in both[name]) / count:.0f}",
                f"{ratio(best, taken):.2f}" if best else "no rival",
                ASKED.get(name, ""),
                f"{ratio([giga * p for p in product], each):.2f}",
            )
        )
    head = ("engine", "its best setting", "ms a record", "records/s", "ms of all cores a record", "share of the best rival's rate", "asked", "share of the matrix-product rate")  # fmt: skip
    table(f"Network alone, {FOLDS} folds of width {network.width}, {count} images a turn, {rounds} turns", head, rows)
    print(f"One record: {giga:.1f} billion multiply-adds; matrix products ({running['sgemm'].ready}): {1 / statistics.median(product):.0f} billion a second.")  # fmt: skip


def _all_of_the_core() -> dict[str, str]:
    """OpenBLAS 0.3.27 takes new processors of AMD for old ones, and half of their rate; with this it takes AVX-512."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return {"OPENBLAS_CORETYPE": "SkylakeX"} if " avx512f " in flags else {}


def _check_agreement(running: dict[str, Worker]) -> None:
    answers = {name: np.array(worker.ask(None)) for name, worker in running.items() if name != "sgemm"}
    first = answers[OURS[0]]
    apart = {name: float(np.abs(answer - first).max()) for name, answer in answers.items()}
    print(f"Largest difference of a probability from {OURS[0]}: " + ", ".join(f"{n} {d:.1e}" for n, d in apart.items()))
    wrong = [name for name, difference in apart.items() if not difference <= AGREE]
    if wrong:
        raise RuntimeError(f"expected answers within {AGREE:g} of {OURS[0]}, received others from {wrong}")
