"""Records to images in processes of their own: a file that crashes, hangs or bloats its reader costs one record's time.

The processes are spawned before TensorFlow is imported, need nothing but NumPy, SciPy and pyarrow, and hand back only
checked arrays. `Loader` keeps a bounded number of images ahead of the network. Its limits of time count work: a pause of
this process or of its readers is given back.
"""

import contextlib
import functools
import os
import queue
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import connection
from typing import Any

import numpy as np

from hbac.clocks import Clock, WorkClock
from hbac.errors import HbacError, MachineError, one_line
from hbac.machine.packages import OF_READERS, need
from hbac.preprocessing.load import BOTH, EEG, SPECTROGRAM, UNREADABLE, Loaded, load_record
from hbac.preprocessing.preset import Preset
from hbac.processes import ONE_THREAD, Child, Thread
from hbac.records.record import Record
from hbac.streams import say

RECORD_LIMIT_S = 120.0  # for one record in its process, from the order to the image
PATIENCE = 4  # attempts that may take the whole of that; a thousand would cost a day
HANGING_LIMIT_S, HANGING_FACTOR = 5.0, 20  # after them: the larger of this time and this many times the slowest record
START_LIMIT_S = 120.0  # for a process to import what it needs, on a machine that is busy
MEMORY_LIMIT_BYTES = 4 << 30  # of address space beyond what a process has when it starts
START_TRIES = 5  # in a row that may fail once one has been well, before a run gives up
FAULTS = 5  # of the machine in a row, or records that are lost and more than those that are read: it gives up as well
AHEAD = 64  # records that wait for the network at the most, 1.44 MB an image; many of them while it is being loaded

READY = "ready"  # the first word of a process
OUT_OF_MEMORY = 77  # exit code of a process; what it still held would starve its next record


