"""Statistics of a table of votes in train.csv's form; an EEG counts once, with its first window, unless said otherwise."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hbac.hms import VOTE_COLUMNS

REAL_VOTES = Path(__file__).resolve().parents[2] / "shared" / "data" / "hms_votes.csv.gz"
VOTES = list(VOTE_COLUMNS)


def statistics(table: pd.DataFrame) -> dict[str, npt.NDArray[np.float64]]:
    table = table.sort_values(["eeg_id", "eeg_sub_id"])
    return {
        **_panels(table),
        **_by_consensus(table),
        **_windows(table),
        **_changes(table),
        **_patients(table),
    }


def _first(table: pd.DataFrame) -> pd.DataFrame:
    first = table.groupby("eeg_id").first()
    votes = first[VOTES].to_numpy()
    return first.assign(size=votes.sum(axis=1), consensus=votes.argmax(axis=1))


def _panels(table: pd.DataFrame) -> Mapping[str, npt.NDArray]:
    size, first = table[VOTES].sum(axis=1), _first(table)
    fractions = table[VOTES].div(size, axis=0).groupby(table["eeg_id"]).mean()
    experts = table[VOTES].div(size, axis=0)[size >= 10].groupby(table["eeg_id"]).mean()
    bins = [0.5, 1.5, 2.5, 3.5, 7.5, 9.5, 11.5, 13.5, 15.5, 18.5, 28.5]
    return {
        "panel sizes": np.histogram(first["size"], bins)[0] / len(first),
        "expert rows": np.array((size >= 10).mean()),
        "expert EEGs": np.array((first["size"] >= 10).mean()),
        "mean vote": fractions.mean().to_numpy(),
        "mean vote of experts": experts.mean().to_numpy(),
    }


def _by_consensus(table: pd.DataFrame) -> Mapping[str, npt.NDArray]:
    """For the crowd (up to 7 votes) and the experts: what the votes of each consensus class look like."""
    first, out = _first(table), {}
    for name, part in (("crowd", first[first["size"] < 9]), ("experts", first[first["size"] > 9])):
        fractions = part[VOTES].to_numpy() / part["size"].to_numpy()[:, None]
        entropy = -(fractions * np.log(np.maximum(fractions, 1e-12))).sum(axis=1)
        each = [part["consensus"].to_numpy() == number for number in range(6)]
        out[f"consensus of {name}"] = np.array([which.mean() for which in each])
        out[f"fractions of {name}"] = np.array([fractions[which].mean(axis=0) for which in each])  # (6, 6)
        out[f"entropy of {name}"] = np.array([entropy[which].mean() for which in each])
        out[f"unanimous {name}"] = np.array([(fractions[which].max(axis=1) == 1).mean() for which in each])
    return out


def _windows(table: pd.DataFrame) -> Mapping[str, npt.NDArray]:
    by_eeg = table.groupby("eeg_id")
    rows, last = by_eeg.size().to_numpy(), by_eeg["eeg_label_offset_seconds"].max().to_numpy()
    steps = by_eeg["eeg_label_offset_seconds"].diff().dropna().to_numpy()
    return {
        "rows per EEG, log of mean": np.log(rows.mean()),
        "EEGs of 1, 2, 3, 4 to 8, 9 to 20 windows": np.histogram(rows, [1, 2, 3, 4, 9, 21])[0] / len(rows),
        "steps of 2, 4, 6 and 8 s": np.array([(steps == step).mean() for step in (2, 4, 6, 8)]),
        "EEGs up to 50, 60, 90, 150, 250 s": np.array([(last + 50 <= s).mean() for s in (50, 60, 90, 150, 250)]),
        "odd offsets": np.array((table["spectrogram_label_offset_seconds"] % 2).mean()),
    }


def _changes(table: pd.DataFrame) -> Mapping[str, npt.NDArray]:
    """How often the next window of an EEG has other votes, and another consensus."""
    before = table.groupby("eeg_id")[VOTES].shift(1)
    known = before.notna().all(axis=1)
    now, before = table.loc[known, VOTES].to_numpy(), before[known].to_numpy()
    changed = (now != before).any(axis=1)
    step = table.groupby("eeg_id")["eeg_label_offset_seconds"].diff()[known].to_numpy()
    return {
        "votes change": np.array(changed.mean()),
        "votes change by step": np.array([changed[step == s].mean() for s in (2, 4, 6, 8, 10)]),
        "consensus changes": np.array((now.argmax(axis=1) != before.argmax(axis=1)).mean()),
    }


def _patients(table: pd.DataFrame) -> Mapping[str, npt.NDArray]:
    first = _first(table)
    by_patient = first.assign(expert=first["size"] >= 10).groupby("patient_id")
    expert = by_patient["expert"].mean()[by_patient.size() > 1]
    return {
        "same consensus within a patient": agreement(first, "patient_id"),
        "same consensus within a recording": agreement(first, "spectrogram_id"),
        "patients with experts never, always": np.array([(expert == 0).mean(), (expert == 1).mean()]),
    }


def agreement(first: pd.DataFrame, column: str) -> npt.NDArray:
    """Chance that another EEG of the same patient or recording has the same consensus, each EEG weighing one."""
    counts = pd.crosstab(first[column], first["consensus"]).to_numpy().astype(float)
    size = counts.sum(axis=1)
    several = size > 1
    same = (counts * (counts - 1)).sum(axis=1)[several] / (size[several] - 1)
    return np.array(same.sum() / size[several].sum())
