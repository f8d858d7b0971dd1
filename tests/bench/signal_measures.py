"""What `realism.py` measures in one record: its EEG file and its spectrogram file.

Powers are natural logarithms of uV^2/Hz, one-sided from the EEG, two-sided from the spectrogram file (the host's scale:
less by log 2).
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import signal, stats

from hbac.hms import CHAINS, EEG_COLUMNS, EEG_RATE_HZ, PAIRS, SPECTROGRAM_FREQUENCIES_HZ, SPECTROGRAM_STEP_S
from hbac.preprocessing.montage import bipolar, bridge_gaps
from hbac.records.parquet import read_spectrogram
from hbac.records.record import crop_spectrogram

Measures = dict[str, float]

REGIONS = {
    "frontal": ("Fp1-F7", "Fp2-F8", "Fp1-F3", "Fp2-F4"),
    "central": ("F3-C3", "F4-C4", "C3-P3", "C4-P4"),
    "temporal": ("F7-T3", "F8-T4", "T3-T5", "T4-T6"),
    "posterior": ("T5-O1", "T6-O2", "P3-O1", "P4-O2"),
}
BANDS_HZ = {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 20), "20-40 Hz": (20, 40)}
HOST_BAND_HZ = (0.5, 40)
NAMES = [f"{a}-{b}" for a, b in PAIRS]
LEFT = [at for at, (a, _) in enumerate(PAIRS) if a[-1] in "1357"]
RIGHT = [at for at, (a, _) in enumerate(PAIRS) if a[-1] in "2468"]  # homologous, in the same order
NEXT = [(at, at + 1) for at in range(len(PAIRS) - 1) if PAIRS[at][1] == PAIRS[at + 1][0]]  # one behind the other
PARALLEL = [(at, at + 8) for at in range(8)]  # lateral and parasagittal chain of one side
FRAME = 4 * EEG_RATE_HZ
LONGEST_LAG_S = 0.25
NEAR_FLAT_UV = 1.0
CONNECTED_UV = 20.0  # an EKG channel below holds no heart


def measure_eeg(eeg: pd.DataFrame) -> Measures:
    """All measures of one EEG file, its missing values bridged for all but their count."""
    uv = eeg[list(EEG_COLUMNS)].to_numpy(np.float64)  # (samples, 20)
    bridged, missing = bridge_gaps(uv)
    pairs = bipolar(bridged)  # (16, samples)
    hz, density = signal.welch(pairs, EEG_RATE_HZ, nperseg=FRAME, detrend="linear", average="median")
    waves = {name: band_pass(pairs, edges) for name, edges in BANDS_HZ.items()}
    return (
        {"EEG values missing": float(missing.mean()), "EEG files with any missing": float(missing.any())}
        | _powers(hz, np.log(density + 1e-6))
        | _amplitudes(bridged[:, :19], band_pass(pairs, HOST_BAND_HZ))
        | _fields(waves)
        | _courses(waves)
        | _not_brain(bridged)
    )


def band_pass(x: npt.NDArray, edges_hz: tuple[float, float]) -> npt.NDArray:
    """Forward and backward third-order Butterworth along the last axis, as the host filters."""
    return signal.filtfilt(*signal.butter(3, edges_hz, "bandpass", fs=EEG_RATE_HZ), x, axis=-1)


def _powers(hz: npt.NDArray, log_density: npt.NDArray) -> Measures:
    """Spectrum of the pairs by region and band; its slope; how it bends below 1 Hz; how far an alpha peak stands out."""
    inside = {name: (hz >= low) & (hz < high) for name, (low, high) in BANDS_HZ.items()}
    of_region = {region: log_density[[NAMES.index(name) for name in names]] for region, names in REGIONS.items()}
    out = {
        f"log power, {region}, {band}": float(np.median(rows[:, bins]))
        for region, rows in of_region.items()
        for band, bins in inside.items()
    }
    middle = np.median(log_density, axis=0)
    at = np.geomspace(1, 30, 60)
    slope, _ = np.polyfit(np.log(at), np.interp(at, hz, middle), 1)
    posterior = of_region["posterior"].mean(axis=0)
    alpha = inside["alpha"]
    line = np.polyfit(np.log(hz[(hz >= 2) & (hz <= 25)]), posterior[(hz >= 2) & (hz <= 25)], 1)
    left, right = (np.exp(log_density[side]).mean(axis=0) for side in (LEFT, RIGHT))
    out |= {
        "slope of log power over log Hz, 1-30 Hz": float(slope),
        "log power at 0.5 Hz less at 1.5 Hz": float(np.interp(0.5, hz, middle) - np.interp(1.5, hz, middle)),
        "alpha peak above the slope, posterior": float((posterior[alpha] - np.polyval(line, np.log(hz[alpha]))).max()),
    }
    out |= {
        f"log power, deviation over pairs, {band}": float(log_density[:, inside[band]].mean(axis=1).std())
        for band in ("delta", "alpha", "20-40 Hz")
    }
    return out | {
        f"abs log left/right power, {band}": float(abs(np.log(left[inside[band]].sum() / right[inside[band]].sum())))
        for band in ("delta", "alpha")
    }


def _amplitudes(uv: npt.NDArray, filtered: npt.NDArray) -> Measures:
    """Microvolts: of the filtered pairs (16, samples), and of the raw electrodes (samples, 19) with their drift."""
    out = {f"pairs 0.5-40 Hz, {q} % of abs uV": float(np.percentile(abs(filtered), q)) for q in (50, 95, 99.9)}
    seconds = uv[: len(uv) // EEG_RATE_HZ * EEG_RATE_HZ].reshape(-1, EEG_RATE_HZ, uv.shape[1]).mean(axis=1)
    return out | {
        "electrodes raw, median abs uV": float(np.median(abs(uv))),
        "electrodes raw, 99.9 % of abs uV": float(np.percentile(abs(uv), 99.9)),
        "electrodes, median abs offset, uV": float(np.median(abs(np.median(uv, axis=0)))),
        "electrodes, drift: deviation of 1 s means, uV": float(np.median(seconds.std(axis=0))),
        "electrodes, common share of the drift": _common(seconds.T),
        "electrodes, common share of 20-40 Hz": _common(band_pass(uv.T, (20, 40))),
        "samples above 500 uV": float((abs(uv) > 500).mean()),
        "near-flat pairs, share": float((np.median(abs(filtered), axis=1) < NEAR_FLAT_UV).mean()),
    }


def _fields(waves: dict[str, npt.NDArray]) -> Measures:
    """How broad the fields are: correlations of pairs, components, and the lag from front to back."""
    out: Measures = {}
    for band in ("delta", "alpha", "20-40 Hz"):
        r = np.corrcoef(waves[band])  # (16, 16)
        power = np.linalg.eigvalsh(r)
        places = {"next in the chain": NEXT, "parallel": PARALLEL, "homologous": list(zip(LEFT, RIGHT))}
        out |= {f"correlation, {name}, {band}": float(np.median([r[p] for p in at])) for name, at in places.items()}
        out[f"effective components of 16, {band}"] = float(power.sum() ** 2 / (power**2).sum())
    lags, peaks = zip(*(_lag(waves["delta"][4 * chain], waves["delta"][4 * chain + 3]) for chain in range(len(CHAINS))))
    return out | {"lag front to back, abs s": float(np.median(lags)), "peak correlation there": float(np.median(peaks))}


def _lag(front: npt.NDArray, back: npt.NDArray) -> tuple[float, float]:
    """Where the cross-correlation of two waves is largest in size, in s without its sign, and that size."""
    longest = round(LONGEST_LAG_S * EEG_RATE_HZ)
    r = signal.correlate(front, back, method="fft") / np.sqrt((front**2).sum() * (back**2).sum() + 1e-12)
    near = abs(r[len(front) - 1 - longest : len(front) + longest])
    return abs(int(near.argmax()) - longest) / EEG_RATE_HZ, float(near.max())


def _courses(waves: dict[str, npt.NDArray]) -> Measures:
    """How bursty the waves are: excess kurtosis, and the deviation of log power over seconds."""
    out: Measures = {}
    for band in ("delta", "alpha", "20-40 Hz"):
        wave = waves[band]
        seconds = (wave[:, : wave.shape[1] // EEG_RATE_HZ * EEG_RATE_HZ] ** 2).reshape(len(wave), -1, EEG_RATE_HZ)
        out[f"excess kurtosis, {band}"] = float(np.median(stats.kurtosis(wave, axis=1)))
        out[f"log power over seconds, deviation, {band}"] = float(
            np.median(np.log(seconds.mean(axis=2) + 1e-6).std(axis=1))
        )
    return out


def _not_brain(uv: npt.NDArray) -> Measures:
    """Mains hum against its neighbourhood, and the heart: (samples, 20) in."""
    hz, density = signal.welch(uv[:, :19].T, EEG_RATE_HZ, nperseg=FRAME, average="median")
    line = density[:, abs(hz - 60) <= 0.5].max(axis=1)
    near = np.median(density[:, (abs(hz - 60) > 3) & (abs(hz - 60) < 10)], axis=1)
    heart = band_pass(uv[:, 19], (3, 40))
    height = np.percentile(abs(heart), 99)
    beats, _ = signal.find_peaks(abs(heart), height=0.5 * height, distance=0.35 * EEG_RATE_HZ)
    rate = 60 * EEG_RATE_HZ / np.median(np.diff(beats)) if len(beats) > 2 and height > CONNECTED_UV else np.nan
    return {
        "log 60 Hz over its surroundings, electrodes": float(np.median(np.log((line + 1e-6) / (near + 1e-6)))),
        "log power 50-57 and 63-70 Hz, electrodes": float(np.median(np.log(near + 1e-6))),
        "EKG, 99 % of abs uV, 3-40 Hz": float(height),
        "heart rate where connected, 1/min": float(rate),
        "EKG not connected, share of files": float(height <= CONNECTED_UV),
    }


def _common(electrodes: npt.NDArray) -> float:
    """Share of the power that goes with the median over the electrodes: what the reference electrode picked up."""
    own = np.median((electrodes - np.median(electrodes, axis=0)).var(axis=1))
    return float(1 - own / (np.median(electrodes.var(axis=1)) + 1e-12))


def measure_spectrogram(path: Path) -> Measures:
    """All measures of the middle ten minutes of one spectrogram file."""
    file = read_spectrogram(path)
    power = crop_spectrogram(file, None).power.reshape(-1, len(CHAINS), len(SPECTROGRAM_FREQUENCIES_HZ))
    missing = float(np.isnan(file.power).mean())
    log_power = np.log(np.maximum(power[~np.isnan(power).any(axis=(1, 2))], 0.005))  # (rows, 4, 100); two decimals
    hz = np.array(SPECTROGRAM_FREQUENCIES_HZ)
    out = {"spectrogram values missing": missing, "spectrogram files with any missing": float(missing > 0)}
    for band in ("delta", "alpha", "beta"):
        low, high = BANDS_HZ[band]
        rows = np.median(log_power[..., (hz >= low) & (hz < high)], axis=2)  # (rows, 4)
        minute = 60 // SPECTROGRAM_STEP_S
        minutes = rows[: len(rows) // minute * minute].reshape(-1, minute, len(CHAINS)).mean(axis=1)
        out |= {
            f"spectrogram log power, {band}": float(np.median(rows)),
            f"spectrogram log power, {band}, deviation over 10 min": float(np.median(rows.std(axis=0))),
            f"spectrogram log power, {band}, deviation of minutes": float(np.median(minutes.std(axis=0))),
            f"spectrogram log power, {band}, frame to frame": float(np.median(np.diff(rows, axis=0).std(axis=0))),
        }
    quantiles = (1, 10, 50, 90, 99, 99.9)
    return out | {f"spectrogram log power, {q} % of cells": float(np.percentile(log_power, q)) for q in quantiles}
