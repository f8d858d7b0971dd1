"""What a window of an undamaged recording never shows: another unit, frozen or copied electrodes, values off the grid.

The host's files hold two decimals, and so do the simulated ones: a flipped bit in a float32 below 1,000 leaves that grid
in all but one case of a hundred or more. The limits lie far outside what the seven real records and the simulated ones
show (typical EEG amplitudes of 10 to 65 uV with outliers to 10,743 uV, median power of 0.2 to 6 with outliers to 1.3e7).
The answer stays what it is.
"""

import numpy as np
import numpy.typing as npt

from hbac.competition import CHAINS, EEG_RATE_HZ, ELECTRODES

Values = npt.NDArray[np.float32]

EEG_TYPICAL_UV = (0.1, 5e3)  # median distance from the median
EEG_LARGEST_UV = 1e5
POWER_TYPICAL = (1e-3, 1e5)  # median
POWER_LARGEST = 1e10
FROZEN_SHARE = 0.01  # of the rows that may repeat the one before
OFF_GRID_SHARE = 0.05  # more off the grid: it was never on it
EXACT_BELOW = 4e4  # hundredths below 2**22: float32 finds them by a product and a quotient, both rounded


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
    exact: npt.NDArray[np.floating] = values.astype(dtype, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):  # of signalling NaNs
        nearest = (np.rint(exact * 100) / 100).astype(np.float32, copy=False)
    missing = np.count_nonzero(np.isnan(values))
    count = np.count_nonzero(nearest != values) - missing
    enough = OFF_GRID_SHARE * (values.size - missing)
    return [f"{what}: {count} values with more than two decimals"] if 0 < count <= enough else []
