"""One record's files to its input: what the recording beside its labelled window is used for."""

from pathlib import Path

import numpy as np
import pandas as pd

from hbac import hms
from hbac.preprocessing.load import EEG_ONLY, load_record
from hbac.preprocessing.multitaper import rebuild_window
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.record import Record

SECONDS, OFFSET_S = 120, 30


def test_without_a_spectrogram_the_ten_minutes_hold_what_the_whole_recording_gives(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    uv = np.round(rng.normal(0, 20, (SECONDS * hms.EEG_RATE_HZ, len(hms.EEG_COLUMNS))), 2).astype(np.float32)
    pd.DataFrame(uv, columns=list(hms.EEG_COLUMNS)).to_parquet(tmp_path / "1.parquet")
    record = Record(1, 2, None, tmp_path / "1.parquet", tmp_path / "none.parquet", float(OFFSET_S))
    loaded = load_record(record, PRESETS[THREE_ZOOMS])
    assert loaded.status == EEG_ONLY
    assert loaded.image is not None
    start = OFFSET_S * hms.EEG_RATE_HZ
    electrodes = uv[:, : len(hms.ELECTRODES)]
    expected = make_image(electrodes[start : start + hms.EEG_WINDOW], rebuild_window(electrodes, start))
    np.testing.assert_allclose(loaded.image, expected, atol=1e-5)
    floor = loaded.image[0, 0, 0]  # ten minutes begin long before the recording
    filled = np.flatnonzero((loaded.image[..., 0] != floor).any(axis=0))
    assert len(filled) == (SECONDS - 4) // 2 + 1  # frames of 4 s every 2 s
    assert filled[0] == 138 - OFFSET_S // 2
