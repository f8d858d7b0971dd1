"""What the training loop is fed: the rows of a data set, and one epoch of them shuffled, augmented and mixed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hbac import augment
from hbac.augment import ViewSettings
from hbac.engine import usable_cores
from hbac.image import ImageSettings, from_uint8

TRUSTED_VOTES = 5  # a row of so many votes weighs half of what one of infinitely many weighs


@dataclass(frozen=True)
class TrainData:
    """The rows: images as they are cached, and what is known of each."""

    images: npt.NDArray[np.uint8]  # (rows, 400, 300, 3), memory-mapped
    votes: npt.NDArray[np.float32]  # (rows, 6), summing to 1
    counts: npt.NDArray[np.float32]  # (rows,) votes of each row
    eeg_ids: npt.NDArray[np.int64]  # (rows,)
    preprocessing: ImageSettings

    def load(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Images of some rows as the network takes them, (len(rows), 400, 300, 3) float32."""
        return from_uint8(self.images[rows], self.preprocessing)

    def eeg_weights(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(len(rows),) weights by which each EEG among `rows` weighs one."""
        _, which, count = np.unique(self.eeg_ids[rows], return_inverse=True, return_counts=True)
        return 1.0 / count[which]


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
        row_step: 2 keeps every second row of an image.
        rng: draws order, views and mixtures.

    Returns:
        Batches of images (batch, 400 / row_step, 300, 3), votes (batch, 6), weights (batch,).
    """
    import keras

    order = rng.permutation(rows)
    seeds = rng.integers(2**63, size=-(-len(rows) // batch_size))

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return len(seeds)

        def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            chosen = np.sort(order[i * batch_size : (i + 1) * batch_size])
            own = np.random.default_rng(seeds[i])
            cached = augment.random_views(data.images[chosen], data.preprocessing, views, own)
            x, y = from_uint8(cached[:, ::row_step], data.preprocessing), data.votes[chosen]
            if mixup_alpha:
                x, y = augment.mixup(x, y, mixup_alpha, own)
            counts = data.counts[chosen]
            return x, y, counts / (counts + TRUSTED_VOTES)

    return Batches(workers=usable_cores(), max_queue_size=8)  # threads: NumPy lets them run side by side
