"""Standard streams that are closed, full, broken or of another alphabet."""

import io
import os
import subprocess
import sys

import pytest
from conftest import package_folder

from hbac.streams import Tolerant, progress_bar, say

SAY = r"""
import sys
from hbac.cli import reported
from hbac.streams import progress_bar
def work():
    with progress_bar(2, 0, "record", "work", True) as bar:
        bar.update()
    print("Zo\u00eb \udcff", "x" * 100_000)
    with open(sys.argv[1], "w") as file:
        assert file.fileno() > 2, "a file has the place of a closed stream"
sys.exit(reported(work))
"""


@pytest.mark.parametrize(
    "streams",
    [
        "",
        "2>&-",
        ">&-",
        ">&- 2>&-",
        "<&- >&- 2>&-",
        ">/dev/full",
        "2>/dev/full",
        ">/dev/full 2>&1",
        "| true",
        "2>&1 | true",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_stream_costs_neither_the_work_nor_the_exit_code(streams, encoding, tmp_path):
    command = f'"$0" -c "$1" "$2" {streams}; exit ${{PIPESTATUS[0]}}'
    environment = {**os.environ, "PYTHONPATH": package_folder(), "PYTHONIOENCODING": encoding}
    words = ["bash", "-c", command, sys.executable, SAY, str(tmp_path / "done")]
    done = subprocess.run(words, env=environment, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "done").exists()
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_a_file_opened_after_a_closed_stream_does_not_take_its_place():
    code = "import os; from hbac.streams import open_closed_descriptors as f; f(); print(os.open('/dev/null', 0) > 2)"
    words = ["bash", "-c", '"$0" -c "$1" <&- 2>&-', sys.executable, code]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": package_folder()}, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "True\n"


def test_what_a_stream_cannot_encode_is_escaped():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    say("Zo\u00eb: \udcff", stream)
    assert stream.buffer.getvalue() == b"Zo\\xeb: \\udcff\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("closed", [True, False])
def test_no_stream_is_no_error(closed, monkeypatch):
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if closed else None)
    say("line", sys.stderr)
    with progress_bar(1, 0, "record", "work", True) as bar:
        bar.update()
    assert Tolerant(sys.stderr).write("line") == 4
