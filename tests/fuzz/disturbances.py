"""What a run gives when disk, folders, clock, time or workers are not as it would like.

    PYTHONPATH=wheel_src python tests/fuzz/disturbances.py [--records 500] [--only full,folders,clock,budget,bytes]

Runs itself again inside namespaces (`unshare -rm`), where a small file system in memory stands for a full disk. Every
run must end with exit code 0 and a valid row for each id, or with exit code 2, one clear line and, where its journal is
there, a state from which --resume gives the bytes of an undisturbed run.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, for its helpers

import helpers_readers
from helpers_runs import command, environment, make_data, make_weights, patched, run

from hbac.inference.submission import check_submission

SMALL = 40  # records of the runs that are compared byte for byte
SIZES_KIB = (4, 8, 12, 16, 20, 24)  # of the full disk
BUDGET_S = 120


class Trial:
    """Data, weights and the bytes of an undisturbed run; counts what went wrong."""

    def __init__(self, folder: Path, records: int):
        self.folder, self.records, self.wrong = folder, records, 0
        self.data = make_data(folder / "small", SMALL, 3)
        self.manifest = make_weights(folder / "weights", folds=3)
        self.whole = self.output("whole")
        run(command(self.data, self.manifest, self.whole)).check_returncode()
        self.expected = self.whole.read_bytes()

    def output(self, name: str) -> Path:
        (self.folder / name).mkdir()
        return self.folder / name / "submission.csv"

    def row(self, name: str, good: bool, *said: object) -> None:
        self.wrong += not good
        text = "; ".join(str(part) for part in said).replace(str(self.folder), "...").replace("|", "/")
        print(f"| {name} | {'yes' if good else 'NO'} | {text[:230]} |", flush=True)


def one_line(done: subprocess.CompletedProcess[str]) -> bool:
    lines = done.stderr.strip().splitlines()
    return done.returncode == 2 and len(lines) == 1 and lines[0].startswith("hbac: error: ")


def full(trial: Trial) -> None:
    """A disk that fills up, and has room again when the run is resumed."""
    for size in SIZES_KIB:
        output = trial.output(f"disk{size}")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", output.parent], check=True)
        words = command(trial.data, trial.manifest, output)
        first = run(words)
        rows = rows_of(output)
        clean = (one_line(first) and not output.exists()) or (
            first.returncode == 0 and output.read_bytes() == trial.expected
        )
        subprocess.run(["mount", "-o", "remount,size=4m", output.parent], check=True)
        second = run([*words, "--resume"])
        good = clean and second.returncode == 0 and output.read_bytes() == trial.expected
        trial.row(f"disk of {size} KiB", good, f"{rows} rows in the journal", first.stderr.strip() or "ran to its end")
        subprocess.run(["umount", output.parent], check=True)


def folders(trial: Trial) -> None:
    """Folders that cannot be written, or go."""
    output = trial.output("readonly")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", output.parent], check=True)
    done = run(command(trial.data, trial.manifest, output))
    trial.row("output folder read-only", one_line(done), done.stderr.strip())
    subprocess.run(["umount", output.parent], check=True)

    output = trial.output("inputs")
    data = trial.folder / "goes"
    shutil.copytree(trial.data, data, symlinks=True)
    weights = make_weights(trial.folder / "weights_go", folds=3)
    code, said = disturbed(command(data, weights, output), output, lambda: [shutil.rmtree(data), shutil.rmtree(weights.parent)])  # fmt: skip
    ids = pd.read_csv(trial.data / "test.csv")["eeg_id"].tolist()
    good = code == 0 and len(check_submission(output, ids)) == SMALL
    trial.row("input and weights removed during the run", good, said.splitlines()[-1])

    output = trial.output("outputs")
    words = command(trial.data, trial.manifest, output)
    code, said = disturbed(words, output, lambda: shutil.rmtree(output.parent))
    good = code == 2 and len(said.strip().splitlines()) == 1
    again = run([*words, "--resume"])
    good = good and again.returncode == 0 and output.read_bytes() == trial.expected
    trial.row("output folder removed during the run", good, said.strip(), "anew with --resume: the same bytes")


def disturbed(words: list[str], output: Path, disturb: Callable[[], object]) -> tuple[int, str]:
    """A run that something happens to once it has a few rows: its exit code, and what it said."""
    process = subprocess.Popen(words, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for_rows(process, output)
    disturb()
    said, _ = process.communicate(timeout=600)
    return process.returncode, said


def wait_for_rows(process: subprocess.Popen[str], output: Path) -> None:
    while process.poll() is None and rows_of(output) < 3:
        time.sleep(0.005)


def rows_of(output: Path) -> int:
    """Whole rows in the journal of a run."""
    return max(0, journal_of(output).read_bytes().count(b"\n") - 1) if journal_of(output).exists() else 0


def journal_of(output: Path) -> Path:
    return output.with_name(f".{output.name}.journal")


def clock(trial: Trial) -> None:
    """The time of day jumps, by a day, a year and back."""
    jumping = """
