"""Single waves of the brain: those of sleep, and sharp ones that come alone; none of them makes a pattern."""

from typing import Final

import numpy as np

from hbac.hms import EEG_RATE_HZ
from hbac.simulation.background import StateLevels
from hbac.simulation.patient import Patient
from hbac.simulation.primitives import Times, at_random, bumps, pulse_train, seconds, wander
from hbac.simulation.scalp import Array, Source, near_to, over_head, place_of

# Waves of sleep: bumps (height, centre_s, width_s), where, width of the field, microvolts, a minute of sleep.
SLEEP_WAVES: Final = (
    ("vertex", ((-1.0, 0.0, 0.045), (0.4, 0.12, 0.06)), "Cz", 0.4, 60.0, 4.0),
    ("K complex", ((-1.0, 0.0, 0.11), (0.7, 0.4, 0.17)), "Fz", 0.75, 90.0, 1.5),
    ("POSTS", ((1.0, 0.0, 0.05),), "O1", 0.4, 35.0, 4.0),
)


def add_transients(eeg: Array, patient: Patient, states: StateLevels, rng: np.random.Generator) -> None:
    """Add the transients of one recording to `eeg` (19, samples)."""
    level = np.exp(0.25 * (patient.delta_log_power - 2.6))
    if states.sleep.max() > 0.1:
        _add_sleep(eeg, states, level, rng)
    if patient.sporadic:
        add_discharges(eeg, at_random(eeg.shape[1], patient.sporadic, rng), patient, rng)
    if rng.random() < 0.15:
        _add_wickets(eeg, level, rng)


def _during(at_s: Times, share: Array, rng: np.random.Generator) -> Times:
    """Those of the times at which `share` (samples,) of 0 to 1 lets an event happen."""
    result: Times = at_s[rng.random(len(at_s)) < share[(at_s * EEG_RATE_HZ).astype(int)]]
    return result


def _add_sleep(eeg: Array, states: StateLevels, level: float, rng: np.random.Generator) -> None:
    samples = eeg.shape[1]
    for name, parts, where, spread, height_uv, rate in SLEEP_WAVES:
        at = _during(at_random(samples, rate * rng.uniform(0.2, 2), rng), states.sleep, rng)
        events = bumps(parts, len(at), 0.3, rng) * rng.lognormal(0, 0.3, (len(at), 1)).astype(np.float32)
        sides = (-1, 1) if name == "POSTS" else (-1,)
        eeg += over_head(
            pulse_train(samples, at, events) * np.float32(height_uv * level),
            [Source(place_of(where, s), spread) for s in sides],
        )
    at = _during(at_random(samples, rng.uniform(1, 8), rng), states.sleep, rng)
    envelope = pulse_train(samples, at, bumps([(1, 0, rng.uniform(0.18, 0.4))], len(at), 0.3, rng))
    hz = rng.uniform(11.5, 14.5) + 0.3 * wander(samples, 2, rng)
    spindles = envelope * np.sin(2 * np.pi * np.cumsum(hz) / EEG_RATE_HZ).astype(np.float32)
    eeg += over_head(spindles * np.float32(rng.uniform(8, 22) * level), [Source(place_of("Cz"), 0.6)])


def add_discharges(eeg: Array, at_s: Times, patient: Patient, rng: np.random.Generator) -> None:
    """Isolated epileptiform discharges at the focus, or sometimes of the whole head, at these times."""
    width = patient.width_s
    after = 0.5 * rng.uniform(0.3, 1.3)
    parts = ((-1.0, 0.0, width), (0.4, 2.5 * width, 1.3 * width), (-after, 0.25, 0.09))
    events = bumps(parts, len(at_s), 0.25, rng) * rng.lognormal(0, 0.35, (len(at_s), 1)).astype(np.float32)
    wave = pulse_train(eeg.shape[1], at_s, events) * np.float32(rng.uniform(40, 110) * patient.strength)
    focus = near_to(place_of(patient.focus, patient.side), 0.2, rng)
    tilt = tuple(rng.normal(0, 0.3, 3))
    eeg += over_head(wave, [Source(focus, rng.uniform(0.35, 0.7) if rng.random() < 0.8 else 1.3, tilt=tilt)])


def _add_wickets(eeg: Array, level: float, rng: np.random.Generator) -> None:
    """Wicket runs: a second or two of sharp, arch-like 6 to 11 Hz at a temple; a harmless mimic."""
    samples = eeg.shape[1]
    at = at_random(samples, 1.5, rng)
    envelope = pulse_train(samples, at, bumps([(1, 0, 0.3)], len(at), 0.3, rng))
    phase = np.pi * seconds(samples) * rng.uniform(6, 11)
    wave = envelope * (1 - 2 * np.abs(np.sin(phase))).astype(np.float32)
    eeg += over_head(wave * np.float32(30 * level), [Source(place_of("T3", int(rng.choice((-1, 1)))), 0.45)])
