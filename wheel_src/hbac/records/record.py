"""One record: its ids, its offsets, where its files are; what its files hold, and the windows cut from them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.errors import RecordError


@dataclass(frozen=True)
class Record:
    """One row to answer: ids, and where its files should be.

    An offset is in seconds from the start of the file to the start of the labelled window; None stands for the
    window in the middle of the file, which is the whole file wherever the host cut it to length.
    """

    eeg_id: int
    spectrogram_id: int | None
    patient_id: int | None
    eeg_path: Path
    spectrogram_path: Path | None
    eeg_offset_s: float | None = None
    spectrogram_offset_s: float | None = None
    eeg_sha256: str | None = None  # what the files must have, where a list states it
    spectrogram_sha256: str | None = None


@dataclass(frozen=True)
class EegFile:
    """Contents of an EEG file: (samples, 19) float32 microvolts in the order of `ELECTRODES`, NaN where missing."""

    uv: npt.NDArray[np.float32]
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()  # signs of damage


@dataclass(frozen=True)
class SpectrogramFile:
    """Contents of a spectrogram file: (rows, 400) float32 linear power, NaN where missing; the second of each row."""

    time_s: npt.NDArray[np.int64]
    power: npt.NDArray[np.float32]
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()  # signs of damage


def eeg_start(samples: int, offset_s: float | None) -> int:
    """First sample of the labelled 50 s window; negative where a short file is centred in its window."""
    return (samples - hms.EEG_WINDOW) // 2 if offset_s is None else round(offset_s * hms.EEG_RATE_HZ)


def mirrored(uv: npt.NDArray[np.float32], start: int) -> npt.NDArray[np.float32]:
    """The 50 s window at sample `start`, (10000, channels); beyond the file it goes on as the mirror image of what is there.

    Edge samples are repeated. A file of less than the window is mirrored as often as it takes.

    Raises:
        RecordError: the window lies outside the file.
    """
    here = uv[max(start, 0) : max(start + hms.EEG_WINDOW, 0)]
    if not len(here):
        raise RecordError(f"EEG: expected a window at sample {start}, received {len(uv)} samples")
    before = max(-start, 0)
    return np.pad(here, ((before, hms.EEG_WINDOW - before - len(here)), (0, 0)), mode="symmetric")


def crop_eeg(eeg: EegFile, offset_s: float | None) -> EegFile:
    """The labelled window, (10000, 19); what the file does not cover is NaN and noted.

    Raises:
        RecordError: the window lies outside the file.
    """
    start = eeg_start(len(eeg.uv), offset_s)
    window, covered = _crop(eeg.uv, start, hms.EEG_WINDOW)
    if not covered:
        raise RecordError(f"EEG: expected a window at sample {start}, received {len(eeg.uv)} samples")
    short = () if covered == hms.EEG_WINDOW else (f"EEG: {covered} of {hms.EEG_WINDOW} samples",)
    return EegFile(window, eeg.notes + short, eeg.doubts)


def crop_spectrogram(spectrogram: SpectrogramFile, offset_s: float | None) -> SpectrogramFile:
    """The labelled ten minutes, (300, 400), rows placed by their `time`; what the file does not cover is NaN.

    Raises:
        RecordError: no row of the file lies in the window.
    """
    row = (spectrogram.time_s - 1) // hms.SPECTROGRAM_STEP_S
    if offset_s is not None:
        start = int(offset_s // hms.SPECTROGRAM_STEP_S)
    elif row[0] >= 0 and row[-1] < hms.SPECTROGRAM_ROWS:
        start = 0  # as the host cuts test files
    else:
        start = int(row[0] + (row[-1] - row[0] + 1 - hms.SPECTROGRAM_ROWS) // 2)
    inside = (row >= start) & (row < start + hms.SPECTROGRAM_ROWS)
    if not inside.any():
        raise RecordError(
            f"spectrogram: expected rows at {2 * start} s and later, "
            f"received {spectrogram.time_s[0]} to {spectrogram.time_s[-1]} s"
        )
    window = np.full((hms.SPECTROGRAM_ROWS, spectrogram.power.shape[1]), np.nan, np.float32)
    window[row[inside] - start] = spectrogram.power[inside]
    covered = len(np.unique(row[inside]))
    short = () if covered == hms.SPECTROGRAM_ROWS else (f"spectrogram: {covered} of {hms.SPECTROGRAM_ROWS} rows",)
    time_s = 1 + hms.SPECTROGRAM_STEP_S * np.arange(start, start + hms.SPECTROGRAM_ROWS)
    return SpectrogramFile(time_s, window, spectrogram.notes + short, spectrogram.doubts)


def _crop(values: npt.NDArray[np.float32], start: int, length: int) -> tuple[npt.NDArray[np.float32], int]:
    window = np.full((length, values.shape[1]), np.nan, np.float32)
    low, high = max(start, 0), min(start + length, len(values))
    if high <= low:
        return window, 0
    window[low - start : high - start] = values[low:high]
    return window, high - low
