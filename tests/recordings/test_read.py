"""The door: files are told by their content, and what is no recording is one line."""

import os
import sys
from pathlib import Path

import pytest
from helpers_recordings import write_edf

import hbac
from hbac.errors import MachineError


def test_an_edf_is_told_by_its_content(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "bed.rec")
    assert hbac.read_recording(str(path)).name == "bed"
    assert hbac.read_recording(path, name="bed 4").name == "bed 4"


def test_what_is_called_edf_and_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.EDF").write_bytes(b"\x89PNG" * 100)
    with pytest.raises(
        hbac.RecordError, match=r"x.EDF: expected EDF or BDF, received a file that begins with b'\\x89PNG"
    ):
        hbac.read_recording(tmp_path / "x.EDF")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "x.edf", "x" * 5000, "a\0b"):
        with pytest.raises(hbac.RecordError, match="expected a recording, found none"):
            hbac.read_recording(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.edf")
    with pytest.raises(hbac.RecordError, match="expected a file, received a pipe or a device"):
        hbac.read_recording(tmp_path / "x.edf")


def test_a_unit_that_is_none_is_refused_before_the_file(tmp_path: Path) -> None:
    with pytest.raises(hbac.InputError, match="unit: expected one of V, mV, uV, nV, received 'kV'"):
        hbac.read_recording(tmp_path / "none.edf", unit="kV")


def test_without_mne_an_edf_is_read_and_other_formats_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mne", None)
    assert hbac.read_recording(write_edf(tmp_path / "x.edf")).samples == 4000
    (tmp_path / "x.set").write_bytes(b"MATLAB")
    with pytest.raises(MachineError, match="mne: expected mne>="):
        hbac.read_recording(tmp_path / "x.set")
