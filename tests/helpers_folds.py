"""Random folds for tests: the tensors of a network whose answers are neither saturated nor all the same.

pytest's import mode puts no test folder on the path; `pythonpath` in `wheel_src/pyproject.toml` does.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hbac import hms
from hbac.network import resnet
from hbac.network.families import FAMILIES, shapes
from hbac.network.graph import Graph, Tensors
from hbac.network.settings import HEAD, NetworkSettings
from hbac.preprocessing.golden import golden_eeg, golden_power
from hbac.preprocessing.preset import IMAGE_AXES, Preset
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.weights.manifest import MANIFEST_NAME, write_manifest
from hbac.weights.tensors import write_safetensors

MIXED = (PRESETS["three-zooms-v2"], PRESETS["starter-v1"])
LOGIT_SPREAD = 1.0  # standard deviation, over a few images, of the logits that `write_random_folds` aims at


ONE_BLOCK = ((2, 1, 2),)  # stages of a ResNet50 of one block, which TensorFlow traces in a tenth of the time
# What Python runs as it starts, where a module of this text is named `sitecustomize` or a .pth file imports it: the hbac
# of that process, and of those that it starts, has networks of one block.
SITE = f"""
import importlib.machinery, sys

class OneBlock:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "hbac.network.resnet":
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            execute = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (execute(module), setattr(module, "STAGES", {ONE_BLOCK}))
            return spec

