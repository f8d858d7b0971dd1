"""A fold's statistics of normalisation and its pooled features, computed by Keras on the user's images."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from hbac.network.families import logits_graph
from hbac.network.graph import Tensors
from hbac.network.keras_model import build_keras
from hbac.network.quiet import import_tensorflow
from hbac.network.settings import HEAD, NetworkSettings
from hbac.preprocessing.preset import Preset
from hbac.training.batch_norm import estimate_statistics, layers_of
from hbac.weights.tensors import set_weights

PART = 0.5  # of the way to the user's statistics; all the way is worse (docs/adapt.md)
VIEWS_TIMES_WIDTH = 4096  # of one batch: 256 views at width 16, 64 of ResNet50 itself; about 3 GB
VIEWS_A_CALL = 16  # for pooled features, which depend on no other image
SHUFFLE_SEED = 0  # of the batches, where there is more than one

Array = npt.NDArray[np.float32]


def views_of(images: Array, preset: Preset) -> Array:
    """(n, *shape) to (2n, *shape): the images, and then the same with left and right exchanged."""
    return np.concatenate([images, preset.flip(images)])


class Backbone:
    """The network up to its pooled features, built once for all folds.

    Args:
        network: what the folds are weights of.
        preset: what their images are.
    """

    def __init__(self, network: NetworkSettings, preset: Preset):
        tf = import_tensorflow()
        graph = logits_graph(network)
        (pooled,) = graph.by_name[HEAD].inputs
        self._model = build_keras(graph.until(pooled))
        self._width, self._preset = network.width, preset
        images = tf.TensorSpec((None, *network.input_shape), tf.float32)  # traced once for batches of any size
        self._training, self._inference = (
            tf.function(partial(self._model, training=training), input_signature=[images]) for training in (True, False)
        )

    def adapted(self, tensors: Tensors, images: Array, part: float = PART) -> Tensors:
        """A fold whose moving statistics have gone a part of the way to those of the images, both views of each.

        The images go forward in training mode: each layer is normalised by their statistics when those of the next are
        taken. What does not fit into one batch goes through in several alike, and the variance between them counts.

        Args:
            tensors: all tensors of the fold.
            images: (n, *shape) float32.
            part: of the way, 0 to 1.

        Returns:
            All tensors, as a file in float16 holds them.
        """
        self._take(tensors)
        estimate_statistics(self._model, self._training, self._batches(images))
        moved = dict(tensors)
        for layer in layers_of(self._model):
            for variable in (layer.moving_mean, layer.moving_variance):
                shipped = np.asarray(tensors[variable.path], np.float64)
                moved[variable.path] = (1 - part) * shipped + part * variable.numpy()
        return as_float16(moved)

    def pooled(self, tensors: Tensors, images: Array) -> npt.NDArray[np.float64]:
        """(n, *shape) images to (2, n, features): of the images, and of the same with left and right exchanged."""
        self._take(tensors)
        parts = np.array_split(images, -(-len(images) // VIEWS_A_CALL))
        views = ((part, self._preset.flip(part)) for part in parts)
        answers = [[self._inference(view).numpy() for view in pair] for pair in views]
        whole: npt.NDArray[np.float64] = np.stack([np.concatenate(view) for view in zip(*answers)]).astype(np.float64)
        return whole

    def _take(self, tensors: Tensors) -> None:
        set_weights(self._model, {v.path: tensors[v.path] for v in self._model.weights})

    def _batches(self, images: Array) -> Iterator[Array]:
        """Both views of all images in batches of nearly one size, in an order that no folder decides."""
        most = max(VIEWS_TIMES_WIDTH // self._width // 2, 1)
        count = -(-len(images) // most)
        order = np.random.default_rng(SHUFFLE_SEED).permutation(len(images))
        return (views_of(images[np.sort(part)], self._preset) for part in np.array_split(order, count))


def as_float16(tensors: Tensors) -> Tensors:
    """What is left of tensors after they have been written as float16 and read again, float32."""
    out: Tensors = {}
    for name, tensor in tensors.items():
        with np.errstate(over="ignore"):
            half = np.asarray(tensor, np.float16).astype(np.float32)
        out[name] = half if np.isfinite(half).all() else np.asarray(tensor, np.float32)
    return out
