"""One task for each item, spread over processes of this machine or over a cluster: `dask.distributed`.

The package is optional (`hbac[cluster]`) and is imported here alone, when it is asked for.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from hbac.errors import HbacError, InputError, MachineError, one_line
from hbac.machine.cores import usable_cores
from hbac.machine.packages import FAULTS
from hbac.streams import say

Client = Any  # of `distributed`, which says little of its types and need not be there

Task = TypeVar("Task")
Made = TypeVar("Made")

LOCAL: Final = "local"  # processes of this machine, in place of a cluster
REQUIREMENT: Final = "distributed>=2024.1"
PATIENCE_S: Final = 30  # until a scheduler answers
PATIENCE_OF_LOCAL: Final = "30 minutes"  # where nothing but a busy machine can be the reason
TRIES: Final = 2  # of an item whose worker died
OF_LOCAL: Final = {  # a process that waits for a core is not dead, and one that dies is noticed at once
    "distributed.scheduler.allowed-failures": TRIES - 1,
    "distributed.scheduler.worker-saturation": 1.0,  # none waits at a worker, to be blamed for its death
    "distributed.scheduler.worker-ttl": None,
    "distributed.comm.timeouts.connect": PATIENCE_OF_LOCAL,
    "distributed.comm.timeouts.tcp": PATIENCE_OF_LOCAL,
}


def spread(
    function: Callable[[Task], Made], items: Sequence[Task], where: str, workers: int | None = None
) -> Iterator[tuple[Task, Made | MachineError]]:
    """Call `function` with each item in a worker.

    An item whose worker dies is tried once more, elsewhere. What raises an error of this package in a worker raises it
    here, after a second try, and no other item is begun.

    Args:
        function: what is pickled with the item; a worker imports it.
        items: to be called with.
        where: `local`, a scheduler's address, or its file.
        workers: processes of `local`; None for the usable cores.

    Yields:
        Items as they are done, in any order: what the call gave, or that workers died of it.

    Raises:
        InputError: `where` is none of these.
        MachineError: `distributed` is not there, the scheduler does not answer, or it went away.
        HbacError: see above.
    """
    _check(where)
    distributed = _distributed()
    with _client(distributed, where, workers, len(items)) as client:
        if where != LOCAL and not client.scheduler_info()["workers"]:
            say(f"hbac: {where}: the scheduler has no worker yet; waiting for one", sys.stderr)
        futures = {client.submit(function, item, retries=TRIES - 1, pure=False): item for item in items}
        try:
            for future in distributed.as_completed(list(futures)):
                yield futures.pop(future), _result(distributed, future)
        finally:
            with contextlib.suppress(*FAULTS):
                client.cancel(list(futures))


def local_workers(workers: int | None, items: int) -> int:
    """Processes that `local` begins."""
    return min(workers or usable_cores(), items)


def streams_of(where: str, workers: int | None, items: int) -> int | None:
    """Cores for each process of `local`, so that all of them together have those of the machine; None elsewhere."""
    return max(1, usable_cores() // local_workers(workers, items)) if where == LOCAL and items else None


def threads_of_worker() -> int:
    """The cores that the worker around this task was given: `dask worker --nthreads`."""
    threads: int = _distributed().get_worker().state.nthreads
    return threads


def _check(where: str) -> None:
    """Raises InputError where it is neither `local`, nor an address, nor a scheduler's file."""
    if where != LOCAL and not _is_address(where) and not Path(where).is_file():
        raise InputError(
            f"dask: expected {LOCAL}, an address such as tcp://host:8786, or a scheduler's file, received {where!r}"
        )


def _is_address(where: str) -> bool:
    host, _, port = where.rpartition(":")
    return bool(host) and port.isdigit()


def _distributed() -> Any:
    try:
        import distributed
    except FAULTS as error:
        raise MachineError(
            f"distributed: expected {REQUIREMENT} for --dask, received {type(error).__name__}: {one_line(error)}; "
            "install it: pip install 'hbac[cluster]'"
        ) from error
    return distributed


@contextlib.contextmanager
def _client(distributed: Any, where: str, workers: int | None, most: int) -> Iterator[Client]:
    """A client, and for `local` the processes that work for it."""
    import dask

    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        try:
            if where == LOCAL:
                stack.enter_context(dask.config.set(OF_LOCAL))
                cluster = distributed.LocalCluster(
                    n_workers=local_workers(workers, most),
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=None,  # what is short of memory is the system's to end, not at a guess of dask's
                    dashboard_address="127.0.0.1:0",  # any free port, not seen from elsewhere
                    silence_logs=logging.CRITICAL,
                    host="127.0.0.1",
                )
                address: dict[str, Any] = {"address": stack.enter_context(cluster), "timeout": PATIENCE_OF_LOCAL}
            elif _is_address(where):
                address = {"address": where}
            else:
                address = {"scheduler_file": os.path.abspath(where)}
            client = stack.enter_context(distributed.Client(**{"timeout": PATIENCE_S} | address))
        except (*FAULTS, TimeoutError) as error:
            raise MachineError(
                f"dask: expected a scheduler that answers at {where}, received {type(error).__name__}: {one_line(error)}"
            ) from error
        yield client


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No log of what is reported in our own words: workers that died, and are begun again."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _result(distributed: Any, future: Any) -> Any:
    """What a call gave; a MachineError, not raised, where workers died of it."""
    try:
        return future.result()
    except HbacError:
        raise
    except distributed.scheduler.KilledWorker:
        return MachineError(
            "expected a worker that lives to its end, received several that died: had they memory for it?"
        )
    except (*FAULTS, distributed.CancelledError, TimeoutError) as error:
        raise MachineError(
            f"dask: expected a scheduler that answers, and workers with this hbac that reach the same files, received "
            f"{type(error).__name__}: {one_line(error)}"
        ) from error
