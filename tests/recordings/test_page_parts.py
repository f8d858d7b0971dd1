"""Parts of a page against SciPy, Matplotlib and dates: spectrograms, pictures, EEG as it is drawn, clocks."""

import io
import re
from datetime import datetime

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from helpers_pages import Scanned, noise
from scipy import signal

from hbac.hms import ELECTRODES, PAIRS
from hbac.recordings import chain_power as chain_power_module
from hbac.recordings.axis import Clock, elapsed, length
from hbac.recordings.chain_power import FREQUENCIES_HZ, chain_power
from hbac.recordings.moments import choose_moments, drawing, eeg_of, place_of, scale_of, side_of
from hbac.recordings.png import palette, png
from hbac.recordings.recording import ArrayRecording

HALF = (0.5,) * 6


def pairs_of(uv: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """(samples, 16), by the names of the electrodes."""
    at = {name: number for number, name in enumerate(ELECTRODES)}
    return np.stack([uv[:, at[first]] - uv[:, at[second]] for first, second in PAIRS], axis=1)


# Spectrograms


def test_power_is_that_of_scipy() -> None:
    """Columns of 8 s: each the mean of the decibels of four frames."""
    recording = noise(400)
    power = chain_power(recording, columns=50)
    hz, _, density = signal.spectrogram(
        pairs_of(recording.block(0, recording.samples)), 200, "hann", 400, 0, detrend="constant", axis=0, mode="psd"
    )
    chains = density.reshape(len(hz), 4, 4, 200).mean(axis=2)  # frequency, chain, frame
    expected = (10 * np.log10(chains)).reshape(len(hz), 4, 50, 4).mean(axis=-1).transpose(1, 0, 2)
    assert hz[1:41].tolist() == list(FREQUENCIES_HZ)
    assert (power.decibels.shape, power.column_s) == ((4, 40, 50), 8.0)
    np.testing.assert_allclose(power.decibels, expected[:, 1:41], atol=1e-3)


def test_power_does_not_depend_on_how_the_recording_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = noise(307)
    whole = chain_power(recording, columns=40)
    monkeypatch.setattr(chain_power_module, "BLOCK", 2000)
    np.testing.assert_array_equal(chain_power(recording, columns=40).decibels, whole.decibels)


def test_pairs_give_the_power_of_their_electrodes() -> None:
    electrodes = noise(60)
    pairs = ArrayRecording(pairs_of(electrodes.block(0, electrodes.samples)))
    np.testing.assert_allclose(chain_power(pairs).decibels, chain_power(electrodes).decibels, atol=1e-3)


def test_a_missing_electrode_leaves_the_rest_of_its_chain_and_a_gap_leaves_nothing() -> None:
    uv = noise(60).block(0, 12000)
    uv[:, ELECTRODES.index("T3")] = np.nan
    uv[4000:8000] = np.nan
    power = chain_power(ArrayRecording(uv)).decibels
    assert np.isnan(power[:, :, 21:39]).all()
    assert np.isfinite(power[:, :, 1:18]).all() and np.isfinite(power[:, :, 42:58]).all()
    pairs = pairs_of(uv)[:4000]
    left = [pair for pair, names in enumerate(PAIRS[:4]) if "T3" not in names]
    at = 9  # a column from 9 to 10 s: the frame about its middle, 8.5 to 10.5 s
    _, density = signal.welch(pairs[1700:2100, left], 200, "hann", 400, 0, detrend="constant", axis=0)
    np.testing.assert_allclose(power[0, :, at], 10 * np.log10(density.mean(axis=1))[1:41], atol=1e-3)


def test_a_flat_line_has_least_power_and_no_infinity() -> None:
    power = chain_power(ArrayRecording(np.zeros((4000, 19), np.float32))).decibels
    assert (power[:, :, 1:-1] == -40).all()


# Pictures


def test_a_picture_is_what_matplotlib_reads_from_it() -> None:
    values = np.array([[0.0, 0.5, 1.0], [np.nan, -3.0, 7.0]])
    read = matplotlib.image.imread(io.BytesIO(png(values, 0, 1)), format="png")
    levels = np.array([[1, 128, 255], [0, 1, 255]])
    np.testing.assert_allclose(read[..., :3], palette()[levels] / 255, atol=1e-3)


def test_the_colours_are_near_viridis() -> None:
    viridis = matplotlib.colormaps["viridis"](np.linspace(0, 1, 255))[:, :3]
    assert np.abs(palette()[1:] / 255 - viridis).max() < 0.08
    places = np.round(np.linspace(0, 254, 9)).astype(int)
    assert np.abs(palette()[1:][places] / 255 - viridis[places]).max() < 0.01


# Moments


def test_moments_are_the_highest_that_lie_apart() -> None:
    seizure = np.array([0.9, 0.95, 0.6, 0.7, 0.55, 0.99, 0.1, 0.2])
    probabilities = np.tile(seizure[:, None], (1, 6)) * [1, 0.1, 0.1, 0.1, 0.1, 0.1]
    probabilities[5] = np.nan
    scan = Scanned(np.arange(8) * 10.0, 10, probabilities, ["ok"] * 8)
    chosen = [moment for moment in choose_moments(scan, HALF, 5, 20) if moment.pattern == 0]
    assert [(moment.window, moment.start_s, moment.reached) for moment in chosen] == [(1, 10, True), (3, 30, True)]
    others = [moment for moment in choose_moments(scan, HALF, 5, 20) if moment.pattern == 1]
    assert [(moment.window, moment.reached) for moment in others] == [(1, False)]


def test_a_shown_moment_is_the_middle_of_what_its_answer_is_for() -> None:
    scan = Scanned(np.array([3.0]), 2.0, np.full((1, 6), 0.9), ["ok"])
    assert {moment.start_s for moment in choose_moments(scan, HALF, 1, 60)} == {-1.0}


def test_the_eeg_is_filtered_without_a_shift_and_keeps_its_gaps() -> None:
    at = np.arange(12000) / 200
    wave = 50 * np.sin(2 * np.pi * 6 * at)
    uv = np.zeros((12000, 19), np.float32)
    uv[:, ELECTRODES.index("F7")] = 3000 - wave - 80 * np.sin(2 * np.pi * 60 * at)
    uv[5000:5400, ELECTRODES.index("C4")] = np.nan
    shown = eeg_of(ArrayRecording(uv), 22.0)
    assert shown.shape == (16, 1000)
    np.testing.assert_allclose(shown[0, 100:-100], wave[4400:6400:2][100:-100], atol=1.2)
    missing = {PAIRS[pair] for pair in np.flatnonzero(np.isnan(shown).any(axis=1))}
    assert missing == {("F4", "C4"), ("C4", "P4")}
    assert np.flatnonzero(np.isnan(shown[PAIRS.index(("F4", "C4"))])).tolist() == list(range(300, 500))


def test_what_is_drawn_is_the_eeg() -> None:
    rng = np.random.default_rng(2)
    uv = rng.normal(0, 40, (16, 1000))
    uv[3, 200:300] = np.nan
    uv[4] = np.nan
    uv[5, 7:] = np.nan
    uv[6, [0, 2]] = np.nan
    paths = re.findall(r'data-y="(\d+)" transform="translate\(0 (\d+)\) scale\(1 ([\d.]+)\)" d="([^"]*)"', drawing(uv))
    for pair, (place, moved, scale, path) in enumerate(paths):
        assert int(place) == int(moved) == place_of(pair)
        assert float(scale) == pytest.approx(40 / scale_of(uv))
        drawn = np.full(1000, np.nan)
        for start, first, rest in re.findall(r"M(\d+) (-?\d+)(?:l|h1)([^M]*)", path):
            steps = [tuple(map(int, pair)) for pair in re.findall(r"(1) ?(-?\d+)", rest)]
            heights = int(first) + np.cumsum([0, *(step for _, step in steps)])
            drawn[int(start) : int(start) + len(heights)] = heights
        np.testing.assert_array_equal(drawn, np.round(uv[pair]))
    assert len(paths) == 16


def test_the_left_of_the_head_has_odd_numbers() -> None:
    left = [PAIRS[pair] for pair in range(16) if side_of(pair) == "left"]
    assert left == [pair for pair in PAIRS if pair[0] in ("Fp1", "F7", "T3", "T5", "F3", "C3", "P3")]


@pytest.mark.parametrize("amplitude, scale", [(0, 10), (9, 10), (40, 50), (120, 150), (1e6, 2000)])
def test_the_scale_keeps_pairs_apart(amplitude: float, scale: int) -> None:
    assert scale_of(np.full((16, 10), amplitude)) == scale


# Clocks


@pytest.mark.parametrize(
    ("seconds", "text", "words"),
    [(0, "00:00:00", "0 s"), (59.9999, "00:01:00", "1 min"), (59.9, "00:00:59", "1 min"), (3600, "01:00:00", "1 h"),
     (93789, "26:03:09", "26 h 3 min"), (605, "00:10:05", "10 min 5 s")],
)  # fmt: skip
def test_times_and_lengths(seconds: float, text: str, words: str) -> None:
    assert (elapsed(seconds), length(seconds)) == (text, words)


def test_the_clock_goes_over_midnight_and_new_year() -> None:
    clock = Clock(datetime(2026, 12, 31, 23, 59, 50, 500_000))
    assert (clock.time(5), clock.full(9.5)) == ("23:59:55", "2027-01-01 00:00:00")


@pytest.mark.parametrize("duration_s", [0.5, 5, 30, 600, 7200, 86400, 72 * 3600, 30 * 86400])
@pytest.mark.parametrize("start", [None, datetime(2026, 2, 28, 13, 5, 7)])
def test_ticks_are_few_and_lie_at_round_times(duration_s: float, start: datetime | None) -> None:
    ticks = list(Clock(start).ticks(duration_s))
    assert len(ticks) <= 10 and all(0 <= tick.at_s <= duration_s for tick in ticks)
    assert len(ticks) >= (2 if duration_s > 5 else 0)
    for tick in ticks:
        assert Clock(start).time(tick.at_s).startswith(tick.text)
    days = [tick.day for tick in ticks if tick.day]
    assert days == sorted(set(days)) and bool(days) == (start is not None and bool(ticks))
