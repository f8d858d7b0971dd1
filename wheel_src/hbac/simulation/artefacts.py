"""What the electrodes pick up of the body beside the brain: eyes, muscle, movement, heart."""

from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac.hms import EEG_RATE_HZ, ELECTRODES
from hbac.simulation.background import StateLevels
from hbac.simulation.patient import Patient
from hbac.simulation.primitives import (
    Times,
    at_random,
    bumps,
    coloured,
    edges,
    harmonics,
    periodic,
    pulse_train,
    rhythm,
    runs,
    smooth,
    wander,
)
from hbac.simulation.scalp import PLACES, Array, Place, Source, field_of, mixing, near_to, over_head, place_of

_EYES: Final = tuple(place_of("Fp1", side) for side in (-1, 1))  # positive towards the cornea
MUSCLES: Final = ("T3", "F7", "Fp1", "T5", "O1")


def add_artefacts(eeg: Array, patient: Patient, states: StateLevels, rng: np.random.Generator) -> Times:
    """Add the body's artefacts to `eeg` (19, samples); returns the times of the heart beats in seconds."""
    if states.awake.max() > 0.02:
        _add_eyes(eeg, states, rng)
    _add_tonic_muscle(eeg, patient, rng)
    restless = states.awake * 1.5 + 0.3
    for at in at_random(eeg.shape[1], patient.muscle, rng):
        if rng.random() < restless[int(at * EEG_RATE_HZ)]:
            add_muscle(eeg, at, rng.gamma(1.5, 2.5), rng)
    for at in at_random(eeg.shape[1], rng.exponential(0.3), rng):
        add_movement(eeg, at, rng)
    if rng.random() < 0.08:
        add_mimic(eeg, 0, eeg.shape[1], rng)
    return _add_heart(eeg, patient, rng)


# Eyes


def _add_eyes(eeg: Array, states: StateLevels, rng: np.random.Generator) -> None:
    """Blinks and eye movements, while the patient is awake."""
    samples = eeg.shape[1]
    for rate, add in ((rng.exponential(10), add_blinks), (rng.exponential(12), add_glances)):
        at = at_random(samples, rate, rng)
        add(eeg, at[rng.random(len(at)) < states.awake[(at * EEG_RATE_HZ).astype(int)]], rng)
    if rng.random() < 0.05:  # eyelid flutter: rhythmic, frontal, and no GRDA
        gate = runs(samples, 0.1, 4.0, 0.2, rng) * states.awake
        wave = rhythm(rng.uniform(3, 9) * (1 + 0.08 * wander(samples, 0.7, rng)), harmonics((1, 0.2), (0, 0.1)))
        eeg += over_head(wave * gate * np.float32(rng.uniform(5, 20)), [Source(p, 0.35) for p in _EYES])


def add_blinks(eeg: Array, at_s: Times, rng: np.random.Generator) -> None:
    """Blinks at these times: positive and alike at Fp1 and Fp2, 0.2 to 0.4 s, sometimes with the lids kept closed."""
    width = rng.uniform(0.05, 0.09)
    events = bumps([(1, 0, width), (-0.15, 0.28, 0.1)], len(at_s), 0.2, rng)
    plateau = bumps([(1.0, d, 0.1) for d in (0.0, 0.2, 0.4, 0.6)], len(at_s), 0.1, rng)
    kept = (rng.random((len(at_s), 1)) < rng.choice((0.05, 0.5))).astype(np.float32)
    events = (events + kept * (plateau - events)) * rng.lognormal(0, 0.25, (len(at_s), 1)).astype(np.float32)
    wave = pulse_train(eeg.shape[1], at_s, events) * np.float32(rng.uniform(30, 110))
    eeg += over_head(wave, [Source(p, 0.32, 0.9) for p in _EYES])


def add_glances(eeg: Array, at_s: Times, rng: np.random.Generator) -> None:
    """Eye movements at these times: steps that decay, F7 and F8 of opposite sign, or Fp1 and Fp2 alike if vertical."""
    samples = eeg.shape[1]
    t = np.arange(int(2.5 * EEG_RATE_HZ), dtype=np.float32) / EEG_RATE_HZ
    hold = rng.uniform(0.15, 1.2, (len(at_s), 1)).astype(np.float32)
    steps = np.clip(t / 0.04, 0, 1) * np.clip((hold + 0.04 - t) / 0.04, 0, 1) * np.exp(-t / 1.5)
    steps *= rng.normal(0, 1, (len(at_s), 1)).astype(np.float32)
    vertical = rng.random(len(at_s)) < 0.4
    height = np.float32(rng.uniform(25, 70))
    pair = [Source(place_of("F7", side), 0.35, side) for side in (-1, 1)]
    eeg += over_head(pulse_train(samples, at_s[~vertical], steps[~vertical], 0.0) * height, pair)
    eeg += over_head(
        pulse_train(samples, at_s[vertical], steps[vertical], 0.0) * height, [Source(p, 0.35, 1.2) for p in _EYES]
    )


