"""What `realism.py` measures in a train.csv: panels, windows, entropies and confusions."""

import numpy as np
import pandas as pd

from hbac.hms import CLASSES, CONSENSUS_NAMES, VOTE_COLUMNS

Measures = dict[str, float]


def measure_votes(table: pd.DataFrame) -> Measures:
    """All measures of a train.csv; where it says so, and in all means of votes, each EEG weighs one."""
    votes = table[list(VOTE_COLUMNS)].to_numpy(float)
    total = votes.sum(axis=1)
    share = pd.DataFrame(votes / total[:, None], columns=list(CLASSES), index=table.index)
    rows = table["eeg_id"].map(table["eeg_id"].value_counts())
    of_eeg = share.round(6).groupby(table["eeg_id"])
    rest = pd.DataFrame(index=table.index).assign(
        entropy=-(share * np.log(share.clip(lower=1e-12))).sum(axis=1),
        unanimous=(share.max(axis=1) == 1).astype(float),
        consensus=table["expert_consensus"],
        many=total >= 10,
        weight=1 / rows,
    )
    out = {f"votes per row, {q} %": float(np.percentile(total, q)) for q in (10, 25, 50, 75, 90, 99)} | {
        "rows with 10 votes or more": float((total >= 10).mean()),
        "rows of 8 or 9 votes": float(np.isin(total, (8, 9)).mean()),
        "EEGs with a row of 10 votes or more": float(rest["many"].groupby(table["eeg_id"]).any().mean()),
        "EEGs of several rows whose votes change": float(of_eeg.nunique().gt(1).any(axis=1)[of_eeg.size() > 1].mean()),
    }
    for name, which in (("all rows", rows > 0), ("10 or more", rest["many"])):
        means = share[which].groupby(table["eeg_id"][which]).mean().mean()
        out |= {f"mean vote per EEG, {name}, {kind}": float(means[kind]) for kind in CLASSES}
    return _windows(table) | out | _by_class(rest.join(share))


def _windows(table: pd.DataFrame) -> Measures:
    """How many windows, EEGs and classes there are of each EEG, spectrogram and patient, and how far apart."""
    eegs = table.groupby("eeg_id")["eeg_label_offset_seconds"]
    steps = eegs.diff().dropna()
    spreads = {
        "rows per EEG": eegs.size(),
        "last window of an EEG, s": eegs.max(),
        "EEGs per spectrogram": table.groupby("spectrogram_id")["eeg_id"].nunique(),
        "EEGs per patient": table.groupby("patient_id")["eeg_id"].nunique(),
    }
    out: Measures = {}
    for name, values in spreads.items():
        middle, high = values.quantile((0.5, 0.9))
        out |= {f"{name}, median": middle, f"{name}, mean": values.mean(), f"{name}, 90 %": high}
        out[f"{name}, most"] = float(values.max())
    classes = table.groupby("patient_id")["expert_consensus"].nunique()
    return (
        out
        | {f"step of windows, s, {q} %": float(steps.quantile(q / 100)) for q in (10, 50, 90)}
        | {
            "odd spectrogram offsets": float((table["spectrogram_label_offset_seconds"] % 2 == 1).mean()),
            "patients with more than one class": float((classes > 1).mean()),
        }
    )


def _by_class(rows: pd.DataFrame) -> Measures:
    """Of the rows with one consensus, each EEG weighing one: how sure the panels were and what else they said."""
    out: Measures = {}
    for kind in CONSENSUS_NAMES:
        every = rows[rows["consensus"] == kind]
        for name, here in (("all", every), ("10 or more", every[every["many"]])):
            columns = ["entropy", "unanimous", *(CLASSES if name != "all" else ())]
            means = here[columns].mul(here["weight"], axis=0).sum() / max(here["weight"].sum(), 1e-12)
            out |= {f"{kind}, {name}: {column}": float(means[column]) if len(here) else np.nan for column in columns}
            if name == "all" and len(here):
                out[f"{kind}, all: median entropy"] = float(here["entropy"].median())
    return out
