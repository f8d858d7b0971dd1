"""Choosing and judging: patients stay apart, what is held out is not seen, gains are what they are by construction."""

import numpy as np
import pytest

from hbac.adaptation.fitting import (
    MIN_PATIENTS,
    MIN_RECORDS,
    USUAL,
    Labelled,
    check_labelled,
    check_records,
    choose,
    fit_heads,
    gain_of,
    measure_gain,
    parts_of,
)
from hbac.adaptation.head import BIAS, KERNEL, Calibration
from hbac.adaptation.members import Member, answer_of
from hbac.errors import InputError
from hbac.network.engine import softmax
from hbac.training.metrics import kl_divergence

CALIBRATION = Calibration(1.2, np.array([0.05, 0.18, 0.13, 0.08, 0.1, 0.46]))
FEATURES = 12


def data(signal: float, records: int = 40) -> tuple[list[Member], Labelled]:
    """Two folds on records of four classes, two a patient, whose pooled features tell the class by so much."""
    rng = np.random.default_rng(2)
    classes = np.arange(records) // 2 % 4
    pooled = np.stack([rng.normal(size=(records, FEATURES)) + signal * rng.normal(size=(4, FEATURES))[classes]] * 2)
    heads = [{KERNEL: rng.normal(size=(FEATURES, 6)) / 9, BIAS: np.log(CALIBRATION.prior)} for _ in range(2)]
    members = [Member(h, w, pooled, CALIBRATION.free_logits(pooled, h)) for h, w in zip(heads, (1.0, 3.0))]
    return members, Labelled(np.eye(6)[classes], tuple(f"p{i // 2}" for i in range(records)))


def gain(signal: float):
    members, labelled = data(signal)
    return measure_gain(members, members, labelled, CALIBRATION)


def test_labels_that_features_tell_pay_and_others_do_not() -> None:
    told = gain(1.5)
    assert told.mean > 0.3
    assert 0 < told.low < told.mean < told.high
    assert told.alone == pytest.approx(told.before)  # the statistics are the same here
    assert gain(0.0).mean < 0.05


def test_labels_of_held_out_records_do_not_reach_their_answers() -> None:
    """Noise in place of votes: were the labels of those that judge seen, the gain would be large."""
    members, labelled = data(0.0)
    votes = np.random.default_rng(9).dirichlet(np.full(6, 0.2), 40)
    assert measure_gain(members, members, Labelled(votes, labelled.patients), CALIBRATION).mean < 0.05


def test_the_usual_strength_is_left_only_for_one_that_is_surely_better() -> None:
    for signal, expected in ((0.0, {300.0, 1000.0, 3000.0}), (3.0, {30.0, 100.0})):
        assert choose(*data(signal), CALIBRATION).strength in expected
    assert choose(*data(0.5, records=12), CALIBRATION) == USUAL


def test_heads_learn_from_all_labels() -> None:
    """The written head answers its own labels better than before, and as float16 holds it."""
    members, labelled = data(1.0)
    heads, _ = fit_heads(members, labelled, CALIBRATION)
    after = [Member(h, m.weight, m.pooled, CALIBRATION.free_logits(m.pooled, h)) for h, m in zip(heads, members)]
    before_kl, after_kl = (kl_divergence(labelled.votes, answer_of(m, CALIBRATION)).mean() for m in (members, after))
    assert after_kl < before_kl - 0.3
    for head in heads:
        np.testing.assert_array_equal(head[KERNEL], head[KERNEL].astype(np.float16))


@pytest.mark.parametrize("most", [2, 4, 5])
def test_parts_hold_whole_patients_and_every_record_once(most: int) -> None:
    _, labelled = data(1.0)
    parts = parts_of(labelled, most)
    assert len(parts) == most
    assert sorted(np.concatenate([judge for _, judge in parts]).tolist()) == list(range(40))
    for learn, judge in parts:
        patients = np.array(labelled.patients)
        assert not set(patients[learn]) & set(patients[judge])


def test_classes_too_small_to_balance_are_no_error() -> None:
    labelled = Labelled(np.eye(6), tuple("abcdef"))
    assert len(parts_of(labelled, 5)) == 5


def test_the_answer_is_the_mean_of_probabilities_with_the_prior_divided_out() -> None:
    members, _ = data(1.0)
    logits = [m.pooled[0] @ m.tensors[KERNEL] + m.tensors[BIAS] for m in members]
    mean = (softmax(logits[0] / 1.2) + 3 * softmax(logits[1] / 1.2)) / 4
    expected = mean / CALIBRATION.prior / (mean / CALIBRATION.prior).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answer_of(members, CALIBRATION), expected, atol=1e-12)


def test_the_interval_is_of_patients_not_of_records() -> None:
    """Ten records of one patient say as much as one."""
    rng = np.random.default_rng(0)
    after = np.repeat(rng.normal(size=30), 10)
    before = after + np.repeat(rng.normal(0.2, 1, 30), 10)
    by_patient = gain_of(before, after, [f"{i // 10}" for i in range(300)])
    by_record = gain_of(before, after, [f"{i}" for i in range(300)])
    error = (before - after)[::10].std() / np.sqrt(30)
    assert by_patient.high - by_patient.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert by_record.high - by_record.low == pytest.approx(2 * 1.96 * error / np.sqrt(10), rel=0.1)
    assert by_patient.mean == pytest.approx((before - after).mean())


def labels_of(classes: np.ndarray, patients: int) -> Labelled:
    return Labelled(np.eye(6)[classes], tuple(str(i % patients) for i in range(len(classes))))


def test_too_few_records_classes_or_patients_are_refused() -> None:
    mixed = np.arange(MIN_RECORDS) % 2
    check_labelled(labels_of(mixed, MIN_PATIENTS))
    check_records(MIN_RECORDS)
    for labels, expected in (
        (labels_of(mixed[1:], MIN_PATIENTS), "expected 12 or more labelled records that can be read, received 11"),
        (labels_of(0 * mixed, MIN_PATIENTS), "expected 2 or more classes among the labels, received 1"),
        (labels_of(mixed, MIN_PATIENTS - 1), "expected 6 or more patients among the labels, received 5"),
    ):
        with pytest.raises(InputError, match=expected):
            check_labelled(labels)
    with pytest.raises(InputError, match="expected 12 or more records that can be read, received 11"):
        check_records(MIN_RECORDS - 1)
