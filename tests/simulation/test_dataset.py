"""The simulated data set: its format against the competition's, its signals against the answers they were made from."""

import hashlib
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hbac.simulation.eeg as eeg_module
from hbac import hms
from hbac.errors import InputError, OutputError
from hbac.files import write_atomically
from hbac.preprocessing.multitaper import host_spectrogram
from hbac.simulation.dataset import ANSWERS_TABLE, plan, render, simulate, write_eegs, write_recording
from hbac.simulation.eeg import Episode

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "hms_sample"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real records of the competition in {REAL}")

SEED, PATIENTS, TEST_RECORDS = 370, 3, 2  # small, and yet nine EEGs, several of a recording, gaps and windows
HZ = np.array(hms.SPECTROGRAM_FREQUENCIES_HZ)
DELTA = (HZ >= 1) & (HZ <= 4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "data"
    simulate(out, patients=PATIENTS, seed=SEED, test_records=TEST_RECORDS, workers=2, progress=False)
    return out


@pytest.fixture(scope="module")
def train(data):
    return pd.read_csv(data / hms.TRAIN_TABLE)


def files(root: Path, kind: str, split: str) -> list[Path]:
    folder = {"eeg": hms.eeg_folder, "spectrogram": hms.spectrogram_folder}[kind](split)
    found = sorted((root / folder).glob("*.parquet"))
    assert found, f"no parquet files in {root / folder}"
    return found


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def described(path: Path) -> dict:
    """What a reader of a parquet file can tell about its form, values and length left out."""
    file = pq.ParquetFile(path)
    chunks = [file.metadata.row_group(0).column(i) for i in range(file.metadata.num_columns)]
    return {
        "schema": [(field.name, str(field.type), field.nullable) for field in file.schema_arrow],
        "row groups": file.metadata.num_row_groups,
        "compression": {chunk.compression for chunk in chunks},
        "physical": [chunk.physical_type for chunk in chunks],
        "encodings": {chunk.encodings for chunk in chunks},
        "index": file.schema_arrow.pandas_metadata["index_columns"],
        "columns": file.schema_arrow.pandas_metadata["columns"],
        "keys": sorted(file.schema_arrow.metadata),
        "version": file.metadata.format_version,
        "statistics": {(chunk.is_stats_set, chunk.has_dictionary_page) for chunk in chunks},
    }


# Format


@pytest.mark.parametrize("split", ["train", "test"])
def test_eeg_files_have_twenty_float_columns_in_order_in_one_snappy_row_group(data, split):
    paths = files(data, "eeg", split)
    assert paths
    for path in paths:
        form = described(path)
        assert form["schema"] == [(name, "float", True) for name in hms.EEG_COLUMNS]
        assert form["row groups"] == 1 and form["compression"] == {"SNAPPY"} and form["index"] == []


@pytest.mark.parametrize(("split", "time_type"), [("train", "int64"), ("test", "int16")])
def test_spectrogram_files_have_a_time_of_the_split_s_type_and_400_float_columns(data, split, time_type):
    paths = files(data, "spectrogram", split)
    assert paths
    for path in paths:
        form = described(path)
        assert form["schema"] == [("time", time_type, True)] + [(n, "float", True) for n in hms.SPECTROGRAM_COLUMNS]
        assert form["row groups"] == 1 and form["compression"] == {"SNAPPY"} and form["index"] == []
        time = pq.read_table(path, columns=["time"])["time"].to_numpy()
        np.testing.assert_array_equal(time, 1 + 2 * np.arange(len(time)))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("kind", ["eeg", "spectrogram"])
def test_values_have_two_decimals(data, kind, split):
    for path in files(data, kind, split):
        values = pd.read_parquet(path).to_numpy(np.float64)
        values = values[np.isfinite(values)]
        np.testing.assert_array_equal(values.astype(np.float32), np.round(values, 2).astype(np.float32))


def test_missing_values_are_whole_rows(data):
    for path in (
        path for split in ("train", "test") for kind in ("eeg", "spectrogram") for path in files(data, kind, split)
    ):
        missing = pd.read_parquet(path).drop(columns="time", errors="ignore").isna().to_numpy()
        np.testing.assert_array_equal(missing.any(axis=1), missing.all(axis=1), err_msg=str(path))


def test_gaps_become_missing_rows_in_the_eeg_and_in_the_frames_that_touch_them():
    recording = next(r for r in plan(0, 200, SEED) if r.gaps_s and r.gaps_s[0][0] > 0 and r.gaps_s[0][1] < 300)
    (start, stop), lead_s = recording.gaps_s[0], 5
    missing = np.isnan(render(recording)).all(axis=1)
    np.testing.assert_array_equal(
        np.flatnonzero(missing)[[0, -1]] / 200,
        [round(start * 200) / 200 + lead_s, round(stop * 200 - 1) / 200 + lead_s],
    )


def test_tables_have_the_competition_s_columns_and_types(data, train):
    assert tuple(train.columns) == hms.TRAIN_COLUMNS
    offsets = ["eeg_label_offset_seconds", "spectrogram_label_offset_seconds"]
    assert (train[offsets].dtypes == np.float64).all()
    assert (train.drop(columns=[*offsets, "expert_consensus"]).dtypes == np.int64).all()
    assert tuple(pd.read_csv(data / hms.TEST_TABLE).columns) == hms.TEST_COLUMNS
    assert tuple(pd.read_csv(data / hms.SAMPLE_SUBMISSION).columns) == hms.SUBMISSION_COLUMNS
    assert tuple(pd.read_csv(data / ANSWERS_TABLE).columns) == hms.SUBMISSION_COLUMNS


def test_every_labelled_window_lies_within_its_files_and_each_file_ends_with_its_last_window(data, train):
    def rows(kind, number):
        folder = {"eeg": hms.eeg_folder, "spectrogram": hms.spectrogram_folder}[kind]("train")
        return pq.read_metadata(data / folder / f"{number}.parquet").num_rows

    for eeg_id, group in train.groupby("eeg_id"):
        assert rows("eeg", eeg_id) == 200 * group["eeg_label_offset_seconds"].max() + hms.EEG_WINDOW
    for spectrogram_id, group in train.groupby("spectrogram_id"):
        last = group["spectrogram_label_offset_seconds"].max()
        assert rows("spectrogram", spectrogram_id) == last // 2 + hms.SPECTROGRAM_ROWS


def test_the_train_files_are_exactly_those_of_the_table(data, train):
    for kind, column in (("eeg", "eeg_id"), ("spectrogram", "spectrogram_id")):
        assert {int(path.stem) for path in files(data, kind, "train")} == set(train[column])


def test_windows_count_from_zero_in_even_steps_and_share_one_offset_in_the_spectrogram(train):
    for _, group in train.groupby("eeg_id", sort=False):
        offsets = group["eeg_label_offset_seconds"].to_numpy()
        assert offsets[0] == 0 and (np.diff(offsets) > 0).all() and (offsets % 2 == 0).all()
        assert group["eeg_sub_id"].tolist() == list(range(len(group)))
        assert group[["spectrogram_id", "patient_id"]].drop_duplicates().shape[0] == 1
        assert (group["spectrogram_label_offset_seconds"] - offsets).nunique() == 1
    for _, group in train.sort_values("spectrogram_label_offset_seconds").groupby("spectrogram_id"):
        assert group["spectrogram_sub_id"].tolist() == list(range(len(group)))
        assert group["patient_id"].nunique() == 1


def test_ids_are_unique_and_in_the_competition_s_ranges(data, train):
    test = pd.read_csv(data / hms.TEST_TABLE)
    assert train["label_id"].is_unique and train["label_id"].between(1, 2**32 - 1).all()
    for column, below in (("eeg_id", 2**32), ("spectrogram_id", 2**31), ("patient_id", 2**16)):
        assert pd.concat([train[column], test[column]]).between(1, below - 1).all()
        assert test[column].is_unique and not set(test[column]) & set(train[column])
    assert train["patient_id"].nunique() == PATIENTS


def test_test_records_are_one_window_each_in_the_order_of_their_ids(data):
    test = pd.read_csv(data / hms.TEST_TABLE)
    assert len(test) == TEST_RECORDS and test["eeg_id"].is_monotonic_increasing
    for kind, column, rows in (("eeg", "eeg_id", 10_000), ("spectrogram", "spectrogram_id", 300)):
        paths = files(data, kind, "test")
        assert {int(path.stem) for path in paths} == set(test[column])
        assert {pq.read_metadata(path).num_rows for path in paths} == {rows}
    sample = pd.read_csv(data / hms.SAMPLE_SUBMISSION)
    assert sample["eeg_id"].tolist() == test["eeg_id"].tolist()
    np.testing.assert_allclose(sample[list(hms.VOTE_COLUMNS)], 1 / 6, rtol=1e-15)
    answers = pd.read_csv(data / ANSWERS_TABLE)
    assert answers["eeg_id"].tolist() == test["eeg_id"].tolist()
    np.testing.assert_allclose(answers[list(hms.VOTE_COLUMNS)].sum(axis=1), 1)


# Against the real files


@needs_real
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("kind", ["eeg", "spectrogram"])
def test_parquet_files_have_the_form_of_every_real_one(data, kind, split):
    ours = [described(path) for path in files(data, kind, split)]
    theirs = [described(path) for path in files(REAL, kind, split)]
    assert ours and theirs and all(form == theirs[0] for form in ours + theirs)


def shapes(root: Path) -> list[tuple[int, int, int]]:
    """For each EEG file: its seconds beyond one window, those of its spectrogram file, and its bytes a value."""
    pairs = pd.read_csv(root / "pairs.csv") if (root / "pairs.csv").is_file() else pd.read_csv(root / hms.TRAIN_TABLE)
    out = []
    for eeg_id, spectrogram_id in pairs[["eeg_id", "spectrogram_id"]].drop_duplicates().itertuples(index=False):
        (eeg,) = root.glob(f"*_eegs/{eeg_id}.parquet")
        (spectrogram,) = root.glob(f"*_spectrograms/{spectrogram_id}.parquet")
        rows = pq.read_metadata(eeg).num_rows, pq.read_metadata(spectrogram).num_rows
        out.append((rows[0] - hms.EEG_WINDOW, rows[1] - hms.SPECTROGRAM_ROWS, eeg.stat().st_size / rows[0] / 20))
    return out


@needs_real
def test_files_are_as_long_as_the_real_ones_and_about_as_large(data):
    """Beyond one window an EEG grows by even seconds, and its spectrogram by a row for each two, or more for others."""
    for root in (data, REAL):
        for eeg_rows, spectrogram_rows, bytes_a_value in shapes(root):
            assert eeg_rows >= 0 and eeg_rows % (2 * hms.EEG_RATE_HZ) == 0
            assert spectrogram_rows >= eeg_rows // (2 * hms.EEG_RATE_HZ)
            assert 1 < bytes_a_value < 5.5


@needs_real
@pytest.mark.parametrize("name", [hms.TRAIN_TABLE, hms.TEST_TABLE, hms.SAMPLE_SUBMISSION])
def test_tables_are_written_as_the_real_ones(data, name):
    ours, theirs = (root / name for root in (data, REAL))
    assert ours.read_bytes().split(b"\n")[0] == theirs.read_bytes().split(b"\n")[0]
    assert pd.read_csv(ours).dtypes.equals(pd.read_csv(theirs).dtypes)
    spelt = [
        path.read_text().splitlines()[1].split(",")[2 if name == hms.TRAIN_TABLE else -1] for path in (ours, theirs)
    ]
    assert spelt[0] == spelt[1] or name == hms.TEST_TABLE  # 0.0 and 0.16666666666666666, to the last digit


@needs_real
def test_the_median_log_power_is_within_that_of_the_real_records(data):
    def statistics(root):
        each = []
        for path in (path for split in ("train", "test") for path in files(root, "spectrogram", split)):
            power = pd.read_parquet(path).iloc[:, 1:].to_numpy().reshape(-1, 4, 100)
            log = np.log(np.maximum(power[np.isfinite(power).all(axis=(1, 2))], 0.005))
            each.append((np.median(log[..., DELTA]), log.mean(), log.std()))
        return np.array(each)  # (files, 3)

    real = statistics(REAL)
    received = np.median(statistics(data), axis=0)
    assert (real.min(axis=0) <= received).all() and (received <= real.max(axis=0)).all()


# Votes


def test_votes_are_whole_panels_and_the_consensus_is_their_first_largest_count(train):
    votes = train[list(hms.VOTE_COLUMNS)].to_numpy()
    assert (votes >= 0).all() and votes.sum(axis=1).min() >= 1 and votes.sum(axis=1).max() <= 28
    assert not np.isin(votes.sum(axis=1), (8, 9)).any()
    assert train["expert_consensus"].tolist() == [hms.CONSENSUS_NAMES[i] for i in votes.argmax(axis=1)]


# Reproducible


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(tmp_path):
    for workers in (1, 2):
        simulate(
            tmp_path / str(workers), patients=1, seed=9, test_records=1, workers=workers, progress=False, single=True
        )
    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    assert len(digests(tmp_path / "1")) >= 8


def test_eegs_alone_are_those_of_the_same_plan_without_spectrograms(tmp_path):
    options = {"patients": 2, "seed": 9, "test_records": 1, "progress": False, "single": True}
    for workers in (1, 2):
        simulate(tmp_path / str(workers), workers=workers, eeg_alone=True, **options)
    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    recordings = plan(2, 1, 9, single=True)
    train = pd.read_csv(tmp_path / "1" / hms.TRAIN_TABLE)
    assert train["eeg_id"].tolist() == sorted(r.eegs[0].eeg_id for r in recordings[:2] for _ in r.eegs[0].offsets_s)
    for recording in recordings:
        eeg = recording.eegs[0]
        file = tmp_path / "1" / hms.eeg_folder(recording.split) / f"{eeg.eeg_id}.parquet"
        assert pq.read_metadata(file).num_rows == eeg.length_s * hms.EEG_RATE_HZ
        assert not list((tmp_path / "1" / hms.spectrogram_folder(recording.split)).iterdir())


def test_an_eeg_alone_has_its_pattern_where_the_whole_recording_has_it(tmp_path, monkeypatch):
    """The pattern is here a large offset of Fp1 against the others, over seconds 30 to 40 of the EEG and their ramps."""
    offset = np.zeros((19, 1), np.float32)
    offset[0] = 300
    monkeypatch.setattr(eeg_module, "PATTERNS", {"periodic": lambda samples, *_: np.repeat(offset, samples, axis=1)})
    monkeypatch.setattr(eeg_module, "presence", lambda samples, *_: np.ones(samples, np.float32))
    for folder in (hms.eeg_folder("test"), hms.spectrogram_folder("test")):
        (tmp_path / folder).mkdir()
    recording = next(r for r in plan(0, 6, 4, balanced=True) if not r.gaps_s)
    from_s = hms.EEG_START_IN_SPECTROGRAM_S + 30
    episode = Episode(from_s, from_s + 10.0, (0.0, 0.0, 1.0, 0.0, 0.0, 0.0))
    (path,) = (tmp_path / hms.eeg_folder("test") / f"{eeg.eeg_id}.parquet" for eeg in recording.eegs)
    for write in (write_eegs, write_recording):
        write(tmp_path, replace(recording, episodes=(episode,)))
        eeg = pd.read_parquet(path)
        rise = (eeg["Fp1"] - eeg["Fp2"]).rolling(200, center=True).median()
        above = np.flatnonzero(rise > (rise.max() + rise.median()) / 2) / 200
        assert abs(np.median(above) - 35) < 2


def test_another_seed_gives_another_signal():
    (one,), (other,) = plan(0, 1, 3), plan(0, 1, 4)
    assert not np.array_equal(render(one)[:1000], render(other)[:1000], equal_nan=True)


@pytest.mark.slow
def test_a_test_split_alone_and_a_train_split_alone_can_be_made(tmp_path):
    simulate(tmp_path / "test", patients=0, seed=1, test_records=1, workers=1, progress=False)
    assert len(pd.read_csv(tmp_path / "test" / hms.TRAIN_TABLE)) == 0
    assert len(pd.read_csv(tmp_path / "test" / hms.TEST_TABLE)) == 1
    simulate(tmp_path / "train", patients=1, seed=5, test_records=0, workers=1, progress=False, single=True)
    assert len(pd.read_csv(tmp_path / "train" / hms.TRAIN_TABLE)) > 0
    assert len(pd.read_csv(tmp_path / "train" / hms.TEST_TABLE)) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patients": 0}, "0 patients and 0 test records"),
        ({"patients": -1}, "-1 patients"),
        ({"patients": 0, "test_records": 0}, "0 test records"),
        ({"patients": 2, "test_records": -1}, "-1 test records"),
        ({"patients": 60_001}, "60000"),
        ({"seed": -1}, "received -1"),
        ({"workers": 0}, "received 0"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        simulate(tmp_path / "out", **{"patients": 1, "seed": 0, "progress": False, **arguments})
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_or_a_file_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for out, message in ((tmp_path, "mine.txt"), (tmp_path / "mine.txt", "found a file")):
        with pytest.raises(InputError, match=message):
            simulate(out, patients=1, seed=0, progress=False)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a place for a folder"):
        simulate(tmp_path / "file" / "below", patients=0, seed=0, test_records=1, workers=1, progress=False)


@pytest.mark.slow
def test_a_file_that_cannot_be_written_whole_is_one_line_and_nothing_looks_whole(tmp_path: Path, hbac) -> None:
    """A limit on the size of a file stands for a full disk: it reaches the processes that write."""
    out, most = tmp_path / "data", 100_000  # bytes; an EEG file has ten times as many

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    done = hbac(
        "simulate", out, "--patients", 0, "--test-records", 1, "--seed", 1, "--workers", 1, "--quiet", preexec_fn=limit
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "expected a place to write to" in done.stderr and ".parquet" in done.stderr
    assert out.is_dir() and not [path for path in out.rglob("*") if path.is_file()]


def test_the_tables_are_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: bytes) -> None:
        if path.name == hms.TRAIN_TABLE:
            raise OutputError(f"{path}: the disk is full")
        write_atomically(path, content)

    monkeypatch.setattr("hbac.simulation.dataset.write_atomically", refuse)
    with pytest.raises(OutputError, match=hms.TRAIN_TABLE):
        simulate(tmp_path / "data", patients=0, seed=1, test_records=1, workers=1, progress=False)
    assert files(tmp_path / "data", "eeg", "test") and files(tmp_path / "data", "spectrogram", "test")
    assert not (tmp_path / "data" / hms.TEST_TABLE).exists()


def test_the_spectrogram_file_is_that_of_the_eeg_file_where_both_have_whole_frames(data, train):
    """Row 138 of a spectrogram window is the first whose 4 s lie inside the EEG; two frames at each edge may differ."""
    agree = []
    for eeg_id, group in train.groupby("eeg_id"):
        first = group.iloc[0]
        eeg = pd.read_parquet(data / hms.eeg_folder("train") / f"{eeg_id}.parquet").to_numpy()
        if first.spectrogram_label_offset_seconds % 2 or np.isnan(eeg).any():
            continue
        rebuilt = host_spectrogram(eeg)[2:-2]
        path = data / hms.spectrogram_folder("train") / f"{first.spectrogram_id}.parquet"
        start = 138 + int(first.spectrogram_label_offset_seconds) // 2 + 2
        written = pd.read_parquet(path).iloc[start : start + len(rebuilt), 1:].to_numpy()
        agree.append(np.abs(rebuilt - written) <= np.maximum(0.0051, 0.01 * written))
    assert len(agree) >= PATIENTS and np.mean([cells.mean() for cells in agree]) > 0.998


def test_the_electrode_columns_of_a_file_are_microvolts_of_a_plausible_size(data):
    for path in (path for split in ("train", "test") for path in files(data, "eeg", split)):
        eeg = pd.read_parquet(path).dropna()
        assert 3 < eeg[list(hms.ELECTRODES)].std().median() < 200


def test_every_column_of_a_table_is_readable_by_pyarrow_without_pandas(data):
    table = pq.read_table(files(data, "eeg", "test")[0])
    assert {field.type for field in table.schema} == {pa.float32()}
