"""What simulated signals are made of: coloured noise, slow wandering, trains of events, rhythms of any waveform."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from hbac.hms import EEG_RATE_HZ

Array = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]
Shape = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
CYCLE_POINTS = 256  # points of one cycle of a waveform


def seconds(samples: int) -> npt.NDArray[np.float64]:
    """(samples,) the time of each sample."""
    return np.arange(samples) / EEG_RATE_HZ


def coloured(
    power: Shape,
    count: int,
    samples: int,
    rng: np.random.Generator,
    below_hz: float = EEG_RATE_HZ / 2,
    mixing: Array | None = None,
    lags_s: npt.NDArray[Any] | None = None,
) -> Array:
    """Gaussian noise with the one-sided power density `power(hz)` in uV^2/Hz, made by one inverse FFT.

    Args:
        power: density at frequencies (bins,) in Hz.
        count: independent noises.
        samples: their length.
        rng: draws them.
        below_hz: nothing is made above; the lower, the faster.
        mixing: (channels, count), which makes channels of the noises.
        lags_s: (channels,) how much later each channel sees them.

    Returns:
        (count or channels, samples) float32 microvolts.
    """
    length = fft.next_fast_len(samples + 1, real=True)
    bins = min(length // 2, int(np.ceil(below_hz * length / EEG_RATE_HZ))) + 1
    hz = np.arange(bins) * EEG_RATE_HZ / length
    scale = np.sqrt(np.maximum(power(hz), 0) * EEG_RATE_HZ * length / 4).astype(np.float32)
    parts = rng.standard_normal((count, bins, 2), dtype=np.float32).view(np.complex64)[..., 0]
    if mixing is not None:
        parts = mixing.astype(np.complex64) @ parts
    parts *= scale
    if lags_s is not None:
        parts *= np.exp(-2j * np.pi * np.outer(lags_s, hz)).astype(np.complex64)
    result: Array = fft.irfft(parts, length, axis=-1)[:, :samples]
    return result


def wander(samples: int, every_s: float, rng: np.random.Generator) -> Array:
    """(samples,) of about unit variance at knots `every_s` apart, straight between them: for what waxes and wanes."""
    knots = int(samples / EEG_RATE_HZ / every_s) + 2
    at = np.arange(samples) / (EEG_RATE_HZ * every_s)
    return np.interp(at, np.arange(knots), rng.standard_normal(knots)).astype(np.float32)


def interpolated(elapsed: npt.NDArray[Any], at: Sequence[float], values: Sequence[float]) -> Array:
    """(samples,) straight lines between values at shares (0 to 1) of an event's length, `elapsed` (samples,)."""
    return np.interp(elapsed, at, values).astype(np.float32)


def edges(samples: int, rise_s: float, fall_s: float) -> Array:
    """(samples,) from 0 to 1 over `rise_s`, and back to 0 over the last `fall_s`, smoothly."""
    at = np.arange(samples, dtype=np.float32) / EEG_RATE_HZ
    ramp = np.minimum(at / max(rise_s, 0.01), at[::-1] / max(fall_s, 0.01))
    result: Array = np.sin(np.pi / 2 * np.minimum(ramp, 1)) ** 2
    return result


