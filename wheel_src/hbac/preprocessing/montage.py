"""Bipolar pairs along the competition's four chains, and gaps: bridged for filters, known afterwards."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

from hbac.hms import EEG_RATE_HZ, ELECTRODES, PAIRS

FIRST = np.array([ELECTRODES.index(a) for a, _ in PAIRS])  # (16,) index of each pair's first electrode
SECOND = np.array([ELECTRODES.index(b) for _, b in PAIRS])


def bipolar(eeg_uv: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """Differences of neighbouring electrodes along the four chains.

    Args:
        eeg_uv: (samples, 19 or more) microvolts, columns in the order of `hms.EEG_COLUMNS`.

    Returns:
        (16, samples), the dtype of `eeg_uv`, C-contiguous, pairs in the order of `hms.PAIRS`.
    """
    by_channel = np.ascontiguousarray(eeg_uv[:, : len(ELECTRODES)].T)  # (19, samples)
    pairs: npt.NDArray[np.floating[Any]] = by_channel[FIRST] - by_channel[SECOND]
    return pairs


def bridge_gaps(
    values: npt.NDArray[np.floating[Any]],
) -> tuple[npt.NDArray[np.floating[Any]], npt.NDArray[np.bool_]]:
    """Fill what is not finite by straight lines, column by column, so that a zero-phase filter survives it.

    Args:
        values: (samples, channels); not changed.

    Returns:
        The values filled (a column with nothing finite becomes 0) and the mask of what was filled, both of that
        shape; where nothing is missing, `values` itself and not a copy.
    """
    missing = ~np.isfinite(values)
    if not missing.any():
        return values, missing
    filled = values.copy()
    at = np.arange(len(values))
    for channel in np.flatnonzero(missing.any(axis=0)):
        gap = missing[:, channel]
        known = at[~gap]
        filled[gap, channel] = np.interp(at[gap], known, values[known, channel]) if known.size else 0.0
    return filled, missing


def mean_filled(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(samples,) with the mean of what is there in place of what is not finite; 0 if nothing is. `values` where all is."""
    known = np.isfinite(values)
    if known.all():
        return values
    mean = np.nanmean(np.where(known, values, np.float32(np.nan))) if known.any() else np.float32(0)
    return np.where(known, values, mean)


def bipolar_gaps(missing: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(samples, 19) mask of missing samples to (16, samples): a pair is missing where either electrode is."""
    by_channel = np.ascontiguousarray(missing[:, : len(ELECTRODES)].T)  # (19, samples)
    gaps: npt.NDArray[np.bool_] = by_channel[FIRST] | by_channel[SECOND]
    return gaps


def high_passed_pairs(
    eeg_uv: npt.NDArray[np.float32], clip_uv: float, high_pass_hz: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Bridged, clipped, high-passed pairs and the mask of their missing samples.

    Args:
        eeg_uv: (samples, 19) microvolts.
        clip_uv: what an electrode may hold, up and down.
        high_pass_hz: of a zero-phase filter of second order, applied forward and backward.

    Returns:
        (16, samples) float32, and a mask of that shape.
    """
    with np.errstate(invalid="ignore"):
        clipped = np.clip(eeg_uv, -clip_uv, clip_uv)
    bridged, missing = bridge_gaps(clipped)
    pairs = bipolar(bridged)  # (16, samples)
    gaps = bipolar_gaps(missing)
    sections = signal.butter(2, high_pass_hz, "highpass", fs=EEG_RATE_HZ, output="sos")
    return signal.sosfiltfilt(sections, pairs, axis=1).astype(np.float32), gaps
