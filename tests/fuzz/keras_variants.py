"""Keras files of networks that are ours, or nearly: each is taken with Keras's own answers, or refused by its place.

    PYTHONPATH=wheel_src python tests/fuzz/keras_variants.py [--count 200] [--seed 1]
    PYTHONPATH=wheel_src python tests/fuzz/keras_variants.py --make FOLDER   # with another Keras, such as 2.15
    PYTHONPATH=wheel_src python tests/fuzz/keras_variants.py --check FOLDER

A variant is our ResNet50 with one thing changed by a program: a layer put in before, between or behind, renamed, an
argument changed, two exchanged, an edge moved, another head, input or dtype; or with nothing changed that an answer
depends on. It is saved as `.keras` or whole `.h5`, flat, nested or sequential. The table counts what was taken with
other answers than Keras's (asked: none).
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SHAPE = (64, 64, 3)
WIDTH = 2
BACKBONE = "conv5_block3_out"
EQUAL = 1e-5


# --- a network as a list of layers that a program can change


class Node:
    """A layer to be: of Keras's class, or a function of its inputs."""

    def __init__(self, name, kind, arguments=None, inputs=()):
        self.name, self.kind, self.arguments, self.inputs = name, kind, dict(arguments or {}), list(inputs)


def nodes_of_ours():
    from hbac.network.resnet import resnet50
    from hbac.network.settings import NetworkSettings

    graph = resnet50(NetworkSettings(width=WIDTH, input_shape=SHAPE, dropout=0.2))
    nodes = [Node(a.name, a.kind, a.arguments, a.inputs) for a in graph.layers]
    for node in nodes:
        node.arguments.pop("dtype", None)
    return nodes


def find(nodes, name):
    return next(node for node in nodes if node.name == name)


def of_kind(nodes, kind, rng):
    return rng.choice([node for node in nodes if node.kind == kind])


def put_in(nodes, after, kind, arguments=None):
    """A new layer behind `after`: all that took that one take the new one."""
    new = Node(f"added_{len(nodes)}", kind, arguments, [after.name])
    for node in nodes:
        node.inputs = [new.name if name == after.name else name for name in node.inputs]
    nodes.insert(nodes.index(after) + 1, new)
    return f"{kind if isinstance(kind, str) else kind.__name__} {arguments or ''} behind {after.name}"


def times(x):
    return x * 1.5


def plus(x):
    return x + 0.1


def over_255(x):
    return x / 255.0


ADDED = [
    ("Rescaling", {"scale": 1 / 255}),
    ("Rescaling", {"scale": 2.0, "offset": -1.0}),
    ("ReLU", {}),
    ("LeakyReLU", {}),
    ("ELU", {}),
    ("Activation", {"activation": "tanh"}),
    ("BatchNormalization", {}),
    ("LayerNormalization", {}),
    ("UnitNormalization", {}),
    ("AveragePooling2D", {"pool_size": 2, "strides": 1, "padding": "same"}),
    ("MaxPooling2D", {"pool_size": 2, "strides": 1, "padding": "same"}),
    ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same"}),
    ("Permute", {"dims": (2, 1, 3)}),
    ("RandomCrop", {"height": 64, "width": 64}),
    (times, {}),
    (plus, {}),
    (over_255, {}),
]
IDLE = [
    ("Dropout", {"rate": 0.4}),
    ("SpatialDropout2D", {"rate": 0.4}),
    ("GaussianNoise", {"stddev": 0.5}),
    ("GaussianDropout", {"rate": 0.4}),
    ("Activation", {"activation": "linear"}),
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": 0.2}),
    ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.2}),
    ("RandomZoom", {"height_factor": 0.2}),
    ("RandomContrast", {"factor": 0.2}),
    ("RandomBrightness", {"factor": 0.2}),
]
ARGUMENTS = [  # kind, argument, value
    ("Conv2D", "use_bias", False),
    ("Conv2D", "activation", "relu"),
    ("Conv2D", "dilation_rate", (2, 2)),
    ("Conv2D", "padding", "same"),
    ("Conv2D", "kernel_initializer", "he_normal"),
    ("Conv2D", "kernel_regularizer", "l2"),
    ("Conv2D", "kernel_constraint", "max_norm"),
    ("Conv2D", "trainable", False),
    ("BatchNormalization", "epsilon", 1e-3),
    ("BatchNormalization", "epsilon", 1e-5),
    ("BatchNormalization", "momentum", 0.5),
    ("BatchNormalization", "center", False),
    ("BatchNormalization", "scale", False),
    ("BatchNormalization", "axis", 3),
    ("BatchNormalization", "axis", 1),
    ("BatchNormalization", "trainable", False),
    ("Activation", "activation", "elu"),
    ("Activation", "activation", "sigmoid"),
    ("Activation", "activation", "relu6"),
    ("Activation", "activation", "gelu"),
    ("ZeroPadding2D", "padding", ((2, 2), (2, 2))),
    ("ZeroPadding2D", "padding", ((3, 1), (1, 3))),
    ("MaxPooling2D", "pool_size", (2, 2)),
    ("MaxPooling2D", "padding", "same"),
    ("Dense", "kernel_regularizer", "l1"),
    ("Dropout", "rate", 0.9),
]
KINDS = [
    ("MaxPooling2D", "AveragePooling2D"),
    ("GlobalAveragePooling2D", "GlobalMaxPooling2D"),
    ("Add", "Average"),
    ("Add", "Maximum"),
    ("Add", "Multiply"),
    ("Add", "Subtract"),
]


