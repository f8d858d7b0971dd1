"""EDF and BDF files: what edfio wrote comes back, in every form; lies in a header are refused or noted."""

import os
import pickle
import struct
import tracemalloc
from datetime import date, datetime, time
from pathlib import Path

import edfio
import numpy as np
import pytest
from helpers_recordings import PAIR_LABELS, ROOM, edf_signal, edit, known_eeg, pairs_of, shift_onsets, write_edf

import hbac
from hbac import hms
from hbac.recordings.edf_file import WHOLE_RECORD_BYTES

STEP_UV = 0.051  # half a step of 0.1 uV, and the rounding of float32
FILTERED_UV = 0.15  # a filter sums up such steps
EDGE = 70  # samples at each end of a resampled segment
T7 = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
OK_START = datetime(2024, 2, 29, 23, 59, 30)


def whole(recording: hbac.Recording) -> np.ndarray:
    return recording.block(0, recording.samples)


def noted(recording: hbac.Recording, text: str) -> bool:
    return any(text in note for note in recording.notes)


def test_a_plain_edf_is_what_was_written(tmp_path: Path) -> None:
    recording = hbac.read_recording(write_edf(tmp_path / "a b.edf"))
    assert (recording.name, recording.samples, recording.duration_s) == ("a b", 4000, 20.0)
    assert (recording.start, recording.electrodes, recording.notes) == (OK_START, True, ())
    block = whole(recording)
    assert block.dtype == np.float32
    assert np.abs(block - known_eeg(200)).max() < STEP_UV


