"""Every kind of layer, argument by argument, by OpenVINO against Keras's own layers.

A case is a branch: a few layers behind the input. All branches of a topic are one network, so that little is compiled.
Each branch is tried twice: on the input itself, and behind a pooling over single places, after which the converter has
channels first.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from hbac.network.arguments import ACTIVATIONS
from hbac.network.graph import Graph, Sketch, Tensors
from hbac.network.keras_model import build_keras, with_tensors
from hbac.network.kinds import FUNCTIONS, KINDS, REDUCTIONS
from hbac.network.openvino_graph import CONVERTERS, openvino_model
from hbac.network.shape_inference import output_shapes, tensor_shapes

openvino = pytest.importorskip("openvino")

Branch = tuple[Any, ...]  # layers one behind the other; a list is layers beside each other that the next one takes
MAP, WAVE, STEPS = (9, 8, 6), (11, 6), (5, 6)  # inputs; of steps there is no pooling, recurrent layers do not care


def of(kind: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """One layer of a branch."""
    return kind, arguments


def chain(net: Sketch, x: str, branch: Branch, name: str) -> str:
    """Add a branch behind a layer; gives its last one."""
    inputs = [x]
    for i, step in enumerate(branch):
        if isinstance(step, list):
            inputs = [chain(net, x, side, f"{name}_{i}{j}") for j, side in enumerate(step)]
        else:
            inputs = [net.add(step[0], f"{name}_{i}", *inputs, **step[1])]
    return inputs[0]


def joined(shape: tuple[int, ...], branches: list[Branch]) -> Graph:
    """All branches behind both starts, each flattened, one behind the other."""
    net = Sketch()
    image = net.add("InputLayer", "image", batch_shape=(None, *shape))
    starts = [image]
    if shape in (MAP, WAVE):
        axes = len(shape) - 1
        starts.append(net.add(f"MaxPooling{axes}D", "first", image, pool_size=(1,) * axes, strides=(1,) * axes))
    ends = [chain(net, x, branch, f"b{i}s{j}") for j, x in enumerate(starts) for i, branch in enumerate(branches)]
    flat = [net.add("Flatten", f"{end}_flat", end) for end in ends]
    for number, some in enumerate([flat[i : i + 90] for i in range(0, len(flat), 90)]):
        flat[number] = net.add("Concatenate", f"some{number}", *some, some[0])  # one input is none too few
    net.add("Concatenate", "all", *flat[: number + 1], flat[0])
    return net.graph("joined")


def random_tensors(graph: Graph, seed: int) -> Tensors:
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in tensor_shapes(graph).items():
        fan = np.prod(shape[:-1]) if "kernel" in name else 1
        value = rng.uniform(0.5, 1.5, shape) if "variance" in name else rng.normal(0, 1 / np.sqrt(fan), shape)
        found[name] = value.astype(np.float32)
    return found


def both(graph: Graph, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """What OpenVINO and what Keras answer for one random input, each (numbers,)."""
    tensors = random_tensors(graph, seed)
    shape = (1, *graph.layers[0]["batch_shape"][1:])
    image = np.random.default_rng(seed + 1).normal(0.2, 1.5, shape).astype(np.float32)
    model = openvino_model(graph, tensors)
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([image])[0][0], with_tensors(build_keras(graph), graph, tensors)(image).numpy()[0]


POOLS = ("MaxPooling", "AveragePooling")
WHOLE = (None, None, None)  # a slice


def windows() -> Iterator[Branch]:
    for padding, kernel in product(("valid", "same"), ((3, 2), (4, 5))):
        for strides, dilation in (((1, 1), (1, 1)), ((2, 3), (1, 1)), ((1, 1), (2, 1))):
            place = {"kernel_size": kernel, "padding": padding, "dilation_rate": dilation}
            yield (of("Conv2D", filters=4, strides=strides, **place),)
            yield (of("Conv2D", filters=4, strides=strides, groups=2, use_bias=False, **place),)
            equal = {**place, "strides": (strides[0], strides[0])}
            yield (of("DepthwiseConv2D", **equal),)
            yield (of("DepthwiseConv2D", depth_multiplier=2, use_bias=False, **equal),)
            yield (of("SeparableConv2D", filters=5, depth_multiplier=2, **equal),)
            yield (of("SeparableConv2D", filters=5, use_bias=False, **equal),)
        for kind, strides in product(POOLS, ((1, 1), (2, 3), (5, 5))):
            yield (of(f"{kind}2D", pool_size=kernel, strides=strides, padding=padding),)
    yield (of("Conv2D", filters=6, kernel_size=3, groups=6),)
    yield of("Slice", slices=(WHOLE, WHOLE, (0, 1, None))), of("DepthwiseConv2D", kernel_size=3, depth_multiplier=3)


def windows_of_waves() -> Iterator[Branch]:
    for padding, kernel in product(("valid", "same", "causal"), (2, 3)):
        for strides, dilation in ((1, 1), (2, 1), (3, 1), (1, 3)):
            place = {"kernel_size": kernel, "padding": padding, "strides": strides, "dilation_rate": dilation}
            yield (of("Conv1D", filters=4, **place),)
            yield (of("Conv1D", filters=4, groups=2, **place),)
            if padding != "causal":
                yield (of("DepthwiseConv1D", depth_multiplier=2, **place),)
                yield (of("SeparableConv1D", filters=5, use_bias=False, **place),)
        if padding != "causal":
            for kind, strides in product(POOLS, (1, 2, 5)):
                yield (of(f"{kind}1D", pool_size=kernel, strides=strides, padding=padding),)


def sizes() -> Iterator[Branch]:
    yield (of("ZeroPadding2D", padding=((1, 2), (3, 0))),)
    yield (of("Cropping2D", cropping=((1, 2), (3, 0))),)
    yield (of("Cropping2D", cropping=((0, 2), (0, 0))), of("Conv2D", filters=2, kernel_size=3))
    for how in ("nearest", "bilinear"):
        yield (of("UpSampling2D", size=(2, 3), interpolation=how),)
        for height, width in ((5, 11), (20, 3), (9, 8), (1, 1), (27, 24)):
            yield (of("Resizing", height=height, width=width, interpolation=how),)
    for kind, keep in product(("GlobalAveragePooling2D", "GlobalMaxPooling2D"), (False, True)):
        yield of(kind, keepdims=keep), of("Dense", units=3)
    gate = (of("GlobalAveragePooling2D", keepdims=True), of("Conv2D", filters=6, kernel_size=1))
    yield [gate, ()], of("Multiply")


def sizes_of_waves() -> Iterator[Branch]:
    yield (of("ZeroPadding1D", padding=(1, 2)),)
    yield (of("Cropping1D", cropping=(3, 1)),)
    yield (of("UpSampling1D", size=3),)
    for kind, keep in product(("GlobalAveragePooling1D", "GlobalMaxPooling1D"), (False, True)):
        yield (of(kind, keepdims=keep),)
    yield of("GlobalMaxPooling1D"), of("RepeatVector", n=4), of("Conv1D", filters=2, kernel_size=2)
    yield of("ZeroPadding1D", padding=(0, 2)), of("Conv1D", filters=2, kernel_size=3)


def activations() -> Iterator[Branch]:
    for name in ACTIVATIONS:
        yield (of("Activation", activation=name),)
        yield of("Rescaling", scale=8.0), of("Activation", activation=name)
    for highest, slope, threshold in product((None, 1.0, 6.0), (0.0, 0.1), (0.0, 0.5)):
        yield (of("ReLU", max_value=highest, negative_slope=slope, threshold=threshold),)
    for slope in (0.3, 0.0, 1.5):
        yield (of("LeakyReLU", negative_slope=slope),)
    yield (of("ELU", alpha=0.7),)
    for axes in (None, (1,), (1, 2)):
        yield (of("PReLU", shared_axes=axes),)
    yield (of("Softmax"),)
    yield (of("Softmax", axis=3),)


def normalisations() -> Iterator[Branch]:
    for center, scale in product((False, True), (False, True)):
        own = {"center": center, "scale": scale, "epsilon": 0.01}
        yield (of("BatchNormalization", **own),)
        for axis in ((-1,), (2, 3), (1, 2, 3)):
            yield (of("LayerNormalization", axis=axis, **own),)
        for groups in (1, 2, 6, -1):
            yield (of("GroupNormalization", groups=groups, **own),)
    yield of("Reshape", target_shape=(3, 3, 8, 6)), of("LayerNormalization", axis=(3, 4)), of("BatchNormalization")
    yield of("Reshape", target_shape=(3, 3, 2, 4, 6)), of("LayerNormalization"), of("GroupNormalization", groups=3)


def arithmetic() -> Iterator[Branch]:
    other = (of("Conv2D", filters=6, kernel_size=1),)
    row, gate = (of("Reduce", function="max", axes=(1, 2), keepdims=True),), (of("GlobalMaxPooling2D", keepdims=True),)
    for kind in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
        yield [(), other, row, gate], of(kind)
        yield [gate, row, (), other], of(kind)
    positive = (*other, of("Function", function="exp"))
    for kind, second in (("Subtract", other), ("Subtract", row), ("Divide", positive), ("Similarity", other)):
        yield [(), second], of(kind)
        if kind != "Divide":
            yield [second, ()], of(kind)
    yield [(), ()], of("Similarity", epsilon=0.1)
    yield (of("Rescaling", scale=0.3, offset=-1.0),)
    yield of("Dropout", rate=0.5), of("Rescaling", scale=-2.0)
    for function in FUNCTIONS:
        yield of("Function", function="abs"), of("Function", function=function)
    yield of("Rescaling", scale=1e-6), of("Function", function="log1p")
    yield of("Function", function="square"), of("Rescaling", scale=1e3), of("Function", function="log1p")
    for function, keep in product(REDUCTIONS, (False, True)):
        for axes in ((1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (3, 2, 1)):
            yield (of("Reduce", function=function, axes=axes, keepdims=keep),)
    yield of("Reduce", function="mean", axes=(2,)), of("Conv1D", filters=2, kernel_size=3)
    for bias in (False, True):
        yield (of("Dense", units=4, use_bias=bias),)
        yield of("Flatten"), of("Dense", units=4, use_bias=bias)
        yield of("Reshape", target_shape=(3, 3, 2, 4, 6)), of("Dense", units=4, use_bias=bias)


def shapes() -> Iterator[Branch]:
    wide = (of("Conv2D", filters=6, kernel_size=1, use_bias=False),)
    for axis in (1, 2, 3, -1, -2):
        yield [(), wide, ()], of("Concatenate", axis=axis)
    for target in ((72, 6), (-1, 8), (2, 4, 9, -1), (432,), (3, 3, 2, 4, 6)):
        yield (of("Reshape", target_shape=target),)
    for dims in ((2, 1, 3), (3, 1, 2), (1, 3, 2), (1, 2, 3)):
        yield (of("Permute", dims=dims),)
    yield of("Permute", dims=(3, 1, 2)), of("Conv2D", filters=2, kernel_size=3)
    for slices in (
        ((1, 7, 2),),
        ((None, -1, None), (2, None, 3), (None, 4, None)),
        (WHOLE, WHOLE, (-3, None, None)),
        (2,),
        (-1, WHOLE, (1, 2, None)),
        (WHOLE, -2),
        (WHOLE, WHOLE, 3),
        (WHOLE, WHOLE, -1),
        (0, WHOLE, 5),
        (0, -1, 5),
        (WHOLE, WHOLE, WHOLE),
        ((-100, 100, None), 3),
    ):
        yield (of("Slice", slices=slices),)
    yield of("Slice", slices=(WHOLE, 3)), of("Conv1D", filters=2, kernel_size=3)
    yield of("Slice", slices=(WHOLE, WHOLE, 3)), of("Conv1D", filters=2, kernel_size=3)


ODD = ("relu", "hard_sigmoid")


def recurrent() -> Iterator[Branch]:
    for sequences, backwards in product((False, True), (False, True)):
        way = {"units": 4, "return_sequences": sequences, "go_backwards": backwards}
        for bias, (act, gate) in product((False, True), (("tanh", "sigmoid"), ODD)):
            own = {**way, "use_bias": bias, "activation": act, "recurrent_activation": gate}
            yield (of("LSTM", **own),)
            for reset_after in (False, True):
                yield (of("GRU", reset_after=reset_after, **own),)
    yield (of("GRU", units=1),)
    yield (of("LSTM", units=3, activation="softmax", recurrent_activation="silu"),)
    yield of("GRU", units=5, return_sequences=True), of("GRU", units=3, activation="gelu")


def two_ways() -> Iterator[Branch]:
    for sequences, mode in product((False, True), ("concat", "sum", "mul", "ave")):
        way = {"units": 3, "return_sequences": sequences, "merge_mode": mode}
        yield (of("Bidirectional", layer="LSTM", **way),)
        yield (of("Bidirectional", layer="GRU", reset_after=sequences, **way),)
    yield (of("Bidirectional", layer="LSTM", units=3, use_bias=False, activation="elu", return_sequences=True),)
    yield (of("Bidirectional", layer="GRU", units=3, use_bias=False, activation="elu", return_sequences=True),)


def vectors() -> Iterator[Branch]:
    yield (of("BatchNormalization"),)
    yield (of("LayerNormalization"),)
    yield (of("GroupNormalization", groups=3),)
    yield (of("PReLU"),)
    yield (of("Softmax"),)
    yield (of("Dense", units=3),)
    yield (of("RepeatVector", n=3),)
    yield (of("Reshape", target_shape=(1, 1, 12)), of("Conv2D", filters=3, kernel_size=1))
    yield (of("Slice", slices=((2, 9, 3),)),)
    yield [(), (of("Dense", units=3),)], of("Concatenate")
    yield [(), (of("Dense", units=12),)], of("Similarity")


TOPICS = {
    "windows": (MAP, windows),
    "windows of waves": (WAVE, windows_of_waves),
    "sizes": (MAP, sizes),
    "sizes of waves": (WAVE, sizes_of_waves),
    "activations": (MAP, activations),
    "normalisations": (MAP, normalisations),
    "arithmetic": (MAP, arithmetic),
    "shapes": (MAP, shapes),
    "recurrent": (STEPS, recurrent),
    "two ways": (STEPS, two_ways),
    "vectors": ((12,), vectors),
}


@pytest.mark.parametrize("topic", TOPICS)
def test_layers_compute_what_those_of_keras_compute(topic: str) -> None:
    shape, branches = TOPICS[topic]
    graph = joined(shape, list(branches()))
    got, expected = both(graph)
    ends = [layer.inputs[0] for layer in graph.layers if layer.kind == "Flatten" and layer.name.endswith("_flat")]
    places = output_shapes(graph)
    begin, wrong = 0, []
    for end in ends:
        some = slice(begin, begin := begin + int(np.prod(places[end][1:])))
        scale = np.abs(expected[some]).max()
        difference = np.abs(got[some] - expected[some]).max() / scale if scale else np.inf
        if not difference <= 1e-5:
            wrong.append((graph.by_name[end].kind, dict(graph.by_name[end].arguments), end, float(difference)))
    assert not wrong
    assert begin <= len(got) == len(expected)


@pytest.mark.parametrize("kind", ["LayerNormalization", "Dense", "Permute"])
def test_a_map_with_channels_last_is_read_by_a_window_and_reshaped(kind: str) -> None:
    """OpenVINO 2026.4 overwrites the memory of such a map before the window has read it, unless it is copied."""
    own = {"Dense": {"units": 6}, "Permute": {"dims": (2, 1, 3)}}.get(kind, {})
    net = Sketch()
    x = net.add(kind, "shared", net.add("InputLayer", "image", batch_shape=(None, *MAP)), **own)
    window = net.add("Conv2D", "window", x, filters=3, kernel_size=3)
    net.add("Concatenate", "both", net.add("Flatten", "flat", x), net.add("Flatten", "seen", window))
    got, expected = both(net.graph("shared"))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_every_kind_has_a_converter_and_a_case() -> None:
    tried = {layer.kind for shape, branches in TOPICS.values() for layer in joined(shape, list(branches())).layers}
    assert set(CONVERTERS) == set(KINDS) == tried
