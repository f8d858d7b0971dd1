"""The ResNet50 definition: block, stage, network, recipe; no files.

Layer by layer what `keras.applications.ResNet50` computes (He et al. 2015, arXiv:1512.03385, with the biases and the
stride on the first 1x1 convolution that the Keras weights were trained with), under the same layer names.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

STAGES = ((1, 3, 1), (2, 4, 2), (4, 6, 2), (8, 3, 2))  # (width factor, blocks, stride of the first) of conv2 ... conv5
EXPANSION = 4  # a block's output is this many times wider than its bottleneck
BN_EPSILON = 1.001e-5
BN_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")
HEAD = "predictions"  # the layer of logits

Tensors = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class NetworkSettings:
    """What defines the network: the width of its first bottleneck (64 is ResNet50 itself), its head and its input."""

    width: int = 64
    classes: int = 6
    input_shape: tuple[int | None, int, int] = (400, 300, 3)  # a height of None takes any
    dropout: float = 0.0

    @property
    def features(self) -> int:
        """Length of the vector before the head: 2,048 for ResNet50."""
        return self.width * STAGES[-1][0] * EXPANSION


def build(settings: NetworkSettings, batch_norm: bool = True, precision: str = "float32") -> "keras.Model":
    """The whole network: images to class probabilities.

    Args:
        settings: width, classes, input shape.
        batch_norm: False leaves the normalisation layers out, for weights that hold them already (`fold_batch_norm`).
        precision: or "mixed_float16": weights in float32, all but the head computed in float16.

    Returns:
        A functional Keras model, (batch, *input_shape) float32 to (batch, classes) float32 probabilities. Layer
        `predictions` holds the logits.
    """
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return _network(settings, batch_norm)
    finally:
        keras.config.set_dtype_policy(before)


def _network(settings: NetworkSettings, batch_norm: bool) -> "keras.Model":
    import keras
    from keras import layers

    features = backbone(settings, batch_norm)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(features.output)
    if settings.dropout:
        x = layers.Dropout(settings.dropout, name="head_dropout")(x)
    x = layers.Dense(settings.classes, dtype="float32", name=HEAD)(x)
    x = layers.Activation("softmax", dtype="float32", name="probabilities")(x)
    return keras.Model(features.input, x, name=f"resnet50_w{settings.width}")


def backbone(settings: NetworkSettings, batch_norm: bool = True) -> "keras.Model":
    """Images to the last feature map: (batch, H, W, 3) to (batch, ceil(H / 32), ceil(W / 32), features)."""
    import keras
    from keras import layers

    image = layers.Input(settings.input_shape, name="image")
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)
    x = _conv(x, settings.width, 7, 2, "conv1", batch_norm)  # (H/2, W/2, width)
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)  # (H/4, W/4, width)
    for number, (factor, blocks, stride) in enumerate(STAGES, start=2):
        x = _stage(x, settings.width * factor, blocks, stride, f"conv{number}", batch_norm)
    return keras.Model(image, x, name=f"resnet50_w{settings.width}_backbone")


def _stage(x: Any, width: int, blocks: int, stride: int, name: str, batch_norm: bool) -> Any:
    x = _block(x, width, stride, True, f"{name}_block1", batch_norm)
    for number in range(2, blocks + 1):
        x = _block(x, width, 1, False, f"{name}_block{number}", batch_norm)
    return x


def _block(x: Any, width: int, stride: int, project: bool, name: str, batch_norm: bool) -> Any:
    """Bottleneck: 1x1, 3x3, 1x1, and a shortcut that the first block of a stage projects."""
    from keras import layers

    shortcut = _conv(x, EXPANSION * width, 1, stride, f"{name}_0", batch_norm) if project else x
    x = _conv(x, width, 1, stride, f"{name}_1", batch_norm)
    x = layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = _conv(x, width, 3, 1, f"{name}_2", batch_norm)
    x = layers.Activation("relu", name=f"{name}_2_relu")(x)
    x = _conv(x, EXPANSION * width, 1, 1, f"{name}_3", batch_norm)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _conv(x: Any, filters: int, kernel: int, stride: int, name: str, batch_norm: bool) -> Any:
    from keras import layers

    padding = "same" if kernel == 3 else "valid"
    x = layers.Conv2D(filters, kernel, strides=stride, padding=padding, name=f"{name}_conv")(x)
    return layers.BatchNormalization(epsilon=BN_EPSILON, name=f"{name}_bn")(x) if batch_norm else x


def shapes(settings: NetworkSettings, head: bool = True) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors, `conv1_conv/kernel` ..., without building the network (no TensorFlow)."""
    out: dict[str, tuple[int, ...]] = {}

    def conv(name: str, kernel: int, inputs: int, filters: int) -> None:
        out[f"{name}_conv/kernel"] = (kernel, kernel, inputs, filters)
        out[f"{name}_conv/bias"] = (filters,)
        out.update({f"{name}_bn/{part}": (filters,) for part in BN_PARTS})

    conv("conv1", 7, settings.input_shape[-1], settings.width)
    inputs = settings.width
    for number, (factor, blocks, _) in enumerate(STAGES, start=2):
        width = settings.width * factor
        for block in range(1, blocks + 1):
            name = f"conv{number}_block{block}"
            if block == 1:
                conv(f"{name}_0", 1, inputs, EXPANSION * width)
            conv(f"{name}_1", 1, inputs, width)
            conv(f"{name}_2", 3, width, width)
            conv(f"{name}_3", 1, width, EXPANSION * width)
            inputs = EXPANSION * width
    if head:
        out[f"{HEAD}/kernel"] = (inputs, settings.classes)
        out[f"{HEAD}/bias"] = (settings.classes,)
    return out


def fold_batch_norm(tensors: Tensors) -> Tensors:
    """Tensors of the network without normalisation layers that computes the same: k * g/s, (b - mean) * g/s + beta.

    With s = sqrt(variance + epsilon) (Ioffe and Szegedy 2015, arXiv:1502.03167); computed in float64, returned float32.
    """
    out: Tensors = {}
    for name, tensor in tensors.items():
        layer, part = name.rsplit("/", 1)
        if layer.endswith("_bn"):
            continue
        if not layer.endswith("_conv"):
            out[name] = np.asarray(tensor, np.float32)
            continue
        gamma, beta, mean, variance = (
            np.asarray(tensors[f"{layer.removesuffix('_conv')}_bn/{p}"], np.float64) for p in BN_PARTS
        )
        scale = gamma / np.sqrt(variance + BN_EPSILON)
        folded = tensor * scale if part == "kernel" else (tensor - mean) * scale + beta
        out[name] = folded.astype(np.float32)
    return out
