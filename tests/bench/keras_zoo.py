"""Many Keras models, saved by one version of Keras and read by hbac, against Keras's own answers.

    PYTHONPATH=wheel_src python tests/bench/keras_zoo.py DIR [--models 'EfficientNet*']   # write, then judge
    PYTHONPATH=FOLDER_OF_ANOTHER_KERAS python tests/bench/keras_zoo.py DIR --write        # write alone, no hbac needed
    PYTHONPATH=wheel_src python tests/bench/keras_zoo.py DIR --judge                      # what is in the folder

Each model has random weights and statistics, and six classes. The writer keeps a batch of inputs and Keras's own
probabilities beside it. Judged is the largest difference of probabilities by both engines.
"""

import argparse
import fnmatch
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
from keras import layers, ops

SHAPE = (96, 96, 3)
SMALL = (32, 32, 3)


def of_applications(name, **more):
    """A family of keras.applications with a head of six classes."""
    return lambda: getattr(keras.applications, name)(weights=None, classes=6, input_shape=SHAPE, **more)


def taught_resnet50():
    """As the network is taught: identity and convolutional blocks by hand, AveragePooling2D, Flatten, Dense."""

    def block(x, filters, stage, stride=1, project=False):
        short = x
        for i, (count, size, step) in enumerate(zip(filters, (1, 3, 1), (stride, 1, 1))):
            x = layers.Conv2D(count, size, strides=step, padding="same" if size == 3 else "valid")(x)
            x = layers.BatchNormalization(axis=3)(x)
            x = layers.Activation("relu")(x) if i < 2 else x
        if project:
            short = layers.Conv2D(filters[-1], 1, strides=stride)(short)
            short = layers.BatchNormalization(axis=3)(short)
        return layers.Activation("relu")(layers.Add()([x, short]))

    x = inputs = keras.Input((64, 64, 3))
    x = layers.ZeroPadding2D((3, 3))(x)
    x = layers.Activation("relu")(layers.BatchNormalization(axis=3)(layers.Conv2D(64, 7, strides=2)(x)))
    x = layers.MaxPooling2D(3, strides=2)(x)
    for stage, (width, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for number in range(count):
            x = block(x, (width, width, 4 * width), stage, 2 if stage and not number else 1, not number)
    x = layers.Flatten()(layers.AveragePooling2D((2, 2), padding="same")(x))
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(x))


def nested(backbone="EfficientNetV2B0"):
    base = getattr(keras.applications, backbone)(weights=None, include_top=False, input_shape=SHAPE, pooling="avg")
    x = inputs = keras.Input(SHAPE)
    x = layers.RandomFlip()(x)
    x = layers.Dropout(0.3)(base(x))
    return keras.Model(inputs, layers.Dense(6, activation="softmax", dtype="float32")(x))


def nested_in_sequential():
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=SHAPE)
    model = keras.Sequential(
        [keras.Input(SHAPE), base, layers.GlobalMaxPooling2D(), layers.Dense(32, activation="relu")]
    )
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(6, activation="softmax"))
    return model


def sequential():
    return keras.Sequential(
        [
            keras.Input(SMALL),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(16, 3, padding="same", activation="swish", depth_multiplier=2),
            layers.AveragePooling2D(3, strides=2, padding="same"),
            layers.LayerNormalization(),
            layers.Flatten(),
            layers.Dense(16, activation="gelu"),
            layers.Dense(6),
        ]
    )


def starter_8_channels(backbone="EfficientNetB0"):
    """Slices of 8 channels joined to one image of three, as the Keras starters do it."""
    base = getattr(keras.applications, backbone)(weights=None, include_top=False, input_shape=None)
    x = inputs = keras.Input((128, 256, 8))
    a = layers.Concatenate(axis=1)([x[:, :, :, i : i + 1] for i in range(4)])
    b = layers.Concatenate(axis=1)([x[:, :, :, i + 4 : i + 5] for i in range(4)])
    x = layers.Concatenate(axis=2)([a, b])
    x = layers.Concatenate(axis=3)([x, x, x])
    x = layers.GlobalAveragePooling2D()(base(x))
    return keras.Model(inputs, layers.Dense(6, activation="softmax", dtype="float32")(x))


