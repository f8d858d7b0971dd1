"""Signal measures by class, real beside simulated: PYTHONPATH=wheel_src python tests/bench/signals.py REAL SIMULATED ...

REAL holds labels.csv and eegs/ (see real_eeg.py); SIMULATED is the output of `hbac simulate`, of whose test split
each record's middle 10 s are measured. Both are bipolar and filtered to 0.5 to 20 Hz. A record belongs to the class
with most votes where that has at least half of them. Printed are quartiles: of the real clips, and below each those
of the simulated ones.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import signal
from scipy.stats import kurtosis

from hbac import hms
from hbac.preprocessing.montage import bipolar
from hbac.records.parquet import read_eeg
from hbac.simulation.dataset import ANSWERS_TABLE

RATE_HZ = hms.EEG_RATE_HZ
SECONDS = 10
CLEAR = 0.5  # least share of the votes of the largest class
BAND = signal.butter(2, (0.5, 20), "bandpass", fs=RATE_HZ, output="sos")
RIGHT = np.isin(np.arange(len(hms.PAIRS)) // 4, (1, 3))  # chains RL and RP


def middle(uv: np.ndarray) -> np.ndarray:
    """(16, 2000) the pairs over the middle 10 s, in microvolts; gaps are bridged by 0."""
    pairs = signal.sosfiltfilt(BAND, bipolar(np.nan_to_num(uv[:, : len(hms.ELECTRODES)])), axis=1)
    first = (pairs.shape[1] - SECONDS * RATE_HZ) // 2
    return pairs[:, first : first + SECONDS * RATE_HZ]


def leading(pairs: np.ndarray) -> np.ndarray:
    """(2000,) the first principal component, of unit deviation."""
    wave = np.linalg.eigh(np.cov(pairs))[1][:, -1] @ pairs
    return wave / wave.std()


def repeat(pairs: np.ndarray, shape: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """The rate in Hz and the height of the best peak of an autocorrelation between 0.35 and 3.5 Hz."""
    wave = shape(leading(pairs))
    wave = wave - wave.mean()
    full = signal.fftconvolve(wave, wave[::-1])[len(wave) - 1 :]
    acf = full / full[0] * len(wave) / np.arange(len(wave), 0, -1)
    lags = np.arange(round(RATE_HZ / 3.5), round(RATE_HZ / 0.35))
    peaks = [lag for lag in lags if acf[lag - 1] < acf[lag] >= acf[lag + 1]]
    best = max(peaks, key=lambda lag: acf[lag], default=lags[-1])
    return RATE_HZ / best, float(acf[best])


def envelope(wave: np.ndarray) -> np.ndarray:
    """What is sharp: the absolute slope, smoothed over 0.1 s."""
    return signal.fftconvolve(np.abs(np.gradient(wave)), np.ones(20) / 20, "same")


def spectrum(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hz, power = signal.welch(pairs, RATE_HZ, nperseg=400, axis=1)
    return hz, np.median(power, axis=0)


def slope(pairs: np.ndarray) -> float:
    hz, power = spectrum(pairs)
    chosen = (hz >= 2) & (hz <= 18)
    return float(-np.polyfit(np.log(hz[chosen]), np.log(power[chosen] + 1e-9), 1)[0])


def share(pairs: np.ndarray, low: float, high: float) -> float:
    hz, power = spectrum(pairs)
    return float(power[(hz >= low) & (hz < high)].sum() / power[(hz >= 0.5) & (hz < 20)].sum())


def level(pairs: np.ndarray, quantile: float) -> float:
    """A quantile over time of the deviation within 0.25 s, over the louder half of the pairs."""
    loud = pairs[np.argsort(pairs.std(axis=1))[8:]]
    return float(np.quantile(loud.reshape(8, -1, RATE_HZ // 4).std(axis=2).mean(axis=0), quantile))


MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "deviation, uV, median of the pairs": lambda x: float(np.median(x.std(axis=1))),
    "deviation, uV, largest pair": lambda x: float(x.std(axis=1).max()),
    "99th percentile, uV": lambda x: float(np.percentile(np.abs(x), 99)),
    "quiet moments, uV": lambda x: level(x, 0.1),
    "loud over quiet moments": lambda x: level(x, 0.95) / (level(x, 0.1) + 0.1),
    "waxing: deviation of log 1 s levels": lambda x: float(
        np.log(x.reshape(16, 10, -1).std(axis=2).mean(0) + 0.1).std()
    ),
    "kurtosis of the leading component": lambda x: float(kurtosis(leading(x))),
    "sharpness: 99th percentile of slope, SD/s": lambda x: float(
        np.percentile(np.abs(np.gradient(leading(x))), 99) * RATE_HZ
    ),
    "rate of the wave, Hz": lambda x: repeat(x, lambda w: w)[0],
    "its autocorrelation": lambda x: repeat(x, lambda w: w)[1],
    "rate of what is sharp, Hz": lambda x: repeat(x, envelope)[0],
    "its autocorrelation ": lambda x: repeat(x, envelope)[1],
    "in step: share of the first component": lambda x: float(
        (lambda v: v[-1] / v.sum())(np.linalg.eigvalsh(np.cov(x)))
    ),
    "asymmetry, |log of sides' deviation|": lambda x: float(abs(np.log(x[RIGHT].std() / x[~RIGHT].std()))),
    "pairs above half of the largest": lambda x: float((x.std(axis=1) > x.std(axis=1).max() / 2).mean()),
    "spectral slope, 2 to 18 Hz": slope,
    "power below 4 Hz": lambda x: share(x, 0.5, 4),
    "power above 12 Hz": lambda x: share(x, 12, 20),
}


def real(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    table = pd.read_csv(folder / "labels.csv")
    for votes, sample in zip(table[list(hms.VOTE_COLUMNS)].to_numpy(float), table["sample"]):
        if votes.max() >= CLEAR * votes.sum():
            yield hms.CLASSES[int(votes.argmax())], middle(read_eeg(folder / "eegs" / f"{sample}.parquet").uv)


def simulated(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    table = pd.read_csv(folder / ANSWERS_TABLE)
    for votes, name in zip(table[list(hms.VOTE_COLUMNS)].to_numpy(float), table[hms.ID_COLUMN]):
        if votes.max() >= CLEAR:
            path = folder / hms.eeg_folder("test") / f"{name}.parquet"
            yield hms.CLASSES[int(votes.argmax())], middle(read_eeg(path).uv)


def measured(records: Iterator[tuple[str, np.ndarray]]) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        rows = [{"class": name, **{key: f(x) for key, f in MEASURES.items()}} for name, x in records]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("simulated", type=Path, nargs="*")
    options = parser.parse_args()
    tables = {"real": measured(real(options.real)), **{f.name: measured(simulated(f)) for f in options.simulated}}
    width = max(map(len, tables))
    for title, table in tables.items():
        counts = table["class"].value_counts()
        print(f"{title:{width}}", "  ".join(f"{name} {counts.get(name, 0)}" for name in hms.CLASSES))
    for key in MEASURES:
        print(f"\n{key}\n{'':{width}}" + "".join(f"{name:>21}" for name in hms.CLASSES))
        for title, table in tables.items():
            quartiles = [table.loc[table["class"] == name, key].quantile((0.25, 0.5, 0.75)) for name in hms.CLASSES]
            print(f"{title:{width}}" + "".join("".join(f"{q:7.2f}" for q in of_class) for of_class in quartiles))


if __name__ == "__main__":
    main()
