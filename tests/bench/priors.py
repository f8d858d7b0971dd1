"""What `--prior` gains and costs: KL divergence for class mixes that are not those of training.

    hbac simulate POOL --patients 0 --test-records 600 --balanced --seed 4242
    hbac predict --test-dir POOL --output POOL/submission.csv
    PYTHONPATH=wheel_src python tests/bench/priors.py POOL --real FOLDER

Drawn from POOL are 20 sets of 200 records (`--sets`, `--records`), each of a class mix of its own (Dirichlet over six
classes), with replacement. FOLDER holds labelled clips of real EEG as `real_eeg.py` takes them. Printed is the KL
divergence of each set: as the folds answer (train), with all classes alike (uniform), with the estimated mix, with that of
expectation maximisation run to its end (EM), and with the set's own mean vote. All clips count for the estimate here;
a run leaves out records that were not read whole.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from real_eeg import FORMS, answered

from hbac import hms
from hbac.ensemble.calibrated import make_ensemble
from hbac.ensemble.prior import estimated_prior, for_prior
from hbac.training.metrics import kl_divergence
from hbac.weights.manifest import read_manifest

FLOOR = 0.01  # share of a mean vote that all classes divide alike, so that none has 0
ROUNDS = 2000  # of expectation maximisation, run to its end
WAYS = ("train", "uniform", "estimate", "EM", "mean vote")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--real", type=Path, metavar="FOLDER")
    parser.add_argument("--manifest", type=Path, default=Path("weights_manifest.json"))
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--records", type=int, default=200, help="in each set")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    manifest = read_manifest(options.manifest)
    training = np.array(manifest.training_prior) / sum(manifest.training_prior)
    print(f"{'set':24}", *(f"{way:>10}" for way in WAYS))
    votes, answers = pool_of(options.pool)
    sets = drawn_sets(votes, options.sets, options.records, np.random.default_rng(options.seed))
    show_drawn([(votes[rows], answers[rows]) for rows in sets], training)
    if options.real:
        show_real(options.real, manifest, training)


def pool_of(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(records, 6) votes as shares, and answers."""
    votes, answers = (
        pd.read_csv(folder / name).sort_values(hms.ID_COLUMN)[list(hms.VOTE_COLUMNS)].to_numpy(np.float64)
        for name in ("answers.csv", "submission.csv")
    )
    return votes / votes.sum(axis=1, keepdims=True), answers


def drawn_sets(votes: np.ndarray, sets: int, records: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Rows of each set."""
    of_class = [np.flatnonzero(votes.argmax(axis=1) == c) for c in range(len(hms.CLASSES))]
    for _ in range(sets):
        counts = rng.multinomial(records, rng.dirichlet(np.ones(len(hms.CLASSES))))
        yield np.concatenate([rng.choice(of_class[c], count) for c, count in enumerate(counts)])


def show_drawn(sets: list[tuple[np.ndarray, np.ndarray]], training: np.ndarray) -> None:
    """Each drawn set, the mean, and what the estimate gains and costs."""
    measured = [show(f"drawn {i}", votes, answers, training) for i, (votes, answers) in enumerate(sets)]
    train, _, estimate, _, best = np.array(measured).T
    print(f"{'drawn, mean':24}", *(f"{value:10.3f}" for value in np.mean(measured, axis=0)))
    print(f"the estimate costs at most {(estimate - train).max():.3f} over train")
    print(f"of what the mean vote gains, it gains {(train - estimate).mean() / (train - best).mean():.2f} on average")


def show_real(folder: Path, manifest, training: np.ndarray) -> None:
    """The labelled clips, and those of each source, by form."""
    labels = pd.read_csv(folder / "labels.csv")
    votes = labels[list(hms.VOTE_COLUMNS)].to_numpy(np.float64)
    votes /= votes.sum(axis=1, keepdims=True)
    ensemble = make_ensemble(manifest)
    for form in FORMS:
        answers = answered(ensemble, labels, folder / "eegs", form)
        show(f"{form}, all", votes, answers, training)
        for name, part in labels.groupby("set"):
            show(f"{form}, {name}", votes[part.index], answers[part.index], training)


def show(name: str, votes: np.ndarray, answers: np.ndarray, training: np.ndarray) -> list[float]:
    """KL divergence by each of `WAYS`, printed."""
    uniform = np.full(len(hms.CLASSES), 1 / len(hms.CLASSES))
    mean_vote = (1 - FLOOR) * votes.mean(axis=0) + FLOOR * uniform
    priors = (training, uniform, estimated_prior(answers, training), run_to_its_end(answers, training), mean_vote)
    values = [float(kl_divergence(votes, for_prior(answers, training, prior)).mean()) for prior in priors]
    print(f"{name:24}", *(f"{value:10.3f}" for value in values))
    return values


def run_to_its_end(answers: np.ndarray, training: np.ndarray) -> np.ndarray:
    """(6,) the mix at which expectation maximisation (Saerens et al. 2002) comes to rest."""
    prior = training
    for _ in range(ROUNDS):
        prior = for_prior(answers, training, prior).mean(axis=0)
    return np.maximum(prior, np.finfo(float).tiny)


if __name__ == "__main__":
    main()
