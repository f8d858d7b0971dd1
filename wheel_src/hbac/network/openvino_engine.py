"""The fastest engine on CPUs: OpenVINO, its model converted from the network's graph; needs no TensorFlow.

`pip install hbac[openvino]`, or its wheel in the Kaggle data set. As many streams as cores, a thread each, so that the
last bits of an answer do not depend on how many records are under way.
"""

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from hbac.errors import HbacError, one_line
from hbac.network.batch_norm import fold_batch_norm
from hbac.network.families import logits_graph
from hbac.network.graph import Tensors
from hbac.network.openvino_graph import openvino_model
from hbac.network.settings import NetworkSettings
from hbac.network.tensorflow_engine import Array
from hbac.processes import usable_cores


class OpenVinoEngine:
    """See `engine.Engine`; takes one image a call.

    Args:
        settings: the network.
        batch_size: not used: on CPU a call takes one image.
        streams: calls at once; the number of usable cores by default.
    """

    batch_size = 1
    exact = True

    def __init__(self, settings: NetworkSettings, batch_size: int | None = None, streams: int | None = None):
        try:
            import openvino
        except ImportError as error:
            raise HbacError(f"engine openvino: expected OpenVINO installed, received {one_line(error)}") from error

        self._settings = settings
        self.streams = streams or usable_cores()
        self._openvino = openvino
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
        self._folds = [
            self._core.compile_model(openvino_model(*fold_batch_norm(graph, tensors)), "CPU", stated)
            for tensors in folds
        ]
        self._mine = threading.local()

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
