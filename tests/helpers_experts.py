"""Made-up out-of-fold tables of experts whose worth is known: the truth's logits with noise of their own."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from hbac import hms
from hbac.blending.runs import KEY, Run, SharedRows, shared_rows


def truth(patients: int, seed: int = 0, rows_each: int = 8) -> pd.DataFrame:
    """Rows with votes of 12, as many a patient, two windows an EEG."""
    rng = np.random.default_rng(seed)
    count = patients * rows_each
    votes = softmax(rng.normal(0, 2.0, (count, len(hms.CLASSES))), axis=1)
    table = pd.DataFrame(
        {
            "eeg_id": 1000 + np.arange(count) // 2,
            "eeg_label_offset_seconds": np.arange(count) % 2 * 2.0,
            "patient_id": 7 * (np.arange(count) // rows_each),
            "expert_consensus": "Other",
            "fold": np.arange(count) % 5,
            "votes": 12.0,
        }
    )
    return with_shares(table, "voted", votes)


def expert(table: pd.DataFrame, noise: float, seed: int) -> pd.DataFrame:
    """What an expert predicts who sees the truth's logits through Gaussian noise of this standard deviation."""
    votes = table[[f"voted_{name}" for name in hms.CLASSES]].to_numpy()
    seen = np.log(votes) + np.random.default_rng(seed).normal(0, noise, votes.shape)
    return with_shares(table, "predicted", softmax(seen, axis=1))


def guesser(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """An expert who has not looked."""
    noise = np.random.default_rng(seed).normal(0, 1.0, (len(table), len(hms.CLASSES)))
    return with_shares(table, "predicted", softmax(noise, axis=1))


def with_shares(table: pd.DataFrame, kind: str, shares: np.ndarray) -> pd.DataFrame:
    return table.assign(**{f"{kind}_{name}": column for name, column in zip(hms.CLASSES, shares.T)})


def rows_of(*tables: pd.DataFrame) -> SharedRows:
    """What these experts predict for the rows that all of them have."""
    runs = [Run(f"r{number}", Path(f"r{number}"), None, table.set_index(KEY)) for number, table in enumerate(tables)]  # type: ignore[arg-type]
    return shared_rows(runs)
