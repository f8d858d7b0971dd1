"""Simulated scalp EEG: episodes of the competition's six classes over a patient's background, in microvolts.

Everything comes from sources with a smooth field and a lag (`scalp`): the background (`background`, `transients`), the
patterns (`patterns`), the body's artefacts (`artefacts`) and the recording itself (`amplifier`). Here an episode's
mixture of classes becomes one event of a certain kind, place, clarity and size.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from hbac.hms import CLASSES, EEG_RATE_HZ
from hbac.preprocessing.montage import FIRST, SECOND
from hbac.simulation.amplifier import add_recording
from hbac.simulation.artefacts import add_artefacts, add_mimic, add_muscle, ekg
from hbac.simulation.background import background, draw_states
from hbac.simulation.patient import Episode, Patient, draw_patient
from hbac.simulation.patterns import PATTERNS, Event, presence, seizure
from hbac.simulation.primitives import at_random, edges
from hbac.simulation.scalp import Array
from hbac.simulation.transients import add_discharges, add_transients

__all__ = ["Episode", "Patient", "draw_patient", "synthesise"]

LEAST_PATTERN_SHARE: Final = 0.12  # less pattern than this is not in the signal at all
# Amplitude by kind of event, times the background's deviation in bipolar pairs.
AMPLITUDE_OVER_BACKGROUND: Final = {"seizure": 13.5, "periodic": 9.5, "rhythmic": 8.0}
MAX_HEIGHT_UV: Final = 300.0
USUAL_BACKGROUND_UV: Final = 10.0  # the background's deviation in bipolar pairs
FAINTEST_FACTOR: Final = 0.42  # on the amplitude of a pattern that is nearly all "other"
CLEAREST_FACTOR: Final = 1.2  # on the amplitude of a pattern that has nothing of "other"


def synthesise(
    duration_s: int,
    episodes: Sequence[Episode],
    patient: Patient,
    rng: np.random.Generator,
    likeness: int | None = None,
) -> npt.NDArray[np.float32]:
    """One continuous referential recording.

    Args:
        duration_s: its length.
        episodes: where which pattern is, in seconds from its start; the rest is background.
        patient: who it is.
        rng: draws everything else.
        likeness: patterns of one likeness look alike, in other calls too; None to draw one.

    Returns:
        (200 * duration_s, 20) float32 microvolts, columns in the order of `hms.EEG_COLUMNS`.
    """
    samples = duration_s * EEG_RATE_HZ
    states = draw_states(samples, patient.vigilance, rng)
    eeg = background(samples, patient, states, rng)  # (19, samples)
    add_transients(eeg, patient, states, rng)
    drawn = int(rng.integers(2**32))
    for episode in episodes:
        add_episode(eeg, episode, patient, rng, drawn if likeness is None else likeness)
    beats_s = add_artefacts(eeg, patient, states, rng)
    add_recording(eeg, rng)
    return np.ascontiguousarray(np.vstack([eeg, ekg(samples, beats_s, rng)]).T, np.float32)


def read_mixture(mixture: Sequence[float], rng: np.random.Generator) -> Event | None:
    """One event for a mixture, or None where there is too little of any pattern.

    Lateralised against generalised, periodic against rhythmic and ictal against static are shares of their own, so
    that 0.5 LPD with 0.5 LRDA is sharply contoured delta of one side, and 0.6 LPD with 0.4 seizure fast discharges
    that evolve a little.
    """
    w = dict(zip(CLASSES, mixture))
    clarity = 1 - w["other"]
    if clarity < LEAST_PATTERN_SHARE:
        return None
    one_side, both = w["lpd"] + w["lrda"], w["gpd"] + w["grda"]
    discharges, waves = w["lpd"] + w["gpd"], w["lrda"] + w["grda"]
    ictal = w["seizure"] / clarity
    if one_side + both < 0.05 * clarity:
        lateral, rhythmic = float(rng.random() < 0.6), float(rng.random() < 0.5)
    else:
        lateral, rhythmic = one_side / (one_side + both), waves / (discharges + waves)
    kind = "rhythmic" if rhythmic > 0.5 + rng.normal(0, 0.05) else "periodic"
    return Event("seizure" if ictal > 0.5 else kind, clarity, lateral, rhythmic, ictal)


def height_uv(event: Event, around: Array, patient: Patient, rng: np.random.Generator) -> float:
    """Amplitude of an event: larger on a larger background `around` it, and the more the clearer it is."""
    pairs_uv = float(np.median((around[FIRST, ::4] - around[SECOND, ::4]).std(axis=1)))
    level = USUAL_BACKGROUND_UV * (max(pairs_uv, 2.0) / USUAL_BACKGROUND_UV) ** 0.7
    level *= 1 - 0.25 * event.lateral * (event.kind == "rhythmic")
    prominence = FAINTEST_FACTOR * (CLEAREST_FACTOR / FAINTEST_FACTOR) ** event.clarity * rng.lognormal(0, 0.2)
    return min(MAX_HEIGHT_UV, float(AMPLITUDE_OVER_BACKGROUND[event.kind] * level * patient.strength * prominence))


def add_episode(eeg: Array, episode: Episode, patient: Patient, rng: np.random.Generator, likeness: int) -> None:
    """Add what one episode's mixture says to `eeg` (19, samples); episodes of one `likeness` look alike."""
    event = read_mixture(episode.mixture, rng)
    if episode.mixture[CLASSES.index("other")] > 0.5 and rng.random() < 0.35:
        _add_confuser(eeg, *_samples(eeg, episode.start_s, episode.stop_s), patient, rng)
    if event is None:
        return
    if event.kind == "seizure":
        _add_seizure(eeg, episode, event, patient, rng, likeness)
        return
    ramp_s = float(np.clip(rng.lognormal(1.8, 0.9), 1, 40))
    begun, ended = (round(s * EEG_RATE_HZ) for s in (episode.start_s - ramp_s / 2, episode.stop_s + ramp_s / 2))
    start, stop = (min(max(at, 0), eeg.shape[1]) for at in (begun, ended))
    samples = stop - start
    if samples < EEG_RATE_HZ:
        return
    same = np.random.default_rng(likeness)
    ramp = edges(ended - begun, ramp_s, ramp_s)[start - begun : stop - begun]  # what goes on beyond `eeg` does not fade
    envelope = presence(samples, event, rng) * np.float32(height_uv(event, eeg[:, start:stop], patient, same)) * ramp
    eeg[:, start:stop] *= np.exp(np.float32(_stillness(event, patient)) * ramp)
    eeg[:, start:stop] += PATTERNS[event.kind](samples, event, patient, rng, same) * envelope


