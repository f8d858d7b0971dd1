"""Training input alone: images a second of `hbac.training.batches.epoch_batches`, all augmentations, on cached images.

As a script, in a process of its own: python training_input.py IMAGES.npy ROWS
Prints a line of JSON when it is ready, then a line for each line on stdin: the seconds of an epoch handed to `fit`
where the network does next to nothing, and taken batch by batch by as many threads as there are cores; those of a short
epoch of a narrow network, and of the same network with the images in memory as float32, handed to `fit` as arrays.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

BATCH, MIXUP = 16, 0.3  # as kernel/train.py
WIDTH, STEPS = 16, 8  # of the network that is trained, and of its epoch
ASKED, ASKED_STEP = 800, 1.0


def measure(rows: int, rounds: int) -> None:
    """The table."""
    from pathlib import Path

    from inputs import environment, images
    from measure import Worker, spread, table
    from peers import FOLDER

    here = Path(__file__)
    worker = Worker([sys.executable, here, images(), rows], environment(here.parent), FOLDER / "training_input.log")
    taken = [worker.ask("go") for _ in range(rounds)]
    worker.end()
    rates = [f"{statistics.median(rows / seconds[i] for seconds in taken):.0f}" for i in range(2)]
    head = ("rows an epoch", "handed to fit, images/s", "by threads, images/s", "asked")
    table(f"Training input, all augmentations, batches of {BATCH}, medians of {rounds} turns", head, [(rows, *rates, ASKED)])  # fmt: skip
    ours, arrays = zip(*(seconds[2:] for seconds in taken))
    print(
        f"A training step at width {WIDTH}: {1000 * statistics.median(ours) / STEPS:.0f} ms; with arrays in memory "
        f"{1000 * statistics.median(arrays) / STEPS:.0f} ms; ours over it {spread(ours, arrays)}, asked at most {ASKED_STEP}."
    )


def main(images: str, rows: int) -> None:
    import keras

    from hbac.network.families import build
    from hbac.network.settings import NetworkSettings
    from hbac.preprocessing.presets import PRESETS
    from hbac.preprocessing.three_zooms import THREE_ZOOMS
    from hbac.processes import usable_cores
    from hbac.training.batches import epoch_batches
    from hbac.training.rows import TrainData
    from hbac.training.schedule import ViewSettings

    settings = PRESETS[THREE_ZOOMS]
    cached = settings.to_uint8(np.load(images))
    cached = np.resize(cached, (rows, *cached.shape[1:]))
    votes = np.random.default_rng(0).dirichlet(np.ones(6), rows).astype(np.float32)
    data = TrainData(
        cached, votes, np.full(rows, 10, np.float32), np.arange(rows), settings, np.zeros((rows, 2), "S32")
    )
    image = keras.Input((None, *cached.shape[2:]))
    last = keras.layers.GlobalAveragePooling2D()(image[:, :1])
    model = keras.Model(image, keras.layers.Dense(6, activation="softmax")(last))
    model.compile("sgd", "kl_divergence")

    network = build(NetworkSettings(width=WIDTH))
    network.compile("adam", "kl_divergence")
    few = STEPS * BATCH
    in_memory = settings.from_uint8(cached[:few])

    def epoch(seed: int, count: int = rows) -> keras.utils.PyDataset:
        rng = np.random.default_rng(seed)
        return epoch_batches(data, np.arange(count), BATCH, ViewSettings(), MIXUP, 1, rng)

    def by_threads(batches: keras.utils.PyDataset) -> None:
        with ThreadPoolExecutor(usable_cores()) as pool:
            for _ in pool.map(batches.__getitem__, range(len(batches))):
                pass

    work: list[Callable[[int], object]] = [
        lambda turn: model.fit(epoch(turn), verbose=0, shuffle=False),
        lambda turn: by_threads(epoch(turn)),
        lambda turn: network.fit(epoch(turn, few), verbose=0, shuffle=False),
        lambda turn: network.fit(in_memory, votes[:few], batch_size=BATCH, verbose=0),
    ]
    for one in work:
        one(0)
    print(json.dumps("ready"), flush=True)
    for turn, _ in enumerate(sys.stdin):
        seconds = []
        for one in work:
            started = time.perf_counter()
            one(turn)
            seconds.append(time.perf_counter() - started)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
