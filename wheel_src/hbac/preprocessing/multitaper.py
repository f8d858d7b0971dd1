"""Microvolts to the host's multitaper spectrogram: the ten-minute picture, rebuilt from raw EEG.

The host's recipe, as measured on its own files (see `host_spectrogram`); NumPy and SciPy only.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, signal
from scipy.signal.windows import dpss

from hbac.errors import RecordError
from hbac.hms import (
    CHAINS,
    EEG_RATE_HZ,
    EEG_START_IN_SPECTROGRAM_S,
    EEG_WINDOW,
    ELECTRODES,
    PAIRS,
    PAIRS_PER_CHAIN,
    SPECTROGRAM_BINS,
    SPECTROGRAM_NFFT,
    SPECTROGRAM_ROWS,
    SPECTROGRAM_STEP_S,
)
from hbac.preprocessing.montage import bipolar, bipolar_gaps, bridge_gaps

FRAME_S = 4  # length of one frame; a frame is centred on the `time` of its row
FRAME = FRAME_S * EEG_RATE_HZ
STEP = SPECTROGRAM_STEP_S * EEG_RATE_HZ
TIME_BANDWIDTH = 2.0
TAPERS = 3
BAND_HZ = (0.5, 40.0)
MAINS_HALF_WIDTH_HZ = 2.5
FILTER_ORDER = 3
ROWS_AT_ONCE = 64  # 7 MB of frames
WINDOW_ROWS = (EEG_WINDOW - FRAME) // STEP + 1  # 24 whole frames in 50 s
MAINS_HZ = 60.0  # in the Americas, where the host recorded


def host_spectrogram(eeg_uv: npt.NDArray[np.floating[Any]], mains_hz: float = MAINS_HZ) -> npt.NDArray[np.float32]:
    """The competition's spectrogram of a whole recording.

    Zero-phase (`filtfilt`) third-order Butterworth band-stop of the mains +-2.5 Hz and band-pass 0.5 to 40 Hz on each
    electrode; bipolar pairs along the chains; frames of 4 s every 2 s, linear detrend, three DPSS tapers of
    time-bandwidth 2 scaled by sqrt(rate), 1,024-point transform divided by the rate, mean of |X|^2 over the tapers,
    bins 3 to 102, mean over the four pairs of a chain. On the host's files 99.8 % of the cells of whole frames agree
    within max(0.0051, 0.2 %), leaving out the two frames at each edge (the host filtered more than it published).

    Args:
        eeg_uv: (samples, 19 or more) microvolts at 200 Hz, columns in the order of `hms.EEG_COLUMNS`. Gaps
            (NaN) are bridged before filtering; where a frame of a pair touches a gap, its chain's mean leaves the
            pair out.
        mains_hz: 60 in the Americas, 50 elsewhere.

    Returns:
        (rows, 400) float32 linear power, columns in the order of `hms.SPECTROGRAM_COLUMNS`; row r covers the
        seconds 2r to 2r + 4. A chain with no whole pair in a frame is NaN there.

    Raises:
        RecordError: fewer than 19 columns, or a recording shorter than one frame.
    """
    _check_eeg(eeg_uv)
    bridged, missing = bridge_gaps(np.asarray(eeg_uv[:, : len(ELECTRODES)], np.float64))
    return rows_of_pairs(bipolar(filtered(bridged, mains_hz)), bipolar_gaps(missing))


def rows_of_pairs(pairs: npt.NDArray[np.floating[Any]], gaps: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """The spectrogram of pairs that are filtered: (rows, 400) linear power, a frame every 2 s from the first sample.

    Args:
        pairs: (16, samples) microvolts, without NaN.
        gaps: (16, samples), where they are missing.
    """
    rows = (pairs.shape[1] - FRAME) // STEP + 1
    power = np.empty((len(PAIRS), rows, len(SPECTROGRAM_BINS)))
    for first in range(0, rows, ROWS_AT_ONCE):
        some = slice(first, first + ROWS_AT_ONCE)
        power[:, some] = _multitaper(_frames(pairs)[:, some])
        if gaps.any():
            power[:, some][_frames(gaps)[:, some].any(axis=-1)] = np.nan
    return _mean_of_chains(power)


def rebuild_window(eeg_uv: npt.NDArray[np.floating[Any]], start: int) -> npt.NDArray[np.float32]:
    """The ten-minute spectrogram window around a 50 s EEG window, as far as the recording reaches.

    Args:
        eeg_uv: (samples, 19 or more) microvolts, as for `host_spectrogram`.
        start: the sample at which the 50 s window starts (`records.eeg_start`).

    Returns:
        (300, 400) float32 linear power; rows that the recording does not cover are NaN. 50 s of EEG give 24 rows.

    Raises:
        RecordError: as `host_spectrogram`.
    """
    _check_eeg(eeg_uv)
    row_0 = start - (EEG_START_IN_SPECTROGRAM_S + SPECTROGRAM_STEP_S // 2) * EEG_RATE_HZ  # first sample of frame 0
    first = max(row_0, row_0 % STEP)  # the first sample of a frame that lies within the recording
    row = (first - row_0) // STEP
    window = np.full((SPECTROGRAM_ROWS, len(CHAINS) * len(SPECTROGRAM_BINS)), np.nan, np.float32)
    last = min(len(eeg_uv), row_0 + (SPECTROGRAM_ROWS - 1) * STEP + FRAME)
    if last - first >= FRAME:
        rows = host_spectrogram(eeg_uv[first:last])
        window[row : row + len(rows)] = rows
    return window


def _check_eeg(eeg_uv: npt.NDArray[np.floating[Any]]) -> None:
    if eeg_uv.ndim != 2 or eeg_uv.shape[1] < len(ELECTRODES):
        raise RecordError(f"EEG: expected (samples, {len(ELECTRODES)} or more), received shape {eeg_uv.shape}")
    if len(eeg_uv) < FRAME:
        raise RecordError(f"EEG: expected at least {FRAME} samples ({FRAME_S} s), received {len(eeg_uv)}")


def filtered(eeg_uv: npt.NDArray[np.float64], mains_hz: float, axis: int = 0) -> npt.NDArray[np.float64]:
    """The band-stop of the mains and the band-pass, there and back along `axis`."""
    for b, a in filters(mains_hz):
        eeg_uv = signal.filtfilt(b, a, eeg_uv, axis=axis)
    return eeg_uv


@cache
def filters(mains_hz: float) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Coefficients of the band-stop and of the band-pass."""
    stop = (mains_hz - MAINS_HALF_WIDTH_HZ, mains_hz + MAINS_HALF_WIDTH_HZ)
    bands = ((stop, "bandstop"), (BAND_HZ, "bandpass"))
    return [signal.butter(FILTER_ORDER, band, kind, fs=EEG_RATE_HZ) for band, kind in bands]


