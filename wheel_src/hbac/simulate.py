"""A data set in the competition's exact format whose answers are known by construction.

A recording is planned first (which patient, which pattern when, which windows a panel labelled and how), then made:
one continuous EEG, its spectrogram by `hbac.spectrogram`, and the EEG files cut from the very samples the spectrogram
came from. Every random draw has a seed of its own place in the plan, so the files do not depend on the workers.
"""

import multiprocessing
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from hbac import competition as hms
from hbac.errors import InputError
from hbac.patterns import Episode, Patient, draw_patient, synthesise
from hbac.spectrogram import host_spectrogram

ANSWERS_TABLE: Final = "answers.csv"  # the vote fractions of the test records, which the competition keeps to itself
MAX_PATIENTS: Final = 60_000  # patient ids lie below 65,536
LEAD_S: Final = 5  # simulated before a file's first second and after its last; odd, as row r is centred on 2r + 1
MIDDLE_S: Final = hms.SPECTROGRAM_WINDOW_S // 2  # the labelled moment, in seconds from a spectrogram window's start
LABEL_S: Final = 10  # its length
SPLITS: Final = ("train", "test")  # the place in this tuple is part of every seed

# What raters take each class for: shares of the votes it loses, after real rows of 10 votes or more.
CONFUSIONS: Final = {
    "seizure": {"lpd": 0.3, "gpd": 0.3, "lrda": 0.15, "other": 0.25},
    "lpd": {"seizure": 0.1, "gpd": 0.1, "lrda": 0.35, "other": 0.45},
    "gpd": {"seizure": 0.35, "lpd": 0.15, "grda": 0.2, "other": 0.3},
    "lrda": {"lpd": 0.2, "grda": 0.2, "other": 0.6},
    "grda": {"gpd": 0.15, "lrda": 0.15, "other": 0.7},
    "other": {"seizure": 0.1, "lpd": 0.25, "gpd": 0.1, "lrda": 0.25, "grda": 0.3},
}


@dataclass(frozen=True)
class Eeg:
    """One EEG file: where it starts, which of its windows were labelled, and the panel's votes for each."""

    eeg_id: int
    start_s: int  # offset of its first window in the spectrogram file
    offsets_s: tuple[int, ...]  # of the labelled windows, from that start
    votes: tuple[tuple[int, ...], ...]  # six counts for each of them
    label_ids: tuple[int, ...] = ()  # likewise one each

    @property
    def length_s(self) -> int:
        return self.offsets_s[-1] + hms.EEG_WINDOW_S


@dataclass(frozen=True)
class Recording:
    """One spectrogram file with its EEG files; times are seconds from the start of the spectrogram."""

    split: str
    spectrogram_id: int
    patient_id: int
    patient: Patient
    eegs: tuple[Eeg, ...]
    episodes: tuple[Episode, ...]
    gaps_s: tuple[tuple[float, float], ...]
    seed: np.random.SeedSequence

    @property
    def length_s(self) -> int:
        last = self.eegs[-1]
        return hms.SPECTROGRAM_WINDOW_S + (last.start_s + last.offsets_s[-1]) // 2 * 2


