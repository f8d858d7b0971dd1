"""A fold of families unlike ResNet50: trained, killed, resumed; its checkpoint gives what was predicted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers_folds import golden_variants
from safetensors.numpy import load_file

from hbac.network import eeg1d, efficientnet_v2
from hbac.network.families import FAMILIES, build, shapes
from hbac.network.settings import NetworkSettings
from hbac.preprocessing.presets import PRESETS
from hbac.training.cache import DIGEST
from hbac.training.fold import train_fold
from hbac.training.rows import TrainData
from hbac.training.schedule import Stage, TrainSettings
from hbac.training.state import FoldFiles
from hbac.weights.tensors import set_weights

TRAIN, VALID = np.arange(8), np.arange(8, 12)
SHALLOW = {  # of each family a block or two, which TensorFlow computes in a tenth of the time
    "efficientnetv2-b1": (efficientnet_v2, "STAGES", (efficientnet_v2.Stage(False, 2, 32, 3, 2),)),
    "eeg1d": (eeg1d, "STAGES", (eeg1d.Stage(64, 3, 1), eeg1d.Stage(64, 5, 1))),
}
pytestmark = [pytest.mark.usefixtures("eagerly"), pytest.mark.slow]


class Killed(Exception):
    """What stands for SIGKILL in these tests: the run ends between two lines of its log."""


@pytest.fixture(params=SHALLOW)
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TrainSettings:
    module, name, value = SHALLOW[request.param]
    monkeypatch.setattr(module, name, value)
    shape = PRESETS[FAMILIES[request.param].preset].shape
    return TrainSettings(
        network=NetworkSettings(width=8, dropout=0.2, input_shape=shape, family=request.param),
        stages=(Stage(1, 1e-3, fewest_votes=1), Stage(1, 3e-4, fewest_votes=10)),
        batch_size=4,
    )


def data_of(settings: TrainSettings) -> TrainData:
    rng = np.random.default_rng(0)
    preset = PRESETS[FAMILIES[settings.network.family].preset]
    inputs = preset.to_uint8(golden_variants(preset))  # type: ignore[arg-type]
    return TrainData(
        images=np.concatenate([inputs, inputs]),
        votes=rng.dirichlet(np.ones(6), 12).astype(np.float32),
        counts=np.tile(np.array([3, 15, 12], np.float32), 4),
        eeg_ids=np.arange(12),
        preprocessing=preset,
        sources=np.array([[f"eeg {i}", f"spectrogram {i}"] for i in range(12)], DIGEST),
    )


def test_a_killed_fold_goes_on_as_if_nothing_had_happened(settings: TrainSettings, tmp_path: Path) -> None:
    data = data_of(settings)
    whole, killed = (FoldFiles.named(tmp_path, name) for name in ("whole", "killed"))
    history = train_fold(data, TRAIN, VALID, settings, whole, 0, 10).history
    tensors = load_file(whole.checkpoint)
    assert {name: tensor.shape for name, tensor in tensors.items()} == shapes(settings.network)
    model = build(settings.network)
    set_weights(model, tensors)
    predicted = model(data.load(VALID), training=False).numpy()
    np.testing.assert_allclose(np.load(whole.predictions), predicted, atol=5e-3)  # the checkpoint is in float16

    def die(line: str) -> None:
        raise Killed

    with pytest.raises(Killed):
        train_fold(data, TRAIN, VALID, settings, killed, 0, 10, log=die)
    resumed = train_fold(data, TRAIN, VALID, settings, killed, 0, 10).history
    for received, expected in zip(resumed, history, strict=True):
        assert received == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("settings", ["eeg1d"], indirect=True)
def test_frozen_normalisation_stays_what_the_fold_started_from(settings: TrainSettings, tmp_path: Path) -> None:
    settings = replace(settings, stages=(Stage(1, 1e-3, fewest_votes=1),), freeze_normalisation=True)
    rng = np.random.default_rng(3)
    start = {name: rng.uniform(0.5, 1.0, shape).astype(np.float32) for name, shape in shapes(settings.network).items()}
    start |= {name: 0.05 * value for name, value in start.items() if name.endswith("kernel")}
    files = FoldFiles.named(tmp_path, "fold0")
    train_fold(data_of(settings), TRAIN, VALID, settings, files, 0, 10, start_weights=start)
    same = {
        name: np.array_equal(value, start[name].astype(np.float16))
        for name, value in load_file(files.checkpoint).items()
    }
    norms = {name.rsplit("/", 1)[0] for name in same if name.endswith("moving_mean")}
    frozen = [name for name in same if name.rsplit("/", 1)[0] in norms]
    assert len(frozen) > 20
    assert all(same[name] for name in frozen)
    assert not same["predictions/kernel"]
