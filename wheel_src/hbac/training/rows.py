"""Stratified group folds: classes balanced over folds, and no patient in two of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbac.errors import InputError
from hbac.preprocessing.three_zooms import ImageSettings


def patient_folds(
    classes: Sequence[int], patients: Sequence[int], folds: int, seed: int
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Row numbers for training and validation, one pair a fold (scikit-learn's StratifiedGroupKFold).

    The patients are shuffled here: before scikit-learn 1.8, `shuffle=True` deals them at random and balances nothing
    (https://github.com/scikit-learn/scikit-learn/pull/32540).

    Args:
        classes: (rows,) the class with most votes.
        patients: (rows,) patient ids.
        folds: 2 or more.
        seed: of the order in which patients with like classes are dealt to the folds.

    Raises:
        InputError: fewer patients than folds, or no class with as many rows as folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    count = len(set(patients))
    if not 2 <= folds <= count:
        raise InputError(f"folds: expected 2 to {count} (the number of patients), received {folds}")
    most = max(Counter(classes).values())
    if folds > most:
        raise InputError(f"folds: expected at most {most} (the rows of the largest class), received {folds}")
    _, patient = np.unique(patients, return_inverse=True)  # (rows,) 0 to count - 1
    shuffled = np.random.default_rng(seed).permutation(count)[patient]
    return list(StratifiedGroupKFold(folds).split(np.zeros(len(classes)), np.asarray(classes), shuffled))


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
        return self.preprocessing.from_uint8(self.images[rows])

    def eeg_weights(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(len(rows),) weights by which each EEG among `rows` weighs one."""
        _, which, count = np.unique(self.eeg_ids[rows], return_inverse=True, return_counts=True)
        return 1.0 / count[which]
