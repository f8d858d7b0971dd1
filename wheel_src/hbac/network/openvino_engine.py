"""The fastest engine on CPUs: OpenVINO, its model converted from the network's graph; needs no TensorFlow.

`pip install hbac[openvino]`, or its wheel in the Kaggle data set. As many streams as cores, a thread each, so that the
last bits of an answer do not depend on how many records are under way.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hbac.errors import MachineError, one_line
from hbac.machine.cores import usable_cores
from hbac.machine.environment import settle
from hbac.machine.packages import PACKAGES, need, version_of
from hbac.network.batch_norm import fold_batch_norm
from hbac.network.families import logits_graph
from hbac.network.graph import Graph, Tensors
from hbac.network.openvino_graph import openvino_model
from hbac.network.settings import Network
from hbac.network.tensorflow_engine import Array


class OpenVinoEngine:
    """See `engine.Engine`; takes one image a call.

    Args:
        settings: the network.
        batch_size: not used: on CPU a call takes one image.
        streams: calls at once; the number of usable cores by default.

    Raises:
        MachineError: OpenVINO cannot be used.
    """

    batch_size = 1
    exact = True

    def __init__(self, settings: Network, batch_size: int | None = None, streams: int | None = None):
        settle()
        need("openvino")
        import openvino

        self._settings = settings
        self.streams = streams or usable_cores()
        self._openvino = openvino
        with _of_this_machine():
            self._core = openvino.Core()
        self._folds: list[Any] = []
        self._mine = threading.local()  # of each thread: an inference request serves one at a time
        self.description = f"openvino {openvino.__version__}, 1 thread(s) a stream"

    def load(self, folds: Iterable[Tensors]) -> None:
        """See `Engine.load`."""
        stated = {
            "INFERENCE_PRECISION_HINT": "f32",  # processors with bfloat16 would round to it
            "NUM_STREAMS": self.streams,
            "INFERENCE_NUM_THREADS": self.streams,
            "ENABLE_CPU_PINNING": False,  # two runs on one machine must not share a core
        }
        graph = logits_graph(self._settings)
        self._folds = [self._compiled(*fold_batch_norm(graph, tensors), stated) for tensors in folds]
        self._mine = threading.local()

    def _compiled(self, graph: Graph, tensors: Tensors, stated: dict[str, Any]) -> Any:
        with _of_this_machine():
            return self._core.compile_model(openvino_model(graph, tensors), "CPU", stated)

    def logits(self, fold: int, images: Array) -> Array:
        """See `Engine.logits`."""
        requests: dict[int, Any] = self._mine.__dict__.setdefault("requests", {})
        if fold not in requests:
            requests[fold] = self._folds[fold].create_infer_request()
        return np.concatenate([self._one(requests[fold], image) for image in images])

    def _one(self, request: Any, image: Array) -> Array:
        request.infer([self._openvino.Tensor(np.ascontiguousarray(image[None], np.float32))])
        result: Array = request.get_output_tensor().data.copy()  # (1, classes)
        return result

    def close(self) -> None:
        """See `Engine.close`."""
        self._folds, self._mine = [], threading.local()


@contextlib.contextmanager
def _of_this_machine() -> Iterator[None]:
    """What OpenVINO raises for a processor or a library that is not as it wants, as the machine's fault."""
    try:
        yield
    except (RuntimeError, AttributeError, TypeError, OSError) as error:
        raise MachineError(
            f"openvino: expected {PACKAGES['openvino'].requirement} that computes, found {version_of('openvino')}, "
            f"which says {one_line(error)}"
        ) from error
