"""From the head to the file: the reference, each electrode's contact, the mains and the amplifier."""

import numpy as np
from scipy import signal

from hbac.hms import EEG_RATE_HZ, ELECTRODES
from hbac.simulation.primitives import at_random, coloured, seconds, smooth, wander
from hbac.simulation.scalp import Array

_REFERENCE = [ELECTRODES.index(name) for name in ("Cz", "C4")]  # C2 lies between them


def add_recording(eeg: Array, rng: np.random.Generator) -> None:
    """Turn potentials (19, samples) into what an amplifier writes, in place."""
    eeg -= np.float32(rng.uniform(0.2, 0.9)) * eeg[_REFERENCE].mean(axis=0)
    if rng.random() < 0.25:
        _low_pass(eeg, rng)
    _add_common(eeg, rng)
    _add_contacts(eeg, rng)
    if rng.random() < 0.2:
        _high_pass(eeg, rng)
    for _ in range(rng.poisson(0.35)):
        _loosen(eeg, int(rng.integers(len(eeg))), rng)
    for at in at_random(eeg.shape[1], rng.exponential(0.3), rng):
        add_pop(eeg, int(rng.integers(len(eeg))), at, rng)
    if rng.random() < 0.08:
        _repeat_pops(eeg, rng)
    eeg *= np.float32(np.exp(rng.normal(0, 0.08)))


def _low_pass(eeg: Array, rng: np.random.Generator) -> None:
    """An amplifier that cuts at 35 to 70 Hz."""
    sections = signal.butter(2, rng.uniform(35, 70), fs=EEG_RATE_HZ, output="sos").astype(np.float32)
    eeg[:] = signal.sosfilt(sections, eeg, axis=1)


def _high_pass(eeg: Array, rng: np.random.Generator) -> None:
    """An amplifier that lets nothing slow through."""
    sections = signal.butter(1, rng.uniform(0.1, 1.0), "highpass", fs=EEG_RATE_HZ, output="sos")
    eeg[:] = signal.sosfilt(sections, eeg, axis=1)


def _add_common(eeg: Array, rng: np.random.Generator) -> None:
    """What the reference electrode adds to all channels alike: sway, muscle, mains."""
    samples = eeg.shape[1]
    sway = coloured(lambda hz: (hz < 1.5) / (0.02 + hz) ** 2, 1, samples, rng, 2.0)[0] * np.float32(
        rng.lognormal(1, 0.8)
    )
    noise = coloured(lambda hz: 0.02 + 0 * hz, 1, samples, rng)[0] * np.float32(rng.lognormal(1.4, 1.2))
    hum = np.float32(rng.lognormal(0.3, 2.0)) * _mains(samples, rng)
    eeg += sway + noise * np.exp(0.3 * wander(samples, 5, rng)) + hum


def _mains(samples: int, rng: np.random.Generator) -> Array:
    """(samples,) hum of amplitude 1: 60 Hz, seldom 50 Hz, swelling a little."""
    hz = 50 if rng.random() < 0.03 else 60
    result: Array = (np.sin(2 * np.pi * hz * seconds(samples)) * (1 + 0.1 * wander(samples, 20, rng))).astype(
        np.float32
    )
    return result


def _add_contacts(eeg: Array, rng: np.random.Generator) -> None:
    """Each electrode's own offset, drift, noise and hum; now and then sweat, which sways neighbours together."""
    count, samples = eeg.shape
    eeg += rng.normal(0, rng.uniform(1, 25), (count, 1)).astype(np.float32)
    drift = rng.lognormal(-0.6, 0.6, (count, 1)).astype(np.float32)
    eeg += coloured(lambda hz: 4 * (hz < 1) / (0.03 + hz) ** 1.5, count, samples, rng, 1.2) * drift
    floor = np.exp(0.5 * (rng.uniform(-6.5, -3.5) + rng.normal(0, 0.5, (count, 1)))).astype(np.float32)
    eeg += coloured(np.ones_like, count, samples, rng) * floor
    eeg += (rng.normal(0, 0.3, (count, 1)) * rng.lognormal(0, 1.0)).astype(np.float32) * _mains(samples, rng)
    if rng.random() < 0.06:
        sites = rng.choice(count, 5, replace=False)
        height = np.float32(rng.uniform(10, 40))
        eeg[sites] += height * coloured(lambda hz: (hz < 0.6) * 4.0, len(sites), samples, rng, 0.7)


def _loosen(eeg: Array, site: int, rng: np.random.Generator) -> None:
    """A bad electrode, for minutes or all the time: dead, humming, or jumping between two levels."""
    samples = eeg.shape[1]
    start = int(rng.uniform(0, samples)) if rng.random() < 0.6 else 0
    stop = min(samples, start + int(rng.exponential(200) * EEG_RATE_HZ) + 400) if rng.random() < 0.7 else samples
    count = stop - start
    kind = rng.random()
    if kind < 0.25:  # dead: noise alone
        eeg[site, start:stop] *= np.float32(rng.uniform(0, 0.2))
    height = np.float32(rng.lognormal(3.0, 1.3))
    eeg[site, start:stop] += height * coloured(lambda hz: 0.3 / (0.3 + hz) + 0.01, 1, count, rng)[0]
    if kind > 0.5:
        eeg[site, start:stop] += height * np.float32(rng.uniform(1, 6)) * _mains(count, rng)
    if kind > 0.8:  # telegraph signal
        flips = np.searchsorted(at_random(count, rng.uniform(2, 30), rng), seconds(count)) % 2
        eeg[site, start:stop] += smooth(flips.astype(np.float32), 0.02) * np.float32(rng.normal(0, 600))


def add_pop(eeg: Array, site: int, at_s: float, rng: np.random.Generator) -> None:
    """An electrode pop: a step of one channel that decays."""
    start = int(at_s * EEG_RATE_HZ)
    count = min(eeg.shape[1] - start, 4 * EEG_RATE_HZ)
    decay = np.exp(-seconds(count) / rng.uniform(0.05, 0.6))
    eeg[site, start : start + count] += (rng.choice((-1, 1)) * rng.lognormal(4.8, 0.8) * decay).astype(np.float32)


def _repeat_pops(eeg: Array, rng: np.random.Generator) -> None:
    """One electrode that pops again and again for a while: a mimic of lateralised discharges."""
    site, start = int(rng.integers(len(eeg))), rng.uniform(0, eeg.shape[1] / EEG_RATE_HZ - 10)
    for at in start + np.cumsum(rng.gamma(2, rng.uniform(0.3, 2), int(rng.integers(5, 60)))):
        if at < eeg.shape[1] / EEG_RATE_HZ - 1:
            add_pop(eeg, site, float(at), rng)
