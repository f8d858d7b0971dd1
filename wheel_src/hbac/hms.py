"""What the HMS competition fixes: classes, channels, chains, rates, windows and file names.

Measured on the host's files and confirmed in public sources; nothing here is a choice of ours.
"""

from math import floor
from typing import Final

CLASSES: Final = ("seizure", "lpd", "gpd", "lrda", "grda", "other")
VOTE_COLUMNS: Final = tuple(f"{name}_vote" for name in CLASSES)  # the one place that holds the class order
CONSENSUS_NAMES: Final = ("Seizure", "LPD", "GPD", "LRDA", "GRDA", "Other")  # as train.csv spells the classes
MEAN_VOTE: Final = (0.052, 0.185, 0.127, 0.085, 0.087, 0.464)  # of rows with 10 votes or more, each EEG weighing one
ID_COLUMN: Final = "eeg_id"
SUBMISSION_COLUMNS: Final = (ID_COLUMN, *VOTE_COLUMNS)
TEST_COLUMNS: Final = ("spectrogram_id", "eeg_id", "patient_id")
TRAIN_COLUMNS: Final = (
    "eeg_id",
    "eeg_sub_id",
    "eeg_label_offset_seconds",
    "spectrogram_id",
    "spectrogram_sub_id",
    "spectrogram_label_offset_seconds",
    "label_id",
    "patient_id",
    "expert_consensus",
    *VOTE_COLUMNS,
)

# EEG: referential, unfiltered microvolts.
EEG_RATE_HZ: Final = 200
EEG_WINDOW_S: Final = 50
EEG_WINDOW: Final = EEG_RATE_HZ * EEG_WINDOW_S  # 10,000 samples
# fmt: off
EEG_COLUMNS: Final = (
    "Fp1", "F3", "C3", "P3", "F7", "T3", "T5", "O1", "Fz", "Cz",
    "Pz", "Fp2", "F4", "C4", "P4", "F8", "T4", "T6", "O2", "EKG",
)
# fmt: on
ELECTRODES: Final = EEG_COLUMNS[:19]

# Bipolar chains, front to back, in the order of the spectrogram's columns.
CHAINS: Final = {
    "LL": ("Fp1", "F7", "T3", "T5", "O1"),
    "RL": ("Fp2", "F8", "T4", "T6", "O2"),
    "LP": ("Fp1", "F3", "C3", "P3", "O1"),
    "RP": ("Fp2", "F4", "C4", "P4", "O2"),
}
PAIRS: Final = tuple((a, b) for chain in CHAINS.values() for a, b in zip(chain[:-1], chain[1:]))  # 16, four a chain
PAIRS_PER_CHAIN: Final = len(PAIRS) // len(CHAINS)

# Spectrogram: linear power, one row every 2 s, 100 bins for each chain.
SPECTROGRAM_STEP_S: Final = 2
SPECTROGRAM_WINDOW_S: Final = 600
SPECTROGRAM_ROWS: Final = SPECTROGRAM_WINDOW_S // SPECTROGRAM_STEP_S  # 300
SPECTROGRAM_NFFT: Final = 1024
SPECTROGRAM_BINS: Final = range(3, 103)  # of the 1,024-point transform: 0.59 to 19.92 Hz
SPECTROGRAM_FREQUENCIES_HZ: Final = tuple(k * EEG_RATE_HZ / SPECTROGRAM_NFFT for k in SPECTROGRAM_BINS)
SPECTROGRAM_COLUMNS: Final = tuple(  # two decimals, halves rounded up, no trailing zero: LL_3.13, LL_4.1
    f"{chain}_{floor(hz * 100 + 0.5) / 100}" for chain in CHAINS for hz in SPECTROGRAM_FREQUENCIES_HZ
)

EEG_START_IN_SPECTROGRAM_S: Final = (SPECTROGRAM_WINDOW_S - EEG_WINDOW_S) // 2  # 275: both windows share their middle

# Files of the mounted data set.
TEST_TABLE: Final = "test.csv"
TRAIN_TABLE: Final = "train.csv"
SAMPLE_SUBMISSION: Final = "sample_submission.csv"


def eeg_folder(split: str) -> str:
    """Name of the folder that holds the EEG files of `split` ("train" or "test")."""
    return f"{split}_eegs"


def spectrogram_folder(split: str) -> str:
    """Name of the folder that holds the spectrogram files of `split` ("train" or "test")."""
    return f"{split}_spectrograms"