def before(nodes, rng):
    return put_in(nodes, nodes[0], *rng.choice(ADDED))


def between(nodes, rng):
    return put_in(nodes, rng.choice(nodes[3:-6]), *rng.choice(ADDED))


def behind(nodes, rng):
    ends = [("Rescaling", {"scale": 0.5}), ("Dense", {"units": 6}), ("Activation", {"activation": "softmax"})]
    ends += [("BatchNormalization", {}), (times, {}), ("UnitNormalization", {}), ("Dropout", {"rate": 0.1})]
    return put_in(nodes, nodes[-1], *rng.choice(ends))


def idle(nodes, rng):
    after = rng.choice([nodes[0], *nodes[3:-6]])
    return put_in(nodes, after, *rng.choice(IDLE if after is nodes[0] else IDLE[:5]))


def renamed(nodes, rng):
    old = rng.choice(nodes[1:])
    new = rng.choice(["prep", "max_pool", "scale_input", f"conv2d_{rng.integers(99)}", "rescaling", "normalization"])
    for node in nodes:
        node.inputs = [new if name == old.name else name for name in node.inputs]
    said, old.name = f"{old.name} is named {new}", str(new)
    return said


def names_exchanged(nodes, rng):
    a, b = of_kind(nodes, "Conv2D", rng), of_kind(nodes, "Conv2D", rng)
    other = {a.name: b.name, b.name: a.name}
    for node in nodes:
        node.inputs = [other.get(name, name) for name in node.inputs]
    a.name, b.name = b.name, a.name
    return f"{a.name} and {b.name} have each other's names"


def argument(nodes, rng):
    kind, key, value = ARGUMENTS[rng.integers(len(ARGUMENTS))]
    node = of_kind([n for n in nodes if key != "dilation_rate" or n.arguments.get("kernel_size") == (3, 3)], kind, rng)
    node.arguments[key] = value
    return f"{node.name} {key}={value}"


def another_kind(nodes, rng):
    kind, other = KINDS[rng.integers(len(KINDS))]
    node = of_kind(nodes, kind, rng)
    node.kind = other
    return f"{node.name} is {other}"


def exchanged(nodes, rng):
    """Normalisation and activation in the other order, or activation before the sum."""
    act = rng.choice([n for n in nodes if n.kind == "Activation" and n.name.endswith("relu")])
    norm = find(nodes, act.inputs[0])
    if norm.kind != "BatchNormalization":
        return put_in(nodes, norm, "ReLU")
    (conv,) = norm.inputs
    for node in nodes:
        node.inputs = [norm.name if name == act.name else name for name in node.inputs]
    act.inputs, norm.inputs = [conv], [act.name]
    nodes.remove(norm)
    nodes.insert(nodes.index(act) + 1, norm)
    return f"{act.name} before {norm.name}"


def edge(nodes, rng):
    add = rng.choice([n for n in nodes if n.kind == "Add" and "block1" not in n.name])
    way = rng.integers(3)
    if way == 0:
        add.inputs.reverse()
        return f"inputs of {add.name} in the other order"
    if way == 1:
        source = find(nodes, add.inputs[0])
        add.inputs[0] = source.inputs[0]  # the sum before its activation
        return f"{add.name} takes {source.inputs[0]}"
    add.inputs[0] = add.inputs[1]
    return f"{add.name} takes {add.inputs[1]} twice"


