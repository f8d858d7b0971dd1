"""A graph as a functional Keras model."""

from typing import TYPE_CHECKING, Any

from hbac.network.graph import Graph
from hbac.network.quiet import import_keras

if TYPE_CHECKING:
    import keras


def build_keras(graph: Graph, precision: str = "float32") -> "keras.Model":
    """The model, its layers made in the graph's order, with Keras's own initial weights.

    Args:
        graph: the network.
        precision: or "mixed_float16": weights in float32, layers without a dtype of their own computed in float16.
    """
    keras = import_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        values = _values(graph)
    finally:
        keras.config.set_dtype_policy(before)
    return keras.Model(values[graph.layers[0].name], values[graph.layers[-1].name], name=graph.name)


def _values(graph: Graph) -> dict[str, Any]:
    """What each layer gives, symbolic, by its name."""
    from keras import Input, layers

    values: dict[str, Any] = {}
    for layer in graph.layers:
        if layer.kind == "InputLayer":
            values[layer.name] = Input(**layer.arguments, name=layer.name)
            continue
        inputs = [values[name] for name in layer.inputs]
        of_keras = getattr(layers, layer.kind)(**layer.arguments, name=layer.name)
        values[layer.name] = of_keras(inputs[0] if len(inputs) == 1 else inputs)
    return values
