"""The brain without the five patterns: 1/f noise, its rhythms, its states over minutes, slowing, suppression.

Amplitudes follow the patient's own level, so that what is large on a quiet background is not lost on a loud one.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac.hms import EEG_RATE_HZ
from hbac.preprocessing.montage import FIRST, SECOND
from hbac.simulation.patient import Patient
from hbac.simulation.primitives import coloured, smooth, wander
from hbac.simulation.scalp import FRONTNESS, PLACES, Array, Source, field_of, mixing, near_to, place_of

CROSSOVER_HZ: Final = 9.0  # slow activity below, fast activity above: each has its own sources and its own course
BROAD_SOURCES: Final = 9
MEAN_OVER_MEDIAN: Final = 0.5  # log of the mean power over the pairs less the median of its log, measured


@dataclass(frozen=True)
class State:
    """What a state does to the background: natural logs of two amplitudes, and three shares of 0 to 1."""

    slow: float
    fast: float
    alpha: float  # of the posterior rhythm
    sleep: float  # spindles, vertex waves, K complexes
    awake: float  # eyes open and moving


STATES: Final = {
    "wake": State(0.0, 0.0, 1.0, 0.0, 1.0),
    "drowsy": State(0.05, -0.1, 0.25, 0.15, 0.3),
    "light sleep": State(0.3, -0.2, 0.0, 1.0, 0.0),
    "deep sleep": State(0.5, -0.3, 0.0, 0.5, 0.0),
    "arousal": State(0.2, 0.4, 0.4, 0.0, 0.5),
    "slow": State(0.0, -0.1, 0.05, 0.0, 0.05),
    "attenuated": State(-0.5, -0.3, 0.0, 0.0, 0.0),
    "sedated": State(-0.1, 0.3, 0.0, 0.25, 0.0),
}
# How likely each state is and how long it lasts in seconds, by vigilance.
SEQUENCES: Final = {
    "awake": {"wake": (0.75, 120), "drowsy": (0.25, 30)},
    "drowsy": {"wake": (0.35, 40), "drowsy": (0.4, 60), "light sleep": (0.15, 60), "arousal": (0.1, 8)},
    "asleep": {"light sleep": (0.5, 90), "deep sleep": (0.25, 150), "drowsy": (0.1, 30), "arousal": (0.15, 8)},
    "encephalopathic": {"slow": (0.75, 250), "attenuated": (0.1, 20), "arousal": (0.15, 20)},
    "sedated": {"sedated": (0.8, 300), "attenuated": (0.2, 30)},
    "discontinuous": {"slow": (0.7, 120), "attenuated": (0.3, 60)},
    "suppressed": {"slow": (0.3, 100), "sedated": (0.7, 300)},
}
# Burst suppression: mean length of a burst and of a gap in seconds, and the range of the amplitude left in a gap.
SUPPRESSION: Final = {"discontinuous": (5.0, 3.0, (0.05, 0.55)), "suppressed": (2.0, 6.0, (0.04, 0.3))}


@dataclass(frozen=True)
class StateLevels:
    """The states over time: amplitude factors and shares, (samples,) float32 each."""

    slow: Array
    fast: Array
    alpha: Array
    sleep: Array
    awake: Array


def draw_states(samples: int, vigilance: str, rng: np.random.Generator) -> StateLevels:
    """States one after the other, each change taking about 3 s."""
    choices = SEQUENCES[vigilance]
    shares = np.array([share for share, _ in choices.values()])
    levels = np.zeros((5, samples), np.float32)
    start = 0
    while start < samples:
        name = str(rng.choice(list(choices), p=shares / shares.sum()))
        stop = start + int(choices[name][1] * rng.lognormal(0, 0.7) * EEG_RATE_HZ) + EEG_RATE_HZ
        state = STATES[name]
        levels[:, start:stop] = np.array([state.slow, state.fast, state.alpha, state.sleep, state.awake])[:, None]
        start = stop
    slow, fast, alpha, sleep, awake = (smooth(level, 3.0) for level in levels)
    return StateLevels(np.exp(slow), np.exp(fast), alpha, sleep, awake)


def background(samples: int, patient: Patient, states: StateLevels, rng: np.random.Generator) -> Array:
    """(19, samples) microvolts: everything that goes on all the time."""
    slow = aperiodic(samples, patient, rng, slow=True)
    slow += _rhythms(samples, patient, states, ("theta",), rng)
    if patient.focal_slowing:
        slow += focal_slowing(samples, patient, rng)
    slow *= states.slow * np.exp(0.2 * wander(samples, 20, rng) + rng.uniform(0, 0.35) * wander(samples, 2, rng))
    fast = aperiodic(samples, patient, rng, slow=False) + _rhythms(samples, patient, states, ("beta",), rng)
    fast *= states.fast * np.exp(0.2 * wander(samples, 15, rng) + 0.15 * wander(samples, 1.5, rng))
    fast *= (1 - 0.4 * min(1.0, patient.focal_slowing) * field_of(_focus(patient, 0.7)))[:, None]
    eeg = slow + fast + _rhythms(samples, patient, states, ("alpha", "mu"), rng)
    if patient.breach:
        eeg += _breach(samples, patient, rng)
    if patient.vigilance in SUPPRESSION:
        eeg *= continuity(samples, *SUPPRESSION[patient.vigilance], rng)
    return eeg


def aperiodic(samples: int, patient: Patient, rng: np.random.Generator, slow: bool) -> Array:
    """(19, samples): noise flat below the patient's knee, falling with the patient's slope above.

    The slow part (below about 9 Hz) comes from broad sources and travels from front to back; the fast part is local.
    """
    level = 2 * np.exp(patient.delta_log_power + MEAN_OVER_MEDIAN) * (patient.knee_hz**2 + 2**2) ** (patient.slope / 2)

    def power(hz: npt.NDArray[Any]) -> npt.NDArray[Any]:
        share = 1 / (1 + (hz / CROSSOVER_HZ) ** 6)
        whole = level / (patient.knee_hz**2 + hz**2) ** (patient.slope / 2)
        result: npt.NDArray[Any] = whole * (share if slow else 1 - share) * (hz > 0.1) * (1 + 0.1 / np.maximum(hz, 0.1))
        return result

    local = [Source(p, float(rng.uniform(*((0.25, 0.4) if slow else (0.18, 0.32))))) for p in PLACES]
    gain = rng.uniform(1.8, 5.0) if slow else rng.uniform(0.3, 1.8)
    broad = [Source(near_to(place_of("Cz"), 1.2, rng), rng.uniform(0.8, 1.3), gain) for _ in range(BROAD_SOURCES)]
    fields = _unit_in_pairs(mixing(local + broad) * _regions(patient if slow else None, rng)[:, None])
    lags = rng.uniform(0, 0.07) * (1 - FRONTNESS) / 2 if slow else None
    below = 2.2 * CROSSOVER_HZ if slow else EEG_RATE_HZ / 2
    return coloured(power, fields.shape[1], samples, rng, below, fields, lags)


def _regions(patient: Patient | None, rng: np.random.Generator) -> Array:
    """(19,) amplitude factors, smooth over the head: some regions louder, the front by the patient's `frontal`."""
    places = [near_to(place_of("Cz"), 1.2, rng) for _ in range(5)]
    log = np.zeros(len(PLACES))
    for p in places:
        here, mirrored = field_of(Source(p, 0.6)), field_of(Source(p * [-1, 1, 1], 0.6))
        log += rng.normal(0, 0.25) * (here + mirrored) + rng.normal(0, 0.1) * (here - mirrored)
    if patient is not None:
        log = log + patient.frontal * np.clip(FRONTNESS, -0.3, 1) - 0.6 * (PLACES[:, 2] > 0.6)
    return np.exp(np.clip(log, -0.8, 0.8)).astype(np.float32)