class Loader:
    """Iterate over the images of records in the order in which they are done; use as a context manager.

    Every record comes exactly once, whatever its files do. If a process dies or takes too long over a record, the
    record is tried again after all others, with its EEG alone, then with its spectrogram alone. After a few that take
    too long the limit shrinks to what records have been seen to need, many times over.

    Args:
        records: what to load.
        settings: what defines the image, or several such presets: then each record has several.
        workers: processes, 1 or more.
        limit_s: time for one attempt at a record.
        memory_bytes: address space that a process may take beyond what it has at its start.
        clock: seconds of work.
    """

    def __init__(
        self,
        records: Sequence[Record],
        settings: Preset | Sequence[Preset],
        workers: int,
        limit_s: float = RECORD_LIMIT_S,
        memory_bytes: int = MEMORY_LIMIT_BYTES,
        clock: Clock | None = None,
    ):
        self._clock = clock or WorkClock()
        self._looked = self._clock()
        presets = (settings,) if isinstance(settings, Preset) else tuple(settings)
        self._limit_s, self._shapes = limit_s, {preset.preset: preset.shape for preset in presets}
        self._hanging, self._slowest_s = 0, 0.0  # attempts that took too long; the longest that did not
        self._started, self._bad_starts = False, 0  # whether a process has ever been ready; bad starts since one was
        self._faults = self._read = self._lost = 0  # the machine's since a record was read; records read; records lost
        self._jobs = deque(_Job(record) for record in records)
        self._total = len(records)
        self._done: queue.Queue[Loaded | BaseException] = queue.Queue(maxsize=AHEAD)
        self._stop = threading.Event()
        self._workers = [_Worker(presets, memory_bytes) for _ in range(max(1, min(workers, len(records))))]
        self._thread = threading.Thread(target=self._run, name="hbac-loader", daemon=True)

    def __enter__(self) -> "Loader":
        for worker in self._workers:
            worker.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for worker in self._workers:
            worker.kill()

    def __iter__(self) -> Iterator[Loaded]:
        for _ in range(self._total):
            yield self.get()

    def get(self, timeout_s: float | None = None) -> Loaded:
        """The next image; raises queue.Empty if none came in time."""
        loaded = self._done.get(timeout=timeout_s)
        if isinstance(loaded, BaseException):
            raise loaded
        return loaded

    def _run(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # a caller's SIG_DFL would end the run where a reader has ended
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
        try:
            while not self._stop.is_set() and (self._jobs or any(worker.job for worker in self._workers)):
                self._step()
        except BaseException as error:  # handed to the thread that waits for images, and raised there
            self._put(error)

    def _step(self) -> None:
        for worker in self._workers:
            if worker.job is None and self._jobs:
                worker.order(self._jobs.popleft(), self._limit(), self._clock())
        busy = [(worker, worker.job) for worker in self._workers if worker.job]
        ready = connection.wait([worker.pipe for worker, _ in busy], timeout=0.2)
        before, self._looked = self._looked, self._clock()
        for worker, job in busy:
            if worker.pipe in ready or worker.pipe.poll():  # a full queue may have held us up for longer than a limit
                self._receive(worker, job)
            elif worker.is_stopped():
                worker.since += self._looked - before
            elif self._looked > worker.deadline:
                self._hanging += worker.ready
                self._failed(worker, job, f"took longer than {worker.limit_s:.3g} s")

    def _limit(self) -> float:
        if self._hanging < PATIENCE:
            return self._limit_s
        return min(self._limit_s, max(HANGING_LIMIT_S, HANGING_FACTOR * self._slowest_s))

    def _receive(self, worker: "_Worker", job: "_Job") -> None:
        try:
            loaded = _received(worker.pipe, self._shapes)
        except (EOFError, OSError):
            code = worker.exit_code()
            what = (
                "wanted more memory than there is" if code == OUT_OF_MEMORY else f"ended its reader, exit code {code}"
            )
            self._failed(worker, job, what, of_machine=True)
            return
        if isinstance(loaded, MachineError):
            self._at_fault(worker, job, loaded)
            return
        if loaded == READY:  # it starts on the job now
            worker.be_ready(self._limit(), self._clock())
            self._started, self._bad_starts = True, 0
            return
        self._slowest_s = max(self._slowest_s, self._clock() - worker.since)
        worker.job = None
        self._settle(job, loaded, job.next_tries)

    def _at_fault(self, worker: "_Worker", job: "_Job", error: MachineError) -> None:
        """The machine was, not the record: that is tried again after all others, by another process."""
        self._faults += 1
        if not self._started or self._faults >= FAULTS:
            raise error
        worker.kill()
        worker.start()
        self._jobs.append(job)

    def _failed(self, worker: "_Worker", job: "_Job", what: str, of_machine: bool = False) -> None:
        was_ready = worker.ready
        worker.kill()
        if not was_ready:  # not the record's fault
            self._bad_starts += 1
            if not self._started or self._bad_starts >= START_TRIES:
                raise HbacError(f"expected a process that reads records, received one that {what} at its start")
        worker.start()
        if not was_ready:
            self._jobs.append(job)
            return
        note = f"reading {' and '.join(job.files)}: {what}"
        next_tries = ((EEG,), (SPECTROGRAM,)) if job.files == BOTH else job.next_tries
        self._settle(job, Loaded(job.record, {}, UNREADABLE, (note,), of_machine=of_machine), next_tries)

    def _settle(self, job: "_Job", loaded: Loaded, next_tries: tuple[tuple[str, ...], ...]) -> None:
        notes = job.notes + loaded.notes
        if not loaded.images and next_tries:
            self._jobs.append(_Job(job.record, next_tries[0], next_tries[1:], notes))
        else:
            self._count(loaded)
            self._put(replace(loaded, notes=notes))

    def _count(self, loaded: Loaded) -> None:
        """Records that one machine loses one after the other are not all damaged."""
        self._faults *= not loaded.images
        self._read += bool(loaded.images)
        self._lost += loaded.of_machine
        if loaded.of_machine and self._lost >= max(FAULTS, self._read):
            raise MachineError(
                f"expected a machine that reads records, received {self._lost} lost and {self._read} read, the last "
                f"eeg_id {loaded.record.eeg_id}: {'; '.join(loaded.notes)}; --resume goes on"
            )

    def _put(self, item: Loaded | BaseException) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._done.put(item, timeout=0.2)
                return


@dataclass(frozen=True)
class _Job:
    record: Record
    files: tuple[str, ...] = BOTH
    next_tries: tuple[tuple[str, ...], ...] = ()  # what to try if these files give no image
    notes: tuple[str, ...] = ()


class _Worker:
    """A process that reads, its pipe, and the job it is at."""

    def __init__(self, presets: Sequence[Preset], memory_bytes: int):
        self._arguments = (presets, memory_bytes)
        self.job: _Job | None = None
        self.since, self.limit_s = 0.0, 0.0  # the start of what it is at, and the seconds that it has for it
        self.ready = False

    def start(self) -> None:
        try:
            self._process: Child | Thread = Child(_serve, *self._arguments, environment=ONE_THREAD)
        except OSError as error:
            _say_once(one_line(error))
            self._process = Thread(_serve_inside, self._arguments[0])
        self.pipe, self.job, self.ready = self._process.pipe, None, False

    def order(self, job: _Job, limit_s: float, now: float) -> None:
        self.job, self.since, self.limit_s = job, now, limit_s if self.ready else START_LIMIT_S
        with contextlib.suppress(OSError):  # a dead process: the pipe reports it at once
            self.pipe.send((job.record, job.files))

    def be_ready(self, limit_s: float, now: float) -> None:
        """It has started, and begins with its job."""
        self.ready, self.since, self.limit_s = True, now, limit_s

    def is_stopped(self) -> bool:
        """Whether somebody has stopped the process (SIGSTOP), where the system tells; it stays to be waited for."""
        if not hasattr(os, "waitid") or self._process.pid is None:
            return False
        try:
            which = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, which) is not None
        except ChildProcessError:
            return False

    @property
    def deadline(self) -> float:
        return self.since + self.limit_s

    def exit_code(self) -> int | None:
        self._process.join(5)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()


