"""The five patterns as waves over the head: periodic discharges, rhythmic delta, seizures.

Each function returns (19, samples) float32 with a peak near 1 where the pattern is strongest. An `Event` says what is
asked for as shares between the classes, so that what raters disagree about lies between the patterns and is not two
of them on top of each other. `rng` draws what differs from one episode to the next, `same` what all episodes of a
recording share: where, which shape, how fast.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from hbac.hms import EEG_RATE_HZ
from hbac.simulation.patient import Patient
from hbac.simulation.primitives import (
    bumps,
    coloured,
    cycle,
    edges,
    harmonics,
    interpolated,
    periodic,
    pulse_train,
    rhythm,
    runs,
    seconds,
    smooth,
    wander,
)
from hbac.simulation.scalp import Array, Source, generalised, lateralised, near_to, over_head, place_of

Parts = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Event:
    """What an episode's mixture asks for; every value a share of 0 to 1."""

    kind: str  # "seizure", "periodic" or "rhythmic": what most of it is
    clarity: float  # how much of it is a pattern at all and not "other"
    lateral: float  # 0 generalised, 1 lateralised
    rhythmic: float  # 0 discharges on a flat line, 1 continuous waves
    ictal: float  # 0 static, 1 fast and evolving


def sources_of(event: Event, patient: Patient, rng: np.random.Generator) -> list[Source]:
    """Where an event shows: one side, both, or something between."""
    if event.lateral < 0.5:
        lag = patient.lag_s * rng.uniform(0.7, 1.3)
        balance = patient.side * 1.2 * event.lateral + rng.normal(0, 0.05)
        return [
            replace(source, gain=source.gain * float(rng.lognormal(0, 0.2)))
            for source in generalised(patient.predominance, lag, balance)
        ]
    focus = near_to(place_of(patient.focus, patient.side), 0.1, rng)
    own = patient.other_side * (0.5 if event.kind == "rhythmic" else 1.0)
    other = own + (1 - own) * 0.8 * 2 * (1 - event.lateral)
    first, *rest = lateralised(focus, patient.extent_rad, min(other, 0.95), rng.uniform(0.0, 0.06))
    return [replace(first, tilt=tuple(rng.normal(0, 0.2, 3))), *rest]


# Periodic discharges


def discharge(morphology: str, width_s: float, rng: np.random.Generator) -> tuple[Parts, Parts]:
    """The sharp phases of a discharge and the slow wave after it, as bumps (height, centre_s, width_s)."""
    w = width_s
    slow = -rng.uniform(0.2, 0.8)
    if morphology == "biphasic":
        return ((-1, 0, w), (0.6, 2.5 * w, 1.4 * w)), ()
    if morphology == "triphasic":
        w = max(w, 0.03) * rng.uniform(1.0, 1.5)
        return ((-0.4, -2.2 * w, 0.8 * w), (1, 0, w), (-0.65, 3.2 * w, 1.9 * w)), ()
    if morphology == "polyphasic":
        count, step = int(rng.integers(3, 7)), rng.uniform(0.05, 0.08)
        heights = rng.uniform(0.4, 1, count) * np.where(np.arange(count) % 2, 0.7, -1)
        return tuple((h, step * (i - 1), 0.3 * step) for i, h in enumerate(heights)), ((0.3 * slow, 0.35, 0.1),)
    if morphology == "blunt":
        w = rng.uniform(0.06, 0.12)
        return ((-1, 0, w), (0.4, 2.2 * w, 1.3 * w)), ()
    return ((-1, 0, w), (0.35, 2.3 * w, 1.1 * w)), ((slow, 0.16 + 3 * w, 0.09),)


