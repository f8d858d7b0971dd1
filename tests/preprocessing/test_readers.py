"""Records to images in processes of their own: every record comes once, whatever its files do."""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import helpers_readers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import package_folder

from hbac.clocks import WorkClock
from hbac.errors import HbacError, MachineError
from hbac.preprocessing import readers as loading
from hbac.preprocessing.golden import IMAGE_TOLERANCE
from hbac.preprocessing.load import EEG, EEG_ONLY, INCOMPLETE, OK, SPECTROGRAM_ONLY, UNREADABLE, Loaded, load_record
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.readers import RECORD_LIMIT_S, Loader
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.parquet import read_eeg, read_spectrogram
from hbac.records.record import Record
from hbac.records.tables import read_test_table

SETTINGS = PRESETS[THREE_ZOOMS]

PATIENCE_S = 300.0  # for a machine that is busy


@pytest.fixture
def records(test_dir: Path) -> list[Record]:
    return read_test_table(test_dir)


def load_all(records: list[Record], workers: int = 2, **limits: float) -> dict[int, Loaded]:
    with Loader(records, SETTINGS, workers, **limits) as loader:  # type: ignore[arg-type]
        loaded = list(loader)
    assert sorted(one.record.eeg_id for one in loaded) == sorted(record.eeg_id for record in records)
    return {one.record.eeg_id: one for one in loaded}


def test_a_whole_record_gives_the_image_of_its_two_files(records: list[Record]) -> None:
    loaded = load_record(records[0], SETTINGS)
    assert records[0].spectrogram_path is not None
    expected = make_image(
        read_eeg(records[0].eeg_path).uv, read_spectrogram(records[0].spectrogram_path).power, SETTINGS
    )
    assert (loaded.status, loaded.notes) == (OK, ())
    np.testing.assert_array_equal(loaded.image, expected)


def test_without_its_spectrogram_the_eeg_gives_24_columns_of_channel_0(records: list[Record]) -> None:
    records[0].spectrogram_path.unlink()  # type: ignore[union-attr]
    loaded = load_record(records[0], SETTINGS)
    whole = load_record(replace(records[1], eeg_path=records[0].eeg_path), SETTINGS)
    assert loaded.status == EEG_ONLY
    assert "expected a file, found none" in loaded.notes[0]
    assert loaded.image is not None
    assert whole.image is not None
    np.testing.assert_array_equal(loaded.image[..., 1:], whole.image[..., 1:])
    covered = np.flatnonzero(np.ptp(loaded.image[..., 0], axis=0) > 0)
    assert covered.tolist() == list(range(138, 162))


def test_a_record_without_a_spectrogram_id_is_answered_from_its_eeg(records: list[Record]) -> None:
    loaded = load_record(replace(records[0], spectrogram_id=None, spectrogram_path=None), SETTINGS)
    assert loaded.status == EEG_ONLY
    assert "spectrogram_id" in loaded.notes[0]


def test_without_its_eeg_channels_1_and_2_are_constant(records: list[Record]) -> None:
    records[0].eeg_path.write_bytes(b"no parquet")
    loaded = load_record(records[0], SETTINGS)
    assert loaded.status == SPECTROGRAM_ONLY
    assert loaded.image is not None
    assert np.ptp(loaded.image[..., 0]) > 1
    assert np.ptp(loaded.image[..., 1]) == 0
    assert np.ptp(loaded.image[..., 2]) == 0


def test_without_both_there_is_no_image_but_a_reason_for_each(records: list[Record]) -> None:
    records[0].eeg_path.unlink()
    records[0].spectrogram_path.write_bytes(b"")  # type: ignore[union-attr]
    loaded = load_record(records[0], SETTINGS)
    assert (loaded.image, loaded.status, len(loaded.notes)) == (None, UNREADABLE, 2)


def test_a_short_eeg_is_answered_and_named(records: list[Record]) -> None:
    table = pq.read_table(records[0].eeg_path)
    pq.write_table(table.slice(0, 6000), records[0].eeg_path)
    loaded = load_record(records[0], SETTINGS)
    assert loaded.status == INCOMPLETE
    assert loaded.notes == ("EEG: 6000 of 10000 samples",)