def _serve(pipe: connection.Connection, presets: Sequence[Preset], memory_bytes: int) -> None:
    """What a process does: take a record, send its images, until the pipe ends."""
    _limit_memory(memory_bytes)
    _answer(pipe, presets, os._exit)


def _serve_inside(pipe: connection.Connection, presets: Sequence[Preset]) -> None:
    """The same in a thread of this process."""
    _answer(pipe, presets, sys.exit)


def _answer(pipe: connection.Connection, presets: Sequence[Preset], leave: Callable[[int], Any]) -> None:
    with contextlib.suppress(EOFError, OSError):
        try:
            need(*OF_READERS)
        except MachineError as error:
            pipe.send(error)
            return
        pipe.send(READY)
        while True:
            record, files = pipe.recv()
            try:
                loaded = load_record(record, presets, files)
            except MemoryError:
                leave(OUT_OF_MEMORY)
            except MachineError as error:
                pipe.send(error)
                return
            pipe.send((replace(loaded, images={}), tuple(loaded.images)))
            for image in loaded.images.values():
                pipe.send_bytes(image.reshape(-1).data)


@functools.cache
def _say_once(reason: str) -> None:
    say(
        f"hbac: records are read in this process, more slowly and with no guard against files that end or hang it, and "
        f"last digits may differ: no other process could be started ({reason})",
        sys.stderr,
    )


def _received(pipe: connection.Connection, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """What a process has sent; images come behind their record, unpickled: a tenth of the time."""
    what = pipe.recv()
    if not isinstance(what, tuple):
        return what
    loaded, names = what
    images = {name: np.empty(shapes[name], np.float32) for name in names}
    for image in images.values():
        pipe.recv_bytes_into(image.reshape(-1).data)
    return replace(loaded, images=images)


def _limit_memory(extra_bytes: int) -> None:
    """Cap the address space, where the system knows such a cap (Linux)."""
    try:
        import resource

        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = now + extra_bytes
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
