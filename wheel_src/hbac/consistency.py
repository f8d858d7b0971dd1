"""Whether an EEG and its spectrogram speak of the same seconds: damage that pyarrow reads without an error shows here.

The host made its spectrograms from these EEGs; rebuilt from a whole 50 s window, all 18 rows away from its edges agree
with the host's file within max(0.0051, 1 %) on every cell of the 43 genuine windows at hand. What lies far outside that
is damage to one of the files, or two files that do not belong together. The answer stays what it is: nobody can tell
which of them is right.
"""

import numpy as np
import numpy.typing as npt

from hbac.competition import CHAINS, EEG_START_IN_SPECTROGRAM_S, ELECTRODES, SPECTROGRAM_STEP_S
from hbac.spectrogram import EDGE, FRAME, STEP, WINDOW_ROWS, inner_rows

SHARE, FLOOR = 0.05, 0.02  # a cell disagrees beyond the larger of this share and this power; files have two decimals
FIRST_ROW = (EEG_START_IN_SPECTROGRAM_S + SPECTROGRAM_STEP_S // 2) // SPECTROGRAM_STEP_S + EDGE  # the first judged: 141


def disagreement(eeg_uv: npt.NDArray[np.float32], power: npt.NDArray[np.float32]) -> tuple[str, ...]:
    """One note that names where the labelled windows of the two files disagree, or none.

    Args:
        eeg_uv: (10000, 19) microvolts, NaN where missing, as `records.crop_eeg` gives them.
        power: (300, 400) linear power, NaN where missing, as `records.crop_spectrogram` gives it.
    """
    judged = _away_from_gaps(eeg_uv)  # (18,)
    if not judged.any():
        return ()
    rebuilt = inner_rows(eeg_uv)  # (18, 400)
    host = power[FIRST_ROW : FIRST_ROW + len(rebuilt)]
    apart = np.abs(rebuilt - host) > np.maximum(FLOOR, SHARE * np.maximum(rebuilt, host))  # NaN is not apart
    wrong = (apart & judged[:, None]).reshape(len(rebuilt), len(CHAINS), -1).any(axis=2)  # (18, 4)
    if not wrong.any():
        return ()
    rows = np.flatnonzero(wrong.any(axis=1))
    seconds = SPECTROGRAM_STEP_S * (FIRST_ROW + rows[[0, -1]]) + 1
    chains = ", ".join(name for name, there in zip(CHAINS, wrong.any(axis=0)) if there)
    return (
        f"EEG and spectrogram disagree between {seconds[0]} and {seconds[1]} s in {chains}: "
        "one of the two files is damaged, or they are not of the same recording",
    )


def _away_from_gaps(eeg_uv: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """(18,) whether the frame of a judged row lies `EDGE` rows and more from missing samples, as it does from the ends."""
    missing = ~np.isfinite(eeg_uv[:, : len(ELECTRODES)]).all(axis=1)  # (samples,)
    before = np.concatenate([[0], np.cumsum(missing)])
    starts = STEP * np.arange(WINDOW_ROWS - 2 * EDGE)
    return before[starts + 2 * EDGE * STEP + FRAME] == before[starts]
