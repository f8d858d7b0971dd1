"""What the benchmark rests on: an image made the plain way, a count of multiply-adds, pairs in turn."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "bench"))

from measure import in_turn, ratio
from peer_graphs import multiply_adds
from straightforward import load

from hbac.network.settings import NetworkSettings
from hbac.preprocessing.load import load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.tables import read_test_table


@pytest.mark.slow
def test_the_plain_way_makes_the_same_image(simulated: Path) -> None:
    for record in read_test_table(simulated):
        image = load_record(record, PRESETS[THREE_ZOOMS]).image
        assert image is not None
        assert record.spectrogram_path is not None
        np.testing.assert_allclose(load(record.eeg_path, record.spectrogram_path), image, atol=1e-4)


def test_the_plain_way_makes_the_same_image_of_a_real_record(sample: Path) -> None:
    (record,) = read_test_table(sample)
    image = load_record(record, PRESETS[THREE_ZOOMS]).image
    assert image is not None
    assert record.spectrogram_path is not None
    np.testing.assert_allclose(load(record.eeg_path, record.spectrogram_path), image, atol=1e-3)


def test_multiply_adds_are_those_of_the_paper() -> None:
    """He et al. 2015, table 1: ResNet50 at 224 x 224 takes 3.8e9."""
    assert multiply_adds(NetworkSettings(input_shape=(224, 224, 3))) == pytest.approx(3.8e9, rel=0.02)


def test_contenders_run_in_turn_and_pairs_are_compared() -> None:
    order: list[str] = []

    def run(name: str, seconds: list[float]) -> float:
        order.append(name)
        return seconds[order.count(name) - 1]

    seconds = in_turn({"a": lambda: run("a", [1, 4, 9]), "b": lambda: run("b", [2, 2, 3])}, 3)
    assert order == ["a", "b"] * 3
    assert ratio(seconds["a"], seconds["b"]) == 2.0
