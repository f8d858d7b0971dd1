"""A network of raw EEG: 16 bipolar pairs through shared weights, then left beside right.

Inverted residuals with squeeze and excitation as in EfficientNet (Tan and Le 2019, arXiv:1905.11946), along time alone:
the kernels are (1, k) over (pairs, time), so that every pair goes through the same weights. What a pair and its mirror
image on the other side of the head show is then put together by functions that do not tell left from right: their
maximum, their minimum and how similar they are at each moment. Exchanging left and right changes nothing. Only behind
that is the place on the head seen, by a convolution over all of it.
"""

from dataclasses import dataclass
from typing import Any, Final

from hbac.errors import InputError
from hbac.network.graph import Graph, Sketch
from hbac.network.parts import channels_at, head, normalised
from hbac.network.settings import NetworkSettings

PAIRS, PARTNER = 16, 8  # channels, left ones first; a channel's partner over the right stands 8 behind it
EXPANSION = 4  # a residual's inside is this many times wider than its ends
SE_SHARE = 0.25  # of a residual's channels that squeeze and excitation go through
BN_EPSILON, LN_EPSILON = 1e-3, 1e-6
STEM, MIXED, FIELD = 64, 64, 128  # channels: of the stem, behind left and right, behind the whole head
BETWEEN = 3  # kernel of the separable convolutions between the stages
BACKBONE = "features"  # what the head of the network takes


@dataclass(frozen=True)
class Stage:
    """Inverted residuals of one length in time."""

    channels: int
    kernel: int
    residuals: int


STAGES: Final = (Stage(64, 3, 1), Stage(64, 3, 1), Stage(96, 5, 2), Stage(96, 5, 2), Stage(128, 3, 2))


def eeg1d(settings: NetworkSettings) -> Graph:
    """The whole network: EEG (samples, 16), of which channel c + 8 is the partner of channel c, to class probabilities.

    Raises:
        InputError: the settings have another input.
    """
    samples, *pairs = settings.input_shape
    if pairs != [PAIRS] or samples is None:
        raise InputError(f"eeg1d: expected an input (samples, {PAIRS}), received {settings.input_shape}")
    net = Sketch()
    x = net.add("InputLayer", "eeg", batch_shape=(None, *settings.input_shape))
    x = net.add("Permute", "pairs_first", x, dims=(2, 1))
    x = net.add("Reshape", "pairs", x, target_shape=(PAIRS, samples, 1))
    channels = channels_at(settings.width, STEM)
    x = _conv(net, "stem", x, filters=channels, kernel_size=(1, 3), strides=(1, 2))  # (16, samples / 2, 64)
    x = _silu(net, "stem", x)
    for number, stage in enumerate(STAGES, start=1):
        wider = channels_at(settings.width, stage.channels)
        if number > 1:
            x = _between(net, x, wider, f"stage{number}")  # half as long
        for residual in range(1, stage.residuals + 1):
            x = _residual(net, x, wider, stage.kernel, f"stage{number}_block{residual}")
    x = _sides(net, x)  # (8, samples / 32, 257)
    x = _silu(net, "mixed", _conv(net, "mixed", x, filters=channels_at(settings.width, MIXED), kernel_size=1))
    x = _field(net, x, channels_at(settings.width, FIELD))
    parts = [_over_time(net, x, function) for function in ("mean", "max")]
    head(net, net.add("Concatenate", BACKBONE, *parts), settings)  # of (256,)
    return net.graph(f"eeg1d_w{settings.width}")


def _residual(net: Sketch, x: str, channels: int, kernel: int, name: str) -> str:
    """Wider, along time, squeeze and excitation of each pair by itself, narrower, and the input beside it."""
    wide = EXPANSION * channels
    inner = _silu(net, f"{name}_expand", _conv(net, f"{name}_expand", x, filters=wide, kernel_size=1))
    inner = _conv(net, f"{name}_time", inner, "DepthwiseConv2D", kernel_size=(1, kernel))
    inner = _silu(net, f"{name}_time", inner)
    se = net.add("Reduce", f"{name}_se_squeeze", inner, function="mean", axes=(2,), keepdims=True)  # (16, 1, wide)
    se = net.add("Conv2D", f"{name}_se_reduce", se, filters=max(1, int(channels * SE_SHARE)), kernel_size=1)
    se = _silu(net, f"{name}_se_reduce", se)
    se = net.add("Conv2D", f"{name}_se_expand", se, filters=wide, kernel_size=1)
    se = net.add("Activation", f"{name}_se_expand_activation", se, activation="sigmoid")
    inner = net.add("Multiply", f"{name}_se_excite", inner, se)
    inner = _conv(net, f"{name}_project", inner, filters=channels, kernel_size=1)
    return net.add("Add", f"{name}_add", inner, x)


def _between(net: Sketch, x: str, channels: int, name: str) -> str:
    """A separable convolution to the next stage's channels, then the larger of two neighbours in time."""
    arguments: dict[str, Any] = {"kernel_size": (1, BETWEEN), "padding": "same", "use_bias": False}
    x = net.add("DepthwiseConv2D", f"{name}_in_depthwise", x, **arguments)
    x = _silu(net, f"{name}_in", _conv(net, f"{name}_in", x, filters=channels, kernel_size=1))
    return net.add("MaxPooling2D", f"{name}_in_pool", x, pool_size=(1, 2), strides=(1, 2), padding="same")


def _sides(net: Sketch, x: str) -> str:
    """(16, time, channels) to (8, time, 2 * channels + 1): of each pair and its mirror image what no side has alone."""
    halves = {"left": (None, PARTNER, None), "right": (PARTNER, None, None)}
    left, right = (net.add("Slice", name, x, slices=(half,)) for name, half in halves.items())
    both = [net.add(kind, kind.lower(), left, right) for kind in ("Maximum", "Minimum")]
    both.append(net.add("Similarity", "similarity", left, right, dtype="float32"))  # float16 ends at 65504
    return net.add("Concatenate", "sides", *both)


def _field(net: Sketch, x: str, channels: int) -> str:
    """(8, time, ...) to (1, time, channels): what the head shows as a whole at each moment."""
    x = net.add("Conv2D", "field", x, filters=channels, kernel_size=(PARTNER, 1), use_bias=False)
    x = net.add("BatchNormalization", "field_bn", x, epsilon=BN_EPSILON)
    return _silu(net, "field", x)


def _over_time(net: Sketch, x: str, function: str) -> str:
    """(1, time, channels) to (channels,), with mean 0 and deviation 1 in each record: loud ones are not surer ones."""
    x = net.add("Reduce", f"field_{function}", x, function=function, axes=(1, 2))
    return net.add("LayerNormalization", f"field_{function}_norm", x, epsilon=LN_EPSILON)


def _conv(net: Sketch, name: str, x: str, kind: str = "Conv2D", **arguments: Any) -> str:
    return normalised(net, kind, name, x, f"{name}_bn", BN_EPSILON, **arguments)


def _silu(net: Sketch, name: str, x: str) -> str:
    return net.add("Activation", f"{name}_activation", x, activation="silu")
