"""A simulated EEG that several modules of tests look at, and an ensemble that computes in no time."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers_recordings import answer_of

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
    """Answers by the loudness of channel 2, the mean over its presets: any input has an answer of its own."""

    def __init__(self, batch_size: int = 1, presets: Sequence[str] = ("three-zooms-v2",)):
        self.engine = FakeEngine(batch_size)
        self.manifest = SimpleNamespace(presets=lambda: tuple(PRESETS[name] for name in presets))
        self.calls: list[int] = []

    def predict(self, images: Mapping[str, np.ndarray]) -> np.ndarray:  # type: ignore[type-arg]
        rows = [np.stack([answer_of(image) for image in batch]) for batch in images.values()]
        self.calls.append(len(rows[0]))
        return np.mean(rows, axis=0)


@pytest.fixture
def fake() -> Any:
    return FakeEnsemble
