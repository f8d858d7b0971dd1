"""Both kernels in both forms from every mount, with the wheel packed and unpacked; each network; then 2,640 records.

    PYTHONPATH=wheel_src python tests/bench/kaggle_forms.py [--forms | --networks] [--records 2640]

Needs what `make test` needs, and namespaces (`unshare -rmn`). The 2,640 records are links to some dozens of simulated
ones, answered by the demo folds in the script form; memory is that of the kernel and all processes it starts.
"""

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, for its helpers

from conftest import ROOT
from helpers_folds import write_mixed_folds, write_random_folds
from helpers_kaggle import LAYOUTS, TINY, Kaggle, bare_environment, build, mount

from hbac.hms import VOTE_COLUMNS
from hbac.inference.submission import check_submission
from hbac.network.engine import BY_NAME
from hbac.network.families import FAMILIES
from hbac.preprocessing.presets import PRESETS
from hbac.simulation.dataset import simulate
from hbac.weights.manifest import read_manifest

KERNELS = ("hbac-infer", "hbac-infer-notebook", "hbac-train", "hbac-train-notebook")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forms", action="store_true", help="only the mounts and forms")
    parser.add_argument("--networks", action="store_true", help="only each network and a mixed ensemble")
    parser.add_argument("--records", type=int, default=2640, help="0: only the others [%(default)s]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = bare_environment(folder / "venv")
        failed = 0 if options.networks else every_form(folder / "forms", environment)
        failed += 0 if options.forms else every_network(folder / "networks", environment)
        if options.records and not options.forms and not options.networks:
            many_records(folder / "many", environment, options.records)
    return int(failed > 0)


def every_form(folder: Path, environment: Path) -> int:
    """Run all combinations; the number of those that did not do their work."""
    dist = build(folder / "build", write_random_folds(folder / "folds").parent)
    runs = [(*form, "", dist) for form in itertools.product(LAYOUTS, ("packed", "unpacked"), KERNELS)]
    failed = run_all(folder, environment, runs)
    print(f"{len(runs) - failed} of {len(runs)} work: {len(LAYOUTS)} mounts, wheel packed and unpacked, {len(KERNELS)} kernels")  # fmt: skip
    return failed


def every_network(folder: Path, environment: Path) -> int:
    """Answer with folds of each network as a script, and with a mixed ensemble in both forms; the number that failed."""
    ensembles = {
        name: write_random_folds(folder / name, folds=2, preprocessing=PRESETS[family.preset], family=name)
        for name, family in FAMILIES.items()
    }
    runs = [
        ("datasets", "packed", "hbac-infer", f", {name}", build(folder / f"build_{name}", manifest.parent))
        for name, manifest in ensembles.items()
    ]
    mixed = build(folder / "build_mixed", write_mixed_folds(folder / "mixed", width=8).parent)
    runs += [("datasets", "packed", kernel, ", mixed", mixed) for kernel in KERNELS if "infer" in kernel]
    failed = run_all(folder, environment, runs)
    print(f"{len(runs) - failed} of {len(runs)} work: {len(FAMILIES)} networks, and a mixed ensemble in both forms")
    return failed


def run_all(folder: Path, environment: Path, runs: list[tuple[str, str, str, str, Path]]) -> int:
    """Runs of (mount, wheel, kernel, what of it, dist): a line each, and the number of those that failed."""
    simulate(folder / "data", patients=3, seed=11, test_records=6, progress=False, balanced=True)
    ids = pd.read_csv(folder / "data" / "sample_submission.csv")["eeg_id"].tolist()
    failed = 0
    for number, (layout, wheel, kernel, what, dist) in enumerate(runs):
        kaggle = Kaggle(environment, folder / f"run{number}", sandboxed=True)
        mounted = mount(folder / f"input{number}", layout, wheel, dist, folder / "data")
        started = time.monotonic()
        done = kaggle.run(dist, kernel, mounted, TINY if "train" in kernel else [])
        try:
            if done.returncode != 0:
                raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
            if "train" in kernel:
                read_manifest(kaggle.folder / "working" / "weights_manifest.json")
            else:
                check_submission(kaggle.folder / "working" / "submission.csv", ids)
            said = "works"
        except Exception as error:  # the table goes on; what was wrong stands in it
            failed, said = failed + 1, f"FAILED: {error}"
        print(f"{layout:12} {wheel:8} {kernel + what:27} {time.monotonic() - started:5.0f} s  {said}", flush=True)
    return failed


def many_records(folder: Path, environment: Path, count: int) -> None:
    """The script form on `count` records: time, peak memory, rows."""
    data = folder / "data"
    simulate(data, patients=0, seed=12, test_records=36, progress=False)
    table = pd.read_csv(data / "test.csv")
    rows = []
    for number in range(count):
        real = table.iloc[number % len(table)]
        own = {"spectrogram_id": 1_000_000 + number, "eeg_id": 2_000_000 + number, "patient_id": real["patient_id"]}
        for kind in ("eeg", "spectrogram"):
            link = data / f"test_{kind}s" / f"{own[f'{kind}_id']}.parquet"
            link.symlink_to(f"{real[f'{kind}_id']}.parquet")
        rows.append(own)
    pd.DataFrame(rows).to_csv(data / "test.csv", index=False)
    template = pd.DataFrame({"eeg_id": [row["eeg_id"] for row in rows], **dict.fromkeys(VOTE_COLUMNS, 1 / 6)})
    template.to_csv(data / "sample_submission.csv", index=False)
    dist = build(folder / "build", ROOT)
    mounted = mount(folder / "input", "competitions", "packed", dist, data)
    ids = [row["eeg_id"] for row in rows]
    for engine in BY_NAME:
        answer(Kaggle(environment, folder / engine, sandboxed=True), dist, mounted, ["--engine", engine], ids)


def answer(kaggle: Kaggle, dist: Path, mounted: Path, arguments: list[str], ids: list[int]) -> None:
    """One run, its time, its memory, its rows."""
    peak, ended = [0.0], threading.Event()
    watcher = threading.Thread(target=watch, args=(peak, ended))
    watcher.start()
    started = time.monotonic()
    done = kaggle.run(dist, "hbac-infer", mounted, arguments)
    seconds = time.monotonic() - started
    ended.set()
    watcher.join()
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    check_submission(kaggle.folder / "working" / "submission.csv", ids)
    report = json.loads((kaggle.folder / "working" / "submission_report.json").read_text())
    print(f"{len(ids)} records, {report['engine']}: {seconds:.0f} s ({1000 * seconds / len(ids):.0f} ms a record), peak memory {peak[0] / 1e9:.2f} GB "
          f"over all processes, {report['peak_memory_mb']} MB in the kernel's own; rows by status: {report['status']}")  # fmt: skip


def watch(peak: list[float], ended: threading.Event) -> None:
    """Largest sum of the proportional memory of the processes below this one, looked at every half second."""
    while not ended.wait(0.5):
        total = 0
        for process in psutil.Process().children(recursive=True):
            try:
                total += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
                continue
        peak[0] = max(peak[0], total)


if __name__ == "__main__":
    sys.exit(main())
