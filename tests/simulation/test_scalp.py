import numpy as np
import pytest
from helpers_signals import at, mirror_name

from hbac.hms import ELECTRODES
from hbac.simulation.primitives import coloured
from hbac.simulation.scalp import (
    PLACES,
    PREDOMINANCE,
    Source,
    field_of,
    generalised,
    lagged,
    lateralised,
    mixing,
    near_to,
    over_head,
    place_of,
)


def test_every_electrode_lies_on_the_unit_sphere_left_where_its_number_is_odd_and_in_front_where_it_is_frontal():
    assert np.allclose(np.linalg.norm(PLACES, axis=1), 1)
    for name, (x, y, _) in zip(ELECTRODES, PLACES):
        side = 0 if name.endswith("z") else -1 if int(name[-1]) % 2 else 1
        assert np.sign(np.round(x, 6)) == side
        assert (y > 0.2) == name.startswith("F") and (y < -0.2) == name.startswith(("O", "P", "T5", "T6"))


def test_the_right_half_of_the_head_mirrors_the_left():
    mirror = [at(mirror_name(name)) for name in ELECTRODES]
    assert np.allclose(PLACES[mirror], PLACES * [-1, 1, 1])


@pytest.mark.parametrize("name", ["Fp1", "T3", "Cz", "O1"])
def test_a_source_is_seen_best_by_the_electrode_above_it_and_less_with_the_angle(name):
    seen = field_of(Source(place_of(name), 0.6))
    assert seen.argmax() == at(name) and np.isclose(seen.max(), 1)
    order = np.argsort(-PLACES @ place_of(name), kind="stable")
    assert (np.diff(seen[order]) <= 1e-6).all() and seen.min() > 0


def test_a_tilted_source_is_seen_with_the_opposite_sign_on_its_far_side():
    seen = field_of(Source(place_of("C3"), 1.2, tilt=(0.0, 1.5, 0.0)))
    assert seen[at("Fp1")] > 0 > seen[at("O1")]


def test_neighbouring_electrodes_share_more_of_independent_sources_than_distant_ones():
    sources = mixing([Source(p, 0.5) for p in PLACES])
    eeg = coloured(lambda hz: 1 / (1 + hz), len(PLACES), 6000, np.random.default_rng(0), mixing=sources)
    r = np.corrcoef(eeg)
    assert r[at("F3"), at("C3")] > r[at("F3"), at("P3")] + 0.2
    assert r[at("F3"), at("P3")] > r[at("F3"), at("O2")]


def test_a_lag_of_whole_samples_moves_a_wave_and_fills_with_silence():
    wave = np.arange(1, 7, dtype=np.float32)
    assert lagged(wave, 0.01).tolist() == [0, 0, 1, 2, 3, 4]
    assert lagged(wave, 0.0) is wave and lagged(wave, 1.0).tolist() == [0] * 6


def test_a_wave_arrives_at_each_source_s_place_with_its_gain_and_lag():
    impulse = np.zeros(100, np.float32)
    impulse[10] = 1
    eeg = over_head(impulse, [Source(place_of("Fp1"), 0.1), Source(place_of("O1"), 0.1, 0.5, 0.1)])
    assert eeg.shape == (19, 100)
    assert eeg[at("Fp1"), 10] == pytest.approx(1, abs=0.01) and eeg[at("O1"), 30] == pytest.approx(0.5, abs=0.01)


def test_a_lateralised_pattern_is_strongest_at_its_focus_and_weak_on_the_other_side():
    for side, here, there in ((-1, "T3", "T4"), (1, "T4", "T3")):
        seen = mixing(lateralised(place_of("T3", side), 0.5, 0.2, 0.02)).sum(axis=1)
        assert seen.argmax() == at(here) and seen[at(there)] < 0.6 * seen[at(here)]


@pytest.mark.parametrize("name", PREDOMINANCE)
def test_a_generalised_pattern_is_the_same_on_both_sides_and_largest_where_it_predominates(name):
    sources = generalised(name, 0.1)
    seen = dict(zip(ELECTRODES, mixing(sources).sum(axis=1)))
    assert all(np.isclose(seen[a], seen[mirror_name(a)], atol=1e-5) for a in seen)
    front, back = seen["F3"] + seen["Fp1"], seen["P3"] + seen["O1"]
    assert front > 1.2 * back if name == "front" else back > 1.2 * front if name == "back" else True
    lags = {source.place[1] > 0.2: source.lag_s for source in sources}
    assert lags[True] == 0 and lags[False] == pytest.approx(0.1)


def test_a_place_nearby_is_on_the_sphere_and_nearby():
    rng = np.random.default_rng(0)
    moved = np.array([near_to(place_of("C3"), 0.2, rng) for _ in range(50)])
    assert np.allclose(np.linalg.norm(moved, axis=1), 1)
    assert np.median(np.arccos(moved @ place_of("C3"))) < 0.3