def wavenet():
    """A WaveNet with dilations whose weights eight channels share, left and right averaged."""

    def wave_block(x, filters, size, count):
        x = res = layers.Conv1D(filters, 1, padding="same")(x)
        for rate in [2**i for i in range(count)]:
            tanh = layers.Conv1D(filters, size, padding="same", activation="tanh", dilation_rate=rate)(x)
            gate = layers.Conv1D(filters, size, padding="same", activation="sigmoid", dilation_rate=rate)(x)
            x = layers.Conv1D(filters, 1, padding="same")(layers.Multiply()([tanh, gate]))
            res = layers.Add()([res, x])
        return res

    inner = keras.Input((400, 1))
    x = inner
    for filters, count in ((8, 6), (16, 4), (32, 3)):
        x = wave_block(x, filters, 3, count)
    model = keras.Model(inner, x)
    inputs = keras.Input((400, 8))
    chains = []
    for chain in range(4):
        one, two = (
            layers.GlobalAveragePooling1D()(model(inputs[:, :, 2 * chain + i : 2 * chain + i + 1])) for i in range(2)
        )
        chains.append(layers.Average()([one, two]))
    x = layers.Dense(64, activation="relu")(layers.Concatenate()(chains))
    return keras.Model(inputs, layers.Dense(6, activation="softmax", dtype="float32")(x))


def residual_gru():
    x = inputs = keras.Input((100, 8))
    x = layers.Dense(32)(x)
    for _ in range(2):
        y = layers.Bidirectional(layers.GRU(16, return_sequences=True))(layers.LayerNormalization()(x))
        x = layers.Add()([x, y])
    x = layers.GRU(24, reset_after=False, recurrent_activation="hard_sigmoid", return_sequences=True)(x)
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(x[:, -1]))


def lstm():
    x = inputs = keras.Input((60, 4))
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True, dropout=0.2), merge_mode="sum")(x)
    x = layers.LSTM(8, go_backwards=True)(x)
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(x))


def functions():
    """Slices, arithmetic and reductions as Keras 3 stores them."""
    x = inputs = keras.Input((24, 20, 4))
    x = x[:, ::2, 1:-1, :]
    x = (1 - x * 2.0) / 3.0 + 0.5
    x = x - ops.mean(x, axis=-1, keepdims=True)
    x = ops.concatenate([x, ops.abs(x), ops.square(x), x**2], axis=-1)
    x = ops.relu(ops.transpose(x, (0, 2, 1, 3)))
    y = ops.reshape(x, (-1, 18, 12 * 16))
    y = ops.squeeze(ops.expand_dims(ops.max(y, axis=1), -1), axis=-1)
    z = ops.sqrt(ops.sum(x * x, axis=(1, 2)) + 1.0)
    x = layers.Concatenate()([ops.tanh(y), z, ops.minimum(z, -z), ops.maximum(z, 0), z / (z + 1.0), -z])
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(x))


