"""ResNet50 as a graph: block, stage, network.

Layer by layer what `keras.applications.ResNet50` computes (He et al. 2015, arXiv:1512.03385, table 1, with the biases
and the stride on the first 1x1 convolution that the Keras weights were trained with), under the same layer names.
"""

from hbac.network.graph import Graph, Sketch
from hbac.network.parts import pooled_head
from hbac.network.settings import NetworkSettings

STAGES = ((1, 3, 1), (2, 4, 2), (4, 6, 2), (8, 3, 2))  # (width factor, blocks, stride of the first) of conv2 ... conv5
EXPANSION = 4  # a block's output is this many times wider than its bottleneck
BN_EPSILON = 1.001e-5
BACKBONE = f"conv{1 + len(STAGES)}_block{STAGES[-1][1]}_out"  # the last feature map


def resnet50(settings: NetworkSettings) -> Graph:
    """The whole network: images to class probabilities."""
    net = Sketch()
    x = net.add("InputLayer", "image", batch_shape=(None, *settings.input_shape))
    x = net.add("ZeroPadding2D", "conv1_pad", x, padding=((3, 3), (3, 3)))
    x = _conv(net, x, settings.width, 7, 2, "conv1")  # (H/2, W/2, width)
    x = net.add("Activation", "conv1_relu", x, activation="relu")
    x = net.add("ZeroPadding2D", "pool1_pad", x, padding=((1, 1), (1, 1)))
    x = net.add("MaxPooling2D", "pool1_pool", x, pool_size=(3, 3), strides=(2, 2))  # (H/4, W/4, width)
    for number, (factor, blocks, stride) in enumerate(STAGES, start=2):
        x = _stage(net, x, settings.width * factor, blocks, stride, f"conv{number}")
    pooled_head(net, x, settings)  # of (32 * width,)
    return net.graph(f"resnet50_w{settings.width}")


def _stage(net: Sketch, x: str, width: int, blocks: int, stride: int, name: str) -> str:
    x = _block(net, x, width, stride, True, f"{name}_block1")
    for number in range(2, blocks + 1):
        x = _block(net, x, width, 1, False, f"{name}_block{number}")
    return x  # (H/stride, W/stride, EXPANSION * width)


def _block(net: Sketch, x: str, width: int, stride: int, project: bool, name: str) -> str:
    """Bottleneck: 1x1, 3x3, 1x1, and a shortcut that the first block of a stage projects."""
    shortcut = _conv(net, x, EXPANSION * width, 1, stride, f"{name}_0") if project else x
    x = _conv(net, x, width, 1, stride, f"{name}_1")
    x = net.add("Activation", f"{name}_1_relu", x, activation="relu")
    x = _conv(net, x, width, 3, 1, f"{name}_2")
    x = net.add("Activation", f"{name}_2_relu", x, activation="relu")
    x = _conv(net, x, EXPANSION * width, 1, 1, f"{name}_3")
    x = net.add("Add", f"{name}_add", shortcut, x)
    return net.add("Activation", f"{name}_out", x, activation="relu")


def _conv(net: Sketch, x: str, filters: int, kernel: int, stride: int, name: str) -> str:
    size, strides, padding = (kernel, kernel), (stride, stride), "same" if kernel == 3 else "valid"
    x = net.add("Conv2D", f"{name}_conv", x, filters=filters, kernel_size=size, strides=strides, padding=padding)
    return net.add("BatchNormalization", f"{name}_bn", x, epsilon=BN_EPSILON)