def _unit_in_pairs(fields: Array) -> Array:
    """Fields (19, sources) scaled so that unit noise in every source has unit mean power in bipolar pairs."""
    result: Array = fields / np.sqrt(((fields[FIRST] - fields[SECOND]) ** 2).sum(axis=1).mean())
    return result


@dataclass(frozen=True)
class _Rhythm:
    places: tuple[str, ...]
    spread_rad: float
    width_hz: float
    wax_s: float


_RHYTHMS: Final = {
    "theta": _Rhythm(("F3", "C3", "P3", "T3"), 0.4, 1.2, 8.0),
    "alpha": _Rhythm(("O1", "P3", "T5"), 0.4, 0.7, 2.0),
    "mu": _Rhythm(("C3",), 0.4, 0.8, 2.0),
    "beta": _Rhythm(("Fp1", "F3", "C3"), 0.5, 3.5, 5.0),
}


def _rhythms(
    samples: int, patient: Patient, states: StateLevels, names: tuple[str, ...], rng: np.random.Generator
) -> Array | float:
    """The rhythms of these names that the patient has, each waxing and waning, or 0."""
    total: Array | float = 0.0
    centres = {"theta": 5.5, "alpha": patient.alpha_hz, "mu": patient.alpha_hz + 1, "beta": rng.uniform(15, 25)}
    for name in names:
        gain, kind = getattr(patient, name), _RHYTHMS[name]
        if gain < 0.1:
            continue
        sources = [Source(place_of(p, side), kind.spread_rad) for p in kind.places for side in (-1, 1)]
        power = gain**2 * 4 * np.exp(patient.delta_log_power - (3.0 if name == "beta" else 1.5))
        peak = partial(_peak, power=power, centre_hz=centres[name], width_hz=kind.width_hz)
        below = centres[name] + 4 * kind.width_hz
        gate = np.exp(0.5 * wander(samples, kind.wax_s, rng)) * (states.alpha if name in ("alpha", "mu") else 1)
        total = total + coloured(peak, len(sources), samples, rng, below, mixing(sources)) * gate.astype(np.float32)
    return total


