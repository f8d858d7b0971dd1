"""The class mix that a run's answers are for: that of training, all classes alike, a file's, or an estimate."""

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hbac import hms
from hbac.ensemble.prior import ENOUGH, Floats, estimated_prior, for_prior
from hbac.errors import InputError, WeightsError, brief, one_line
from hbac.files import read_text
from hbac.inference.answers import Answer
from hbac.preprocessing.load import OK
from hbac.records.csv_files import CsvFile
from hbac.weights.manifest import Manifest
from hbac.weights.schema import MIN_DIVISOR, unique_keys

TRAIN, UNIFORM, ESTIMATE = "train", "uniform", "estimate"
NAMES = (TRAIN, UNIFORM, ESTIMATE)

SUM_TOLERANCE = 0.01  # of shares that were rounded
MAX_COUNT = 1e12


@dataclass(frozen=True)
class Prior:
    """The class mix that a run's answers are for."""

    name: str  # as it was asked for
    shares: tuple[float, ...]  # (6,) in the order of `hms.CLASSES`, sums to 1
    note: str = ""  # why it is another than was asked for

    def document(self) -> dict[str, Any]:
        """As the report has it."""
        return {"name": self.name, "shares": dict(zip(hms.CLASSES, self.shares)), "note": self.note}

    def line(self) -> str:
        """One line for the end of a notebook."""
        shares = ", ".join(f"{name} {share:.3f}" for name, share in zip(hms.CLASSES, self.shares))
        return f"answers for the prior {self.name}: {shares}{f'; {self.note}' if self.note else ''}"


class Rows:
    """Finished rows as the folds give them to rows of a submission.

    Args:
        prior: `train`, `uniform`, `estimate`, or a file of six shares.
        manifest: the ensemble.

    Raises:
        InputError: the file does not hold six shares, or the manifest's training prior has a class without a share.
    """

    def __init__(self, prior: str, manifest: Manifest):
        self._name = prior
        self._training = _to_one(manifest.training_prior)
        self._given = _given(prior)
        if prior != TRAIN and self._training.min() < MIN_DIVISOR:
            raise InputError(
                f"--prior {prior}: expected a training prior with each class above 0 in the manifest, "
                f"received {brief(list(manifest.training_prior))}"
            )

    def of(self, answers: Iterable[Answer]) -> tuple[Prior, dict[int, tuple[float, ...]]]:
        """The prior, and the probabilities of each row by `eeg_id`.

        A row that no fold answered gets the prior itself; with `train`, the manifest's class prior. An estimate rests
        on the records that were read whole, whatever their order.
        """
        ordered = sorted(answers, key=lambda answer: answer.eeg_id)  # the last bits of a mean depend on the order
        prior, note = self._prior_of(ordered)
        if prior is None:  # the very bits that the folds gave
            trained = Prior(self._name, tuple(self._training.tolist()), note)
            return trained, {answer.eeg_id: answer.probabilities for answer in ordered}
        rows = for_prior(np.array([answer.probabilities for answer in ordered]), self._training, prior)
        rows[[answer.folds == 0 for answer in ordered]] = prior
        ids = [answer.eeg_id for answer in ordered]
        return Prior(self._name, tuple(prior.tolist())), dict(zip(ids, map(tuple, rows.tolist())))

    def _prior_of(self, answers: list[Answer]) -> tuple[Floats | None, str]:
        """Shares to answer for, None to leave the rows alone, and why an estimate does."""
        if self._name != ESTIMATE:
            return self._given, ""
        whole = [answer.probabilities for answer in answers if answer.status == OK]
        if len(whole) < ENOUGH:
            return None, f"as trained: expected {ENOUGH} whole records for an estimate, received {len(whole)}"
        return estimated_prior(np.array(whole), self._training), ""


def _given(prior: str) -> Floats | None:
    """Shares that are known before a run; None where they are those of training or are to be estimated."""
    if prior in (TRAIN, ESTIMATE):
        return None
    return _to_one([1.0] * len(hms.CLASSES)) if prior == UNIFORM else read_prior(Path(prior))


def read_prior(path: Path) -> Floats:
    """Shares of the classes from a file: a JSON object, or CSV with one row below the names.

    Names are those of `hms.CLASSES` or of the vote columns. Shares sum to 1; whole numbers are counts.

    Returns:
        (6,) float64 in the order of `hms.CLASSES`, each above 0, summing to 1.

    Raises:
        InputError: it cannot be read, has other names, a value that is not a number above 0, or another sum.
    """
    try:
        text = read_text(path)
        named = _json(text) if text.lstrip().startswith("{") else _csv(CsvFile(path, text))
    except OSError as error:
        raise InputError(
            f"{path}: expected {', '.join(NAMES)} or a file of six shares: {error.strerror or error}"
        ) from error
    except (ValueError, RecursionError, csv.Error, WeightsError) as error:
        raise InputError(f"{path}: expected six shares in JSON or CSV form: {one_line(error)}") from error
    shares = [_share(named[name], f"{path}, {name}") for name in _names(named, path)]
    if not math.isclose(sum(shares), 1.0, abs_tol=SUM_TOLERANCE) and any(share % 1 for share in shares):
        raise InputError(f"{path}: expected shares that sum to 1, or counts, received a sum of {sum(shares):g}")
    if min(shares) < MIN_DIVISOR * sum(shares):
        raise InputError(f"{path}: expected a share of {MIN_DIVISOR:g} or more of each class, received {shares}")
    return _to_one(shares)


def _json(text: str) -> dict[str, Any]:
    named: dict[str, Any] = json.loads(text, object_pairs_hook=unique_keys)
    return named


def _csv(file: CsvFile) -> dict[str, Any]:
    lines = csv.reader(file.text.splitlines(), delimiter=file.separator)
    rows = [[cell.strip() for cell in row] for row in lines if row]
    if len(rows) != 2 or len(rows[0]) != len(rows[1]):
        raise ValueError(f"expected a line of names and one of as many shares, received {len(rows)} lines")
    return unique_keys([(name, _number(cell)) for name, cell in zip(*rows)])


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _names(named: dict[str, Any], path: Path) -> tuple[str, ...]:
    """The names of the classes as the file has them, in our order."""
    for names in (hms.CLASSES, hms.VOTE_COLUMNS):
        if set(named) == set(names):
            return names
    raise InputError(
        f"{path}: expected shares of {', '.join(hms.CLASSES)}, or of {', '.join(hms.VOTE_COLUMNS)}, "
        f"received {brief(', '.join(named), quote=False)}"
    )


def _share(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_COUNT:
        raise InputError(f"{where}: expected a number above 0, up to {MAX_COUNT:g}, received {brief(value)}")
    return float(value)


def _to_one(shares: Iterable[float]) -> Floats:
    array = np.array(list(shares), np.float64)
    whole: Floats = array / array.sum()
    return whole
