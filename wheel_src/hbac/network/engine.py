"""What an engine is, and which one computes the network.

An engine has three methods, `load`, `logits` and `close`, and says how many streams may call it at once and how large a
batch it wants.
"""

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from hbac.errors import MachineError, WeightsError
from hbac.network.graph import Tensors
from hbac.network.openvino_engine import OpenVinoEngine
from hbac.network.settings import AUTO as AUTO
from hbac.network.settings import ENGINES as ENGINES
from hbac.network.settings import OPENVINO, TENSORFLOW, Network
from hbac.network.tensorflow_engine import TensorFlowEngine
from hbac.streams import say

Array = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]
Made = TypeVar("Made")


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


BY_NAME: dict[str, type[TensorFlowEngine] | type[OpenVinoEngine]] = {
    TENSORFLOW: TensorFlowEngine,
    OPENVINO: OpenVinoEngine,
}


def candidates(name: str) -> tuple[str, ...]:
    """Engines to try, the first that this machine can use to be taken; of a name that is no `auto` that one alone.

    `auto` takes OpenVINO where it is installed and no GPU is there, else TensorFlow.
    """
    if name != AUTO:
        return (name,)
    fast = importlib.util.find_spec("openvino") and not shutil.which("nvidia-smi")
    return (OPENVINO, TENSORFLOW) if fast else (TENSORFLOW,)


def make_engine(name: str, settings: Network, batch_size: int | None = None, streams: int | None = None) -> Engine:
    """An engine by name, or the first of `candidates` that can be made; streams are of CPUs, by default all cores.

    Raises:
        MachineError: this machine cannot use it.
    """
    return first_that_works(name, lambda one: BY_NAME[one](settings, batch_size, streams))


def first_that_works(name: str, make: Callable[[str], Made]) -> Made:
    """What `make` gives for the first of the `candidates` that this machine can use; a line on each that it cannot.

    Raises:
        MachineError: of the last one.
    """
    *others, last = candidates(name)
    for one in others:
        try:
            return make(one)
        except MachineError as error:
            say(f"hbac: engine {last} in place of {one}: {error}", sys.stderr)
    return make(last)


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
