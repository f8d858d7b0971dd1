"""Simulated raters against what they look at."""

import numpy as np
import pytest

from hbac import hms
from hbac.simulation.raters import CLASS_SHARES, CONFUSIONS, PANELS, choose_panel, draw_mixture, draw_raters, draw_votes

CLEAR = {name: tuple(float(name == other) for other in hms.CLASSES) for name in hms.CLASSES}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def panels_of(mixture, panel, rng, count=400):
    raters = draw_raters(rng)
    return np.array([draw_votes(mixture, panel, raters, rng) for _ in range(count)])


@pytest.mark.parametrize(("panel", "sizes"), [("brief", {1, 2}), ("small", set(range(3, 8))), ("expert", None)])
def test_panels_have_their_sizes_and_none_has_8_or_9_members(panel, sizes, rng):
    counts = panels_of(draw_mixture("lpd", "expert", rng), panel, rng, 4000).sum(axis=1)
    assert set(counts) <= (sizes or set(range(10, 29))) and (sizes is None or len(set(counts)) >= len(sizes) - 1)


@pytest.mark.parametrize("kind", hms.CLASSES)
@pytest.mark.parametrize("panel", ["small", "expert"])
def test_a_panel_is_almost_of_one_mind_about_a_clear_pattern(kind, panel, rng):
    votes = panels_of(CLEAR[kind], panel, rng)
    share = votes[:, hms.CLASSES.index(kind)] / votes.sum(axis=1)
    assert share.mean() > 0.97 and (votes.argmax(axis=1) == hms.CLASSES.index(kind)).mean() > 0.995


def test_votes_are_spread_over_an_ambiguous_pattern_as_its_mixture_is(rng):
    mixture = (0.05, 0.45, 0.1, 0.3, 0.0, 0.1)
    votes = panels_of(mixture, "expert", rng)
    np.testing.assert_allclose((votes / votes.sum(axis=1, keepdims=True)).mean(axis=0), mixture, atol=0.04)


def test_raters_have_leanings_of_their_own_that_even_out_over_the_population(rng):
    experts = draw_raters(rng)["expert"]
    assert experts.leaning.std(axis=0).min() > 0.15
    np.testing.assert_allclose(experts.leaning.mean(axis=0), 0, atol=1e-12)


def test_a_panel_has_no_member_twice(rng):
    """Five of all raters see seizures everywhere, the others rhythmic delta: all of them together hold five votes."""
    experts = draw_raters(rng)["expert"]
    experts.leaning[:] = 0
    experts.leaning[:5, 0], experts.leaning[5:, 4] = 200.0, 200.0
    votes = experts.vote((1 / 6,) * 6, len(experts.leaning), rng)
    assert votes.count(0) == 5 and votes.count(4) == len(experts.leaning) - 5


def test_small_panels_that_disagree_call_for_more_votes(rng):
    clear, unclear = (panels_of(w, "small", rng).sum(axis=1) for w in (CLEAR["other"], (0.3, 0.3, 0.1, 0.1, 0.1, 0.1)))
    assert (clear > 3).mean() < 0.1 < 0.25 < (unclear > 3).mean()


@pytest.mark.parametrize("kind", hms.CLASSES)
@pytest.mark.parametrize("panel", PANELS)
def test_the_shares_of_a_mixture_sum_to_one_and_the_class_has_the_most_of_it(kind, panel, rng):
    for _ in range(200):
        mixture = draw_mixture(kind, panel, rng)
        assert abs(sum(mixture) - 1) < 1e-12 and min(mixture) >= 0
        assert int(np.argmax(mixture)) == hms.CLASSES.index(kind)


def test_the_panels_follow_what_is_in_the_signal(rng):
    raters = draw_raters(rng)
    for kind in hms.CLASSES:
        mixtures = [draw_mixture(kind, "expert", rng) for _ in range(500)]
        votes = np.array([draw_votes(each, "expert", raters, rng) for each in mixtures])
        fractions = votes / votes.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(fractions.mean(axis=0), np.mean(mixtures, axis=0), atol=0.04)
        assert np.corrcoef(np.ravel(mixtures), np.ravel(fractions))[0, 1] > 0.9


def test_experts_see_few_seizures_and_the_same_patient_tends_to_meet_the_same_kind_of_panel(rng):
    leaning = rng.random(5000)
    share = {kind: np.mean([choose_panel(kind, at) == "expert" for at in leaning]) for kind in hms.CLASSES}
    assert share["seizure"] < 0.1 < 0.3 < share["lpd"]
    assert choose_panel("other", 0.0) == "brief" and choose_panel("other", 1.0) == "expert"


def test_confusions_and_shares_are_whole():
    assert abs(sum(CLASS_SHARES) - 1) < 1e-12
    for kind in hms.CLASSES:
        assert abs(sum(CONFUSIONS[kind].values()) - 1) < 1e-9 and set(CONFUSIONS[kind]) == set(hms.CLASSES) - {kind}
