"""Folds written for another class mix answer as Bayes' rule says, by an engine and by default."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers_folds import write_random_folds

from hbac import hms
from hbac.adaptation.mix import shares_named, write_for_mix
from hbac.cli import main
from hbac.ensemble.calibrated import Ensemble
from hbac.ensemble.prior import for_prior
from hbac.errors import InputError, OutputError
from hbac.network.tensorflow_engine import TensorFlowEngine
from hbac.weights.manifest import read_manifest

pytestmark = pytest.mark.usefixtures("shallow_network")
MIX = {"seizure": 1, "lpd": 2, "gpd": 3, "lrda": 4, "grda": 5, "other": 5}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory, shallow_network: None) -> Path:
    return write_random_folds(tmp_path_factory.mktemp("parent"), width=4, folds=1, temperature=1.7)


def answers(manifest: Path, images: np.ndarray) -> np.ndarray:
    read = read_manifest(manifest)
    ensemble = Ensemble(read, TensorFlowEngine(read.network))
    return np.concatenate([ensemble.predict(image[None]) for image in images]).astype(np.float64)


@pytest.mark.parametrize("mix", ["competition", "uniform", "file"])
def test_answers_are_those_of_bayes_rule_for_the_mix(parent: Path, tmp_path: Path, mix: str) -> None:
    (tmp_path / "file").write_text(json.dumps(MIX))
    output = tmp_path / "out"
    written = write_for_mix(parent, str(tmp_path / "file") if mix == "file" else mix, output)
    shares = {
        "competition": np.array(hms.MEAN_VOTE),
        "uniform": np.full(6, 1 / 6),
        "file": np.array(list(MIX.values())) / 20,
    }[mix]
    before, after = read_manifest(parent), read_manifest(written)
    np.testing.assert_allclose(after.training_prior, shares, atol=1e-6)
    np.testing.assert_allclose(after.class_prior, shares, atol=1e-6)
    assert after.temperature == before.temperature
    images = np.random.default_rng(0).normal(size=(3, *before.network.input_shape)).astype(np.float32)
    expected = for_prior(answers(parent, images), np.array(before.training_prior), shares)
    np.testing.assert_allclose(answers(written, images), expected, atol=3e-3)  # float16


def test_what_is_there_is_not_overwritten(parent: Path, tmp_path: Path) -> None:
    write_for_mix(parent, "uniform", tmp_path)
    with pytest.raises(OutputError, match="never overwritten"):
        write_for_mix(parent, "competition", tmp_path)


def test_a_mix_that_is_none_is_refused(parent: Path, tmp_path: Path) -> None:
    (tmp_path / "mix.json").write_text(json.dumps({**MIX, "seizure": -1}))
    with pytest.raises(InputError, match="above 0, up to .*, received -1"):
        shares_named(str(tmp_path / "mix.json"))
    with pytest.raises(InputError, match="competitoin"):
        shares_named("competitoin")
    assert main(["weights", "prior", str(parent), str(tmp_path / "mix.json"), "--output", str(tmp_path / "out")]) != 0
    assert not (tmp_path / "out").exists()


def test_a_training_prior_that_cannot_be_divided_by_is_refused(parent: Path, tmp_path: Path) -> None:
    document = json.loads(parent.read_text())
    document |= {"schema": 1, "class_prior": [0.0, 0.2, 0.2, 0.2, 0.2, 0.2]}
    document.pop("training_prior")
    for file in parent.parent.glob("*.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / parent.name).write_text(json.dumps(document))
    with pytest.raises(InputError, match="each class above 0, received \\[0.0, "):
        write_for_mix(tmp_path / parent.name, "uniform", tmp_path / "out")
    assert not (tmp_path / "out").exists()
