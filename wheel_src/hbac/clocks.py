"""Clocks: the wall's, which a promise of time counts, and that of work, which stands still while this process does.

A process that is stopped and continued (a closed lid, a container or a virtual machine that is paused, a scheduler's
SIGSTOP) finds much time gone and nothing done. What it or others were late with is not their fault.
"""

import threading
import time
from collections.abc import Callable

BEAT_S = 0.25  # between two looks at the clock
LATE_S = 1.0  # more than that between two looks is a pause, but for what this process has computed meanwhile

Clock = Callable[[], float]


def wall_s() -> float:
    """Seconds from any origin; goes on while the machine sleeps, where the system has such a clock (Linux)."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class WorkClock:
    """Seconds from any origin without the pauses of this process; a call is a look at the clock.

    Between two looks less than `LATE_S` may pass. Whoever cannot look so often uses it as a context manager: a thread
    then looks too.

    Args:
        wall: a clock that goes on during pauses.
        computed: seconds that this process has computed so far.
    """

    def __init__(self, wall: Clock = wall_s, computed: Clock = time.process_time):
        self._wall, self._computed = wall, computed
        self._lock = threading.Lock()
        self._last, self._last_computed = wall(), computed()
        self._paused_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="hbac-clock", daemon=True)

    def __call__(self) -> float:
        with self._lock:
            now, computed = self._wall(), self._computed()
            gap_s = now - self._last
            if gap_s > LATE_S:  # a thread that kept the interpreter to itself was at work
                self._paused_s += max(0.0, gap_s - max(BEAT_S, computed - self._last_computed))
            self._last, self._last_computed = now, computed
            return now - self._paused_s

    def paused_s(self) -> float:
        """Seconds of pauses so far."""
        self()
        return self._paused_s

    def __enter__(self) -> "WorkClock":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            self()
