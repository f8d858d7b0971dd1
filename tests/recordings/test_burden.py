"""Burden: shares, words, runs and the rule of status epilepticus, against a count of seconds one by one and by hand."""

import io

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from helpers_pages import Scanned

from hbac.errors import InputError
from hbac.hms import CLASSES
from hbac.recordings.burden import Burden, burden_csv, burden_table, prevalence
from hbac.recordings.quality import Status

SEIZURE, LPD = 0, 1


def answered(present: list[int] | npt.NDArray[np.int_], step_s: float = 10.0, absent: tuple[int, ...] = ()) -> Scanned:
    """Windows each of which holds one pattern for sure; -1 stands for none, `absent` for no answer."""
    probabilities = np.full((len(present), 6), 0.1)
    for window, pattern in enumerate(present):
        if pattern >= 0:
            probabilities[window, pattern] = 0.9
    probabilities[list(absent)] = np.nan
    return Scanned(np.arange(len(present)) * step_s, step_s, probabilities, ["ok"] * len(present))


def by_seconds(scan: Scanned, pattern: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each second holds the pattern, and whether it has an answer."""
    of_second = np.repeat(scan.probabilities, int(scan.step_s), axis=0)
    return of_second[:, pattern] >= 0.5, np.isfinite(of_second[:, pattern])


@pytest.mark.parametrize("step_s", [2, 7, 10])
def test_shares_runs_and_the_worst_hour_are_those_of_a_count_of_seconds(step_s: int) -> None:
    rng = np.random.default_rng(7)
    windows = 9000 // step_s
    present = np.repeat(rng.integers(-1, 6, windows // 20 + 1), 20)[:windows]
    absent = tuple(np.flatnonzero(np.repeat(rng.random(windows // 9 + 1) < 0.1, 9)[:windows]))
    scan = answered(present, step_s, absent)
    burden = burden_table(scan)
    assert len(burden.hours) == 3
    for pattern in range(6):
        holds, known = by_seconds(scan, pattern)
        for period in (burden.whole, *burden.hours):
            part = slice(int(period.start_s), int(period.stop_s))
            assert period.analysed_s == pytest.approx(known[part].sum())
            assert period.present_s[pattern] == pytest.approx(holds[part].sum())
            assert period.share(pattern) == pytest.approx(holds[part].sum() / known[part].sum())
            counted = pd.Series(holds[part])
            lengths = counted.groupby((counted != counted.shift()).cumsum()).sum()
            assert period.longest_s[pattern] == pytest.approx(lengths.max())
    holds, _ = by_seconds(scan, SEIZURE)
    start, seconds = burden.worst_60_min
    assert seconds == pytest.approx(pd.Series(holds).rolling(3600, min_periods=1).sum().max())
    assert holds[int(start) : int(start) + 3600].sum() == pytest.approx(seconds, abs=1)


@pytest.mark.parametrize(
    ("share", "word"),
    [
        (0.0, "none"), (0.0001, "rare"), (0.0099, "rare"), (0.01, "occasional"), (0.0999, "occasional"),
        (0.1, "frequent"), (0.4999, "frequent"), (0.5, "abundant"), (0.8999, "abundant"), (0.9, "continuous"), (1.0, "continuous"),
    ],
)  # fmt: skip
def test_the_words_are_those_of_the_acns(share: float, word: str) -> None:
    assert prevalence(share) == word


@pytest.mark.parametrize("windows, word", [(9, "occasional"), (10, "frequent"), (50, "abundant"), (90, "continuous")])
def test_a_share_on_a_border_has_the_upper_word(windows: int, word: str) -> None:
    burden = burden_table(answered([LPD] * windows + [-1] * (100 - windows), step_s=0.7))
    assert burden.whole.prevalence(LPD) == word


@pytest.mark.parametrize("windows, met", [(59, False), (60, True)])
def test_ten_minutes_of_seizure_without_a_break_are_status_epilepticus(windows: int, met: bool) -> None:
    burden = burden_table(answered([-1] * 7 + [SEIZURE] * windows + [-1] * 7))
    assert (burden.long_seizure, burden.frequent_seizures) == (met, False)
    assert burden.status_epilepticus == met


@pytest.mark.parametrize("seizures, met", [(11, False), (12, True)])
def test_twelve_minutes_of_seizure_in_any_hour_are_status_epilepticus(seizures: int, met: bool) -> None:
    """Minutes of seizure in turn with minutes of none, across the border of two hours."""
    minutes = [[-1] * 6] * 48 + [[SEIZURE] * 6, [-1] * 6] * seizures + [[-1] * 6] * 60
    burden = burden_table(answered([window for minute in minutes for window in minute]))
    assert (burden.long_seizure, burden.frequent_seizures) == (False, met)
    assert max(hour.present_s[SEIZURE] for hour in burden.hours) < 720
    assert burden.worst_60_min[1] == 60 * seizures


def test_the_worst_hour_of_a_late_seizure_is_the_last_hour_and_ends_with_the_recording() -> None:
    burden = burden_table(answered([-1] * 700 + [SEIZURE] * 20))
    assert burden.worst_60_min == (3600, 200)
    assert burden_table(answered([-1] * 30 + [SEIZURE] * 20)).worst_60_min == (0, 200)


def test_a_window_without_an_answer_breaks_a_run_and_is_not_analysed() -> None:
    burden = burden_table(answered([SEIZURE] * 100, absent=(50,)))
    assert [(run.start_s, run.stop_s, run.peak) for run in burden.runs[SEIZURE]] == [(0, 500, 0.9), (510, 1000, 0.9)]
    assert (burden.whole.analysed_s, burden.whole.share(SEIZURE)) == (990, 1.0)


def test_a_flat_line_is_not_analysed_whatever_its_answer() -> None:
    scan = answered([SEIZURE] * 4)
    burden = burden_table(Scanned(scan.onsets_s, 10, scan.probabilities, ["ok", "flat", Status.FLAT, "partly missing"]))
    assert (burden.whole.analysed_s, burden.whole.present_s[SEIZURE], len(burden.runs[SEIZURE])) == (20, 20, 2)


def test_a_hole_between_windows_breaks_a_run() -> None:
    scan = answered([LPD] * 4)
    burden = burden_table(Scanned(np.array([0.0, 10, 25, 35]), 10, scan.probabilities, scan.statuses))
    assert [(run.start_s, run.stop_s) for run in burden.runs[LPD]] == [(0, 20), (25, 45)]


def test_a_window_beyond_the_end_counts_as_far_as_the_recording_goes() -> None:
    burden = burden_table(answered([LPD] * 4), duration_s=33)
    assert (burden.whole.analysed_s, burden.whole.present_s[LPD], burden.whole.stop_s) == (33, 33, 33)


@pytest.mark.parametrize("scan", [answered([]), answered([-1, -1], absent=(0, 1))])
def test_nothing_analysed_has_no_share_and_no_word(scan: Scanned) -> None:
    burden = burden_table(scan)
    assert burden.whole.share(LPD) is None and burden.whole.prevalence(LPD) == ""
    assert not burden.status_epilepticus and burden.worst_60_min == (0, 0)
    table = pd.read_csv(io.BytesIO(burden_csv(burden)))
    assert table["share"].isna().all() and (table["analysed"] == 0).all()


def test_the_thresholds_are_those_told() -> None:
    scan = Scanned(np.arange(4) * 10.0, 10, np.tile([0.3, 0.3, 0.1, 0.1, 0.1, 0.1], (4, 1)), ["ok"] * 4)
    burden = burden_table(scan, (0.3, 0.31, 0.5, 0.5, 0.5, 0.5))
    assert burden.whole.present_s == (40, 0, 0, 0, 0, 0)


def test_what_the_table_of_probabilities_shows_at_the_threshold_reaches_it() -> None:
    scan = Scanned(np.arange(2) * 10.0, 10, np.tile([[0.4999996], [0.4999994]], 6), ["ok"] * 2)
    assert burden_table(scan).whole.present_s == (10,) * 6


@pytest.mark.parametrize("thresholds", [(0.5,) * 5, (-0.1,) + (0.5,) * 5, (1.1,) + (0.5,) * 5, (float("nan"),) * 6])
def test_thresholds_that_are_none_are_refused(thresholds: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="expected six from 0 to 1, received"):
        burden_table(answered([LPD]), thresholds)


def test_windows_that_overlap_are_refused() -> None:
    with pytest.raises(InputError, match="expected onsets 10 s apart or more, in order"):
        burden_table(Scanned(np.array([0.0, 5]), 10, answered([LPD, LPD]).probabilities, ["ok"] * 2))


def of_an_hour_and_a_half() -> Burden:
    return burden_table(answered([SEIZURE] * 90 + [-1] * 180 + [LPD] * 270, absent=(100, 101)))


def test_the_csv_has_a_row_for_each_period_and_pattern() -> None:
    burden = of_an_hour_and_a_half()
    table = pd.read_csv(io.BytesIO(burden_csv(burden)), keep_default_na=False).set_index(["period", "pattern"])
    assert list(table.index) == [(period, name) for period in ("all", "hour 1", "hour 2") for name in CLASSES]
    row = table.loc[("hour 1", "seizure")]
    assert row[["onset", "duration", "analysed", "present", "longest"]].tolist() == [0, 3600, 3580, 900, 900]
    assert float(row["share"]) == pytest.approx(900 / 3580, abs=1e-6) and row["prevalence"] == "frequent"
    assert table.loc[("hour 2", "lpd"), "prevalence"] == "continuous"
    assert table.loc[("all", "grda"), "prevalence"] == "none"


def test_it_says_which_rule_is_met() -> None:
    burden = of_an_hour_and_a_half()
    assert (burden.long_seizure, burden.frequent_seizures) == (True, True)
    assert burden.worst_60_min == (0.0, 900.0)
    assert (burden.whole.analysed_s, burden.whole.longest_s[SEIZURE]) == (5380.0, 900.0)
