"""Any whole Keras model as a graph of ours and its tensors, with nothing in the file executed.

The config is read as plain JSON (`keras_config`): every layer has to be one of `keras_layers.SPECS` or a function of
`keras_ops.FUNCTIONS`, with arguments that our graphs have. `keras.saving` is not called.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hbac import hms
from hbac.errors import InputError, WeightsError, brief
from hbac.network.graph import Graph, Tensors
from hbac.network.shape_inference import output_shapes, tensor_shapes
from hbac.weights.keras_content import content_of, network_of, opened
from hbac.weights.keras_files import arrays_of, layers_of
from hbac.weights.keras_specials import smallest
from hbac.weights.saved_network import SavedNetwork

NAME = "imported"  # of every graph that is made here: what a file calls its model says nothing of what it computes


@dataclass(frozen=True)
class Imported:
    """A network as it was found in a file."""

    graph: Graph  # inputs to logits
    tensors: Tensors  # float32


def import_model(path: Path) -> Imported:
    """The network of a whole `.keras` or `.h5` file of Keras, whatever its architecture, and its weights.

    A mixed precision is computed in float32. Dropout, noise and augmentation are left out: they compute nothing when a
    network answers.

    Args:
        path: a model with one input and one output, the probabilities of the six classes or the logits before them.

    Raises:
        WeightsError: not such a file; the layer that is not on the list, or an argument of one, is named with its place.
    """
    content = content_of(path)
    with opened(path, content) as file:
        network = network_of(path, file, content)
        if network is None:
            raise WeightsError(
                f"{path}: expected a whole model, which says what it computes, received weights alone; "
                "save the model as .keras"
            )
        try:
            graph = logits_of(network)
            expected = {name: shape for name, shape in tensor_shapes(graph).items() if name not in network.constants}
        except (InputError, WeightsError) as error:
            raise WeightsError(f"{path}: {error}") from error
        names = {name: step.layer.name for name, step in network.steps.items()}
        tensors = arrays_of(path, layers_of(path, file, network, names), expected)
    return Imported(graph, _all_tensors(network, graph, tensors))


def logits_of(network: SavedNetwork) -> Graph:
    """A saved network without the softmax in which it ends, if it does.

    Raises:
        WeightsError: it answers with something else than six probabilities or logits, or holds layers that do not count.
    """
    steps = network.steps
    last = steps[network.output]
    is_softmax = last.kind == "Activation" and last.arguments["activation"] == "softmax"
    end = steps[last.inputs[0]] if is_softmax else last
    shape = network.shapes[end.name]
    if shape[1:] != (len(hms.CLASSES),):
        raise WeightsError(f"expected an answer of {len(hms.CLASSES)} classes, received {shape}")
    if not is_softmax and end.kind != "Dense":
        raise WeightsError(
            f"layer {brief(last.name)}: expected a softmax or a dense layer of logits as the last one, received "
            f"{last.kind} {brief(last.arguments, quote=False)}"
        )
    whole = network.graph(NAME)
    return whole.until(end.layer.name)


def _all_tensors(network: SavedNetwork, graph: Graph, tensors: Tensors) -> Tensors:
    """With those that the config holds, and deviations as `keras.layers.Normalization` takes them."""
    for name in network.deviations:
        key = f"{network.steps[name].layer.name}/moving_variance" if name in network.steps else ""
        if key in tensors:
            tensors[key] = smallest(tensors[key])
    both = {**network.constants, **tensors}
    return {name: np.asarray(both[name], np.float32) for name in tensor_shapes(graph)}


def check_sizes(graph: Graph, input_shape: tuple[int, ...]) -> Graph:
    """The graph for inputs of a shape.

    Raises:
        WeightsError: it takes others.
    """
    stated = tuple(graph.layers[0]["batch_shape"][1:])
    fits = len(stated) == len(input_shape) and all(a in (None, b) for a, b in zip(stated, input_shape))
    if not fits:
        raise WeightsError(
            f"expected inputs of {list(stated)}, received a preprocessing that makes {list(input_shape)}"
        )
    taken = graph.taking(input_shape)
    try:
        output_shapes(taken)
    except InputError as error:
        raise WeightsError(f"for inputs of {list(input_shape)}: {error}") from error
    return taken
