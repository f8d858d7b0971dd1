"""The class mix that answers are for: each way to name one, each bad file, and rows that no fold answered."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hbac.ensemble.prior import ENOUGH
from hbac.errors import InputError
from hbac.hms import CLASSES, VOTE_COLUMNS
from hbac.inference.answers import Answer
from hbac.inference.priors import Rows, read_prior
from hbac.preprocessing.load import EEG_ONLY, INCOMPLETE, OK, OUT_OF_TIME, SPECTROGRAM_ONLY, SUSPECT, UNREADABLE

TRAINING = (0.5, 0.1, 0.1, 0.1, 0.1, 0.1)
CLASS_PRIOR = (0.1, 0.1, 0.1, 0.1, 0.1, 0.5)
MANIFEST: Any = SimpleNamespace(training_prior=TRAINING, class_prior=CLASS_PRIOR)
SHARES = (0.3, 0.25, 0.2, 0.1, 0.05, 0.1)
COUNTS = (60, 50, 40, 20, 10, 20)


def answer(eeg_id: int, probabilities: tuple[float, ...], status: Any = OK) -> Answer:
    return Answer(eeg_id, probabilities, status, folds=0 if status in (UNREADABLE, OUT_OF_TIME) else 3)


def drawn(count: int, seed: int = 0) -> list[Answer]:
    rows = np.random.default_rng(seed).dirichlet((0.5, 2, 0.5, 0.5, 0.5, 0.5), count)
    return [answer(i, tuple(row.tolist())) for i, row in enumerate(rows)]


def as_csv(names: tuple[str, ...], values: tuple[float, ...], separator: str = ",") -> str:
    return f"{separator.join(names)}\n{separator.join(map(str, values))}\n"


GOOD = {
    "JSON": json.dumps(dict(zip(CLASSES, SHARES))),
    "JSON, vote columns": json.dumps(dict(zip(VOTE_COLUMNS, SHARES))),
    "JSON, another order": json.dumps(dict(zip(CLASSES[::-1], SHARES[::-1]))),
    "JSON, counts": json.dumps(dict(zip(CLASSES, COUNTS))),
    "JSON, rounded": json.dumps(dict(zip(CLASSES, (0.301, 0.251, 0.201, 0.1, 0.05, 0.1)))),
    "CSV": as_csv(CLASSES, SHARES),
    "CSV, vote columns": as_csv(VOTE_COLUMNS, SHARES),
    "CSV, counts": as_csv(CLASSES, COUNTS),
    "CSV, another order and separator, blank lines": "\n" + as_csv(CLASSES[::-1], SHARES[::-1], "; ") + "\n",
    "CSV of a spreadsheet": "\ufeff" + as_csv(CLASSES, SHARES).replace("\n", "\r\n"),
}


@pytest.mark.parametrize("name", GOOD)
def test_six_shares_are_read_by_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "prior"
    path.write_text(GOOD[name], newline="")
    received = read_prior(path)
    np.testing.assert_allclose(received, SHARES, atol=2e-3 if "rounded" in name else 1e-12)
    assert received.sum() == pytest.approx(1, abs=1e-15)


def changed(**values: Any) -> str:
    return json.dumps({**dict(zip(CLASSES, SHARES)), **values})


BAD = {
    "negative": (changed(lpd=-0.25), "lpd: expected a number above 0.*received -0.25"),
    "zero": (changed(lpd=0), "lpd: expected a number above 0.*received 0"),
    "NaN": (changed(lpd=float("nan")), "lpd: expected a number above 0.*received nan"),
    "infinite": (changed(lpd=float("inf")), "lpd: expected a number above 0.*received inf"),
    "1e400": (changed(lpd=1).replace('"lpd": 1', '"lpd": 1e400'), "lpd: expected a number.*received inf"),
    "huge": (changed(lpd=10**400), "lpd: expected a number above 0, up to 1e\\+12, received 1000"),
    "tiny": (changed(lpd=1e-9, seizure=0.55), "expected a share of 1e-06 or more of each class"),
    "a text": (changed(lpd="0.25"), "lpd: expected a number above 0.*received '0.25'"),
    "true": (changed(lpd=True), "lpd: expected a number above 0.*received True"),
    "null": (changed(lpd=None), "lpd: expected a number above 0.*received None"),
    "another sum": (changed(lpd=0.35), "expected shares that sum to 1, or counts, received a sum of 1.1"),
    "missing": (json.dumps(dict(zip(CLASSES[:5], SHARES))), "expected shares of seizure, .* other, or of .* grda$"),
    "unknown": (changed(burst=0.1), "expected shares of seizure, .* received .* other, burst"),
    "a name twice": (changed().replace("}", ', "lpd": 0.2}'), "'lpd' twice"),
    "names of both kinds": (changed(lpd_vote=0.25), "expected shares of seizure.* lpd_vote"),
    "no JSON": ('{"lpd": ', "expected six shares in JSON or CSV form"),
    "deep JSON": ('{"lpd": ' + "[" * 200_000, "expected six shares in JSON or CSV form"),
    "a JSON list": (json.dumps(SHARES), "a line of names and one of as many shares, received 1 lines"),
    "empty": ("", "expected six shares in JSON or CSV form"),
    "CSV, three lines": (as_csv(CLASSES, SHARES) + "1,1,1,1,1,1\n", "received 3 lines"),
    "CSV, a value less": (as_csv(CLASSES, SHARES[:5]), "as many shares"),
    "CSV, no number": (as_csv(CLASSES, SHARES).replace("0.25", "many"), "lpd: expected a number.*received 'many'"),
    "CSV, NaN": (as_csv(CLASSES, SHARES).replace("0.25", "nan"), "lpd: expected a number.*received nan"),
    "CSV, a name twice": (as_csv((*CLASSES, "lpd"), (*SHARES, 0.1)), "'lpd' twice"),
    "Latin-1": ("é", "expected six shares in JSON or CSV form"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_holds_no_prior_is_refused_by_name_in_one_line(name: str, tmp_path: Path) -> None:
    text, message = BAD[name]
    path = tmp_path / "prior.json"
    path.write_text(text, encoding="latin-1" if name == "Latin-1" else "utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_prior(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.json", ""])
def test_no_file_and_a_folder_are_refused_with_the_names_that_are_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected train, uniform, estimate or a file of six shares: "):
        read_prior(tmp_path / name)


def test_train_leaves_each_row_as_the_folds_gave_it() -> None:
    answers = [*drawn(ENOUGH), answer(99, CLASS_PRIOR, UNREADABLE)]
    prior, rows = Rows("train", MANIFEST).of(answers)
    assert rows == {one.eeg_id: one.probabilities for one in answers}
    assert (prior.name, prior.note) == ("train", "")
    assert prior.shares == pytest.approx(TRAINING, abs=1e-12)


@pytest.mark.parametrize("status", [OK, INCOMPLETE, SUSPECT, EEG_ONLY, SPECTROGRAM_ONLY])
def test_uniform_divides_the_training_prior_out_of_whatever_a_fold_answered(status: Any) -> None:
    """0.5 / 0.5, 0.3 / 0.1 and 0.2 / 0.1 are 1, 3 and 2 of 6."""
    prior, rows = Rows("uniform", MANIFEST).of([answer(1, (0.5, 0.3, 0.2, 0.0, 0.0, 0.0), status)])
    np.testing.assert_allclose(rows[1], (1 / 6, 3 / 6, 2 / 6, 0, 0, 0), rtol=1e-12)
    np.testing.assert_allclose(prior.shares, [1 / 6] * 6, rtol=1e-12)


def test_a_file_s_shares_take_the_place_of_those_of_training(tmp_path: Path) -> None:
    """0.5 * 0.2 / 0.5, 0.3 * 0.4 / 0.1 and 0.2 * 0.1 / 0.1 are 0.2, 1.2 and 0.2 of 1.6."""
    path = tmp_path / "prior.csv"
    path.write_text(as_csv(CLASSES, (0.2, 0.4, 0.1, 0.1, 0.1, 0.1)))
    prior, rows = Rows(str(path), MANIFEST).of([answer(1, (0.5, 0.3, 0.2, 0.0, 0.0, 0.0))])
    np.testing.assert_allclose(rows[1], (0.125, 0.75, 0.125, 0, 0, 0), rtol=1e-12)
    assert prior.line().startswith(f"answers for the prior {path}: seizure 0.200, lpd 0.400, gpd 0.100")


@pytest.mark.parametrize("status", [UNREADABLE, OUT_OF_TIME])
@pytest.mark.parametrize("name", ["uniform", "estimate"])
def test_a_row_that_no_fold_answered_gets_the_prior_itself(name: str, status: Any) -> None:
    prior, rows = Rows(name, MANIFEST).of([*drawn(ENOUGH), answer(99, CLASS_PRIOR, status)])
    assert rows[99] == prior.shares
    assert np.abs(np.array(prior.shares) - CLASS_PRIOR).max() > 0.1


def test_few_records_are_left_as_trained_and_it_says_so() -> None:
    answers = drawn(ENOUGH - 1)
    prior, rows = Rows("estimate", MANIFEST).of(answers)
    assert rows == {one.eeg_id: one.probabilities for one in answers}
    assert prior.shares == pytest.approx(TRAINING, abs=1e-12)
    assert prior.line().endswith(
        f"; as trained: expected {ENOUGH} whole records for an estimate, received {ENOUGH - 1}"
    )


@pytest.mark.parametrize("status", [INCOMPLETE, SUSPECT, EEG_ONLY, SPECTROGRAM_ONLY, UNREADABLE, OUT_OF_TIME])
def test_an_estimate_rests_on_whole_records_alone(status: Any) -> None:
    others = [answer(1000 + i, (0, 0, 0, 0, 0, 1.0), status) for i in range(200)]
    prior, rows = Rows("estimate", MANIFEST).of([*drawn(ENOUGH), *others])
    assert prior == Rows("estimate", MANIFEST).of(drawn(ENOUGH))[0]
    assert prior.shares[1] > TRAINING[1] + 0.05  # of which there are many
    assert len(rows) == ENOUGH + 200


def test_an_estimate_has_the_same_bits_whatever_the_order_of_the_rows() -> None:
    answers = drawn(333)
    expected = Rows("estimate", MANIFEST).of(answers)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(answers))
        assert Rows("estimate", MANIFEST).of([answers[i] for i in order]) == expected


@pytest.mark.parametrize("name", ["uniform", "estimate"])
def test_a_training_prior_that_cannot_be_divided_by_is_refused(name: str) -> None:
    manifest: Any = SimpleNamespace(training_prior=(1.0, 0, 0, 0, 0, 0), class_prior=CLASS_PRIOR)
    with pytest.raises(InputError, match=f"--prior {name}: expected a training prior with each class above 0"):
        Rows(name, manifest)
    Rows("train", manifest)
