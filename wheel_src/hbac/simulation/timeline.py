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
from hbac.simulation.patient import Mixture
from hbac.simulation.primitives import one_of
from hbac.simulation.raters import CONFUSIONS, draw_mixture

LABEL_MARGIN_S: Final = 20.0  # nothing new begins nearer to a labelled stretch than this
MIN_EPISODE_S: Final = 4.0

SEIZURE_MEDIAN_S: Final = 75.0
SEIZURE_LOG_SPREAD: Final = 0.55
SEIZURE_LIMITS_S: Final = (20.0, 300.0)
UNENDING_SEIZURE_CHANCE: Final = 0.12  # of a seizure that does not stop (status epilepticus)
CONTINUOUS_CHANCE: Final = {"lpd": 0.65, "gpd": 0.7, "lrda": 0.25, "grda": 0.25}  # share that fills its territory
RUN_S: Final = {"lpd": (25.0, 120.0), "gpd": (25.0, 120.0), "lrda": (10.0, 45.0), "grda": (10.0, 45.0)}
RUN_PAUSE_S: Final = (10.0, 60.0)
COMPANIONS: Final = {  # what else the rest of such a territory may hold, and how often
    "seizure": ("lpd", 0.45),
    "lpd": ("lrda", 0.1),
    "gpd": ("grda", 0.3),
    "lrda": ("lpd", 0.35),
    "grda": ("gpd", 0.1),
}
ANOTHER_SEIZURE_CHANCE: Final = {"seizure": 0.35, "lpd": 0.15}  # chance of seizures in the rest of the territory
BRIEF_PATTERN_CHANCE: Final = 0.3  # chance of a short pattern somewhere in a territory labelled "other"


@dataclass(frozen=True)
class Stretch:
    """A labelled stretch, in seconds from the start of the spectrogram: one pattern over one or more windows."""

    start_s: float
    stop_s: float
    mixture: Mixture

    @property
    def kind(self) -> str:
        return CLASSES[int(np.argmax(self.mixture))]


@dataclass(frozen=True)
class Span:
    """From when to when, in seconds from the start of the spectrogram."""

    start_s: float
    stop_s: float


def draw_episodes(stretches: Sequence[Stretch], length_s: float, rng: np.random.Generator) -> tuple[Episode, ...]:
    """All episodes of a recording, none overlapping: first the one of each stretch, in their order, then the rest."""
    borders = [(a.stop_s + b.start_s) / 2 for a, b in zip(stretches[:-1], stretches[1:])]
    labelled, others = [], []
    for stretch, lo, hi in zip(stretches, [0.0, *borders], [*borders, float(length_s)]):
        first, *rest = _STORIES[stretch.kind](stretch, Span(lo, hi), rng)
        labelled.append(first)
        others += rest
    return (*labelled, *others)


def _seizure(stretch: Stretch, territory: Span, rng: np.random.Generator) -> list[Episode]:
    """One with an onset and an end, the labelled moment anywhere in it; perhaps others, and discharges between."""
    if rng.random() < UNENDING_SEIZURE_CHANCE:
        return [Episode(territory.start_s, territory.stop_s, stretch.mixture)]
    spare = max(2.0, seizure_length_s(rng) - (stretch.stop_s - stretch.start_s))
    before = spare * rng.random()
    main = _around(stretch, before, spare - before, territory)
    return [main, *_rest(stretch, main, territory, rng)]


def _pattern(stretch: Stretch, territory: Span, rng: np.random.Generator) -> list[Episode]:
    """A periodic or rhythmic pattern: throughout, or in runs; or with another pattern before or after it."""
    other = _rest(stretch, _around(stretch, LABEL_MARGIN_S, LABEL_MARGIN_S, territory), territory, rng)
    if other:
        before, after = rng.uniform(2, LABEL_MARGIN_S - 4, 2)
        return [_around(stretch, before, after, territory), *other]
    if rng.random() < CONTINUOUS_CHANCE[stretch.kind]:
        return [Episode(territory.start_s, territory.stop_s, stretch.mixture)]
    before, after = (rng.random() * rng.uniform(*RUN_S[stretch.kind]) for _ in range(2))
    main = _around(stretch, before, after, territory)
    return [
        main,
        *(run for side in _sides(main, territory, 10.0) for run in runs_of_pattern(side, stretch.mixture, rng)),
    ]


