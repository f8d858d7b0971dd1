"""Any rate to 200 Hz: what was sampled is what comes out, whatever the cut; above 100 Hz nothing is left."""

from fractions import Fraction

import numpy as np
import pytest
from helpers_recordings import known_eeg

from hbac.recordings.resampling import LARGEST_DRIFT_S, Ratio, ratio_of, resample

RATES = (
    "100",
    "125",
    "128",
    "173.61",
    "199",
    "200",
    "250",
    "256",
    "400",
    "499.9",
    "500",
    "512",
    "1000",
    "1024",
    "2000",
)
EDGE = 70  # samples at each end, where a filter meets what the signal goes on with


def resampled(x: np.ndarray, ratio: Ratio, start: int = 0, stop: int | None = None) -> np.ndarray:
    stop = ratio.samples(len(x)) if stop is None else stop
    return resample(lambda a, b: np.array(x[a:b].T, np.float64), len(x), ratio, start, stop).T


def exact(rate: str) -> Ratio:
    ratio = ratio_of(Fraction(rate), 3600)
    assert ratio is not None
    assert Fraction(ratio.up, ratio.down) == 200 / Fraction(rate)
    return ratio


@pytest.mark.parametrize("rate", RATES)
def test_sines_below_40_hz_are_what_they_were(rate: str) -> None:
    x, truth = known_eeg(float(rate)), known_eeg(200)
    y = resampled(x, exact(rate))
    n = min(len(y), len(truth))
    assert abs(len(y) - len(truth)) <= 1
    assert np.abs(y[:n] - truth[:n])[EDGE : n - EDGE].max() < 0.02  # uV, of 100


@pytest.mark.parametrize("rate", ["128", "256", "499.9", "512"])
def test_how_it_is_cut_changes_no_byte(rate: str) -> None:
    x, ratio = known_eeg(float(rate), 6), exact(rate)
    whole, cuts = resampled(x, ratio), [0, 1, 2, 64, 65, 300, 777, 1199]
    parts = [resampled(x, ratio, a, b) for a, b in zip(cuts, cuts[1:])]
    assert np.concatenate(parts).tobytes() == whole[:1199].tobytes()


@pytest.mark.parametrize("rate", ["256", "500", "512", "2000"])
def test_what_lies_above_100_hz_does_not_come_back_below(rate: str) -> None:
    at_s = np.arange(int(5 * float(rate)))[:, None] / float(rate)
    y = resampled(100 * np.sin(2 * np.pi * 113 * at_s), exact(rate))
    assert np.abs(y[EDGE:-EDGE]).max() < 0.01  # 80 dB


@pytest.mark.parametrize("rate", ["128", "256", "512", "499.9"])
def test_an_offset_of_100_mv_makes_no_ripple(rate: str) -> None:
    y = resampled(np.full((int(3 * float(rate)), 1), 1e5), exact(rate))
    assert np.abs(y - 1e5).max() < 1e-6


def test_nan_reaches_as_far_as_the_filter_and_no_further() -> None:
    x = known_eeg(512, 4)
    x[1024] = np.nan
    y = resampled(x, exact("512"))
    gone = np.flatnonzero(np.isnan(y).any(axis=1))
    assert gone[0] <= 400 <= gone[-1]
    assert gone[-1] - gone[0] < 80
    assert np.isnan(y[gone]).all()


def test_one_sample_is_a_signal() -> None:
    assert resampled(np.array([[7.0]]), exact("512")).tolist() == [[pytest.approx(7.0)]]


def test_a_ratio_of_large_numbers_is_rounded_where_the_last_sample_hardly_moves() -> None:
    rate = Fraction("600.614990234375")  # as FIF keeps a rate
    ratio = ratio_of(rate, 24 * 3600)
    assert ratio is not None
    assert abs(float(Fraction(ratio.up, ratio.down) * rate / 200) - 1) * 24 * 3600 < LARGEST_DRIFT_S
    assert ratio_of(Fraction("200.002"), 24 * 3600) is None  # 0.86 s a day
    assert ratio_of(Fraction("200.002"), 60) == Ratio(1, 1)
