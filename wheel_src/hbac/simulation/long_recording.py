"""A simulated recording of hours as an EDF file, with seizures and patterns at times that a table beside it tells.

A patient has seizures and one or two of the other patterns, which come and go over a background that runs on. The
recording is made in pieces of some minutes that fade into each other, cut where no pattern is if there is such a place:
memory does not grow with its length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from hbac.edf import Signal, header
from hbac.errors import InputError
from hbac.files import check_place, write_atomically, written_whole
from hbac.hms import CLASSES, EEG_COLUMNS, EEG_RATE_HZ
from hbac.simulation.eeg import synthesise
from hbac.simulation.patient import Episode, Mixture, Patient, draw_patient
from hbac.simulation.primitives import one_of
from hbac.simulation.raters import CONFUSIONS
from hbac.simulation.timeline import Span, runs_of_pattern, seizure_length_s
from hbac.streams import progress_bar

Array = npt.NDArray[np.float32]

SHORTEST_S, LONGEST_S = 60, 14 * 86_400  # of a recording
START: Final = datetime(2030, 1, 1, 12)
PIECE_S: Final = (240, 420)  # shortest and longest piece
FADE_S: Final = 8  # in which one piece becomes the next
AWAY_S: Final = 25  # from a pattern: it fades in and out over up to 40 s around its ends
SEIZURE_PAUSE_S: Final = (900.0, 6300.0)  # between seizures: one an hour
PHASE_PAUSE_S: Final = (600.0, 3000.0)  # between the phases of another pattern
PHASE_S: Final = (300.0, 2400.0)  # of continuous waves or runs of them
AROUND_SEIZURE_S: Final = (15.0, 60.0)  # before and after which no other pattern is
CLARITY: Final = (0.75, 1.0)  # share of the pattern in its episodes; what is left is what raters take it for
PATTERN_COUNTS: Final = (0.2, 0.5, 0.3)  # chance of 0, 1, 2 patterns beside seizures
STEP_UV: Final = 0.1  # of the samples: 16 bits reach +-3,276.7 uV
TRUTH_COLUMNS: Final = ("onset", "duration", "pattern", *CLASSES)


@dataclass(frozen=True)
class LongRecording:
    """Who is recorded for how long, and which pattern is when; episodes in the order of time, none overlapping."""

    length_s: int
    patient: Patient
    episodes: tuple[Episode, ...]


def simulate_recording(output: Path, length_s: float, seed: int, progress: bool = True) -> Path:
    """Write a recording as EDF and what is in it as a table beside it, and return the table's name.

    The same arguments give the same bytes. An hour takes some 6 s of one core and 29 MB of disk.

    Args:
        output: the EDF file, its name ending in .edf.
        length_s: seconds, a minute to two weeks.
        seed: of every draw, 0 or more.
        progress: show a bar.

    Raises:
        InputError: an argument out of its range.
        OutputError: a file cannot be written; none is left half-written under its name.
    """
    truth, length_s = _checked(output, length_s, seed), int(length_s)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    recording = plan_recording(length_s, rng)
    signals = [Signal(_label(name), "uV", (-32768 * STEP_UV, 32767 * STEP_UV), EEG_RATE_HZ) for name in EEG_COLUMNS]
    with written_whole(output) as file, progress_bar(length_s, 0, "s", "simulate", progress) as bar:
        file.write(header(signals, length_s, 1, START, plus=False))
        for piece in pieces(recording, rng):
            file.write(_records(piece))
            bar.update(len(piece) // EEG_RATE_HZ)
    write_atomically(truth, truth_tsv(recording))
    return truth


def _checked(output: Path, length_s: float, seed: int) -> Path:
    """The truth's name, if all arguments can be meant."""
    if output.suffix.lower() != ".edf":
        raise InputError(f"{output}: expected a name ending in .edf")
    if length_s != int(length_s) or not SHORTEST_S <= length_s <= LONGEST_S:
        raise InputError(f"recording: expected {SHORTEST_S} to {LONGEST_S} whole seconds, received {length_s:g}")
    if seed < 0:
        raise InputError(f"seed: expected 0 or more, received {seed}")
    truth = output.with_name(f"{output.stem}_truth.tsv")
    for place in (output, truth):
        check_place(place)
    return truth


def _label(name: str) -> str:
    return "ECG EKG" if name == "EKG" else f"EEG {name}-REF"


def _records(eeg: Array) -> bytes:
    """Whole seconds (samples, 20) as data records."""
    digital = np.clip(np.rint(eeg / np.float32(STEP_UV)), -32768, 32767).astype("<i2")
    records: bytes = digital.reshape(-1, EEG_RATE_HZ, digital.shape[1]).transpose(0, 2, 1).tobytes()
    return records


def truth_tsv(recording: LongRecording) -> bytes:
    """A row for each episode: onset and duration in seconds, its pattern, and the share of each class in it."""
    lines = ["\t".join(TRUTH_COLUMNS)]
    for episode in recording.episodes:
        times = f"{episode.start_s:.2f}", f"{episode.stop_s - episode.start_s:.2f}"
        lines.append("\t".join((*times, _kind(episode), *(f"{share:.4f}" for share in episode.mixture))))
    return ("\n".join(lines) + "\n").encode()


