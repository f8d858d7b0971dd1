"""One fold's training on a handful of images: stages, schedule, the best epoch, and going on after a kill."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers_folds import golden_variants
from safetensors.numpy import load_file

from hbac.errors import HbacError, InputError
from hbac.network.families import build, shapes
from hbac.network.settings import HEAD, NetworkSettings
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.training.batches import epoch_batches
from hbac.training.cache import DIGEST
from hbac.training.fold import train_fold
from hbac.training.metrics import kl_divergence
from hbac.training.out_of_fold import collect, evaluate
from hbac.training.rows import TrainData
from hbac.training.schedule import EpochBudget, Stage, TrainSettings, ViewSettings
from hbac.training.state import FoldFiles, read_state
from hbac.training.views_of_zooms import drop_eeg, drop_spectrogram
from hbac.weights.tensors import set_weights

PREPROCESSING = PRESETS[THREE_ZOOMS]
SETTINGS = TrainSettings(
    network=NetworkSettings(width=8, dropout=0.2),
    stages=(Stage(2, 1e-3, fewest_votes=1), Stage(2, 3e-4, fewest_votes=10)),
    batch_size=4,
)
TRAIN, VALID = np.arange(8), np.arange(8, 12)
pytestmark = [pytest.mark.usefixtures("shallow_network"), pytest.mark.slow]  # TensorFlow traces each run anew


@pytest.fixture(scope="module")
def data() -> TrainData:
    rng = np.random.default_rng(0)
    images = PREPROCESSING.to_uint8(golden_variants(PREPROCESSING))  # 6
    return TrainData(
        images=np.concatenate([images, images]),
        votes=rng.dirichlet(np.ones(6), 12).astype(np.float32),
        counts=np.tile(np.array([3, 15, 12], np.float32), 4),
        eeg_ids=np.array([1, 1, 2, 3, 3, 3, 4, 5, 6, 6, 6, 7]),
        preprocessing=PREPROCESSING,
        sources=np.array([[f"eeg {i}", f"spectrogram {i}"] for i in range(12)], DIGEST),
    )


def files_in(folder: Path) -> FoldFiles:
    folder.mkdir(exist_ok=True)
    return FoldFiles.named(folder, "fold0")


@pytest.fixture(scope="module")
def whole(data: TrainData, tmp_path_factory: pytest.TempPathFactory):
    """An uninterrupted run: its files and its progress."""
    files = files_in(tmp_path_factory.mktemp("whole"))
    return files, train_fold(data, TRAIN, VALID, SETTINGS, files, 0, 10)


class Killed(Exception):
    """What stands for SIGKILL in these tests: the run ends between two lines of its log."""


def test_the_learning_rate_warms_up_and_falls_to_zero_in_each_stage(whole) -> None:
    history = whole[1].history
    assert [epoch["stage"] for epoch in history] == [0, 0, 1, 1]
    rates = [epoch["learning_rate"] for epoch in history]
    assert rates[0] == pytest.approx(1e-3 / 2)  # half-way down the cosine
    assert rates[1] == pytest.approx(0, abs=1e-9)
    assert rates[3] == pytest.approx(0, abs=1e-9)
    assert 0 < rates[2] < 3e-4


def test_the_checkpoint_and_its_answers_are_those_of_the_best_epoch(whole, data: TrainData) -> None:
    files, progress = whole
    answers = np.load(files.predictions)
    scored = data.counts[VALID] >= 10
    weights = data.eeg_weights(VALID[scored])
    kl = np.average(kl_divergence(data.votes[VALID], answers)[scored], weights=weights)
    assert kl == pytest.approx(min(epoch["kl"] for epoch in progress.history), rel=1e-6)
    assert progress.best_kl == pytest.approx(kl, rel=1e-6)
    tensors = load_file(files.checkpoint)
    assert {name: tensor.shape for name, tensor in tensors.items()} == shapes(SETTINGS.network)
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}


@pytest.mark.parametrize("epochs", [2, 3])  # between the stages, and in the middle of the second
def test_a_killed_run_goes_on_as_if_nothing_had_happened(epochs: int, whole, data: TrainData, tmp_path: Path) -> None:
    files, lines = files_in(tmp_path / "killed"), []

    def die(line: str) -> None:
        lines.append(line)
        if len(lines) == epochs:
            raise Killed

    with pytest.raises(Killed):
        train_fold(data, TRAIN, VALID, SETTINGS, files, 0, 10, log=die)
    assert {name.split("/")[0] for name in read_state(files.state)[1]} == {"model", "optimizer"}
    went_on: list[str] = []
    resumed = train_fold(data, TRAIN, VALID, SETTINGS, files, 0, 10, log=went_on.append)
    assert len(went_on) == 4 - epochs  # what was done is not done again
    for received, expected in zip(resumed.history, whole[1].history, strict=True):
        assert received == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(np.load(files.predictions), np.load(whole[0].predictions), atol=1e-3)
    assert not read_state(files.state)[1]  # a finished fold keeps no tensors in its state


def test_a_finished_run_is_left_as_it_is(whole, data: TrainData) -> None:
    files, progress = whole
    before = files.state.read_bytes()
    again = train_fold(data, TRAIN, VALID, SETTINGS, files, 0, 10, log=lambda line: pytest.fail(line))
    assert again == progress
    assert files.state.read_bytes() == before


def test_without_time_no_epoch_is_begun(data: TrainData, tmp_path: Path) -> None:
    lines: list[str] = []
    budget = EpochBudget(0.0)
    progress = train_fold(
        data, TRAIN, VALID, SETTINGS, files_in(tmp_path / "late"), 0, 10, budget=budget, log=lines.append
    )
    assert progress.epochs_done == 0
    assert lines == ["fold 0: no time for epoch 1 of 4"]
    assert not list((tmp_path / "late").iterdir())


def test_a_fold_starts_from_given_weights_and_with_a_head_of_its_own(data: TrainData, tmp_path: Path, whole) -> None:
    """At a learning rate of 0 what the fold ends with is what it started from."""
    other = load_file(whole[0].checkpoint)
    start = {name: value for name, value in other.items() if not name.startswith(HEAD)}
    settings = replace(SETTINGS, stages=(Stage(1, 0.0, 1),))
    files = files_in(tmp_path / "start")
    train_fold(data, TRAIN, VALID, settings, files, 0, 10, start_weights=start)
    ended = load_file(files.checkpoint)
    learned = [name for name in start if not name.endswith(("moving_mean", "moving_variance"))]
    assert len(learned) == 20  # kernel, bias, gamma and beta of five convolutions
    for name in learned:
        np.testing.assert_array_equal(ended[name], start[name], err_msg=name)
    assert not np.array_equal(ended[f"{HEAD}/kernel"], other[f"{HEAD}/kernel"])


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_normalisation_stays_as_the_start_has_it(frozen: bool, data: TrainData, tmp_path: Path, whole) -> None:
    start = load_file(whole[0].checkpoint)
    settings = replace(SETTINGS, stages=(Stage(1, 1e-3, 1),), freeze_normalisation=frozen)
    files = files_in(tmp_path / "start")
    train_fold(data, TRAIN, VALID, settings, files, 0, 10, start_weights=start)
    ended = load_file(files.checkpoint)
    kept = {name for name in start if np.array_equal(ended[name], start[name])}
    normalisation = {name for name in start if "_bn/" in name}
    assert len(normalisation) == 20
    assert not any(name.endswith("kernel") for name in kept)
    assert normalisation <= kept if frozen else not normalisation & kept
    model = build(settings.network)
    set_weights(model, {name: value.astype(np.float32) for name, value in ended.items()})
    answers = model.predict_on_batch(data.load(VALID))  # what chose the epoch is what inference will see
    np.testing.assert_allclose(np.load(files.predictions), answers, atol=1e-2)  # in float16


def test_no_validation_row_is_seen_in_training(whole, data: TrainData, tmp_path: Path) -> None:
    """With other images and votes at the validation rows the network learns the same, and is scored otherwise."""
    images, votes = data.images.copy(), data.votes.copy()
    images[VALID] = np.random.default_rng(1).integers(0, 256, images[VALID].shape, np.uint8)
    votes[VALID] = np.eye(6, dtype=np.float32)[0]
    changed = replace(data, images=images, votes=votes)
    progress = train_fold(changed, TRAIN, VALID, SETTINGS, files_in(tmp_path / "other"), 0, 10)
    for received, expected in zip(progress.history, whole[1].history, strict=True):
        assert received["loss"] == pytest.approx(expected["loss"], rel=1e-3)  # as equal as two runs of TensorFlow are
        assert received["kl"] != pytest.approx(expected["kl"], rel=1e-2)


def test_a_stage_on_every_second_row_is_scored_on_whole_images(data: TrainData, tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    class Watched(TrainData):
        def load(self, rows):  # type: ignore[no-untyped-def]
            seen.append((len(rows), *super().load(rows).shape[1:]))
            return super().load(rows)

    watched = Watched(**{name: getattr(data, name) for name in data.__dataclass_fields__})
    settings = replace(SETTINGS, stages=(Stage(1, 1e-3, 1, row_step=2), Stage(0, 3e-4, 10)))
    files = files_in(tmp_path / "half")
    progress = train_fold(watched, TRAIN, VALID, settings, files, 0, 10)
    assert np.isfinite(progress.history[0]["kl"])
    assert {shape[1:] for shape in seen} == {(400, 300, 3)}
    assert sum(shape[0] for shape in seen) >= len(VALID)
    batch = epoch_batches(data, TRAIN, 4, ViewSettings(0, 0, 0, 0, 0), 0.0, 2, np.random.default_rng(0))[0]
    assert batch[0].shape == (4, 200, 300, 3)


def test_mixed_precision_keeps_its_weights_in_float32(data: TrainData, tmp_path: Path) -> None:
    import keras

    settings = replace(SETTINGS, stages=(Stage(1, 1e-3, 1), Stage(0, 3e-4, 10)), precision="mixed_float16")
    files = files_in(tmp_path / "mixed")
    progress = train_fold(data, TRAIN, VALID, settings, files, 0, 10)
    assert np.isfinite(progress.history[0]["loss"])
    assert keras.config.dtype_policy().name == "float32"  # as it was before
    np.testing.assert_allclose(np.load(files.predictions).sum(axis=1), 1, atol=1e-5)


def test_answers_to_half_a_record_are_those_of_the_best_epoch(whole, data: TrainData) -> None:
    files, _ = whole
    model = build(SETTINGS.network)
    set_weights(model, load_file(files.checkpoint))
    images = data.load(VALID)
    for views, received in zip((drop_spectrogram, drop_eeg), np.load(files.partial), strict=True):
        expected = model.predict(views(images, PREPROCESSING), verbose=0)
        np.testing.assert_allclose(received, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["spectrograms8-v1", "starter-v1"])
def test_a_fold_of_another_preset_answers_from_one_file_where_it_reads_two(name: str, data, tmp_path: Path) -> None:
    preset = PRESETS[name]
    images = preset.to_uint8(golden_variants(preset))
    data = replace(data, images=np.concatenate([images, images]), preprocessing=preset)
    network = NetworkSettings(width=8, input_shape=preset.shape)
    settings = replace(SETTINGS, network=network, stages=(Stage(1, 1e-3, 1), Stage(0, 3e-4, 10)))
    files = files_in(tmp_path / name)
    train_fold(data, TRAIN, VALID, settings, files, 0, 10)
    result = evaluate(data, collect([files], [(TRAIN, VALID)], data.sources))
    assert np.isfinite(result.metrics["all rows"]["kl"])
    if name == "starter-v1":
        assert not files.partial.exists()
        assert list(result.metrics) == ["10 votes or more", "all rows"]
        return
    model = build(network)
    set_weights(model, load_file(files.checkpoint))
    hidden = data.load(VALID)
    hidden[..., 4:] = 1  # without an EEG
    np.testing.assert_allclose(np.load(files.partial)[1], model.predict(hidden, verbose=0), atol=1e-5)
    assert "10 votes or more, spectrogram alone" in result.metrics


def test_a_fold_that_learns_nothing_finite_says_so(data: TrainData, tmp_path: Path) -> None:
    votes = data.votes.copy()
    votes[TRAIN] = np.nan
    with pytest.raises(HbacError, match="expected a finite KL, received nan in epoch 1"):
        train_fold(replace(data, votes=votes), TRAIN, VALID, SETTINGS, files_in(tmp_path / "nan"), 0, 10)


def test_a_fold_of_other_rows_is_refused(whole, data: TrainData) -> None:
    with pytest.raises(InputError, match="other rows"):
        train_fold(data, TRAIN[1:], VALID, SETTINGS, whole[0], 0, 10)
