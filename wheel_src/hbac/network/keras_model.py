"""A graph as a functional Keras model. A kind is the class of that name in `keras.layers`, or a row of `FUNCTIONS`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from hbac.network.graph import Graph, Layer, Tensors
from hbac.network.quiet import import_keras
from hbac.network.shape_inference import layer_tensors, output_shapes

if TYPE_CHECKING:
    import keras


def build_keras(graph: Graph, precision: str = "float32") -> "keras.Model":
    """The model, its layers made in the graph's order, with Keras's own initial weights, depthwise ones as He et al. do.

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


def names_of_weights(model: "keras.Model", graph: Graph) -> dict[int, str]:
    """Of each variable of a model's layers, by `id`, its tensor's name: `conv1_conv/kernel` ...

    What Keras itself calls a variable differs between its versions; the order of a layer's weights does not.
    """
    sizes = output_shapes(graph)
    names: dict[int, str] = {}
    for layer in graph.layers:
        parts = layer_tensors(layer, [sizes[name] for name in layer.inputs])
        if parts and layer.shares is None:
            weights = model.get_layer(layer.name).weights
            names |= {id(variable): f"{layer.name}/{part}" for part, variable in zip(parts, weights, strict=True)}
    return names


def with_tensors(model: "keras.Model", graph: Graph, tensors: Tensors) -> Callable[[Any], Any]:
    """A model's answer with tensors as constants in TensorFlow's graph: they let oneDNN keep its reordered weights."""
    import tensorflow as tf

    names = names_of_weights(model, graph)

    def values(variables: Any) -> list[Any]:
        """A state of random numbers, which only training draws, is no tensor of the network: it stays as it is."""
        named = ((variable, names.get(id(variable))) for variable in variables)
        return [tensors[name] if name else variable.numpy() for variable, name in named]

    both = values(model.trainable_variables), values(model.non_trainable_variables)

    def answer(images: Any) -> Any:
        trained, statistics = ([tf.constant(value) for value in part] for part in both)
        return model.stateless_call(trained, statistics, images, training=False)[0]

    return answer


def _values(graph: Graph) -> dict[str, Any]:
    """What each layer gives, symbolic, by its name."""
    from keras import Input

    values: dict[str, Any] = {}
    made: dict[str, Callable[[Any], Any]] = {}  # by the name of the layer that owns the tensors
    for layer in graph.layers:
        if layer.kind == "InputLayer":
            values[layer.name] = Input(**layer.arguments, name=layer.name)
            continue
        inputs = [values[name] for name in layer.inputs]
        if layer.owner not in made:
            made[layer.owner] = FUNCTIONS.get(layer.kind, _layer_of_keras)(layer)
        values[layer.name] = made[layer.owner](inputs[0] if len(inputs) == 1 else inputs)
    return values


def _layer_of_keras(layer: Layer) -> Callable[[Any], Any]:
    from keras import initializers, layers

    initial = {}
    if layer.kind.startswith("Depthwise"):  # Keras's default counts all channels, of which such a kernel sums over one
        initial["depthwise_initializer"] = initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")
    of_keras: Callable[[Any], Any] = getattr(layers, layer.kind)(**layer.arguments, **initial, name=layer.name)
    return of_keras


def _bidirectional(layer: Layer) -> Callable[[Any], Any]:
    from keras import layers

    own = ("layer", "merge_mode", "dtype")
    arguments = {name: value for name, value in layer.arguments.items() if name not in own}
    if layer["layer"] != "GRU":
        del arguments["reset_after"]
    one = getattr(layers, layer["layer"])(**arguments, dtype=layer["dtype"])
    both: Callable[[Any], Any] = layers.Bidirectional(one, merge_mode=layer["merge_mode"], name=layer.name)
    return both


def _slice(layer: Layer) -> Callable[[Any], Any]:
    places = (slice(None), *(one if isinstance(one, int) else slice(*one) for one in layer["slices"]))
    return lambda x: x[places]


def _reduce(layer: Layer) -> Callable[[Any], Any]:
    from keras import ops

    reduce = getattr(ops, layer["function"])
    return lambda x: reduce(x, axis=layer["axes"], keepdims=layer["keepdims"])


def _function(layer: Layer) -> Callable[[Any], Any]:
    from keras import ops

    function: Callable[[Any], Any] = getattr(ops, layer["function"])
    return function


def _divide(layer: Layer) -> Callable[[Any], Any]:
    from keras import ops

    return lambda pair: ops.divide(*pair)


def _similarity(layer: Layer) -> Callable[[Any], Any]:
    from keras import ops

    def normalised(pair: Any) -> Any:
        a, b = (ops.cast(one, layer["dtype"]) for one in pair) if layer["dtype"] else pair
        aa, bb, ab = (ops.sum(x * y, axis=-1, keepdims=True) for x, y in ((a, a), (b, b), (a, b)))
        return ab / ops.sqrt((aa + layer["epsilon"]) * (bb + layer["epsilon"]))

    return normalised


FUNCTIONS: Final[Mapping[str, Callable[[Layer], Callable[[Any], Any]]]] = {
    "Bidirectional": _bidirectional,
    "Slice": _slice,
    "Reduce": _reduce,
    "Function": _function,
    "Divide": _divide,
    "Similarity": _similarity,
}
