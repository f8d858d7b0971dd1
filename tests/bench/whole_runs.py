"""Whole processes: from records on disk to a CSV file; start-up, memory, and what a record costs when there are many."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from inputs import DEMO, HBAC, environment, full_width_folds, report_of, test_folder
from measure import Run, in_turn, spread, table, whole_process
from network_alone import AGREE, workers
from peers import FOLDER, Peers

from hbac.preprocessing.readers import AHEAD

ENGINES = ("tensorflow", "openvino")
NOTEBOOK = "notebook way"
ASKED = {"tensorflow": 1.6, "openvino": 2.2}
ASKED_SHARE, ASKED_MEMORY, ASKED_COST = 0.95, 1.1, 1.05


@dataclass(frozen=True)
class Answered:
    """One run of `hbac predict`: the process and the report it wrote."""

    run: Run
    report: dict

    @property
    def after_start_s(self) -> float:
        """From the network's being ready to the last record."""
        return self.report["seconds"] - self.report["seconds_until_network_ready"]

    @property
    def before_run_s(self) -> float:
        """From the start of the process to that of the run: the interpreter, and what the command line imports."""
        return datetime.fromisoformat(self.report["started"]).timestamp() - self.run.began


def predict(engine: str, manifest: Path, count: int, memory: bool = False) -> Answered:
    """`hbac predict` as a process of its own."""
    output = FOLDER / f"{engine}_{count}.csv"
    command = [*HBAC, "predict", "--test-dir", test_folder(count), "--manifest", manifest, "--output", output]
    run = whole_process([*command, "--engine", engine, "--quiet"], environment(), memory)
    return Answered(run, report_of(output))


def notebook(peers: Peers, count: int) -> Run:
    """The notebook way as a process of its own."""
    here = Path(__file__).parent
    folds, output = full_width_folds().parent / "keras", FOLDER / f"notebook_{count}.csv"
    return whole_process([peers.python, here / "notebook_way.py", test_folder(count), folds, output], environment())


def end_to_end(peers: Peers, count: int, rounds: int) -> None:
    """Five full-width folds: both engines and the notebook way, and beside each engine its network alone, in turn."""
    runs: dict[str, list[Answered]] = {engine: [] for engine in ENGINES}
    alone = workers(peers, tuple(f"hbac {engine}" for engine in ENGINES))

    def one(engine: str) -> tuple[float, float]:
        runs[engine].append(predict(engine, full_width_folds(), count))
        return runs[engine][-1].run.seconds, runs[engine][-1].run.processor_s

    def other() -> tuple[float, float]:
        run = notebook(peers, count)
        return run.seconds, run.processor_s

    contenders: dict[str, Callable[[], tuple[float, float]]] = {}
    for engine in ENGINES:
        contenders[engine] = lambda e=engine: one(e)
        contenders[f"{engine} alone"] = lambda w=alone[f"hbac {engine}"]: w.ask(count)
    if "keras" in peers.missing:
        print(f"missing: {NOTEBOOK} ({peers.missing['keras']})")
    else:
        contenders[NOTEBOOK] = other
    both = in_turn(contenders, rounds)
    for worker in alone.values():
        worker.end()
    _check_answers(count, NOTEBOOK in both)
    seconds = {name: [wall for wall, _ in pairs] for name, pairs in both.items()}
    rows = []
    for name in [name for name in both if not name.endswith("alone")]:
        took = statistics.median(seconds[name])
        row = [name, f"{took:.1f}", f"{count / took:.2f}", f"{statistics.median(cores for _, cores in both[name]):.1f}"]
        row += [spread(seconds[NOTEBOOK], seconds[name]) if NOTEBOOK in seconds else "", str(ASKED.get(name, ""))]
        if name in ENGINES:
            after = [answered.after_start_s for answered in runs[name]]
            row += [spread(seconds[f"{name} alone"], after), spread(seconds[f"{name} alone"], seconds[name])]
        rows.append((*row, "", "")[:8])
    head = ("run", "s", "records/s", "s of all cores", f"times the {NOTEBOOK}", "asked", f"share of network alone once ready (asked: {ASKED_SHARE})", "share with the start")  # fmt: skip
    table(f"End to end, five full-width folds, whole processes, {count} records, {rounds} turns", head, rows)


