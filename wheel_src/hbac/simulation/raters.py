"""Simulated panels of raters: how clear a pattern is, who looks at it, and what they call it.

Two populations, as in the real table: a crowd, alone, in pairs or by threes with more raters where these disagree, and
experts, 10 to 28 at a time. Figures marked "real" were counted on 41,291 published rows of train.csv (6,832 EEGs).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hbac.hms import CLASSES
from hbac.simulation.patient import Mixture
from hbac.simulation.primitives import one_of

Votes = tuple[int, ...]  # six counts

PANELS: Final = ("brief", "small", "expert")  # 1 or 2 votes, 3 to 7 votes, 10 to 28 votes

# Real: EEGs per thousand by panel (its first row) and class (the consensus of that row).
EEGS_PER_MILLE: Final = {
    "brief": (13, 49, 37, 9, 25, 162),
    "small": (137, 43, 26, 27, 58, 90),
    "expert": (11, 59, 43, 16, 24, 171),
}
_COUNTS: Final = np.array([EEGS_PER_MILLE[panel] for panel in PANELS], float)  # (3, 6)
CLASS_SHARES: Final = tuple(float(share) for share in _COUNTS.sum(axis=0) / _COUNTS.sum())

# Real: what raters take each class for, shares of the votes it loses in rows of 3 votes or more.
CONFUSIONS: Final = {
    "seizure": {"lpd": 0.20, "gpd": 0.25, "lrda": 0.09, "grda": 0.04, "other": 0.42},
    "lpd": {"seizure": 0.12, "gpd": 0.15, "lrda": 0.21, "grda": 0.05, "other": 0.47},
    "gpd": {"seizure": 0.14, "lpd": 0.18, "lrda": 0.02, "grda": 0.14, "other": 0.52},
    "lrda": {"seizure": 0.04, "lpd": 0.17, "gpd": 0.02, "grda": 0.23, "other": 0.54},
    "grda": {"seizure": 0.03, "lpd": 0.06, "gpd": 0.12, "lrda": 0.19, "other": 0.60},
    "other": {"seizure": 0.05, "lpd": 0.22, "gpd": 0.16, "lrda": 0.26, "grda": 0.31},
}
_CONFUSION: Final = np.array([[CONFUSIONS[a].get(b, 0.0) for b in CLASSES] for a in CLASSES])  # (6, 6), zero diagonal

# Mean share of the main class in a stretch that such a panel labels, fitted to the real votes; experts were given the
# difficult ones. The spread is the concentration of a beta distribution: below 2, most are very clear or very unclear.
MEAN_CLARITY: Final = {
    "brief": (0.48, 0.85, 0.95, 0.70, 0.52, 0.96),
    "small": (0.97, 0.72, 0.65, 0.70, 0.96, 0.77),
    "expert": (0.63, 0.73, 0.69, 0.49, 0.48, 0.78),
}
CLARITY_CONCENTRATION: Final = {"brief": 1.5, "small": 1.3, "expert": 2.0}
LEAST_CLARITY: Final = 0.36
RIVAL_SHARE: Final = 0.75  # share of the rest that one other class takes, as long as it stays below the main one

# Real: how many experts vote on an EEG, out of 2,209.
EXPERT_PANEL_SIZES: Final = {10: 42, 11: 112, 12: 268, 13: 415, 14: 243, 15: 549, 16: 207, 17: 108, 18: 118} | {
    19: 27, 20: 80, 21: 21, 22: 12, 23: 3, 24: 1, 25: 1, 26: 2, 27: 1, 28: 1
}  # fmt: skip
TWO_MEMBERS_SHARE: Final = 0.355  # real: share of the brief panels that have two members
MORE_VOTES_CHANCE: Final = {False: 0.40, True: 0.03}  # chance of one to four more votes after three that agree or not
MORE_VOTES_SHARES: Final = (0.43, 0.46, 0.10, 0.01)
POOLS: Final = {"crowd": 120, "expert": 40}  # raters of each population


@dataclass(frozen=True)
class Raters:
    """A population: each rater's leaning to each class, and the share of a pattern that each takes for another one."""

    leaning: npt.NDArray[np.float64]  # (raters, 6), added to the log of what is there
    confusion: npt.NDArray[np.float64]  # (raters,)

    def vote(self, mixture: Sequence[float], count: int, rng: np.random.Generator) -> list[int]:
        """The class that each of `count` different raters names: the largest of evidence, leaning and chance."""
        who = rng.permutation(len(self.leaning))[:count]
        share = self.confusion[who, None]
        seen = (1 - share) * np.asarray(mixture) + share * (np.asarray(mixture) @ _CONFUSION)  # (count, 6)
        scores = np.log(seen + 1e-4) + self.leaning[who] + rng.gumbel(size=seen.shape)
        return [int(name) for name in scores.argmax(axis=1)]


