"""Training images on disk: made once, the same as inference's, and restartable."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers_readers import Here

from hbac.errors import InputError, OutputError
from hbac.preprocessing.load import load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.readers import Loader
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.record import Record
from hbac.records.tables import read_test_table
from hbac.training import cache
from hbac.training.cache import EMPTY, MADE, UNREADABLE, make_cache, open_cache
from hbac.training.options import TrainOptions
from hbac.training.rows import read_rows
from hbac.training.run import make_images

SETTINGS = PRESETS[THREE_ZOOMS]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests below are of what becomes of the images."""
    monkeypatch.setattr(cache, "Loader", Here)


@pytest.fixture
def records(test_dir: Path) -> list[Record]:
    return read_test_table(test_dir)


def make(records: list[Record], folder: Path) -> cache.ImageCache:
    folder.mkdir(exist_ok=True)
    return make_cache(records, folder, SETTINGS, workers=2, progress=False)


def test_every_row_is_its_record_s_image_up_to_half_a_step(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "Loader", Loader)  # processes, in which order ever they are done
    cached = make(records, tmp_path / "cache")
    assert cached.readable.all()
    for row, record in enumerate(records):
        expected = load_record(record, SETTINGS).image
        received = SETTINGS.from_uint8(cached.images[row])
        np.testing.assert_allclose(received[..., :2], expected[..., :2], atol=0.6 * 12 / 255 / 2)  # type: ignore[index]
        np.testing.assert_allclose(received[..., 2], expected[..., 2], atol=0.6 * 6 / 127)  # type: ignore[index]


def test_a_record_that_cannot_be_read_is_left_out(records: list[Record], tmp_path: Path) -> None:
    records[1].eeg_path.unlink()
    records[1].spectrogram_path.unlink()  # type: ignore[union-attr]
    cached = make(records, tmp_path / "cache")
    assert cached.readable.tolist() == [True, False, True, True, True, True]
    assert np.load(tmp_path / "cache" / "images.state.npy").tolist() == [MADE, UNREADABLE, *[MADE] * 4]


def test_a_whole_cache_opens_without_making_anything(records: list[Record], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    assert open_cache(records, folder, SETTINGS) is None
    records[1].eeg_path.unlink()
    records[1].spectrogram_path.unlink()  # type: ignore[union-attr]
    made = make(records, folder)
    opened = open_cache(records, folder, SETTINGS)
    assert opened is not None
    np.testing.assert_array_equal(opened.images, made.images)
    assert opened.readable.tolist() == [True, False, True, True, True, True]
    assert open_cache(records[1:], folder, SETTINGS) is None
    state = np.load(folder / "images.state.npy")
    state[3] = EMPTY  # as a kill leaves it
    np.save(folder / "images.state.npy", state)
    assert open_cache(records, folder, SETTINGS) is None


@pytest.fixture(scope="module")
def of_one_record(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of the first record; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "Loader", Here)
        make(read_test_table(simulated)[:1], folder := tmp_path_factory.mktemp("whole") / "cache")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["images.npy", "images.state.npy", "images.sources.npy", "images.json"])
@pytest.mark.parametrize("left", [None, 0, 100, -1])
def test_a_cache_that_lost_a_file_or_a_part_of_one_is_made_again(
    of_one_record: Path, simulated: Path, tmp_path: Path, name: str, left: int | None
) -> None:
    records, folder = read_test_table(simulated)[:1], tmp_path / "cache"
    shutil.copytree(of_one_record, folder)
    assert open_cache(records, folder, SETTINGS) is not None
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if left is not None:
        (folder / name).write_bytes(whole[:left])
    assert open_cache(records, folder, SETTINGS) is None
    np.testing.assert_array_equal(make(records, folder).images, np.load(of_one_record / "images.npy"))


