"""Which runs pay, on experts whose worth is known by how they were made."""

import numpy as np
import pytest
from helpers_experts import expert, guesser, rows_of, truth
from sklearn.model_selection import GroupKFold

from hbac.blending.choice import Difference, alone, best_run, choose, difference, held_out_kl, measure_gain, parts_of
from hbac.blending.fit import best_blend
from hbac.errors import InputError

TABLE = truth(60)
GOOD, ALSO_GOOD, USELESS = expert(TABLE, 1.0, 1), expert(TABLE, 1.0, 2), guesser(TABLE, 3)


def test_two_independent_experts_count_the_same_and_gain() -> None:
    rows = rows_of(GOOD, ALSO_GOOD)
    choice, gain = choose(rows), measure_gain(rows)
    np.testing.assert_allclose(choice.blend.weights, 0.5, atol=0.08)
    assert gain.gain.mean > 5 * gain.gain.standard_error > 0
    assert gain.blend == pytest.approx(gain.alone - gain.gain.mean)
    assert all(brings.pays for brings in choice.brings.values())


def test_a_third_who_has_not_looked_is_left_out() -> None:
    choice = choose(rows_of(GOOD, USELESS, ALSO_GOOD))
    assert choice.blend.weights[1] == 0
    assert not choice.brings[1].pays
    np.testing.assert_allclose(np.array(choice.blend.weights)[[0, 2]], 0.5, atol=0.08)


def test_of_twins_the_second_is_left_out_and_nothing_is_gained() -> None:
    rows = rows_of(GOOD, GOOD)
    choice, gain = choose(rows), measure_gain(rows)
    assert choice.blend.weights == (1.0, 0.0)
    assert choice.brings[1].mean == pytest.approx(0, abs=1e-9)
    assert gain.gain == Difference(0.0, 0.0)


def test_where_no_run_pays_beside_another_the_best_stands_alone() -> None:
    """Copies with a little noise: whichever goes first, the best of all is what is left."""
    copies = [expert(TABLE, 1.0, 1), expert(TABLE, 1.3, 1), expert(TABLE, 1.1, 1)]
    rows = rows_of(*copies[::-1])
    assert best_run(rows) == 2
    assert choose(rows).blend == alone(rows, 2)


def test_what_is_judged_was_fitted_on_other_patients() -> None:
    """By scikit-learn's own groups: with other weights for each part, the KL of the part is that of its weights."""
    rows = rows_of(GOOD, ALSO_GOOD, USELESS)
    splits = [(a, b) for a, b in GroupKFold(4).split(rows.votes, groups=rows.patients)]
    received = held_out_kl(rows, (0, 1, 2), splits)
    for learn, judge in splits:
        assert not set(rows.patients[learn]) & set(rows.patients[judge])
        expected = best_blend(rows.of(learn), (0, 1, 2)).kl(rows)[judge]
        np.testing.assert_allclose(received[judge], expected, rtol=1e-9)
    for learn, judge in parts_of(rows):
        assert not set(rows.patients[learn]) & set(rows.patients[judge])
    assert sorted(np.concatenate([judge for _, judge in parts_of(rows)])) == list(range(len(rows.votes)))


def test_a_standard_error_is_that_of_a_mean_over_patients() -> None:
    """Of patients with as many rows it is the standard deviation of their means by the root of their number."""
    rows = rows_of(GOOD, ALSO_GOOD)
    of_patient = np.random.default_rng(0).normal(0.1, 0.3, 60)
    apart = np.repeat(of_patient, 10)
    found = difference(apart, np.zeros_like(apart), rows)
    assert found.mean == pytest.approx(of_patient.mean())
    assert found.standard_error == pytest.approx(of_patient.std() / np.sqrt(60), rel=0.1)


@pytest.mark.parametrize(
    ("mean", "error", "pays"), [(0.01, 0.002, True), (0.01, 0.02, False), (4e-4, 1e-6, False), (-0.1, 0.01, False)]
)
def test_a_run_pays_that_brings_more_than_chance_and_more_than_nothing(mean: float, error: float, pays: bool) -> None:
    assert Difference(mean, error).pays == pays


def test_one_patient_is_too_few() -> None:
    one = TABLE.iloc[:10]
    with pytest.raises(InputError, match="2 patients or more"):
        choose(rows_of(expert(one, 1.0, 1), expert(one, 1.0, 2)))


def test_two_patients_are_too_few_to_judge_on() -> None:
    two = TABLE[TABLE["patient_id"].isin(TABLE["patient_id"].unique()[:2])]
    with pytest.raises(InputError, match="expected rows of 3 patients or more to judge a blend, received 2"):
        measure_gain(rows_of(expert(two, 1.0, 1), expert(two, 1.0, 2)))