@pytest.mark.parametrize("form", ["EDF", "BDF"])
def test_values_are_those_of_edfio_itself(form: str, tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x", form=form, annotations=[edfio.EdfAnnotation(1.5, None, "spike")])
    theirs = {"EDF": edfio.read_edf, "BDF": edfio.read_bdf}[form](path)
    expected = np.stack([signal.data for signal in theirs.signals], axis=1)
    assert np.array_equal(whole(hbac.read_recording(path)), expected.astype(np.float32))


def test_bdf_keeps_24_bits_of_either_sign(tmp_path: Path) -> None:
    uv = known_eeg(200) + np.where(np.arange(19) % 2, 3000.0, -3000.0)
    assert np.abs(whole(hbac.read_recording(write_edf(tmp_path / "x.bdf", uv, form="BDF"))) - uv).max() < 0.001


@pytest.mark.parametrize("unit", ["mV", "V", "nV"])
def test_units_are_as_stated(unit: str, tmp_path: Path) -> None:
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", unit=unit))
    assert np.abs(whole(recording) - known_eeg(200)).max() < 0.2
    assert recording.notes == ()


@pytest.mark.parametrize("unit", ["µV".encode(), "µV".encode("latin-1"), "μV".encode(), b"UV"])
def test_the_micro_sign_in_any_encoding(unit: bytes, tmp_path: Path) -> None:
    recording = hbac.read_recording(edit(write_edf(tmp_path / "x.edf"), "unit", unit, None))
    assert np.abs(whole(recording) - known_eeg(200)).max() < STEP_UV
    assert recording.notes == ()


def test_newer_names_and_a_reference(tmp_path: Path) -> None:
    labels = [f"EEG {T7.get(name, name)}-REF" for name in hms.ELECTRODES]
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", labels=labels))
    assert np.abs(whole(recording) - known_eeg(200)).max() < STEP_UV
    assert recording.notes == ("electrodes by their newer names: T7 as T3, T8 as T4, P7 as T5, P8 as T6",)


def test_bipolar_pairs(tmp_path: Path) -> None:
    pairs = pairs_of(known_eeg(200))
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", pairs, labels=PAIR_LABELS))
    assert not recording.electrodes
    assert np.abs(whole(recording) - pairs).max() < STEP_UV


def test_a_pair_the_other_way_round_is_turned(tmp_path: Path) -> None:
    pairs = pairs_of(known_eeg(200))
    pairs[:, 2] *= -1
    labels = [*PAIR_LABELS[:2], "T5-T3", *PAIR_LABELS[3:]]
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", pairs, labels=labels))
    assert np.abs(whole(recording) - pairs_of(known_eeg(200))).max() < STEP_UV


def test_ears_of_each_side_give_pairs(tmp_path: Path) -> None:
    uv = known_eeg(200)
    ears = known_eeg(200, seed=8)[:, :2]
    left = np.array([name[-1] not in "2468" for name in hms.ELECTRODES])
    labels = [f"{name}-{'A1' if on_left else 'A2'}" for name, on_left in zip(hms.ELECTRODES, left)]
    against = uv - np.where(left, ears[:, :1], ears[:, 1:])
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", against, labels=labels))
    assert not recording.electrodes
    assert np.abs(whole(recording) - pairs_of(uv)).max() < 2 * STEP_UV


@pytest.mark.parametrize("rate", [100, 128, 256, 500, 512, 2000])
def test_other_rates(rate: int, tmp_path: Path) -> None:
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", rate_hz=rate))
    assert recording.samples == 4000
    assert np.abs(whole(recording) - known_eeg(200))[EDGE:-EDGE].max() < FILTERED_UV
    assert recording.notes == (f"rate: {rate} Hz, converted to 200 Hz",)


def test_each_channel_may_have_its_own_rate(tmp_path: Path) -> None:
    fast = [edf_signal(known_eeg(512)[:, j], 512, hms.ELECTRODES[j]) for j in range(10, 19)]
    ekg = edf_signal(np.zeros(20 * 100), 100, "EKG")
    path = write_edf(tmp_path / "x.edf", known_eeg(256)[:, :10], 256, hms.ELECTRODES[:10], more=[*fast, ekg])
    recording = hbac.read_recording(path)
    assert np.abs(whole(recording) - known_eeg(200))[EDGE:-EDGE].max() < FILTERED_UV
    assert recording.notes == (
        "rate of Fp1, F3, C3 ...: 256 Hz, converted to 200 Hz",
        "rate of Pz, Fp2, F4 ...: 512 Hz, converted to 200 Hz",
    )


def test_other_signals_are_left_out(tmp_path: Path) -> None:
    more = [edf_signal(np.full(20 * 50, 9.0), 50, label) for label in ("EKG", "DC01", "EMG", "Oz", "A1")]
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", more=more))
    assert np.abs(whole(recording) - known_eeg(200)).max() < STEP_UV
    assert recording.notes == ()


def test_a_missing_electrode_is_nan_and_noted(tmp_path: Path) -> None:
    labels = [name if name != "Cz" else "X1" for name in hms.ELECTRODES]
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", labels=labels))
    block = whole(recording)
    assert np.isnan(block[:, hms.ELECTRODES.index("Cz")]).all()
    assert np.isfinite(block).sum() == 4000 * 18
    assert recording.notes == ("electrodes missing: Cz",)


@pytest.mark.parametrize(("rate", "form"), [(200, "EDF"), (256, "EDF"), (512, "BDF")])
def test_how_it_is_cut_into_blocks_changes_no_byte(rate: int, form: str, tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf", rate_hz=rate, form=form, annotations=ROOM)
    recording = hbac.read_recording(shift_onsets(path, lambda k: 2.5 * (k > 8), f"{form}+D"))
    cuts = [-30, 0, 1, 199, 1000, 1799, 1801, 2300, 2301, 3999, 4600]
    parts = [recording.block(a, b) for a, b in zip(cuts, cuts[1:])]
    assert np.concatenate(parts).tobytes() == recording.block(-30, 4600).tobytes()


def test_data_records_of_any_length_give_the_same(tmp_path: Path) -> None:
    blocks = [
        whole(hbac.read_recording(write_edf(tmp_path / "x.edf", rate_hz=256, data_record_duration=seconds)))
        for seconds in (0.5, 1, 4, 20)
    ]
    assert all(np.array_equal(blocks[0], other) for other in blocks[1:])


def test_one_long_data_record_is_read_in_parts(tmp_path: Path) -> None:
    uv = np.tile(known_eeg(200), (8, 1))
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", uv, data_record_duration=160))
    assert 19 * 2 * len(uv) > WHOLE_RECORD_BYTES
    assert np.abs(whole(recording) - uv).max() < STEP_UV
    assert np.abs(recording.block(777, 30_001) - uv[777:30_001]).max() < STEP_UV


@pytest.mark.parametrize(("rate", "form"), [(200, "EDF"), (256, "EDF"), (200, "BDF")])
def test_gaps_of_an_edf_d_are_gaps_in_time(rate: int, form: str, tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf", rate_hz=rate, form=form, annotations=ROOM)
    recording = hbac.read_recording(shift_onsets(path, lambda k: 75.25 * (k >= 8) + 10 * (k >= 15), f"{form}+D"))
    assert recording.duration_s == 20 + 75.25 + 10
    assert noted(recording, "gaps in time: 2, 85.25 s in all")
    block, truth = whole(recording), known_eeg(200)
    expected = np.full((recording.samples, 19), np.nan)
    for first_s, last_s, shift_s in ((0, 8, 0.0), (8, 15, 75.25), (15, 20, 85.25)):
        at = round((first_s + shift_s) * 200)
        expected[at : at + (last_s - first_s) * 200] = truth[first_s * 200 : last_s * 200]
    assert np.array_equal(np.isnan(block), np.isnan(expected))
    inner = np.isfinite(expected)
    inner[EDGE:-EDGE] &= inner[2 * EDGE :] & inner[: -2 * EDGE]
    inner[:EDGE] = inner[-EDGE:] = False
    assert np.abs(block - expected)[inner].max() < FILTERED_UV


def test_gaps_are_seen_where_the_header_says_that_there_are_none(tmp_path: Path) -> None:
    path = shift_onsets(write_edf(tmp_path / "x.edf", annotations=ROOM), lambda k: 30 * (k >= 8), "EDF+C")
    recording = hbac.read_recording(path)
    assert recording.duration_s == 50
    assert noted(recording, "gaps in time: 1, 30 s in all, though the header does not state EDF+D")


def test_onsets_that_waver_by_milliseconds_are_continuous(tmp_path: Path) -> None:
    path = shift_onsets(write_edf(tmp_path / "x.edf", annotations=ROOM), lambda k: 0.004 * (k % 2))
    recording = hbac.read_recording(path)
    assert (recording.duration_s, recording.notes) == (20.0, ())


def test_a_data_record_whose_onset_is_damaged_stays_in_its_place(tmp_path: Path) -> None:
    path = shift_onsets(write_edf(tmp_path / "x.edf", annotations=ROOM), lambda k: 900 * (k == 8))
    recording = hbac.read_recording(path)
    assert np.abs(whole(recording) - known_eeg(200)).max() < STEP_UV
    assert noted(recording, "1 data records do not say when they start: by those around them")


def test_a_data_record_beside_a_gap_that_does_not_say_when_is_left_out(tmp_path: Path) -> None:
    path = shift_onsets(write_edf(tmp_path / "x.edf", annotations=ROOM), lambda k: 30 * (k >= 8))
    held = bytearray(path.read_bytes())
    held[held.index(b"+38\x14")] = ord("?")
    path.write_bytes(held)
    recording = hbac.read_recording(path)
    assert noted(recording, "1 data records left out")
    assert np.isnan(recording.block(8 * 200, 39 * 200)).all()
    assert np.isfinite(recording.block(39 * 200, 50 * 200)).all()


def test_onsets_that_go_back_in_time_are_refused(tmp_path: Path) -> None:
    path = shift_onsets(write_edf(tmp_path / "x.edf", annotations=ROOM), lambda k: -5 * (k >= 8))
    with pytest.raises(hbac.RecordError, match="record 9 at 3 s, before the end of the one before at 8 s"):
        hbac.read_recording(path)


def test_a_first_onset_below_a_second_belongs_to_the_start(tmp_path: Path) -> None:
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", starttime=time(1, 2, 3, 250_000), annotations=ROOM))
    assert recording.start == datetime(2024, 2, 29, 1, 2, 3, 250_000)
    assert (recording.duration_s, recording.notes) == (20.0, ())


def test_a_file_that_is_cut_short_gives_what_is_whole(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf")
    os.truncate(path, 256 * 20 + 7 * 19 * 400 + 123)
    recording = hbac.read_recording(path)
    assert recording.duration_s == 20
    assert recording.notes == ("123 bytes after the last whole data record", "cut short: 7 of 20 data records")
    assert np.abs(recording.block(0, 1400) - known_eeg(200)[:1400]).max() < STEP_UV
    assert np.isnan(recording.block(1400, 4000)).all()


@pytest.mark.parametrize(
    ("stated", "note"),
    [
        ("-1", "number of data records not stated: 20 by the size of the file"),
        ("4", "the header states 4 data records, the file holds 20: all are read"),
        ("99999999", "the header states 99999999 data records, more than 60 days; the file holds 20"),
    ],
)
def test_a_record_count_that_is_not_that_of_the_file(stated: str, note: str, tmp_path: Path) -> None:
    recording = hbac.read_recording(edit(write_edf(tmp_path / "x.edf"), "records", stated))
    assert (recording.duration_s, recording.notes) == (20.0, (note,))


@pytest.mark.parametrize(
    ("field", "content"), [("date", "31.02.24"), ("date", "00.00.00"), ("time", "25.00.00"), ("date", "x")]
)
def test_an_impossible_start_is_none(field: str, content: str, tmp_path: Path) -> None:
    recording = hbac.read_recording(edit(write_edf(tmp_path / "x.edf"), field, content))
    assert recording.start is None
    assert noted(recording, "no start: ")
    assert np.isfinite(whole(recording)).all()


def test_a_start_after_2084_is_that_of_the_recording_field(tmp_path: Path) -> None:
    path = edit(write_edf(tmp_path / "x.edf"), "date", "29.02.92")
    recording = hbac.read_recording(edit(path, "recording", "Startdate 29-FEB-2092 X X X"))
    assert recording.start == datetime(2092, 2, 29, 23, 59, 30)


def test_two_dates_of_a_start_are_noted(tmp_path: Path) -> None:
    recording = hbac.read_recording(edit(write_edf(tmp_path / "x.edf"), "date", "01.03.24"))
    assert recording.start == datetime(2024, 3, 1, 23, 59, 30)
    assert noted(recording, "two dates of the start")


def test_a_third_of_a_second_in_eight_characters(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf", rate_hz=240, data_record_duration=0.25)
    recording = hbac.read_recording(edit(path, "duration", "0.333333"))
    assert recording.notes == ("data records of 0.333333 s taken as 1/3 s", "rate: 180 Hz, converted to 200 Hz")


def test_a_latin_1_header_is_read(tmp_path: Path) -> None:
    recording = hbac.read_recording(
        edit(write_edf(tmp_path / "x.edf"), "recording", "Müller in Köln".encode("latin-1"))
    )
    assert np.abs(whole(recording) - known_eeg(200)).max() < STEP_UV


def test_physical_limits_the_other_way_round_turn_the_polarity(tmp_path: Path) -> None:
    path = edit(edit(write_edf(tmp_path / "x.edf"), "pmin", "3276.7", None), "pmax", "-3276.7", None)
    recording = hbac.read_recording(path)
    assert np.abs(whole(recording) + known_eeg(200)).max() < 0.2
    assert noted(recording, "physical limits the other way round in 19 channels: polarity turned, as stated")


def test_a_channel_with_other_limits_is_noted(tmp_path: Path) -> None:
    recording = hbac.read_recording(edit(write_edf(tmp_path / "x.edf"), "pmax", "3176.7", 4))
    assert noted(recording, "unit or limits of F7 are not those of the others")


def test_a_blank_unit_is_microvolts_where_the_values_are(tmp_path: Path) -> None:
    recording = hbac.read_recording(edit(write_edf(tmp_path / "x.edf"), "unit", "", None))
    assert np.abs(whole(recording) - known_eeg(200)).max() < STEP_UV
    assert noted(recording, "unit '' of 19 channels taken as uV: typical values are ")


@pytest.mark.parametrize("unit", ["mV", "V", "nV"])
def test_a_blank_unit_is_refused_where_the_values_are_no_microvolts(unit: str, tmp_path: Path) -> None:
    path = edit(write_edf(tmp_path / "x.edf", unit=unit), "unit", "", None)
    with pytest.raises(
        hbac.RecordError, match=r"expected a unit \(V, mV, uV, nV\) or typical values of 2 to 200 as of EEG"
    ):
        hbac.read_recording(path)
    recording = hbac.read_recording(path, unit=unit)
    assert np.abs(whole(recording) - known_eeg(200)).max() < 0.2
    assert recording.notes == (f"unit {unit} as told for 19 channels that state none",)


def test_counts_without_calibration_are_refused(tmp_path: Path) -> None:
    path = edit(edit(write_edf(tmp_path / "x.edf"), "pmin", "-32768", None), "pmax", "32767", None)
    with pytest.raises(hbac.RecordError, match="expected a unit for 'Fp1', received '' and limits without calibration"):
        hbac.read_recording(edit(path, "unit", "", None))


def test_values_that_no_eeg_has_are_noted(tmp_path: Path) -> None:
    recording = hbac.read_recording(edit(write_edf(tmp_path / "x.edf"), "unit", "mV", None))
    assert noted(recording, "expected typical values of 0.1 to 5000 uV, received ")


def test_a_name_that_comes_twice_is_taken_where_its_samples_are_equal(tmp_path: Path) -> None:
    pairs = pairs_of(known_eeg(200))
    again = PAIR_LABELS.index("T4-T6")
    more = [edf_signal(pairs[:, again], 200, "T4-T6")]
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", pairs, labels=PAIR_LABELS, more=more))
    assert recording.notes == ("T4-T6 comes 2 times with the same samples",)
    assert np.abs(whole(recording) - pairs).max() < STEP_UV
    changed = pairs[:, again].copy()
    changed[-1] += 1
    path = write_edf(tmp_path / "x.edf", pairs, labels=PAIR_LABELS, more=[edf_signal(changed, 200, "T8-P8")])
    with pytest.raises(hbac.RecordError, match="expected T4-T6 once, received 2 that differ"):
        hbac.read_recording(path)


@pytest.mark.parametrize(
    ("field", "content", "expected"),
    [
        ("version", "1", "expected EDF or BDF, received a file that begins with b'1"),
        ("bytes", "5000", "expected a header of 5120 bytes for 19 signals, received one that states 5000"),
        ("signals", "20", "expected a header of 5376 bytes for 20 signals, received one that states 5120"),
        ("signals", "0", "expected 1 to 4096 signals, received 0"),
        ("signals", "many", "expected a number of signals, received 'many'"),
        ("records", "-2", "expected a number of data records or -1, received -2"),
        ("duration", "0", "expected data records longer than 0 s, received 0 s"),
        ("duration", "-1", "expected 0 s or more for a data record, received '-1' s"),
        ("duration", "9e99", "expected 0 s or more for a data record, received '9e99' s"),
        ("duration", "nan", "expected a number of seconds a data record, received 'nan'"),
        ("duration", "4", "expected 100 to 2000 Hz, received 50 Hz in Fp1, F3, C3 ..."),
        ("duration", ".05", "expected 100 to 2000 Hz, received 4000 Hz in Fp1, F3, C3 ..."),
        ("samples", "0", "expected 100 to 2000 Hz, received 0 Hz in Fp1"),
        ("samples", "99999999", "expected data records of 200007198 bytes, received 152000 bytes"),
        ("samples", "-200", "expected 0 or more samples of 'Fp1' in a record, received -200"),
        ("samples", "2.5", "expected a whole number of samples of 'Fp1', received '2.5'"),
        ("pmax", "-3276.7", "expected physical limits that differ for 'Fp1', received -3276.7 twice"),
        ("dmax", "-32768", "expected digital limits within -32768 and 32767 for 'Fp1', received -32768 and -32768"),
        ("dmin", "-99999", "expected digital limits within -32768 and 32767 for 'Fp1', received -99999 and 32767"),
        ("pmin", "low", "expected a number of the limits of 'Fp1', received 'low'"),
        ("reserved", "EDF+D", "expected a signal EDF Annotations in an EDF+D, found none"),
    ],
)
def test_a_header_that_lies_is_one_line(field: str, content: str, expected: str, tmp_path: Path) -> None:
    path = edit(write_edf(tmp_path / "x.edf"), field, content)
    with pytest.raises(hbac.RecordError) as error:
        hbac.read_recording(path)
    assert expected in str(error.value)
    assert str(error.value).startswith("x.edf: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "expected a header of 256 bytes, received 0"),
        (200, "expected a header of 256 bytes, received 200"),
        (300, "expected a header of 5120 bytes, received 300"),
        (5120, "expected data records of 7600 bytes, received 0 bytes"),
        (5121, "expected data records of 7600 bytes, received 1 bytes"),
    ],
)
def test_a_file_without_a_data_record_is_refused(size: int, expected: str, tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf")
    os.truncate(path, size)
    with pytest.raises(hbac.RecordError, match=expected):
        hbac.read_recording(path)


def test_annotations_alone_are_no_recording(tmp_path: Path) -> None:
    edfio.Edf([], annotations=[edfio.EdfAnnotation(0, None, "x")]).write(tmp_path / "x.edf")
    with pytest.raises(hbac.RecordError, match="expected electrodes for at least 8 of the 16 pairs"):
        hbac.read_recording(tmp_path / "x.edf")


def test_a_flat_line_is_a_recording_and_noted(tmp_path: Path) -> None:
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", np.zeros((4000, 19))))
    assert np.abs(whole(recording)).max() < STEP_UV
    assert noted(recording, "expected typical values of 0.1 to 5000 uV, received 0")


def test_a_file_that_shrinks_meanwhile_is_refused(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf")
    recording = hbac.read_recording(path)
    os.truncate(path, 5120 + 5 * 7600)
    assert np.isfinite(recording.block(0, 1000)).all()
    with pytest.raises(hbac.RecordError, match="the file has changed"):
        recording.block(0, 4000)


def test_a_recording_goes_to_another_process(tmp_path: Path) -> None:
    recording = hbac.read_recording(write_edf(tmp_path / "x.edf", rate_hz=256))
    again = pickle.loads(pickle.dumps(recording))
    assert np.array_equal(whole(again), whole(recording))


def test_bytes_are_what_the_specification_says(tmp_path: Path) -> None:
    """Two samples by hand: -1 and 256 in one step of 0.5 uV."""
    path = write_edf(tmp_path / "x.edf", np.zeros((200, 19)))
    path = edit(edit(path, "pmin", "-16384", None), "pmax", "16383.5", None)
    held = bytearray(path.read_bytes())
    held[5120:5124] = struct.pack("<hh", -1, 256)
    path.write_bytes(held)
    assert hbac.read_recording(path).block(0, 2)[:, 0].tolist() == [-0.5, 128.0]


@pytest.mark.parametrize("year", [1985, 2084])
def test_two_digits_of_a_year_are_1985_to_2084(year: int, tmp_path: Path) -> None:
    recording = edfio.Recording(startdate=date(year, 6, 1))
    start = hbac.read_recording(write_edf(tmp_path / "x.edf", recording=recording)).start
    assert start is not None
    assert start.year == year


def test_what_is_held_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    """A day and an hour: holes in a file take no room on the disk."""
    peaks = []
    for hours in (1, 24):
        path = edit(write_edf(tmp_path / f"{hours}.edf", rate_hz=256), "records", str(hours * 3600))
        os.truncate(path, 5120 + hours * 3600 * 19 * 2 * 256)
        tracemalloc.start()
        recording = hbac.read_recording(path)
        block = recording.block(recording.samples - 60_000, recording.samples)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert recording.samples == hours * 720_000
        assert np.isfinite(block).all()
    assert peaks[1] < 1.2 * peaks[0] < 60e6


def test_onsets_with_all_digits_of_a_float_are_read(tmp_path: Path) -> None:
    path = shift_onsets(write_edf(tmp_path / "x.edf", annotations=ROOM), lambda k: 100 / 3 * (k >= 10), digits=17)
    recording = hbac.read_recording(path)
    assert recording.duration_s == pytest.approx(20 + 100 / 3, abs=0.0026)
    assert not any("do not say when they start" in note for note in recording.notes)


def test_records_behind_the_last_known_onset_are_left_out_of_a_file_with_gaps(tmp_path: Path) -> None:
    path = shift_onsets(write_edf(tmp_path / "x.edf", annotations=ROOM), lambda k: 30 * (k >= 8))
    held = bytearray(path.read_bytes())
    for k in range(10, 20):  # onsets that nobody can read
        at = [m for m in range(len(held)) if held[m : m + 1] == b"+" and held.startswith(f"+{k + 30}\x14".encode(), m)][
            0
        ]
        held[at] = ord("?")
    path.write_bytes(held)
    recording = hbac.read_recording(path)
    assert recording.duration_s == 40
    assert any("10 data records left out" in note for note in recording.notes)


def test_records_that_overlap_are_noted(tmp_path: Path) -> None:
    path = shift_onsets(write_edf(tmp_path / "x.edf", annotations=ROOM), lambda k: -0.05 * (k >= 10))
    notes = hbac.read_recording(path).notes
    assert any("begin before the end of the one before: 1, 0.05 s" in note for note in notes)