def _peak(hz: npt.NDArray[Any], power: float, centre_hz: float, width_hz: float) -> npt.NDArray[Any]:
    result: npt.NDArray[Any] = power * np.exp(-0.5 * ((hz - centre_hz) / width_hz) ** 2)
    return result


def _focus(patient: Patient, spread_rad: float) -> Source:
    return Source(place_of(patient.focus, patient.side), spread_rad)


def focal_slowing(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    """(19, samples): polymorphic delta of 0.5 to 4 Hz over the focus and around it, coming and going."""
    top = rng.uniform(0.5, 2.0)
    power = partial(
        _peak, power=8 * patient.focal_slowing**2 * np.exp(patient.delta_log_power), centre_hz=top, width_hz=0.9
    )
    focus = _focus(patient, 0.6).place
    sources = [Source(focus, 0.6, 1.3), *(Source(near_to(focus, 0.5, rng), 0.5, 0.8) for _ in range(3))]
    result: Array = coloured(power, 4, samples, rng, top + 4, mixing(sources)) * np.exp(0.4 * wander(samples, 6, rng))
    return result


def _breach(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    """(19, samples): alpha to beta over a skull defect, large, sharp and local."""
    power = partial(
        _peak,
        power=3 * patient.breach**2 * np.exp(patient.delta_log_power - 1.5),
        centre_hz=rng.uniform(7, 12),
        width_hz=2.5,
    )
    fast = partial(_peak, power=patient.breach**2 * np.exp(patient.delta_log_power - 2.5), centre_hz=20.0, width_hz=6.0)
    focus = _focus(patient, 0.3).place
    sources = mixing([Source(near_to(focus, 0.2, rng), 0.3) for _ in range(3)])
    wave = coloured(lambda hz: power(hz) + fast(hz), 3, samples, rng, 45.0, sources)
    result: Array = wave * np.exp(0.4 * wander(samples, 1.5, rng))
    return result


def continuity(
    samples: int, burst_s: float, gap_s: float, left: tuple[float, float], rng: np.random.Generator
) -> Array:
    """(samples,) factor on the background: bursts near 1 (some larger), and gaps with a share of the amplitude."""
    count = int(samples / EEG_RATE_HZ / (burst_s + gap_s) * 3) + 3
    lengths = np.stack([rng.gamma(2, burst_s / 2, count), rng.gamma(2, gap_s / 2, count)], axis=1).ravel() + 0.3
    levels = np.stack([rng.uniform(0.7, 1.6, count), np.full(count, rng.uniform(*left))], axis=1).ravel()
    bounds = np.cumsum(lengths) - rng.uniform(0, burst_s + gap_s)
    at = np.searchsorted(bounds, np.arange(samples) / EEG_RATE_HZ)
    return smooth(levels[np.minimum(at, 2 * count - 1)].astype(np.float32), 0.35)
