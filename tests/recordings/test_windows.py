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
HOST: dict[tuple[bytes, int], np.ndarray] = {}  # type: ignore[type-arg]


def rows_of(uv: np.ndarray, phase: int) -> np.ndarray:  # type: ignore[type-arg]
    """The host's spectrogram of the whole, its first frame at sample `phase`."""
    if (key := (uv.tobytes(), phase)) not in HOST:
        HOST[key] = host_spectrogram(uv[phase:])
    return HOST[key]


def predicted(uv: np.ndarray, start: int, preset: str = "three-zooms-v2") -> np.ndarray:  # type: ignore[type-arg]
    """From a file of the window, and one of the ten minutes around it, cut from the host's spectrogram of all."""
    phase = start % 400
    host = rows_of(uv, phase)
    first = (start - phase) // 400 - 138  # a frame 276 s before the window's start
    rows = np.arange(first, first + 300)
    power = np.where(((rows >= 0) & (rows < len(host)))[:, None], host[np.clip(rows, 0, len(host) - 1)], np.nan)
    if PRESETS[preset].mirrors_short_eeg and not 0 <= start <= len(uv) - 10_000:
        window = mirrored(uv, start)
    else:
        window = crop_eeg(EegFile(uv), start / 200).uv
    return make_image(window, power.astype(np.float32), PRESETS[preset])


def difference(made: windows.Input, uv: np.ndarray, preset: str) -> float:  # type: ignore[type-arg]
    """The largest; where the reference's filters begin later than the recording, its first rows are left out."""
    apart = np.abs(made.values - predicted(uv, made.start, preset))
    first = 138 - made.start // 400  # the column of the recording's first row
    if made.start % 400 and first >= 0:
        apart[:, first : first + 3, 0] = 0
    return float(apart.max())


def apart(uv: np.ndarray, starts: list[int], preset: str = "three-zooms-v2") -> float:  # type: ignore[type-arg]
    """Largest difference from what `predict` sees over these windows, which are asked for together."""
    made = list(inputs(ArrayRecording(uv), PRESETS[preset], starts))
    assert [one.start for one in made] == starts
    return max(difference(one, uv, preset) for one in made)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a minute, so that a few windows lie in several."""
    monkeypatch.setattr(windows, "BLOCK", 12_000)


@pytest.mark.parametrize("starts", [[0, 2000, 4000, 37_000, 74_000], [1900, 2100, 12_100, 50_700, 50_800]])
def test_images_are_those_of_predict(eeg: np.ndarray, starts: list[int], few: None) -> None:  # type: ignore[type-arg]
    assert apart(eeg, list(starts)) < 1e-4


@pytest.mark.usefixtures("few")
def test_images_of_large_swings_are_those_of_predict(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    """Electrodes that drift and jump by a millivolt, where a window's own filter matters most."""
    uv = eeg + 900 * np.sign(np.sin(np.arange(len(eeg)) / 2345))[:, None] * np.linspace(-1, 1, 19)
    assert apart(uv.astype(np.float32), [40_000, 42_000]) < BOUND


@pytest.mark.usefixtures("few")
def test_gaps_are_those_of_predict(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    uv = eeg.copy()
    uv[5000:5100] = np.nan
    uv[18_000:19_000, :8] = np.nan
    uv[30_000:45_000] = np.nan
    uv[:, 4] = np.nan
    uv[50_000:62_000, 12] = np.nan
    assert apart(uv, [0, 4000, 8000, 12_000, 18_400, 28_000, 46_000, 50_400, 51_600, 61_600]) < BOUND


@pytest.mark.parametrize("preset", ["three-zooms-v1", "three-zooms-v2", "starter-v1"])
def test_beyond_the_ends_each_preset_sees_what_it_sees_in_predict(eeg: np.ndarray, preset: str) -> None:  # type: ignore[type-arg]
    assert apart(eeg, [-4000, -2000, len(eeg) - 8000], preset) < BOUND


def test_a_recording_of_seconds_is_mirrored(eeg: np.ndarray) -> None:  # type: ignore[type-arg]
    assert apart(eeg[:3000], [-4000, -2000]) < BOUND


def test_shared_or_alone_in_large_blocks_or_small_an_image_is_the_same(
    eeg: np.ndarray,  # type: ignore[type-arg]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = ArrayRecording(eeg[:24_000])
    starts = [2000 * number for number in range(5)]
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
    for start, stop in ((-50, 30), (11_990, 24_010), (80_000, 85_000), (5, 5), (-10, -5), (84_000, 84_001)):
        np.testing.assert_array_equal(kept.block(start, stop), recording.block(start, stop))