def runs(samples: int, share: float, length_s: float, certain: float, rng: np.random.Generator) -> Array:
    """(samples,) of 0 to 1: on for about `share` of the time in runs of about `length_s`.

    With probability `certain` the middle is inside a run.
    """
    if share > 0.97:
        return np.ones(samples, np.float32)
    count = int(samples / EEG_RATE_HZ / length_s) + 4
    on = length_s * rng.lognormal(0, 0.5, count)
    off = length_s * (1 - share) / share * rng.lognormal(0, 0.5, count)
    bounds = np.cumsum(np.stack([on, off], axis=1).ravel())
    middle = samples / EEG_RATE_HZ / 2
    run = 2 * int(rng.integers(count))
    if rng.random() < certain:  # a moment inside a run comes to lie in the middle
        start = (bounds[run] - on[run // 2] * rng.uniform(0.2, 0.8)) - middle
    else:
        start = rng.uniform(0, bounds[-1])
    at = (seconds(samples) + start) % bounds[-1]
    gate = (np.searchsorted(bounds, at, side="right") % 2 == 0).astype(np.float32)
    return smooth(gate, 0.4)


def smooth(values: Array, width_s: float) -> Array:
    """Running mean over `width_s`, edges held."""
    half = max(1, round(width_s * EEG_RATE_HZ / 2))
    total = np.cumsum(np.pad(values, (half + 1, half), "edge"), dtype=np.float64)
    return ((total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1)).astype(np.float32)


def periodic(samples: int, hz: float | Array, jitter: float, rng: np.random.Generator) -> Times:
    """Times in seconds of events at `hz` (one, or one for each sample), each interval off by the share `jitter`."""
    rate = np.broadcast_to(np.asarray(hz, np.float64), samples)
    cycles = np.cumsum(rate) / EEG_RATE_HZ
    gaps = np.clip(rng.normal(1, jitter, int(cycles[-1] * 1.5) + 3), 0.35, 2.0)
    at = np.cumsum(gaps) - gaps[0] * rng.random()
    return np.interp(at[at < cycles[-1]], cycles, seconds(samples))


def at_random(samples: int, per_minute: float, rng: np.random.Generator) -> Times:
    """Times in seconds of events that know nothing of each other, ascending."""
    length_s = samples / EEG_RATE_HZ
    return np.sort(rng.uniform(0, length_s, rng.poisson(per_minute * length_s / 60)))


def bumps(
    parts: Sequence[tuple[float, float, float]], count: int, vary: float, rng: np.random.Generator, after_s: float = 1.0
) -> Array:
    """Events made of Gaussian bumps (height, centre_s, width_s), each event a little different.

    Returns:
        (count, samples from -0.5 s to `after_s`), peak about 1; `vary` is the spread of heights, centres and widths.
    """
    t = np.arange(-0.5, after_s, 1 / EEG_RATE_HZ, dtype=np.float32)
    events, plain = np.zeros((count, len(t)), np.float32), np.zeros(len(t), np.float32)
    for height, centre, width in parts:
        h = height * (1 + vary * rng.standard_normal((count, 1), dtype=np.float32))
        c = centre * (1 + 0.5 * vary * rng.standard_normal((count, 1), dtype=np.float32))
        w = width * np.exp(0.5 * vary * rng.standard_normal((count, 1), dtype=np.float32))
        events += h * np.exp(-0.5 * ((t - c) / w) ** 2)
        plain += np.float32(height) * np.exp(-0.5 * ((t - np.float32(centre)) / np.float32(width)) ** 2)
    result: Array = events / np.abs(plain).max()
    return result


def pulse_train(samples: int, at_s: Times, events: Array, before_s: float = 0.5) -> Array:
    """(samples,): each row of `events` (one for each time) added where its moment `before_s` falls on that time."""
    pad, length = 2 * EEG_RATE_HZ, events.shape[1]
    out = np.zeros(samples + 2 * pad + length, np.float32)
    for at, event in zip(np.round((at_s - before_s) * EEG_RATE_HZ).astype(int) + pad, events):
        if 0 <= at < samples + 2 * pad:
            out[at : at + length] += event
    return out[pad : pad + samples]


def cycle(parts: Sequence[tuple[float, float, float]]) -> Array:
    """(CYCLE_POINTS,) one cycle of a waveform from bumps (height, centre, width) in cycles; mean 0, peak 1."""
    phase = np.arange(CYCLE_POINTS) / CYCLE_POINTS
    wave = np.zeros(CYCLE_POINTS)
    for height, centre, width in parts:
        distance = (phase - centre + 0.5) % 1 - 0.5
        wave += height * np.exp(-0.5 * (distance / width) ** 2)
    wave -= wave.mean()
    result: Array = (wave / np.abs(wave).max()).astype(np.float32)
    return result


def harmonics(amplitudes: Sequence[float], phases: Sequence[float]) -> Array:
    """(CYCLE_POINTS,) one cycle from the amplitudes and phases (in cycles) of its harmonics; peak 1."""
    phase = np.arange(CYCLE_POINTS) / CYCLE_POINTS
    wave = sum(a * np.sin(2 * np.pi * ((k + 1) * phase + p)) for k, (a, p) in enumerate(zip(amplitudes, phases)))
    result: Array = (wave / np.abs(wave).max()).astype(np.float32)
    return result


def rhythm(hz: Array, first: Array, last: Array | None = None, phase: float | Array = 0.0) -> Array:
    """(samples,) a rhythm of the frequencies `hz`, its waveform turning from one table into another; `phase` in cycles."""
    cycles = (phase + np.cumsum(hz, dtype=np.float64) / EEG_RATE_HZ) % 1
    at = (cycles * CYCLE_POINTS).astype(np.int32) % CYCLE_POINTS
    wave: Array = first[at]
    if last is not None:
        share = np.linspace(0, 1, len(hz), dtype=np.float32)
        wave = (1 - share) * first[at] + share * last[at]
    return wave


def one_of(shares: Mapping[str, float], rng: np.random.Generator) -> str:
    """A key of `shares`, whose values sum to 1, with that probability."""
    return str(rng.choice(list(shares), p=list(shares.values())))
