"""Promises of time: which part of the ensemble a record may still have, and whether an epoch of training may begin."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hbac.clocks import Clock, wall_s

RESERVE_SHARE, RESERVE_S = 0.02, 5.0  # kept for the end: the last records on their way, writing, checking
# Of the time in which the network waits for records. Above it fewer folds could hardly bring more records in time; below
# it they do where readers and network share the cores: 231 of 500 records whole and the rest not at all is the worse.
IDLE_SHARE = 0.8
RESERVE_OF_START = 0.25  # of the time until the network was ready: on a machine that starts slowly all is slow


@dataclass(frozen=True)
class Effort:
    """What a record gets: the first folds of each member (none at all: the class prior), and whether its mirror image
    counts too, for members that have one."""

    folds: int  # of all members
    flip: bool
    members: tuple[int, ...] = ()  # folds of each member; of a manifest of one member nothing

    @property
    def of_members(self) -> tuple[int, ...]:
        """Folds of each member."""
        return self.members or (self.folds,)

    @property
    def passes(self) -> int:
        """Passes through a network, where each member has a mirror image."""
        return self.folds * (2 if self.flip else 1)


@dataclass(frozen=True)
class Part:
    """What a budget knows of a member."""

    weight: float = 1.0  # its worth
    flips: bool = True  # whether it has a mirror image

    def passes(self, folds: int, flip: bool) -> int:
        """Passes through its network."""
        return folds * (2 if flip and self.flips else 1)


class Budget:
    """Drops test-time flips first, then folds, as soon as the remaining records would not fit.

    Of several members, the one whose folds at hand take the most time for its weight loses its last fold, and so on down
    to one fold. What a pass takes is measured.

    Args:
        limit_s: seconds from the start of the run; None for no limit.
        full: what every record gets while there is time.
        started: `clock()` at the start of the run.
        clock: seconds from any origin; goes on during a pause of this process.
        paused_s: seconds of pauses since `started`; they count against the limit, but say nothing of the machine.
        parts: the members.
    """

    def __init__(
        self,
        limit_s: float | None,
        full: Effort,
        started: float,
        clock: Clock = wall_s,
        paused_s: Clock = lambda: 0.0,
        parts: Sequence[Part] = (Part(),),
    ):
        self._full, self._clock, self._paused_s = full, clock, paused_s
        self._end = (
            None if limit_s is None else started + limit_s - min(RESERVE_S + RESERVE_SHARE * limit_s, limit_s / 2)
        )
        self._started, self._limit_s = started, limit_s
        self._start_s = 0.0  # of work, until the network was ready
        self._idle_s = 0.0
        self.parts = parts
        self._passes = [0] * len(parts)
        self._seconds = [0.0] * len(parts)  # in which they were made, several at once
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

    def done(self, passes: int | Sequence[int], records: int = 1, seconds: Sequence[float] | None = None) -> None:
        """Count finished passes through networks, and the records that they answered.

        Args:
            passes: of each member.
            records: how many.
            seconds: that the passes of each member took, where there are several.
        """
        by_member = (passes,) if isinstance(passes, int) else passes
        with self._lock:
            self._passes = [total + more for total, more in zip(self._passes, by_member)]
            self._seconds = [total + more for total, more in zip(self._seconds, seconds or [0.0] * len(by_member))]
            self._records += records

    def effort(self, remaining: int) -> Effort:
        """What the next record gets if `remaining` records, itself included, are to fit."""
        left = self.left_s()
        if left <= 0:
            return Effort(0, False)
        with self._lock:
            passes, costs, records = self._passes, self._costs(), self._records
        if self._end is None or not any(passes):
            return self._full
        elapsed = max(self.worked_s() - self._start_s, 1e-9)  # a coarse clock may not have moved
        busy = elapsed
        if self._idle_s > IDLE_SHARE * elapsed:  # reading decides how many records still come
            busy -= self._idle_s
            remaining = min(remaining, 1 + int(left * records / elapsed))
        cost_s = busy / sum(count * cost for count, cost in zip(passes, costs))
        options = list(self._options(costs))
        fitting = (effort for effort in options if remaining * self._cost(effort, costs) * cost_s <= left)
        return next(fitting, options[-1])

    def _options(self, costs: Sequence[float]) -> Iterator[Effort]:
        """Efforts from the dearest to a single fold."""
        yield self._full
        folds = list(self._full.of_members)
        while sum(folds):
            yield Effort(sum(folds), False, tuple(folds) if self._full.members else ())
            for_worth = [count * cost / part.weight for count, cost, part in zip(folds, costs, self.parts)]
            folds[for_worth.index(max(for_worth))] -= 1

    def _cost(self, effort: Effort, costs: Sequence[float]) -> float:
        """Of a record, in the unit of `costs`."""
        parts = zip(self.parts, effort.of_members, costs)
        return sum(part.passes(folds, effort.flip) * cost for part, folds, cost in parts)

    def _costs(self) -> list[float]:
        """What a pass of each member takes; only their ratios count. A member that had none yet is like the others."""
        if len(self.parts) == 1:
            return [1.0]
        known = [
            max(seconds, 1e-9) / passes if passes else None for seconds, passes in zip(self._seconds, self._passes)
        ]
        mean = sum(filter(None, known)) / max(1, len(known) - known.count(None))
        return [mean if cost is None else cost for cost in known]
