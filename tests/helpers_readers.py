"""Readers that misbehave, for tests of what watches them; in a module of its own so that a spawned process finds it."""

import os
import signal
import time

from hbac.loading import READY, load_record

KILLS, HANGS = 13, 14  # sizes in bytes of the files that they cannot bear
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
        sizes = [os.path.getsize(path) for path in paths]
        if KILLS in sizes:
            os.kill(os.getpid(), signal.SIGKILL)
        if HANGS in sizes:
            time.sleep(600)
        pipe.send(load_record(record, settings, files))


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

    from hbac.loading import _serve

    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    _serve(pipe, settings, memory_bytes)