def layers_1d():
    x = inputs = keras.Input((200, 16))
    x = layers.Conv1D(16, 5, padding="causal", dilation_rate=2)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ZeroPadding1D((1, 2))(x)
    x = layers.DepthwiseConv1D(3, depth_multiplier=2, strides=2)(x)
    x = layers.PReLU(shared_axes=[1])(x)
    x = layers.SeparableConv1D(24, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.LeakyReLU(negative_slope=0.1)(x)
    x = layers.Cropping1D(2)(layers.UpSampling1D(2)(x))
    x = layers.MaxPooling1D(3, strides=2, padding="same")(layers.AveragePooling1D(2)(x))
    x = layers.Conv1D(24, 3, groups=4, activation="elu")(x)
    x = layers.GroupNormalization(groups=4)(x)
    x = layers.Permute((2, 1))(x)
    x = layers.Concatenate()([layers.GlobalMaxPooling1D()(x), layers.GlobalAveragePooling1D()(x)])
    return keras.Model(
        inputs, layers.Dense(6, activation="softmax")(layers.SpatialDropout1D(0.1)(layers.RepeatVector(3)(x))[:, 0])
    )


def layers_2d():
    x = inputs = keras.Input((33, 41, 5))
    x = layers.Conv2D(8, (3, 5), strides=(2, 1), padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(center=False)(x)
    x = layers.ReLU(max_value=6, negative_slope=0.1, threshold=0.5)(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6")(x)
    x = layers.UpSampling2D((2, 3), interpolation="bilinear")(x)
    x = layers.Cropping2D(((1, 0), (2, 3)))(x)
    x = layers.Resizing(20, 24)(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, groups=2)(x)
    y = layers.Conv2D(8, 1, activation="mish")(x)
    x = layers.Average()([x, y, layers.Maximum()([x, y]), layers.Minimum()([x, y]), layers.Subtract()([x, y])])
    gate = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.ELU(0.7)(layers.Multiply()([x, gate]))
    x = layers.Softmax()(layers.Reshape((-1, 8))(x))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(6)(layers.GlobalMaxPooling1D()(x))))


def normalised():
    x = inputs = keras.Input((30, 30, 3))
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 2.0, 0.0])(x)
    x = layers.Rescaling([1.0, 0.5, 2.0], offset=[0.0, 0.1, 0.2])(x)
    x = layers.GaussianNoise(0.1)(layers.Conv2D(8, 3, activation="hard_silu")(x))
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def adapted():
    normalise = layers.Normalization()
    normalise.adapt(np.random.default_rng(0).normal(1, 3, (64, 30, 30, 3)).astype(np.float32))
    x = inputs = keras.Input((30, 30, 3))
    x = layers.Conv2D(8, 3, activation="softplus")(normalise(x))
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def shared_layers():
    """Two inputs' worth of one image through one convolution and its normalisation."""
    conv, norm, act = layers.Conv2D(8, 3, use_bias=False), layers.BatchNormalization(), layers.Activation("relu")
    inputs = keras.Input((30, 30, 6))
    sides = [act(norm(conv(side))) for side in (inputs[..., :3], inputs[:, :, :, 3:])]
    x = layers.GlobalAveragePooling2D()(layers.Concatenate()(sides))
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(x))


def mixed(make):
    def made():
        keras.config.set_dtype_policy("mixed_float16")
        try:
            model = make()
        finally:
            keras.config.set_dtype_policy("float32")
        return model

    return made


def compiled(make):
    def made():
        model = make()
        model.compile("adam", "kl_divergence", metrics=["accuracy"])
        x = np.zeros((4, *model.input_shape[1:]), np.float32)
        model.fit(x, np.full((4, 6), 1 / 6, np.float32), verbose=0)
        return model

    return made


MODELS = {
    **{
        name: of_applications(name)
        for name in (
            *(
                "DenseNet121",
                "DenseNet169",
                "DenseNet201",
                "EfficientNetB0",
                "EfficientNetB1",
                "EfficientNetB2",
                "EfficientNetB3",
            ),
            *(
                "EfficientNetV2B0",
                "EfficientNetV2B1",
                "EfficientNetV2B2",
                "EfficientNetV2B3",
                "EfficientNetV2S",
                "InceptionV3",
            ),
            *(
                "MobileNet",
                "MobileNetV2",
                "MobileNetV3Small",
                "MobileNetV3Large",
                "NASNetMobile",
                "ResNet50",
                "ResNet101",
            ),
            *("ResNet50V2", "ResNet101V2", "VGG16", "Xception", "ConvNeXtTiny", "InceptionResNetV2"),
        )
    },
    "EfficientNetV2B0-plain": of_applications("EfficientNetV2B0", include_preprocessing=False),
    "taught-resnet50": taught_resnet50,
    "nested-efficientnetv2": nested,
    "nested-densenet": lambda: nested("DenseNet121"),
    "nested-in-sequential": nested_in_sequential,
    "sequential-logits": sequential,
    "starter-8-channels": starter_8_channels,
    "starter-8-channels-v2": lambda: starter_8_channels("EfficientNetV2B0"),
    "wavenet-shared": wavenet,
    "residual-gru": residual_gru,
    "lstm": lstm,
    "functions": functions,
    "layers-1d": layers_1d,
    "layers-2d": layers_2d,
    "normalised": normalised,
    "adapted": adapted,
    "shared-layers": shared_layers,
    "mixed-sequential": mixed(sequential),
    "mixed-layers-2d": mixed(layers_2d),
    "mixed-nested": mixed(nested),
    "compiled-sequential": compiled(sequential),
    "compiled-layers-1d": compiled(layers_1d),
}