def _kind(episode: Episode) -> str:
    return CLASSES[int(np.argmax(episode.mixture))]


# What is when


def plan_recording(length_s: int, rng: np.random.Generator) -> LongRecording:
    """Draw a patient, seizures, and phases of other patterns between them."""
    count = int(rng.choice(len(PATTERN_COUNTS), p=PATTERN_COUNTS))
    kinds = [str(kind) for kind in rng.choice(CLASSES[1:-1], count, replace=False)]
    patient = draw_patient(rng, lateralised=any(kind in ("lpd", "lrda") for kind in kinds))
    seizures = _seizures(length_s, rng)
    taken = [Span(one.start_s - AROUND_SEIZURE_S[0], one.stop_s + AROUND_SEIZURE_S[1]) for one in seizures]
    others = [run for phase in _phases(length_s, rng) for run in _pattern(kinds, phase, taken, rng)]
    return LongRecording(length_s, patient, tuple(sorted(seizures + others, key=lambda episode: episode.start_s)))


def _seizures(length_s: int, rng: np.random.Generator) -> list[Episode]:
    mixture = _mixture("seizure", rng)
    found, at = [], rng.uniform(0.2, 1) * SEIZURE_PAUSE_S[0]
    while (stop := at + seizure_length_s(rng)) < length_s - 10:
        found.append(Episode(round(at, 2), round(stop, 2), mixture))
        at = stop + rng.uniform(*SEIZURE_PAUSE_S)
    return found


def _phases(length_s: int, rng: np.random.Generator) -> Iterator[Span]:
    at = rng.uniform(0, PHASE_PAUSE_S[1])
    while at < length_s:
        stop = at + rng.uniform(*PHASE_S)
        yield Span(at, min(stop, length_s))
        at = stop + rng.uniform(*PHASE_PAUSE_S)


def _pattern(kinds: Sequence[str], phase: Span, taken: Sequence[Span], rng: np.random.Generator) -> list[Episode]:
    """One pattern in one phase, as far as nothing else is there."""
    if not kinds:
        return []
    kind = str(rng.choice(kinds))
    mixture = _mixture(kind, rng)
    free = [phase]
    for other in taken:
        free = [part for span in free for part in _without(span, other)]
    runs = [run for span in free for run in runs_of_pattern(span, mixture, rng, kind)]
    return [Episode(round(run.start_s, 2), round(run.stop_s, 2), mixture) for run in runs]


def _without(span: Span, other: Span) -> list[Span]:
    """What is left of one span beside another."""
    if other.stop_s <= span.start_s or span.stop_s <= other.start_s:
        return [span]
    parts = (Span(span.start_s, other.start_s), Span(other.stop_s, span.stop_s))
    return [part for part in parts if part.stop_s > part.start_s]


def _mixture(kind: str, rng: np.random.Generator) -> Mixture:
    """A clear pattern, with a little of what raters take it for."""
    share = float(rng.uniform(*CLARITY))
    rest = one_of(CONFUSIONS[kind], rng)
    return tuple(share if name == kind else 1 - share if name == rest else 0.0 for name in CLASSES)


# How it is made


def pieces(recording: LongRecording, rng: np.random.Generator) -> Iterator[Array]:
    """The recording in its order: (samples, 20) float32 microvolts, whole seconds each."""
    likeness = int(rng.integers(2**32))
    cuts = _cuts(recording)
    before: Array | None = None  # of the piece before, what fades into this one
    for start, stop in zip(cuts[:-1], cuts[1:]):
        first, last = max(0, start - FADE_S // 2), min(recording.length_s, stop + FADE_S // 2)
        eeg = synthesise(last - first, _within(recording, first, last), recording.patient, rng, likeness)
        if before is not None:
            eeg[: len(before)] = _faded(before, eeg[: len(before)])
        keep = len(eeg) if last == recording.length_s else len(eeg) - FADE_S * EEG_RATE_HZ
        yield eeg[:keep]
        before = eeg[keep:].copy()


def _faded(one: Array, other: Array) -> Array:
    """From one to the other with the power kept."""
    turn = np.linspace(0, np.pi / 2, len(one), dtype=np.float32)[:, None]
    result: Array = one * np.cos(turn) + other * np.sin(turn)
    return result


def _within(recording: LongRecording, first: int, last: int) -> list[Episode]:
    """Episodes that show between two seconds, in seconds from the first."""
    return [
        Episode(episode.start_s - first, episode.stop_s - first, episode.mixture)
        for episode in recording.episodes
        if _shows(episode, first, last)
    ]


def _shows(episode: Episode, first: int, last: int) -> bool:
    return episode.start_s - AWAY_S < last and episode.stop_s + AWAY_S > first


def _cuts(recording: LongRecording) -> list[int]:
    """Where pieces begin and end, in whole seconds: away from patterns, or where the longest piece ends."""
    cuts = [0]
    while recording.length_s - cuts[-1] > PIECE_S[1]:
        least, most = cuts[-1] + PIECE_S[0], min(cuts[-1] + PIECE_S[1], recording.length_s - PIECE_S[0] // 2)
        near = _within(recording, least, most)  # in seconds from `least`
        quiet = (at for at in range(most - least + 1) if not any(_shows(one, at, at) for one in near))
        cuts.append(least + next(quiet, most - least))
    return [*cuts, recording.length_s]