def _frames(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.lib.stride_tricks.sliding_window_view(x, FRAME, axis=-1)[..., ::STEP, :]  # (16, rows, 800), a view


def _multitaper(frames: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(16, rows, 800) to the mean power over the tapers, (16, rows, 100)."""
    even, odd = _halves()
    flat = frames.reshape(-1, FRAME)
    head, tail = flat[:, : FRAME // 2], flat[:, : FRAME // 2 - 1 : -1]
    parts = np.square((head + tail) @ even) + np.square((head - tail) @ odd)  # (16 * rows, 3 * 100)
    mean: npt.NDArray[np.float64] = parts.reshape(*frames.shape[:2], TAPERS, -1).sum(axis=2) / TAPERS
    return mean


@cache
def _halves() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Two (400, 300) that do with the sums and the differences of a frame's halves what `projection` does with the frame.

    Tapers are symmetric or antisymmetric. With its phase counted from the middle, one part of each bin sees what is even
    about the middle, and the other one what is odd: half of the products are zeros.
    """
    middle = np.exp(2j * np.pi * np.array(SPECTROGRAM_BINS) / SPECTROGRAM_NFFT * (FRAME - 1) / 2)
    turned = projection().reshape(FRAME, TAPERS, -1, 2) @ np.array([1, 1j]) * middle  # (800, 3, 100)
    parts = np.stack([turned.real, turned.imag])  # (2, 800, 3, 100)
    even, odd = (parts + parts[:, ::-1]) / 2, (parts - parts[:, ::-1]) / 2
    which = np.square(even).sum(axis=(1, 3)).argmax(axis=0)  # (3,) the part of each taper that is even
    tapers = np.arange(TAPERS)
    halves = (even[which, : FRAME // 2, tapers], odd[1 - which, : FRAME // 2, tapers])  # (3, 400, 100) each
    evens, odds = (half.transpose(1, 0, 2).reshape(FRAME // 2, -1) for half in halves)
    return evens, odds


@cache
def projection() -> npt.NDArray[np.float64]:
    """(800, 600): linear detrend, tapers and the wanted bins of the transform, as one matrix.

    One product for the frames of all pairs: the 24 rows of 50 s take a fifth of the time of a detrend, three tapered
    copies and a transform of all bins.
    """
    tapers = dpss(FRAME, TIME_BANDWIDTH, TAPERS) / np.sqrt(EEG_RATE_HZ)  # (3, 800)
    flat = signal.detrend(np.eye(FRAME), axis=-1)  # (800, 800), row i: what is left of a 1 at sample i
    tapered = (flat[:, None] * tapers).reshape(-1, FRAME)  # (800 * 3, 800)
    bins = fft.rfft(tapered, SPECTROGRAM_NFFT)[:, SPECTROGRAM_BINS]  # (800 * 3, 100)
    matrix: npt.NDArray[np.float64] = np.stack([bins.real, bins.imag], axis=-1).reshape(FRAME, -1)
    return matrix


def _mean_of_chains(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    pairs, rows, bins = power.shape
    chains = power.reshape(len(CHAINS), PAIRS_PER_CHAIN, rows, bins)
    whole = np.isfinite(chains).sum(axis=1)  # (4, rows, bins)
    total = np.nansum(chains, axis=1)
    mean = np.divide(total, whole, out=np.full(total.shape, np.nan), where=whole > 0)
    with np.errstate(over="ignore"):  # of damaged samples; what float32 cannot hold is infinite
        return mean.transpose(1, 0, 2).reshape(rows, len(CHAINS) * bins).astype(np.float32)