sys.meta_path.insert(0, OneBlock)
"""

# A ResNet50 of five blocks in place of sixteen, which Keras builds and saves in a third of the time. Its layers have their
# names from the whole one: an identical pair of blocks, a stage that begins with a stride, a shortcut with a twin.
SHALLOW, SHALLOW_STAGES, SHALLOW_BACKBONE = "shallow", ((1, 3, 1), (2, 2, 2)), "conv3_block2_out"


@contextmanager
def shallow_family() -> Iterator[None]:
    """While it lasts there is a family `SHALLOW`."""

    def graph(settings: NetworkSettings) -> Graph:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(resnet, "STAGES", SHALLOW_STAGES)
            return resnet.resnet50(settings)

    with pytest.MonkeyPatch.context() as patch:
        family = replace(FAMILIES["resnet50"], name=SHALLOW, graph=graph, backbone=SHALLOW_BACKBONE)
        patch.setitem(FAMILIES, SHALLOW, family)  # type: ignore[arg-type]
        yield


def random_tensors(settings: NetworkSettings, seed: int, head: bool = True) -> Tensors:
    """All tensors of a network, float32: kernels after He et al. 2015, every bias and statistic off its default.

    The last normalisation of a block is scaled down, as sixteen sums of variance 1 would grow. Probabilities are
    saturated nevertheless, and nearly the same for all images; `write_random_folds` sets the head right.
    """
    rng = np.random.default_rng(seed)
    return {name: _random(name, shape, rng) for name, shape in shapes(settings, head).items()}


def _random(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    layer, part = name.rsplit("/", 1)
    if part == "kernel":
        gain = 1.0 if layer == HEAD else 2.0
        value = rng.normal(0, np.sqrt(gain / np.prod(shape[:-1])), shape)
    elif part == "gamma":
        low, high = (0.2, 0.5) if layer.endswith("_3_bn") else (0.6, 1.4)
        value = rng.uniform(low, high, shape)
    elif part == "moving_variance":
        value = rng.uniform(0.5, 1.5, shape)
    else:  # bias, beta, moving_mean
        value = rng.normal(0, 0.1, shape)
    return value.astype(np.float32)


def write_random_folds(
    folder: Path,
    width: int = 8,
    folds: int = 3,
    seed: int = 0,
    temperature: float = 1.0,
    preprocessing: Preset = PRESETS[THREE_ZOOMS],
    weights: tuple[float, ...] | None = None,
    family: str = "resnet50",
) -> Path:
    """Write random folds and their manifest; fold i counts `weights[i]`, 1, 2, 3 ... by default.

    Folds lie in `folder/weights/`, float32; the manifest's path comes back. Fold i has the tensors of
    `random_tensors(NetworkSettings(width), 1000 * seed + i)` but for its head, which is scaled and shifted so that
    the golden record's variants get different answers, all classes between about 1 % and 90 %.
    """
    from hbac.network.tensorflow_engine import TensorFlowEngine
    from hbac.weights.checkpoints import Checkpoint, new_manifest

    network = NetworkSettings(width=width, input_shape=preprocessing.shape, family=family)
    engine = TensorFlowEngine(network)
    tensors = [random_tensors(network, 1000 * seed + i) for i in range(folds)]
    _set_heads(tensors, engine, preprocessing, seed)
    checkpoints = []
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    for i in range(folds):
        path = folder / "weights" / f"random_fold{i}.safetensors"
        write_safetensors(path, tensors[i])
        checkpoints.append(Checkpoint(path, weight=float(weights[i] if weights else 1 + i), score={"kl": 1.0}))
    manifest = new_manifest(
        checkpoints,
        folder,
        "random folds, for tests only",
        preprocessing,
        network,
        engine,
        temperature=temperature,
        class_prior=hms.MEAN_VOTE,
        training={"command": "tests/helpers_folds.py"},
    )
    engine.close()
    write_manifest(manifest, folder / MANIFEST_NAME)
    return folder / MANIFEST_NAME


def write_mixed_folds(
    folder: Path, presets: Sequence[Preset] = MIXED, mean: str = "arithmetic", width: int = 1, folds: int = 2
) -> Path:
    """Write a mixed manifest of random folds, a member a preset, named a, b ..., weighing 3, 4 ...; its path.

    Waveforms go to `eeg1d`, images to ResNet50.
    """
    from hbac.weights.compose import Share, compose
    from hbac.weights.manifest import read_manifest

    shares = []
    for number, preset in enumerate(presets):
        family = "resnet50" if len(preset.shape) == IMAGE_AXES else "eeg1d"
        of = folder / f"of{number}"
        made = write_random_folds(of, width, folds, number, 1.0 + 0.3 * number, preset, family=family)
        shares.append(Share("abcdefgh"[number], read_manifest(made), 3.0 + number))
    return compose(shares, folder / "mixed", "random members, for tests only", mean)


def golden_variants(settings: Preset) -> np.ndarray:
    """(6, 400, 300, 3) images that differ as records do: whole, halves missing, quiet, loud, backwards."""
    eeg, power = golden_eeg(), golden_power()
    return np.stack(
        [
            make_image(eeg, power, settings),
            make_image(None, power, settings),
            make_image(eeg, None, settings),
            make_image(eeg * np.float32(0.2), power * np.float32(0.04), settings),
            make_image(eeg * np.float32(3), power * np.float32(9), settings),
            make_image(eeg[::-1], power[::-1], settings),
        ]
    )


def _set_heads(folds: list[Tensors], engine: Any, preprocessing: Preset, seed: int) -> None:
    """Scale and shift each head in place, so that logits spread by `LOGIT_SPREAD` around small random offsets."""
    rng = np.random.default_rng(seed)
    images = golden_variants(preprocessing)
    engine.load(folds)
    for i, tensors in enumerate(folds):
        logits = np.concatenate([engine.logits(i, image[None]) for image in images]).astype(np.float64)  # (6, classes)
        spread = LOGIT_SPREAD / logits.std(axis=0)
        offset = rng.normal(0, 0.5, len(spread))
        kernel, bias = tensors[f"{HEAD}/kernel"], tensors[f"{HEAD}/bias"]
        tensors[f"{HEAD}/kernel"] = (kernel * spread).astype(np.float32)
        tensors[f"{HEAD}/bias"] = ((bias - logits.mean(axis=0)) * spread + offset).astype(np.float32)


@cache
def keras_resnet50() -> Any:
    """`keras.applications.ResNet50(weights=None, include_top=False)` with `random_tensors(..., seed=50)`."""
    import keras

    model = keras.applications.ResNet50(weights=None, include_top=False)
    tensors = random_tensors(NetworkSettings(), 50, head=False)
    for variable in model.weights:
        variable.assign(tensors[variable.path])
    return model


@cache
def keras_keeps_names() -> bool:
    """Whether this Keras writes the layers' names beside their weights, as it does since 3.6."""
    import h5py
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="own_name")])
    with tempfile.TemporaryDirectory() as folder:
        model.save_weights(Path(folder) / "model.weights.h5")
        with h5py.File(Path(folder) / "model.weights.h5") as file:
            return file["layers/dense/vars"].attrs.get("name") == "own_name"


def needs_names() -> None:
    """Skip a test that edits or reads names which this Keras does not write; such files are refused, see there."""
    if not keras_keeps_names():
        pytest.skip("this Keras writes no layers' names beside the weights")


def relative_difference(received: np.ndarray, expected: np.ndarray) -> float:
    """Largest absolute difference over the largest absolute expected value."""
    return float(np.abs(received - expected).max() / np.abs(expected).max())
