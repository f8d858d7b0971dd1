"""What a summary says of a run."""

from pathlib import Path

import pytest

from hbac.inference.answers import Answer
from hbac.inference.budget import Effort
from hbac.inference.priors import Prior
from hbac.inference.report import summary_of
from hbac.preprocessing.load import Status
from hbac.records.record import Record

FULL = Effort(3, False)


def answered(status: Status, eeg_sha256: str | None, spectrogram_sha256: str | None, notes: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    record = Record(7, 8, 9, Path("7"), Path("8"), None, None, eeg_sha256, spectrogram_sha256)
    answer = Answer(7, (1.0, 0, 0, 0, 0, 0), status, (), 3)
    return summary_of(Path("out.csv"), [record], [answer], FULL, 1.0, notes, Prior("train", (1 / 6,) * 6))


@pytest.mark.parametrize(
    ("status", "verified"),
    [
        (Status.OK, 2),
        (Status.INCOMPLETE, 2),
        (Status.SUSPECT, 2),
        (Status.EEG_ONLY, 1),
        (Status.SPECTROGRAM_ONLY, 1),
        (Status.UNREADABLE, 0),
        (Status.OUT_OF_TIME, 0),
    ],
)
def test_files_that_an_answer_rests_on_count_as_verified_if_they_are_listed(status: Status, verified: int) -> None:
    summary = answered(status, "0" * 64, "1" * 64)
    assert summary.verified == verified
    assert f"; {verified} files verified; details in" in summary.line()
    assert answered(status, "0" * 64, None).verified == min(verified, status != Status.SPECTROGRAM_ONLY)


def test_without_a_list_nothing_is_said_of_verified_files() -> None:
    assert answered(Status.OK, None, None).verified is None
    assert "verified" not in answered(Status.OK, None, None).line()
