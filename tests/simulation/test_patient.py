import numpy as np
import pytest

from hbac.simulation.patient import FOCI, MORPHOLOGY, VIGILANCE, draw_patient
from hbac.simulation.scalp import PREDOMINANCE


def patients(lateralised: bool):
    return [draw_patient(np.random.default_rng(seed), lateralised) for seed in range(300)]


def test_patients_differ_widely_and_stay_within_their_ranges():
    people = patients(False)
    assert {p.side for p in people} == {-1, 1} and {p.focus for p in people} == set(FOCI)
    assert {p.vigilance for p in people} == set(VIGILANCE) and {p.morphology for p in people} == set(MORPHOLOGY)
    assert {p.predominance for p in people} == set(PREDOMINANCE)
    assert all(0.4 <= p.periodic_hz <= 2.4 and 0.5 <= p.rhythmic_hz <= 3.0 for p in people)
    assert np.std([p.delta_log_power for p in people]) > 0.5


@pytest.mark.parametrize(
    ("name", "quantiles"),
    [("periodic_hz", (0.5, 0.75, 1.0, 1.25, 2.0)), ("rhythmic_hz", (0.67, 1.0, 1.32, 1.67, 2.25))],
)
def test_rates_are_those_that_experts_measured(name, quantiles):
    """5, 25, 50, 75 and 95 % of what experts measured on some 4,700 segments: LPD, and LRDA with GRDA."""
    rates = [getattr(p, name) for p in patients(True)]
    np.testing.assert_allclose(np.quantile(rates, (0.05, 0.25, 0.5, 0.75, 0.95)), quantiles, rtol=0.2)


def test_intervals_vary_as_experts_measured():
    """Quartiles of the deviation of intervals over their mean: LPD .14 .21 .28, GPD .17 .25 .37."""
    low, middle, high = np.quantile([p.irregularity for p in patients(True)], (0.25, 0.5, 0.75))
    assert 0.1 < low < 0.18 < middle < 0.26 < high < 0.4


def test_slowing_over_the_focus_goes_with_lateralised_patterns():
    share = [np.mean([p.focal_slowing > 0 for p in patients(lateralised)]) for lateralised in (False, True)]
    assert share[0] < 0.4 < 0.75 < share[1]


def test_the_same_seed_gives_the_same_patient():
    assert draw_patient(np.random.default_rng(5), True) == draw_patient(np.random.default_rng(5), True)


def test_shares_of_kinds_add_up_to_1():
    assert np.isclose(sum(VIGILANCE.values()), 1) and np.isclose(sum(MORPHOLOGY.values()), 1)
