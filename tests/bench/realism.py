"""How far simulated data are from real ones: PYTHONPATH=wheel_src python tests/bench/realism.py SIMULATED_DIR

SIMULATED_DIR is what `hbac simulate` wrote; --real names a folder with hms_sample/ (a few real records, pairs.csv) and
hms_votes.csv.gz (rows of the competition's train.csv). The table says for each measure the real median and range, the
simulated median and 10-90 % range, "<" or ">" where the simulated median lies below or above the real range, and "=" where
the simulated range is less than a third as wide as the real one, that is the records are too much alike. Of the real
records only the signals are read, never their labels.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from signal_measures import measure_eeg, measure_spectrogram
from tqdm import tqdm
from vote_measures import measure_votes

from hbac.hms import TEST_COLUMNS, TRAIN_TABLE, eeg_folder, spectrogram_folder

DRAWS = 40  # samples of real patients that give the range of a measure of votes
KNOWN = {"EEG values missing": 0.0012, "spectrogram values missing": 0.024}  # of the whole competition, not of a few


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simulated", type=Path, help="folder that `hbac simulate` wrote")
    parser.add_argument("--real", type=Path, default=Path("../shared/data"), help="default: %(default)s")
    parser.add_argument(
        "--limit", type=int, default=60, help="simulated EEGs to measure at most (default: %(default)s)"
    )
    options = parser.parse_args()
    table = pd.read_csv(options.simulated / TRAIN_TABLE)
    eegs = table.drop_duplicates("eeg_id")
    sampled = eegs.sample(min(options.limit, len(eegs)), random_state=0)
    sample = options.real / "hms_sample"
    real = measure_records(sample, pd.read_csv(sample / "pairs.csv", usecols=[*TEST_COLUMNS, "split"]))
    simulated = measure_records(options.simulated, sampled.assign(split="train"))
    print(f"{len(real)} real records, {len(simulated)} simulated ones\n")
    print_signals(real, simulated)
    print_votes(pd.read_csv(options.real / "hms_votes.csv.gz"), table)


def measure_records(folder: Path, records: pd.DataFrame) -> pd.DataFrame:
    """One row of measures for each record; `records` has eeg_id, spectrogram_id and split."""
    rows = []
    for record in tqdm(records.itertuples(), total=len(records), desc=str(folder), leave=False):
        eeg = pd.read_parquet(folder / eeg_folder(record.split) / f"{record.eeg_id}.parquet")
        spectrogram = folder / spectrogram_folder(record.split) / f"{record.spectrogram_id}.parquet"
        rows.append(measure_eeg(eeg) | measure_spectrogram(spectrogram))
    return pd.DataFrame(rows)


def print_signals(real: pd.DataFrame, simulated: pd.DataFrame) -> None:
    """The median and range over the records; the mean of a share of files and of what is missing."""
    print_head("signals", "10-90 %")
    for name in real.columns:
        middle = "mean" if "missing" in name or "share of files" in name else "median"
        spread = [] if middle == "mean" else real[name].agg(["min", "max"]).tolist()
        theirs = [KNOWN.get(name, real[name].agg(middle)), *spread]
        print_row(name, theirs, [simulated[name].agg(middle), *simulated[name].quantile((0.1, 0.9))])


def print_votes(real: pd.DataFrame, simulated: pd.DataFrame) -> None:
    """The real value, and its 5-95 % range over samples of as many real patients as were simulated."""
    patients = real["patient_id"].unique()
    count = min(simulated["patient_id"].nunique(), len(patients))
    rng = np.random.default_rng(0)
    draws = [rng.choice(patients, count, replace=False) for _ in range(DRAWS)]
    drawn = pd.DataFrame([measure_votes(real[real["patient_id"].isin(draw)]) for draw in draws])
    theirs, ours = measure_votes(real), measure_votes(simulated)
    print_head(f"votes (range of {count} real patients)", "")
    for name, value in theirs.items():
        print_row(name, [value, *drawn[name].quantile([0.05, 0.95])], [ours[name]])


def print_head(title: str, spread: str) -> None:
    print(f"\n| {title:<58} | {'real':>8} | {'range':>20} | {'simulated':>9} | {spread:>20} |   |")
    print(f"|{'-' * 60}|{'-' * 10}|{'-' * 22}|{'-' * 11}|{'-' * 22}|---|")


def print_row(name: str, real: list[float], simulated: list[float]) -> None:
    low, high = real[1:] or (-np.inf, np.inf)
    alike = len(simulated) == len(real) == 3 and simulated[2] - simulated[1] < (high - low) / 3
    mark = "<" if simulated[0] < low - 1e-9 else ">" if simulated[0] > high + 1e-9 else "=" if alike else " "
    theirs, ours = (f"{x[1]:.4g} to {x[2]:.4g}" if x[1:] else "" for x in (real, simulated))
    print(f"| {name:<58} | {real[0]:>8.4g} | {theirs:>20} | {simulated[0]:>9.4g} | {ours:>20} | {mark} |")


if __name__ == "__main__":
    main()
