"""What public notebooks do, as one process: python notebook_way.py TEST_DIR FOLDS_DIR OUTPUT

pandas reads every file, all images are made, all Keras models are built and given their weights, each fold in turn
predicts batches of 32, the mean of the probabilities goes to a CSV file. Needs nothing of the package.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from straightforward import load

VOTES = [f"{name}_vote" for name in ("seizure", "lpd", "gpd", "lrda", "grda", "other")]
BATCH = 32


def main(test_dir: Path, folds_dir: Path, output: Path) -> None:
    table = pd.read_csv(test_dir / "test.csv")
    images = np.stack(
        [
            load(
                test_dir / "test_eegs" / f"{row.eeg_id}.parquet",
                test_dir / "test_spectrograms" / f"{row.spectrogram_id}.parquet",
            )
            for row in table.itertuples()
        ]
    )
    models = keras_models(folds_dir)
    answers = np.mean([model.predict(images, batch_size=BATCH, verbose=0) for model in models], axis=0)
    submission = pd.DataFrame(answers, columns=VOTES)
    submission.insert(0, "eeg_id", table["eeg_id"])
    submission.to_csv(output, index=False)


def keras_models(folds_dir: Path) -> list[Any]:
    """Every fold of a folder as a Keras model with its weights."""
    import keras

    models = []
    for file in sorted(folds_dir.glob("*.keras")):
        base = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(400, 300, 3), pooling="avg")
        answer = keras.layers.Dense(len(VOTES), activation="softmax")(base.output)
        model = keras.Model(base.input, answer)
        model.load_weights(file)
        models.append(model)
    return models


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
