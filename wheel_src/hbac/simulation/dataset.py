"""A data set in the competition's exact format whose answers are known by construction.

A recording is planned first (`hbac.simulation.schedule`: which patient, which pattern when, which windows a panel labelled and how),
then made: one continuous EEG, its spectrogram by `hbac.preprocessing.multitaper`, and the EEG files cut from the very samples the
spectrogram came from. Every random draw has a seed of its own place in the plan, so files do not depend on workers.
"""

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from hbac import hms
from hbac.errors import InputError, OutputError
from hbac.files import write_atomically
from hbac.machine.cores import usable_cores
from hbac.preprocessing.multitaper import host_spectrogram
from hbac.processes import in_children
from hbac.simulation.eeg import Episode, synthesise
from hbac.simulation.schedule import LEAD_S, SPLITS, Recording, plan
from hbac.streams import progress_bar

ANSWERS_TABLE: Final = "answers.csv"  # the vote fractions of the test records, which the competition keeps to itself
MAX_PATIENTS: Final = 60_000  # patient ids lie below 65,536


def simulate(
    out: Path,
    patients: int,
    seed: int,
    test_records: int | None = None,
    workers: int | None = None,
    progress: bool = True,
    balanced: bool = False,
    single: bool = False,
    eeg_alone: bool = False,
) -> None:
    """Write a data set in the competition's format: train and test tables, EEGs, spectrograms, and the test answers.

    The same arguments give the same bytes whatever the number of workers. A patient costs about 2 s of one core, a
    test record about 0.8 s, and 8 MB and 1.5 MB of disk.

    Args:
        out: folder to fill; made if absent, must be empty.
        patients: training patients, each with one to eight recordings, mostly of one class; 0 for a test split alone.
        seed: of every random draw, 0 or more.
        test_records: records of the test split, each of its own patient; unless given, a fifth of `patients`, at least
            one.
        workers: processes; all cores unless given.
        progress: show a bar over the recordings.
        balanced: the classes go round patient by patient; otherwise their shares are those of the real table.
        single: one EEG a training patient: the most variety for the time.
        eeg_alone: no spectrogram files, and of each recording only the EEGs are made, in a fraction of the time.

    Raises:
        InputError: an argument out of its range, or `out` is not an empty folder.
        OutputError: a full disk, or a folder that cannot be written. The tables are written last, train.csv and
            test.csv last of all: a folder without them is not whole. No file is left half-written under its name.
    """
    out = Path(out)
    records = min(patients, max(1, patients // 5)) if test_records is None else test_records
    _check_arguments(out, patients, seed, records, workers)
    recordings = plan(patients, records, seed, balanced, single)
    _make_folders(out)
    _write_all(out, recordings, workers or usable_cores(), progress, eeg_alone)
    _write_tables(out, recordings)


def _check_arguments(out: Path, patients: int, seed: int, test_records: int, workers: int | None) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: expected an empty folder, found a file")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: expected an empty folder, found {sorted(p.name for p in out.iterdir())[0]!r} in it")
    if patients < 0 or test_records < 0 or not 1 <= patients + test_records <= MAX_PATIENTS:
        raise InputError(
            f"expected 1 to {MAX_PATIENTS} patients and test records together, none negative, "
            f"received {patients} patients and {test_records} test records"
        )
    if seed < 0:
        raise InputError(f"seed: expected 0 or more, received {seed}")
    if workers is not None and workers < 1:
        raise InputError(f"workers: expected 1 or more, received {workers}")


# The files


def _make_folders(out: Path) -> None:
    try:
        for split in SPLITS:
            (out / hms.eeg_folder(split)).mkdir(parents=True, exist_ok=True)
            (out / hms.spectrogram_folder(split)).mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: expected a place for a folder, received: {error.strerror or error}") from error


def _write_all(out: Path, recordings: Sequence[Recording], workers: int, progress: bool, eeg_alone: bool) -> None:
    write = partial(write_eegs if eeg_alone else write_recording, out)
    with progress_bar(len(recordings), 0, "recording", "simulate", progress) as bar:
        for _ in in_children(write, recordings, workers):
            bar.update()


def write_recording(out: Path, recording: Recording) -> None:
    """Make one recording and write its spectrogram and its EEG files below `out`, whose folders must exist."""
    eeg = render(recording)  # (samples, 20) from LEAD_S before the spectrogram file's start
    lead_rows = (LEAD_S - 1) // hms.SPECTROGRAM_STEP_S
    rows = recording.length_s // hms.SPECTROGRAM_STEP_S
    power = np.round(host_spectrogram(eeg)[lead_rows : lead_rows + rows], 2)  # (rows, 400)
    time = np.arange(1, 2 * rows, hms.SPECTROGRAM_STEP_S, dtype=np.int16 if recording.split == "test" else np.int64)
    table = pd.DataFrame(power, columns=list(hms.SPECTROGRAM_COLUMNS))
    table.insert(0, "time", time)
    _write_parquet(table, out / hms.spectrogram_folder(recording.split) / f"{recording.spectrogram_id}.parquet")
    for part in recording.eegs:
        start = (LEAD_S + part.start_s + hms.EEG_START_IN_SPECTROGRAM_S) * hms.EEG_RATE_HZ
        _write_eeg(eeg[start : start + part.length_s * hms.EEG_RATE_HZ], out, recording.split, part.eeg_id)


def write_eegs(out: Path, recording: Recording) -> None:
    """Make only the stretches of a recording that its EEG files hold, and write these below `out`."""
    for number, part in enumerate(recording.eegs):
        seed = np.random.SeedSequence(recording.seed.entropy, spawn_key=(*recording.seed.spawn_key, number))
        start_s = part.start_s + hms.EEG_START_IN_SPECTROGRAM_S - LEAD_S
        eeg = _render(recording, start_s, part.length_s + 2 * LEAD_S, np.random.default_rng(seed))
        lead = LEAD_S * hms.EEG_RATE_HZ
        _write_eeg(eeg[lead : len(eeg) - lead], out, recording.split, part.eeg_id)


def _write_eeg(window: npt.NDArray[np.float32], out: Path, split: str, eeg_id: int) -> None:
    table = pd.DataFrame(window, columns=list(hms.EEG_COLUMNS))
    _write_parquet(table, out / hms.eeg_folder(split) / f"{eeg_id}.parquet")


def render(recording: Recording) -> npt.NDArray[np.float32]:
    """The signal: ((length_s + 2 * LEAD_S) * 200, 20) float32 microvolts of two decimals, NaN in the gaps."""
    return _render(recording, -LEAD_S, recording.length_s + 2 * LEAD_S, np.random.default_rng(recording.seed))


def _render(recording: Recording, start_s: int, length_s: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A stretch of the signal, from `start_s` of its spectrogram on."""
    episodes = [Episode(e.start_s - start_s, e.stop_s - start_s, e.mixture) for e in recording.episodes]
    here = [e for e in episodes if e.stop_s > 0 and e.start_s < length_s]
    eeg = np.round(synthesise(length_s, here, recording.patient, rng).astype(np.float64), 2).astype(np.float32)
    for gap in recording.gaps_s:
        start, stop = (max(0, round((at_s - start_s) * hms.EEG_RATE_HZ)) for at_s in gap)
        eeg[start:stop] = np.nan
    return eeg


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    content = io.BytesIO()
    table.to_parquet(
        content,
        engine="pyarrow",
        compression="snappy",
        index=False,
        row_group_size=len(table),
        write_page_checksum=True,
    )
    write_atomically(path, content.getvalue())


def _write_tables(out: Path, recordings: Sequence[Recording]) -> None:
    tested = sorted((r for r in recordings if r.split == "test"), key=lambda r: r.eegs[0].eeg_id)
    ids = [r.eegs[0].eeg_id for r in tested]
    votes = np.array([r.eegs[0].votes[0] for r in tested], float).reshape(-1, len(hms.CLASSES))
    tables = {
        hms.SAMPLE_SUBMISSION: _answers(ids, np.full((len(ids), len(hms.CLASSES)), 1 / len(hms.CLASSES))),
        ANSWERS_TABLE: _answers(ids, votes / votes.sum(axis=1, keepdims=True)),
        hms.TRAIN_TABLE: train_table(recordings),
        hms.TEST_TABLE: pd.DataFrame(
            [(r.spectrogram_id, r.eegs[0].eeg_id, r.patient_id) for r in tested], columns=list(hms.TEST_COLUMNS)
        ),
    }
    for name, table in tables.items():
        write_atomically(out / name, table.to_csv(index=False, lineterminator="\n").encode())


def train_table(recordings: Sequence[Recording]) -> pd.DataFrame:
    """The training recordings of a plan as train.csv has them: a row for each labelled window, by EEG."""
    rows = [row for recording in recordings if recording.split == "train" for row in _label_rows(recording)]
    return pd.DataFrame(rows, columns=list(hms.TRAIN_COLUMNS)).sort_values(["eeg_id", "eeg_sub_id"])


def _answers(ids: Sequence[int], fractions: npt.NDArray[np.float64]) -> pd.DataFrame:
    table = pd.DataFrame(fractions, columns=list(hms.VOTE_COLUMNS))
    table.insert(0, hms.ID_COLUMN, np.array(ids, np.int64))
    return table[list(hms.SUBMISSION_COLUMNS)]


def _label_rows(recording: Recording) -> list[tuple[Any, ...]]:
    """The rows of train.csv for one recording, in the order of its windows."""
    rows: list[tuple[Any, ...]] = []
    for eeg in recording.eegs:
        labels = zip(eeg.offsets_s, eeg.votes, eeg.label_ids, strict=True)
        for sub_id, (offset, votes, label_id) in enumerate(labels):
            window = (float(offset), recording.spectrogram_id, len(rows), float(eeg.start_s + offset))
            consensus = hms.CONSENSUS_NAMES[int(np.argmax(votes))]
            rows.append((eeg.eeg_id, sub_id, *window, label_id, recording.patient_id, consensus, *votes))
    return rows
