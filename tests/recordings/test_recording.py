"""A recording that is held in memory gives the blocks that were asked for, and NaN where there is nothing."""

import numpy as np
import pytest

import hbac
from hbac.recordings.recording import ArrayRecording


def test_a_block_beyond_both_ends_is_nan_there() -> None:
    uv = np.arange(5 * 16, dtype=np.float32).reshape(5, 16)
    block = ArrayRecording(uv).block(-2, 7)
    assert np.isnan(block[[0, 1, 7, 8]]).all()
    assert block[2:7].tolist() == uv.tolist()


@pytest.mark.parametrize("width, electrodes", [(19, True), (16, False)])
def test_the_width_tells_electrodes_from_pairs(width: int, electrodes: bool) -> None:
    recording = ArrayRecording(np.zeros((400, width), np.float32))
    assert (recording.electrodes, recording.channels, recording.duration_s) == (electrodes, width, 2.0)


@pytest.mark.parametrize("uv", [np.zeros((4, 20), np.float32), np.zeros((4, 19)), np.zeros(19, np.float32)])
def test_another_shape_or_dtype_is_refused(uv: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(hbac.InputError, match=r"expected \(samples, 19 electrodes or 16 pairs\) float32, received"):
        ArrayRecording(uv)


def test_a_block_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(hbac.InputError, match="expected an end at or after sample 5, received 4"):
        ArrayRecording(np.zeros((9, 16), np.float32)).block(5, 4)