@pytest.mark.parametrize("workers", [1, 3])
def test_processes_give_what_this_process_gives(workers: int, records: list[Record]) -> None:
    for eeg_id, loaded in load_all(records[: workers + 1], workers).items():
        here = load_record(next(r for r in records if r.eeg_id == eeg_id), SETTINGS)
        assert loaded.status == here.status
        np.testing.assert_allclose(loaded.image, here.image, atol=IMAGE_TOLERANCE)  # type: ignore[arg-type]


def test_no_records_is_no_work() -> None:
    assert load_all([]) == {}


@pytest.mark.slow
def test_a_file_that_kills_its_reader_costs_that_file_alone(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_serve", helpers_readers.deadly)
    for path in (records[0].eeg_path, records[1].spectrogram_path, records[2].eeg_path, records[2].spectrogram_path):
        os.truncate(path, helpers_readers.KILLS)  # type: ignore[arg-type]
    loaded = load_all(records[:4])
    received = [loaded[record.eeg_id] for record in records[:4]]
    assert [one.status for one in received] == [SPECTROGRAM_ONLY, EEG_ONLY, UNREADABLE, OK]
    assert all("ended its reader, exit code -9" in one.notes[0] for one in received[:3])


class Clock:
    """The real one, which jumps ahead when it is told to: no test waits for a limit, or is late on a busy machine."""

    ahead_s = 0.0

    def __init__(self) -> None:
        self._work = WorkClock()

    def __call__(self) -> float:
        return self._work() + self.ahead_s


def load_past_hanging(records: list[Record], hanging: Record) -> tuple[Loader, dict[int, Loaded]]:
    """Load with one reader; whenever it is at `hanging` with its EEG, its time passes at once."""
    clock = Clock()
    loaded: dict[int, Loaded] = {}
    with Loader(records, SETTINGS, 1, limit_s=PATIENCE_S, clock=clock) as loader:
        while len(loaded) < len(records):
            job = loader._workers[0].job
            if loader._workers[0].ready and job and job.record == hanging and EEG in job.files:
                clock.ahead_s += PATIENCE_S
            with contextlib.suppress(queue.Empty):
                one = loader.get(timeout_s=0.1)
                loaded[one.record.eeg_id] = one
    return loader, loaded


@pytest.mark.slow
def test_a_file_that_hangs_its_reader_costs_its_time_limit(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_serve", helpers_readers.deadly)
    os.truncate(records[1].eeg_path, helpers_readers.HANGS)
    loader, loaded = load_past_hanging(records[:3], records[1])
    assert loaded[records[1].eeg_id].status == SPECTROGRAM_ONLY
    assert "took longer than 300 s" in loaded[records[1].eeg_id].notes[0]
    assert {loaded[record.eeg_id].status for record in (records[0], records[2])} == {OK}
    assert loader._hanging == 2  # with both files, and with the EEG alone
    assert 0 < loader._slowest_s < PATIENCE_S  # of those that did not


@pytest.mark.parametrize(
    ("hanging", "slowest_s", "limit_s"), [(0, 0.1, 120), (3, 9.0, 120), (4, 0.1, 5), (4, 0.5, 10), (99, 9.0, 120)]
)
def test_after_a_few_files_that_hang_the_limit_follows_what_records_need(
    hanging: int, slowest_s: float, limit_s: float
) -> None:
    loader = Loader([], SETTINGS, 1)
    loader._hanging, loader._slowest_s = hanging, slowest_s
    assert loader._limit() == limit_s


@pytest.mark.slow
def test_a_record_that_ends_its_reader_is_tried_again_after_all_others(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_serve", helpers_readers.deadly)
    os.truncate(records[0].eeg_path, helpers_readers.KILLS)
    with Loader(records[:3], SETTINGS, 1) as loader:
        assert [loaded.record.eeg_id for loaded in loader][-1] == records[0].eeg_id


@pytest.mark.slow
def test_a_bad_start_in_the_middle_of_a_run_is_tried_again(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_serve", helpers_readers.frail)
    monkeypatch.setenv(helpers_readers.STARTS, str(tmp_path / "starts"))
    os.truncate(records[0].eeg_path, helpers_readers.KILLS)
    loaded = load_all(records[:3], workers=1)
    assert loaded[records[0].eeg_id].status == SPECTROGRAM_ONLY
    assert {loaded[record.eeg_id].status for record in records[1:3]} == {OK}
    assert len((tmp_path / "starts").read_bytes()) == 5  # one, two bad ones after a death, and again after the second


@pytest.mark.slow
def test_a_file_that_wants_too_much_memory_is_a_note(records: list[Record]) -> None:
    rows = 12_000_000  # 19 columns: 912 MB once decoded
    zeros = pa.array(np.zeros(rows, np.float32)).dictionary_encode().cast(pa.float32())
    pq.write_table(pa.table(dict.fromkeys(read_columns(records[0]), zeros)), records[0].eeg_path)
    loaded = load_all(records[:2], workers=1, memory_bytes=600 << 20)
    assert loaded[records[0].eeg_id].status == SPECTROGRAM_ONLY
    assert loaded[records[0].eeg_id].notes[0].startswith("reading eeg and spectrogram: ")
    assert loaded[records[1].eeg_id].status == OK


def read_columns(record: Record) -> list[str]:
    return pq.read_schema(record.eeg_path).names


def test_processes_that_cannot_start_are_an_error_not_an_answer(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_serve", helpers_readers.stillborn)
    with pytest.raises(HbacError, match="expected a process that reads records"):
        load_all(records)


def test_a_machine_that_has_run_out_of_files_ends_the_run_and_is_no_class_prior(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_serve", helpers_readers.starved)
    with pytest.raises(MachineError, match="expected to read it, received: Too many open files"):
        load_all(records[:1], workers=1)


@pytest.mark.slow
def test_what_has_run_out_for_a_while_costs_no_record_a_file(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_serve", helpers_readers.starved_once)
    monkeypatch.setenv(helpers_readers.STARTS, str(tmp_path / "starts"))
    assert {loaded.status for loaded in load_all(records[:3], workers=1).values()} == {OK}


@pytest.mark.slow
def test_records_that_are_lost_one_after_the_other_are_the_machines_fault(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_serve", helpers_readers.deadly)
    monkeypatch.setattr(loading, "FAULTS", 2)  # each costs three readers; what the number is stands in the next test
    for record in records[:2]:
        os.truncate(record.eeg_path, helpers_readers.KILLS)
        os.truncate(record.spectrogram_path, helpers_readers.KILLS)  # type: ignore[arg-type]
    with pytest.raises(MachineError, match="expected a machine that reads records, received 2 lost and 0 read"):
        load_all(records[:2])


@pytest.mark.parametrize(("read", "lost", "ends"), [(0, 4, False), (0, 5, True), (9, 9, True), (10, 9, False)])
def test_a_few_lost_records_among_many_are_their_files_fault(
    records: list[Record], read: int, lost: int, ends: bool
) -> None:
    loader = Loader([], SETTINGS, 1)
    image = np.zeros(SETTINGS.shape, np.float32)
    for _ in range(read):
        loader._count(Loaded(records[0], {SETTINGS.preset: image}, OK))
    for _ in range(lost - 1):
        loader._count(Loaded(records[0], {}, UNREADABLE, (), of_machine=True))
    with pytest.raises(MachineError) if ends else contextlib.nullcontext():
        loader._count(Loaded(records[0], {}, UNREADABLE, (), of_machine=True))


@pytest.mark.slow
def test_images_wait_in_a_bounded_queue(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "AHEAD", 8)
    many = [replace(records[0], eeg_id=i) for i in range(14)]  # eight, one in each reader's hands, and some to come
    with Loader(many, SETTINGS, 2) as loader:
        deadline = time.monotonic() + PATIENCE_S
        while loader._done.qsize() < 8 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert loader._done.qsize() == loader._done.maxsize == 8
        assert len(list(loader)) == len(many)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


@pytest.mark.slow
def test_a_slow_network_does_not_make_a_reader_late(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "AHEAD", 2)
    clock = Clock()

    class Counting(Loader):
        puts = 0

        def _put(self, item: Loaded | BaseException) -> None:
            self.puts += 1
            super()._put(item)

    with Counting(records, SETTINGS, 2, limit_s=PATIENCE_S, clock=clock) as loader:
        wait_for(lambda: loader.puts == 3)  # the queue is full
        wait_for(lambda: any(worker.job and worker.pipe.poll() for worker in loader._workers))  # the other is done too
        clock.ahead_s = 2 * PATIENCE_S
        assert {loaded.status for loaded in loader} == {OK}


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="the system does not tell whether a process is stopped")
def test_a_reader_that_somebody_stops_is_waited_for(records: list[Record]) -> None:
    clock = Clock()
    with Loader(records[:1], SETTINGS, 1, clock=clock) as loader:
        (worker,) = loader._workers
        pid = worker._process.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        wait_for(worker.is_stopped)
        clock.ahead_s = 10 * RECORD_LIMIT_S
        wait_for(lambda: loader._looked > clock() - RECORD_LIMIT_S)
        assert worker._process.exitcode is None
        os.kill(pid, signal.SIGCONT)
        assert loader.get(timeout_s=PATIENCE_S).status == OK
        assert worker._process.pid == pid
        assert not worker.is_stopped()


def test_the_limits_of_readers_count_work_alone() -> None:
    assert isinstance(Loader([], SETTINGS, 1)._clock, WorkClock)


def test_readers_start_under_a_low_limit_of_their_own(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_serve", helpers_readers.limited)
    assert {loaded.status for loaded in load_all(records[:2], workers=1).values()} == {OK}


def test_leaving_early_ends_the_processes(records: list[Record]) -> None:
    with Loader(records, SETTINGS, 2) as loader:
        loader.get(timeout_s=60)
        processes = [worker._process for worker in loader._workers]
    assert all(process.exitcode is not None for process in processes)


def test_waiting_ends_with_its_timeout(records: list[Record]) -> None:
    with Loader(records, SETTINGS, 1) as loader, pytest.raises(queue.Empty):
        loader.get(timeout_s=0.01)


CALL = "import pickle; load(pickle.load(open({records!r}, 'rb')), {out!r})"
CALLERS = {  # what stands around the call
    "no guard": "{call}",
    "a daemonic process": (
        "def work():\n    {call}\n"
        "import multiprocessing\n"
        "one = multiprocessing.get_context('fork').Process(target=work, daemon=True); one.start(); one.join()"
    ),
    "children ignored": "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); {call}",
    "a thread": "import threading\none = threading.Thread(target=lambda: [{call_in_list}]); one.start(); one.join()",
    "a module's name in the current folder": "open('signal.py', 'w').write('1 / 0'); {call}",
}


WAYS = ("file", "stdin", "-c")
CALLS = [(caller, way) for caller in ("no guard", "a module's name in the current folder") for way in WAYS]
CALLS += zip(
    ("a daemonic process", "children ignored", "a thread"), WAYS
)  # what differs is not how the module is found


@pytest.mark.parametrize(("caller", "way"), CALLS)
def test_any_caller_gets_every_record(caller: str, way: str, records: list[Record], tmp_path: Path) -> None:
    out, job = tmp_path / "out", tmp_path / "records"
    job.write_bytes(pickle.dumps(records[:1]))
    call = CALL.format(records=str(job), out=str(out))
    expression = f"load(__import__('pickle').load(open({str(job)!r}, 'rb')), {str(out)!r})"
    code = "from helpers_readers import load\n" + CALLERS[caller].format(call=call, call_in_list=expression)
    (tmp_path / "script.py").write_text(code)
    words = {"file": ["script.py"], "stdin": ["-"], "-c": ["-c", code]}[way]
    path = os.pathsep.join([package_folder(), str(Path(__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": "/none", "HOME": "/none"}
    done = subprocess.run(
        [sys.executable, *words], input=code, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert out.read_text() == "ok\n"


def test_where_no_process_can_be_started_a_thread_reads_and_says_so(
    records: list[Record], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loading.Child.__init__.__globals__["spawn"], "get_executable", lambda: "/none")
    loading._say_once.cache_clear()
    records[1].eeg_path.write_bytes(b"no parquet")
    loaded = load_all(records)
    assert {eeg_id: one.status for eeg_id, one in loaded.items() if one.status != OK} == {
        records[1].eeg_id: SPECTROGRAM_ONLY
    }
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "records are read in this process" in said
