"""What an engine is, and which one computes the network.

An engine has three methods, `load`, `logits` and `close`, and says how many streams may call it at once and how large a
batch it wants.
"""

import importlib.util
import shutil
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hbac.errors import WeightsError
from hbac.network.graph import Tensors
from hbac.network.openvino_engine import OpenVinoEngine
from hbac.network.settings import NetworkSettings
from hbac.network.tensorflow_engine import TensorFlowEngine

Array = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]


class Engine(Protocol):
    """What `Ensemble` needs of an engine."""

    streams: int  # calls of `logits` that pay at the same time
    batch_size: int  # images a call should bring
    description: str  # what decides its last bits, for the report and the journal
    exact: bool  # float32 throughout; False where convolutions may round to less

    def load(self, folds: Iterable[Tensors]) -> None:
        """Take the folds, in their order, each once and let go before the next is asked for."""

    def logits(self, fold: int, images: Array) -> Array:
        """(batch, *input_shape) float32 to (batch, classes) float32, before the softmax. Safe to call from several threads."""

    def close(self) -> None:
        """Free what `load` took."""


AUTO = "auto"
BY_NAME: dict[str, type[TensorFlowEngine] | type[OpenVinoEngine]] = {
    "tensorflow": TensorFlowEngine,
    "openvino": OpenVinoEngine,
}
ENGINES = (AUTO, *BY_NAME)


def make_engine(name: str, settings: NetworkSettings, batch_size: int | None = None) -> Engine:
    """An engine by name; `auto` takes OpenVINO where it is installed and no GPU is there, else TensorFlow.

    Raises:
        HbacError: what it needs is not installed.
    """
    if name == AUTO:
        name = "openvino" if importlib.util.find_spec("openvino") and not shutil.which("nvidia-smi") else "tensorflow"
    return BY_NAME[name](settings, batch_size)


def softmax(logits: npt.NDArray[np.floating[Any]], temperature: float = 1.0) -> Probabilities:
    """(..., classes) logits to probabilities, float64, rows summing to 1."""
    scaled = np.asarray(logits, np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: Probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


def finite_logits(engine: Engine, fold: int, images: npt.NDArray[np.float32], where: object) -> npt.NDArray[np.float32]:
    """What an engine answers, (batch, classes); raises WeightsError where that is not finite."""
    logits = engine.logits(fold, images)
    if not np.isfinite(logits).all():
        raise WeightsError(f"{where}: expected finite logits, received {logits.tolist()}")
    return logits