def head(nodes, rng):
    dense, soft = nodes[-2:]
    way = rng.integers(8)
    if way == 0:
        nodes.remove(soft)
        return "ends in logits"
    if way == 1:
        nodes.remove(soft)
        dense.arguments["activation"] = "softmax"
        dense.name = "answer"
        return "softmax in the dense layer"
    if way == 2:
        soft.arguments["activation"] = "sigmoid"
        return "sigmoid"
    if way == 3:
        dense.arguments["units"] = 5
        return "five classes"
    if way == 4:
        dense.arguments["use_bias"] = False
        return "a head without bias"
    if way == 5:
        return put_in(nodes, find(nodes, "avg_pool"), "Dense", {"units": 64, "activation": "relu"})
    if way == 6:
        return put_in(nodes, find(nodes, "avg_pool"), "Flatten")
    soft.kind, soft.arguments = "Softmax", {}
    return "Softmax as a layer"


def input_(nodes, rng):
    way = rng.integers(6)
    first = nodes[0].arguments
    if way == 0:
        first["batch_shape"] = (None, 32, 64, 3)
    elif way == 1:
        first["batch_shape"] = (None, None, None, 3)
    elif way == 2:
        first["dtype"] = "float16"
    elif way == 3:
        first["dtype"] = "uint8"
    elif way == 4:
        first["batch_shape"] = (None, 64, 64, 1)
        return put_in(nodes, nodes[0], "Concatenate_3")
    else:
        first["batch_shape"] = (2, *SHAPE)
    return f"input {first}"


def dtype(nodes, rng):
    node = rng.choice(nodes[1:])
    node.arguments["dtype"] = str(rng.choice(["float64", "float16", "bfloat16", "float32", "mixed_float16"]))
    return f"{node.name} {node.arguments['dtype']}"


def nothing(nodes, rng):
    return "nothing"


CHANGES = (before, between, behind, idle, renamed, names_exchanged, argument, another_kind, exchanged, edge, head, input_, dtype, nothing)  # fmt: skip


# --- making them, with whichever Keras there is


def build(nodes, form):
    """The model: flat, with the backbone as a model of its own, or that and the head in a Sequential."""
    import keras

    first = dict(nodes[0].arguments)
    shape = first.pop("batch_shape")
    at = next((i for i, node in enumerate(nodes) if node.name == BACKBONE), None)
    earlier = {node.name for node in nodes[:at]} if at else set()
    cut = form != "flat" and at and not any(set(node.inputs) & earlier for node in nodes[at + 1 :])
    if not cut:
        return keras.Model(*ends(nodes, keras.Input(batch_shape=shape, name=nodes[0].name, **first)), name="flat")
    inside = keras.Model(*ends(nodes[: at + 1], keras.Input(batch_shape=shape, **first)), name="resnet50")
    if form == "sequential" and all(isinstance(n.kind, str) and len(n.inputs) == 1 for n in nodes[at + 1 :]):
        return keras.Sequential([inside, *(layer_of(node) for node in nodes[at + 1 :])])
    image = keras.Input(batch_shape=shape, **first)
    return keras.Model(image, ends([nodes[at], *nodes[at + 1 :]], inside(image))[1])


def ends(nodes, given):
    """First and last value of a chain of layers whose first one is given."""
    values = {nodes[0].name: given}
    for node in nodes[1:]:
        inputs = [values[name] for name in node.inputs]
        inputs = inputs[0] if len(inputs) == 1 else inputs
        if node.kind == "Concatenate_3":
            from keras import layers

            values[node.name] = layers.Concatenate()([inputs] * 3)
        else:
            values[node.name] = layer_of(node)(inputs) if isinstance(node.kind, str) else node.kind(inputs)
    return given, values[nodes[-1].name]


def layer_of(node):
    from keras import layers

    return getattr(layers, node.kind)(**node.arguments, name=node.name)


def randomise(model, rng):
    """Weights and statistics that spread answers without saturating them."""
    values = []
    for weight, variable in zip(model.get_weights(), model.weights, strict=True):
        name = getattr(variable, "path", variable.name)
        if "variance" in name:
            values.append(rng.uniform(0.5, 2, weight.shape))
        elif weight.ndim > 1:
            values.append(rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape))
        elif weight.dtype.kind == "f":
            values.append(weight + rng.normal(0, 0.1, weight.shape))
        else:
            values.append(weight)
    model.set_weights(values)