def _stillness(event: Event, patient: Patient) -> float:
    """Natural log of what a pattern leaves of the background: least under clear generalised periodic discharges."""
    share = 2.0 - 1.4 * event.lateral if event.kind == "periodic" else 0.5
    return patient.stillness * share * event.clarity


def _add_seizure(
    eeg: Array, episode: Episode, event: Event, patient: Patient, rng: np.random.Generator, likeness: int
) -> None:
    """A seizure in its whole length, of which `eeg` may hold a part: its course is its own and not the file's."""
    start, stop = _samples(eeg, episode.start_s, episode.stop_s)
    begun = round(episode.start_s * EEG_RATE_HZ)
    samples = round(episode.stop_s * EEG_RATE_HZ) - begun
    if stop - start < EEG_RATE_HZ:
        return
    same = np.random.default_rng(likeness)
    height = np.float32(height_uv(event, eeg[:, start:stop], patient, same))
    if event.clarity > 0.5:
        _quieten(eeg, start, stop, rng)
        if rng.random() < 0.2:  # convulsive
            add_muscle(eeg, start / EEG_RATE_HZ, (stop - start) / EEG_RATE_HZ * rng.uniform(0.3, 1), rng)
    wave = seizure(samples, event, patient, rng, same)
    eeg[:, start:stop] += wave[:, start - begun : stop - begun] * height


def _samples(eeg: Array, start_s: float, stop_s: float) -> tuple[int, int]:
    start, stop = (round(float(np.clip(s * EEG_RATE_HZ, 0, eeg.shape[1]))) for s in (start_s, stop_s))
    return start, stop


def _quieten(eeg: Array, start: int, stop: int, rng: np.random.Generator) -> None:
    """A seizure takes the place of the background, which may stay low after it and recovers over minutes."""
    eeg[:, start:stop] *= np.float32(rng.uniform(0.4, 0.9))
    if rng.random() < 0.5:
        after = min(eeg.shape[1], stop + int(rng.uniform(10, 150) * EEG_RATE_HZ))
        left = rng.uniform(0.2, 0.8)
        eeg[:, stop:after] *= np.linspace(left, 1, after - stop, dtype=np.float32)


def _add_confuser(eeg: Array, start: int, stop: int, patient: Patient, rng: np.random.Generator) -> None:
    """Something in an "other" episode that may be taken for a pattern: a rhythmic artefact or isolated discharges."""
    if stop - start < 2 * EEG_RATE_HZ:
        return
    if rng.random() < 0.6:
        add_mimic(eeg, start, stop, rng)
    else:
        at = at_random(stop - start, rng.uniform(4, 20), rng)
        add_discharges(eeg, start / EEG_RATE_HZ + at, patient, rng)
