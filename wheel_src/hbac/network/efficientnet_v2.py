"""EfficientNetV2-B0 to -B3 as graphs: block, stage, network.

Layer by layer what `keras.applications.EfficientNetV2B0` to `B3` compute without the preprocessing layers that they put
in front (Tan and Le 2021, arXiv:2104.00298, table 4, scaled as their B variants are), under the same layer names.
"""

import math
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, Final

from hbac.network.graph import Graph, Sketch
from hbac.network.parts import channels_at, normalised, pooled_head
from hbac.network.settings import NetworkSettings

BACKBONE = "top_activation"  # the last feature map
BN_EPSILON = 1e-3
SE_SHARE = 0.25  # of a block's input channels that squeeze and excitation go through
DROP_CONNECT = 0.2  # chance that the last block leaves an image as it is, in training; of the first it is 0
STEM, TOP = 32, 1280  # channels


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind: `fused` ones have one 3x3 convolution instead of a 1x1 and a depthwise one."""

    fused: bool
    expansion: int
    channels: int
    blocks: int
    stride: int  # of the first


STAGES: Final = (  # of B0; the others scale channels and blocks
    Stage(True, 1, 16, 1, 1),
    Stage(True, 4, 32, 2, 2),
    Stage(True, 4, 48, 2, 2),
    Stage(False, 4, 96, 3, 2),
    Stage(False, 6, 112, 5, 1),
    Stage(False, 6, 192, 8, 2),
)
VARIANTS: Final = {"b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4)}  # factors of width and depth


def efficientnet_v2(settings: NetworkSettings) -> Graph:
    """The whole network: images to class probabilities."""
    net = Sketch()
    wide, deep = VARIANTS[settings.family.rsplit("-")[-1]]
    width = settings.width
    x = net.add("InputLayer", "image", batch_shape=(None, *settings.input_shape))
    filters = channels_at(width, STEM * wide)
    x = _conv(net, "Conv2D", "stem_conv", x, "stem_bn", filters=filters, kernel_size=3, strides=2)  # (H/2, W/2, ...)
    x = net.add("Activation", "stem_activation", x, activation="silu")
    done, blocks = 0, sum(stage.blocks for stage in STAGES)
    for number, stage in enumerate(STAGES, start=1):
        output = channels_at(width, stage.channels * wide)
        for at in range(math.ceil(deep * stage.blocks)):
            block = _Block(net, f"block{number}{ascii_lowercase[at]}_", stage, filters, output)
            drop = DROP_CONNECT * done / blocks if settings.dropout else 0.0
            x = block.add(x, stage.stride if at == 0 else 1, drop)
            filters, done = output, done + 1
    x = _conv(net, "Conv2D", "top_conv", x, "top_bn", filters=channels_at(width, TOP * wide), kernel_size=1)
    x = net.add("Activation", BACKBONE, x, activation="silu")  # (H/32, W/32, 1280)
    pooled_head(net, x, settings)
    return net.graph(f"{settings.family.replace('-', '_')}_w{width}")


@dataclass(frozen=True)
class _Block:
    """An inverted residual: wider, 3x3, squeeze and excitation, narrower, and the input beside it where it fits."""

    net: Sketch
    name: str
    stage: Stage
    filters: int  # of its input
    output: int

    def add(self, x: str, stride: int, drop: float) -> str:
        """The block behind a layer."""
        inner = self._fused(x, stride) if self.stage.fused else self._depthwise(x, stride)
        if stride > 1 or self.filters != self.output:
            return inner
        if drop:
            inner = self._named("Dropout", "drop", inner, rate=drop, noise_shape=(None, 1, 1, 1))
        return self._named("Add", "add", inner, x)

    def _fused(self, x: str, stride: int) -> str:
        if self.stage.expansion == 1:
            x = self._conv("project", x, filters=self.output, kernel_size=3, strides=stride)
            return self._named("Activation", "project_activation", x, activation="silu")
        x = self._conv("expand", x, filters=self._wide(), kernel_size=3, strides=stride)
        x = self._named("Activation", "expand_activation", x, activation="silu")
        return self._conv("project", x, filters=self.output, kernel_size=1)

    def _depthwise(self, x: str, stride: int) -> str:
        x = self._conv("expand", x, filters=self._wide(), kernel_size=1)
        x = self._named("Activation", "expand_activation", x, activation="silu")
        names = (f"{self.name}dwconv2", x, f"{self.name}bn")
        x = _conv(self.net, "DepthwiseConv2D", *names, kernel_size=3, strides=stride)
        x = self._named("Activation", "activation", x, activation="silu")
        x = self._named("Multiply", "se_excite", x, self._excitation(x))
        return self._conv("project", x, filters=self.output, kernel_size=1)

    def _excitation(self, x: str) -> str:
        """A factor from 0 to 1 for each channel, from the means of all."""
        wide = self._wide()
        x = self._named("GlobalAveragePooling2D", "se_squeeze", x)
        x = self._named("Reshape", "se_reshape", x, target_shape=(1, 1, wide))
        few = max(1, int(self.filters * SE_SHARE))
        x = self._named("Conv2D", "se_reduce", x, filters=few, kernel_size=1, padding="same")
        x = self._named("Activation", "se_reduce_activation", x, activation="silu")
        x = self._named("Conv2D", "se_expand", x, filters=wide, kernel_size=1, padding="same")
        return self._named("Activation", "se_expand_activation", x, activation="sigmoid")

    def _wide(self) -> int:
        return self.filters * self.stage.expansion

    def _named(self, kind: str, name: str, *inputs: str, **arguments: Any) -> str:
        return self.net.add(kind, f"{self.name}{name}", *inputs, **arguments)

    def _conv(self, name: str, x: str, **arguments: Any) -> str:
        return _conv(self.net, "Conv2D", f"{self.name}{name}_conv", x, f"{self.name}{name}_bn", **arguments)


def _conv(net: Sketch, kind: str, name: str, x: str, norm: str, **arguments: Any) -> str:
    return normalised(net, kind, name, x, norm, BN_EPSILON, **arguments)
