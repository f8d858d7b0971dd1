"""A run with a mixed ensemble: files read once, what took no part is said, the same bytes however it is run."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers_folds import MIXED, write_mixed_folds

from hbac.ensemble.calibrated import make_ensemble
from hbac.errors import InputError
from hbac.inference import run as inference
from hbac.inference.budget import Budget, Effort
from hbac.inference.run import RunSettings, predict
from hbac.inference.submission import check_submission
from hbac.preprocessing import load
from hbac.preprocessing.load import INCOMPLETE, OK, OUT_OF_TIME, SPECTROGRAM_ONLY, load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.readers import Loader
from hbac.records.tables import read_test_table
from hbac.weights.manifest import read_manifest

pytestmark = pytest.mark.usefixtures("shallow_network")
RAW = PRESETS["raw-v1"]  # of the EEG alone, without a mirror image
STARTER = PRESETS["starter-v1"]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, shallow_network: None) -> Path:
    """A mixed manifest, geometric, of two `eeg1d` folds for raw EEG and two ResNet50 folds for the starter's input."""
    return write_mixed_folds(tmp_path_factory.mktemp("mixed"), (RAW, STARTER), "geometric", width=4)


@pytest.fixture
def settings(test_dir: Path, mixed: Path, tmp_path: Path) -> RunSettings:
    return RunSettings(test_dir, mixed, tmp_path / "out" / "submission.csv", progress=False)


def report_of(settings: RunSettings) -> dict:  # type: ignore[type-arg]
    return json.loads(settings.output.with_name("submission_report.json").read_text())  # type: ignore[no-any-return]


def rows_of(settings: RunSettings) -> pd.DataFrame:
    ids = pd.read_csv(settings.test_dir / "test.csv")["eeg_id"].tolist()
    return check_submission(settings.output, ids).set_index("eeg_id")


def test_every_record_gets_the_mixed_ensemble_s_answer(settings: RunSettings) -> None:
    summary = predict(replace(settings, flip_tta=True))
    ensemble = make_ensemble(read_manifest(settings.manifest))
    for record in read_test_table(settings.test_dir):
        images = {preset.preset: load_record(record, preset).image[None] for preset in (RAW, STARTER)}  # type: ignore[index]
        expected = ensemble.predict(images, flip=True)[0]
        np.testing.assert_allclose(rows_of(settings).loc[record.eeg_id], expected, atol=1e-4)
    assert summary.status == {OK: 6}
    members = [
        {"name": "a", "weight": 3.0, "preset": "raw-v1", "folds": 2},
        {"name": "b", "weight": 4.0, "preset": "starter-v1", "folds": 2},
    ]
    stated = report_of(settings)["manifest"]
    assert (stated["folds"], stated["mean"], stated["members"]) == (4, "geometric", members)


def test_each_file_is_read_once_and_each_preset_s_image_is_its_own(
    test_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = read_test_table(test_dir)[0]
    expected = {preset.preset: load_record(record, preset).image for preset in (*MIXED, RAW)}
    read: Counter[Path] = Counter()

    def counted(path: Path) -> bytes:
        read[path] += 1
        return path.read_bytes()

    monkeypatch.setattr(load, "read_content", counted)
    loaded = load_record(record, (*MIXED, RAW))
    assert set(read.values()) == {1}
    assert len(read) == 2
    assert list(loaded.images) == list(expected)
    for name, image in expected.items():
        np.testing.assert_array_equal(loaded.images[name], image)
    with pytest.raises(ValueError, match="expected one preset"):
        _ = loaded.image


def test_images_of_several_presets_come_out_of_a_reader_s_process(test_dir: Path) -> None:
    records = read_test_table(test_dir)[:2]
    records[1].eeg_path.unlink()
    with Loader(records, (*MIXED, RAW), 1) as loader:
        loaded = {one.record.eeg_id: one for one in loader}
    whole, half = (loaded[record.eeg_id] for record in records)
    assert (whole.status, half.status) == (OK, SPECTROGRAM_ONLY)
    assert [list(one.images) for one in (whole, half)] == [
        ["three-zooms-v2", "starter-v1", "raw-v1"],
        ["three-zooms-v2", "starter-v1"],
    ]
    for one, record in ((whole, records[0]), (half, records[1])):
        for name, image in one.images.items():
            np.testing.assert_allclose(image, load_record(record, PRESETS[name]).image, atol=1e-4)  # type: ignore[arg-type]


def test_a_record_without_a_file_that_any_preset_reads_is_not_answered_by_a_guess(test_dir: Path) -> None:
    record = read_test_table(test_dir)[0]
    record.eeg_path.unlink()
    assert load_record(record, (RAW,)).images == {}


def test_a_member_whose_file_is_missing_takes_no_part_and_the_row_says_so(
    settings: RunSettings,
) -> None:
    record = read_test_table(settings.test_dir)[2]
    starter = load_record(record, STARTER).image
    whole = record.eeg_path.read_bytes()
    record.eeg_path.unlink()
    with pytest.raises(InputError, match="1 were not"):
        predict(replace(settings, strict=True))
    (problem,) = report_of(settings)["rows_not_answered_whole"]
    assert problem["status"] == "spectrogram only, a 0 of 2 folds, b 2 of 2 folds"
    assert problem["notes"][-1] == "a took no part: raw-v1 is made of the eeg"
    journal = settings.output.with_name(".submission.csv.journal")
    rows = {row["eeg_id"]: row for row in map(json.loads, journal.read_text().splitlines()[1:])}
    assert {row["folds"]: row["members"] for row in rows.values()} == {4: [2, 2], 2: [0, 2]}
    assert starter is not None
    expected = make_ensemble(read_manifest(settings.manifest)).predict({"starter-v1": starter[None]})[0]
    np.testing.assert_allclose(rows[record.eeg_id]["probabilities"], expected, atol=1e-4)
    record.eeg_path.write_bytes(whole)
    assert predict(replace(settings, strict=True, resume=True)).status == {OK: 6}


def test_a_budget_that_leaves_none_of_those_that_can_answer_leaves_one(
    settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnlyTheFirst(Budget):
        def effort(self, remaining: int) -> Effort:
            return Effort(1, False, (1, 0))

    monkeypatch.setattr(inference, "Budget", OnlyTheFirst)
    read_test_table(settings.test_dir)[2].eeg_path.unlink()
    assert predict(settings).status == {
        "ok, a 1 of 2 folds, b 0 of 2 folds": 5,
        "spectrogram only, a 0 of 2 folds, b 1 of 2 folds": 1,
    }


def test_flips_are_none_where_no_preset_has_a_mirror_image(
    settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_manifest(settings.manifest)
    assert inference.full_effort(manifest, True) == Effort(4, True, (2, 2))
    assert "expected an input with a mirror image, raw-v1 has none" in inference._without_mirror(manifest)[0]
    monkeypatch.setattr(type(STARTER), "flips", False)
    assert inference.full_effort(manifest, True) == Effort(4, False, (2, 2))


def test_out_of_time_every_row_of_a_mixed_run_is_still_valid(settings: RunSettings) -> None:
    summary = predict(replace(settings, time_budget_s=0.2))
    assert summary.status == {OUT_OF_TIME: 6}
    assert len(rows_of(settings)) == 6


def test_a_short_file_counts_as_incomplete_for_all_members(settings: RunSettings) -> None:
    record = read_test_table(settings.test_dir)[1]
    table = pd.read_parquet(record.eeg_path)
    table.iloc[:6000].to_parquet(record.eeg_path)
    assert predict(settings).status == {OK: 5, INCOMPLETE: 1}
