"""Readers that misbehave, for tests of what watches them; in a module of its own so that a spawned process finds it.

And one that reads in this process, for tests of what surrounds it: a process takes a second to start.
"""

import contextlib
import os
import signal
import time
from dataclasses import replace

from hbac.preprocessing.load import OK, Loaded, load_record, sources_now
from hbac.preprocessing.readers import OUT_OF_MEMORY, READY, Loader, _limit_memory

KILLS, HANGS, GOES = 13, 14, 15  # sizes in bytes of the files that they cannot bear, or that go before they are read
TOOK = "took "  # begins a note of `timed`
STARTS = "HBAC_TEST_STARTS"  # names a file that grows by a byte with each start


def deadly(pipe, settings, memory_bytes):  # type: ignore[no-untyped-def]
    """A reader that dies of a file of 13 bytes and hangs at one of 14, as a reader in C may."""
    pipe.send(READY)
    while True:
        try:
            record, files = pipe.recv()
        except EOFError:
            return
        paths = [
            path for kind, path in (("eeg", record.eeg_path), ("spectrogram", record.spectrogram_path)) if kind in files
        ]
        sizes = [os.path.getsize(path) if os.path.isfile(path) else 0 for path in paths]
        if KILLS in sizes:
            os.kill(os.getpid(), signal.SIGKILL)
        if HANGS in sizes:
            time.sleep(600)
        for path, size in zip(paths, sizes):
            if size == GOES:
                os.unlink(path)
        pipe.send(load_record(record, settings, files))


def slow(pipe, settings, memory_bytes):  # type: ignore[no-untyped-def]
    """A deadly reader on a disk that takes a second for a record."""

    class Slow(_Timing):
        def recv(self):  # type: ignore[no-untyped-def]
            job = super().recv()
            time.sleep(1.0)
            return job

    deadly(Slow(pipe), settings, memory_bytes)


def timed(pipe, settings, memory_bytes):  # type: ignore[no-untyped-def]
    """A deadly reader under the real one's limit of memory, whose last note says how long a record took."""
    _limit_memory(memory_bytes)
    try:
        deadly(_Timing(pipe), settings, memory_bytes)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


class _Timing:
    """A pipe that adds to what it sends how long that took."""

    def __init__(self, pipe):  # type: ignore[no-untyped-def]
        self._pipe, self._started = pipe, 0.0

    def recv(self):  # type: ignore[no-untyped-def]
        job = self._pipe.recv()
        self._started = time.monotonic()
        return job

    def send(self, what):  # type: ignore[no-untyped-def]
        if isinstance(what, Loaded):
            what = replace(what, notes=(*what.notes, f"{TOOK}{time.monotonic() - self._started:.3f} s"))
        self._pipe.send(what)


def frail(pipe, settings, memory_bytes):  # type: ignore[no-untyped-def]
    """A deadly reader whose second and third start fail, as on a machine that is short of memory for a while."""
    with open(os.environ[STARTS], "ab") as file:
        file.write(b".")
        if file.tell() in (2, 3):
            raise SystemExit(3)
    deadly(pipe, settings, memory_bytes)


def stillborn(pipe, settings, memory_bytes):  # type: ignore[no-untyped-def]
    """A reader that does not start."""
    raise SystemExit(3)


def limited(pipe, settings, memory_bytes):  # type: ignore[no-untyped-def]
    """A reader on a machine whose users may not have more than 3 GiB of addresses."""
    import resource

    from hbac.preprocessing.readers import _serve

    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    _serve(pipe, settings, memory_bytes)


def starved(pipe, settings, memory_bytes):  # type: ignore[no-untyped-def]
    """The real reader in a process that may not open one file more."""
    import resource

    from hbac.machine.packages import OF_READERS, need
    from hbac.preprocessing.readers import _serve

    need(*OF_READERS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with contextlib.suppress(OSError):
        while True:
            os.dup(0)
    _serve(pipe, settings, memory_bytes)


def starved_once(pipe, settings, memory_bytes):  # type: ignore[no-untyped-def]
    """A starved reader at its first start alone."""
    from hbac.preprocessing.readers import _serve

    with open(os.environ[STARTS], "ab") as file:
        file.write(b".")
        first = file.tell() == 1
    (starved if first else _serve)(pipe, settings, memory_bytes)


def load(records, out):  # type: ignore[no-untyped-def]
    """Read records as any caller may, and write down what came of each."""
    from hbac.preprocessing.presets import PRESETS

    with Loader(records, PRESETS["three-zooms-v1"], 2) as loader, open(out, "w") as file:
        file.write("".join(f"{loaded.status}\n" for loaded in loader))


class Here(Loader):
    """Reads in this process, and whole records of the same content once."""

    whole = {}  # noqa: RUF012 - for all of them

    def __init__(self, records, settings, *arguments):  # type: ignore[no-untyped-def]
        super().__init__(records, settings, *arguments)
        self._settings = settings

    def __enter__(self):  # type: ignore[no-untyped-def]
        return self

    def __exit__(self, *_):  # type: ignore[no-untyped-def]
        pass

    def get(self, timeout_s=None):  # type: ignore[no-untyped-def]
        record = self._jobs.popleft().record
        key = (sources_now(record), replace(record, eeg_path="", spectrogram_path=""), self._settings)
        if key not in self.whole:
            loaded = load_record(record, self._settings)
            if loaded.status != OK:
                return loaded
            self.whole[key] = loaded
        return replace(self.whole[key], record=record)