# Muscle and movement


def _muscle_power(hz: npt.NDArray[Any], corner_hz: float) -> npt.NDArray[Any]:
    """Flat from about 16 Hz up, as measured; nothing below a few Hz."""
    return 1 / (1 + (corner_hz / np.maximum(hz, 0.1)) ** 4) / (1 + (hz / 80) ** 4)


def _add_tonic_muscle(eeg: Array, patient: Patient, rng: np.random.Generator) -> None:
    """Lasting muscle activity: its own level at every temple, on for minutes, with steps; none in the very quiet."""
    samples = eeg.shape[1]
    if patient.tonic < -4.5:
        return
    share = float(rng.choice((1.0, 0.6, 0.3), p=(0.5, 0.25, 0.25)))
    level = np.zeros((len(ELECTRODES), samples), np.float32)
    gate = runs(samples, share, rng.uniform(30, 200), share, rng)
    for name in MUSCLES:
        for side in (-1, 1):
            log = 0.5 * rng.normal(patient.tonic, 1.3)
            here = gate if rng.random() < 0.7 else runs(samples, 0.5, 60.0, 0.5, rng)
            wax = np.exp(log + 0.3 * wander(samples, 10, rng) + 0.35 * wander(samples, 0.5, rng))
            level += field_of(Source(place_of(name, side), 0.3))[:, None] * (here * wax)
    fields = mixing([Source(p, float(rng.uniform(0.2, 0.4))) for p in PLACES])
    power = partial(_muscle_power, corner_hz=rng.uniform(10, 22))
    eeg += coloured(power, len(ELECTRODES), samples, rng, mixing=fields) * level


def add_muscle(eeg: Array, at_s: float, length_s: float, rng: np.random.Generator) -> None:
    """Seconds of muscle at a temple or the forehead, different at every electrode; sometimes chewing, 1 to 2 a second."""
    start = int(at_s * EEG_RATE_HZ)
    samples = min(eeg.shape[1] - start, int(length_s * EEG_RATE_HZ) + 60)
    if samples < 60:
        return
    burst = coloured(partial(_muscle_power, corner_hz=18.0), len(ELECTRODES), samples, rng)
    envelope = edges(samples, 0.1, 0.3) * np.exp(0.4 * wander(samples, 0.3, rng))
    sides = (-1, 1) if rng.random() < 0.5 else (int(rng.choice((-1, 1))),)
    if rng.random() < 0.2 and samples > 2 * EEG_RATE_HZ:
        at = periodic(samples, rng.uniform(0.8, 2), 0.1, rng)
        bites = pulse_train(samples, at, bumps([(1, 0, 0.1)], len(at), 0.2, rng))
        envelope, sides = envelope * bites, (-1, 1)
        eeg[:, start : start + samples] += over_head(bites * -25, [Source(place_of("T3", side), 0.4) for side in sides])
    where = np.max([field_of(Source(place_of(str(rng.choice(MUSCLES)), side), 0.4)) for side in sides], axis=0)
    eeg[:, start : start + samples] += burst * where[:, None] * envelope * np.float32(rng.lognormal(0.8, 0.7))


def add_movement(eeg: Array, at_s: float, rng: np.random.Generator) -> None:
    """Half a second to many seconds of movement: large slow swings everywhere with muscle on top."""
    start = int(at_s * EEG_RATE_HZ)
    samples = min(eeg.shape[1] - start, int(0.5 * EEG_RATE_HZ + rng.exponential(2.0) * EEG_RATE_HZ))
    if samples < 50:
        return
    fields = mixing([Source(near_to(place_of("Cz"), 1.0, rng), rng.uniform(0.3, 0.9)) for _ in range(6)])
    swings = coloured(lambda hz: 900 / (1 + (hz / 1.5) ** 2) * (hz > 0.3), 6, samples, rng, 40.0, fields)
    fast = coloured(partial(_muscle_power, corner_hz=12.0), len(ELECTRODES), samples, rng)
    fast *= rng.lognormal(0.2, 0.6, (len(ELECTRODES), 1)).astype(np.float32)
    gain = np.float32(rng.lognormal(0.0, 0.7))
    eeg[:, start : start + samples] += (swings + fast) * edges(samples, 0.15, 0.3) * gain


