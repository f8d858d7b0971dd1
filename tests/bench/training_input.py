"""Training input alone: images a second of `hbac.batches.epoch_batches`, all augmentations, on cached images.

As a script, in a process of its own: python training_input.py IMAGES.npy ROWS
Prints a line of JSON when it is ready, then a line for each line on stdin: the seconds of an epoch handed to `fit`
where the network does next to nothing, and taken batch by batch by as many threads as there are cores.
"""

import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

BATCH, MIXUP = 16, 0.3  # as kernel/train.py
ASKED = 800


def measure(rows: int, rounds: int) -> None:
    """The table."""
    from pathlib import Path

    from inputs import environment, images
    from measure import Worker, table
    from peers import FOLDER

    here = Path(__file__)
    worker = Worker([sys.executable, here, images(), rows], environment(here.parent), FOLDER / "training_input.log")
    taken = [worker.ask("go") for _ in range(rounds)]
    worker.end()
    rates = [f"{statistics.median(rows / seconds[i] for seconds in taken):.0f}" for i in range(2)]
    head = ("rows an epoch", "handed to fit, images/s", "by threads, images/s", "asked")
    table(f"Training input, all augmentations, batches of {BATCH}, medians of {rounds} turns", head, [(rows, *rates, ASKED)])  # fmt: skip


def main(images: str, rows: int) -> None:
    import keras

    from hbac.augment import ViewSettings
    from hbac.batches import TrainData, epoch_batches
    from hbac.engine import usable_cores
    from hbac.image import PRESETS, THREE_ZOOMS, to_uint8

    settings = PRESETS[THREE_ZOOMS]
    cached = to_uint8(np.load(images), settings)
    cached = np.resize(cached, (rows, *cached.shape[1:]))
    votes = np.random.default_rng(0).dirichlet(np.ones(6), rows).astype(np.float32)
    data = TrainData(cached, votes, np.full(rows, 10, np.float32), np.arange(rows), settings)
    image = keras.Input((None, *cached.shape[2:]))
    last = keras.layers.GlobalAveragePooling2D()(image[:, :1])
    model = keras.Model(image, keras.layers.Dense(6, activation="softmax")(last))
    model.compile("sgd", "kl_divergence")

    def epoch(seed: int) -> object:
        rng = np.random.default_rng(seed)
        return epoch_batches(data, np.arange(rows), BATCH, ViewSettings(), MIXUP, 1, rng)

    model.fit(epoch(0), verbose=0, shuffle=False)
    print(json.dumps("ready"), flush=True)
    for turn, _ in enumerate(sys.stdin):
        batches = epoch(turn)
        started = time.perf_counter()
        model.fit(batches, verbose=0, shuffle=False)
        fitted, started = time.perf_counter() - started, time.perf_counter()
        with ThreadPoolExecutor(usable_cores()) as pool:
            for _ in pool.map(batches.__getitem__, range(len(batches))):
                pass
        print(json.dumps([fitted, time.perf_counter() - started]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
