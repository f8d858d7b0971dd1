"""The engine that computes logits: TensorFlow, a graph with constants per fold and batch normalisation folded in.

On CPU every record is computed alone, one thread a stream: TensorFlow's last bits change with batch
size, place in the batch and thread count, and without them the submission is the same to the byte, whatever the workers
and the order. On GPUs a stream each, float16 but for the head, and large batches.
"""

import contextlib
import queue
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hbac.machine.cores import usable_cores
from hbac.network.batch_norm import fold_batch_norm, without_batch_norm
from hbac.network.families import logits_graph
from hbac.network.graph import Tensors
from hbac.network.keras_model import build_keras, with_tensors
from hbac.network.quiet import import_tensorflow
from hbac.network.settings import Network

Array = npt.NDArray[np.float32]
GPU_BATCH = 32


class TensorFlowEngine:
    """The default engine; see the module's text.

    On CPU it sets TensorFlow's threads for the whole process, and each fold has a session of its own: of a `tf.function`
    TensorFlow copies the constants four times more, half of the time until the folds are ready.

    Args:
        settings: the network.
        batch_size: images a call on GPUs; on CPU a call takes one image whatever is asked.
        streams: calls at once on CPU; the number of usable cores by default.

    Raises:
        MachineError: TensorFlow cannot be used.
    """

    def __init__(self, settings: Network, batch_size: int | None = None, streams: int | None = None):
        tf = import_tensorflow()
        self._tf = tf
        self._settings = settings
        self._calls: list[Callable[[Array], Array]] = []
        gpus = _gpus(tf)
        self.exact = not gpus
        self._free = _free_gpus(tuple(gpus))  # a stream takes one
        if gpus:
            self.streams, self.batch_size = len(gpus), batch_size or GPU_BATCH
            how = "float16"
        else:
            self.streams, self.batch_size = streams or usable_cores(), 1
            how = self._one_thread_a_stream()
        self.description = f"tensorflow {tf.__version__}, {len(gpus)} GPUs, {how}"

    def _one_thread_a_stream(self) -> str:
        threading = self._tf.config.threading
        with contextlib.suppress(RuntimeError):  # TensorFlow was in use before: its threads are as they are
            threading.set_intra_op_parallelism_threads(1)
        return f"{threading.get_intra_op_parallelism_threads() or 'all'} thread(s) a stream"

    def load(self, folds: Iterable[Tensors]) -> None:
        """Build one network without normalisation, and of it one graph a fold with that fold's tensors as constants.

        TensorFlow compiles a graph in its first call, here, while the next fold is read.
        """
        graph = logits_graph(self._settings)
        network = build_keras(without_batch_norm(graph), "float32" if self.exact else "mixed_float16")
        make = self._session if self.exact else self._function
        anything = np.zeros((1, *(size or 32 for size in self._settings.input_shape)), np.float32)

        def compiled(call: Callable[[Array], Array]) -> Callable[[Array], Array]:
            call(anything)
            return call

        with ThreadPoolExecutor(1) as compiler:
            folded = (fold_batch_norm(graph, tensors) for tensors in folds)
            calls = (make(with_tensors(network, *one)) for one in folded)
            self._calls = list(compiler.map(compiled, calls))

    def _session(self, network: Callable[[Any], Any]) -> Callable[[Array], Array]:
        """A graph for one image in a session without Grappler, which would only copy the constants once more."""
        tf = self._tf.compat.v1
        with tf.Graph().as_default() as graph:
            images = tf.placeholder(tf.float32, (1, *self._settings.input_shape))  # a fixed shape: oneDNN plans once
            logits = network(images)
        config = tf.ConfigProto(inter_op_parallelism_threads=-1)  # in the thread that calls
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        result: Callable[[Array], Array] = tf.Session(graph=graph, config=config).make_callable(logits, [images])
        return result

    def _function(self, network: Callable[[Any], Any]) -> Callable[[Array], Array]:
        """A function for batches of any size, on a GPU that is free."""
        tf = self._tf
        images = tf.TensorSpec((None, *self._settings.input_shape), tf.float32)
        function = tf.function(network, input_signature=[images], autograph=False)
        return partial(self._on_a_free_gpu, function.get_concrete_function())

    def _on_a_free_gpu(self, function: Callable[[Any], Any], images: Array) -> Array:
        gpu = self._free.get()
        try:
            with self._tf.device(gpu):
                result: Array = function(self._tf.constant(images)).numpy()
                return result
        finally:
            self._free.put(gpu)

    def logits(self, fold: int, images: Array) -> Array:
        """See `Engine.logits`."""
        return self._calls[fold](images)

    def close(self) -> None:
        """See `Engine.close`."""
        self._calls = []


@cache
def _free_gpus(gpus: tuple[str, ...]) -> "queue.SimpleQueue[str]":
    """GPUs without a batch, the same for all engines of this process: the members of an ensemble have one each."""
    free: queue.SimpleQueue[str] = queue.SimpleQueue()
    for gpu in gpus:
        free.put(gpu)
    return free


def _gpus(tf: Any) -> list[str]:
    """Names of the GPUs that TensorFlow sees, without starting them."""
    return [f"/GPU:{number}" for number in range(len(tf.config.list_physical_devices("GPU")))]
