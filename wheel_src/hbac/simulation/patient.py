"""Who a simulated recording is of, and which pattern it holds when.

Names and ranges follow the ACNS critical care EEG terminology (2021), https://doi.org/10.1097/WNP.0000000000000806.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from hbac.simulation.primitives import one_of

Mixture = tuple[float, ...]  # how much of each class a stretch of EEG holds: six shares, sum 1

FOCI: Final = ("F7", "T3", "T5", "F3", "C3", "P3", "O1")  # a left name stands for its mirror image as well
FOCI_SHARE: Final = (0.2, 0.2, 0.17, 0.13, 0.12, 0.12, 0.06)
# How the background behaves over minutes, with the share of patients.
VIGILANCE: Final = {
    "awake": 0.20,
    "drowsy": 0.15,
    "asleep": 0.13,
    "encephalopathic": 0.25,
    "sedated": 0.10,
    "discontinuous": 0.09,
    "suppressed": 0.08,
}
MORPHOLOGY: Final = {
    "spike-wave": 0.25,
    "biphasic": 0.2,
    "triphasic": 0.2,
    "polyphasic": 0.15,
    "blunt": 0.2,
}


@dataclass(frozen=True)
class Patient:
    """What stays the same in all recordings of one patient."""

    side: int  # of the focus: -1 left, +1 right
    focus: str  # one of FOCI
    delta_log_power: float  # background, median over 1 to 4 Hz of log(uV^2/Hz) in the spectrogram
    slope: float  # of the background's log power over log frequency
    knee_hz: float  # the background is flat below
    focal_slowing: float  # amplitude of polymorphic delta over the focus against the background's own
    frontal: float  # natural log of how much larger the slow background is in front
    theta: float  # amplitude against the background's own, as are `alpha`, `beta` and `mu`
    alpha: float
    alpha_hz: float
    beta: float
    mu: float
    breach: float  # sharper, larger activity over a skull defect at the focus; mostly 0
    vigilance: str  # one of VIGILANCE
    periodic_hz: float
    rhythmic_hz: float
    strength: float  # of the pattern, factor on its usual amplitude
    extent_rad: float  # width of the field of a focal pattern
    other_side: float  # share of a lateralised pattern that reaches the other hemisphere
    predominance: str  # of a generalised pattern, one of scalp.PREDOMINANCE
    lag_s: float  # of a generalised pattern, from front to back
    morphology: str  # of its discharges, one of MORPHOLOGY
    width_s: float  # of their sharpest phase, one standard deviation
    irregularity: float  # of the intervals between them: their deviation over their mean
    stillness: float  # natural log of the background under a clear periodic pattern over that elsewhere, 0 or less
    sporadic: float  # isolated epileptiform discharges a minute
    muscle: float  # bursts a minute
    tonic: float  # natural log of the power density of lasting muscle activity, uV^2/Hz; very low in most who sleep
    heart_hz: float


@dataclass(frozen=True)
class Episode:
    """A stretch of a recording: from when to when, and how much of each class is in it."""

    start_s: float
    stop_s: float
    mixture: Mixture


def draw_patient(rng: np.random.Generator, lateralised: bool) -> Patient:
    """A patient; one with `lateralised` patterns nearly always has slowing on the side of the focus too."""
    slowing = rng.random() < (0.85 if lateralised else 0.25)
    return Patient(
        side=int(rng.choice((-1, 1))),
        focus=str(rng.choice(FOCI, p=FOCI_SHARE)),
        delta_log_power=float(np.clip(rng.normal(0.8, 1.05), -1.8, 3.8)),
        slope=float(rng.uniform(1.9, 3.2)),
        knee_hz=float(rng.uniform(0.5, 1.8)),
        focal_slowing=float(rng.uniform(0.2, 1.3) * slowing),
        frontal=float(rng.normal(0.6, 0.25)),
        theta=float(rng.gamma(1.5, 0.35)),
        alpha=float(rng.gamma(1.1, 0.6)),
        alpha_hz=float(np.clip(rng.normal(8.8, 1.0), 6.5, 11)),
        beta=float(rng.gamma(0.6, 0.5)),
        mu=float(rng.exponential(0.15)),
        breach=float(rng.uniform(0.5, 1.5) * (rng.random() < 0.08)),
        vigilance=one_of(VIGILANCE, rng),
        periodic_hz=float(np.clip(rng.lognormal(0.0, 0.4), 0.4, 2.4)),
        rhythmic_hz=float(np.clip(rng.lognormal(0.28, 0.36), 0.5, 3.0)),
        strength=float(np.clip(rng.lognormal(0.0, 0.25), 0.75, 1.6)),
        extent_rad=float(rng.uniform(0.4, 0.9)),
        other_side=float(rng.uniform(0.0, 0.35)),
        predominance=one_of({"front": 0.4, "even": 0.4, "middle": 0.1, "back": 0.1}, rng),
        lag_s=float(rng.choice((rng.uniform(0.0, 0.03), rng.uniform(0.03, 0.13)))),
        morphology=one_of(MORPHOLOGY, rng),
        width_s=float(rng.uniform(0.015, 0.045)),
        irregularity=float(np.clip(rng.lognormal(np.log(0.2), 0.5), 0.04, 0.5)),
        stillness=float(np.clip(rng.normal(-1.1, 0.8), -2.5, 0.0)),
        sporadic=float(rng.exponential(2.0) * (rng.random() < 0.25)),
        muscle=float(rng.exponential(1.2)),
        tonic=float(rng.normal(-3.2, 1.9)),
        heart_hz=float(np.clip(rng.normal(98, 20), 50, 150) / 60),
    )