def randomise(model, rng):
    """Weights and statistics as of a trained network: outputs of moderate size, no layer that does nothing."""
    for variable in model.weights:
        shape, name = tuple(variable.shape), variable.path.rsplit("/", 1)[-1]
        if not shape or "seed" in name or "int" in str(variable.dtype):
            continue
        if name in ("variance", "mean"):
            continue  # of an adapted Normalization
        if "variance" in name:
            value = rng.uniform(0.5, 1.5, shape)
        elif name == "gamma":
            value = rng.uniform(0.7, 1.3, shape)
        elif len(shape) == 1 or name in ("beta", "moving_mean", "alpha"):
            value = rng.normal(0, 0.1, shape)
        else:
            fan = np.prod(shape[:-1]) if "depthwise" not in variable.path else np.prod(shape[:-2])
            value = rng.normal(0, 1 / np.sqrt(fan), shape)
        variable.assign(value.astype(np.float32))


def write(folder, pattern):
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in MODELS.items():
        if not fnmatch.fnmatch(name, pattern):
            continue
        rng = np.random.default_rng(len(name))
        model = make()
        randomise(model, rng)
        inputs = rng.normal(0, 1, (3, *model.input_shape[1:])).astype(np.float32)
        model.save(folder / f"{name}.keras")
        if name.startswith("mixed-"):  # the same weights in float32: what a float32 reading has to give
            other = MODELS[
                name.removeprefix("mixed-")
                .replace("nested", "nested-efficientnetv2")
                .replace("sequential", "sequential-logits")
            ]()
            other.set_weights(model.get_weights())
            model = other
        answer = np.concatenate([np.asarray(model(one[None], training=False)) for one in inputs]).astype(np.float64)
        if model.name and abs(answer.sum(axis=1) - 1).max() > 1e-3:  # logits
            answer = np.exp(answer - answer.max(axis=1, keepdims=True))
            answer /= answer.sum(axis=1, keepdims=True)
        np.savez(folder / f"{name}.npz", inputs=inputs, answer=answer)
        keras.backend.clear_session()
        print(f"{name}: written by Keras {keras.__version__}, {model.count_params()} parameters", flush=True)


def differences(path, engines=("tensorflow", "openvino")):
    """Layers of a saved model's graph, and the largest difference of probabilities by each engine.

    Raises:
        HbacError: the model is refused.
    """
    from hbac.network.engine import BY_NAME, softmax
    from hbac.network.settings import ImportedNetwork
    from hbac.weights.keras_import import check_sizes, import_model

    data = np.load(path.with_suffix(".npz"))
    imported = import_model(path)
    check_sizes(imported.graph, data["inputs"].shape[1:])
    network = ImportedNetwork(imported.graph, data["inputs"].shape[1:])
    found = {}
    for name in engines:
        engine = BY_NAME[name](network)
        engine.load([imported.tensors])
        received = np.concatenate([engine.logits(0, one[None]) for one in data["inputs"]])
        found[name] = float(np.abs(softmax(received) - data["answer"]).max())
    return len(imported.graph.layers), found


def judge(folder, pattern):
    from hbac.errors import HbacError

    worst = 0.0
    for path in sorted(folder.glob("*.keras")):
        if not fnmatch.fnmatch(path.stem, pattern):
            continue
        try:
            layers_of_graph, found = differences(path)
        except HbacError as error:
            print(f"{path.stem}: refused: {str(error)[-170:]}", flush=True)
            continue
        worst = max(worst, *found.values())
        answer = np.load(path.with_suffix(".npz"))["answer"]
        said = ", ".join(f"{name} {difference:.1e}" for name, difference in found.items())
        spread = answer.max() - answer.min()
        print(
            f"{path.stem}: {layers_of_graph} layers, largest difference {said} (answers spread {spread:.2f})",
            flush=True,
        )
    print(f"largest difference of all: {worst:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", default="*")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--judge", action="store_true")
    options = parser.parse_args()
    if not options.judge:
        write(options.folder, options.models)
    if not options.write:
        judge(options.folder, options.models)


if __name__ == "__main__":
    sys.exit(main())