def simulate(
    out: Path,
    patients: int,
    seed: int,
    test_records: int | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> None:
    """Write a data set in the competition's format: train and test tables, EEGs, spectrograms, and the test answers.

    The same arguments give the same bytes whatever the number of workers. A patient costs about 2.5 s of one core, a
    test record about 1 s, and 5 MB and 2 MB of disk.

    Args:
        out: folder to fill; made if absent, must be empty.
        patients: training patients, each with one to three recordings of one or two classes; 0 for a test split alone.
        seed: of every random draw, 0 or more.
        test_records: records of the test split, each of its own patient; unless given, a fifth of `patients`, at least
            one.
        workers: processes; all cores unless given.
        progress: show a bar over the recordings.

    Raises:
        InputError: an argument out of its range, or `out` is not an empty folder.
    """
    out = Path(out)
    records = min(patients, max(1, patients // 5)) if test_records is None else test_records
    _check_arguments(out, patients, seed, records, workers)
    recordings = plan(patients, records, seed)
    for split in SPLITS:
        (out / hms.eeg_folder(split)).mkdir(parents=True, exist_ok=True)
        (out / hms.spectrogram_folder(split)).mkdir(exist_ok=True)
    _write_all(out, recordings, workers or os.cpu_count() or 1, progress)
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


# The plan: who, which pattern when, which windows, which votes


def plan(patients: int, test_records: int, seed: int) -> list[Recording]:
    """All recordings of a data set, without their signals; the training ones do not depend on `test_records`."""
    taken: set[int] = set()
    recordings: list[Recording] = []
    for split, count in zip(SPLITS, (patients, test_records)):
        planned = [_plan_patient(split, index, seed) for index in range(count)]
        recordings += _with_ids(planned, np.random.default_rng(_seed(seed, split)), taken)
    return recordings


def _seed(seed: int, split: str, *place: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), *place))


def _plan_patient(split: str, index: int, seed: int) -> list[Recording]:
    """The recordings of one patient: mostly one class, often a second one; classes go round patient by patient."""
    block, turn = divmod(index, len(hms.CLASSES))
    order = np.random.default_rng(_seed(seed, split, 0, block)).permutation(hms.CLASSES)
    rng = np.random.default_rng(_seed(seed, split, 1, index))
    main = str(order[turn])
    second = _one_of(CONFUSIONS[main], rng)
    patient = draw_patient(rng, lateralised=main in ("lpd", "lrda"))
    count = 1 if split == "test" else int(rng.choice((1, 2, 3), p=(0.4, 0.35, 0.25)))
    kinds = [main] + [main if rng.random() < 0.7 else second for _ in range(count - 1)]
    return [
        _plan_recording(split, kind, (main, second), patient, rng, _seed(seed, split, 2, index, at))
        for at, kind in enumerate(kinds)
    ]


def _plan_recording(
    split: str,
    kind: str,
    kinds: tuple[str, str],
    patient: Patient,
    rng: np.random.Generator,
    seed: np.random.SeedSequence,
) -> Recording:
    """EEGs one after the other, an episode around each one's labelled middles, more of the same between them."""
    eegs, episodes, start = [], [], 0
    for _ in range(1 if split == "test" else int(rng.choice((1, 2, 3), p=(0.7, 0.2, 0.1)))):
        offsets = (0,) if split == "test" else _label_offsets(rng)
        weights = _weights(kind, rng)
        eegs.append(Eeg(0, start, offsets, _votes(weights, len(offsets), rng)))
        first, last = (MIDDLE_S + start + offset for offset in (offsets[0], offsets[-1]))
        before, after = rng.uniform(5, 20 if kind == "seizure" else 40, 2)
        episodes.append(Episode(first - LABEL_S / 2 - before, last + LABEL_S / 2 + after, weights))
        start += offsets[-1] + 2 * int(rng.integers(50, 75)) + (rng.random() < 0.05)  # some offsets are odd
        kind = kinds[0] if rng.random() < 0.7 else kinds[1]
    recording = Recording(split, 0, 0, patient, tuple(eegs), tuple(episodes), (), seed)
    extra = _extra_episodes(recording, rng)
    return replace(recording, episodes=(*episodes, *extra), gaps_s=_gaps(recording, rng))


def _label_offsets(rng: np.random.Generator) -> tuple[int, ...]:
    """The first window at 0, then even steps as in the real table, at most 40 s in all."""
    steps = rng.choice((2, 4, 6, 8, 10), size=int(min(12, rng.geometric(0.25))) - 1, p=(0.55, 0.22, 0.12, 0.07, 0.04))
    return tuple(int(offset) for offset in accumulate((0, *steps)) if offset <= 40)


def _weights(kind: str, rng: np.random.Generator) -> tuple[float, ...]:
    """How much of each class an episode holds: a clear one mostly `kind`, an unclear one half something else."""
    clarity = 0.42 + 0.56 * rng.beta(1.4, 1.0)
    rival = _one_of(CONFUSIONS[kind], rng)
    weights = dict.fromkeys(hms.CLASSES, 0.0) | {kind: clarity}
    weights[rival] += 0.8 * (1 - clarity)
    for name, share in CONFUSIONS[kind].items():
        weights[name] += 0.2 * (1 - clarity) * share
    return tuple(float(weights[name]) for name in hms.CLASSES)


def _votes(weights: Sequence[float], windows: int, rng: np.random.Generator) -> tuple[tuple[int, ...], ...]:
    """Six counts for each window from panels of raters of one opinion; most panels speak once for a whole EEG."""
    opinion = rng.dirichlet(np.maximum(weights, 0.004) * 30)
    panels = windows if rng.random() < 0.1 else 1
    counts = [tuple(map(int, rng.multinomial(_raters(rng), opinion))) for _ in range(panels)]
    return tuple(counts[at % panels] for at in range(windows))


def _raters(rng: np.random.Generator) -> int:
    """Half the panels have 10 to 28 members, the others 1 to 7, mostly 3: in the real table none has 8 or 9."""
    if rng.random() < 0.5:
        return 10 + int(rng.binomial(18, 0.27))
    return int(rng.choice(range(1, 8), p=(0.07, 0.04, 0.75, 0.06, 0.06, 0.015, 0.005)))


def _extra_episodes(recording: Recording, rng: np.random.Generator) -> list[Episode]:
    """The patient's pattern comes and goes outside the labelled stretches too; now and then with an earlier seizure."""
    weights = recording.episodes[0].weights
    seizure = int(np.argmax(weights)) == hms.CLASSES.index("seizure")
    extra, at = [], 0.0
    while at < recording.length_s:
        stop = at + rng.uniform(25, 60 if seizure else 120)
        free = all(stop + 15 < e.start_s or at - 15 > e.stop_s for e in recording.episodes)
        if free and rng.random() < (0.15 if seizure else 0.7):
            extra.append(Episode(at, stop, weights))
        at = stop + rng.uniform(10, 60)
    return extra


def _gaps(recording: Recording, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """Where nothing was recorded: mostly a block at an edge, seldom as far as the EEG; seldom a short one inside it."""
    kind, at_start = rng.random(), rng.random() < 0.5
    first, last = recording.eegs[0], recording.eegs[-1]
    eeg_start = first.start_s + hms.EEG_START_IN_SPECTROGRAM_S
    eeg_stop = last.start_s + hms.EEG_START_IN_SPECTROGRAM_S + last.length_s
    reach = rng.uniform(0.2, 6) if kind < 0.022 else -rng.uniform(5, 250)  # into the EEG, or how far it stays away
    inside = eeg_start + rng.uniform(2, 15)
    if kind < 0.10:
        return ((-LEAD_S, eeg_start + reach) if at_start else (eeg_stop - reach, recording.length_s + LEAD_S),)
    return ((inside, inside + rng.uniform(0.3, 3)),) if kind < 0.11 else ()


def _one_of(shares: dict[str, float], rng: np.random.Generator) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _with_ids(
    patients: Sequence[Sequence[Recording]], rng: np.random.Generator, taken: set[int]
) -> Iterable[Recording]:
    """The same recordings with ids that look like the competition's; no id serves twice."""
    for recordings in patients:
        patient_id = _new_id(2**16, rng, taken)
        for recording in recordings:
            spectrogram_id = _new_id(2**31, rng, taken)
            eegs = tuple(_eeg_with_ids(eeg, rng, taken) for eeg in recording.eegs)
            yield replace(recording, patient_id=patient_id, spectrogram_id=spectrogram_id, eegs=eegs)


def _eeg_with_ids(eeg: Eeg, rng: np.random.Generator, taken: set[int]) -> Eeg:
    label_ids = tuple(_new_id(2**32, rng, taken) for _ in eeg.offsets_s)
    return replace(eeg, eeg_id=_new_id(2**32, rng, taken), label_ids=label_ids)


def _new_id(below: int, rng: np.random.Generator, taken: set[int]) -> int:
    while (number := int(rng.integers(1, below))) in taken:
        pass
    taken.add(number)
    return number


# The files


def _write_all(out: Path, recordings: Sequence[Recording], workers: int, progress: bool) -> None:
    write = partial(write_recording, out)
    bar = partial(tqdm, total=len(recordings), unit="recording", disable=not progress)
    if min(workers, len(recordings)) == 1:
        for _ in bar(map(write, recordings)):
            pass
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
    with ProcessPoolExecutor(min(workers, len(recordings)), mp_context=context) as pool:
        for _ in bar(pool.map(write, recordings)):
            pass


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
        window = eeg[start : start + part.length_s * hms.EEG_RATE_HZ]
        table = pd.DataFrame(window, columns=list(hms.EEG_COLUMNS))
        _write_parquet(table, out / hms.eeg_folder(recording.split) / f"{part.eeg_id}.parquet")


def render(recording: Recording) -> npt.NDArray[np.float32]:
    """The signal: ((length_s + 2 * LEAD_S) * 200, 20) float32 microvolts of two decimals, NaN in the gaps."""
    rng = np.random.default_rng(recording.seed)
    shifted = [Episode(e.start_s + LEAD_S, e.stop_s + LEAD_S, e.weights) for e in recording.episodes]
    eeg = synthesise(recording.length_s + 2 * LEAD_S, shifted, recording.patient, rng)
    eeg = np.round(eeg.astype(np.float64), 2).astype(np.float32)
    for start_s, stop_s in recording.gaps_s:
        eeg[round((start_s + LEAD_S) * hms.EEG_RATE_HZ) : round((stop_s + LEAD_S) * hms.EEG_RATE_HZ)] = np.nan
    return eeg


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path, engine="pyarrow", compression="snappy", index=False, row_group_size=len(table))


def _write_tables(out: Path, recordings: Sequence[Recording]) -> None:
    train = [row for recording in recordings if recording.split == "train" for row in _label_rows(recording)]
    tested = sorted((r for r in recordings if r.split == "test"), key=lambda r: r.eegs[0].eeg_id)
    ids = [r.eegs[0].eeg_id for r in tested]
    votes = np.array([r.eegs[0].votes[0] for r in tested], float).reshape(-1, len(hms.CLASSES))
    tables = {
        hms.TRAIN_TABLE: pd.DataFrame(train, columns=list(hms.TRAIN_COLUMNS)).sort_values(["eeg_id", "eeg_sub_id"]),
        hms.TEST_TABLE: pd.DataFrame(
            [(r.spectrogram_id, r.eegs[0].eeg_id, r.patient_id) for r in tested], columns=list(hms.TEST_COLUMNS)
        ),
        hms.SAMPLE_SUBMISSION: _answers(ids, np.full((len(ids), len(hms.CLASSES)), 1 / len(hms.CLASSES))),
        ANSWERS_TABLE: _answers(ids, votes / votes.sum(axis=1, keepdims=True)),
    }
    for name, table in tables.items():
        table.to_csv(out / name, index=False, lineterminator="\n")


def _answers(ids: Sequence[int], fractions: npt.NDArray[np.float64]) -> pd.DataFrame:
    table = pd.DataFrame(fractions, columns=list(hms.VOTE_COLUMNS))
    table.insert(0, hms.ID_COLUMN, np.array(ids, np.int64))
    return table[list(hms.SUBMISSION_COLUMNS)]


def _label_rows(recording: Recording) -> list[tuple]:
    """The rows of train.csv for one recording, in the order of its windows."""
    rows: list[tuple] = []
    for eeg in recording.eegs:
        labels = zip(eeg.offsets_s, eeg.votes, eeg.label_ids, strict=True)
        for sub_id, (offset, votes, label_id) in enumerate(labels):
            place = (float(offset), recording.spectrogram_id, len(rows), float(eeg.start_s + offset))
            consensus = hms.CONSENSUS_NAMES[int(np.argmax(votes))]
            rows.append((eeg.eeg_id, sub_id, *place, label_id, recording.patient_id, consensus, *votes))
    return rows
