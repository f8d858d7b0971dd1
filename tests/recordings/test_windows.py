"""A window's input is the one that `predict` makes of a file with this window, whatever windows share."""

import numpy as np
import pytest

import hbac
from hbac.preprocessing.montage import bipolar
from hbac.preprocessing.multitaper import host_spectrogram
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.recordings import windows
from hbac.recordings.kept import KeptRecording
from hbac.recordings.recording import ArrayRecording
from hbac.recordings.windows import inputs
from hbac.records.record import EegFile, crop_eeg, mirrored

BOUND = 1e-3
V2 = PRESETS["three-zooms-v2"]


def predicted(uv: np.ndarray, start: int, preset: str = "three-zooms-v2") -> np.ndarray:  # type: ignore[type-arg]
    """From a file of the window, and one of the ten minutes around it, cut from the host's spectrogram of all."""
    phase = start % 400
    host = host_spectrogram(uv[phase:])
    first = (start - phase) // 400 - 138  # a frame 276 s before the window's start
    rows = np.arange(first, first + 300)
    power = np.where(((rows >= 0) & (rows < len(host)))[:, None], host[np.clip(rows, 0, len(host) - 1)], np.nan)
    if PRESETS[preset].mirrors_short_eeg and not 0 <= start <= len(uv) - 10_000:
        window = mirrored(uv, start)
    else:
        window = crop_eeg(EegFile(uv), start / 200).uv
    return make_image(window, power.astype(np.float32), PRESETS[preset])


def apart(uv: np.ndarray, starts: list[int], preset: str = "three-zooms-v2") -> float:  # type: ignore[type-arg]
    """Largest difference from what `predict` sees over these windows, which are asked for together."""
    made = list(inputs(ArrayRecording(uv), PRESETS[preset], starts))
    assert [one.start for one in made] == starts
    return max(float(np.abs(one.values - predicted(uv, one.start, preset)).max()) for one in made)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a minute, so that a few windows lie in several."""
    monkeypatch.setattr(windows, "BLOCK", 12_000)


@pytest.mark.parametrize("starts", [range(0, 190_000, 38_000), [1900, 2100, 12_100, 20_700], [58_000 + 100, 58_200]])
def test_images_are_those_of_predict(eeg: np.ndarray, starts: list[int], few: None) -> None:  # type: ignore[type-arg]
    assert apart(eeg, list(starts)) < 1e-4


@pytest.mark.usefixtures("few")
def test_images_of_large_swings_are_those_of_predict(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    """Electrodes that drift and jump by a millivolt, where a window's own filter matters most."""
    uv = eeg + 900 * np.sign(np.sin(np.arange(len(eeg)) / 2345))[:, None] * np.linspace(-1, 1, 19)
    assert apart(uv.astype(np.float32), [40_000, 42_000, 46_000]) < BOUND


@pytest.mark.usefixtures("few")
def test_gaps_are_those_of_predict(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    uv = eeg.copy()
    uv[20_000:20_100] = np.nan
    uv[45_000:47_000, :8] = np.nan
    uv[60_000:85_000] = np.nan
    uv[:, 4] = np.nan
    uv[100_000:112_000, 12] = np.nan
    assert apart(uv, [*range(12_000, 60_000, 8_000), 86_000, 101_000, 101_500, 111_000]) < BOUND


@pytest.mark.parametrize("preset", ["three-zooms-v1", "three-zooms-v2", "starter-v1"])
def test_beyond_the_ends_each_preset_sees_what_it_sees_in_predict(eeg: np.ndarray, preset: str) -> None:  # type: ignore[type-arg]
    assert apart(eeg, [-4000, -2000, 0, 2000, len(eeg) - 9000], preset) < BOUND


def test_a_recording_of_seconds_is_mirrored(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    assert apart(eeg[:3000], [-4000, -2000]) < BOUND


def test_shared_or_alone_in_large_blocks_or_small_an_image_is_the_same(
    eeg: np.ndarray,  # type: ignore[type-arg]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = ArrayRecording(eeg)
    starts = [30_000 + 2000 * number for number in range(8)]
    together = [one.values for one in inputs(recording, V2, starts)]
    alone = [next(inputs(recording, V2, [start])).values for start in starts]
    monkeypatch.setattr(windows, "BLOCK", 5000)
    cut = [one.values for one in inputs(recording, V2, starts)]
    assert max(np.abs(a - b).max() for a, b in zip(together, alone)) < 1e-4
    assert max(np.abs(a - b).max() for a, b in zip(together, cut)) < 1e-4


def test_pairs_give_the_images_of_their_electrodes(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    uv = eeg.copy()
    uv[36_000:36_400] = np.nan
    pairs = ArrayRecording(np.ascontiguousarray(bipolar(uv).T))
    starts = [-2000, 28_000, 30_000, 31_000]
    for of_pairs, of_electrodes in zip(inputs(pairs, V2, starts), inputs(ArrayRecording(uv), V2, starts)):
        assert np.abs(of_pairs.values - of_electrodes.values).max() < BOUND


def test_a_window_outside_is_an_error(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(hbac.RecordError, match="expected a window at sample"):
        list(inputs(ArrayRecording(eeg), V2, [len(eeg)]))


def test_no_windows_give_no_inputs(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    assert list(inputs(ArrayRecording(eeg), V2, [])) == []


class Counting(ArrayRecording):
    """Counts the samples that are asked for."""

    read = largest = 0

    def block(self, start: int, stop: int) -> np.ndarray:  # type: ignore[type-arg]
        self.read, self.largest = self.read + stop - start, max(self.largest, stop - start)
        return super().block(start, stop)


def test_a_recording_is_read_once_and_in_parts(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    recording = Counting(eeg)
    list(inputs(recording, V2, range(0, len(eeg) - 10_000, 20_000)))
    assert recording.read == len(eeg)
    assert recording.largest <= 12_000


def test_what_is_kept_is_what_is_read(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    recording = ArrayRecording(eeg)
    kept = KeptRecording(recording)
    for start, stop in ((-50, 30), (11_990, 24_010), (190_000, 193_000), (5, 5), (-10, -5), (192_000, 192_001)):
        np.testing.assert_array_equal(kept.block(start, stop), recording.block(start, stop))
