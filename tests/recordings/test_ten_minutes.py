"""Rows of the ten-minute spectrogram: those of the host's recipe for the whole recording, wherever they are cut."""

import numpy as np
import pytest

from hbac.preprocessing.multitaper import host_spectrogram
from hbac.recordings.recording import ArrayRecording
from hbac.recordings.ten_minutes import ROWS_AT_ONCE, TenMinutes, runs_of

ROW = 400


def agree(rows: np.ndarray, host: np.ndarray, share: float = 1e-5) -> None:  # type: ignore[type-arg]
    assert (np.isnan(rows) == np.isnan(host)).all()
    there = ~np.isnan(host)
    assert (np.abs(rows - host)[there] <= share * host[there] + 1e-6).all()


def test_rows_are_those_of_the_whole_recording(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    host = host_spectrogram(eeg)
    rows = TenMinutes(ArrayRecording(eeg)).power(-3, len(host) + 2)
    assert len(host) > ROWS_AT_ONCE
    assert np.isnan(rows[:3]).all()
    assert np.isnan(rows[-2:]).all()
    agree(rows[3:-2], host)


def test_a_phase_moves_all_frames(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    rows = TenMinutes(ArrayRecording(eeg), 300).power(20, 100)  # the filters begin at the recording's first sample
    agree(rows, host_spectrogram(eeg[300:])[20:100])


def test_a_short_gap_is_bridged_and_its_frames_are_nan(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    uv = eeg.copy()
    uv[59_000:61_000] = np.nan  # over the border of the first block of rows, at 60,000
    uv[30_000:30_500, 3] = np.nan
    uv[:, 15] = np.nan
    agree(TenMinutes(ArrayRecording(uv)).power(0, 200), host_spectrogram(uv)[:200])


def test_beside_a_long_gap_rows_are_nearly_those_of_one_straight_line(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    uv = eeg.copy()
    uv[40_000:60_000] = np.nan
    agree(TenMinutes(ArrayRecording(uv)).power(0, 200), host_spectrogram(uv)[:200], share=5e-3)


def test_pairs_give_the_rows_of_their_electrodes(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    from hbac.preprocessing.montage import bipolar

    pairs = ArrayRecording(np.ascontiguousarray(bipolar(eeg).T))
    agree(TenMinutes(pairs).power(0, 100), host_spectrogram(eeg)[:100], share=1e-3)


def test_nothing_of_a_recording_shorter_than_a_frame() -> None:
    rows = TenMinutes(ArrayRecording(np.zeros((799, 19), np.float32))).window(-4800)
    assert rows.shape == (300, 400)
    assert np.isnan(rows).all()


def test_a_window_off_the_grid_is_an_error(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match="expected 0 and a multiple of 400, received 55201"):
        TenMinutes(ArrayRecording(eeg)).window(55_201)


def test_runs() -> None:
    assert runs_of(np.array([1, 1, 0, 0, 1, 0, 1], bool)) == [(0, 2), (4, 5), (6, 7)]
    assert runs_of(np.zeros(3, bool)) == []
