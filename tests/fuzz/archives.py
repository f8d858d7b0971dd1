"""Archives spread over workers that are killed, and runs that are killed and resumed: the same bytes every time.

    PYTHONPATH=wheel_src python tests/fuzz/archives.py [--recordings 12] [--count 20] [--minutes 2] [--seed 7]

The same folder of simulated recordings is scanned with one demo fold: by one process; by two workers of `local`; by two
of which one is killed in the middle; by a scheduler and a worker in processes of their own, by address and by file; and
by two whose whole run is killed at drawn moments, with --resume in between. Files are compared with those of the first.
Processes must be gone within a minute of a kill.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, for its helpers

from helpers_runs import environment, make_weights

from hbac.simulation.long_recording import simulate_recording

SPREAD = ("--dask", "local", "--workers", "2")


def words_of(archive: Path, manifest: Path, output: Path, *more: str) -> list[str]:
    """A command."""
    fixed = [
        sys.executable,
        "-m",
        "hbac",
        "scan",
        archive,
        "--output",
        output,
        "--manifest",
        manifest,
        "--quiet",
        *more,
    ]
    return list(map(str, fixed))


def tree_of(folder: Path) -> dict[str, bytes]:
    """Files by their names; parts of files that a kill has left are not counted."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".part"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def started(words: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def workers_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Processes that scan: of multiprocessing, but for the one that counts its resources."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def with_a_worker_killed(words: list[str], after: int) -> tuple[int, str, bool]:
    """Kill one of two workers once so many recordings are done; exit code, errors, and whether there was one to kill."""
    process = started(words)
    assert process.stdout is not None
    for _ in range(after):
        process.stdout.readline()
    workers = workers_of(process)
    time.sleep(0.5)  # the next recordings are under way
    killed = bool(workers)
    if killed:
        workers[0].kill()
    _, errors = process.communicate()
    return process.returncode, errors, killed


def killed_and_resumed(words: list[str], output: Path, rng: random.Random, counts: Counter[str]) -> None:
    """One kill of a whole run after a drawn number of recordings, or before the first."""
    process = started(words)
    wanted = rng.randint(0, counts["recordings"] - 1)
    while process.poll() is None and len(list(output.rglob("*_scan.json"))) < wanted:
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 1))
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        counts["kills of the whole"] += 1
        counts["processes that outlived it by 60 s"] += len(psutil.wait_procs(children, timeout=60)[1])
    process.communicate()
    done = subprocess.run([*words, "--resume"], env=environment(), capture_output=True, text=True)
    counts["recordings taken up"] += done.stdout.count(": done before")
    counts["resume failed"] += done.returncode != 0
    if done.returncode:
        print(done.stderr, file=sys.stderr)


def by_address(archive: Path, manifest: Path, folder: Path) -> list[tuple[str, int, str]]:
    """Where, exit code and errors of runs by a scheduler's file and by its address."""
    import json

    file = folder / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli"]
    own = [
        subprocess.Popen(
            [*dask[:2], f"distributed.cli.dask_{kind}", *more], env=environment(), stderr=subprocess.DEVNULL
        )
        for kind, more in (
            ("scheduler", ["--port", "0", "--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", str(file)]),
            ("worker", ["--scheduler-file", str(file), "--nthreads", "2", "--no-dashboard"]),
        )
    ]
    try:
        while not file.exists():
            time.sleep(0.1)
        found = []
        for name, where in (("file", str(file)), ("address", json.loads(file.read_text())["address"])):
            words = words_of(archive, manifest, folder / name, "--dask", where)
            done = subprocess.run(words, env=environment(), capture_output=True, text=True)
            found.append((name, done.returncode, done.stderr))
        return found
    finally:
        for process in reversed(own):
            process.terminate()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=12, help="[%(default)s]")
    parser.add_argument("--count", type=int, default=20, help="kills of the whole [%(default)s]")
    parser.add_argument("--minutes", type=int, default=2, help="of each recording [%(default)s]")
    parser.add_argument("--seed", type=int, default=7, help="[%(default)s]")
    options = parser.parse_args()
    rng, counts = random.Random(options.seed), Counter({"recordings": options.recordings})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        manifest = make_weights(folder / "weights")
        archive = folder / "archive"
        for number in range(options.recordings):
            path = archive / f"sub-{number % 4}" / f"night{number}.edf"
            path.parent.mkdir(parents=True, exist_ok=True)
            simulate_recording(path, options.minutes * 60, options.seed + number, False)
        subprocess.run(
            words_of(archive, manifest, folder / "serial"), env=environment(), check=True, stdout=subprocess.DEVNULL
        )
        expected = tree_of(folder / "serial")
        code, errors, _ = with_a_worker_killed(
            words_of(archive, manifest, folder / "spread", *SPREAD), options.recordings
        )
        report(counts, "two workers", code, errors, tree_of(folder / "spread") == expected)
        for after in (1, options.recordings // 2):
            words = words_of(archive, manifest, folder / f"killed{after}", *SPREAD)
            code, errors, killed = with_a_worker_killed(words, after)
            counts["workers killed"] += killed
            report(counts, f"worker killed after {after}", code, errors, tree_of(folder / f"killed{after}") == expected)
        for name, code, errors in by_address(archive, manifest, folder):
            report(counts, f"scheduler by {name}", code, errors, tree_of(folder / name) == expected)
        for number in range(options.count):
            output = folder / "resumed"
            killed_and_resumed(words_of(archive, manifest, output, *SPREAD), output, rng, counts)
            counts["other bytes"] += tree_of(output) != expected
            counts["parts of files left"] += len(list(output.rglob("*.part")))
            shutil.rmtree(output, ignore_errors=True)
            print(number + 1, dict(counts), file=sys.stderr, flush=True)
    print("\n| archives | count |\n| --- | --- |")
    for name, count in counts.items():
        print(f"| {name} | {count} |")
    return int(
        any(counts[name] for name in ("other bytes", "resume failed", "processes that outlived it by 60 s", "failed"))
    )


def report(counts: Counter[str], name: str, code: int, errors: str, same: bool) -> None:
    """A run's row."""
    counts[f"{name}: same bytes"] += same
    counts["failed"] += code != 0
    counts["other bytes"] += not same
    print(
        f"{name}: exit {code}, {'the same bytes' if same else 'OTHER BYTES'} {errors.strip()[-2000:]}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