def add_mimic(eeg: Array, start: int, stop: int, rng: np.random.Generator) -> None:
    """A rhythmic or periodic artefact that may pass for a pattern, in runs within these samples.

    Ventilator or breathing (0.2 to 0.5 Hz), patting and rocking (1 to 4 Hz), tremor (4 to 7 Hz), a pulse under one
    electrode, a tapping lead: on one to three electrodes or the back of the head, without a brain's field.
    """
    samples = stop - start
    kind = str(rng.choice(("ventilator", "patting", "tremor", "pulse", "tapping"), p=(0.2, 0.3, 0.15, 0.2, 0.15)))
    hz = rng.uniform(*{"ventilator": (0.2, 0.5), "patting": (1, 4), "tremor": (4, 7)}.get(kind, (0.7, 2.0)))
    if kind in ("pulse", "tapping"):
        width = 0.08 if kind == "pulse" else 0.012
        at = periodic(samples, hz, 0.03 if kind == "pulse" else 0.15, rng)
        wave = pulse_train(samples, at, bumps([(1, 0, width), (-0.4, 3 * width, 2 * width)], len(at), 0.15, rng))
    else:
        table = harmonics((1, rng.uniform(0, 0.6), rng.uniform(0, 0.4)), tuple(rng.random(3)))
        wave = rhythm(hz * (1 + 0.04 * wander(samples, 1.5, rng)), table) * np.exp(0.25 * wander(samples, 2, rng))
    wave = wave * runs(samples, rng.uniform(0.3, 1), rng.uniform(5, 30), 0.9, rng) * np.float32(rng.uniform(10, 60))
    sites = rng.choice(len(ELECTRODES), int(rng.integers(1, 4)), replace=False)
    for site in sites:
        eeg[site, start:stop] += wave * np.float32(rng.normal(0, 0.7) + 0.5)


# Heart


def _add_heart(eeg: Array, patient: Patient, rng: np.random.Generator) -> Times:
    """The heart's field in the EEG, largest low at the back and of opposite sign left and right; times of the beats."""
    samples = eeg.shape[1]
    rate = patient.heart_hz * np.exp(0.04 * wander(samples, 20, rng))
    irregular = rng.choice((0.015, 0.05, 0.2), p=(0.7, 0.2, 0.1))
    at = periodic(samples, rate, float(irregular), rng)
    beats = pulse_train(
        samples, at, bumps([(1, 0, 0.012), (-0.3, 0.03, 0.012), (0.15, 0.25, 0.05)], len(at), 0.05, rng)
    )
    height = np.float32(rng.lognormal(0.6, 0.9))
    axis: Place = np.array([rng.normal(0, 1), rng.normal(-0.5, 0.5), rng.normal(-0.5, 0.5)])
    eeg += np.outer(mixing([Source(axis / np.linalg.norm(axis), 1.2, tilt=tuple(axis))])[:, 0] * height, beats)
    return at


def ekg(samples: int, beats_s: Times, rng: np.random.Generator) -> Array:
    """(samples,) the EKG channel: any lead, either sign, with noise and sway; now and then not connected."""
    shape = (
        (rng.normal(0.12, 0.06), -0.16, 0.025),
        (-rng.uniform(0, 0.3), -0.03, 0.01),
        (1.0, 0.0, rng.uniform(0.009, 0.02)),
        (-rng.uniform(0, 0.8), 0.035, 0.012),
        (rng.normal(0.2, 0.15), 0.26, 0.05),
    )
    dead = rng.random() < 0.3
    height = rng.choice((-1, 1)) * (rng.uniform(0, 2) if dead else rng.lognormal(5.6, 0.7))
    wave = pulse_train(samples, beats_s, bumps(shape, len(beats_s), 0.06, rng)) * np.float32(height)
    noise = coloured(lambda hz: 0.05 + 8 / (0.05 + hz**2), 1, samples, rng)[0] * np.float32(
        rng.lognormal(-2 if dead else -0.5, 1)
    )
    loose = rng.random() < 0.1
    swing = (300 if loose else 8) * wander(samples, 10, rng)
    result: Array = wave + noise + smooth(swing, 1.0) + np.float32(rng.normal(0, 15))
    return result
