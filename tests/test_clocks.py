"""Clocks: work stands still while the process does, and goes on while it computes."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import package_folder

from hbac.clocks import BEAT_S, LATE_S, WorkClock, wall_s


class Times:
    """What the two clocks of the system say."""

    wall = computed = 0.0


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def work(times: Times) -> WorkClock:
    return WorkClock(lambda: times.wall, lambda: times.computed)


def test_between_looks_that_come_soon_all_time_is_work(times: Times, work: WorkClock) -> None:
    for _ in range(100):
        times.wall += LATE_S
        work()
    assert work() == times.wall
    assert work.paused_s() == 0


def test_a_look_that_comes_late_was_a_pause(times: Times, work: WorkClock) -> None:
    times.wall = 130.0
    assert work() == BEAT_S
    times.wall += 0.5
    assert work() == BEAT_S + 0.5
    assert work.paused_s() == 130.0 - BEAT_S


def test_what_the_process_computed_meanwhile_is_no_pause(times: Times, work: WorkClock) -> None:
    """A call that lets no other thread of the interpreter run."""
    times.wall, times.computed = 10.0, 9.0
    assert work() == 9.0
    times.wall, times.computed = 20.0, 29.0  # in two threads
    assert work() == 19.0


def test_the_wall_goes_on() -> None:
    before = wall_s()
    time.sleep(0.01)
    assert wall_s() > before


PROGRAM = """
import sys
from hbac.clocks import WorkClock, wall_s
with WorkClock() as work:
    began, began_s = wall_s(), work()
    print("ready", flush=True)
    sys.stdin.readline()
    print(wall_s() - began, work() - began_s, work.paused_s())
"""


@pytest.mark.slow
def test_a_process_that_is_stopped_and_continued_sees_its_pause() -> None:
    """However busy the machine is: what was not a pause by our orders may only make the pause longer."""
    pause_s = 3.0
    environment = {**os.environ, "PYTHONPATH": package_folder()}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(pause_s)
        os.kill(process.pid, signal.SIGCONT)
        wall, work, paused = map(float, process.communicate(b"\n")[0].split())
    assert wall >= pause_s
    assert paused >= pause_s - 2 * BEAT_S
    assert work == pytest.approx(wall - paused, abs=1.0)
