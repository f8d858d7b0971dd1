"""The folds on labelled clips of real EEG: PYTHONPATH=wheel_src python tests/bench/real_eeg.py FOLDER

FOLDER holds labels.csv (sample, six vote columns, set, patient) and eegs/SAMPLE.parquet. Each clip is answered from its EEG
alone, without flips: as it is, of which the folds' preset decides what surrounds it, and mirrored to 50 s beforehand (edge
samples repeated). Printed are the KL divergence as answered and with the training prior divided out, log loss, accuracy and the
AUROC of each class against the rest, each with a 95 % interval of a bootstrap over patients.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from hbac import hms
from hbac.ensemble.calibrated import Ensemble, make_ensemble
from hbac.preprocessing.load import image_of_eeg
from hbac.records.parquet import read_eeg
from hbac.records.record import EegFile, eeg_start, mirrored
from hbac.training.metrics import kl_divergence
from hbac.weights.manifest import read_manifest

DRAWS = 1000  # of the bootstrap
FORMS = ("as it is", "mirrored")
ENOUGH = 5  # clips of a class for an AUROC


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--manifest", type=Path, default=Path("weights_manifest.json"))
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    labels = pd.read_csv(options.folder / "labels.csv")
    manifest = read_manifest(options.manifest)
    ensemble = make_ensemble(manifest, options.engine)
    prior = np.array(manifest.training_prior)
    groups = {
        "all": np.ones(len(labels), bool),
        **{name: labels["set"].to_numpy() == name for name in labels["set"].unique()},
    }
    for form in FORMS:
        answers = answered(ensemble, labels, options.folder / "eegs", form)
        for name, chosen in groups.items():
            show(f"{form}, {name}", labels[chosen], answers[chosen], prior)


def images_of(labels: pd.DataFrame, folder: Path, form: str, preset) -> np.ndarray:
    """(clips, *shape) float32, of the EEG alone, as `predict` makes them of files that hold the clips in this form."""
    images = []
    for sample in labels["sample"]:
        uv = read_eeg(folder / f"{sample}.parquet").uv
        if form == "mirrored":
            uv = mirrored(uv, eeg_start(len(uv), None))
        images.append(image_of_eeg(EegFile(uv), None, preset))
    return np.stack(images)


def answered(ensemble: Ensemble, labels: pd.DataFrame, folder: Path, form: str) -> np.ndarray:
    """(clips, 6) probabilities; each clip alone, as a run on CPU answers."""
    images = {preset.preset: images_of(labels, folder, form, preset) for preset in ensemble.manifest.presets()}
    return np.concatenate(
        [ensemble.predict({name: of[[clip]] for name, of in images.items()}) for clip in range(len(labels))]
    )


def without_prior(probabilities: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Answers for classes that are all equally likely beforehand."""
    divided = probabilities / prior
    return divided / divided.sum(axis=1, keepdims=True)


def show(title: str, labels: pd.DataFrame, answers: np.ndarray, prior: np.ndarray) -> None:
    votes = labels[list(hms.VOTE_COLUMNS)].to_numpy(np.float64)
    votes /= votes.sum(axis=1, keepdims=True)
    divided = without_prior(answers, prior)
    measures = {
        "KL as answered": lambda rows: kl_divergence(votes[rows], answers[rows]).mean(),
        "KL, prior divided out": lambda rows: kl_divergence(votes[rows], divided[rows]).mean(),
        "KL of uniform": lambda rows: kl_divergence(votes[rows], np.full((len(rows), 6), 1 / 6)).mean(),
        "log loss, prior divided out": lambda rows: -(votes[rows] * np.log(divided[rows])).sum(axis=1).mean(),
        "accuracy, prior divided out": lambda rows: (votes[rows].argmax(1) == divided[rows].argmax(1)).mean(),
    }
    truth = votes.argmax(axis=1)
    classes = [c for c in range(6) if (truth == c).sum() >= ENOUGH and (truth != c).any()]
    for c in classes:
        measures[f"AUROC {hms.CLASSES[c]} ({(truth == c).sum()})"] = lambda rows, c=c: auroc(
            truth[rows] == c, divided[rows, c]
        )
    measures["mean AUROC"] = lambda rows: np.nanmean([auroc(truth[rows] == c, divided[rows, c]) for c in classes])
    draws = bootstrap(labels["patient"].to_numpy())
    print(f"\n{title}: {len(labels)} clips, {labels['patient'].nunique()} patients")
    everything = np.arange(len(labels))
    for name, measure in measures.items():
        low, high = np.nanpercentile([measure(rows) for rows in draws], [2.5, 97.5])
        print(f"  {name:30} {measure(everything):7.3f}  ({low:.3f} to {high:.3f})")


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    return roc_auc_score(truth, score) if 0 < truth.sum() < len(truth) else np.nan


def bootstrap(patients: np.ndarray) -> list[np.ndarray]:
    """Rows of patients drawn with replacement."""
    rng = np.random.default_rng(0)
    rows = {patient: np.flatnonzero(patients == patient) for patient in np.unique(patients)}
    names = list(rows)
    return [np.concatenate([rows[names[i]] for i in rng.integers(len(names), size=len(names))]) for _ in range(DRAWS)]


if __name__ == "__main__":
    main()
