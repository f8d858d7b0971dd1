"""A simulated EEG that several modules of tests look at, and an ensemble that computes in no time."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hbac.preprocessing.presets import PRESETS
from hbac.simulation.eeg import Episode, draw_patient, synthesise

RATE = 200


@pytest.fixture(scope="session")
def eeg() -> np.ndarray:  # type: ignore[type-arg]
    """(7 min, 19) microvolts with a seizure and generalised periodic discharges. Not to be changed."""
    rng = np.random.default_rng(5)
    episodes = [Episode(100, 160, (1.0, 0, 0, 0, 0, 0)), Episode(240, 300, (0, 0, 1.0, 0, 0, 0))]
    uv = np.ascontiguousarray(synthesise(420, episodes, draw_patient(rng, False), rng)[:, :19])
    uv.setflags(write=False)
    return uv


class FakeEngine:
    """Two streams, and batches of a size."""

    streams, description = 2, "fake"

    def __init__(self, batch_size: int):
        self.batch_size = batch_size


class FakeEnsemble:
    """Answers by the loudness of channel 2: any input has an answer of its own."""

    def __init__(self, batch_size: int = 1, preset: str = "three-zooms-v2"):
        self.engine = FakeEngine(batch_size)
        self.manifest = SimpleNamespace(presets=lambda: (PRESETS[preset],))
        self.calls: list[int] = []

    def predict(self, images: dict[str, np.ndarray]) -> np.ndarray:  # type: ignore[type-arg]
        (of_preset,) = images.values()
        self.calls.append(len(of_preset))
        return np.stack([answer_of(image) for image in of_preset])


def answer_of(image: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    share = 1 / (1 + float(np.abs(image[..., 2]).mean()))
    return np.array([1 - share, *[share / 5] * 5])


@pytest.fixture
def fake() -> Any:
    return FakeEnsemble