def answers(model, images):
    """The model's own, with a head so small that they are not saturated and differences show."""
    for _ in range(9):
        expected = np.asarray(model.predict(images, verbose=0), np.float64)
        if np.abs(expected).max() < 0.9:
            return expected
        model.set_weights([w * 0.2 if w.ndim == 2 else w for w in model.get_weights()])
    raise ValueError("its answers stay saturated")


def make(folder, count, seed):
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    made, number = [], 0
    while len(made) < count:
        number += 1
        rng = np.random.default_rng([seed, number])
        change = CHANGES[number % len(CHANGES)]
        keras.backend.clear_session()
        nodes = nodes_of_ours()
        try:
            said = change(nodes, rng)
            form = str(rng.choice(["flat", "nested", "sequential"]))
            model = build(nodes, form)
            randomise(model, rng)
            shape = [2 if size is None else size for size in model.input_shape[:1]]
            shape += [fixed or ours for fixed, ours in zip(model.input_shape[1:], SHAPE, strict=True)]
            images = np.random.default_rng(7).normal(0, 1, shape).astype(np.float32)
            expected = answers(model, images)
            path = folder / f"{number:03}{('.keras', '.h5')[number // len(CHANGES) % 2]}"
            model.save(path)
        except Exception as error:  # no model comes of it in this version of Keras
            print(f"  left out: {change.__name__}: {' '.join(str(error).split())[:100]}", file=sys.stderr)
            continue
        made.append({"file": path.name, "change": change.__name__, "said": f"{said}, {form}", "shape": shape, "expected": expected.tolist()})  # fmt: skip
    (folder / "variants.json").write_text(json.dumps({"keras": keras.__version__, "variants": made}))


# --- taking them in


def check(folder):
    """What became of each; how many were taken in silence with other answers."""
    from hbac.errors import WeightsError
    from hbac.network.families import build as build_ours
    from hbac.network.settings import NetworkSettings
    from hbac.weights.keras_files import import_weights
    from hbac.weights.tensors import set_weights

    stated = json.loads((folder / "variants.json").read_text())
    settings = NetworkSettings(width=WIDTH, input_shape=SHAPE)
    ours = build_ours(settings)
    counts: Counter[tuple[str, str]] = Counter()
    for variant in stated["variants"]:
        try:
            set_weights(ours, import_weights(folder / variant["file"], settings))
        except WeightsError as error:
            outcome, said = "refused", str(error).split(": ", 1)[1]
        except Exception as error:
            outcome, said = "TRACEBACK", repr(error)
        else:
            off = difference(ours, variant)
            outcome, said = ("equal", "") if off <= EQUAL else ("WRONG", f"off by {off:.2g}")
        counts[variant["change"], outcome] += 1
        print(f"{variant['file']:10} {outcome:9} {variant['said'][:70]:70} {said[:150]}")
    print(f"\nKeras {stated['keras']}, {len(stated['variants'])} files")
    outcomes = ("equal", "refused", "WRONG", "TRACEBACK")
    print(f"{'':16}" + "".join(f"{outcome:>10}" for outcome in outcomes))
    for change in (*dict.fromkeys(change for change, _ in counts), "all"):
        row = [sum(n for (c, o), n in counts.items() if o == outcome and change in (c, "all")) for outcome in outcomes]
        print(f"{change:16}" + "".join(f"{n:10}" for n in row))
    return sum(n for (_, outcome), n in counts.items() if outcome.isupper())


def difference(ours, variant):
    expected = np.asarray(variant["expected"])
    if variant["shape"][1:] != list(SHAPE) or expected.shape[1:] != (6,):
        return np.inf
    images = np.random.default_rng(7).normal(0, 1, variant["shape"]).astype(np.float32)
    if not np.allclose(expected.sum(axis=1), 1, atol=1e-3):  # logits, whose softmax the product takes
        raised = np.exp(expected - expected.max(axis=1, keepdims=True))
        expected = raised / raised.sum(axis=1, keepdims=True)
    return float(np.abs(ours(images, training=False).numpy() - expected).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--check", type=Path)
    options = parser.parse_args()
    if options.make:
        return make(options.make, options.count, options.seed)
    if options.check:
        return check(options.check)
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), options.count, options.seed)
        return check(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