def _other(stretch: Stretch, territory: Span, rng: np.random.Generator) -> list[Episode]:
    """Nothing but background over the territory, now and then with a brief pattern far from the labelled moment."""
    main = _around(stretch, LABEL_MARGIN_S / 2, LABEL_MARGIN_S / 2, territory)
    room = [side for side in _sides(main, territory, LABEL_MARGIN_S) if side.stop_s - side.start_s > 30]
    if not room or rng.random() >= BRIEF_PATTERN_CHANCE:
        return [Episode(territory.start_s, territory.stop_s, stretch.mixture)]
    side = room[int(rng.integers(len(room)))]
    start = float(rng.uniform(side.start_s, side.stop_s - 25))
    mixture = draw_mixture(one_of(CONFUSIONS["other"], rng), "expert", rng)
    return [main, Episode(start, start + float(rng.uniform(6, 25)), mixture)]


_STORIES: Final[dict[str, Callable[[Stretch, Span, np.random.Generator], list[Episode]]]] = {
    "seizure": _seizure,
    "lpd": _pattern,
    "gpd": _pattern,
    "lrda": _pattern,
    "grda": _pattern,
    "other": _other,
}


def _rest(stretch: Stretch, main: Episode, territory: Span, rng: np.random.Generator) -> list[Episode]:
    """What a territory holds before and after its main episode: nothing, seizures, or a companion of the pattern."""
    name, chance = COMPANIONS[stretch.kind]
    companion = draw_mixture(name, "small", rng) if rng.random() < chance else None
    seizures = rng.random() < ANOTHER_SEIZURE_CHANCE.get(stretch.kind, 0)
    mixture = stretch.mixture if stretch.kind == "seizure" else draw_mixture("seizure", "small", rng)
    episodes = []
    for side in _sides(main, territory, 6.0):
        fits = _seizures(side, mixture, rng) if seizures else []
        episodes += fits
        if companion:
            episodes += [run for gap in _between(side, fits) for run in runs_of_pattern(gap, companion, rng, name)]
    return episodes


def _seizures(side: Span, mixture: Mixture, rng: np.random.Generator) -> list[Episode]:
    """Seizures one after the other, one to five minutes apart."""
    episodes, at = [], side.start_s + rng.uniform(20, 200)
    while (stop := at + seizure_length_s(rng)) < side.stop_s - 10:
        episodes.append(Episode(float(at), float(stop), mixture))
        at = stop + rng.uniform(60, 300)
    return episodes


def runs_of_pattern(side: Span, mixture: Mixture, rng: np.random.Generator, kind: str | None = None) -> list[Episode]:
    """Runs of one pattern with pauses between them; one run over all of `side` where the pattern is continuous."""
    kind = kind or CLASSES[int(np.argmax(mixture))]
    if side.stop_s - side.start_s < MIN_EPISODE_S:
        return []
    if rng.random() < CONTINUOUS_CHANCE.get(kind, 0) / 2:
        return [Episode(side.start_s, side.stop_s, mixture)]
    episodes, at = [], side.start_s + rng.uniform(0, RUN_PAUSE_S[1])
    while at + MIN_EPISODE_S < side.stop_s:
        stop = min(side.stop_s, at + rng.uniform(*RUN_S.get(kind, RUN_S["grda"])))
        if stop - at >= MIN_EPISODE_S:
            episodes.append(Episode(float(at), float(stop), mixture))
        at = stop + rng.uniform(*RUN_PAUSE_S)
    return episodes


def seizure_length_s(rng: np.random.Generator) -> float:
    return float(np.clip(SEIZURE_MEDIAN_S * rng.lognormal(0, SEIZURE_LOG_SPREAD), *SEIZURE_LIMITS_S))


def _around(stretch: Stretch, before_s: float, after_s: float, territory: Span) -> Episode:
    start, stop = max(territory.start_s, stretch.start_s - before_s), min(territory.stop_s, stretch.stop_s + after_s)
    return Episode(float(start), float(stop), stretch.mixture)


def _sides(main: Episode, territory: Span, away_s: float) -> list[Span]:
    """What is left of a territory before and after an episode, `away_s` from it."""
    sides = (Span(territory.start_s, main.start_s - away_s), Span(main.stop_s + away_s, territory.stop_s))
    return [side for side in sides if side.stop_s - side.start_s > MIN_EPISODE_S]


def _between(side: Span, episodes: Sequence[Episode]) -> list[Span]:
    starts = [side.start_s, *(episode.stop_s + 5 for episode in episodes)]
    stops = [*(episode.start_s - 5 for episode in episodes), side.stop_s]
    return [Span(start, stop) for start, stop in zip(starts, stops)]
