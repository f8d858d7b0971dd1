"""One record's files to its input: what the recording beside its labelled window is used for."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers_signals import eeg_columns, spectrogram_columns, write_parquet

from hbac import hms
from hbac.errors import RecordError
from hbac.preprocessing.load import EEG_ONLY, UNREADABLE, Loaded, load_record
from hbac.preprocessing.multitaper import rebuild_window
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.three_zooms import THREE_ZOOMS, THREE_ZOOMS_2
from hbac.records.record import Record, mirrored

SECONDS, OFFSET_S = 120, 30


@pytest.mark.parametrize("name", ["waveform8-v1", "raw-v1"])
def test_a_spectrogram_alone_gives_no_input_where_the_preset_reads_the_eeg(tmp_path, name):
    write_parquet(tmp_path / "2.parquet", spectrogram_columns())
    record = Record(1, 2, None, tmp_path / "1.parquet", tmp_path / "2.parquet")
    received = load_record(record, PRESETS[name])
    assert received.image is None
    assert received.status == UNREADABLE
    assert [note.split(":")[0] for note in received.notes] == ["eeg"]
    write_parquet(tmp_path / "1.parquet", eeg_columns(10_000))
    (tmp_path / "2.parquet").unlink()
    received = load_record(record, PRESETS[name])
    assert received.image.shape == PRESETS[name].shape
    assert received.status == EEG_ONLY
    assert load_record(record, PRESETS["spectrograms8-v1"]).image[14:-14, 116:140, :4].std() > 0.1  # rebuilt


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


def loaded(folder: Path, uv: np.ndarray, preset: str, offset_s: float | None = None) -> Loaded:
    """A record of one EEG file without a spectrogram."""
    pd.DataFrame(uv, columns=list(hms.EEG_COLUMNS)).to_parquet(folder / "1.parquet")
    return load_record(Record(1, 2, None, folder / "1.parquet", None, offset_s), PRESETS[preset])


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 20, (samples, len(hms.EEG_COLUMNS))).round(2).astype(np.float32)


@pytest.mark.parametrize("samples", [800, 801, 2000, 9999])
def test_a_short_clip_is_the_file_that_was_mirrored_beforehand_in_the_preset_that_mirrors(tmp_path, samples):
    clip = noise(samples)
    before = (hms.EEG_WINDOW - samples + 1) // 2
    whole = np.pad(clip, ((before, hms.EEG_WINDOW - before - samples), (0, 0)), mode="symmetric")
    mirror, same, blank = (
        loaded(tmp_path, clip, THREE_ZOOMS_2),
        loaded(tmp_path, whole, THREE_ZOOMS_2),
        loaded(tmp_path, clip, THREE_ZOOMS),
    )
    np.testing.assert_array_equal(mirror.image, same.image)
    assert not np.array_equal(mirror.image, blank.image)
    assert f"EEG: {samples} of 10000 samples" in " ".join(mirror.notes)  # nothing is hidden


@pytest.mark.parametrize(("samples", "offset_s"), [(10_000, None), (12_000, 5.0), (60_000, None)])
def test_a_whole_window_has_one_image_in_both_presets(tmp_path, samples, offset_s):
    images = [loaded(tmp_path, noise(samples), name, offset_s).image for name in (THREE_ZOOMS, THREE_ZOOMS_2)]
    np.testing.assert_array_equal(*images)


def test_a_window_that_reaches_beyond_the_file_goes_on_as_what_the_file_holds_of_it(tmp_path):
    uv = noise(8000)
    np.testing.assert_array_equal(mirrored(uv, 2000), np.concatenate([uv[2000:], uv[:1:-1][:4000]])[:10_000])
    image = loaded(tmp_path, uv, THREE_ZOOMS_2, 10.0).image
    np.testing.assert_array_equal(image, loaded(tmp_path, mirrored(uv, 2000), THREE_ZOOMS_2).image)
    with pytest.raises(RecordError, match="expected a window at sample 9000, received 8000 samples"):
        mirrored(uv, 9000)
