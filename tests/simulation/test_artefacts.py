from dataclasses import replace

import numpy as np
import pytest
from helpers_signals import at
from scipy import signal

from hbac.preprocessing.montage import bipolar
from hbac.simulation.amplifier import add_pop, add_recording
from hbac.simulation.artefacts import add_artefacts, add_blinks, add_glances, add_mimic, add_movement, add_muscle, ekg
from hbac.simulation.background import draw_states
from hbac.simulation.patient import draw_patient

SAMPLES = 60 * 200


def rng_of(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def silence() -> np.ndarray:
    return np.zeros((19, SAMPLES), np.float32)


def test_blinks_are_positive_and_alike_at_fp1_and_fp2_and_small_behind():
    for seed in range(5):
        eeg = silence()
        add_blinks(eeg, np.array([10.0, 30.0]), rng_of(seed))
        assert eeg[at("Fp1")].max() > 20 and eeg[at("Fp1")].max() > 3 * -eeg[at("Fp1")].min()
        assert np.allclose(eeg[at("Fp1")], eeg[at("Fp2")], atol=1e-3)
        assert np.abs(eeg[at("O1")]).max() < 0.2 * eeg[at("Fp1")].max()


def test_eye_movements_are_opposite_at_f7_and_f8_or_alike_at_both_sides():
    eeg = silence()
    add_glances(eeg, np.arange(2.0, 58.0, 4.0), rng_of())
    moments = (np.arange(2.0, 58.0, 4.0) * 200).astype(int) + 20
    left, right = eeg[at("F7"), moments], eeg[at("F8"), moments]
    sideways = np.sign(left) != np.sign(right)
    assert 0 < sideways.sum() < len(moments)
    assert np.allclose(left[sideways], -right[sideways], rtol=0.05)
    assert np.allclose(left[~sideways], right[~sideways], rtol=0.05)


def test_muscle_is_fast_and_lasts_as_long_as_it_should():
    eeg = silence()
    add_muscle(eeg, 10.0, 5.0, rng_of())
    loud = np.flatnonzero(np.abs(eeg).max(axis=0) > 0)
    assert loud[0] >= 2000 and loud[-1] < 3100
    hz, power = signal.welch(eeg[eeg.std(axis=1).argmax(), 2000:3000], 200, nperseg=400)
    assert power[hz > 15].sum() > 2 * power[hz < 15].sum()


@pytest.mark.parametrize("at_s", [0.0, 59.5, 59.99])
def test_what_begins_at_an_edge_is_cut(at_s):
    eeg = silence()
    add_muscle(eeg, at_s, 5.0, rng_of())
    add_movement(eeg, at_s, rng_of())
    add_pop(eeg, 3, at_s, rng_of())
    assert eeg.shape == (19, SAMPLES) and np.isfinite(eeg).all()


def test_a_rhythmic_artefact_sits_on_few_electrodes_within_its_stretch():
    for seed in range(10):
        eeg = silence()
        add_mimic(eeg, 2000, 8000, rng_of(seed))
        assert 1 <= (eeg.std(axis=1) > 0).sum() <= 3
        assert np.abs(eeg[:, :2000]).max() == np.abs(eeg[:, 8000:]).max() == 0


def test_a_pop_is_a_step_of_one_electrode_that_decays():
    eeg = silence()
    add_pop(eeg, 5, 10.0, rng_of())
    assert set(np.flatnonzero(eeg.any(axis=1))) == {5}
    assert np.abs(eeg[5]).argmax() == 2000 and np.abs(eeg[5, 2600]) < 0.1 * np.abs(eeg[5, 2000])


def test_the_heart_beats_at_the_patient_s_rate_in_the_ekg_and_faintly_in_the_eeg():
    patient = replace(draw_patient(rng_of(), False), muscle=0.0, tonic=-9.0, heart_hz=1.5)
    eeg = silence()
    states = draw_states(SAMPLES, "encephalopathic", rng_of())
    states = replace(states, awake=np.zeros(SAMPLES, np.float32))
    beats = add_artefacts(eeg, patient, states, rng_of(1))
    assert len(beats) == pytest.approx(90, abs=10)
    around = [np.abs(eeg[:, int(b * 200) - 4 : int(b * 200) + 5]).max() for b in beats[2:-2]]
    assert np.median(around) > 0


def test_the_ekg_channel_has_its_beats_where_the_heart_has_unless_it_is_not_connected():
    beats, found = np.arange(0.5, 59.5, 0.7), 0
    for seed in range(20):
        wave = np.abs(
            signal.sosfiltfilt(
                signal.butter(2, (5, 40), "band", fs=200, output="sos"), ekg(SAMPLES, beats, rng_of(seed))
            )
        )
        at_beats = np.median([wave[int(b * 200) - 8 : int(b * 200) + 9].max() for b in beats[2:-2]])
        found += at_beats > 3 * np.median(wave)
    assert 10 <= found < 20


def test_what_the_reference_adds_cancels_in_bipolar_pairs():
    """Common sway, muscle and mains are large in the electrodes; the pairs hold only what contacts differ by."""
    raw, pairs = [], []
    for seed in range(12):
        eeg = silence()
        add_recording(eeg, rng_of(seed))
        moving = signal.sosfiltfilt(signal.butter(2, 1, "high", fs=200, output="sos"), eeg, axis=1)
        raw.append(np.median(moving.std(axis=1)))
        pairs.append(np.median(bipolar(moving.T).std(axis=1)))
    assert np.median(pairs) < 0.5 * np.median(raw)


def test_offsets_differ_between_electrodes_and_nothing_is_infinite():
    eeg = silence()
    add_recording(eeg, rng_of(3))
    assert np.isfinite(eeg).all() and np.median(eeg, axis=1).std() > 0.1