@pytest.mark.slow
def test_a_second_run_makes_only_what_is_missing(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = np.array(make(records, tmp_path / "cache").images)
    state = np.load(tmp_path / "cache" / "images.state.npy", mmap_mode="r+")
    state[[2, 4]] = EMPTY  # as a kill leaves it
    state.flush()
    asked: list[list[int]] = []

    class Watched(Here):
        def __init__(self, records, *arguments):  # type: ignore[no-untyped-def]
            asked.append([record.eeg_id for record in records])
            super().__init__(records, *arguments)

    monkeypatch.setattr(cache, "Loader", Watched)
    again = make(records, tmp_path / "cache")
    assert asked == [[records[2].eeg_id, records[4].eeg_id]]
    np.testing.assert_array_equal(again.images, first)


def asked_for(records: list[Record], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The EEGs whose images `make` makes."""
    asked: list[int] = []

    class Watched(Here):
        def __init__(self, records, *arguments):  # type: ignore[no-untyped-def]
            asked.extend(record.eeg_id for record in records)
            super().__init__(records, *arguments)

    monkeypatch.setattr(cache, "Loader", Watched)
    make(records, folder)
    return asked


@pytest.mark.slow
def test_rows_whose_recordings_changed_places_are_made_anew(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No size, name or time is another."""
    before = make(records, tmp_path / "cache")
    spectrograms = [str(record.spectrogram_path) for record in records]
    for one, other in ((records[0].eeg_path, records[1].eeg_path), (Path(spectrograms[3]), Path(spectrograms[4]))):
        one.rename(tmp_path / "kept")
        other.rename(one)
        (tmp_path / "kept").rename(other)
    assert open_cache(records, tmp_path / "cache", SETTINGS) is None
    assert open_cache(records, tmp_path / "cache", SETTINGS, compared=True) is not None
    changed = [records[row].eeg_id for row in (0, 1, 3, 4)]
    assert asked_for(records, tmp_path / "cache", monkeypatch) == changed
    after = open_cache(records, tmp_path / "cache", SETTINGS)
    assert after is not None
    np.testing.assert_array_equal(after.images, make(records, tmp_path / "fresh").images)
    np.testing.assert_array_equal(after.sources[:2, 0], before.sources[[1, 0], 0])
    assert asked_for(records, tmp_path / "cache", monkeypatch) == []


def test_a_file_that_came_back_is_read(records: list[Record], tmp_path: Path) -> None:
    """The image was of the spectrogram alone, and the cache is otherwise whole."""
    hidden = records[1].eeg_path.rename(tmp_path / "eeg")
    partial = np.array(make(records[:2], tmp_path / "cache").images)
    assert open_cache(records[:2], tmp_path / "cache", SETTINGS) is not None
    hidden.rename(records[1].eeg_path)
    assert open_cache(records[:2], tmp_path / "cache", SETTINGS) is None
    whole = make(records[:2], tmp_path / "cache").images
    assert [np.array_equal(partial[row], whole[row]) for row in range(2)] == [True, False]


@pytest.mark.slow
def test_other_records_are_not_answered_from_the_cache(records: list[Record], tmp_path: Path) -> None:
    make(records, tmp_path / "cache")
    assert len(make(records[:2], tmp_path / "cache").images) == 2


def test_a_record_that_comes_twice_has_two_rows(records: list[Record], tmp_path: Path) -> None:
    cached = make([records[0], records[1], records[0]], tmp_path / "cache")
    assert cached.readable.all()
    np.testing.assert_array_equal(cached.images[0], cached.images[2])


def test_an_unreadable_record_is_tried_again(records: list[Record], tmp_path: Path) -> None:
    hidden = records[1].eeg_path.rename(tmp_path / "eeg")
    kept = records[1].spectrogram_path.rename(tmp_path / "spectrogram")  # type: ignore[union-attr]
    assert not make(records[:2], tmp_path / "cache").readable[1]
    hidden.rename(records[1].eeg_path)
    kept.rename(records[1].spectrogram_path)  # type: ignore[arg-type]
    assert make(records[:2], tmp_path / "cache").readable.all()


def test_no_readable_record_is_an_error(records: list[Record], tmp_path: Path) -> None:
    records[0].eeg_path.unlink()
    records[0].spectrogram_path.unlink()  # type: ignore[union-attr]
    with pytest.raises(InputError, match="received none among 1"):
        make(records[:1], tmp_path / "cache")


def test_a_folder_that_cannot_be_written_is_named(records: list[Record], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="none"):
        make_cache(records, tmp_path / "none", SETTINGS, 1, progress=False)


def test_a_run_says_where_it_looked_for_training_files(simulated: Path, tmp_path: Path) -> None:
    shutil.copy(simulated / "train.csv", tmp_path)
    (tmp_path / "train_eegs.zip").touch()
    options, log = TrainOptions(data=tmp_path, output=tmp_path), list[str]()
    with pytest.raises(InputError, match="expected records that can be read, received none"):
        make_images(options, read_rows(tmp_path), log.append)
    assert log[0].startswith("0 of ")
    assert f"EEG files found: expected files such as {tmp_path}/train_eegs/" in log[0]
    assert "train_eegs.zip" in log[0]
