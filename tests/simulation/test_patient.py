import numpy as np

from hbac.simulation.patient import FOCI, MORPHOLOGY, VIGILANCE, draw_patient
from hbac.simulation.scalp import PREDOMINANCE


def patients(lateralised: bool):
    return [draw_patient(np.random.default_rng(seed), lateralised) for seed in range(300)]


def test_patients_differ_widely_and_stay_within_their_ranges():
    people = patients(False)
    assert {p.side for p in people} == {-1, 1} and {p.focus for p in people} == set(FOCI)
    assert {p.vigilance for p in people} == set(VIGILANCE) and {p.morphology for p in people} == set(MORPHOLOGY)
    assert {p.predominance for p in people} == set(PREDOMINANCE)
    assert all(0.5 <= p.periodic_hz <= 2.2 and 1 <= p.rhythmic_hz <= 3.3 for p in people)
    assert np.std([p.delta_log_power for p in people]) > 0.5


def test_slowing_over_the_focus_goes_with_lateralised_patterns():
    share = [np.mean([p.focal_slowing > 0 for p in patients(lateralised)]) for lateralised in (False, True)]
    assert share[0] < 0.4 < 0.75 < share[1]


def test_the_same_seed_gives_the_same_patient():
    assert draw_patient(np.random.default_rng(5), True) == draw_patient(np.random.default_rng(5), True)


def test_shares_of_kinds_add_up_to_1():
    assert np.isclose(sum(VIGILANCE.values()), 1) and np.isclose(sum(MORPHOLOGY.values()), 1)
