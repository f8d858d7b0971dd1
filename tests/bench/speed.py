"""How fast, beside whom: PYTHONPATH=wheel_src python tests/bench/speed.py [--long] [--only network,preprocessing]

Every figure comes from runs in turn (A B A B ...) on the same records and the same weights: medians, and ratios of the
runs that stand beside each other. The peers get an environment of their own below .bench, where everything else is kept
too; one that is missing is named. The short form takes some minutes.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import network_alone
import preprocessing_alone
import psutil
import training_input
import whole_runs
from peers import PEERS, ROOT, Peers, peers, versions

from hbac.preprocessing.readers import AHEAD
from hbac.processes import usable_cores

OURS = ["numpy", "scipy", "pandas", "pyarrow", "tensorflow_cpu", "keras", "openvino"]


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    rounds: int
    images: int  # network alone, a turn; a multiple of what contenders put into a batch
    records: int  # end to end
    counts: tuple[int, ...]  # demo folds, each above AHEAD; the last two are compared
    count_rounds: int
    training_rows: int


SHORT = Size(rounds=3, images=4, records=24, counts=(100, 264), count_rounds=1, training_rows=512)
LONG = Size(rounds=7, images=32, records=100, counts=(100, 500, 264, 2640), count_rounds=7, training_rows=2048)


def sections(them: Peers, size: Size) -> dict[str, Callable[[], None]]:
    return {
        "preprocessing": lambda: preprocessing_alone.measure(them, size.rounds),
        "training": lambda: training_input.measure(size.training_rows, size.rounds),
        "start": lambda: whole_runs.start_up(size.rounds),
        "network": lambda: network_alone.measure(them, size.images, size.rounds),
        "end-to-end": lambda: whole_runs.end_to_end(them, size.records, size.rounds),
        "many": lambda: whole_runs.many_records(size.counts, size.count_rounds),
    }


def main() -> None:
    names = list(sections(Peers(ROOT, {}), SHORT))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="all counts of records, seven turns: hours")
    parser.add_argument("--only", default=",".join(names), help="sections, in this order [%(default)s]")
    parser.add_argument(
        "--counts", metavar="264,2640", help=f"of records, for `many`, each above {AHEAD}; the last two are compared"
    )
    options = parser.parse_args()
    size = LONG if options.long else SHORT
    if options.counts:
        counts = options.counts.split(",")
        if len(counts) < 2 or not all(count.isdecimal() and int(count) > AHEAD for count in counts):
            parser.error(f"--counts: expected two numbers or more, each above {AHEAD}, received {options.counts}")
        size = replace(size, counts=tuple(map(int, counts)))
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(names):
        parser.error(f"--only: expected some of {', '.join(names)}, received {', '.join(sorted(unknown))}")
    them = peers()
    print(f"`{' '.join(['python', 'tests/bench/speed.py', *sys.argv[1:]])}` on {machine()}")
    print(f"Python {platform.python_version()}; ours: {versions(sys.executable, OURS)}")
    print("Peers: " + versions(them.python, [module for module in PEERS if module not in them.missing]))
    for module, why in them.missing.items():
        print(f"missing: {module} ({why})")
    for name in chosen:
        started = time.monotonic()
        sections(them, size)[name]()
        print(f"({name}: {time.monotonic() - started:.0f} s)", flush=True)


def machine() -> str:
    """Cores, processor, memory, and how busy it was before."""
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), model)
    memory = psutil.virtual_memory().total / 2**30
    return f"{usable_cores()} cores, {model}, {memory:.0f} GB; load {os.getloadavg()[0]:.1f} at the start"


if __name__ == "__main__":
    main()
