"""Which runs pay, and what their blend gains on patients that have chosen nothing of it.

A run is left out where the blend without it is not worse by more than a standard error, and by `LEAST_GAIN` at least.
Whatever is compared was fitted on other patients than it is judged on. The gain of the whole choice, runs and weights
and mean, is measured the same way once more around it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hbac.blending.fit import Blend, best_blend
from hbac.blending.runs import Floats, SharedRows
from hbac.errors import InputError
from hbac.training.rows import Split, patient_folds
from hbac.weights.schema import ARITHMETIC

PARTS = 5  # of the patients
LEAST_PATIENTS = 3  # two to choose on by each other, one to judge on
LEAST_GAIN = 5e-4  # of KL: what a run has to bring
DRAWS = 1000  # of the bootstrap
SEED = 0


@dataclass(frozen=True)
class Difference:
    """Of two mean KL divergences on the same rows, with a standard error of a bootstrap over patients."""

    mean: float
    standard_error: float

    @property
    def pays(self) -> bool:
        """Whether it is more than chance and more than nothing."""
        return self.mean > max(LEAST_GAIN, self.standard_error)


@dataclass(frozen=True)
class Choice:
    """A blend, and what each run brings: how much worse the blend is without it."""

    blend: Blend
    brings: dict[int, Difference] = field(default_factory=dict)  # by run; of those left out too


@dataclass(frozen=True)
class Gain:
    """KL on rows of patients that chose nothing: of the blend, and of the run that is best on all rows."""

    blend: float
    best_run: int
    alone: float
    gain: Difference


def choose(rows: SharedRows) -> Choice:
    """The runs that pay and their best blend; where none pays beside another, the best run."""
    runs, brings = list(range(len(rows.predictions))), {}
    splits = parts_of(rows)
    while len(runs) > 1:
        together = held_out_kl(rows, runs, splits)
        without = {run: held_out_kl(rows, [other for other in runs if other != run], splits) for run in runs}
        brings.update({run: difference(kl, together, rows) for run, kl in without.items()})
        least = min(runs, key=lambda run: (round(brings[run].mean, 9), -run))  # of two that are alike the later one
        if brings[least].pays:
            return Choice(best_blend(rows, runs), brings)
        runs.remove(least)
    return Choice(alone(rows, best_run(rows)), brings)


def measure_gain(rows: SharedRows) -> Gain:
    """What the blend gains over the best run, which has the advantage of being the best on the very rows.

    Raises:
        InputError: fewer than `LEAST_PATIENTS`.
    """
    if (patients := len(set(rows.patients.tolist()))) < LEAST_PATIENTS:
        raise InputError(f"expected rows of {LEAST_PATIENTS} patients or more to judge a blend, received {patients}")
    best = best_run(rows)
    kl = alone(rows, best).kl(rows)
    blended = np.empty_like(kl)
    for learn, judge in parts_of(rows):
        blended[judge] = choose(rows.of(learn)).blend.kl(rows.of(judge))
    return Gain(
        blend=float(np.average(blended, weights=rows.weights)),
        best_run=best,
        alone=float(np.average(kl, weights=rows.weights)),
        gain=difference(kl, blended, rows),
    )


def best_run(rows: SharedRows) -> int:
    """The run with the smallest KL, the first of equal ones."""
    kls = [np.average(alone(rows, run).kl(rows), weights=rows.weights) for run in range(len(rows.predictions))]
    return int(np.argmin(kls))


def alone(rows: SharedRows, run: int) -> Blend:
    """One run and no other."""
    return Blend(tuple(float(number == run) for number in range(len(rows.predictions))), ARITHMETIC)


def held_out_kl(rows: SharedRows, runs: Sequence[int], splits: Sequence[Split]) -> Floats:
    """(n,) KL of the best blend of some runs on patients that it was not fitted on."""
    kl = np.empty(len(rows.votes))
    for learn, judge in splits:
        kl[judge] = best_blend(rows.of(learn), runs).kl(rows.of(judge))
    return kl


def parts_of(rows: SharedRows) -> list[Split]:
    """Rows to learn from and of other patients to judge on.

    Raises:
        InputError: fewer than two patients.
    """
    classes = rows.votes.argmax(axis=1)
    count = min(PARTS, len(set(rows.patients.tolist())), int(np.bincount(classes).max()))
    if count < 2:
        raise InputError(f"expected rows of 2 patients or more to choose weights, received {len(rows.votes)} rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's, on a class of fewer rows than parts
        return patient_folds(classes.tolist(), rows.patients.tolist(), count, SEED)


def difference(first: Floats, second: Floats, rows: SharedRows) -> Difference:
    """The weighted mean of `first` - `second`, (n,) each."""
    _, which = np.unique(rows.patients, return_inverse=True)
    sums = np.bincount(which, rows.weights * (first - second))
    weights = np.bincount(which, rows.weights)
    drawn = np.random.default_rng(SEED).integers(len(sums), size=(DRAWS, len(sums)))
    means: npt.NDArray[np.float64] = sums[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
    return Difference(float(sums.sum() / weights.sum()), float(means.std()))
