"""What happens in a recording besides its labelled moments: seizures that begin and end, patterns that come and go.

Every labelled stretch has a territory, halfway to its neighbours or to an end of the file, and its story is told
within. Kinds of story follow the ACNS critical care EEG terminology (2021),
https://doi.org/10.1097/WNP.0000000000000806; the chances are ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hbac.hms import CLASSES
from hbac.simulation.eeg import Episode
from hbac.simulation.primitives import one_of
from hbac.simulation.raters import CONFUSIONS, Weights, draw_weights

CLEAR_S: Final = 20.0  # nothing new begins nearer to a labelled stretch than this
SHORTEST_S: Final = 4.0  # of an episode

SEIZURE_S: Final = (75.0, 0.55)  # median length and spread of its log
SEIZURE_LIMITS_S: Final = (20.0, 300.0)
STATUS: Final = 0.12  # of the seizures do not stop
CONTINUOUS: Final = {"lpd": 0.65, "gpd": 0.7, "lrda": 0.25, "grda": 0.25}  # share that fills its territory
RUN_S: Final = {"lpd": (25.0, 120.0), "gpd": (25.0, 120.0), "lrda": (10.0, 45.0), "grda": (10.0, 45.0)}
PAUSE_S: Final = (10.0, 60.0)
COMPANION: Final = {  # what else the rest of such a territory may hold, and how often
    "seizure": ("lpd", 0.45),
    "lpd": ("lrda", 0.1),
    "gpd": ("grda", 0.3),
    "lrda": ("lpd", 0.35),
    "grda": ("gpd", 0.1),
}
ANOTHER_SEIZURE: Final = {"seizure": 0.35, "lpd": 0.15}  # chance of seizures in the rest of the territory
BRIEF: Final = 0.3  # chance of a short pattern somewhere in a territory labelled "other"


@dataclass(frozen=True)
class Stretch:
    """A labelled stretch, in seconds from the start of the spectrogram: one pattern over one or more windows."""

    start_s: float
    stop_s: float
    weights: Weights

    @property
    def kind(self) -> str:
        return CLASSES[int(np.argmax(self.weights))]


@dataclass(frozen=True)
class Span:
    """From when to when, in seconds from the start of the spectrogram."""

    start_s: float
    stop_s: float


def tell(stretches: Sequence[Stretch], length_s: float, rng: np.random.Generator) -> tuple[Episode, ...]:
    """All episodes of a recording, none overlapping: first the one of each stretch, in their order, then the rest."""
    borders = [(a.stop_s + b.start_s) / 2 for a, b in zip(stretches[:-1], stretches[1:])]
    labelled, others = [], []
    for stretch, lo, hi in zip(stretches, [0.0, *borders], [*borders, float(length_s)]):
        first, *rest = _STORIES[stretch.kind](stretch, Span(lo, hi), rng)
        labelled.append(first)
        others += rest
    return (*labelled, *others)


def _seizure(stretch: Stretch, land: Span, rng: np.random.Generator) -> list[Episode]:
    """One with an onset and an end, the labelled moment anywhere in it; perhaps others, and discharges between."""
    if rng.random() < STATUS:
        return [Episode(land.start_s, land.stop_s, stretch.weights)]
    spare = max(2.0, _seizure_length(rng) - (stretch.stop_s - stretch.start_s))
    before = spare * rng.random()
    main = _around(stretch, before, spare - before, land)
    return [main, *_rest(stretch, main, land, rng)]


def _pattern(stretch: Stretch, land: Span, rng: np.random.Generator) -> list[Episode]:
    """A periodic or rhythmic pattern: throughout, or in runs; or with another pattern before or after it."""
    other = _rest(stretch, _around(stretch, CLEAR_S, CLEAR_S, land), land, rng)
    if other:
        before, after = rng.uniform(2, CLEAR_S - 4, 2)
        return [_around(stretch, before, after, land), *other]
    if rng.random() < CONTINUOUS[stretch.kind]:
        return [Episode(land.start_s, land.stop_s, stretch.weights)]
    before, after = (rng.random() * rng.uniform(*RUN_S[stretch.kind]) for _ in range(2))
    main = _around(stretch, before, after, land)
    return [main, *(run for side in _sides(main, land, 10.0) for run in _runs(side, stretch.weights, rng))]


def _other(stretch: Stretch, land: Span, rng: np.random.Generator) -> list[Episode]:
    """Nothing but background over the territory, now and then with a brief pattern far from the labelled moment."""
    main = _around(stretch, CLEAR_S / 2, CLEAR_S / 2, land)
    room = [side for side in _sides(main, land, CLEAR_S) if side.stop_s - side.start_s > 30]
    if not room or rng.random() >= BRIEF:
        return [Episode(land.start_s, land.stop_s, stretch.weights)]
    side = room[int(rng.integers(len(room)))]
    start = float(rng.uniform(side.start_s, side.stop_s - 25))
    weights = draw_weights(one_of(CONFUSIONS["other"], rng), "expert", rng)
    return [main, Episode(start, start + float(rng.uniform(6, 25)), weights)]


_STORIES: Final[dict[str, Callable[[Stretch, Span, np.random.Generator], list[Episode]]]] = {
    "seizure": _seizure,
    "lpd": _pattern,
    "gpd": _pattern,
    "lrda": _pattern,
    "grda": _pattern,
    "other": _other,
}


def _rest(stretch: Stretch, main: Episode, land: Span, rng: np.random.Generator) -> list[Episode]:
    """What a territory holds before and after its main episode: nothing, seizures, or a companion of the pattern."""
    name, chance = COMPANION[stretch.kind]
    companion = draw_weights(name, "small", rng) if rng.random() < chance else None
    seizures = rng.random() < ANOTHER_SEIZURE.get(stretch.kind, 0)
    weights = stretch.weights if stretch.kind == "seizure" else draw_weights("seizure", "small", rng)
    episodes = []
    for side in _sides(main, land, 6.0):
        fits = _seizures(side, weights, rng) if seizures else []
        episodes += fits
        if companion:
            episodes += [run for gap in _between(side, fits) for run in _runs(gap, companion, rng, name)]
    return episodes


def _seizures(side: Span, weights: Weights, rng: np.random.Generator) -> list[Episode]:
    """Seizures one after the other, one to five minutes apart."""
    episodes, at = [], side.start_s + rng.uniform(20, 200)
    while (stop := at + _seizure_length(rng)) < side.stop_s - 10:
        episodes.append(Episode(float(at), float(stop), weights))
        at = stop + rng.uniform(60, 300)
    return episodes


def _runs(side: Span, weights: Weights, rng: np.random.Generator, kind: str | None = None) -> list[Episode]:
    """Runs of one pattern with pauses between them; one run over all of `side` where the pattern is continuous."""
    kind = kind or CLASSES[int(np.argmax(weights))]
    if side.stop_s - side.start_s < SHORTEST_S:
        return []
    if rng.random() < CONTINUOUS.get(kind, 0) / 2:
        return [Episode(side.start_s, side.stop_s, weights)]
    episodes, at = [], side.start_s + rng.uniform(0, PAUSE_S[1])
    while at + SHORTEST_S < side.stop_s:
        stop = min(side.stop_s, at + rng.uniform(*RUN_S.get(kind, RUN_S["grda"])))
        if stop - at >= SHORTEST_S:
            episodes.append(Episode(float(at), float(stop), weights))
        at = stop + rng.uniform(*PAUSE_S)
    return episodes


def _seizure_length(rng: np.random.Generator) -> float:
    median, spread = SEIZURE_S
    return float(np.clip(median * rng.lognormal(0, spread), *SEIZURE_LIMITS_S))


def _around(stretch: Stretch, before_s: float, after_s: float, land: Span) -> Episode:
    start, stop = max(land.start_s, stretch.start_s - before_s), min(land.stop_s, stretch.stop_s + after_s)
    return Episode(float(start), float(stop), stretch.weights)


def _sides(main: Episode, land: Span, away_s: float) -> list[Span]:
    """What is left of a territory before and after an episode, `away_s` from it."""
    sides = (Span(land.start_s, main.start_s - away_s), Span(main.stop_s + away_s, land.stop_s))
    return [side for side in sides if side.stop_s - side.start_s > SHORTEST_S]


def _between(side: Span, episodes: Sequence[Episode]) -> list[Span]:
    starts = [side.start_s, *(episode.stop_s + 5 for episode in episodes)]
    stops = [*(episode.start_s - 5 for episode in episodes), side.stop_s]
    return [Span(start, stop) for start, stop in zip(starts, stops)]
