"""Signs of damage in files that pyarrow reads without an error; the answer stays what it is.

`implausible_eeg`, `implausible_power`: what a window of an undamaged recording never shows: another unit, frozen or
copied electrodes, values off the grid.
The host's files hold two decimals, and so do the simulated ones: a flipped bit in a float32 below 1,000 leaves that grid
in all but one case of a hundred or more. The limits lie far outside what the seven real records and the simulated ones
show (typical EEG amplitudes of 10 to 65 uV with outliers to 10,743 uV, median power of 0.2 to 6 with outliers to 1.3e7).

`disagreement`: whether an EEG and its spectrogram speak of the same seconds. The host made its spectrograms from these
EEGs; rebuilt from a whole 50 s window, all 18 rows away from its edges agree with the host's file within max(0.0051, 1 %)
on every cell of the 43 genuine windows at hand. What lies far outside that is damage to one of the files, or two files
that do not belong together. Nobody can tell which of them is right.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, signal

from hbac.hms import (
    CHAINS,
    EEG_RATE_HZ,
    EEG_START_IN_SPECTROGRAM_S,
    EEG_WINDOW,
    ELECTRODES,
    PAIRS_PER_CHAIN,
    SPECTROGRAM_STEP_S,
)
from hbac.preprocessing.montage import bipolar, bridge_gaps
from hbac.preprocessing.multitaper import FRAME, MAINS_HZ, STEP, TAPERS, WINDOW_ROWS, filters, projection

Values = npt.NDArray[np.float32]

EEG_TYPICAL_UV = (0.1, 5e3)  # median distance from the median
EEG_LARGEST_UV = 1e5
POWER_TYPICAL = (1e-3, 1e5)  # median
POWER_LARGEST = 1e10
FROZEN_SHARE = 0.01  # of the rows that may repeat the one before
OFF_GRID_SHARE = 0.05  # more off the grid: it was never on it
EXACT_BELOW = 4e4  # hundredths below 2**22: float32 finds them by a product and a quotient, both rounded
EDGE_ROWS = 3  # rows at each edge of an EEG that the host's filter, which saw more of it, gave otherwise
KEPT_EVERY = (
    2  # of every so many samples one is kept for `inner_rows`; 50 Hz is above all that the host's filter leaves
)
REACH_SAMPLES = 10  # kept samples beyond both ends of a frame that its interpolation takes
DISAGREEING_SHARE, DISAGREEING_POWER = (
    0.05,
    0.02,
)  # a cell disagrees beyond the larger of this share and this power; files have two decimals
ROUNDING_LENGTHS = 2.0  # of 7,200 cells of some 20 degrees of freedom each the longest noise is 1.7 times the typical
FIRST_COMPARED_ROW = (
    EEG_START_IN_SPECTROGRAM_S + SPECTROGRAM_STEP_S // 2
) // SPECTROGRAM_STEP_S + EDGE_ROWS  # the first judged: 141


def implausible_eeg(eeg_uv: Values) -> list[str]:
    """One note for each thing that is wrong with a window.

    Args:
        eeg_uv: (samples, 19) microvolts, NaN where missing.
    """
    notes = _typical("EEG", _spread(eeg_uv[::10]), EEG_TYPICAL_UV, " uV") + _too_large(
        "EEG", eeg_uv, EEG_LARGEST_UV, " uV"
    )
    enough = np.isfinite(eeg_uv).sum(axis=0) >= EEG_RATE_HZ
    low, high = np.fmin.reduce(eeg_uv), np.fmax.reduce(eeg_uv)  # (19,)
    constant = enough & (low == high)
    if constant.any():
        notes.append(f"EEG: constant: {', '.join(name for name, is_so in zip(ELECTRODES, constant) if is_so)}")
    seen: dict[bytes, str] = {}
    for j in np.flatnonzero(enough & ~constant):
        first = seen.setdefault(eeg_uv[:, j].tobytes(), ELECTRODES[j])
        if first != ELECTRODES[j]:
            notes.append(f"EEG: the same values in {first} and {ELECTRODES[j]}")
    return notes + _frozen("EEG", eeg_uv) + _holes("EEG", eeg_uv) + _off_grid("EEG", eeg_uv)


def implausible_power(power: Values) -> list[str]:
    """One note for each thing that is wrong with a window.

    Args:
        power: (rows, 400) linear power, NaN where missing.
    """
    finite = power[np.isfinite(power)]
    notes = _typical("spectrogram", float(np.median(finite)) if finite.size else 0.0, POWER_TYPICAL, "")
    notes += _too_large("spectrogram", power, POWER_LARGEST, "")
    chains = power.reshape(len(power), len(CHAINS), -1)
    for j, name in enumerate(CHAINS):
        values = chains[:, j][np.isfinite(chains[:, j])]
        if values.size and values.min() == values.max():
            notes.append(f"spectrogram: constant: {name}")
    return notes + _frozen("spectrogram", power) + _holes("spectrogram", power) + _off_grid("spectrogram", power)


def _spread(values: Values) -> float:
    present = values[:, np.isfinite(values).any(axis=0)]
    return float(np.nanmedian(np.abs(present - np.nanmedian(present, axis=0)))) if present.size else 0.0


def _typical(what: str, typical: float, limits: tuple[float, float], unit: str) -> list[str]:
    low, high = limits
    return [] if low <= typical <= high else [
        f"{what}: expected typical values of {low:g} to {high:g}{unit}, received {typical:.3g}: another unit?"
    ]  # fmt: skip


def _too_large(what: str, values: Values, limit: float, unit: str) -> list[str]:
    count = np.count_nonzero(np.abs(values) > limit)
    return [f"{what}: {count} values beyond {limit:g}{unit}"] if count else []


def _frozen(what: str, values: Values) -> list[str]:
    count = np.count_nonzero((values[1:] == values[:-1]).all(axis=1))
    return [f"{what}: {count} rows repeat the row before"] if count > FROZEN_SHARE * len(values) else []


def _holes(what: str, values: Values) -> list[str]:
    """Missing values come in whole rows, or in whole columns that a file has not."""
    there = np.isfinite(values)
    there = there[:, there.any(axis=0)]
    count = np.count_nonzero(there.any(axis=1) & ~there.all(axis=1))
    return [f"{what}: {count} rows with only some of their values"] if count else []


def _off_grid(what: str, values: Values) -> list[str]:
    largest = np.fmax.reduce(np.abs(values), axis=None)
    dtype = np.float32 if largest < EXACT_BELOW else np.float64  # three times the time
    exact: npt.NDArray[np.floating[Any]] = values.astype(dtype, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):  # of signalling NaNs
        nearest = (np.rint(exact * 100) / 100).astype(np.float32, copy=False)
    missing = np.count_nonzero(np.isnan(values))
    count = np.count_nonzero(nearest != values) - missing
    enough = OFF_GRID_SHARE * (values.size - missing)
    return [f"{what}: {count} values with more than two decimals"] if 0 < count <= enough else []


def inner_rows(eeg_uv: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows 3 to 20 of `host_spectrogram` for a 50 s window, in a fifth of the time and within 0.5 %.

    The filters are applied in one transform, which drops what lies above 50 Hz, and a frame is taken from every second
    sample, by a matrix that interpolates those between: the leak of slow waves into fast bins stays the host's. The
    circle's seam lies where rows are left out. Largest difference on 44 genuine and 24 simulated windows: 0.42 %.

    Args:
        eeg_uv: (10000, 19 or more) microvolts, as for `host_spectrogram`.

    Returns:
        (18, 400) float32 linear power; means nothing where a frame touches a gap.
    """
    gain, projection = _inner_plan()
    bridged, _ = bridge_gaps(eeg_uv[:, : len(ELECTRODES)])
    pairs = bipolar(bridged)  # (16, 10000)
    ends = (pairs[:, :EEG_RATE_HZ].mean(axis=1), pairs[:, -EEG_RATE_HZ:].mean(axis=1))
    pairs -= np.linspace(*ends, EEG_WINDOW, dtype=np.float32, axis=1)  # so that the end meets the start
    kept = fft.irfft(fft.rfft(pairs)[:, : len(gain)] * gain, EEG_WINDOW // KEPT_EVERY)  # (16, 5000)
    frames = np.lib.stride_tricks.sliding_window_view(
        kept[:, EDGE_ROWS * STEP // KEPT_EVERY - REACH_SAMPLES :], len(projection), axis=1
    )
    frames = frames[:, :: STEP // KEPT_EVERY][:, : WINDOW_ROWS - 2 * EDGE_ROWS]  # (16, 18, 420)
    parts = frames.reshape(-1, len(projection)) @ projection  # (16 * 18, 3 * 100 * 2)
    power = np.square(parts, out=parts).reshape(len(CHAINS), PAIRS_PER_CHAIN, frames.shape[1], TAPERS, -1, 2)
    rows: Values = (
        (power.sum(axis=(1, 3, 5)) / (TAPERS * PAIRS_PER_CHAIN)).transpose(1, 0, 2).reshape(frames.shape[1], -1)
    )
    return rows


@cache
def _inner_plan() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What `inner_rows` multiplies by: the filters up to 50 Hz, and `_projection` for every second sample."""
    hz = np.arange(EEG_WINDOW // KEPT_EVERY // 2 + 1) * EEG_RATE_HZ / EEG_WINDOW
    gain = np.full(len(hz), 1 / KEPT_EVERY)
    for b, a in filters(MAINS_HZ):
        gain *= np.abs(signal.freqz(b, a, hz, fs=EEG_RATE_HZ)[1]) ** 2  # there and back
    gain[-1] = 0.0  # at its half rate a transform holds no phase
    padded = np.pad(projection(), ((REACH_SAMPLES * KEPT_EVERY, REACH_SAMPLES * KEPT_EVERY), (0, 0)))
    return gain.astype(np.float32), (KEPT_EVERY * signal.resample_poly(padded, 1, KEPT_EVERY, axis=0)).astype(
        np.float32
    )


def disagreement(
    eeg_uv: npt.NDArray[np.float32], power: npt.NDArray[np.float32], odd_start: bool = False
) -> tuple[str, ...]:
    """One note that names where the labelled windows of the two files disagree, or none.

    Args:
        eeg_uv: (10000, 19) microvolts, NaN where missing, as `records.crop_eeg` gives them.
        power: (300, 400) linear power, NaN where missing, as `records.crop_spectrogram` gives it.
        odd_start: the windows start at an odd second of the recording: rows are of 2 s, and the first starts a second
            before.
    """
    first = FIRST_COMPARED_ROW
    if odd_start:  # frames that start with rows: a second later
        first += 1
        eeg_uv = np.concatenate([eeg_uv[EEG_RATE_HZ:], np.full_like(eeg_uv[:EEG_RATE_HZ], np.nan)])
    judged = _away_from_gaps(eeg_uv)  # (18,)
    if not judged.any():
        return ()
    rebuilt = inner_rows(eeg_uv)  # (18, 400)
    host = power[first : first + len(rebuilt)]
    if _is_whole(power):
        host = np.clip(rebuilt, np.maximum(host - 0.5, 0), host + 0.5)  # what may have been rounded to it
    apart = np.abs(rebuilt - host) > np.maximum(
        DISAGREEING_POWER, DISAGREEING_SHARE * np.maximum(rebuilt, host)
    )  # NaN is not apart
    if step := _step(eeg_uv):
        apart &= np.abs(np.sqrt(rebuilt) - np.sqrt(host)) > _rounding(step)
    wrong = (apart & judged[:, None]).reshape(len(rebuilt), len(CHAINS), -1).any(axis=2)  # (18, 4)
    if not wrong.any():
        return ()
    rows = np.flatnonzero(wrong.any(axis=1))
    seconds = SPECTROGRAM_STEP_S * (first + rows[[0, -1]]) + 1
    chains = ", ".join(name for name, there in zip(CHAINS, wrong.any(axis=0)) if there)
    return (
        f"EEG and spectrogram disagree between {seconds[0]} and {seconds[1]} s in {chains}: "
        "one of the two files is damaged, or they are not of the same recording",
    )


def _rounding(step: float) -> npt.NDArray[np.float64]:
    """What numbers that are `step` uV apart may change in the root of each cell's power, (400,).

    Rounding adds white noise of variance step**2 / 12 to an electrode, to a pair twice that. A root of power is the
    length of a vector, and cannot change by more than the noise's: `ROUNDING_LENGTHS` of its typical length.
    """
    return np.tile(ROUNDING_LENGTHS * np.sqrt(_noise_of_pairs() * 2 * step**2 / 12), len(CHAINS))


def _step(eeg_uv: Values) -> float:
    """Typical distance between neighbouring numbers: 1 where all are whole, float16's where all are such, else 0."""
    if _is_whole(eeg_uv):
        return 1.0
    few = eeg_uv[:EEG_RATE_HZ]
    for values in (few, eeg_uv):  # as a rule the first second settles it
        with np.errstate(over="ignore"):
            if not np.array_equal(values.astype(np.float16), values, equal_nan=True):
                return 0.0
    steps = np.spacing(np.abs(eeg_uv[np.isfinite(eeg_uv)]).astype(np.float16)).astype(np.float64)
    return float(np.sqrt(np.mean(steps**2))) if steps.size else 0.0


def _is_whole(values: Values) -> bool:
    """Whether all numbers are whole."""
    return all(np.array_equal(np.rint(some), some, equal_nan=True) for some in (values[:1], values))


@cache
def _noise_of_pairs() -> npt.NDArray[np.float64]:
    """(100,) power that white noise of variance 1 in each pair has in each bin, before the filters."""
    gains = np.square(projection()).sum(axis=0).reshape(TAPERS, -1, 2)
    power: npt.NDArray[np.float64] = gains.sum(axis=(0, 2)) / TAPERS
    return power


def _away_from_gaps(eeg_uv: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """(18,) whether the frame of a judged row lies `EDGE_ROWS` rows and more from missing samples, as it does from the ends."""
    missing = ~np.isfinite(eeg_uv[:, : len(ELECTRODES)]).all(axis=1)  # (samples,)
    before = np.concatenate([[0], np.cumsum(missing)])
    starts = STEP * np.arange(WINDOW_ROWS - 2 * EDGE_ROWS)
    away: npt.NDArray[np.bool_] = before[starts + 2 * EDGE_ROWS * STEP + FRAME] == before[starts]
    return away
