"""Processes whose linear algebra runs in one thread: the same bits everywhere, and no two of them fight for a core."""

import contextlib
import os
from collections.abc import Iterator

ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONSAFEPATH": "1",  # a file of the working folder is no module of Python's, while a process starts
}


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started inside compute in one thread; read when a process starts, so this one stays as it is."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
