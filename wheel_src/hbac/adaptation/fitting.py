"""Heads that learn from labels, their settings, and what they gain on patients that were held out."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np

from hbac.adaptation.features import as_float16
from hbac.adaptation.head import Calibration, Correction, Floats, fit_correction, with_correction
from hbac.adaptation.members import Member, Rows, answer_of
from hbac.errors import InputError
from hbac.network.graph import Tensors
from hbac.training.metrics import kl_divergence
from hbac.training.rows import Split, patient_folds

MIN_RECORDS: Final = 12  # for statistics, and of the labelled ones
MIN_PATIENTS: Final = 6  # so that five parts can be held out, and others within
OUTER_PARTS, INNER_PARTS = 5, 4  # of the patients: to judge, to choose
STRENGTHS: Final = (30.0, 100.0, 300.0, 1000.0, 3000.0)
SMOOTHINGS: Final = (0.0, 0.1)
SURE = 3.0  # standard errors by which other settings than the usual ones have to be better; there are nine of them
SEED = 0  # of the parts and of the bootstrap
DRAWS = 2000


@dataclass(frozen=True)
class Labelled:
    """Labels of some images, in the order of these."""

    votes: Floats  # (n, 6), rows summing to 1
    patients: tuple[str, ...]  # (n,)

    def of(self, rows: Rows) -> "Labelled":
        """Some of them."""
        return Labelled(self.votes[rows], tuple(self.patients[i] for i in rows))


@dataclass(frozen=True)
class Choice:
    """Settings of the head's correction; see `head.fit_correction`."""

    strength: float
    smoothing: float


USUAL: Final = Choice(300.0, 0.0)  # the best, or nearly, for 12 to 52 real clips (docs/adapt.md)


@dataclass(frozen=True)
class Gain:
    """Mean KL divergence of records of held-out patients, prior divided out, in nats; an interval of 95 %."""

    before: float
    after: float
    low: float
    high: float
    alone: float | None = None  # after, with statistics alone

    @property
    def mean(self) -> float:
        """What is gained; negative where it is lost."""
        return self.before - self.after


def check_records(count: int) -> None:
    """Refuse images that are too few to take statistics of: InputError."""
    if count < MIN_RECORDS:
        raise InputError(f"expected {MIN_RECORDS} or more records that can be read, received {count}")


def check_labelled(labelled: Labelled) -> None:
    """Refuse labels that nothing can be learnt from and judged by.

    Raises:
        InputError: too few records, classes or patients.
    """
    classes = len(set(labelled.votes.argmax(axis=1).tolist()))
    for count, least, what in (
        (len(labelled.votes), MIN_RECORDS, "labelled records that can be read"),
        (classes, 2, "classes among the labels"),
        (len(set(labelled.patients)), MIN_PATIENTS, "patients among the labels"),
    ):
        if count < least:
            raise InputError(f"expected {least} or more {what}, received {count}")


def parts_of(labelled: Labelled, most: int) -> list[Split]:
    """Rows to learn from and to judge by, split by patient, classes balanced as far as they go."""
    classes = labelled.votes.argmax(axis=1)
    numbers = np.unique(labelled.patients, return_inverse=True)[1].tolist()
    parts = min(most, len(set(numbers)))
    if np.bincount(classes).max() < parts:  # what cannot be balanced
        classes = np.zeros_like(classes)
    with warnings.catch_warnings():  # that a class has fewer records than there are parts
        warnings.simplefilter("ignore", UserWarning)
        return patient_folds(classes.tolist(), numbers, parts, SEED)


def corrections_of(members: Sequence[Member], labelled: Labelled, choice: Choice) -> list[Correction]:
    """What each fold's head learns from labels."""
    return [fit_correction(m.pooled, m.logits, labelled.votes, choice.strength, choice.smoothing) for m in members]


def held_out_kl(
    members: Sequence[Member], labelled: Labelled, choice: Choice, split: Split, calibration: Calibration
) -> Floats:
    """KL of the records that judge, answered by heads that have learnt from the others."""
    learn, judge = split
    corrections = corrections_of([member.of(learn) for member in members], labelled.of(learn), choice)
    judged = [member.of(judge) for member in members]
    corrected = [replace(m, logits=correction(m.pooled, m.logits)) for m, correction in zip(judged, corrections)]
    return kl_divergence(labelled.votes[judge], answer_of(corrected, calibration))


def choose(members: Sequence[Member], labelled: Labelled, calibration: Calibration) -> Choice:
    """The usual settings, unless others answer held-out patients surely better: then the best of those.

    The least KL alone is a worse choice: of few records it is chance (docs/adapt.md).
    """
    parts = parts_of(labelled, INNER_PARTS)

    def kl(choice: Choice) -> Floats:
        return np.concatenate([held_out_kl(members, labelled, choice, part, calibration) for part in parts])

    usual, best, most = kl(USUAL), USUAL, 0.0
    for choice in (Choice(*pair) for pair in product(STRENGTHS, SMOOTHINGS)):
        better = usual - kl(choice)
        if better.mean() > max(most, SURE * better.std() / np.sqrt(len(better))):
            best, most = choice, float(better.mean())
    return best


def fit_heads(members: Sequence[Member], labelled: Labelled, calibration: Calibration) -> tuple[list[Tensors], Choice]:
    """Folds whose heads have learnt from all labels, as a file in float16 holds them, and the settings of that."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    with threadpool_limits(1):  # these matrices are small: on busy cores threads take ten times as long
        choice = choose(members, labelled, calibration)
        corrections = corrections_of(members, labelled, choice)
    heads = [with_correction(m.tensors, correction, calibration) for m, correction in zip(members, corrections)]
    return [as_float16(tensors) for tensors in heads], choice


def measure_gain(
    shipped: Sequence[Member], members: Sequence[Member], labelled: Labelled, calibration: Calibration
) -> Gain:
    """What labels gain on patients whose labels neither the heads nor the choice of their settings have seen.

    Statistics take no labels, and are those of all records.

    Args:
        shipped: the folds as they were, on the labelled images.
        members: the folds with their new statistics, on the same.
        labelled: the labels.
        calibration: of the manifest.
    """
    from threadpoolctl import threadpool_limits

    before, alone = (kl_divergence(labelled.votes, answer_of(m, calibration)) for m in (shipped, members))
    after = np.empty_like(before)
    with threadpool_limits(1):
        for split in parts_of(labelled, OUTER_PARTS):
            learn, judge = split
            choice = choose([member.of(learn) for member in members], labelled.of(learn), calibration)
            after[judge] = held_out_kl(members, labelled, choice, split, calibration)
    return replace(gain_of(before, after, labelled.patients), alone=float(alone.mean()))


def gain_of(before: Floats, after: Floats, patients: Sequence[str]) -> Gain:
    """Means, and an interval of a bootstrap over patients of the mean difference."""
    which = np.unique(patients, return_inverse=True)[1]
    sums, counts = np.bincount(which, before - after), np.bincount(which)
    drawn = np.random.default_rng(SEED).integers(len(sums), size=(DRAWS, len(sums)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return Gain(float(before.mean()), float(after.mean()), float(low), float(high))