def periodic_discharges(
    samples: int, event: Event, patient: Patient, rng: np.random.Generator, same: np.random.Generator
) -> Array:
    """LPDs, GPDs and what lies between: nearly identical discharges at nearly regular intervals."""
    hz = patient.periodic_hz * (1.22 - 0.22 * event.lateral) * same.uniform(0.93, 1.07) * (1 + 1.2 * event.ictal)
    hz = hz + (max(hz, 1.3) - hz) * event.rhythmic
    drift = 1 + (0.04 + 0.15 * event.ictal) * smooth(wander(samples, 15, rng), 5)
    spread = patient.irregularity * (1.2 - 0.25 * event.lateral) * (1.2 - 0.2 * event.clarity)
    jitter = float(np.clip(spread * same.lognormal(0, 0.2), 0.03, 0.5))
    at = periodic(samples, np.clip(hz * drift, 0.3, 4).astype(np.float32), jitter, rng)
    at = at[rng.random(len(at)) > 0.25 * (1 - event.clarity)]
    widen = 1 + 1.5 * event.rhythmic
    sharp, slow = discharge(patient.morphology, patient.width_s * widen, same)
    if event.rhythmic > 0.2 and not slow:
        slow = ((-0.5 * event.rhythmic, 0.5 / hz, 0.16 / hz),)
    vary = 0.1 + 0.17 * (1 - event.clarity) + 0.15 * (patient.morphology == "polyphasic")
    heights = rng.lognormal(0, vary + 0.08, (len(at), 1)).astype(np.float32)
    sources = sources_of(event, patient, same)
    out = _discharges(samples, at, bumps(sharp, len(at), vary, rng) * heights, sources, rng)
    if slow:
        wider = [replace(s, spread_rad=s.spread_rad + 0.2) for s in sources]
        out += _discharges(samples, at, bumps(slow, len(at), 1.5 * vary, rng) * heights, wider, rng)
    if same.random() < 0.15:  # +F: fast activity with each discharge
        out += _fast(
            samples, smooth(pulse_train(samples, at, bumps([(1, 0.1, 0.1)], len(at), 0.1, rng)), 0.05), sources, rng
        )
    return out


def _discharges(
    samples: int, at_s: np.ndarray[Any, Any], events: Array, sources: list[Source], rng: np.random.Generator
) -> Array:
    """Each source shows each event a little larger or smaller than the others do."""
    waves = [
        pulse_train(samples, at_s, events * (1 + 0.2 * rng.standard_normal((len(events), 1), dtype=np.float32)))
        for _ in sources
    ]
    return over_head(np.stack(waves), sources)


def _fast(samples: int, envelope: Array, sources: list[Source], rng: np.random.Generator) -> Array:
    """Modifier +F: 14 to 25 Hz under an envelope, where the pattern is."""
    centre = rng.uniform(14, 25)
    noise = coloured(lambda hz: 0.05 * np.exp(-0.5 * ((hz - centre) / 2) ** 2), 1, samples, rng, 40.0)[0]
    return over_head((noise * envelope * rng.uniform(0.2, 0.6)).astype(np.float32), sources)


def periodic_pattern(
    samples: int, event: Event, patient: Patient, rng: np.random.Generator, same: np.random.Generator
) -> Array:
    """Periodic discharges, now and then with rhythmic delta under them (+R) or others of the other side (BIPDs)."""
    out = periodic_discharges(samples, event, patient, rng, same)
    modifier = same.random()
    if modifier < 0.12:
        out += 0.35 * rhythmic_delta(samples, replace(event, rhythmic=1.0), patient, rng, same)
    elif modifier > 0.96 and event.lateral > 0.9:
        out += 0.6 * periodic_discharges(samples, event, replace(patient, side=-patient.side), rng, same)
    return out


# Rhythmic delta


def rhythmic_delta(
    samples: int, event: Event, patient: Patient, rng: np.random.Generator, same: np.random.Generator
) -> Array:
    """LRDA, GRDA and what lies between: waves without a pause, sharper the more periodic the event is."""
    mean_hz = patient.rhythmic_hz * same.uniform(0.94, 1.06) * (1 + 0.4 * event.ictal)
    unsteady = same.uniform(0.03, 0.16) + 0.08 * (1 - event.clarity)
    hz = mean_hz * (1 + unsteady * wander(samples, 1.2, rng) + 0.05 * smooth(wander(samples, 20, rng), 8))
    hz = hz * np.exp(
        event.ictal * 0.4 * interpolated(np.linspace(0, 1, samples), (0, 0.5, 1), tuple(rng.normal(0, 1, 3)))
    )
    sharpness = float(np.clip(1.1 * (1 - event.rhythmic) + same.uniform(0, 0.2), 0, 1))
    table = wave_table(sharpness, same)
    wave = rhythm(np.clip(hz, 0.5, 4.5).astype(np.float32), table, phase=rng.random())
    sources = sources_of(event, patient, same)
    wax = np.exp((same.uniform(0.1, 0.45) + 0.2 * (1 - event.clarity)) * wander(samples, same.uniform(0.8, 2.5), rng))
    waves = np.stack([wave * wax * np.exp(0.2 * wander(samples, 1.0, rng)) for _ in sources])
    out = over_head(waves, sources)
    if same.random() < 0.15:  # +F
        out += _fast(samples, np.exp(0.4 * wander(samples, 2, rng)), sources, rng)
    if same.random() < 0.12 + 0.5 * (1 - event.rhythmic):  # +S: spikes here and there
        at = periodic(samples, mean_hz * rng.uniform(0.2, 0.6), 0.35, rng)
        spikes = bumps([(-1, 0, 0.02), (0.4, 0.06, 0.03)], len(at), 0.3, rng)
        out += rng.uniform(0.3, 0.7) * over_head(pulse_train(samples, at, spikes), sources)
    return out.astype(np.float32)


