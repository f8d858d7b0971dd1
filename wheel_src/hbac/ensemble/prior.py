"""Answers for another class mix than the folds were trained on, and that mix estimated from the answers themselves.

Both are of Saerens, Latinne and Decaestecker 2002 (doi:10.1162/089976602753284446). Their expectation maximisation runs
away where the answers are not calibrated, as on real EEG: KL 0.9 became 1.4, and 1.1 became 24. So the estimate is held
near the training prior, as by a Dirichlet prior, and no class is moved far: see `estimated_prior`.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ENOUGH = 50  # records for an estimate
STRENGTH = 1.0  # the training prior counts as so many records for each record that was answered
ROUNDS = 200  # at most; the estimate moves by less than MOVED long before
MOVED = 1e-9


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

    The maximum a posteriori by expectation maximisation: each round takes the mean of the answers for the last mix and
    the training prior, which counts as `STRENGTH` records for each record.

    Args:
        answers: (records, 6) probabilities for the training prior.
        training: (6,) shares of the classes that the answers are for, each above 0.

    Returns:
        (6,) float64, each above 0, summing to 1.
    """
    prior = training
    for _ in range(ROUNDS):
        last, mean = prior, for_prior(answers, training, prior).mean(axis=0)
        prior = (mean + STRENGTH * training) / (1 + STRENGTH)
        if np.abs(prior - last).max() < MOVED:
            break
    return prior
