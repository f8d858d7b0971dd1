"""Folds to probabilities: by hand from Keras's own logits, to the byte whatever the order, and refused when changed."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from conftest import package_folder
from helpers_folds import SHALLOW, golden_variants, needs_names, random_tensors, shallow_family, write_random_folds

from hbac.ensemble.calibrated import Ensemble, check_preprocessing
from hbac.errors import HbacError, WeightsError
from hbac.files import sha256_of
from hbac.network.engine import AUTO, BY_NAME, make_engine, softmax
from hbac.network.families import build
from hbac.network.settings import HEAD, NetworkSettings
from hbac.network.tensorflow_engine import TensorFlowEngine
from hbac.preprocessing.golden import golden_image, probe
from hbac.preprocessing.presets import PRESETS, STARTER
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.weights.checkpoints import Checkpoint, load_fold, new_manifest
from hbac.weights.keras_files import export_keras
from hbac.weights.manifest import MANIFEST_NAME, Fold, Manifest, Member, read_manifest, write_manifest
from hbac.weights.tensors import set_weights, write_safetensors

NET = NetworkSettings(width=8)
TEMPERATURE = 1.7
WEIGHTS = (1.0, 0.25, 3.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three random folds of unequal weight and a temperature; not to be changed."""
    folder = tmp_path_factory.mktemp("ensemble")
    write_random_folds(folder, width=8, folds=3, seed=7, temperature=TEMPERATURE, weights=WEIGHTS)
    return folder


@pytest.fixture(scope="module")
def manifest(folder):
    return read_manifest(folder / MANIFEST_NAME)


@pytest.fixture(scope="module")
def ensemble(manifest):
    return Ensemble(manifest, TensorFlowEngine(manifest.network))


@pytest.fixture(scope="module")
def images():
    return golden_variants(PRESETS[THREE_ZOOMS])


@pytest.fixture(scope="module")
def keras_logits(manifest, images):
    """Logits by the plain Keras network with its normalisation layers: a function of images, (folds, batch, 6)."""
    model = build(manifest.network)
    head = keras.Model(model.input, model.get_layer(HEAD).output)

    def logits(images):
        out = []
        for fold in manifest.folds:
            set_weights(model, load_fold(manifest, fold))
            out.append(np.asarray(head(images, training=False), np.float64))
        return np.stack(out)

    return logits


def by_hand(logits, weights=WEIGHTS, temperature=TEMPERATURE):
    """Weighted mean over folds of exp(z/T) / sum exp(z/T), in float64."""
    exponentials = np.exp(logits / temperature)
    each = exponentials / exponentials.sum(axis=2, keepdims=True)
    return np.average(each, axis=0, weights=weights)


def predict_one_by_one(ensemble, images, **options):
    return np.concatenate([ensemble.predict(image[None], **options) for image in images])


# --- what is computed


def test_probabilities_are_the_weighted_mean_of_calibrated_folds(ensemble, images, keras_logits):
    expected = by_hand(keras_logits(images))
    received = predict_one_by_one(ensemble, images)
    assert received.dtype == np.float64
    assert np.ptp(expected, axis=0).min() > 0.02  # the images differ in every class
    np.testing.assert_allclose(received, expected, atol=5e-6)
    np.testing.assert_allclose(received.sum(axis=1), 1, atol=1e-12)
    assert ((received > 0) & (received < 1)).all()


def test_weights_and_temperature_and_folds_matter(ensemble, images, keras_logits):
    """The right answer is far from what forgotten weights, a forgotten temperature or a forgotten fold would give."""
    logits = keras_logits(images)
    right = by_hand(logits)
    for wrong in (
        by_hand(logits, weights=(1, 1, 1)),
        by_hand(logits, temperature=1.0),
        by_hand(logits, temperature=1 / TEMPERATURE),
        by_hand(logits[:2], weights=WEIGHTS[:2]),
        by_hand(logits.mean(axis=0, keepdims=True), weights=(1,)),
    ):
        assert np.abs(wrong - right).max() > 1e-3