def wave_table(sharpness: float, rng: np.random.Generator) -> Array:
    """One cycle: sinusoidal or notched at 0, sharply contoured at 1."""
    smooth_one = harmonics((1, rng.uniform(0, 0.35), rng.uniform(0, 0.1)), (0, *rng.random(2)))
    width = rng.uniform(0.05, 0.1)
    sharp_one = cycle(((-1, 0.5, width), (0.5, 0.5 + 2.2 * width, 1.5 * width), (-0.4 * rng.random(), 0.9, 0.12)))
    table = (1 - sharpness) * smooth_one + sharpness * sharp_one
    result: Array = (table / np.abs(table).max()).astype(np.float32)
    return result


# Seizures


@dataclass(frozen=True)
class Evolution:
    """How a kind of seizure goes: frequency (Hz) and amplitude at shares of its length, and its sharpness 0 to 1."""

    at: tuple[float, ...]
    hz: tuple[float, ...]
    amplitude: tuple[float, ...]
    sharpness: tuple[float, float]  # of the first and the last cycle
    share: float  # of all seizures


ONE_COURSE_MAX_S: Final = 150  # of a seizure that runs its course once; what lasts longer waxes and wanes
SEIZURES: Final = {
    "low-voltage fast": Evolution((0, 0.15, 0.5, 1), (12, 8, 4.5, 2.2), (0.15, 0.4, 1, 0.9), (0.0, 0.8), 0.15),
    "theta to delta": Evolution((0, 0.3, 0.7, 1), (6.5, 5, 3, 1.9), (0.35, 0.8, 1, 1), (0.2, 0.7), 0.2),
    "up and down": Evolution((0, 0.25, 0.5, 0.8, 1), (1.8, 3, 5.5, 3.5, 1.7), (0.4, 0.7, 1, 1, 0.8), (0.5, 0.6), 0.15),
    "spike and wave": Evolution((0, 0.2, 1), (3.3, 3.0, 2.3), (0.8, 1, 1), (1.0, 1.0), 0.15),
    "rhythmic alpha": Evolution((0, 0.5, 1), (7.5, 9, 5.5), (0.35, 0.8, 1), (0.2, 0.5), 0.1),
    "fast discharges": Evolution((0, 0.3, 0.6, 1), (1.6, 2.6, 3.4, 2.0), (0.7, 1, 1, 0.8), (1.0, 0.9), 0.15),
    "rhythmic delta": Evolution((0, 0.4, 1), (2.1, 2.9, 1.6), (0.6, 1, 0.9), (0.2, 0.5), 0.1),
}
# How a seizure begins and ends: the share of frequency and of amplitude that its first and its last moment have. The four
# onsets and four offsets, sixteen kinds of seizure, are those of Saggio et al. 2020, https://doi.org/10.7554/eLife.55632
ONSETS: Final = {
    "saddle-node": (1.0, 0.8),
    "saddle-node on an invariant circle": (0.3, 0.8),
    "supercritical Hopf": (1.0, 0.05),
    "subcritical Hopf": (1.0, 0.5),
}
OFFSETS: Final = {
    "saddle homoclinic": (0.35, 1.0),
    "saddle-node on an invariant circle": (0.3, 0.8),
    "supercritical Hopf": (1.0, 0.05),
    "fold limit cycle": (1.0, 0.7),
}
ONSET_SHARE: Final = (0.05, 0.3)  # of a seizure, the least and the most that its onset takes, and likewise its offset


def _onset_and_offset(elapsed: np.ndarray[Any, Any], rng: np.random.Generator) -> tuple[Array, Array]:
    """(samples,) factors on the frequency and on the amplitude: they leave and approach zero as a square root does."""
    onset, offset = ONSETS[str(rng.choice(list(ONSETS)))], OFFSETS[str(rng.choice(list(OFFSETS)))]
    begun = np.sqrt(np.clip(elapsed / rng.uniform(*ONSET_SHARE), 0, 1))
    left = np.sqrt(np.clip((1 - elapsed) / rng.uniform(*ONSET_SHARE), 0, 1))
    hz, amplitude = ((first + (1 - first) * begun) * (last + (1 - last) * left) for first, last in zip(onset, offset))
    return hz.astype(np.float32), amplitude.astype(np.float32)


