"""Made-up out-of-fold tables of experts whose worth is known: each sees the truth through noise of its own."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from hbac import hms
from hbac.blending.runs import KEY, Run, SharedRows, shared_rows


def truth(patients: int, seed: int = 0, rows_each: int = 10) -> pd.DataFrame:
    """Rows of one class each by 12 votes, as many a patient, two windows an EEG."""
    count = patients * rows_each
    classes = np.random.default_rng(seed).integers(len(hms.CLASSES), size=count)
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
    return with_shares(table, "voted", np.eye(len(hms.CLASSES))[classes])


def expert(table: pd.DataFrame, noise: float, seed: int) -> pd.DataFrame:
    """What one predicts who sees a one at the class and Gaussian noise over it, by Bayes' rule: calibrated exactly."""
    votes = shares_of(table, "voted")
    seen = votes + np.random.default_rng(seed).normal(0, noise, votes.shape)
    return with_shares(table, "predicted", softmax(seen / noise**2, axis=1))


def guesser(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """An expert who has not looked."""
    noise = np.random.default_rng(seed).normal(0, 1.0, (len(table), len(hms.CLASSES)))
    return with_shares(table, "predicted", softmax(noise, axis=1))


def shares_of(table: pd.DataFrame, kind: str) -> np.ndarray:
    return table[[f"{kind}_{name}" for name in hms.CLASSES]].to_numpy()


def with_shares(table: pd.DataFrame, kind: str, shares: np.ndarray) -> pd.DataFrame:
    return table.assign(**{f"{kind}_{name}": column for name, column in zip(hms.CLASSES, shares.T)})


def rows_of(*tables: pd.DataFrame) -> SharedRows:
    """What these experts predict for the rows that all of them have."""
    runs = [Run(f"r{number}", Path(f"r{number}"), None, table.set_index(KEY)) for number, table in enumerate(tables)]  # type: ignore[arg-type]
    return shared_rows(runs)
