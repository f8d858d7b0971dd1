"""Stratified group folds: classes balanced over folds, and no patient in two of them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hbac.errors import InputError


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
