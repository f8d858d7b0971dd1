from dataclasses import replace

import numpy as np
import pytest
from helpers_signals import at
from scipy import signal

from hbac.preprocessing.montage import bipolar
from hbac.simulation.background import (
    SEQUENCES,
    STATES,
    SUPPRESSION,
    aperiodic,
    background,
    continuity,
    draw_states,
    focal_slowing,
)
from hbac.simulation.patient import VIGILANCE, Patient, draw_patient
from hbac.simulation.scalp import FRONTNESS
from hbac.simulation.transients import add_discharges, add_transients

SAMPLES = 60 * 200


def someone(seed: int = 0, **changes) -> Patient:
    """A patient with nothing special: no rhythm, no slowing, nothing focal."""
    plain = {"theta": 0.0, "alpha": 0.0, "beta": 0.0, "mu": 0.0, "breach": 0.0, "focal_slowing": 0.0, "sporadic": 0.0}
    patient = draw_patient(np.random.default_rng(seed), lateralised=False)
    return replace(patient, **{**plain, "vigilance": "encephalopathic", **changes})


def power_of(eeg: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """(19,) mean power density of each electrode between two frequencies."""
    hz, power = signal.welch(eeg, 200, nperseg=800)
    return power[:, (hz >= low_hz) & (hz <= high_hz)].mean(axis=1)


@pytest.mark.parametrize("slope", [2.0, 2.8])
def test_the_background_falls_with_the_patient_s_slope(slope):
    patient, rng = someone(slope=slope, knee_hz=0.8), np.random.default_rng(1)
    eeg = aperiodic(SAMPLES, patient, rng, slow=True) + aperiodic(SAMPLES, patient, rng, slow=False)
    hz, power = signal.welch(bipolar(eeg.T), 200, nperseg=800)
    log_power = np.log(power.mean(axis=0))
    band = (hz > 20) & (hz < 60)
    assert np.polyfit(np.log(hz[band]), log_power[band], 1)[0] == pytest.approx(-slope, abs=0.25)
    whole = log_power[(hz > 25) & (hz < 27)].mean() - log_power[(hz > 3) & (hz < 4)].mean()
    assert whole / np.log(26 / 3.5) == pytest.approx(-slope, abs=0.4)


def test_the_background_has_the_patient_s_power_in_delta():
    levels = []
    for seed in range(8):
        eeg = aperiodic(SAMPLES, someone(seed, delta_log_power=2.5), np.random.default_rng(seed), slow=True)
        hz, power = signal.welch(bipolar(eeg.T), 200, nperseg=800)
        levels.append(np.log(np.median(power[:, (hz >= 1) & (hz <= 4)]) / 2))
    assert np.mean(levels) == pytest.approx(2.5, abs=0.5)


def test_slow_waves_in_front_lead_those_behind():
    lags = []
    for seed in range(6):
        eeg = aperiodic(SAMPLES, someone(seed), np.random.default_rng(seed), slow=True)
        front, back = eeg[FRONTNESS > 0.6].mean(axis=0), eeg[FRONTNESS < -0.6].mean(axis=0)
        similar = signal.correlate(back, front, "full", "fft")
        lags.append((similar.argmax() - (SAMPLES - 1)) / 200)
    assert 0 <= np.median(lags) < 0.1


def test_alpha_is_largest_at_the_back_and_there_only_while_the_patient_is_awake():
    patient, rng = someone(alpha=2.0, alpha_hz=9.0), np.random.default_rng(2)
    states = draw_states(SAMPLES, "awake", rng)
    awake = replace(states, alpha=np.ones(SAMPLES, np.float32))
    asleep = replace(states, alpha=np.zeros(SAMPLES, np.float32))
    power = {
        name: power_of(background(SAMPLES, patient, c, np.random.default_rng(3)), 8, 10)
        for name, c in (("awake", awake), ("asleep", asleep))
    }
    gain = power["awake"] - power["asleep"]
    assert gain[at("O1")] > 5 * gain[at("Fp1")] > 0
    assert power["awake"][at("O1")] > 3 * power["asleep"][at("O1")]


@pytest.mark.parametrize("side", [-1, 1])
def test_focal_slowing_is_delta_on_the_side_of_the_focus(side):
    patient = someone(focal_slowing=1.0, focus="T3", side=side)
    power = power_of(focal_slowing(SAMPLES, patient, np.random.default_rng(0)), 0.5, 4)
    here, there = ("T3", "T4") if side < 0 else ("T4", "T3")
    assert power[at(here)] > 4 * power[at(there)]


@pytest.mark.parametrize("kind", SUPPRESSION)
def test_a_discontinuous_background_has_bursts_and_gaps(kind):
    burst_s, gap_s, left = SUPPRESSION[kind]
    level = continuity(120_000, burst_s, gap_s, left, np.random.default_rng(0))
    low = (level < left[1] + 0.02).mean()
    assert low == pytest.approx(gap_s / (burst_s + gap_s), abs=0.15) and level.max() > 0.9


@pytest.mark.parametrize("vigilance", VIGILANCE)
def test_states_take_their_turns_within_their_ranges_at_any_length(vigilance):
    assert set(SEQUENCES[vigilance]) <= set(STATES)
    for samples in (800, SAMPLES):
        states = draw_states(samples, vigilance, np.random.default_rng(0))
        for values in (states.alpha, states.sleep, states.awake):
            assert values.shape == (samples,) and values.min() >= 0 and values.max() <= 1.001


def test_sleep_brings_spindles_over_the_vertex():
    rng = np.random.default_rng(4)
    states = draw_states(SAMPLES, "asleep", rng)
    states = replace(states, sleep=np.ones(SAMPLES, np.float32))
    eeg = np.zeros((19, SAMPLES), np.float32)
    add_transients(eeg, someone(), states, rng)
    sigma = power_of(eeg, 11, 15)
    assert sigma.argmax() == at("Cz") and sigma[at("Cz")] > 5 * power_of(eeg, 20, 30)[at("Cz")]


def test_isolated_discharges_stand_at_their_times_and_are_negative():
    eeg = np.zeros((19, 2000), np.float32)
    add_discharges(eeg, np.array([3.0, 7.0]), someone(seed=3, width_s=0.02), np.random.default_rng(0))
    strongest = eeg[np.abs(eeg).max(axis=1).argmax()]
    assert abs(strongest[:1000].argmin() - 600) <= 6 and abs(strongest[1000:].argmin() - 400) <= 6
