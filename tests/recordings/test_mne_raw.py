"""What MNE reads comes out as it was written; what MNE joins up, resamples or takes as volts is refused or noted."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers_recordings import (
    PAIR_LABELS,
    ROOM,
    edf_signal,
    edit,
    known_eeg,
    pairs_of,
    shift_onsets,
    write_brainvision,
    write_edf,
    write_eeglab,
)

import hbac
from hbac import hms

mne = pytest.importorskip("mne", reason="MNE, an extra, is not installed")

EDGE = 70
BOUND_UV = 0.02


def raw_of(uv: np.ndarray, rate_hz: float = 200, names: Any = hms.ELECTRODES, kinds: Any = "eeg") -> Any:
    return mne.io.RawArray(uv.T / 1e6, mne.create_info(list(names), rate_hz, kinds), verbose="ERROR")


def whole(recording: hbac.Recording) -> np.ndarray:
    return recording.block(0, recording.samples)


def noted(recording: hbac.Recording, text: str) -> bool:
    return any(text in note for note in recording.notes)


def check_known(recording: hbac.Recording, rate_hz: float) -> None:
    assert recording.samples == 4000
    edge = slice(EDGE, -EDGE) if rate_hz != 200 else slice(None)
    assert np.abs(whole(recording) - known_eeg(200))[edge].max() < BOUND_UV


@pytest.mark.parametrize("rate", [200, 256, 512])
def test_a_raw_object_is_read(rate: int) -> None:
    recording = hbac.read_recording(raw_of(known_eeg(rate), rate), name="bed 4")
    check_known(recording, rate)
    assert (recording.name, recording.start, recording.electrodes) == ("bed 4", None, True)
    assert recording.notes == (() if rate == 200 else (f"rate: {rate} Hz, converted to 200 Hz",))


def test_a_bipolar_raw_object_is_read() -> None:
    recording = hbac.read_recording(raw_of(pairs_of(known_eeg(200)), names=PAIR_LABELS))
    assert not recording.electrodes
    assert np.abs(whole(recording) - pairs_of(known_eeg(200))).max() < BOUND_UV


@pytest.mark.parametrize("rate", [200, 500])
def test_brainvision_is_read(rate: int, tmp_path: Path) -> None:
    recording = hbac.read_recording(write_brainvision(tmp_path / "bv.vhdr", known_eeg(rate), rate))
    check_known(recording, rate)
    assert (recording.name, recording.start) == ("bv", datetime(2024, 2, 29, 23, 59, 30))


@pytest.mark.parametrize("rate", [200, 512])
def test_eeglab_is_read(rate: int, tmp_path: Path) -> None:
    recording = hbac.read_recording(write_eeglab(tmp_path / "x.set", known_eeg(rate), rate))
    check_known(recording, rate)


@pytest.mark.parametrize("rate", [200, 256])
def test_fif_is_read(rate: int, tmp_path: Path) -> None:
    raw = raw_of(known_eeg(rate), rate)
    raw.set_meas_date(datetime(2024, 2, 29, 23, 59, 30, tzinfo=timezone.utc))
    raw.save(tmp_path / "x_raw.fif", verbose="ERROR")
    recording = hbac.read_recording(str(tmp_path / "x_raw.fif"))
    check_known(recording, rate)
    assert recording.start == datetime(2024, 2, 29, 23, 59, 30)


def test_a_cropped_raw_object_starts_where_it_was_cropped() -> None:
    raw = raw_of(known_eeg(200))
    raw.set_meas_date(datetime(2024, 1, 1, tzinfo=timezone.utc))
    raw.set_annotations(mne.Annotations([8.0], [2.0], ["BAD_ACQ_SKIP"], orig_time=raw.info["meas_date"]))
    recording = hbac.read_recording(raw.crop(5.0, 14.995))
    assert recording.start == datetime(2024, 1, 1, 0, 0, 5)
    block = whole(recording)
    assert np.isnan(block[600:1000]).all()
    assert np.abs(block[:600] - known_eeg(200)[1000:1600]).max() < BOUND_UV
    assert np.abs(block[1000:] - known_eeg(200)[2000:3000]).max() < BOUND_UV


@pytest.mark.parametrize("rate", [200, 256])
def test_a_skip_is_a_gap(rate: int) -> None:
    raw = raw_of(known_eeg(rate), rate)
    raw.set_annotations(mne.Annotations([5.0, 12.0], [3.0, 1.0], ["BAD_ACQ_SKIP", "BAD_movement"]))
    recording = hbac.read_recording(raw)
    block = whole(recording)
    assert np.isnan(block[1000:1600]).all()
    assert np.isfinite(block[:1000]).all()
    assert np.isfinite(block[1600:]).all()
    assert noted(recording, "gaps in time: 1, by MNE's annotations")
    assert noted(recording, "1 s are marked bad; they are read as they are")


def test_nothing_is_filtered_across_a_boundary() -> None:
    first, second = known_eeg(256, 10) + 500, known_eeg(256, 10, seed=4) - 500
    raw = mne.concatenate_raws([raw_of(first, 256), raw_of(second, 256)], verbose="ERROR")
    block = whole(hbac.read_recording(raw))
    gone = np.flatnonzero(np.isnan(block).any(axis=1))
    assert 1 <= len(gone) <= 3
    assert abs(gone - 2000).max() <= 3
    other = mne.concatenate_raws([raw_of(-first, 256), raw_of(second, 256)], verbose="ERROR")
    assert np.array_equal(whole(hbac.read_recording(other))[gone[-1] + 1 :], block[gone[-1] + 1 :])


def test_boundaries_of_eeglab_and_brainvision_are_gaps(tmp_path: Path) -> None:
    with_set = hbac.read_recording(write_eeglab(tmp_path / "x.set", known_eeg(200), 200, [(1000.5, 50.0)]))
    with_vhdr = hbac.read_recording(
        write_brainvision(tmp_path / "x.vhdr", known_eeg(200), 200, [("New Segment", 1001)])
    )
    marks = [("New Segment,LostSamples: 16", 1001)]
    with_loss = hbac.read_recording(write_brainvision(tmp_path / "y.vhdr", known_eeg(200), 200, marks))
    for recording in (with_set, with_vhdr, with_loss):
        gone = np.flatnonzero(np.isnan(whole(recording)).any(axis=1))
        assert 1 <= len(gone) <= 2
        assert abs(gone - 1000).max() <= 2
        assert noted(recording, "gaps in time: 1, by MNE's annotations")


def test_bad_channels_are_left_out() -> None:
    raw = raw_of(known_eeg(200))
    raw.info["bads"] = ["O1"]
    recording = hbac.read_recording(raw)
    assert np.isnan(whole(recording)[:, hms.ELECTRODES.index("O1")]).all()
    assert recording.notes == ("electrodes missing: O1", "channels marked bad are left out: O1")


def test_channels_of_another_kind_are_no_eeg() -> None:
    kinds = ["eeg"] * 18 + ["misc"]
    assert hbac.read_recording(raw_of(known_eeg(200), kinds=kinds)).notes == ("electrodes missing: O2",)


def test_microvolts_taken_as_volts_are_refused() -> None:
    with pytest.raises(
        hbac.RecordError, match="RawArray: expected volts with typical values of 0.1 to 5000 uV, received .*e.07"
    ):
        hbac.read_recording(raw_of(known_eeg(200) * 1e6))


def test_one_channel_whose_unit_was_blank_is_refused(tmp_path: Path) -> None:
    path = edit(write_edf(tmp_path / "x.edf"), "unit", "", 3)
    raw = mne.io.read_raw_edf(path, verbose="ERROR")
    assert np.abs(raw.get_data(picks=[3])).max() > 1  # MNE's volts
    with pytest.raises(hbac.RecordError, match="MNE takes a unit that is blank as volts"):
        hbac.read_recording(raw)
    recording = hbac.read_recording(path)
    assert np.abs(whole(recording) - known_eeg(200)).max() < 0.06


def test_an_edf_that_mne_has_read_is_the_same(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf", rate_hz=256, annotations=ROOM)
    through_mne = hbac.read_recording(mne.io.read_raw_edf(path, verbose="ERROR"))
    ours = hbac.read_recording(path)
    assert np.abs(whole(through_mne) - whole(ours)).max() < 1e-3
    assert (through_mne.name, through_mne.start, through_mne.notes) == (ours.name, ours.start, ours.notes)


def test_gaps_that_mne_has_joined_up_are_refused(tmp_path: Path) -> None:
    path = shift_onsets(write_edf(tmp_path / "x.edf", annotations=ROOM), lambda k: 30 * (k >= 8))
    raw = mne.io.read_raw_edf(path, verbose="ERROR")
    assert raw.n_times == 4000  # 20 s, of a recording of 50
    with pytest.raises(
        hbac.RecordError, match="expected a recording without gaps, received 2 segments that MNE has joined up"
    ):
        hbac.read_recording(raw)
    assert hbac.read_recording(path).duration_s == 50


def test_rates_that_mne_has_brought_to_one_are_noted(tmp_path: Path) -> None:
    more = [edf_signal(known_eeg(256)[:, 18], 256, "O2")]
    path = write_edf(tmp_path / "x.edf", known_eeg(200)[:, :18], labels=hms.ELECTRODES[:18], more=more)
    recording = hbac.read_recording(mne.io.read_raw_edf(path, verbose="ERROR"))
    assert noted(recording, "rates differ in the file: MNE has brought all channels to one")


def test_what_mne_cannot_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.vhdr").write_text("nothing")
    (tmp_path / "x.txt").write_text("nothing")
    for name in ("x.vhdr", "x.txt"):
        with pytest.raises(hbac.RecordError, match=f"{name}: expected a recording that MNE reads, received ") as error:
            hbac.read_recording(tmp_path / name)
        assert "\n" not in str(error.value)


def test_cutting_changes_no_byte() -> None:
    recording = hbac.read_recording(raw_of(known_eeg(512), 512))
    cuts = [-3, 0, 777, 778, 2999, 4010]
    parts = [recording.block(a, b) for a, b in zip(cuts, cuts[1:])]
    assert np.concatenate(parts).tobytes() == recording.block(-3, 4010).tobytes()


def test_another_object_is_refused() -> None:
    with pytest.raises(hbac.InputError, match="expected a path or an mne.io.Raw object, received int"):
        hbac.read_recording(7)  # type: ignore[arg-type]


def test_of_several_files_in_one_object_none_may_have_gaps(tmp_path: Path) -> None:
    plain = mne.io.read_raw_edf(write_edf(tmp_path / "a.edf"), preload=True, verbose="ERROR")
    path = shift_onsets(write_edf(tmp_path / "b.edf", annotations=ROOM), lambda k: 30 * (k >= 8))
    gaps = mne.io.read_raw_edf(path, preload=True, verbose="ERROR")
    with pytest.raises(hbac.RecordError, match=r"b.edf: expected a recording without gaps, received 2 segments"):
        hbac.read_recording(mne.concatenate_raws([plain, gaps], verbose="ERROR"))


def test_the_start_of_a_fif_is_said_to_be_utc(tmp_path: Path) -> None:
    raw = raw_of(known_eeg(200))
    raw.set_meas_date(datetime(2024, 2, 29, 22, 0, tzinfo=timezone.utc))
    raw.save(tmp_path / "x_raw.fif", verbose="ERROR")
    recording = hbac.read_recording(tmp_path / "x_raw.fif")
    assert recording.start == datetime(2024, 2, 29, 22)
    assert noted(recording, "the start is in UTC, as FIF files have it")
