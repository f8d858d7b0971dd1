"""The check of an EEG against its spectrogram: silent on whole files, loud on damage that reads without an error."""

from pathlib import Path

import numpy as np
import pytest

from hbac.errors import RecordError
from hbac.hms import ELECTRODES
from hbac.preprocessing.damage import disagreement
from hbac.preprocessing.load import OK, SUSPECT, load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.parquet import read_eeg, read_spectrogram
from hbac.records.record import Record, crop_eeg, crop_spectrogram
from hbac.records.tables import read_test_table, read_train_table


def windows(record: Record) -> tuple[np.ndarray, np.ndarray]:
    assert record.spectrogram_path is not None
    eeg = crop_eeg(read_eeg(record.eeg_path), record.eeg_offset_s)
    return eeg.uv, crop_spectrogram(read_spectrogram(record.spectrogram_path), record.spectrogram_offset_s).power


@pytest.fixture
def whole(simulated: Path) -> tuple[np.ndarray, np.ndarray]:
    """A simulated record without missing samples."""
    of_all = (windows(record) for record in read_test_table(simulated))
    return next((eeg, power) for eeg, power in of_all if np.isfinite(eeg).all() and np.isfinite(power).all())


@pytest.mark.slow
def test_no_alarm_on_the_genuine_records(sample: Path) -> None:
    records = read_train_table(sample)[0] + read_test_table(sample)
    assert len(records) == 44
    for record in records:
        try:
            eeg, power = windows(record)
        except RecordError:
            continue
        assert disagreement(eeg, power) == ()


@pytest.mark.slow
def test_no_alarm_on_simulated_records_gaps_and_loose_electrodes_and_all(simulated: Path) -> None:
    records = read_train_table(simulated)[0] + read_test_table(simulated)
    odd = [(record.spectrogram_offset_s or 0) % 2 == 1 for record in records]
    assert any(odd)
    for record, odd_start in zip(records, odd):
        eeg, power = windows(record)
        assert disagreement(eeg, power, odd_start) == ()
        assert not any("disagree" in note for note in load_record(record, PRESETS[THREE_ZOOMS]).notes)


@pytest.mark.slow
def test_rows_that_start_a_second_before_the_samples_are_compared_too(simulated: Path) -> None:
    records = read_train_table(simulated)[0]
    odd = next(windows(record) for record in records if (record.spectrogram_offset_s or 0) % 2)
    eeg, power = odd[0].copy(), odd[1]
    assert disagreement(eeg, power, odd_start=False) != ()  # a second apart
    eeg[5000:5020, ELECTRODES.index("Fp1")] += 500  # at 301 s of the rows' time, in frames from 297 to 303 s
    (note,) = disagreement(eeg, power, odd_start=True)
    assert "LL, LP" in note
    first, last = (int(word) for word in note.replace(" s", "").split() if word.isdigit())
    assert 275 < first <= 301 <= last < 320
    assert last - first < 20


@pytest.mark.parametrize("electrode", range(len(ELECTRODES)))
def test_a_tenth_of_a_second_of_wrong_samples_is_named_with_its_chain(
    whole: tuple[np.ndarray, np.ndarray], electrode: int
) -> None:
    eeg, power = whole[0].copy(), whole[1]
    eeg[5000:5020, electrode] += 500
    said = disagreement(eeg, power)
    if ELECTRODES[electrode] in ("Fz", "Cz", "Pz"):  # in no chain: the spectrogram does not know them
        assert said == ()
        return
    (note,) = said
    first, last = (int(word) for word in note.replace(" s", "").split() if word.isdigit())
    assert first <= 275 + 25 <= last
    assert last - first < 20


@pytest.mark.parametrize("cells", [(150, 7), (slice(145, 150), slice(100, 200)), (141, 399)])
def test_wrong_cells_of_the_spectrogram_are_named(whole: tuple[np.ndarray, np.ndarray], cells: tuple) -> None:  # type: ignore[type-arg]
    eeg, power = whole[0], whole[1].copy()
    power[cells] = power[cells] * 1.5 + 1
    (note,) = disagreement(eeg, power)
    chain = ("LL", "RL", "LP", "RP")[(cells[1] if isinstance(cells[1], int) else cells[1].start) // 100]
    assert f" in {chain}:" in note


def test_the_spectrogram_of_another_record_is_noticed(simulated: Path) -> None:
    first, second = read_test_table(simulated)[:2]
    assert disagreement(windows(first)[0], windows(second)[1]) != ()


def test_what_is_missing_is_no_disagreement(whole: tuple[np.ndarray, np.ndarray]) -> None:
    eeg, power = whole[0].copy(), whole[1].copy()
    eeg[4000:4100, 3] = np.nan
    power[150, 20:60] = np.nan
    assert disagreement(eeg, power) == ()
    assert disagreement(np.full_like(eeg, np.nan), power) == ()
    assert disagreement(eeg, np.full_like(power, np.nan)) == ()


def test_a_suspect_record_is_answered_as_it_is_and_reported(test_dir: Path) -> None:
    first, second = read_test_table(test_dir)[:2]
    expected = load_record(first, PRESETS[THREE_ZOOMS])
    assert expected.status == OK
    assert first.spectrogram_path is not None
    assert second.spectrogram_path is not None
    first.spectrogram_path.write_bytes(second.spectrogram_path.read_bytes())
    received = load_record(first, PRESETS[THREE_ZOOMS])
    assert received.status == SUSPECT
    assert "not of the same recording" in received.notes[0]
    assert received.image is not None
    assert expected.image is not None
    np.testing.assert_array_equal(received.image[..., 1:], expected.image[..., 1:])
