"""A notebook as many write it: ResNet50 by hand, an epoch of training, `best_model.keras`. Run by a test.

    python taught_resnet50.py INPUTS.npz OUTPUT

INPUTS holds `x`, (n, 400, 300, 3) float32, and `y`, (n, 6). The model's own answers to `x` go to OUTPUT/answers.npy. The
blocks are those of the network's usual exercise, with a quarter of its filters so that an epoch takes seconds.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Input,
    MaxPooling2D,
    ZeroPadding2D,
)


def identity_block(x, filters):
    f1, f2, f3 = filters
    shortcut = x
    x = Activation("relu")(BatchNormalization(axis=3)(Conv2D(f1, (1, 1), padding="valid")(x)))
    x = Activation("relu")(BatchNormalization(axis=3)(Conv2D(f2, (3, 3), padding="same")(x)))
    x = BatchNormalization(axis=3)(Conv2D(f3, (1, 1), padding="valid")(x))
    return Activation("relu")(Add()([x, shortcut]))


def convolutional_block(x, filters, s=2):
    f1, f2, f3 = filters
    shortcut = BatchNormalization(axis=3)(Conv2D(f3, (1, 1), strides=(s, s))(x))
    x = Activation("relu")(BatchNormalization(axis=3)(Conv2D(f1, (1, 1), strides=(s, s))(x)))
    x = Activation("relu")(BatchNormalization(axis=3)(Conv2D(f2, (3, 3), padding="same")(x)))
    x = BatchNormalization(axis=3)(Conv2D(f3, (1, 1), padding="valid")(x))
    return Activation("relu")(Add()([x, shortcut]))


def ResNet50(input_shape, classes):  # noqa: N802 - as it is taught
    x_input = Input(input_shape)
    x = ZeroPadding2D((3, 3))(x_input)
    x = Activation("relu")(BatchNormalization(axis=3)(Conv2D(16, (7, 7), strides=(2, 2))(x)))
    x = MaxPooling2D((3, 3), strides=(2, 2))(x)
    for stage, (width, blocks) in enumerate(((16, 3), (32, 4), (64, 6), (128, 3))):
        filters = (width, width, 4 * width)
        x = convolutional_block(x, filters, s=1 if stage == 0 else 2)
        for _ in range(blocks - 1):
            x = identity_block(x, filters)
    x = AveragePooling2D((2, 2), padding="same")(x)
    x = Flatten()(x)
    return keras.Model(inputs=x_input, outputs=Dense(classes, activation="softmax")(x), name="ResNet50")


def main():
    data, output = np.load(sys.argv[1]), Path(sys.argv[2])
    model = ResNet50((400, 300, 3), 6)
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss="kl_divergence", run_eagerly=True)  # no 25 s of tracing
    model.fit(data["x"], data["y"], batch_size=4, epochs=1, verbose=0)
    model.save(output / "best_model.keras")
    np.save(output / "answers.npy", np.concatenate([model(one[None], training=False) for one in data["x"]]))


if __name__ == "__main__":
    main()
