from dataclasses import replace

import numpy as np
import pytest
from helpers_signals import at
from scipy import signal

import hbac.simulation.eeg as eeg_module
from hbac import hms
from hbac.preprocessing.montage import bipolar
from hbac.preprocessing.multitaper import host_spectrogram
from hbac.simulation.eeg import Episode, Patient, add_episode, read_mixture, synthesise
from hbac.simulation.patient import MORPHOLOGY, draw_patient
from hbac.simulation.patterns import (
    OFFSETS,
    ONSETS,
    Event,
    _onset_and_offset,
    discharge,
    periodic_discharges,
    rhythmic_delta,
    seizure,
    wave_table,
)
from hbac.simulation.scalp import FRONTNESS, PLACES

SAMPLES = 60 * 200
MAKERS = {"periodic": periodic_discharges, "rhythmic": rhythmic_delta, "seizure": seizure}


def rng_of(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def someone(seed: int = 0, **changes) -> Patient:
    return replace(draw_patient(rng_of(seed), lateralised=False), **changes)


def only(kind: str) -> tuple[float, ...]:
    return tuple(float(name == kind) for name in hms.CLASSES)


def made(kind: str, patient: Patient, seed: int = 0, samples: int = SAMPLES, **shares: float) -> np.ndarray:
    """(19, samples) a clear event and nothing else."""
    event = {"clarity": 1.0, "lateral": 0.0, "rhythmic": float(kind == "rhythmic"), "ictal": float(kind == "seizure")}
    return MAKERS[kind](samples, Event(kind, **{**event, **shares}), patient, rng_of(seed), rng_of(seed + 100))


def strongest(eeg: np.ndarray) -> np.ndarray:
    return eeg[eeg.std(axis=1).argmax()]


def side_power(eeg: np.ndarray) -> float:
    """Log of the power over the right hemisphere less that over the left."""
    power = eeg.var(axis=1)
    return float(np.log(power[PLACES[:, 0] > 0.1].sum() / power[PLACES[:, 0] < -0.1].sum()))


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("side", [-1, 1])
def test_a_lateralised_event_has_its_power_on_the_side_of_the_focus_and_a_generalised_one_on_both(kind, side):
    for seed in range(3):
        patient = someone(seed, side=side, other_side=0.2)
        focal = made(kind, patient, seed, lateral=1.0)
        assert side * side_power(focal) > 0.3
        assert abs(side_power(made(kind, patient, seed, lateral=0.0))) < 0.3


@pytest.mark.parametrize("morphology", MORPHOLOGY)
@pytest.mark.parametrize("lateral", [0.0, 1.0])
def test_discharges_recur_at_the_patient_s_rate(morphology, lateral):
    patient = someone(periodic_hz=1.0, morphology=morphology, irregularity=0.08)
    wave = strongest(made("periodic", patient, lateral=lateral))
    similar = signal.correlate(wave, wave, "full", "fft")[len(wave) - 1 :] / (wave @ wave)
    expected = 200 / (1.22 - 0.22 * lateral)
    lags = np.arange(int(0.75 * expected), int(1.3 * expected))
    assert abs(lags[similar[lags].argmax()] / expected - 1) < 0.15 and similar[lags].max() > 0.2


def test_discharges_that_are_half_ictal_are_faster():
    patient = someone(periodic_hz=1.0, morphology="biphasic", width_s=0.02)
    count = [
        len(signal.find_peaks(-strongest(made("periodic", patient, ictal=share)), height=0.4, distance=30)[0])
        for share in (0.0, 0.5)
    ]
    assert count[1] > 1.4 * count[0]


@pytest.mark.parametrize("lateral", [0.0, 1.0])
def test_rhythmic_delta_has_most_power_at_the_patient_s_frequency(lateral):
    for seed in range(3):
        patient = someone(seed, rhythmic_hz=1.0 + 0.7 * seed)
        hz, power = signal.welch(strongest(made("rhythmic", patient, seed, lateral=lateral)), 200, nperseg=1600)
        assert hz[power.argmax()] == pytest.approx(patient.rhythmic_hz, rel=0.2)


def test_what_is_half_periodic_and_half_rhythmic_lies_between_in_sharpness():
    def share_above_6_hz(rhythmic: float) -> float:
        shares = []
        for seed in range(8):
            hz, power = signal.welch(wave_table_signal(rhythmic, seed), 200, nperseg=800)
            shares.append(power[hz > 6].sum() / power.sum())
        return float(np.mean(shares))

    def wave_table_signal(rhythmic: float, seed: int) -> np.ndarray:
        return strongest(made("rhythmic", someone(seed, rhythmic_hz=1.5), seed, rhythmic=rhythmic))

    assert share_above_6_hz(0.5) > 1.5 * share_above_6_hz(1.0)


def test_a_front_predominant_generalised_pattern_is_largest_in_front_and_later_behind():
    patient = someone(predominance="front", lag_s=0.1, morphology="biphasic", periodic_hz=1.0)
    eeg = made("periodic", patient)
    assert eeg[FRONTNESS > 0.5].std() > 1.5 * eeg[FRONTNESS < -0.5].std()
    similar = signal.correlate(eeg[at("O1")], eeg[at("Fp1")], "full", "fft")
    assert 0.04 <= (similar.argmax() - (SAMPLES - 1)) / 200 <= 0.16


def test_a_seizure_s_frequency_evolves_and_that_of_rhythmic_delta_does_not():
    def range_of(wave: np.ndarray) -> float:
        hz, _, power = signal.spectrogram(wave, 200, nperseg=800, noverlap=400)
        top = hz[(hz > 0.5) & (hz < 15)][power[(hz > 0.5) & (hz < 15)].argmax(axis=0)]
        return float(np.log(np.percentile(top, 90) / np.percentile(top, 10)))

    evolving = [range_of(strongest(made("seizure", someone(seed), seed))) for seed in range(12)]
    steady = [range_of(strongest(made("rhythmic", someone(seed), seed))) for seed in range(12)]
    assert np.median(evolving) > 2 * np.median(steady) and np.median(evolving) > 0.35


def test_a_seizure_without_an_end_goes_on_to_the_end():
    eeg = made("seizure", someone(), samples=300 * 200)
    level = strongest(eeg).reshape(15, -1).std(axis=1)
    assert level[1:-1].min() > 0.1 * level.max()


@pytest.mark.parametrize("morphology", MORPHOLOGY)
def test_every_morphology_makes_a_discharge_with_its_largest_phase_near_0(morphology):
    sharp, slow = discharge(morphology, 0.03, rng_of())
    largest = max(sharp, key=lambda part: abs(part[0]))
    assert abs(largest[1]) < 0.45 and all(width > 0 for _, _, width in (*sharp, *slow))


def test_a_wave_s_table_is_one_cycle_with_peak_1_and_sharper_with_its_sharpness():
    smooth, sharp = wave_table(0.0, rng_of()), wave_table(1.0, rng_of())
    assert np.abs(smooth).max() == pytest.approx(1) and np.abs(sharp).max() == pytest.approx(1)
    assert (np.abs(sharp) > 0.5).mean() < (np.abs(smooth) > 0.5).mean()


@pytest.mark.parametrize(
    ("mixture", "kind", "lateral", "rhythmic"),
    [
        ((0, 1, 0, 0, 0, 0), "periodic", 1, 0),
        ((0, 0, 1, 0, 0, 0), "periodic", 0, 0),
        ((0, 0, 0, 1, 0, 0), "rhythmic", 1, 1),
        ((0, 0, 0, 0, 0.6, 0.4), "rhythmic", 0, 1),
        ((0, 0.3, 0.1, 0, 0, 0.6), "periodic", 0.75, 0),
        ((0.7, 0, 0.3, 0, 0, 0), "seizure", 0, 0),
        ((0.2, 0.6, 0, 0.2, 0, 0), "periodic", 1, 0.25),
    ],
)
def test_a_mixture_becomes_one_event(mixture, kind, lateral, rhythmic):
    event = read_mixture(mixture, rng_of())
    assert event is not None and event.kind == kind
    assert (event.lateral, event.rhythmic) == pytest.approx((lateral, rhythmic))
    assert event.clarity == pytest.approx(1 - mixture[5]) and event.ictal == pytest.approx(mixture[0] / event.clarity)


def test_too_little_of_a_pattern_is_none():
    assert read_mixture((0.05, 0.05, 0, 0, 0, 0.9), rng_of()) is None
    assert read_mixture(only("other"), rng_of()) is None


def test_an_episode_changes_its_own_stretch_and_nothing_far_from_it():
    eeg = rng_of().normal(0, 10, (19, SAMPLES)).astype(np.float32)
    before = eeg.copy()
    add_episode(eeg, Episode(25, 35, only("gpd")), someone(), rng_of(), 0)
    changed = np.flatnonzero((eeg != before).any(axis=0)) / 200
    assert 4 < changed[0] < 26 and 34 < changed[-1] < 56


@pytest.mark.parametrize(("start_s", "stop_s"), [(-50, 5), (55, 200), (-100, -60), (30, 30.5), (70, 90)])
def test_episodes_over_or_beyond_an_edge_are_cut(start_s, stop_s):
    for kind in hms.CLASSES:
        eeg = np.ones((19, SAMPLES), np.float32)
        add_episode(eeg, Episode(start_s, stop_s, only(kind)), someone(), rng_of(), 0)
        assert np.isfinite(eeg).all()


def test_a_pattern_that_goes_on_beyond_the_file_does_not_fade_at_its_ends(monkeypatch):
    monkeypatch.setattr(eeg_module, "PATTERNS", {"periodic": lambda samples, *_: np.ones((19, samples), np.float32)})
    monkeypatch.setattr(eeg_module, "presence", lambda samples, *_: np.ones(samples, np.float32))
    for start_s, stop_s, flat in ((-300, 360, True), (0, 60, False)):
        eeg = np.zeros((19, SAMPLES), np.float32)
        add_episode(eeg, Episode(start_s, stop_s, only("gpd")), someone(), rng_of(), 0)
        assert eeg.max() > 0
        assert (eeg.min() == eeg.max()) == flat


def test_of_a_seizure_that_began_before_the_file_its_later_course_is_seen(monkeypatch):
    """The course, here a straight line, is that of the whole seizure: 300 s, of which 60 s are in the file."""
    course = np.linspace(0, 1, 300 * 200, dtype=np.float32)
    monkeypatch.setattr(eeg_module, "seizure", lambda samples, *_: np.tile(course[:samples], (19, 1)))
    monkeypatch.setattr(eeg_module, "_quieten", lambda *_: None)
    monkeypatch.setattr(eeg_module, "add_muscle", lambda *_: None)
    eeg = np.zeros((19, SAMPLES), np.float32)
    add_episode(eeg, Episode(-100, 200, only("seizure")), someone(), rng_of(), 0)
    np.testing.assert_allclose(eeg[0] / eeg[0, -1], course[100 * 200 :][:SAMPLES] / course[160 * 200 - 1], rtol=1e-4)


@pytest.mark.parametrize(("kind", "least", "most"), [("gpd", 0.1, 0.2), ("lpd", 0.5, 0.6), ("lrda", 0.55, 0.65)])
def test_a_clear_pattern_leaves_little_of_the_background_under_it(monkeypatch, kind, least, most):
    nothing = lambda samples, *_: np.zeros((19, samples), np.float32)  # noqa: E731
    monkeypatch.setattr(eeg_module, "PATTERNS", dict.fromkeys(("periodic", "rhythmic"), nothing))
    eeg = np.ones((19, SAMPLES), np.float32)
    add_episode(eeg, Episode(-300, 360, only(kind)), someone(stillness=-1.0), rng_of(), 0)
    np.testing.assert_array_equal(eeg, eeg[0, 0])
    assert least < eeg[0, 0] < most


def test_seizures_begin_and_end_in_sixteen_ways():
    """By frequency and amplitude at both ends, as shares of those in the middle."""
    ends = set()
    for seed in range(300):
        hz, amplitude = _onset_and_offset(np.linspace(0, 1, 1000), rng_of(seed))
        assert hz[500] == amplitude[500] == 1
        assert min(hz.min(), amplitude.min()) > 0
        ends.add(
            (
                round(float(hz[0]), 2),
                round(float(amplitude[0]), 2),
                round(float(hz[-1]), 2),
                round(float(amplitude[-1]), 2),
            )
        )
    expected = {(*onset, *offset) for onset in ONSETS.values() for offset in OFFSETS.values()}
    assert ends == expected
    assert len(expected) == 16


def test_a_clear_pattern_stands_out_more_than_an_unclear_one():
    def change(weight: float) -> float:
        ratios = []
        for seed in range(10):
            eeg = rng_of(seed).normal(0, 10, (19, SAMPLES)).astype(np.float32)
            before = eeg.copy()
            mixture = (0, 0, weight, 0, 0, 1 - weight)
            add_episode(eeg, Episode(5, 55, mixture), someone(seed, strength=1.0), rng_of(seed), seed)
            ratios.append((eeg - before).std() / before.std())
        return float(np.median(ratios))

    assert change(1.0) > 1.15 * change(0.75) > 1.15**2 * change(0.5) > 0


def test_a_recording_is_float32_microvolts_of_20_channels_and_the_same_for_the_same_seed():
    episodes = [Episode(10, 40, only("lpd"))]
    eeg = synthesise(60, episodes, someone(), rng_of(1))
    assert eeg.shape == (SAMPLES, 20) and eeg.dtype == np.float32 and eeg.flags.c_contiguous
    assert eeg.tobytes() == synthesise(60, episodes, someone(), rng_of(1)).tobytes()
    assert eeg.tobytes() != synthesise(60, episodes, someone(), rng_of(2)).tobytes()
    assert 3 < np.median(bipolar(eeg).std(axis=1)) < 150


def test_lateralised_patterns_are_lateral_in_the_spectrogram_by_as_much_as_real_ones():
    """The index is the log power from 1 to 4 Hz of the right chains less that of the left."""
    index: dict[str, list[float]] = {"lpd": [], "lrda": [], "gpd": [], "grda": []}
    for kind, values in index.items():
        for seed in range(7):
            patient = someone(seed, focal_slowing=0.0, strength=1.2)
            eeg = synthesise(60, [Episode(0, 60, only(kind))], patient, rng_of(seed))
            log = np.log(host_spectrogram(eeg)[2:-2]).reshape(-1, 4, 100)[..., 2:18]  # chains LL, RL, LP, RP
            values.append(float(log[:, [1, 3]].mean() - log[:, [0, 2]].mean()) * patient.side)
    assert 0.5 < np.median(index["lpd"]) < 2 and 0.5 < np.median(index["lrda"]) < 2
    assert np.median(np.abs(index["gpd"])) < 0.3 and np.median(np.abs(index["grda"])) < 0.3
