"""A scan: one answer for each step, in its place, and none where nothing was recorded."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from helpers_recordings import answer_of

import hbac
from hbac.ensemble.calibrated import make_ensemble
from hbac.preprocessing.multitaper import host_spectrogram
from hbac.preprocessing.presets import PRESETS
from hbac.recordings import scan as scanning
from hbac.recordings.quality import Status
from hbac.recordings.recording import ArrayRecording
from hbac.recordings.scan import scan
from hbac.recordings.windows import inputs


def images_at(uv: np.ndarray, starts: list[int]) -> list[np.ndarray]:  # type: ignore[type-arg]
    recording = ArrayRecording(uv)
    return [next(inputs(recording, PRESETS["three-zooms-v2"], [start])).values for start in starts]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_each_step_has_the_answer_to_the_window_around_its_middle(
    eeg: np.ndarray,  # type: ignore[type-arg]
    fake: Any,
    batch_size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanning, "TOGETHER_S", 40)
    uv = eeg[: 125 * 200].copy()
    uv[60 * 200 : 80 * 200] = np.nan
    found = scan(ArrayRecording(uv), fake(batch_size))
    assert found.onsets_s.tolist() == [10.0 * number for number in range(13)]
    assert found.durations_s.tolist() == [10.0] * 12 + [5.0]
    assert [number for number, status in enumerate(found.statuses) if status is Status.GAP] == [6, 7]
    assert np.flatnonzero(~found.answered).tolist() == [6, 7]
    asked = [0, 2, 5, 8, 12]
    starts = [number * 2000 + 1000 - 5000 for number in asked]
    expected = [answer_of(image) for image in images_at(uv, starts)]
    np.testing.assert_allclose(found.probabilities[asked], expected, atol=1e-5)


def test_a_smaller_step_has_the_same_answers_at_the_same_moments(eeg: np.ndarray, fake: Any) -> None:  # type: ignore[type-arg]
    recording = ArrayRecording(eeg[: 70 * 200])
    of_10, of_2 = scan(recording, fake()), scan(recording, fake(), step_s=2)
    assert len(of_2.statuses) == 35
    np.testing.assert_allclose(of_2.probabilities[2::5], of_10.probabilities, atol=1e-5)


def test_an_ensemble_of_several_presets_has_the_input_of_each(eeg: np.ndarray, fake: Any) -> None:  # type: ignore[type-arg]
    uv = eeg[: 90 * 200].copy()
    uv[30 * 200 : 50 * 200] = np.nan
    names = ("three-zooms-v1", "starter-v1")
    both, *alone = [scan(ArrayRecording(uv), fake(1, some)) for some in (names, names[:1], names[1:])]
    np.testing.assert_allclose(both.probabilities, np.mean([one.probabilities for one in alone], axis=0), atol=1e-6)
    assert np.flatnonzero(~both.answered).tolist() == [3, 4]


def test_a_recording_of_nothing_but_gaps_has_no_answer(fake: Any) -> None:
    found = scan(ArrayRecording(np.full((9000, 19), np.nan, np.float32)), fake())
    assert set(found.statuses) == {Status.GAP}
    assert np.isnan(found.probabilities).all()


def test_a_flat_recording_has_answers_that_say_so(fake: Any) -> None:
    found = scan(ArrayRecording(np.zeros((12_000, 19), np.float32)), fake())
    assert found.count(Status.FLAT) == 6
    assert found.answered.all()


def test_a_recording_of_seconds_has_one_answer(eeg: np.ndarray, fake: Any) -> None:  # type: ignore[type-arg]
    found = scan(ArrayRecording(eeg[:900], "short", notes=("a note",)), fake())
    assert (found.name, found.notes, found.durations_s.tolist()) == ("short", ("a note",), [4.5])
    assert found.answered.all()


@pytest.mark.parametrize("step_s", [0, 51, -10, 2.5])
def test_a_step_that_is_none_is_refused(fake: Any, step_s: Any) -> None:
    with pytest.raises(hbac.InputError, match="step: expected a whole number of seconds, 1 to 50, received"):
        scan(ArrayRecording(np.zeros((900, 19), np.float32)), fake(), step_s=step_s)


def test_a_recording_without_a_sample_is_refused(fake: Any) -> None:
    with pytest.raises(hbac.InputError, match="received one without a sample"):
        scan(ArrayRecording(np.zeros((0, 19), np.float32)), fake())


def test_probabilities_are_those_of_predict(eeg: np.ndarray, tmp_path: Path) -> None:  # type: ignore[type-arg]
    """Of windows cut from the recording into the competition's files, by the same folds."""
    manifest_path = ROOT / "weights_manifest.json"
    eeg = eeg[: 160 * 200]
    onsets = {1: 30, 2: 70, 3: 120}  # id: where a step of 10 s begins
    for name in ("test_eegs", "test_spectrograms"):
        (tmp_path / name).mkdir()
    host = host_spectrogram(eeg)  # frames from second 0
    for number, onset in onsets.items():
        start_s = onset + 5 - 25
        window = np.pad(eeg[start_s * 200 : (start_s + 50) * 200], ((0, 0), (0, 1)))
        columns = list(hbac.hms.EEG_COLUMNS)
        pd.DataFrame(window, columns=columns).to_parquet(tmp_path / "test_eegs" / f"{number}.parquet")
        rows = (start_s - 276) // 2 + np.arange(300)
        power = np.where(((rows >= 0) & (rows < len(host)))[:, None], host[np.clip(rows, 0, len(host) - 1)], np.nan)
        table = pd.DataFrame(power.astype(np.float32), columns=list(hbac.hms.SPECTROGRAM_COLUMNS))
        table.insert(0, "time", np.arange(1, 600, 2))
        table.to_parquet(tmp_path / "test_spectrograms" / f"{number}.parquet")
    ids = pd.DataFrame({"spectrogram_id": list(onsets), "eeg_id": list(onsets), "patient_id": 1})
    ids.to_csv(tmp_path / "test.csv", index=False)
    output = tmp_path / "submission.csv"
    settings = hbac.RunSettings(tmp_path, manifest_path, output, workers=1, progress=False)
    hbac.predict(settings)
    predicted = pd.read_csv(output).set_index("eeg_id").loc[list(onsets)].to_numpy()

    found = scan(ArrayRecording(eeg), make_ensemble(hbac.read_manifest(manifest_path)))
    scanned = found.probabilities[[onset // 10 for onset in onsets.values()]]
    assert np.abs(scanned - predicted).max() < 1e-3
    assert np.ptp(predicted, axis=0).max() > 0.1
