"""How well the rebuilt spectrogram agrees with the host's: python tests/bench/spectrogram_agreement.py FOLDER

FOLDER holds real records as the competition lays them out, and pairs.csv with the columns eeg_id, spectrogram_id, split.
Three rows at each end of an EEG are left out: the host filtered more than it published.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from hbac.preprocessing.multitaper import host_spectrogram
from hbac.records.parquet import read_eeg, read_spectrogram

FIRST_ROW = 138  # of the spectrogram file: the first frame that lies wholly inside the EEG
EDGE = 3


def agreement(eeg: Path, spectrogram: Path) -> float:
    """Share of cells within max(0.0051, 0.2 %) of the host's."""
    rebuilt = host_spectrogram(read_eeg(eeg).uv)[EDGE:-EDGE]
    host = read_spectrogram(spectrogram).power[FIRST_ROW + EDGE :][: len(rebuilt)]
    return float((np.abs(rebuilt - host) <= np.maximum(0.0051, 0.002 * np.abs(host))).mean())


def main(folder: Path) -> None:
    shares = {
        pair.eeg_id: agreement(
            folder / f"{pair.split}_eegs" / f"{pair.eeg_id}.parquet",
            folder / f"{pair.split}_spectrograms" / f"{pair.spectrogram_id}.parquet",
        )
        for pair in pd.read_csv(folder / "pairs.csv").itertuples()
    }
    for eeg_id, share in shares.items():
        print(f"eeg_id {eeg_id}: {share:.2%} of cells agree")
    print(f"lowest of {len(shares)}: {min(shares.values()):.2%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
