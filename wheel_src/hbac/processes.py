"""Processes of Python, which any caller may start, and threads in place of them."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import connection, get_context, spawn
from typing import Any

from hbac.errors import HbacError, one_line

# Linear algebra in one thread: the same bits everywhere, and no two processes fight for a core.
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONSAFEPATH": "1",  # a file of the working folder is no module of Python's, while a process starts
}
# What a process does first: nothing is imported from the folder that it happens to start in, and Ctrl-C is for the run,
# which ends its processes. Its pipe then says where modules are, and what to call.
START = (
    "import sys; sys.path = [entry for entry in sys.path if entry]; "
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from multiprocessing import connection; "
    "pipe = getattr(connection, 'PipeConnection', connection.Connection)(int(sys.argv[1])); "
    "sys.path = pipe.recv(); function, arguments = pipe.recv(); function(pipe, *arguments)"
)


class Child:
    """A process that calls `function(pipe, *arguments)`, and this end of its pipe.

    A process of multiprocessing imports the caller's main module first, which may have no guard or no file, and a
    caller may not have any where it is a daemonic process itself, as in a Pool or under Celery. Here the caller does not
    matter. It should end when its pipe does: that is all that is left of it after a kill of this process.

    Args:
        function: of a module; it and its arguments are pickled.
        arguments: its arguments after the pipe.
        environment: variables beside those of this process.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, function: Callable[..., object], *arguments: Any, environment: Mapping[str, str] = {}):  # noqa: B006 - only read
        self.pipe, theirs = get_context("spawn").Pipe()
        command = [os.fsdecode(spawn.get_executable() or ""), "-X", f"utf8={sys.flags.utf8_mode}", "-c", START]
        try:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
                **_inherited(theirs.fileno()),
            )
        except BaseException:
            self.pipe.close()
            raise
        finally:
            theirs.close()  # so that the end of the process ends the pipe
        with contextlib.suppress(OSError):  # dead already: the pipe reports it at once
            self.pipe.send(_import_path())
            self.pipe.send((function, arguments))

    @property
    def pid(self) -> int | None:
        """The system's number of it."""
        return self._process.pid

    @property
    def exitcode(self) -> int | None:
        """None while it runs; minus the number of a signal that ended it."""
        return self._process.poll()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for its end, so long at the most."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)

    def kill(self) -> None:
        """End it, and its pipe."""
        self._process.kill()
        self._process.wait()
        self.pipe.close()


class Thread:
    """What stands in for a `Child` where no process can be started: a thread of this one.

    It ends with its pipe, or with SystemExit, whose code is then its exit code.
    """

    pid: int | None = None

    def __init__(self, function: Callable[..., object], *arguments: Any):
        self.exitcode: int | None = None
        self.pipe, theirs = get_context("spawn").Pipe()
        self._thread = threading.Thread(target=self._run, args=(theirs, function, arguments), daemon=True)
        self._thread.start()

    def _run(self, pipe: connection.Connection, function: Callable[..., object], arguments: Sequence[Any]) -> None:
        code: Any = 1
        try:
            function(pipe, *arguments)
            code = 0
        except SystemExit as error:
            code = error.code
        finally:
            self.exitcode = code
            pipe.close()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for its end, so long at the most."""
        self._thread.join(timeout_s)

    def kill(self) -> None:
        """End its pipe; what hangs is left behind."""
        self.pipe.close()


def in_children(function: Callable[[Any], object], items: Sequence[Any], workers: int) -> Iterator[None]:
    """Call `function` with each item in processes of their own; yields once for each that is done, in any order.

    Raises:
        HbacError: what a call raised, or no process can be started, or one ended.
    """
    waiting = list(reversed(items))
    children: list[Child] = []
    try:
        for _ in range(min(workers, len(items))):
            children.append(Child(_call, function, environment=ONE_THREAD))
            children[-1].pipe.send(waiting.pop())
        busy = {child.pipe: child for child in children}
        while busy:
            for pipe in connection.wait(list(busy)):
                _check_done(busy[pipe])  # type: ignore[index]
                yield
                if waiting:
                    busy[pipe].pipe.send(waiting.pop())  # type: ignore[index]
                else:
                    del busy[pipe]  # type: ignore[arg-type]
    except OSError as error:
        raise HbacError(f"expected another process of Python to work in, received {one_line(error)}") from error
    finally:
        for child in children:
            child.kill()


def _check_done(child: Child) -> None:
    """Take a child's word that an item is done."""
    try:
        failure = child.pipe.recv()
    except EOFError:
        child.join(5)
        raise HbacError(f"a process at work ended, exit code {child.exitcode}: was there memory for it?") from None
    if failure is not None:
        raise failure


def _call(pipe: connection.Connection, function: Callable[[Any], object]) -> None:
    """What a child of `in_children` does: item after item, each answered by None or by its error."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            item = pipe.recv()
            try:
                function(item)
            except HbacError as error:
                pipe.send(error)
            else:
                pipe.send(None)


def _inherited(handle: int) -> dict[str, Any]:
    """What makes a process inherit an end of a pipe."""
    if sys.platform != "win32":
        return {"pass_fds": [handle]}
    os.set_handle_inheritable(handle, True)
    return {"startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]}), "close_fds": False}


def _import_path() -> list[str]:
    """Where modules are found, with the current folder by its name."""
    with contextlib.suppress(OSError):  # a folder that is gone
        here = os.getcwd()
        return [entry or here for entry in sys.path]
    return sys.path