def _check_answers(count: int, with_notebook: bool) -> None:
    files = [FOLDER / f"{engine}_{count}.csv" for engine in ENGINES]
    files += [FOLDER / f"notebook_{count}.csv"] if with_notebook else []
    first, *others = [pd.read_csv(file).set_index("eeg_id").sort_index() for file in files]
    apart = max(float(np.abs(first - other).to_numpy().max()) for other in others)
    print(f"Largest difference of a probability between the submissions: {apart:.1e}")
    if not apart <= AGREE:
        raise RuntimeError(f"expected submissions within {AGREE:g} of each other")


def start_up(rounds: int, count: int = 8) -> None:
    """Demo folds: process start to the first record, in parts."""
    runs: dict[str, list[Answered]] = {engine: [] for engine in ENGINES}
    for _ in range(rounds):
        for engine in ENGINES:
            runs[engine].append(predict(engine, DEMO, count))
    rows = []
    for engine, answered in runs.items():
        parts = [[a.before_run_s, *a.report["start"].values()] for a in answered]
        rows.append((engine, *(f"{s:.2f}" for s in np.median(parts, axis=0)), f"{np.median(np.sum(parts, axis=1)):.2f}"))  # fmt: skip
    head = ("engine", "interpreter and command line, s", "tables and readers", "import of the engine", "load and check of the folds", "first record", "together")  # fmt: skip
    table(f"Start of `hbac predict`, demo folds, medians of {rounds} turns", head, rows)


def many_records(counts: tuple[int, ...], rounds: int) -> None:
    """Demo folds: what one more record costs, and memory, at several counts; the last count over the one before in pairs.

    Records are counted from the network's being ready, and beside runs of the first AHEAD, whose images are made while
    it loads: they would make the records of a short run look cheaper than those of a long one. Of 200 records a second
    of somebody else's on the same machine is a tenth: in each turn the short runs stand twice before the long one and
    twice after it, and their means count.
    """
    *short, many = (AHEAD, *counts)
    for engine in ENGINES:
        runs: dict[int, list[Answered]] = {count: [] for count in (*short, many)}
        after: dict[int, list[float]] = {count: [] for count in runs}  # means of a turn, s
        for _ in range(rounds):
            turn = [predict(engine, DEMO, count, memory=True) for count in (*short, *short, many, *short, *short)]
            for count in runs:
                of_count = [answered for answered in turn if answered.report["rows"] == count]
                runs[count] += of_count
                after[count].append(statistics.mean(answered.after_start_s for answered in of_count))
        each = {
            count: [1000 * (all_s - first_s) / (count - AHEAD) for all_s, first_s in zip(after[count], after[AHEAD])]
            for count in counts
        }
        peak = {count: statistics.median(answered.run.peak_bytes for answered in runs[count]) for count in counts}
        rows = [
            (
                count,
                f"{statistics.median(each[count]):.1f}",
                f"{1000 * statistics.median(answered.run.seconds for answered in runs[count]) / count:.1f}",
                f"{peak[count] / 1e9:.2f}",
            )
            for count in counts
        ]
        head = ("records", f"ms a record beyond the first {AHEAD}", "ms a record with the start", "peak memory of all processes, GB")  # fmt: skip
        table(f"Demo folds, {engine}, {rounds} turns", head, rows)
        few = counts[-2]
        print(f"{many} over {few} records: cost {spread(each[many], each[few])}, asked at most {ASKED_COST}; memory {peak[many] / peak[few]:.2f}, asked at most {ASKED_MEMORY}.", flush=True)  # fmt: skip
