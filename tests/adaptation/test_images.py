"""A user's records to images: each kind of folder, short and long files, and what cannot be read."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers_signals import eeg_columns, electrodes_of, write_parquet

from hbac import hms
from hbac.adaptation.images import read_user_records
from hbac.errors import InputError
from hbac.preprocessing.load import load_record
from hbac.preprocessing.multitaper import rebuild_window
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.three_zooms import THREE_ZOOMS, THREE_ZOOMS_2
from hbac.records.record import Record
from hbac.records.tables import read_test_table

PRESET = PRESETS[THREE_ZOOMS]


def test_a_short_clip_is_its_mirror_image_on_both_sides_where_the_preset_says_so(tmp_path: Path) -> None:
    columns = eeg_columns(2001)
    write_parquet(tmp_path / "clip.parquet", columns)
    uv = electrodes_of(columns)
    whole = np.concatenate([uv, uv[::-1], uv, uv[::-1], uv])
    window = whole[2 * 2001 - 4000 :][: hms.EEG_WINDOW]  # 4,000 samples before the clip, 3,999 behind it
    expected = make_image(window, rebuild_window(window, 0), PRESET)
    records = read_user_records(tmp_path, PRESETS[THREE_ZOOMS_2])
    assert records.names == ("clip",)
    assert records.files == ("eeg",)
    np.testing.assert_array_equal(records.images, expected[None])


@pytest.mark.parametrize("samples", [2001, 12_345])
@pytest.mark.parametrize("name", [THREE_ZOOMS, THREE_ZOOMS_2])
def test_a_file_is_answered_as_predict_does(tmp_path: Path, name: str, samples: int) -> None:
    path = write_parquet(tmp_path / "7.parquet", eeg_columns(samples))
    expected = load_record(Record(7, None, None, path, None), PRESETS[name])
    np.testing.assert_array_equal(read_user_records(tmp_path, PRESETS[name]).images, expected.image[None])


def test_a_test_folder_is_read_with_its_spectrograms(test_dir: Path) -> None:
    records = read_test_table(test_dir)
    broken, single = records[2], records[4]
    assert single.spectrogram_path is not None
    single.spectrogram_path.unlink()
    for path in (broken.eeg_path, broken.spectrogram_path):
        assert path is not None
        path.write_bytes(b"PAR1")
    received = read_user_records(test_dir, PRESET)
    assert received.names == tuple(str(record.eeg_id) for record in records if record is not broken)
    assert str(broken.eeg_id) in received.left_out
    assert received.files == ("eeg", "spectrogram")
    for record in (records[0], single):
        image = received.images[received.names.index(str(record.eeg_id))]
        np.testing.assert_array_equal(image, load_record(record, PRESET).image)


def test_what_cannot_be_read_is_left_out_by_name(tmp_path: Path) -> None:
    (tmp_path / "eegs").mkdir()
    for name in ("b", "a"):
        write_parquet(tmp_path / "eegs" / f"{name}.parquet", eeg_columns(1000))
    (tmp_path / "eegs" / "broken.parquet").write_bytes(b"no parquet")
    write_parquet(tmp_path / "eegs" / "short.parquet", eeg_columns(100))
    records = read_user_records(tmp_path, PRESET)
    assert records.names == ("a", "b")
    assert records.left_out.keys() == {"broken", "short"}
    assert "expected at least 4 s of EEG" in records.left_out["short"]


def test_other_bytes_or_names_are_another_digest(tmp_path: Path) -> None:
    digests = set()
    path = write_parquet(tmp_path / "a.parquet", eeg_columns(1000))
    digests.add(read_user_records(tmp_path, PRESET).digest)
    write_parquet(path, eeg_columns(1000, seed=1))
    digests.add(read_user_records(tmp_path, PRESET).digest)
    shutil.move(path, tmp_path / "b.parquet")
    digests.add(read_user_records(tmp_path, PRESET).digest)
    assert len(digests) == 3


def test_a_folder_without_eeg_that_can_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"expected \*.parquet, eegs/\*.parquet or test.csv, received a folder that holds nothing"
    ):
        read_user_records(tmp_path, PRESET)
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match="received 1 files, none of which can: x: eeg: x.parquet: expected"):
        read_user_records(tmp_path, PRESET)
    with pytest.raises(InputError, match="none: expected a folder"):
        read_user_records(tmp_path / "none", PRESET)
