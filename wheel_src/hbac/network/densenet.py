"""DenseNet121 as a graph: block, transition, network.

Layer by layer what `keras.applications.DenseNet121` computes (Huang et al. 2016, arXiv:1608.06993, table 1), under the
same layer names.
"""

from typing import Final

from hbac.network.graph import Graph, Sketch
from hbac.network.parts import pooled_head
from hbac.network.settings import NetworkSettings

BLOCKS: Final = (6, 12, 24, 16)  # layers of conv2 ... conv5
BOTTLENECK = 4  # a layer's 1x1 convolution is this many times wider than what it adds
BN_EPSILON = 1.001e-5
BACKBONE = "relu"  # the last feature map


def densenet121(settings: NetworkSettings) -> Graph:
    """The whole network: images to class probabilities. Its growth is half its width, rounded up: 32 with width 64."""
    net = Sketch()
    growth = (settings.width + 1) // 2
    x = net.add("InputLayer", "image", batch_shape=(None, *settings.input_shape))
    x = net.add("ZeroPadding2D", "conv1_pad", x, padding=((3, 3), (3, 3)))
    channels = 2 * growth
    x = net.add("Conv2D", "conv1_conv", x, filters=channels, kernel_size=7, strides=2, use_bias=False)
    x = _activated(net, x, "conv1_bn", "conv1_relu")
    x = net.add("ZeroPadding2D", "pool1_pad", x, padding=((1, 1), (1, 1)))
    x = net.add("MaxPooling2D", "pool1", x, pool_size=3, strides=2)  # (H/4, W/4, width)
    for number, blocks in enumerate(BLOCKS, start=2):
        if number > 2:
            channels //= 2
            x = _transition(net, x, channels, f"pool{number - 1}")
        for block in range(1, blocks + 1):
            x = _layer(net, x, growth, f"conv{number}_block{block}")
            channels += growth
    x = _activated(net, x, "bn", BACKBONE)  # (H/32, W/32, 16 * width)
    pooled_head(net, x, settings)
    return net.graph(f"densenet121_w{settings.width}")


def _layer(net: Sketch, x: str, growth: int, name: str) -> str:
    """`growth` more channels beside those that came."""
    new = _activated(net, x, f"{name}_0_bn", f"{name}_0_relu")
    new = net.add("Conv2D", f"{name}_1_conv", new, filters=BOTTLENECK * growth, kernel_size=1, use_bias=False)
    new = _activated(net, new, f"{name}_1_bn", f"{name}_1_relu")
    new = net.add("Conv2D", f"{name}_2_conv", new, filters=growth, kernel_size=3, padding="same", use_bias=False)
    return net.add("Concatenate", f"{name}_concat", x, new)


def _transition(net: Sketch, x: str, channels: int, name: str) -> str:
    """Half the channels at half the height and width."""
    x = _activated(net, x, f"{name}_bn", f"{name}_relu")
    x = net.add("Conv2D", f"{name}_conv", x, filters=channels, kernel_size=1, use_bias=False)
    return net.add("AveragePooling2D", f"{name}_pool", x, pool_size=2, strides=2)


def _activated(net: Sketch, x: str, norm: str, relu: str) -> str:
    x = net.add("BatchNormalization", norm, x, epsilon=BN_EPSILON)
    return net.add("Activation", relu, x, activation="relu")
