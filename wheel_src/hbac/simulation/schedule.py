"""The plan of a simulated data set: who, which pattern when, which windows a panel labelled and how, what is missing.

Figures marked "real" were counted on 41,291 published rows of train.csv; long tails are cut so that files stay small.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from statistics import NormalDist
from typing import Final

import numpy as np

from hbac import hms
from hbac.simulation.eeg import Episode, Patient, draw_patient
from hbac.simulation.patient import Mixture
from hbac.simulation.primitives import one_of
from hbac.simulation.raters import (
    CLASS_SHARES,
    CONFUSIONS,
    PANELS,
    Raters,
    Votes,
    choose_panel,
    draw_mixture,
    draw_raters,
    draw_votes,
)
from hbac.simulation.timeline import Stretch, draw_episodes

LEAD_S: Final = 5  # simulated before a file's first second and after its last; odd, as row r is centred on 2r + 1
MIDDLE_S: Final = hms.SPECTROGRAM_WINDOW_S // 2  # the labelled moment, in seconds from a spectrogram window's start
LABEL_S: Final = 10  # its length
SPLITS: Final = ("train", "test")  # the place in this tuple is part of every seed
GOLDEN_SHARE: Final = (5**0.5 - 1) / 2  # steps of this share of a circle spread any number of points evenly over it

# Chance of 1, 2 ... recordings a patient; real: up to 45.
RECORDING_COUNT_SHARES: Final = (0.36, 0.23, 0.13, 0.09, 0.07, 0.05, 0.04, 0.03)
EEG_COUNT_SHARES: Final = (0.75, 0.14, 0.06, 0.03, 0.02)  # chance of 1, 2 ... a recording; real mean 1.53
# Chance that a recording is of its patient's main class, by that class.
MAIN_CLASS_CHANCE: Final = (0.86, 0.86, 0.86, 0.60, 0.82, 0.86)
RECORDING_CLASS_CHANCE: Final = 0.93  # chance that an EEG is of its recording's class
PANEL_CORRELATION: Final = 0.75  # correlation of the kinds of panel that a patient's EEGs meet

MEDIAN_WINDOWS: Final = (6.5, 5.3, 5.5, 13.0, 6.0, 2.4)  # real: median number of labelled windows by class, and
WINDOWS_LOG_SPREAD: Final = 0.95  # the spread of its log, in panels of 3 or more
BRIEF_PANEL_MANY_CHANCE: Final = 0.13  # chance of as many in a panel of one or two; otherwise one window
MAX_WINDOWS: Final = 80  # real: 743
# Real: median of an EEG's mean step between windows, by class.
MEDIAN_STEP_S: Final = (6.6, 4.5, 3.0, 2.6, 3.6, 5.4)
STEP_LOG_SPREAD: Final = 0.6  # of the log of that mean step
MAX_STEP_S: Final = 48
MAX_LABELLED_S: Final = 240  # from an EEG's first window to its last; real: 1 % have more, up to 3,372
EEG_PAUSE_S: Final = (50, 130.0, 350.0)  # between two EEGs: at least, mean of what comes on top, and its most
ODD_START_CHANCE: Final = 0.03  # chance that an EEG but the first starts at an odd second; real: 1.5 % of the rows
PANEL_CHANGE_PER_S2: Final = 0.0018  # chance of another panel a window later, for each square second of the step
PANEL_CHANGE_MAX: Final = 0.23
PATTERN_CHANGE_SHARE: Final = 0.22  # of these, another pattern has begun


@dataclass(frozen=True)
class Eeg:
    """One EEG file: where it starts, which of its windows were labelled, what is in them, and the panel's votes."""

    eeg_id: int
    start_s: int  # offset of its first window in the spectrogram file
    offsets_s: tuple[int, ...]  # of the labelled windows, from that start
    mixtures: tuple[Mixture, ...]  # what the signal holds at each one's labelled moment: six shares
    votes: tuple[Votes, ...]  # six counts for each
    label_ids: tuple[int, ...] = ()  # likewise one each

    @property
    def length_s(self) -> int:
        return self.offsets_s[-1] + hms.EEG_WINDOW_S


@dataclass(frozen=True)
class Recording:
    """One spectrogram file with its EEG files; times are seconds from the start of the spectrogram."""

    split: str
    spectrogram_id: int
    patient_id: int
    patient: Patient
    eegs: tuple[Eeg, ...]
    episodes: tuple[Episode, ...]
    gaps_s: tuple[tuple[float, float], ...]
    seed: np.random.SeedSequence

    @property
    def length_s(self) -> int:
        last = self.eegs[-1]
        return hms.SPECTROGRAM_WINDOW_S + (last.start_s + last.offsets_s[-1]) // 2 * 2


