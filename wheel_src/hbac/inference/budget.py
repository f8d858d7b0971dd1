"""Promises of time: which part of the ensemble a record may still have, and whether an epoch of training may begin."""

import threading
from dataclasses import dataclass

from hbac.clocks import Clock, wall_s

RESERVE_SHARE, RESERVE_S = 0.02, 5.0  # kept for the end: the last records on their way, writing, checking
# Of the time in which the network waits for records. Above it fewer folds could hardly bring more records in time; below
# it they do where readers and network share the cores: 231 of 500 records whole and the rest not at all is the worse.
IDLE_SHARE = 0.8
RESERVE_OF_START = 0.25  # of the time until the network was ready: on a machine that starts slowly all is slow


@dataclass(frozen=True)
class Effort:
    """What a record gets: the first `folds` folds (0: the class prior), and whether its mirror image counts too."""

    folds: int
    flip: bool

    @property
    def passes(self) -> int:
        """Passes through a network."""
        return self.folds * (2 if self.flip else 1)


class Budget:
    """Drops test-time flips first, then folds, as soon as the remaining records would not fit.

    Args:
        limit_s: seconds from the start of the run; None for no limit.
        full: what every record gets while there is time.
        started: `clock()` at the start of the run.
        clock: seconds from any origin; goes on during a pause of this process.
        paused_s: seconds of pauses since `started`; they count against the limit, but say nothing of the machine.
    """

    def __init__(
        self,
        limit_s: float | None,
        full: Effort,
        started: float,
        clock: Clock = wall_s,
        paused_s: Clock = lambda: 0.0,
    ):
        self._full, self._clock, self._paused_s = full, clock, paused_s
        self._end = (
            None if limit_s is None else started + limit_s - min(RESERVE_S + RESERVE_SHARE * limit_s, limit_s / 2)
        )
        self._started, self._limit_s = started, limit_s
        self._start_s = 0.0  # of work, until the network was ready
        self._idle_s = 0.0
        self._passes = 0
        self._records = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """The network is ready: from now on time is spent on records."""
        self._start_s = self.worked_s()
        if self._end is not None and self._limit_s is not None:
            self._end = max(self._end - RESERVE_OF_START * self._start_s, self._started + self._limit_s / 2)

    def worked_s(self) -> float:
        """Seconds since the start of the run without the pauses."""
        return self._clock() - self._started - self._paused_s()

    def idle(self, seconds: float) -> None:
        """Count time in which the network had nothing to do: fewer folds would not have made it shorter."""
        self._idle_s += seconds

    def left_s(self) -> float:
        """Seconds left for records; infinite without a limit."""
        return float("inf") if self._end is None else self._end - self._clock()

    def done(self, passes: int, records: int = 1) -> None:
        """Count finished passes through a network, and the records that they answered."""
        with self._lock:
            self._passes += passes
            self._records += records

    def effort(self, remaining: int) -> Effort:
        """What the next record gets if `remaining` records, itself included, are to fit."""
        left = self.left_s()
        if left <= 0:
            return Effort(0, False)
        if self._end is None or not self._passes:
            return self._full
        elapsed = max(self.worked_s() - self._start_s, 1e-9)  # a coarse clock may not have moved
        busy = elapsed
        if self._idle_s > IDLE_SHARE * elapsed:  # reading decides how many records still come
            busy -= self._idle_s
            remaining = min(remaining, 1 + int(left * self._records / elapsed))
        pass_s = busy / self._passes
        options = [self._full, *(Effort(folds, False) for folds in range(self._full.folds, 0, -1))]
        fitting = (effort for effort in options if remaining * effort.passes * pass_s <= left)
        return next(fitting, options[-1])