import itertools, time
real, jumps = time.time, itertools.cycle([0, 86400, -86400, 31536000])
time.time = lambda: real() + next(jumps)
"""
    output = trial.output("clock")
    done = run(patched(jumping, command(trial.data, trial.manifest, output, "--time-budget", "30m")))
    good = done.returncode == 0 and output.read_bytes() == trial.expected
    trial.row("clock jumps, a budget of 30 min", good, done.stdout.strip().splitlines()[-1:] or done.stderr.strip())


def budget(trial: Trial) -> None:
    """Budgets that are too short, for several reasons."""
    data = make_data(trial.folder / "many", trial.records, 4)
    hanging = trial.folder / "hanging"
    shutil.copytree(data, hanging, symlinks=True)
    for path in sorted((hanging / "test_eegs").iterdir())[::25]:
        path.unlink()
        path.write_bytes(bytes(helpers_readers.HANGS))
    patch = "import helpers_readers, hbac.preprocessing.readers\nhbac.preprocessing.readers._serve = helpers_readers.{}".format
    cases = {
        "one core, shared with two others": (data, lambda words: ["taskset", "-c", "0", *words], 2),
        "a disk of one record a second": (data, lambda words: patched(patch("slow"), words), 0),
        "every 25th file hangs its reader": (hanging, lambda words: patched(patch("deadly"), words), 0),
    }
    ids = pd.read_csv(data / "test.csv")["eeg_id"].tolist()
    for name, (folder, change, burners) in cases.items():
        output = trial.output(name.replace(" ", "_"))
        words = command(folder, trial.manifest, output, "--flip-tta", "--time-budget", BUDGET_S, "--workers", 2)
        burning = [subprocess.Popen(["taskset", "-c", "0", sys.executable, "-c", "while True: pass"]) for _ in range(burners)]  # fmt: skip
        started = time.monotonic()
        done = run(change(words))
        took = time.monotonic() - started
        for process in burning:
            process.kill()
        good = done.returncode == 0 and took <= BUDGET_S + 1 and len(check_submission(output, ids)) == len(ids)
        report = pd.read_json(output.with_name("submission_report.json"), typ="series") if done.returncode == 0 else {}
        status = dict(report.get("status", {}))
        named = sum(status.values()) == len(ids) and list(status) != ["ok"]
        trial.row(
            f"{name}, {len(ids)} records, budget {BUDGET_S} s",
            good and named,
            f"{took:.1f} s of which the run {report.get('seconds')}",
            status,
        )


def same_bytes(trial: Trial) -> None:
    """1, 2 and 8 workers; the table in its order and shuffled; interrupted or not."""
    shuffled = trial.folder / "shuffled"
    shutil.copytree(trial.data, shuffled, symlinks=True)
    table = pd.read_csv(shuffled / "test.csv").sample(frac=1, random_state=1)
    table.to_csv(shuffled / "test.csv", index=False)
    same = runs = 0
    for workers in (1, 2, 8):
        for data in (trial.data, shuffled):
            for stop in (None, signal.SIGKILL, signal.SIGINT):
                output = trial.output(f"bytes{runs}")
                words = command(data, trial.manifest, output, "--workers", workers)
                if stop is not None:
                    with subprocess.Popen(
                        words, env=environment(), text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                    ) as process:
                        wait_for_rows(process, output)
                        process.send_signal(stop)
                done = run([*words, "--resume"])
                same += done.returncode == 0 and output.read_bytes() == trial.expected
                runs += 1
    trial.row(
        "1, 2, 8 workers; shuffled or not; whole, killed, Ctrl-C", same == runs, f"{same} of {runs} the same bytes"
    )


CASES = {"full": full, "folders": folders, "clock": clock, "budget": budget, "bytes": same_bytes}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=500, help="of the runs with a time budget [%(default)s]")
    parser.add_argument("--only", default=",".join(CASES), help="[%(default)s]")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        os.execvp("unshare", ["unshare", "-rm", sys.executable, *sys.argv, "--inside"])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup lets it be ignored, also by what is started here
    with tempfile.TemporaryDirectory() as temporary:
        trial = Trial(Path(temporary), options.records)
        print("\n| disturbance | as promised | what it gives |\n| --- | --- | --- |")
        for name in options.only.split(","):
            CASES[name](trial)
    return int(trial.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