@dataclass(frozen=True)
class _Habits:
    """What a patient's recordings have in common in the plan."""

    split: str
    rest: Mapping[str, float]  # classes of the recordings that are not of the main one
    overall: Mapping[str, float]  # classes of the EEGs that are not of their recording's
    main: str
    panels: float  # standard normal: which kind of panel its EEGs meet
    raters: Mapping[str, Raters]
    single: bool  # one recording with one EEG
    balanced: bool  # each class meets each panel equally often


def plan(patients: int, test_records: int, seed: int, balanced: bool = False, single: bool = False) -> list[Recording]:
    """All recordings of a data set, without their signals; the training ones do not depend on `test_records`.

    Classes follow the real table, or with `balanced` go round patient by patient. With `single`, training patients have
    one EEG each, as those of the test split always have.
    """
    taken: set[int] = set()
    recordings: list[Recording] = []
    raters = draw_raters(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(SPLITS),))))
    for split, count in zip(SPLITS, (patients, test_records)):
        mains = _main_classes(split, count, seed, balanced)
        planned = [
            _plan_patient(split, index, seed, main, balanced, single or split == "test", raters)
            for index, main in enumerate(mains)
        ]
        recordings += _with_ids(planned, np.random.default_rng(_seed(seed, split)), taken)
    return recordings


def _seed(seed: int, split: str, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), *key))


