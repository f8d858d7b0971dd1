"""The fastest engine on CPUs: OpenVINO, its graph written from the folds' tensors; needs no TensorFlow.

`pip install hbac[openvino]`, or its wheel in the Kaggle data set. As many streams as cores, a thread each, so that the
last bits of an answer do not depend on how many records are under way.
"""

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from hbac.errors import HbacError, one_line
from hbac.network.resnet import HEAD, STAGES, NetworkSettings, Tensors, fold_batch_norm
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
        self._folds = [
            self._core.compile_model(logits_model(fold_batch_norm(tensors), self._settings), "CPU", stated)
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
        result: Array = request.get_output_tensor().data.copy()  # (1, 6)
        return result

    def close(self) -> None:
        """See `Engine.close`."""
        self._folds, self._mine = [], threading.local()


def logits_model(tensors: Tensors, settings: NetworkSettings) -> Any:
    """The network of `resnet.build` up to its logits, with folded normalisation, as an OpenVINO model.

    Args:
        tensors: of `fold_batch_norm`: `conv1_conv/kernel` (height, width, in, out) float32 ...
        settings: the network.

    Returns:
        `openvino.Model`, (1, *input_shape) float32 to (1, classes) float32.
    """
    import openvino
    from openvino import opset13 as ops

    def conv(x: Any, name: str, stride: int, padding: int) -> Any:
        kernel = tensors[f"{name}_conv/kernel"].transpose(3, 2, 0, 1)  # (out, in, height, width)
        constant = ops.constant(kernel.copy())  # given the array itself, OpenVINO makes a list of it, 0.6 s a network
        x = ops.convolution(x, constant, [stride] * 2, [padding] * 2, [padding] * 2, [1, 1])
        return ops.add(x, tensors[f"{name}_conv/bias"].reshape(1, -1, 1, 1))

    def block(x: Any, name: str, stride: int, project: bool) -> Any:
        shortcut = conv(x, f"{name}_0", stride, 0) if project else x
        x = ops.relu(conv(x, f"{name}_1", stride, 0))
        x = ops.relu(conv(x, f"{name}_2", 1, 1))
        return ops.relu(ops.add(shortcut, conv(x, f"{name}_3", 1, 0)))

    image = ops.parameter([1, *settings.input_shape], np.float32, name="image")
    x = ops.transpose(image, np.array([0, 3, 1, 2]))  # (1, 3, H, W)
    x = ops.relu(conv(x, "conv1", 2, 3))  # (1, width, H/2, W/2)
    # After relu nothing is below 0: padding with 0, as Keras does, and with nothing give the same maxima.
    x = ops.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
    for number, (_, blocks, stride) in enumerate(STAGES, start=2):
        for at in range(1, blocks + 1):
            x = block(x, f"conv{number}_block{at}", stride if at == 1 else 1, at == 1)
    x = ops.reduce_mean(x, np.array([2, 3]), keep_dims=False)  # (1, features)
    logits = ops.add(ops.matmul(x, tensors[f"{HEAD}/kernel"], False, False), tensors[f"{HEAD}/bias"][None])
    return openvino.Model([logits], [image], f"resnet50_w{settings.width}")
