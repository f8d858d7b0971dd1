"""What a window's own filter makes of its edges is added exactly: against SciPy's on the window alone."""

import numpy as np
import pytest
from scipy import signal

from hbac.recordings.edges import PADDING, Edges, responses

SECTION = signal.butter(2, 0.3, "highpass", fs=200, output="sos")


@pytest.mark.parametrize("start", [0, 1, 777, 6000])
def test_a_window_cut_and_mended_is_the_window_filtered_alone(start: int) -> None:
    x = np.random.default_rng(1).normal(0, 30, (3, 16_000)).cumsum(axis=1).astype(np.float32)
    edges = Edges(SECTION, x, 10_000)
    alone = signal.sosfiltfilt(SECTION, x[:, start : start + 10_000], axis=1)
    cut = edges.y[:, start : start + 10_000]
    mended = cut + edges.differences(np.array([start]))[0] @ responses(SECTION, 10_000)
    assert np.abs(cut - alone).max() > 10
    assert np.abs(mended - alone).max() < 1e-6


def test_the_padding_is_that_of_scipy() -> None:
    """It refuses a signal that is no longer than its padding."""
    signal.sosfiltfilt(SECTION, np.zeros(PADDING + 1))
    with pytest.raises(ValueError, match="padlen"):
        signal.sosfiltfilt(SECTION, np.zeros(PADDING))


def test_responses_die_away_within_a_window() -> None:
    found = responses(SECTION, 10_000)
    assert np.abs(found[:2, 4000:]).max() < 1e-8
    assert np.abs(found[2:, :6000]).max() < 1e-8
    assert np.abs(found[2:, -1]).max() > 0.5
