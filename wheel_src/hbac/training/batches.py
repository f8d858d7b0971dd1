"""What the training loop is fed: the rows of a data set, and one epoch of them shuffled, augmented and mixed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from hbac.machine.cores import usable_cores
from hbac.training import views as augment
from hbac.training.rows import HALF_WEIGHT_VOTES, TrainData
from hbac.training.schedule import ViewSettings


def epoch_batches(
    data: TrainData,
    rows: npt.NDArray[np.int64],
    batch_size: int,
    views: ViewSettings,
    mixup_alpha: float,
    row_step: int,
    rng: np.random.Generator,
) -> Any:
    """One epoch as Keras takes it, a `keras.utils.PyDataset`; every draw follows from `rng`.

    Args:
        data: all rows.
        rows: row numbers to learn from, each once.
        batch_size: the last batch may be smaller.
        views: random changes of the images.
        mixup_alpha: 0 for none.
        row_step: 2 keeps every second row of an image; 1 for waveforms.
        rng: draws order, views and mixtures.

    Returns:
        Batches of inputs (batch, ...), of images 1 / row_step of the rows, votes (batch, 6), weights (batch,).
    """
    import keras

    order = rng.permutation(rows)
    seeds = rng.integers(2**63, size=-(-len(rows) // batch_size))

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return len(seeds)

        def __getitem__(self, i: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
            chosen = np.sort(order[i * batch_size : (i + 1) * batch_size])
            own = np.random.default_rng(seeds[i])
            cached = augment.random_views(data.images[chosen], data.preprocessing, views, own)
            x, y = data.preprocessing.from_uint8(cached[:, ::row_step]), data.votes[chosen]
            if mixup_alpha:
                x, y = augment.mixup(x, y, mixup_alpha, own)
            counts = data.counts[chosen]
            return x, y, counts / (counts + HALF_WEIGHT_VOTES)

    return Batches(workers=usable_cores(), max_queue_size=8)  # threads: NumPy lets them run side by side
