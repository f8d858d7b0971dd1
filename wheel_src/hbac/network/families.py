"""The families of networks, a row each, and what is asked of a network by its settings."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hbac.errors import InputError
from hbac.network.batch_norm import without_batch_norm
from hbac.network.graph import Graph, Layer
from hbac.network.keras_model import build_keras
from hbac.network.resnet import BACKBONE, resnet50
from hbac.network.settings import HEAD, PROBABILITIES, ImportedNetwork, Network, NetworkSettings
from hbac.network.shape_inference import TensorShapes, tensor_shapes

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ImageNetFile:
    """What tells a family's "notop" file of ImageNet weights from an older one of the same name."""

    md5: str  # as `keras.applications` states it
    outdated_md5: str  # the first digits of an older file, of another network
    outdated_layers: re.Pattern[str]  # names of layers in the older file
    example: str  # names of layers in the file, for errors
    outdated_example: str


@dataclass(frozen=True)
class Family:
    """A family: its graph for settings, the layer that ends its backbone, its ImageNet weights if there are any."""

    name: str
    graph: Callable[[NetworkSettings], Graph]
    backbone: str
    imagenet: ImageNetFile | None = None


FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family
    for family in (
        Family(
            "resnet50",
            resnet50,
            BACKBONE,
            ImageNetFile(  # keras/src/applications/resnet.py, WEIGHTS_HASHES
                md5="4d473c1dd8becc155b73f8504c6f6626",
                outdated_md5="a268eb85",
                outdated_layers=re.compile(r"(res|bn)\d[a-f]_branch|^bn_conv1$"),
                example="conv1_conv, conv2_block1_1_conv ...",
                outdated_example="res2a_branch2a ...",
            ),
        ),
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