@pytest.mark.parametrize("chosen", [(0,), (2,), (0, 2), (1, 0)])
def test_chosen_folds_answer_alone(ensemble, images, keras_logits, chosen):
    expected = by_hand(keras_logits(images[:1])[list(chosen)], weights=[WEIGHTS[i] for i in chosen])
    np.testing.assert_allclose(
        ensemble.predict(images[:1], folds=chosen), expected, atol=5e-6
    )  # 2.2e-6 with TensorFlow 2.17 and 2.21


def test_the_flip_is_averaged_over_exchanged_chains(ensemble, images, keras_logits):
    """Rows run over LL, RL, LP, RP: left and right change places by hundreds of rows."""
    order = np.r_[100:200, 0:100, 300:400, 200:300]
    flipped = images[:, order]
    assert np.abs(flipped - images).max() > 0.5
    expected = (by_hand(keras_logits(images)) + by_hand(keras_logits(flipped))) / 2
    received = predict_one_by_one(ensemble, images, flip=True)
    np.testing.assert_allclose(received, expected, atol=5e-6)
    np.testing.assert_allclose(received.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(predict_one_by_one(ensemble, flipped, flip=True), received, atol=5e-6)


def test_softmax_by_hand_and_at_the_edges():
    np.testing.assert_allclose(softmax(np.log([[1, 2, 3, 4.0]])), [[0.1, 0.2, 0.3, 0.4]], atol=1e-15)
    np.testing.assert_allclose(softmax(np.log([1, 4.0]), 2.0), [1 / 3, 2 / 3], atol=1e-15)
    large = softmax(np.array([[1e4, 0, -1e4]], np.float32))
    np.testing.assert_array_equal(large, [[1, 0, 0]])
    assert softmax(np.zeros((2, 3, 6), np.float16)).dtype == np.float64


def test_the_engine_gives_the_networks_logits_in_float32(ensemble, images, keras_logits):
    expected = keras_logits(images[:2])
    for fold in range(3):
        received = np.concatenate([ensemble.engine.logits(fold, image[None]) for image in images[:2]])
        assert received.dtype == np.float32
        np.testing.assert_allclose(received, expected[fold], rtol=2e-5, atol=2e-5)


def test_the_engine_states_what_decides_its_last_bits(manifest):
    engine = TensorFlowEngine(manifest.network, batch_size=7, streams=3)
    assert "tensorflow 2." in engine.description
    assert "GPUs" in engine.description
    if " 0 GPUs" in engine.description:
        assert (engine.streams, engine.batch_size) == (3, 1)
    else:
        assert (engine.streams, engine.batch_size) == (1, 7)


def test_openvino_answers_as_tensorflow_does_and_loads_none_of_it(ensemble, manifest, folder, images):
    pytest.importorskip("openvino")
    code = (
        "import sys; from pathlib import Path; import numpy as np; from hbac.network.engine import make_engine; "
        "from hbac.ensemble.calibrated import Ensemble; from hbac.weights.manifest import read_manifest; "
        "manifest = read_manifest(Path(sys.argv[1])); "
        "answers = Ensemble(manifest, make_engine('openvino', manifest.network)).predict(np.load(sys.argv[2])); "
        "np.save(sys.argv[2], answers); print(*sys.modules)"
    )
    np.save(folder / "answers.npy", images)
    command = [sys.executable, "-c", code, folder / MANIFEST_NAME, folder / "answers.npy"]
    environment = {**os.environ, "PYTHONPATH": package_folder()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not {"tensorflow", "keras"} & set(done.stdout.split())
    expected = predict_one_by_one(ensemble, images)
    np.testing.assert_allclose(np.load(folder / "answers.npy"), expected, rtol=0, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.1  # the answers differ from image to image


@pytest.mark.parametrize(
    ("installed", "gpu", "taken"),
    [(True, False, "openvino"), (True, True, "tensorflow"), (False, False, "tensorflow"), (False, True, "tensorflow")],
)
def test_auto_takes_openvino_where_it_is_installed_and_no_gpu_is_there(monkeypatch, manifest, installed, gpu, taken):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if installed else None)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi" if gpu else None)
    for name in BY_NAME:
        monkeypatch.setitem(BY_NAME, name, lambda settings, batch_size, streams, name=name: name)
    assert make_engine(AUTO, manifest.network) == taken


def test_an_engine_that_is_not_installed_is_named(monkeypatch, manifest):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(HbacError, match="openvino: expected openvino>=2025.0, found none"):
        make_engine("openvino", manifest.network)


# --- to the byte

ORDERS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
import numpy as np
from hbac.network.engine import BY_NAME
from hbac.ensemble.calibrated import Ensemble
from hbac.weights.manifest import read_manifest
manifest = read_manifest(Path(sys.argv[1]))
manifest = replace(manifest, members=(replace(manifest.only, folds=manifest.folds[1:]),))
ensemble = Ensemble(manifest, BY_NAME[sys.argv[4]](manifest.network, streams=int(sys.argv[2])))
images = np.load(sys.argv[3])
once = [ensemble.predict(image[None]).tobytes() for image in images]
order = np.random.default_rng(0).permutation(np.repeat(np.arange(len(images)), 3))
with ThreadPoolExecutor(4) as pool:
    again = list(pool.map(lambda i: ensemble.predict(images[i][None]).tobytes(), order))
assert len(set(once)) == len(images)
assert all(again[k] == once[i] for k, i in enumerate(order)), "threads or order changed the bytes"
print(b"".join(once).hex())
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", BY_NAME)
def test_the_bytes_depend_on_no_thread_order_repetition_or_number_of_streams(folder, images, tmp_path, engine):
    """In processes of their own: TensorFlow takes the number of its threads once."""
    if engine == "openvino":
        pytest.importorskip("openvino")
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-c", ORDERS, folder / MANIFEST_NAME]
    environment = {**os.environ, "PYTHONPATH": package_folder(), "CUDA_VISIBLE_DEVICES": "-1"}
    printed = [
        subprocess.run(
            [*command, str(streams), tmp_path / "images.npy", engine],
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
        )
        for streams in (1, 4)
    ]
    for run in printed:
        assert run.returncode == 0, run.stderr[-2000:]
    assert printed[0].stdout == printed[1].stdout
    assert len(printed[0].stdout) == 2 * 8 * 6 * len(images) + 1


# --- what is refused


def test_the_golden_answers_of_the_manifest_are_the_networks(manifest, keras_logits):
    expected = by_hand(keras_logits(golden_image(PRESETS[THREE_ZOOMS])[None])[:1], weights=(1,), temperature=1.0)[0]
    np.testing.assert_allclose(manifest.folds[0].golden, expected, atol=5e-6)
    assert max(manifest.folds[0].golden) < 0.95


ON_GPUS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
import numpy as np
import tensorflow as tf
from hbac.network import tensorflow_engine as engine
from hbac.ensemble.calibrated import Ensemble
from hbac.weights.manifest import read_manifest

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
engine._gpus = lambda tf: ["/CPU:1", "/CPU:2"]
manifest = read_manifest(Path(sys.argv[1]))
ensemble = Ensemble(manifest, engine.TensorFlowEngine(manifest.network))
assert not ensemble.engine.exact
assert (ensemble.engine.streams, ensemble.engine.batch_size) == (2, engine.GPU_BATCH)
assert "2 GPUs, float16" in ensemble.engine.description
assert engine.TensorFlowEngine(manifest.network)._free is ensemble.engine._free  # members of an ensemble share them
used = set()

def watched(call):
    def call_and_look(function, images):
        def look(on_device):
            assert on_device.device[-5:] == (logits := function(on_device)).device[-5:]
            used.add(logits.device[-5:])
            return logits
        return on_a_free_gpu(look, images)
    return partial(call_and_look, *call.args)

on_a_free_gpu = ensemble.engine._on_a_free_gpu
ensemble.engine._calls = list(map(watched, ensemble.engine._calls))
images = np.load(sys.argv[2])
with ThreadPoolExecutor(2) as pool:
    answers = list(pool.map(ensemble.predict, [images] * 4))
print(used)
assert used == {"CPU:1", "CPU:2"}
np.save(sys.argv[2], answers)
"""


@pytest.mark.slow
def test_gpus_share_the_batches_and_compute_in_float16(ensemble, folder, images, tmp_path):
    """Two logical devices of the CPU stand for two GPUs."""
    images = images[:2]
    np.save(tmp_path / "x.npy", images)
    command = [sys.executable, "-c", ON_GPUS, folder / MANIFEST_NAME, tmp_path / "x.npy"]
    environment = {**os.environ, "PYTHONPATH": package_folder()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    answers, expected = np.load(tmp_path / "x.npy"), predict_one_by_one(ensemble, images)
    assert answers.shape == (4, *expected.shape)
    assert 0 < np.abs(answers - expected).max() < 5e-3


class FixedEngine:
    """An engine whose logits are given: one row of six a fold."""

    streams, batch_size = 1, 1

    def __init__(self, rows, description="test, 0 GPUs"):
        self.rows, self.description = [np.array([row], np.float32) for row in rows], description
        self.exact = " 0 GPUs" in description

    def load(self, folds):
        self.loaded = list(folds)

    def logits(self, fold, images):
        return np.repeat(self.rows[fold], len(images), axis=0)

    def close(self):
        pass


def changed(manifest, **parts):
    """A manifest whose only member has other parts."""
    return replace(manifest, members=(replace(manifest.only, **parts),))


def logits_of(golden):
    return np.log(np.maximum(golden, 1e-9))


def shifted(golden, by):
    """A golden answer moved by `by` from its largest class to its smallest."""
    moved = np.array(golden)
    moved[np.argmax(moved)] -= by
    moved[np.argmin(moved)] += by
    return moved


@pytest.mark.parametrize(
    ("by", "description", "passes"),
    [
        (0, "test, 0 GPUs", True),
        (5e-5, "test, 0 GPUs", True),
        (2e-4, "test, 0 GPUs", False),
        (2e-4, "test, 1 GPUs", True),
        (2e-4, "test, 10 GPUs", True),
        (3e-2, "test, 1 GPUs", False),
    ],
)
def test_a_golden_answer_must_be_met_within_its_tolerance(manifest, by, description, passes):
    """1e-4 in float32 on CPU, 2e-2 in float16 on GPUs; only the last fold is off."""
    rows = [logits_of(fold.golden) for fold in manifest.folds]
    engine = FixedEngine([*rows[:2], logits_of(shifted(manifest.folds[2].golden, by))], description)
    if passes:
        assert len(Ensemble(manifest, engine).engine.loaded) == 3
    else:
        with pytest.raises(
            WeightsError, match=r"random_fold2\.safetensors: expected the golden record's answer .* received"
        ):
            Ensemble(manifest, engine)


def test_a_fold_in_anothers_place_is_refused(folder, manifest, tmp_path):
    """Good files with good digests, but each with the other's golden answer."""
    a, b, c = manifest.folds
    swapped = changed(manifest, folds=(replace(a, golden=b.golden), replace(b, golden=a.golden), c))
    with pytest.raises(WeightsError, match=r"random_fold0\.safetensors: expected the golden record's answer"):
        Ensemble(swapped, TensorFlowEngine(manifest.network))


def test_a_wrong_golden_answer_on_disk_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / MANIFEST_NAME
    document = json.loads(path.read_text())
    document["folds"][1]["golden"] = [1 / 6] * 6
    path.write_text(json.dumps(document))
    manifest = read_manifest(path)
    with pytest.raises(WeightsError, match=r"random_fold1\.safetensors: expected the golden record's answer"):
        Ensemble(manifest, TensorFlowEngine(manifest.network))


def test_a_changed_fold_is_refused_before_a_network_is_built(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    manifest = read_manifest(tmp_path / "copy" / MANIFEST_NAME)
    tensors = load_fold(manifest, manifest.folds[1])
    tensors["conv1_conv/bias"] = tensors["conv1_conv/bias"] + np.float32(0.5)
    write_safetensors(manifest.path(manifest.folds[1]), tensors)
    engine = FixedEngine([logits_of(fold.golden) for fold in manifest.folds])
    with pytest.raises(WeightsError, match="random_fold1.*expected SHA-256"):
        Ensemble(manifest, engine)
    assert not hasattr(engine, "loaded")


@pytest.mark.parametrize("preset", [THREE_ZOOMS, STARTER])
def test_unchanged_preprocessing_passes(folder, manifest, preset):
    settings = PRESETS[preset]
    image = check_preprocessing(changed(manifest, preprocessing=settings, golden_image=probe(golden_image(settings))))
    assert image.shape == (400, 300, 3)


def _one_cell(image):
    image = image.copy()
    image[211, 133, 1] += 13  # of 120,000 cells, on no row or column of the grid: only the channel's mean tells
    return image


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("hbac.preprocessing.three_zooms.bipolar", lambda old: lambda uv: old(uv) * np.float32(1.01)),
        ("hbac.preprocessing.montage.FIRST", lambda old: old[::-1]),
        ("hbac.preprocessing.golden.make_image", lambda old: lambda *a: old(*a)[:, ::-1]),
        ("hbac.preprocessing.golden.make_image", lambda old: lambda *a: _one_cell(old(*a))),
    ],
    ids=["gain", "electrodes", "mirrored", "one cell"],
)
def test_changed_preprocessing_is_refused_before_a_fold_is_read(manifest, monkeypatch, name, change):
    """The manifest's settings and digest are untouched: only the code answers differently."""
    module, attribute = name.rsplit(".", 1)
    monkeypatch.setattr(name, change(getattr(importlib.import_module(module), attribute)))
    engine = FixedEngine([])
    with pytest.raises(
        WeightsError, match="golden_image: expected the image that the folds were trained on within 0.0001"
    ):
        Ensemble(manifest, engine)
    assert not hasattr(engine, "loaded")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused_at_the_golden_record_and_later(manifest, images, bad):
    rows = [logits_of(fold.golden) for fold in manifest.folds]
    ensemble = Ensemble(manifest, FixedEngine(rows))
    engine = FixedEngine(rows)
    engine.rows[1][0, 3] = bad
    with pytest.raises(WeightsError, match=r"random_fold1\.safetensors: expected finite logits"):
        Ensemble(manifest, engine)
    ensemble.engine.rows[1][0, 3] = bad
    with pytest.raises(WeightsError, match=r"random_fold1\.safetensors: expected finite logits"):
        ensemble.predict(images[:1])


# --- new manifests


@pytest.fixture
def shallow():
    with shallow_family():
        yield


@pytest.mark.slow
def test_a_new_manifest_describes_files_that_then_load(tmp_path, images, shallow):
    """A `.keras` fold and a float16 one beside a float32 one: all are read by the same manifest."""
    needs_names()
    head = np.float32(0.002)
    net = replace(NET, family=SHALLOW)
    tensors = [random_tensors(net, 20 + i) for i in range(3)]
    for fold in tensors:
        fold[f"{HEAD}/kernel"] = fold[f"{HEAD}/kernel"] * head
    (tmp_path / "weights").mkdir()
    files = [tmp_path / "best_model.keras", tmp_path / "weights/half.safetensors", tmp_path / "own.weights.h5"]
    export_keras(tensors[0], net, files[0])
    write_safetensors(files[1], tensors[1], np.float16)
    model = build(net)
    set_weights(model, tensors[2])
    model.save_weights(files[2])
    engine = TensorFlowEngine(net)
    checkpoints = [Checkpoint(file, weight=i + 1.0, score={"kl": 0.5}) for i, file in enumerate(files)]
    manifest = new_manifest(
        checkpoints, tmp_path, "mixed", PRESETS[THREE_ZOOMS], net, engine, training={"by": "a test"}
    )
    write_manifest(manifest, tmp_path / MANIFEST_NAME)
    received = read_manifest(tmp_path / MANIFEST_NAME)
    assert received == manifest
    assert [fold.file for fold in received.folds] == ["best_model.keras", "weights/half.safetensors", "own.weights.h5"]
    ensemble = Ensemble(received, engine)
    plain = keras.models.load_model(files[0])(images[:1], training=False).numpy()
    assert 0.02 < plain.max() < 0.98
    np.testing.assert_allclose(ensemble.predict(images[:1], folds=[0]), plain, atol=5e-6)


def test_a_wrong_keras_file_named_by_a_manifest_is_refused(tmp_path):
    net = NetworkSettings(width=2)
    path = tmp_path / "best_model.keras"
    export_keras(random_tensors(net, 0), net, path)
    fold = Fold(path.name, sha256_of(path), path.stat().st_size, 1.0, {}, (1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    member = Member(NET, PRESETS[THREE_ZOOMS], 1.0, [], (fold,))
    manifest = Manifest(tmp_path, "t", (member,), (1.0, 0, 0, 0, 0, 0), (1 / 6,) * 6, {})
    with pytest.raises(
        WeightsError, match=r"best_model\.keras: .*'conv1_conv': expected .* with filters 8, received 2"
    ):
        load_fold(manifest, fold)


@pytest.mark.parametrize("kind", ["missing", "elsewhere", "linked elsewhere", "another network"])
def test_a_new_manifest_takes_only_checkpoints_of_the_network_in_its_folder(tmp_path, kind):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "a.safetensors"
    outside = tmp_path / "a.safetensors"
    write_safetensors(outside, random_tensors(NetworkSettings(width=2), 0))
    if kind == "elsewhere":
        path = outside
    elif kind == "linked elsewhere":
        path.symlink_to(outside)
    elif kind == "another network":
        shutil.copy(outside, path)
    with pytest.raises(WeightsError, match=r"a\.safetensors"):
        new_manifest([Checkpoint(path)], folder, "t", PRESETS[THREE_ZOOMS], NET, FixedEngine([[0] * 6]))


def test_a_new_manifest_refuses_folds_that_answer_nothing(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", random_tensors(NET, 0))
    engine = FixedEngine([[0, 0, np.nan, 0, 0, 0]])
    with pytest.raises(WeightsError, match=r"a\.safetensors: expected finite logits"):
        new_manifest([Checkpoint(tmp_path / "a.safetensors")], tmp_path, "t", PRESETS[THREE_ZOOMS], NET, engine)


@pytest.mark.parametrize(("given", "expected"), [(None, (0.5, 0.1, 0.1, 0.1, 0.1, 0.1)), ((1 / 6,) * 6, (1 / 6,) * 6)])
def test_a_new_manifest_s_training_prior_is_its_class_prior_unless_given(tmp_path, given, expected):
    write_safetensors(tmp_path / "a.safetensors", random_tensors(NET, 0))
    manifest = new_manifest(
        [Checkpoint(tmp_path / "a.safetensors")],
        tmp_path,
        "t",
        PRESETS[THREE_ZOOMS],
        NET,
        FixedEngine([[0] * 6]),
        class_prior=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1],
        training_prior=given,
    )
    assert manifest.training_prior == expected
    write_manifest(manifest, tmp_path / MANIFEST_NAME)
    assert read_manifest(tmp_path / MANIFEST_NAME) == manifest