def draw_raters(rng: np.random.Generator) -> Mapping[str, Raters]:
    """The raters of one data set: a crowd and experts, who differ in leanings, mostly in when they call it "other"."""
    pools = {}
    for name, count in POOLS.items():
        leaning = rng.normal(0, 0.3, (count, len(CLASSES)))
        leaning[:, CLASSES.index("other")] += rng.normal(0, 0.3, count)
        pools[name] = Raters(leaning - leaning.mean(axis=0), rng.beta(1, 99, count))
    return pools


def choose_panel(kind: str | None, leaning: float) -> str:
    """One of PANELS for an EEG of class `kind`; `leaning` in [0, 1] is where its patient stands in their order.

    Experts saw few seizures; with None as the class each class meets each panel equally often.
    """
    shares = (_COUNTS.sum(axis=1) if kind is None else _COUNTS[:, CLASSES.index(kind)]).cumsum()
    return PANELS[int(np.searchsorted(shares / shares[-1], min(leaning, 1 - 1e-9), side="right"))]


def draw_mixture(kind: str, panel: str, rng: np.random.Generator) -> Mixture:
    """How much of each class a stretch of `kind` holds: a clear one mostly `kind`, an unclear one half of a rival."""
    mean = (MEAN_CLARITY[panel][CLASSES.index(kind)] - LEAST_CLARITY) / (1 - LEAST_CLARITY)
    clarity = LEAST_CLARITY + (1 - LEAST_CLARITY) * rng.beta(
        CLARITY_CONCENTRATION[panel] * mean, CLARITY_CONCENTRATION[panel] * (1 - mean)
    )
    rival = CLASSES.index(one_of(CONFUSIONS[kind], rng))
    mixture = (1 - clarity) * (1 - RIVAL_SHARE) * _CONFUSION[CLASSES.index(kind)]
    mixture[rival] = min(mixture[rival] + (1 - clarity) * RIVAL_SHARE, 0.95 * clarity)
    mixture[CLASSES.index(kind)] = clarity
    return tuple(float(share) for share in mixture / mixture.sum())


def draw_votes(mixture: Mixture, panel: str, raters: Mapping[str, Raters], rng: np.random.Generator) -> Votes:
    """Six counts: what a panel makes of a stretch; 1 to 7 or 10 to 28 in all."""
    if panel == "expert":
        sizes = np.array(list(EXPERT_PANEL_SIZES.values()), float)
        names = raters["expert"].vote(mixture, int(rng.choice(list(EXPERT_PANEL_SIZES), p=sizes / sizes.sum())), rng)
    elif panel == "brief":
        names = raters["crowd"].vote(mixture, 1 + int(rng.random() < TWO_MEMBERS_SHARE), rng)
    else:
        names = raters["crowd"].vote(mixture, 3 + len(MORE_VOTES_SHARES), rng)
        more = rng.random() < MORE_VOTES_CHANCE[len(set(names[:3])) == 1]
        names = names[: 3 + (int(rng.choice(len(MORE_VOTES_SHARES), p=MORE_VOTES_SHARES)) + 1 if more else 0)]
    return tuple(names.count(number) for number in range(len(CLASSES)))
