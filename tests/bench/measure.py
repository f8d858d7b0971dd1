"""Pairs in turn, workers that wait while others run, memory of a tree of processes, tables."""

import json
import resource
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

Result = TypeVar("Result")
LOOK_EVERY_S = 0.25  # at the memory of a run


def in_turn(contenders: Mapping[str, Callable[[], Result]], rounds: int) -> dict[str, list[Result]]:
    """What each contender returns, A B C A B C ...: round i of one stands beside round i of the others."""
    results: dict[str, list[Result]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            results[name].append(contender())
    return results


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Median of the ratios of pairs."""
    return statistics.median(a / b for a, b in zip(above, below))


def spread(above: Sequence[float], below: Sequence[float]) -> str:
    """Median of the ratios of pairs, and their range."""
    ratios = sorted(a / b for a, b in zip(above, below))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a markdown table."""
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print(flush=True)


class Worker:
    """A process that answers JSON lines and is stopped while others are measured.

    Args:
        command: it prints one line when it is ready, and then one for each line it receives.
        environment: of the process.
        log: its stderr.
    """

    def __init__(self, command: Sequence[object], environment: Mapping[str, str], log: Path):
        self._log = log
        self._process = subprocess.Popen(
            list(map(str, command)),
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
        )
        self.ready = self._answer()
        self._process.send_signal(signal.SIGSTOP)

    def ask(self, question: object) -> Any:
        """Let it go on, ask, and stop it again."""
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self._process.send_signal(signal.SIGSTOP)
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args}: ended\n{self._log.read_text()[-2000:]}")
        return json.loads(line)


@dataclass(frozen=True)
class Run:
    """A whole process: how long it took, when it began (seconds of the epoch), the peak memory of its tree."""

    seconds: float
    processor_s: float  # of all cores, and of the processes it started and waited for
    began: float
    peak_bytes: float
    stdout: str


def whole_process(command: Sequence[object], environment: Mapping[str, str], memory: bool = False) -> Run:
    """Run a command to its end; `memory`: look at the proportional memory of its tree meanwhile."""
    began, started, before = time.time(), time.monotonic(), _children_s()
    process = subprocess.Popen(
        list(map(str, command)), env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    peak, ended = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, ended))
    if memory:
        watcher.start()
    stdout, stderr = process.communicate()
    seconds = time.monotonic() - started
    ended.set()
    if memory:
        watcher.join()
    if process.returncode:
        raise RuntimeError(f"{command}: exit code {process.returncode}\n{stderr[-2000:]}")
    return Run(seconds, _children_s() - before, began, peak[0], stdout)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(pid: int, peak: list[float], ended: threading.Event) -> None:
    while not ended.wait(LOOK_EVERY_S):
        total = 0
        try:
            top = psutil.Process(pid)
            tree = [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for process in tree:
            try:
                total += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
                continue
        peak[0] = max(peak[0], total)
