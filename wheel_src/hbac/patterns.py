"""Simulated scalp EEG: the six patterns of the competition over an ordinary background, in microvolts.

A first form: recognisable patterns, not a model of the brain. Every signal is a few sources, each with a place, a
smooth field over the 19 electrodes and a lag, so that the patterns spread and travel as volume conduction makes them.
Names and ranges follow the ACNS critical care EEG terminology (2021), https://doi.org/10.1097/WNP.0000000000000806.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft, signal

from hbac.competition import CLASSES, EEG_RATE_HZ, ELECTRODES, PAIRS

Array = npt.NDArray[np.float32]

# Spherical angles in degrees (inclination, azimuth) as BESA gives them: left and midline; the right mirrors the left.
_ANGLES_DEG: Final = {
    "Fp1": (-92, -72),
    "F7": (-92, -36),
    "T3": (-92, 0),
    "T5": (-92, 36),
    "O1": (-92, 72),
    "F3": (-60, -51),
    "C3": (-46, 0),
    "P3": (-60, 51),
    "Fz": (46, 90),
    "Cz": (0, 0),
    "Pz": (46, -90),
}


def place(name: str, side: int = -1) -> npt.NDArray[np.float64]:
    """The place of a left or midline electrode, or with `side` 1 of its mirror image: (3,) x right, y front, z up."""
    theta, phi = np.radians(_ANGLES_DEG[name])
    return np.array([-side * np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


def _position(electrode: str) -> npt.NDArray[np.float64]:
    if electrode in _ANGLES_DEG:
        return place(electrode)
    return place(f"{electrode[:-1]}{int(electrode[-1]) - 1}", 1)  # F4 mirrors F3


_ALL: Final = np.array([_position(name) for name in ELECTRODES])  # (19, 3)
_FIRST: Final = [ELECTRODES.index(a) for a, _ in PAIRS]
_SECOND: Final = [ELECTRODES.index(b) for _, b in PAIRS]
FOCI: Final = ("F7", "T3", "T5", "F3", "C3", "P3")  # a left name stands for its mirror image as well
FAR_FIELD: Final = 0.12  # share of a source that reaches the whole head
KNEE_HZ: Final = 0.9  # the background is flat below
RAMP_S: Final = 1.5  # onset and end of a stretch
AUDIBLE: Final = 0.12  # a pattern with less weight than this is not in the signal at all


@dataclass(frozen=True)
class Patient:
    """What stays the same in all recordings of one patient."""

    side: int  # of the focus: -1 left, +1 right
    focus: str  # one of FOCI
    delta_log_power: float  # background, median over 1 to 4 Hz of log(uV^2/Hz) in bipolar pairs
    slope: float  # of the background's log power over log frequency
    focal_slowing: float  # how much more slow background the side of the focus has
    theta: float  # amplitude against the background's own, as is `alpha`
    alpha: float
    alpha_hz: float
    asleep: bool  # spindles, otherwise blinks
    periodic_hz: float
    rhythmic_hz: float
    strength: float  # of the pattern, factor on its usual amplitude
    muscle: float  # bursts a minute
    heart_hz: float


@dataclass(frozen=True)
class Episode:
    """A stretch of a recording: from when to when, and how much of each class is in it (six weights, sum 1)."""

    start_s: float
    stop_s: float
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Source:
    """A place on the unit sphere with the width of its field, its share of the wave and its lag."""

    place: npt.NDArray[np.float64]
    spread_rad: float
    gain: float = 1.0
    lag_s: float = 0.0


def draw_patient(rng: np.random.Generator, lateralised: bool) -> Patient:
    """A patient; one with `lateralised` patterns nearly always has slowing on the side of the focus too."""
    return Patient(
        side=int(rng.choice((-1, 1))),
        focus=str(rng.choice(FOCI)),
        delta_log_power=float(np.clip(rng.normal(2.1, 0.55), 0.8, 3.6)),
        slope=float(rng.uniform(2.1, 2.9)),
        focal_slowing=float(rng.uniform(0.05, 0.3) * (rng.random() < (0.9 if lateralised else 0.1))),
        theta=float(rng.uniform(0.1, 0.8)),
        alpha=float(rng.uniform(0.0, 0.8)),
        alpha_hz=float(rng.uniform(7.5, 10.5)),
        asleep=bool(rng.random() < 0.5),
        periodic_hz=float(rng.uniform(0.6, 1.9)),
        rhythmic_hz=float(rng.uniform(1.1, 2.8)),
        strength=float(np.clip(rng.lognormal(0.0, 0.2), 0.65, 1.5)),
        muscle=float(rng.exponential(1.0)),
        heart_hz=float(rng.uniform(60, 100) / 60),
    )


def synthesise(
    duration_s: int, episodes: Sequence[Episode], patient: Patient, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """One continuous referential recording.

    Args:
        duration_s: its length.
        episodes: where which pattern is, in seconds from its start; the rest is background.
        patient: who it is.
        rng: draws everything else.

    Returns:
        (200 * duration_s, 20) float32 microvolts, columns in the order of `competition.EEG_COLUMNS`.
    """
    samples = duration_s * EEG_RATE_HZ
    eeg = _background(samples, patient, rng)  # (samples, 19)
    for episode in episodes:
        _add_episode(eeg, episode, patient, rng)
    _add_transients(eeg, patient, rng)
    _add_artefacts(eeg, patient, rng)
    return np.column_stack([eeg, _heart(samples, patient, rng)])


# Fields and waves


def field(source: Source) -> Array:
    """How strongly each electrode sees a source: (19,) float32, at most 1, falling off with the angle between them."""
    angle = np.arccos(np.clip(_ALL @ source.place, -1, 1))
    near = np.exp(-0.5 * (angle / source.spread_rad) ** 2)
    far = np.exp(-0.5 * (angle / 2.0) ** 2)
    return ((1 - FAR_FIELD) * near + FAR_FIELD * far).astype(np.float32)


def _over_head(wave: Array, sources: Sequence[Source]) -> Array:
    """(samples,) to (samples, 19): one wave, seen through each source with its lag."""
    waves = np.stack([_lagged(wave, source.lag_s) * np.float32(source.gain) for source in sources], axis=1)
    return waves @ np.stack([field(source) for source in sources])


def _lagged(wave: Array, lag_s: float) -> Array:
    lag = round(lag_s * EEG_RATE_HZ)
    return np.concatenate([np.zeros(lag, wave.dtype), wave[: len(wave) - lag]])


def _coloured(shape: Callable[[npt.NDArray], npt.NDArray], count: int, samples: int, rng: np.random.Generator) -> Array:
    """(count, samples) noise with the two-sided power density `shape(hz)` in uV^2/Hz, made by one inverse FFT."""
    length = fft.next_fast_len(samples, real=True)
    hz = fft.rfftfreq(length, 1 / EEG_RATE_HZ)
    scale = np.sqrt(shape(hz) * EEG_RATE_HZ * length / 2).astype(np.float32)
    parts = rng.standard_normal((count, len(hz), 2), dtype=np.float32)
    return fft.irfft(parts.view(np.complex64)[..., 0] * scale, length, axis=-1)[:, :samples]


def _slow(samples: int, every_s: float, rng: np.random.Generator) -> Array:
    """(samples,) of unit variance at knots `every_s` apart, straight between them: for what waxes and wanes."""
    knots = int(samples / EEG_RATE_HZ / every_s) + 2
    at = np.arange(samples) / (EEG_RATE_HZ * every_s)
    return np.interp(at, np.arange(knots), rng.standard_normal(knots)).astype(np.float32)


def _bumps(parts: Sequence[tuple[float, float, float]]) -> Array:
    """A sum of Gaussian bumps (height, centre_s, width_s) on a time axis from -0.5 to 1 s, peak 1."""
    t = np.arange(-0.5, 1.0, 1 / EEG_RATE_HZ)
    wave = sum(height * np.exp(-0.5 * ((t - centre) / width) ** 2) for height, centre, width in parts)
    return (wave / np.abs(wave).max()).astype(np.float32)


def _train(samples: int, at_s: npt.NDArray, template: Array, spread: float, rng: np.random.Generator) -> Array:
    """(samples,) with `template` (from `_bumps`) at each time of `at_s`, its heights log-normal with `spread`."""
    at = (at_s * EEG_RATE_HZ).astype(int)
    at = at[(at >= 0) & (at < samples)]
    impulses = np.zeros(samples, np.float32)
    impulses[at] = rng.lognormal(0, spread, len(at))
    return signal.oaconvolve(impulses, template)[EEG_RATE_HZ // 2 :][:samples].astype(np.float32)


def _periodic(samples: int, hz: float, jitter: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Times in seconds of events at `hz`, each interval off by `jitter` (a share of it, one standard deviation)."""
    count = int(samples / EEG_RATE_HZ * hz * 1.5) + 2
    gaps = np.clip(rng.normal(1, jitter, count), 0.4, 1.8) / hz
    return np.cumsum(gaps) - gaps[0] * rng.random()


