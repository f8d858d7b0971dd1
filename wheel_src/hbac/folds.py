"""Stratified group folds: classes balanced over folds, and no patient in two of them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hbac.errors import InputError


def patient_folds(
    classes: Sequence[int], patients: Sequence[int], folds: int, seed: int
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Row numbers for training and validation, one pair a fold (scikit-learn's StratifiedGroupKFold).

    Args:
        classes: (rows,) the class with most votes.
        patients: (rows,) patient ids.
        folds: 2 or more.
        seed: of the shuffle.

    Raises:
        InputError: fewer patients than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    count = len(set(patients))
    if not 2 <= folds <= count:
        raise InputError(f"folds: expected 2 to {count} (the number of patients), received {folds}")
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(classes)), np.asarray(classes), np.asarray(patients)))
