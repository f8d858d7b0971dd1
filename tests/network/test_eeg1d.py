"""The network of raw EEG: its size, what it does not see, what it does."""

import numpy as np
import pytest
from helpers_folds import random_tensors

from hbac import hms
from hbac.errors import InputError
from hbac.network.batch_norm import fold_batch_norm
from hbac.network.families import build, logits_graph, shapes
from hbac.network.graph import Graph, Sketch, Tensors
from hbac.network.keras_model import build_keras
from hbac.network.settings import NetworkSettings
from hbac.network.shape_inference import output_shapes
from hbac.weights.tensors import set_weights

PAIRS = [  # of the preset raw-v1
    pair for chain in ("LL", "LP", "RL", "RP") for pair in zip(hms.CHAINS[chain][:-1], hms.CHAINS[chain][1:])
]
SETTINGS = NetworkSettings(width=8, input_shape=(300, 16), family="eeg1d")


def answers(graph: Graph, tensors: Tensors, eeg: np.ndarray, precision: str = "float32") -> np.ndarray:
    model = build_keras(graph, precision)
    set_weights(model, tensors)
    return model(eeg, training=False).numpy()


@pytest.fixture(scope="module")
def tensors() -> Tensors:
    return random_tensors(SETTINGS, 3)


@pytest.fixture(scope="module")
def eeg() -> np.ndarray:
    return np.random.default_rng(2).normal(0, 1, (3, *SETTINGS.input_shape)).astype(np.float32)


def mirrored(eeg: np.ndarray) -> np.ndarray:
    """Each pair of electrodes with its mirror image, found by the electrodes' names: odd numbers are on the left."""

    def other(name: str) -> str:
        return name[:-1] + str(int(name[-1]) + (1 if int(name[-1]) % 2 else -1))

    return eeg[..., [PAIRS.index((other(a), other(b))) for a, b in PAIRS]]


def test_exchanging_left_and_right_changes_nothing(tensors: Tensors, eeg: np.ndarray) -> None:
    both = answers(logits_graph(SETTINGS), tensors, np.concatenate([eeg, mirrored(eeg)]))
    assert np.abs(eeg - mirrored(eeg)).max() > 1
    np.testing.assert_allclose(both[3:], both[:3], atol=1e-6 * np.abs(both).max())


def test_exchanging_pairs_within_a_side_does_change_the_answer(tensors: Tensors, eeg: np.ndarray) -> None:
    """Front and back, the lateral and the inner chain are told apart; so is one side alone from both."""
    lateral = eeg[..., [at ^ 4 for at in range(16)]]
    backwards = eeg[..., [at // 4 * 4 + 3 - at % 4 for at in range(16)]]
    one_sided = eeg.copy()
    one_sided[..., :4] = eeg[..., 8:12]  # RL on both sides
    plain, *others = np.split(
        answers(logits_graph(SETTINGS), tensors, np.concatenate([eeg, lateral, backwards, one_sided])), 4
    )
    for other in others:
        assert np.abs(other - plain).max() > 1e-3 * np.abs(plain).max()


def test_pairs_go_through_the_same_weights(tensors: Tensors, eeg: np.ndarray) -> None:
    """16 times the same signal: 16 times the same features."""
    graph = logits_graph(SETTINGS).until("stage5_block2_add")
    same = np.repeat(eeg[..., :1], 16, axis=2)
    features = answers(graph, {name: tensors[name] for name in _tensors(graph)}, same)
    assert features.shape == (3, 16, 10, 16)
    np.testing.assert_allclose(features, features[:, :1].repeat(16, axis=1), rtol=1e-4, atol=1e-5)
    assert features.std(axis=2).min() > 0


def _tensors(graph: Graph) -> list[str]:
    from hbac.network.shape_inference import tensor_shapes

    return list(tensor_shapes(graph))


def test_every_normalisation_is_folded(tensors: Tensors, eeg: np.ndarray) -> None:
    graph = logits_graph(SETTINGS)
    folded, values = fold_batch_norm(graph, tensors)
    assert "BatchNormalization" not in {layer.kind for layer in folded.layers}
    expected = answers(graph, tensors, eeg)
    np.testing.assert_allclose(answers(folded, values, eeg), expected, atol=1e-5 * np.abs(expected).max())


def test_the_full_network_has_a_million_parameters_and_thirty_two_samples_a_step() -> None:
    settings = NetworkSettings(input_shape=(2000, 16), family="eeg1d")
    assert sum(int(np.prod(shape)) for shape in shapes(settings).values()) == 940_934
    sizes = output_shapes(logits_graph(settings))
    assert sizes["stem"] == (None, 16, 1000, 64)
    assert sizes["stage5_block2_add"] == (None, 16, 63, 128)
    assert sizes["sides"] == (None, 8, 63, 257)
    assert sizes["features"] == (None, 256)


def test_the_table_of_shapes_is_that_of_the_built_model() -> None:
    settings = NetworkSettings(width=1, classes=5, input_shape=(64, 16), dropout=0.3, family="eeg1d")
    assert shapes(settings) == {variable.path: tuple(variable.shape) for variable in build(settings).weights}


def test_how_alike_two_sides_are_is_computed_in_float32_whatever_the_rest_is() -> None:
    """Squares of 1000 are beyond float16."""
    net = Sketch()
    x = net.add("InputLayer", "eeg", batch_shape=(None, 2, 8))
    sides = [net.add("Slice", f"side{at}", x, slices=((at, at + 1, None),)) for at in (0, 1)]
    net.add("Similarity", "alike", *sides, dtype="float32")
    eeg = 1000 * np.random.default_rng(4).normal(0, 1, (5, 2, 8)).astype(np.float32)
    a, b = eeg[:, 0].astype(np.float64), eeg[:, 1].astype(np.float64)
    expected = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    received = build_keras(net.graph("net"), "mixed_float16")(eeg).numpy()
    assert received.dtype == np.float32
    np.testing.assert_allclose(received[:, 0, 0], expected, atol=2e-3)
    assert {"similarity"} == {
        layer.name for layer in logits_graph(SETTINGS).layers if layer.kind == "Similarity" and layer["dtype"]
    }


@pytest.mark.parametrize("shape", [(400, 300, 3), (2000, 8), (None, 16), (2000,)])
def test_another_input_is_refused(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(InputError, match=r"eeg1d: expected an input \(samples, 16\), received"):
        shapes(NetworkSettings(input_shape=shape, family="eeg1d"))
