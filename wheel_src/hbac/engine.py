"""The engine that computes logits: TensorFlow, a graph with constants per fold and batch normalisation folded in.

An engine has three methods, `load`, `logits` and `close`, and says how many streams may call it at once and how large a
batch it wants. On CPU every record is computed alone, one thread a stream: TensorFlow's last bits change with batch
size, place in the batch and thread count, and without them the submission is the same to the byte, whatever the workers
and the order. On GPUs a stream each, float16 but for the head, and large batches.
"""

import os
import queue
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hbac.errors import HbacError, one_line
from hbac.resnet import HEAD, NetworkSettings, Tensors, build, fold_batch_norm

Array = npt.NDArray[np.float32]
GPU_BATCH = 32


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Engine(Protocol):
    """What `Ensemble` needs of an engine."""

    streams: int  # calls of `logits` that pay at the same time
    batch_size: int  # images a call should bring
    description: str  # what decides its last bits, for the report and the journal
    exact: bool  # float32 throughout; False where convolutions may round to less

    def load(self, folds: Iterable[Tensors]) -> None:
        """Take the folds, in their order, each once and let go before the next is asked for."""

    def logits(self, fold: int, images: Array) -> Array:
        """(batch, 400, 300, 3) float32 to (batch, 6) float32, before the softmax. Safe to call from several threads."""

    def close(self) -> None:
        """Free what `load` took."""


class TensorFlowEngine:
    """The default engine; see the module's text.

    On CPU it sets TensorFlow's threads and switches its graph optimizer (Grappler) off, for the whole process: of a
    finished graph Grappler only copies the constants, 2 s for each full-width fold, and the answers come no faster.

    Args:
        settings: the network.
        batch_size: images a call on GPUs; on CPU a call takes one image whatever is asked.
        streams: calls at once on CPU; the number of usable cores by default.
    """

    def __init__(self, settings: NetworkSettings, batch_size: int | None = None, streams: int | None = None):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # three lines about CPU features help nobody at 2 a.m.
        try:
            import tensorflow as tf
        except ImportError as error:
            raise HbacError(f"engine tensorflow: expected TensorFlow installed, received {one_line(error)}") from error

        self._tf = tf
        self._settings = settings
        self._functions: list[Any] = []
        gpus = _gpus(tf)
        self.exact = not gpus
        self._free: queue.SimpleQueue[str] = queue.SimpleQueue()  # GPUs without a batch; a stream takes one
        for gpu in gpus:
            self._free.put(gpu)
        if gpus:
            self.streams, self.batch_size = len(gpus), batch_size or GPU_BATCH
            how = "float16"
        else:
            self.streams, self.batch_size = streams or usable_cores(), 1
            how = self._one_thread_a_stream()
            tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # see the class's text
        self.description = f"tensorflow {tf.__version__}, {len(gpus)} GPUs, {how}"

    def _one_thread_a_stream(self) -> str:
        threading = self._tf.config.threading
        try:
            threading.set_intra_op_parallelism_threads(1)
            threading.set_inter_op_parallelism_threads(self.streams)
        except RuntimeError:  # TensorFlow was in use before: its threads are as they are
            pass
        return f"{threading.get_intra_op_parallelism_threads() or 'all'} thread(s) a stream"

    def load(self, folds: Iterable[Tensors]) -> None:
        """Build one network without normalisation, and of it one graph a fold with that fold's tensors as constants."""
        import keras

        whole = build(self._settings, batch_norm=False, precision="float32" if self.exact else "mixed_float16")
        network = keras.Model(whole.input, whole.get_layer(HEAD).output)
        self._functions = [self._function(network, fold_batch_norm(tensors)) for tensors in folds]

    def _function(self, network: Any, tensors: Tensors) -> Any:
        tf = self._tf
        constants = [tensors[variable.path] for variable in network.trainable_variables]
        batch = 1 if self.batch_size == 1 else None

        @tf.function(input_signature=[tf.TensorSpec((batch, *self._settings.input_shape), tf.float32)], autograph=False)
        def logits(images: Any) -> Any:
            # Constants let oneDNN keep its reordered weights; a fixed shape lets it plan once.
            return network.stateless_call([tf.constant(c) for c in constants], [], images, training=False)[0]

        return logits.get_concrete_function()

    def logits(self, fold: int, images: Array) -> Array:
        """See `Engine.logits`."""
        if self.exact:
            return self._functions[fold](self._tf.constant(images)).numpy()
        gpu = self._free.get()
        try:
            with self._tf.device(gpu):
                return self._functions[fold](self._tf.constant(images)).numpy()
        finally:
            self._free.put(gpu)

    def close(self) -> None:
        """See `Engine.close`."""
        self._functions = []


def _gpus(tf: Any) -> list[str]:
    """Names of the GPUs that TensorFlow sees, without starting them."""
    return [f"/GPU:{number}" for number in range(len(tf.config.list_physical_devices("GPU")))]
