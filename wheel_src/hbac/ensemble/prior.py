"""Answers for another class mix than the folds were trained on, and that mix estimated from the answers themselves.

Both are of Saerens, Latinne and Decaestecker 2002 (doi:10.1162/089976602753284446). Their expectation maximisation is
left after its first round and held near the training prior: run to its end it runs away where answers are not
calibrated, as on real EEG, where KL 0.86 became 2.2, and 1.08 became 26. `tests/bench/priors.py` measures it.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ENOUGH = 50  # records for an estimate: it cost 0.007 of KL at most over 100 drawn sets, of 20 records 0.04
HOLD = 1.0  # how much the training prior counts beside the mean answer; with 2, calibrated answers gain too little


def for_prior(answers: Floats, training: Floats, prior: Floats) -> Floats:
    """Answers for a prior, by Bayes' rule: p_c * prior_c / training_c, divided by their sum.

    Args:
        answers: (records, 6) probabilities for the training prior.
        training: (6,) shares of the classes that the answers are for, each above 0.
        prior: (6,) shares of the classes that they are to be for, each above 0.

    Returns:
        (records, 6) float64, rows summing to 1.
    """
    weighted = answers * (prior / training)
    shares: Floats = weighted / weighted.sum(axis=1, keepdims=True)
    return shares


def estimated_prior(answers: Floats, training: Floats) -> Floats:
    """The class mix of the records that were answered, which are `ENOUGH` or more for an estimate worth its name.

    It lies half-way between the training prior and the mean answer. That is the first round of expectation maximisation
    with a Dirichlet prior, in which the training prior counts as `HOLD` records for each record. No class loses more than
    half of its share, and none comes above (1 + training_c) / 2, whatever the answers are.

    Args:
        answers: (records, 6) probabilities for the training prior.
        training: (6,) shares of the classes that the answers are for, each above 0.

    Returns:
        (6,) float64, each above 0, summing to 1.
    """
    prior: Floats = (answers.mean(axis=0) + HOLD * training) / (1 + HOLD)
    return prior
