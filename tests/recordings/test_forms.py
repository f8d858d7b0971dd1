"""One recording in several forms: the demo folds give the same probabilities."""

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

pytest.importorskip("mne")
sys.path.insert(0, str(ROOT / "tests" / "bench"))

from recording_forms import answers


@pytest.mark.slow
def test_the_form_of_a_recording_moves_no_probability(eeg: np.ndarray, tmp_path: Path) -> None:
    uv = eeg[90 * 200 : 180 * 200].astype(np.float64)
    base = answers(uv, "EDF, 200 Hz", tmp_path)
    for name in ("EDF, pairs", "EDF, mV", "BDF, 512 Hz", "EEGLAB, 512 Hz"):
        np.testing.assert_allclose(answers(uv, name, tmp_path), base, atol=1e-3, err_msg=name)
    assert np.ptp(base, axis=0).max() > 0.3