def _main_classes(split: str, count: int, seed: int, balanced: bool) -> list[str]:
    """The main class of each patient: any number of them is spread over the classes as evenly as it can be."""
    if balanced:
        blocks = range(-(-count // len(hms.CLASSES)))
        order = [np.random.default_rng(_seed(seed, split, 0, block)).permutation(hms.CLASSES) for block in blocks]
        return [str(name) for block in order for name in block][:count]
    at = (np.random.default_rng(_seed(seed, split, 0)).random() + GOLDEN_SHARE * np.arange(count)) % 1
    return [hms.CLASSES[number] for number in np.searchsorted(np.cumsum(CLASS_SHARES)[:-1], at, side="right")]


def _plan_patient(
    split: str, index: int, seed: int, main: str, balanced: bool, single: bool, raters: Mapping[str, Raters]
) -> list[Recording]:
    """The recordings of one patient: mostly of the main class, some of others."""
    rng = np.random.default_rng(_seed(seed, split, 1, index))
    patient = draw_patient(rng, lateralised=main in ("lpd", "lrda"))
    habits = _Habits(split, *_shares(balanced), main, float(rng.normal()), raters, single, balanced)
    count = 1 if single else 1 + _count(RECORDING_COUNT_SHARES, rng)
    loyal = [single or rng.random() < MAIN_CLASS_CHANCE[hms.CLASSES.index(main)] for _ in range(count)]
    kinds = [main if same else one_of(habits.rest, rng) for same in loyal]
    return [
        _plan_recording(kind, habits, patient, rng, _seed(seed, split, 2, index, at)) for at, kind in enumerate(kinds)
    ]


def _shares(balanced: bool) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Of the disloyal recordings and EEGs, such that all together have the real shares, or with `balanced` even ones."""
    overall = np.full(len(hms.CLASSES), 1 / len(hms.CLASSES)) if balanced else np.array(CLASS_SHARES)
    rest = overall * (1 - np.array(MAIN_CLASS_CHANCE))
    return dict(zip(hms.CLASSES, (rest / rest.sum()).tolist())), dict(zip(hms.CLASSES, overall.tolist()))


def _count(chances: Sequence[float], rng: np.random.Generator) -> int:
    return int(rng.choice(len(chances), p=chances))


def _plan_recording(
    kind: str, habits: _Habits, patient: Patient, rng: np.random.Generator, seed: np.random.SeedSequence
) -> Recording:
    """EEGs one after the other, what their panels labelled, and the story around it."""
    eegs: list[Eeg] = []
    start = 0
    for _ in range(1 if habits.single else 1 + _count(EEG_COUNT_SHARES, rng)):
        loyal = habits.single or rng.random() < RECORDING_CLASS_CHANCE
        eegs.append(_plan_eeg(kind if loyal else one_of(habits.overall, rng), start, habits, rng))
        least, mean, most = EEG_PAUSE_S
        pause = least + min(rng.exponential(mean), most)
        start += eegs[-1].offsets_s[-1] + 2 * round(pause / 2) + int(rng.random() < ODD_START_CHANCE)
    recording = Recording(habits.split, 0, 0, patient, tuple(eegs), (), (), seed)
    episodes = draw_episodes([stretch for eeg in eegs for stretch in _stretches(eeg)], recording.length_s, rng)
    return replace(recording, episodes=episodes, gaps_s=_gaps(recording, rng))


def _plan_eeg(kind: str, start_s: int, habits: _Habits, rng: np.random.Generator) -> Eeg:
    """The labelled windows of one EEG: mostly one panel speaks for all of them."""
    panel = _draw_panel(kind, habits, rng)
    offsets = (0,) if habits.split == "test" else _label_offsets(kind, panel, rng)
    now = draw_mixture(kind, panel, rng)
    mixtures, votes = [now], [draw_votes(now, panel, habits.raters, rng)]
    for step in np.diff(offsets).tolist():
        changed = rng.random() < min(PANEL_CHANGE_PER_S2 * step**2, PANEL_CHANGE_MAX)
        if changed:
            panel = _draw_panel(kind, habits, rng)
        if changed and rng.random() < PATTERN_CHANGE_SHARE:
            kind = one_of(CONFUSIONS[kind], rng)
            now = draw_mixture(kind, panel, rng)
        mixtures.append(now)
        votes.append(draw_votes(now, panel, habits.raters, rng) if changed else votes[-1])
    return Eeg(0, start_s, offsets, tuple(mixtures), tuple(votes))


def _draw_panel(kind: str, habits: _Habits, rng: np.random.Generator) -> str:
    here = PANEL_CORRELATION * habits.panels + (1 - PANEL_CORRELATION**2) ** 0.5 * rng.normal()
    return choose_panel(None if habits.balanced else kind, NormalDist().cdf(here))


def _label_offsets(kind: str, panel: str, rng: np.random.Generator) -> tuple[int, ...]:
    """The first window at 0, then even steps, small ones where the EEG has many."""
    number = hms.CLASSES.index(kind)
    many = panel != PANELS[0] or rng.random() < BRIEF_PANEL_MANY_CHANCE
    rows = round(MEDIAN_WINDOWS[number] * rng.lognormal(0, WINDOWS_LOG_SPREAD)) if many else 1
    mean_s = max(2.3, MEDIAN_STEP_S[number] * rng.lognormal(0, STEP_LOG_SPREAD))
    steps = 2 * rng.geometric(2 / mean_s, min(MAX_WINDOWS, max(1, rows)) - 1)
    offsets = accumulate((0, *np.minimum(steps, MAX_STEP_S).tolist()))
    return tuple(offset for offset in offsets if offset <= MAX_LABELLED_S)


def _stretches(eeg: Eeg) -> Iterable[Stretch]:
    """Windows that follow each other with the same pattern, from the first labelled second to the last."""
    middles = [eeg.start_s + MIDDLE_S + offset for offset in eeg.offsets_s]
    for mixture, group in groupby(zip(eeg.mixtures, middles), key=lambda pair: pair[0]):
        at = [middle for _, middle in group]
        yield Stretch(at[0] - LABEL_S / 2, at[-1] + LABEL_S / 2, mixture)


def _gaps(recording: Recording, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """Where nothing was recorded: mostly a block at an edge, seldom as far as the EEG; seldom a short one inside."""
    eeg_start = recording.eegs[0].start_s + hms.EEG_START_IN_SPECTROGRAM_S
    last = recording.eegs[-1]
    eeg_stop = last.start_s + hms.EEG_START_IN_SPECTROGRAM_S + last.length_s
    gaps: list[tuple[float, float]] = []
    if rng.random() < 0.095:
        reach = rng.uniform(0.2, 8) if rng.random() < 0.25 else -rng.uniform(5, 250)  # into the EEG, or away from it
        at_start = rng.random() < 0.5
        gaps.append((-LEAD_S, eeg_start + reach) if at_start else (eeg_stop - reach, recording.length_s + LEAD_S))
    if rng.random() < 0.03:  # somewhere before the EEGs or after them
        length = float(np.clip(rng.lognormal(2, 1), 1, 60))
        at_start = rng.random() < 0.5
        lo, hi = (5.0, eeg_start - 5.0) if at_start else (eeg_stop + 5.0, recording.length_s - 5.0)
        start = float(rng.uniform(lo, hi - length))
        gaps.append((start, start + length))
    if rng.random() < 0.017:
        inside = eeg_start + rng.uniform(2, 15)
        gaps.append((inside, inside + rng.uniform(0.3, 4)))
    return tuple((float(start), float(stop)) for start, stop in gaps)


def _with_ids(
    patients: Sequence[Sequence[Recording]], rng: np.random.Generator, taken: set[int]
) -> Iterable[Recording]:
    """The same recordings with ids that look like the competition's; no id serves twice."""
    for recordings in patients:
        patient_id = _new_id(2**16, rng, taken)
        for recording in recordings:
            spectrogram_id = _new_id(2**31, rng, taken)
            eegs = tuple(_eeg_with_ids(eeg, rng, taken) for eeg in recording.eegs)
            yield replace(recording, patient_id=patient_id, spectrogram_id=spectrogram_id, eegs=eegs)


def _eeg_with_ids(eeg: Eeg, rng: np.random.Generator, taken: set[int]) -> Eeg:
    label_ids = tuple(_new_id(2**32, rng, taken) for _ in eeg.offsets_s)
    return replace(eeg, eeg_id=_new_id(2**32, rng, taken), label_ids=label_ids)


def _new_id(below: int, rng: np.random.Generator, taken: set[int]) -> int:
    while (number := int(rng.integers(1, below))) in taken:
        pass
    taken.add(number)
    return number
