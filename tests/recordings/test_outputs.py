"""Files of a scan: read by pandas, edfio and MNE as they were meant."""

import csv
import io
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hbac.edf import annotations_alone
from hbac.recordings.events import Rules, events_of, seizures_of
from hbac.recordings.outputs import annotations_edf, annotations_text, events_tsv, files_of, probabilities_csv
from hbac.recordings.quality import Status
from hbac.recordings.scan import Scan

edfio = pytest.importorskip("edfio")
ANY_LENGTH = Rules(shortest_s=0)
COLUMNS = ["onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration"]
EVENTS = [(10.0, 20.0, "seizure"), (30.0, 10.0, "BAD_gap"), (40.0, 20.0, "BAD_flat"), (60.0, 5.5, "gpd")]


@pytest.fixture
def scan() -> Scan:
    rows = np.full((7, 6), 0.04)
    rows[1:3, 0], rows[6, 2], rows[4:6, 0] = 0.8, 0.8, 0.9
    rows[3] = np.nan
    flat, ok = Status.FLAT, Status.OK
    told = (Status.PARTLY, ok, ok, Status.GAP, flat, flat, ok)
    onsets, durations = 10.0 * np.arange(7), np.array([*[10.0] * 6, 5.5])
    return Scan("night 1", datetime(2031, 5, 6, 7, 8, 9, 500_000), 65.5, 10, onsets, durations, rows, told)


@pytest.fixture
def nothing(scan: Scan) -> Scan:
    return replace(scan, probabilities=np.full((7, 6), 1 / 6), statuses=(Status.OK,) * 7, start=None)


def test_probabilities_have_a_row_for_each_step_and_empty_cells_for_no_answer(scan: Scan) -> None:
    table = pd.read_csv(io.BytesIO(probabilities_csv(scan)))
    assert table.columns.tolist() == ["onset", "duration", "seizure", "lpd", "gpd", "lrda", "grda", "other", "status"]
    np.testing.assert_allclose(table.to_numpy()[:, 2:8].astype(float), scan.probabilities, atol=5e-7)
    assert table["duration"].tolist() == [10.0] * 6 + [5.5]
    assert table["status"].tolist() == ["partly missing", "ok", "ok", "gap", "flat", "flat", "ok"]


def test_seizures_are_in_the_form_of_szcore(scan: Scan) -> None:
    rows = list(csv.reader(io.StringIO(events_tsv(scan, seizures_of(scan)).decode()), delimiter="\t"))
    assert rows == [COLUMNS, ["10.00", "20.00", "sz", "0.80", "n/a", "2031-05-06 07:08:09", "65.50"]]


def test_no_seizure_is_one_row_of_background(nothing: Scan) -> None:
    rows = list(csv.reader(io.StringIO(events_tsv(nothing, []).decode()), delimiter="\t"))
    assert rows == [COLUMNS, ["0.00", "65.50", "bckg", "n/a", "n/a", "n/a", "65.50"]]


def test_edfio_reads_the_annotations(scan: Scan) -> None:
    file = edfio.read_edf(annotations_edf(scan, events_of(scan, ANY_LENGTH)))
    assert [tuple(annotation) for annotation in file.annotations] == EVENTS
    assert file.startdatetime == datetime(2031, 5, 6, 7, 8, 9, 500_000)
    assert file.num_signals == 0


def test_edfio_reads_that_there_is_nothing(nothing: Scan) -> None:
    file = edfio.read_edf(annotations_edf(nothing, []))
    assert [tuple(annotation) for annotation in file.annotations] == [(0.0, 65.5, "no pattern")]
    with pytest.raises(ValueError, match="not available"):
        _ = file.startdate


@pytest.mark.parametrize("ending", ["_annotations.edf", "_annotations.txt"])
def test_mne_reads_the_annotations(scan: Scan, tmp_path: Path, ending: str) -> None:
    mne = pytest.importorskip("mne")
    path = tmp_path / f"x{ending}"
    path.write_bytes(files_of(scan, ANY_LENGTH)[f"night 1{ending}"])
    found = mne.read_annotations(path)
    assert list(zip(found.onset.tolist(), found.duration.tolist(), found.description.tolist())) == EVENTS


def test_what_mne_leaves_out_of_data_is_what_was_not_seen(scan: Scan) -> None:
    mne = pytest.importorskip("mne")
    raw = mne.io.RawArray(np.zeros((1, 6550)), mne.create_info(1, 100.0, "eeg"), verbose="error")
    content = io.StringIO(annotations_text(scan, events_of(scan, ANY_LENGTH)).decode())
    rows = [line.split(", ") for line in content if not line.startswith("#")]
    raw.set_annotations(mne.Annotations(*zip(*[(float(a), float(b), c.strip()) for a, b, c in rows])))
    assert raw.get_data(reject_by_annotation="omit").shape[1] == 6550 - 3000


def test_a_week_has_onsets_without_exponents(nothing: Scan) -> None:
    late = replace(nothing, onsets_s=nothing.onsets_s + 1_000_000)
    assert probabilities_csv(late).splitlines()[2].startswith(b"1000010,10,")


def test_names_are_the_recordings(scan: Scan) -> None:
    names = {f"night 1_{rest}" for rest in ("probabilities.csv", "events.tsv", "annotations.edf", "annotations.txt")}
    assert set(files_of(scan)) == names


def test_annotations_fit_a_start_within_a_second(tmp_path: Path) -> None:
    """By edfio: the same moments, whatever the header's whole seconds leave out."""
    start = datetime(2024, 2, 29, 23, 59, 30, 750_000)
    path = tmp_path / "x.edf"
    path.write_bytes(annotations_alone([(100.0, 10.0, "seizure")], start))
    told = edfio.read_edf(path)
    assert (told.startdate, told.starttime) == (start.date(), start.time())
    assert [(one.onset, one.duration, one.text) for one in told.annotations] == [(100.0, 10.0, "seizure")]
