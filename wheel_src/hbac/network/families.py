"""The families of networks, a row each, and what is asked of a network by its settings."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hbac.errors import InputError
from hbac.network import densenet, eeg1d, efficientnet_v2, resnet
from hbac.network.batch_norm import without_batch_norm
from hbac.network.graph import Graph, Layer
from hbac.network.keras_model import build_keras
from hbac.network.settings import HEAD, PROBABILITIES, RESNET50, ImportedNetwork, Network, NetworkSettings
from hbac.network.shape_inference import TensorShapes, tensor_shapes

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ImageNetFile:
    """A family's "notop" file of ImageNet weights, as `keras.applications` states it."""

    file: str  # its name
    md5: str
    first: str  # the convolution that takes the image
    spread: float  # standard deviation of the inputs that its weights were trained on; of ours it is about 1
    example: str  # names of layers in the file, for errors
    preprocessing: bool = False  # whether its network begins with layers that give inputs of such a spread
    outdated: "OutdatedFile | None" = None


@dataclass(frozen=True)
class OutdatedFile:
    """An older file of the same name, of another network."""

    md5: str  # its first digits
    layers: re.Pattern[str]  # names of layers in it
    example: str


@dataclass(frozen=True)
class Family:
    """A family: its graph for settings, the layer that ends its backbone, its preset, its ImageNet weights if any."""

    name: str
    graph: Callable[[NetworkSettings], Graph]
    backbone: str
    title: str  # its name for readers
    preset: str  # that its training takes if none is asked for
    imagenet: ImageNetFile | None = None


IMAGES, RAW = "three-zooms-v2", "raw-v1"  # presets; what they are, `hbac.preprocessing` knows
OF_KERAS = "weights_tf_dim_ordering_tf_kernels_notop.h5"
EFFICIENTNET_MD5 = {  # keras/src/applications/efficientnet_v2.py, WEIGHTS_HASHES
    "efficientnetv2-b0": "893217f2bb855e2983157299931e43ff",
    "efficientnetv2-b1": "0e80663031ca32d657f9caa404b6ec37",
    "efficientnetv2-b2": "1dfe2e7a5d45b6632553a8961ea609eb",
    "efficientnetv2-b3": "f6abf7b5849ac99a89b50dd3fd532856",
}
RESNET50_FILE: Final = ImageNetFile(  # keras/src/applications/resnet.py, WEIGHTS_HASHES
    file=f"resnet50_{OF_KERAS}",
    md5="4d473c1dd8becc155b73f8504c6f6626",
    first="conv1_conv",
    spread=60.0,  # pixels from 0 to 255 without their mean
    example="conv1_conv, conv2_block1_1_conv ...",
    outdated=OutdatedFile(
        md5="a268eb85", layers=re.compile(r"(res|bn)\d[a-f]_branch|^bn_conv1$"), example="res2a_branch2a ..."
    ),
)
DENSENET121_FILE: Final = ImageNetFile(  # keras/src/applications/densenet.py, file_hash
    file=f"densenet121_{OF_KERAS}",
    md5="30ee3e1110167f948a6b9946edeeb738",
    first="conv1_conv",
    spread=1.0,  # pixels over 255, each channel with mean 0 and deviation 1
    example="conv1_conv, conv2_block1_0_bn ...",
)


def _efficientnet(name: str, md5: str) -> Family:
    imagenet = ImageNetFile(
        file=f"{name}_notop.h5",
        md5=md5,
        first="stem_conv",
        spread=1.0,
        example="stem_conv, block1a_project_conv ...",
        preprocessing=True,
    )
    title = f"EfficientNetV2-{name[-2:].upper()}"
    return Family(name, efficientnet_v2.efficientnet_v2, efficientnet_v2.BACKBONE, title, IMAGES, imagenet)


FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family
    for family in (
        Family(RESNET50, resnet.resnet50, resnet.BACKBONE, "ResNet50", IMAGES, RESNET50_FILE),
        *(_efficientnet(name, md5) for name, md5 in EFFICIENTNET_MD5.items()),
        Family("densenet121", densenet.densenet121, densenet.BACKBONE, "DenseNet121", IMAGES, DENSENET121_FILE),
        Family("eeg1d", eeg1d.eeg1d, eeg1d.BACKBONE, "eeg1d", RAW),
    )
}


def family_named(name: str) -> Family:
    """A family by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in FAMILIES:
        raise InputError(f"expected a family of networks, one of {sorted(FAMILIES)}, received {name!r}")
    return FAMILIES[name]


def is_preprocessing(layer: str, settings: NetworkSettings) -> bool:
    """Whether a layer of an ImageNet file, by its name, prepares images as ours come prepared already."""
    imagenet = family_named(settings.family).imagenet
    stem = re.sub(r"_\d+$", "", layer)
    return bool(imagenet and imagenet.preprocessing) and stem in ("rescaling", "normalization")


def whole_graph(network: Network) -> Graph:
    """Inputs to class probabilities."""
    if isinstance(network, ImportedNetwork):
        graph = logits_graph(network)
        softmax = Layer(PROBABILITIES, "Activation", {"activation": "softmax"}, (graph.layers[-1].name,))
        return Graph(graph.name, (*graph.layers, softmax))
    return family_named(network.family).graph(network)


def logits_graph(network: Network) -> Graph:
    """Inputs to logits, (batch, classes), without dropout: what engines compute."""
    if isinstance(network, ImportedNetwork):
        return network.graph.taking(network.input_shape)
    return whole_graph(replace(network, dropout=0.0)).until(HEAD)


def backbone_graph(settings: NetworkSettings) -> Graph:
    """Images to the last feature map."""
    graph = whole_graph(settings)
    return graph.until(family_named(settings.family).backbone, f"{graph.name}_backbone")


def build(network: Network, batch_norm: bool = True, precision: str = "float32") -> "keras.Model":
    """The whole network: images to class probabilities.

    Args:
        network: family, width, classes, input shape, dropout; or an imported one.
        batch_norm: False leaves the normalisation layers out, for weights that hold them already (`fold_batch_norm`).
        precision: or "mixed_float16": weights in float32, all but the head computed in float16.

    Returns:
        A functional Keras model, (batch, *input_shape) float32 to (batch, classes) float32 probabilities. Layer
        `predictions` holds the logits.
    """
    graph = whole_graph(network)
    return build_keras(graph if batch_norm else without_batch_norm(graph), precision)


def backbone(settings: NetworkSettings) -> "keras.Model":
    """Images to the last feature map: for ResNet50 (batch, H, W, 3) to (batch, ceil(H / 32), ceil(W / 32), features)."""
    return build_keras(backbone_graph(settings))


def shapes(network: Network, head: bool = True) -> TensorShapes:
    """Names and shapes of all tensors, `conv1_conv/kernel` ..., without building the network (no TensorFlow).

    Without the head, those of a family's backbone.
    """
    if isinstance(network, NetworkSettings) and not head:
        return tensor_shapes(backbone_graph(network))
    return tensor_shapes(whole_graph(network))