def seizure(samples: int, event: Event, patient: Patient, rng: np.random.Generator, same: np.random.Generator) -> Array:
    """Rhythmic and evolving in frequency, amplitude, shape and place from its onset to its end."""
    shares = np.array([kind.share for kind in SEIZURES.values()])
    if event.ictal < 0.85:  # what is half a pattern of another class begins like it
        like = ("fast discharges", "spike and wave") if event.rhythmic < 0.5 else ("rhythmic delta", "theta to delta")
        shares = shares * np.array([3.0 if name in like else 0.5 for name in SEIZURES])
    kind = SEIZURES[str(same.choice(list(SEIZURES), p=shares / shares.sum()))]
    elapsed = _elapsed(samples, rng)
    log_hz = np.log(interpolated(elapsed, kind.at, kind.hz)) + same.normal(0, 0.15)
    log_hz = log_hz * (0.4 + 0.6 * event.clarity) + log_hz.mean() * 0.6 * (1 - event.clarity)  # unclear: evolves less
    hz_factor, amplitude_factor = _onset_and_offset(elapsed, same)
    unsteady = rng.uniform(0.02, 0.08)
    hz = hz_factor * np.exp(log_hz + unsteady * wander(samples, 0.4, rng) + 0.05 * wander(samples, 5, rng)).astype(
        np.float32
    )
    hz = np.maximum(hz, 0.4)
    first, last = (wave_table(sharpness, same) for sharpness in kind.sharpness)
    sources, arrival = _ictal_sources(elapsed, event, patient, same)
    noise = coloured(lambda f: 0.06 / (1 + (f / 4) ** 2) * (f > 0.7), len(sources), samples, rng, 40.0)
    waves = []
    for reached, irregular in zip(arrival, noise):
        wave = rhythm(hz, first, last, phase=rng.uniform(0.01, 0.05) * wander(samples, 1.5, rng))
        wax = np.exp(0.25 * wander(samples, 0.4, rng) + 0.2 * wander(samples, 3, rng))
        waves.append((wave + rng.uniform(0.1, 0.9) * irregular) * wax * reached)
    envelope = interpolated(elapsed, kind.at, kind.amplitude) * edges(
        samples, rng.uniform(0.3, 3), rng.uniform(0.1, 2.5)
    )
    return over_head(np.stack(waves), sources) * envelope * amplitude_factor


def _elapsed(samples: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """(samples,) how far a seizure has come, 0 to 1; one without an end swings to and fro in its later course."""
    straight = np.linspace(0, 1, samples)
    cycle_s = rng.uniform(30, 120)
    if samples < ONE_COURSE_MAX_S * EEG_RATE_HZ:
        return straight
    phase = 2 * np.pi * seconds(samples) / cycle_s + wander(samples, cycle_s / 2, rng)
    onset = np.minimum(1, seconds(samples) / cycle_s)
    result: np.ndarray[Any, Any] = onset * (0.6 - 0.35 * np.cos(phase))
    return result


def _ictal_sources(
    elapsed: np.ndarray[Any, Any], event: Event, patient: Patient, rng: np.random.Generator
) -> tuple[list[Source], list[Array]]:
    """The sources of a seizure, and how far it has reached each of them over its course."""
    if event.lateral < 0.5:
        sources = generalised(patient.predominance, rng.uniform(0, 0.04), patient.side * event.lateral)
        return sources, [np.ones(len(elapsed), np.float32)] * len(sources)
    sources = sources_of(replace(event, lateral=1.0), patient, rng)
    reach = float(rng.choice((rng.uniform(0, 0.25), rng.uniform(0.4, 0.95))))  # focal to the end, or bilateral
    spread = rng.uniform(0.1, 0.6)
    grow = interpolated(elapsed, (0, spread, min(1.0, spread + 0.25), 1), (0, 0, 1, 1))
    first, *rest = sources
    rest = [replace(rest[-1], gain=reach), *rest[:-1], Source(place_of("Fz"), 0.8, 0.6 * reach, 0.02)]
    return [first, *rest], [np.ones(len(elapsed), np.float32)] + [grow] * len(rest)


PATTERNS: Final = {"periodic": periodic_pattern, "rhythmic": rhythmic_delta}


def presence(samples: int, event: Event, rng: np.random.Generator) -> Array:
    """(samples,) how much of a pattern is there: waxing, waning, and coming and going in runs when it is unclear."""
    comes_and_goes = event.kind == "rhythmic" and rng.random() < 0.35
    share = 0.35 + 0.8 * event.clarity - 0.3 * comes_and_goes + rng.normal(0, 0.1)
    run_s = rng.lognormal(1.6 if comes_and_goes else 2.2, 0.5)
    gate = runs(samples, float(np.clip(share, 0.25, 1)), run_s, event.clarity + 0.2, rng)
    result: Array = gate * np.exp(0.2 * wander(samples, 8, rng) + 0.35 * smooth(wander(samples, 25, rng), 8))
    return result
