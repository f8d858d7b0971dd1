"""A long simulated recording: an EDF file that others read, whose patterns are where its table says."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hbac
from hbac.cli import main
from hbac.hms import CLASSES, EEG_COLUMNS
from hbac.preprocessing.montage import bipolar
from hbac.simulation import long_recording
from hbac.simulation.long_recording import pieces, plan_recording, simulate_recording, truth_tsv
from hbac.simulation.patient import Episode

HOURS_S = 3600


@pytest.fixture(scope="module")
def plans() -> list[long_recording.LongRecording]:
    return [plan_recording(6 * HOURS_S, np.random.default_rng(seed)) for seed in range(30)]


def test_episodes_follow_each_other_and_lie_within(plans: list[long_recording.LongRecording]) -> None:
    for plan in plans:
        times = [time for episode in plan.episodes for time in (episode.start_s, episode.stop_s)]
        assert times == sorted(times)
        assert times[0] > 0
        assert times[-1] <= plan.length_s


def test_each_pattern_is_somewhere_and_seizures_come_about_every_hour(
    plans: list[long_recording.LongRecording],
) -> None:
    kinds = [CLASSES[int(np.argmax(episode.mixture))] for plan in plans for episode in plan.episodes]
    assert set(kinds) == set(CLASSES[:-1])
    assert 0.6 < kinds.count("seizure") / (len(plans) * 6) < 1.4
    assert all(max(episode.mixture) >= 0.75 for plan in plans for episode in plan.episodes)


def test_pieces_are_cut_beside_patterns_where_that_can_be(plans: list[long_recording.LongRecording]) -> None:
    cuts = [(plan, cut) for plan in plans for cut in long_recording._cuts(plan)[1:-1]]
    inside = [any(one.start_s < cut < one.stop_s for one in plan.episodes) for plan, cut in cuts]
    assert np.mean(inside) < 0.2
    for plan in plans:
        lengths = np.diff([0, *long_recording._cuts(plan)[1:]])
        assert lengths.min() >= 60
        assert lengths.max() <= 420


@pytest.mark.parametrize("length_s", [60, 419, 421, 450, 700, 841])
def test_pieces_of_any_length_add_up(length_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_recording(length_s, np.random.default_rng(1))
    monkeypatch.setattr(long_recording, "synthesise", lambda seconds, *_: np.full((seconds * 200, 20), 2.0, np.float32))
    whole = np.concatenate(list(pieces(plan, np.random.default_rng(0))))
    assert whole.shape == (length_s * 200, 20)
    assert whole.min() >= 2.0 - 1e-6  # the power of two that fade into each other is kept
    assert whole.max() <= 2 * 2**0.5 + 1e-6


def test_a_pattern_is_there_between_its_times_across_a_cut_and_fades_at_both_ends() -> None:
    mixture = tuple(1.0 if name == "gpd" else 0.0 for name in CLASSES)
    of_pattern = {"strength": 1.6, "predominance": "even", "morphology": "spike-wave", "stillness": 0.0}
    quiet = {"delta_log_power": -1.0, "tonic": -6.0, "muscle": 0.0, "vigilance": "asleep"}
    patient = replace(plan_recording(500, np.random.default_rng(11)).patient, **of_pattern, **quiet)
    plan = long_recording.LongRecording(500, patient, (Episode(250.0, 480.0, mixture),))
    assert long_recording._cuts(plan) == [0, 380, 500]
    eeg = np.concatenate(list(pieces(plan, np.random.default_rng(0))))
    level = np.median(bipolar(eeg).reshape(16, -1, 2000).std(axis=2), axis=0)  # of each 10 s
    before, during, after = np.median(level[:22]), level[27:46], level[48:]
    assert np.median(during) > 1.5 * before
    assert during.min() > 1.1 * before
    assert after.max() < 1.3 * before


def test_a_file_is_read_by_edfio_and_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    edfio = pytest.importorskip("edfio")
    paths = [tmp_path / name for name in ("a.edf", "b.edf", "c.edf")]
    for path, seed in zip(paths, (3, 3, 4)):
        assert simulate_recording(path, 60, seed, progress=False) == path.with_name(f"{path.stem}_truth.tsv")
    assert paths[0].read_bytes() == paths[1].read_bytes() != paths[2].read_bytes()
    file = edfio.read_edf(paths[0])
    assert [label.split()[-1].removesuffix("-REF") for label in file.labels] == list(EEG_COLUMNS)
    assert file.duration == 60
    assert 1 < np.std(file.signals[3].data) < 500


def test_the_table_tells_each_episode() -> None:
    plan = plan_recording(2 * HOURS_S, np.random.default_rng(2))
    rows = list(csv.DictReader(io.StringIO(truth_tsv(plan).decode()), delimiter="\t"))
    assert len(rows) == len(plan.episodes) > 0
    for row, episode in zip(rows, plan.episodes):
        assert float(row["onset"]) == pytest.approx(episode.start_s, abs=0.01)
        assert float(row["onset"]) + float(row["duration"]) == pytest.approx(episode.stop_s, abs=0.02)
        assert row["pattern"] == max(CLASSES, key=lambda name: float(row[name]))


@pytest.mark.parametrize(
    "output, length_s, seed, message",
    [
        ("x.bdf", 60, 0, "expected a name ending in .edf"),
        ("x.edf", 59, 0, "expected 60 to 1209600 whole seconds, received 59"),
        ("x.edf", 60.5, 0, "received 60.5"),
        ("x.edf", 60, -1, "seed: expected 0 or more"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path: Path, output: str, length_s: float, seed: int, message: str) -> None:
    with pytest.raises(hbac.InputError, match=message):
        simulate_recording(tmp_path / output, length_s, seed, progress=False)
    assert not list(tmp_path.iterdir())


def test_the_command_writes_a_recording_or_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "night.edf"
    assert main(["simulate", "--recording", "1m", "--output", str(output), "--quiet"]) == 0
    assert (
        capsys.readouterr().out == f"{output}: a simulated recording; its episodes in {tmp_path / 'night_truth.tsv'}\n"
    )
    assert main(["simulate", "--recording", "1m", "--patients", "0"]) == 2
    assert "expected no option of a data set, received patients" in capsys.readouterr().err
    for arguments in (
        [],
        [str(tmp_path / "x")],
        ["--patients", "1"],
        [str(tmp_path / "x"), "--patients", "1", "--output", "y"],
    ):
        assert main(["simulate", *arguments]) == 2
        assert "simulate: expected OUT and --patients, or --recording" in capsys.readouterr().err
