"""What families have in common: numbers of channels at a width, a convolution with its normalisation, the head."""

from typing import Any

from hbac.network.graph import Sketch
from hbac.network.settings import FULL_WIDTH, HEAD, PROBABILITIES, NetworkSettings

DIVISOR = 8  # of numbers of channels; no layer has fewer


def channels_at(width: int, channels: float) -> int:
    """Channels of a layer that has so many in the full network: the nearest multiple of 8, at least 8.

    With `width` 64 as `round_filters` of `keras.applications` rounds.
    """
    scaled = channels * (width / FULL_WIDTH)
    return max(DIVISOR, int(scaled + DIVISOR / 2) // DIVISOR * DIVISOR)


def normalised(net: Sketch, kind: str, name: str, x: str, norm: str, epsilon: float, **arguments: Any) -> str:
    """A convolution without a bias, of stride 1 if none is stated, and the normalisation behind it."""
    x = net.add(kind, name, x, padding="same", use_bias=False, **arguments)
    return net.add("BatchNormalization", norm, x, epsilon=epsilon)


def pooled_head(net: Sketch, x: str, settings: NetworkSettings) -> None:
    """The mean of a feature map (height, width, features), and `head` behind it."""
    head(net, net.add("GlobalAveragePooling2D", "avg_pool", x), settings)


def head(net: Sketch, x: str, settings: NetworkSettings) -> None:
    """Features (features,) to logits and probabilities."""
    if settings.dropout:
        x = net.add("Dropout", "head_dropout", x, rate=settings.dropout)
    x = net.add("Dense", HEAD, x, units=settings.classes, dtype="float32")
    net.add("Activation", PROBABILITIES, x, activation="softmax", dtype="float32")
