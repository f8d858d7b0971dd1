"""A mixed ensemble: each member's folds as Keras computes them, then the weighted mean of the members."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers_folds import MIXED, golden_variants, write_mixed_folds
from scipy.special import softmax

from hbac.cli import main
from hbac.ensemble.calibrated import Ensemble, make_ensemble
from hbac.errors import OutputError, WeightsError
from hbac.network.families import build
from hbac.network.tensorflow_engine import TensorFlowEngine
from hbac.weights.checkpoints import load_fold, read_tensors
from hbac.weights.compose import Share, compose
from hbac.weights.manifest import Manifest, read_manifest
from hbac.weights.tensors import set_weights

pytestmark = pytest.mark.usefixtures("shallow_network")
IMAGES = {preset.preset: golden_variants(preset) for preset in MIXED}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, shallow_network: None) -> Path:
    """Two members of two folds, weighing 3 and 4, with temperatures of 1 and 1.3. Not to be changed."""
    return write_mixed_folds(tmp_path_factory.mktemp("mixed"))


@pytest.fixture(scope="module")
def ensemble(written: Path) -> Ensemble:
    return make_ensemble(read_manifest(written), "tensorflow")


@pytest.fixture(scope="module")
def by_keras(written: Path) -> list[np.ndarray]:
    """Of each member and fold what plain Keras computes, (folds, images, 6) logits."""
    import keras

    manifest = read_manifest(written)
    out = []
    for member in manifest.members:
        model = build(member.network)
        head = keras.Model(model.input, model.get_layer("predictions").output)
        logits = []
        for fold in member.folds:
            set_weights(model, load_fold(manifest, fold))
            logits.append(np.asarray(head(IMAGES[member.preprocessing.preset], training=False), np.float64))
        out.append(np.stack(logits))
    return out


def each_alone(ensemble: Ensemble, **options: object) -> np.ndarray:
    count = len(next(iter(IMAGES.values())))
    one = ({name: images[[i]] for name, images in IMAGES.items()} for i in range(count))
    return np.concatenate([ensemble.predict(images, **options) for images in one])  # type: ignore[arg-type]


def members_by(by_keras: list[np.ndarray], manifest: Manifest) -> list[np.ndarray]:
    """Each member's weighted mean over its folds."""
    return [
        np.average(softmax(logits / m.temperature, axis=-1), axis=0, weights=[fold.weight for fold in m.folds])
        for logits, m in zip(by_keras, manifest.members)
    ]


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_a_mixed_ensemble_s_answer_is_the_mean_of_keras_s_own(
    mean: str, ensemble: Ensemble, by_keras: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = replace(ensemble.manifest, mean=mean)
    monkeypatch.setattr(ensemble, "manifest", manifest)
    a, b = members_by(by_keras, manifest)
    expected = (3 * a + 4 * b) / 7 if mean == "arithmetic" else a ** (3 / 7) * b ** (4 / 7)
    expected = expected / expected.sum(axis=1, keepdims=True)
    assert np.abs(a - b).max() > 0.05  # one in the other's place would be seen
    np.testing.assert_allclose(each_alone(ensemble), expected, atol=5e-6)


def test_folds_are_numbered_over_all_members_and_weights_are_those_of_who_takes_part(
    ensemble: Ensemble, by_keras: list[np.ndarray]
) -> None:
    b = softmax(by_keras[1][0] / 1.3, axis=-1)
    np.testing.assert_allclose(each_alone(ensemble, folds=[2]), b, atol=5e-6)
    a = softmax(by_keras[0][1], axis=-1)
    np.testing.assert_allclose(each_alone(ensemble, folds=[1, 2]), (3 * a + 4 * b) / 7, atol=5e-6)


def test_a_member_without_an_image_takes_no_part_unless_it_is_asked_for(
    ensemble: Ensemble, by_keras: list[np.ndarray]
) -> None:
    starter = MIXED[1].preset
    images = {starter: IMAGES[starter][:1]}
    _, b = members_by(by_keras, ensemble.manifest)
    np.testing.assert_allclose(ensemble.predict(images), b[:1], atol=5e-6)
    with pytest.raises(WeightsError, match="a: expected an image of three-zooms-v2"):
        ensemble.predict(images, folds=[0, 2])
    with pytest.raises(WeightsError, match="expected a fold with an image"):
        ensemble.predict({})
    with pytest.raises(WeightsError, match="expected a manifest of one member, received a mixed one of 2: a, b"):
        ensemble.predict(IMAGES[starter])


def test_only_members_whose_preset_has_a_mirror_image_are_asked_for_it(
    ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = MIXED[1]
    mirrored = {p.preset: p.flip(IMAGES[p.preset][:1]) for p in MIXED}
    one = {name: images[:1] for name, images in IMAGES.items()}
    monkeypatch.setattr(type(starter), "flips", False)
    received = ensemble.predict(one, flip=True)
    a = (ensemble.predict(one, [0, 1]) + ensemble.predict(mirrored, [0, 1])) / 2
    np.testing.assert_allclose(received, (3 * a + 4 * ensemble.predict(one, [2, 3])) / 7, atol=5e-6)
    assert np.abs(received - ensemble.predict(one)).max() > 1e-4


def test_an_engine_for_each_member_is_expected(written: Path) -> None:
    manifest = read_manifest(written)
    with pytest.raises(WeightsError, match=r"expected an engine for each member, 2, received 1"):
        Ensemble(manifest, TensorFlowEngine(manifest.members[0].network))


def test_both_engines_give_a_mixed_ensemble_the_same_answers(ensemble: Ensemble) -> None:
    pytest.importorskip("openvino")
    other = make_ensemble(ensemble.manifest, "openvino")
    np.testing.assert_allclose(each_alone(other), each_alone(ensemble), atol=5e-5)  # heads of one feature are steep


@pytest.mark.parametrize("part", ["golden_image", "golden"])
def test_a_member_that_answers_otherwise_is_named(part: str, written: Path, tmp_path: Path) -> None:
    document = json.loads(written.read_text())
    member = document["members"][1]
    if part == "golden":
        member["folds"][1]["golden"] = [1 / 6] * 6
    else:
        member["golden_image"][0][3][3] += 0.01
    wrong = written.with_name("wrong.json")
    wrong.write_text(json.dumps(document))
    with pytest.raises(WeightsError, match="b_fold1.safetensors: expected" if part == "golden" else "b: golden_image"):
        make_ensemble(read_manifest(wrong), "tensorflow")


def test_verify_names_the_members(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(written)]) == 0
    said = capsys.readouterr().out
    assert "a: three-zooms-v2, width 1, temperature 1, weight 3\na/a_fold0.safetensors: " in said
    assert "b: starter-v1, width 1, temperature 1.3, weight 4\nb/b_fold0.safetensors: " in said
    assert "4 folds of 2 members, arithmetic mean, files and answers as stated" in said


def test_a_member_s_fold_is_exported_by_its_name(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fold.keras"
    command = ["weights", "export", str(written), str(out), "--fold", "1"]
    assert main(command) == 2
    assert "--member: expected one of a, b, received none" in capsys.readouterr().err
    assert main([*command, "--member", "b"]) == 0
    manifest = read_manifest(written)
    expected = load_fold(manifest, manifest.members[1].folds[1])
    received = read_tensors(out, manifest.members[1].network)
    assert all(np.array_equal(received[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    "command", [["adapt", "--data", "DIR", "--output", "OUT"], ["weights", "prior", "uniform", "--output", "OUT"]]
)
def test_what_is_of_one_member_refuses_a_mixed_manifest_in_one_line(
    command: list[str], written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "DIR").mkdir()
    words = [str(tmp_path / word) if word in ("DIR", "OUT") else word for word in command]
    at = 2 if command[0] == "weights" else 1
    assert main([*words[:at], str(written), *words[at:]]) == 2
    said = capsys.readouterr().err
    assert "expected a manifest of one member, received a mixed one of 2: a, b" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "OUT").exists()


def test_nothing_is_composed_over_what_is_there_or_of_what_is_mixed(written: Path, tmp_path: Path) -> None:
    manifest = read_manifest(written)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    with pytest.raises(OutputError, match="not there yet or empty"):
        compose([], tmp_path / "there", "t")
    share = Share("x", manifest, 1.0)
    for shares, said in (
        ([share], "mixed one of 2"),
        ([share, share], "each once"),
        ([replace(share, name="../x")], "plain"),
    ):
        with pytest.raises(WeightsError, match=said):
            compose(shares, tmp_path / "new", "t")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