# The patterns: (samples, 19) float32 with a peak near 1 where they are strongest


def _seizure(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    """Rhythmic and evolving: slower, larger and wider from its onset to its abrupt end."""
    course = np.linspace(0, 1, samples, dtype=np.float32)
    first, last = rng.uniform(4.5, 7.0), rng.uniform(1.6, 2.6)
    hz = first * (last / first) ** course * (1 + 0.05 * _slow(samples, 1.0, rng))
    phase = 2 * np.pi * np.cumsum(hz) / EEG_RATE_HZ
    wave = (np.sin(phase) + 0.5 * np.sin(2 * phase + 0.8) + 0.25 * np.sin(3 * phase + 1.6)).astype(np.float32)
    wave *= np.minimum(1, 0.35 + 1.5 * course) * (1 + 0.15 * _slow(samples, 2.0, rng))
    spread = np.clip((course - rng.uniform(0.05, 0.3)) / 0.25, 0, 1)  # how far it has reached the rest of the head
    reach = rng.uniform(0.3, 1.0)  # a small one stays focal
    here = Source(place(patient.focus, patient.side), 0.75)
    there = Source(place(patient.focus, -patient.side), 0.75, reach, 0.03)
    middle = Source(place("Fz"), 0.8, 0.6 * reach, 0.02)
    return 0.7 * (_over_head(wave, [here]) + _over_head(wave * spread, [there, middle]))


def _lpd(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    """Sharp discharges of one hemisphere at nearly regular intervals, each with a slow wave after it."""
    width = rng.uniform(0.022, 0.035)
    parts = [(-1, 0, width), (0.6, 2.8 * width, 1.5 * width), (-0.5, 0.28, 0.09)]
    at = _periodic(samples, patient.periodic_hz * rng.uniform(0.9, 1.1), 0.08, rng)
    wave = _train(samples, at, _bumps(parts), 0.2, rng)
    return _over_head(wave, _hemisphere(patient, 0.02))


def _gpd(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    """Triphasic discharges of the whole head, largest in front, with a lag front to back."""
    width = rng.uniform(0.035, 0.055)
    parts = [(-0.4, -2.2 * width, 0.7 * width), (1, 0, width), (-0.65, 3.2 * width, 1.8 * width)]
    at = _periodic(samples, 1.2 * patient.periodic_hz * rng.uniform(0.9, 1.1), 0.08, rng)
    wave = _train(samples, at, _bumps(parts), 0.15, rng)
    return _over_head(wave, _whole_head(rng.uniform(0.06, 0.12), back=0.7))


def _lrda(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    """Rhythmic delta of one hemisphere, without sharp discharges."""
    return _over_head(_rhythm(samples, patient, rng), _hemisphere(patient, 0.03))


def _grda(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    """Rhythmic delta of both hemispheres, frontally predominant."""
    return _over_head(_rhythm(samples, patient, rng), _whole_head(rng.uniform(0.03, 0.08), back=0.35))


PATTERNS: Final = {"seizure": _seizure, "lpd": _lpd, "gpd": _gpd, "lrda": _lrda, "grda": _grda}  # "other" is none
AMPLITUDE_UV: Final = {"seizure": 180.0, "lpd": 170.0, "gpd": 180.0, "lrda": 115.0, "grda": 145.0}


def _rhythm(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    hz = patient.rhythmic_hz * rng.uniform(0.92, 1.08) * (1 + 0.06 * _slow(samples, 1.5, rng))
    phase = 2 * np.pi * np.cumsum(hz) / EEG_RATE_HZ
    wave = np.sin(phase) + 0.25 * np.sin(2 * phase + rng.uniform(0, 2 * np.pi))
    return (wave * np.clip(1 + 0.2 * _slow(samples, 2.5, rng), 0.4, 1.6)).astype(np.float32)


def _hemisphere(patient: Patient, lag_s: float) -> list[Source]:
    """The focus, and the rest of its hemisphere a little later."""
    rest = [name for name in ("F7", "C3", "T5") if name != patient.focus]
    spread = [Source(place(name, patient.side), 0.7, 0.35, lag_s) for name in rest]
    return [Source(place(patient.focus, patient.side), 0.6), *spread]


def _whole_head(lag_s: float, back: float) -> list[Source]:
    """Front, middle and back of both sides, each later and, towards `back`, weaker than the one before."""
    rows = (("F3", 1.0, 0.0), ("C3", (1 + back) / 2, 0.5), ("O1", back, 1.0))
    return [Source(place(name, side), 0.55, 0.6 * gain, lag_s * lag) for name, gain, lag in rows for side in (-1, 1)]


def _add_episode(eeg: Array, episode: Episode, patient: Patient, rng: np.random.Generator) -> None:
    """The patterns of one episode, each as strong as its weight says, with an onset and an end."""
    start, stop = (round(np.clip(s * EEG_RATE_HZ, 0, len(eeg))) for s in (episode.start_s, episode.stop_s))
    samples = stop - start
    if samples < EEG_RATE_HZ:
        return
    ramp = np.minimum(np.arange(samples), np.arange(samples)[::-1]) / (RAMP_S * EEG_RATE_HZ)
    envelope = np.sin(np.pi / 2 * np.minimum(ramp, 1)).astype(np.float32)[:, None] ** 2
    level = patient.strength * np.exp((patient.delta_log_power - 2.3) / 2)  # a large brain wave on a large background
    for kind, weight in zip(CLASSES, episode.weights):
        if kind in PATTERNS and weight >= AUDIBLE:
            height_uv = AMPLITUDE_UV[kind] * level * np.sqrt(weight)
            eeg[start:stop] += np.float32(height_uv) * envelope * PATTERNS[kind](samples, patient, rng)


# The background, and what is not brain


def _background(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    """(samples, 19): 1/f noise, diffuse theta and posterior alpha, each waxing and waning, louder over the focus."""
    broad = np.stack([field(Source(position, 0.45)) for position in _ALL])  # (19 sources, 19)
    broad /= np.sqrt(((broad[:, _FIRST] - broad[:, _SECOND]) ** 2).sum(axis=0).mean())  # unit power in bipolar pairs
    level = np.exp(patient.delta_log_power + 0.8) * (KNEE_HZ**2 + 2**2) ** (
        patient.slope / 2
    )  # 0.8: from the mean power to the median log
    rest = (1 + patient.focal_slowing * np.clip(patient.side * _ALL[:, 0] * 2, -1, 1)).astype(np.float32)
    slow = _coloured(lambda hz: level / (KNEE_HZ**2 + hz**2) ** (patient.slope / 2), len(_ALL), samples, rng)
    eeg = (slow.T @ broad) * rest * np.exp(0.25 * _slow(samples, 20, rng))[:, None]
    rhythms = (
        (patient.theta, 6.0, 1.2, ("F3", "C3", "P3")),
        (patient.alpha, patient.alpha_hz, 0.8, ("O1", "P3", "T5")),
    )
    for gain, centre_hz, width_hz, names in rhythms:
        sources = np.stack([field(Source(place(name, side), 0.5)) for name in names for side in (-1, 1)])
        power = gain**2 * 4 * np.exp(patient.delta_log_power - 1.5)
        peak = partial(_peak, power=power, centre_hz=centre_hz, width_hz=width_hz)
        eeg += (_coloured(peak, len(sources), samples, rng).T @ sources) * np.exp(0.4 * _slow(samples, 8, rng))[:, None]
    return eeg


def _peak(hz: npt.NDArray, power: float, centre_hz: float, width_hz: float) -> npt.NDArray:
    return power * np.exp(-0.5 * ((hz - centre_hz) / width_hz) ** 2)


def _add_transients(eeg: Array, patient: Patient, rng: np.random.Generator) -> None:
    """Sleep spindles over the vertex in one who sleeps, blinks in one who does not."""
    samples = len(eeg)
    if not patient.asleep:
        blink = _train(samples, _periodic(samples, 0.15, 0.5, rng), _bumps([(1, 0, 0.09), (-0.2, 0.3, 0.1)]), 0.3, rng)
        eeg += 70 * _over_head(blink, [Source(place("Fp1", side), 0.35) for side in (-1, 1)])
        return
    bursts = _train(samples, _periodic(samples, 0.1, 0.4, rng), _bumps([(1, 0, 0.3)]), 0.3, rng)
    hz = 13 + 0.5 * _slow(samples, 3, rng)
    spindles = bursts * np.sin(2 * np.pi * np.cumsum(hz) / EEG_RATE_HZ).astype(np.float32)
    eeg += 18 * _over_head(spindles, [Source(place("Cz"), 0.5)])


def _add_artefacts(eeg: Array, patient: Patient, rng: np.random.Generator) -> None:
    """Electrode offsets, drift, amplifier noise, mains hum, bursts of muscle and movement, electrode pops."""
    samples, channels = eeg.shape
    minutes = samples / EEG_RATE_HZ / 60
    t = np.arange(samples) / EEG_RATE_HZ
    eeg += rng.normal(0, 20, channels).astype(np.float32)  # against the reference
    eeg += _coloured(lambda hz: 0.02 + 100 * (hz < 0.3) / (0.03 + hz), channels, samples, rng).T
    eeg += np.outer(np.sin(2 * np.pi * 60 * t), rng.normal(0, 1.5, channels)).astype(np.float32)
    for _ in range(rng.poisson(patient.muscle * minutes)):
        _add_burst(eeg, lambda hz: 1.5 * (hz > 12) * np.minimum(1, hz / 30), 0.6, rng)
    for _ in range(rng.poisson(0.3 * minutes)):
        _add_burst(eeg, lambda hz: 1500 / (1 + hz**2) ** 1.2, 1.2, rng)
    for channel in rng.integers(0, channels, rng.poisson(0.15 * minutes)):
        start = int(rng.integers(samples))
        decay = np.exp(-np.arange(min(samples - start, 4 * EEG_RATE_HZ)) / (rng.uniform(0.1, 0.5) * EEG_RATE_HZ))
        eeg[start : start + len(decay), channel] += (rng.normal(0, 250) * decay).astype(np.float32)


def _add_burst(
    eeg: Array, shape: Callable[[npt.NDArray], npt.NDArray], spread_rad: float, rng: np.random.Generator
) -> None:
    """A few seconds of noise that is not brain, somewhere in front or at a temple, different at every electrode."""
    start = int(rng.integers(len(eeg) - EEG_RATE_HZ))
    stop = min(len(eeg), start + int(rng.uniform(1, 6) * EEG_RATE_HZ))
    burst = _coloured(shape, eeg.shape[1], stop - start, rng).T  # (samples, 19)
    where = field(Source(place(str(rng.choice(("F7", "T3", "Fp1"))), int(rng.choice((-1, 1)))), spread_rad))
    course = np.hanning(stop - start).astype(np.float32)[:, None]
    eeg[start:stop] += burst * where * course * np.float32(rng.uniform(0.5, 2))


def _heart(samples: int, patient: Patient, rng: np.random.Generator) -> Array:
    """(samples,): the EKG channel."""
    beat = _bumps([(0.12, -0.16, 0.025), (-0.15, -0.03, 0.01), (1, 0, 0.012), (-0.25, 0.03, 0.012), (0.25, 0.25, 0.05)])
    beats = _train(samples, _periodic(samples, patient.heart_hz, 0.03, rng), beat, 0.03, rng)
    noise = _coloured(lambda hz: 0.3 / (0.1 + hz), 1, samples, rng)[0]
    return rng.uniform(250, 900) * beats + noise + np.float32(rng.normal(0, 20))
