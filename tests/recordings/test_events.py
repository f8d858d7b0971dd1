"""Events: from probabilities by thresholds, and seizures as SzCORE counts them."""

from datetime import datetime

import numpy as np
import pytest

import hbac
from hbac.recordings.events import Event, Rules, events_of, seizures_of
from hbac.recordings.quality import Status
from hbac.recordings.scan import Scan


def scan_of(
    seizure: list[float], step_s: int = 10, statuses: dict[int, Status] | None = None, **others: list[float]
) -> Scan:
    """A scan with these probabilities of a seizure, NaN for no answer; other classes share the rest."""
    rows = np.full((len(seizure), 6), 0.0)
    rows[:, 0] = seizure
    for name, shares in others.items():
        rows[:, hbac.CLASSES.index(name)] = shares
    rows[np.isnan(rows).any(axis=1)] = np.nan
    told = [Status.GAP if np.isnan(share) else Status.OK for share in seizure]
    for number, status in (statuses or {}).items():
        told[number] = status
    onsets = step_s * np.arange(len(seizure), dtype=float)
    return Scan(
        "x",
        datetime(2030, 1, 1),
        step_s * float(len(seizure)),
        step_s,
        onsets,
        np.full(len(seizure), float(step_s)),
        rows,
        tuple(told),
    )


def spans(events: list[Event]) -> list[tuple[float, float]]:
    return [(event.onset_s, event.stop_s) for event in events]


def test_a_run_at_the_threshold_is_an_event_and_its_highest_step_its_confidence() -> None:
    (event,) = seizures_of(scan_of([0.1, 0.5, 0.8, 0.49, 0.1]), Rules(0.5, 0.5))
    assert (event.onset_s, event.duration_s, event.kind, event.confidence) == (10, 20, "seizure", 0.8)


def test_by_default_an_event_begins_at_0_4_and_goes_on_at_half_of_it() -> None:
    assert spans(seizures_of(scan_of([0.1, 0.2, 0.4, 0.21, 0.19, 0.39, 0.1]))) == [(10, 40)]


def test_an_event_goes_on_where_it_keeps_above_the_lower_threshold() -> None:
    shares = [0.35, 0.35, 0.2, 0.4, 0.7, 0.3, 0.1]
    assert spans(seizures_of(scan_of(shares), Rules(threshold=0.6, keep=0.3))) == [(30, 60)]


@pytest.mark.parametrize("steps_apart, count", [(8, 1), (9, 2)])
def test_seizures_less_than_90_s_apart_are_one(steps_apart: int, count: int) -> None:
    assert len(seizures_of(scan_of([0.9, *[0.1] * steps_apart, 0.9]))) == count


@pytest.mark.parametrize("unseen", [{3: Status.FLAT}, {}])
def test_what_nobody_saw_is_no_part_of_a_seizure(unseen: dict[int, Status]) -> None:
    shares = [0.9, 0.9, 0.9, 0.9 if unseen else np.nan, 0.9]
    assert spans(seizures_of(scan_of(shares, statuses=unseen))) == [(0, 30), (40, 50)]


def test_a_seizure_of_more_than_5_min_is_several() -> None:
    assert spans(seizures_of(scan_of([0.9] * 70))) == [(0, 300), (300, 600), (600, 700)]
    assert spans(seizures_of(scan_of([0.9] * 30))) == [(0, 300)]


def test_short_events_are_left_out_before_neighbours_are_merged() -> None:
    assert seizures_of(scan_of([0.9, 0.1, 0.9]), Rules(shortest_s=20)) == []
    assert spans(seizures_of(scan_of([0.9, 0.9, 0.1, 0.9]), Rules(shortest_s=20))) == [(0, 20)]


def test_other_patterns_are_neither_merged_nor_split_and_other_is_none() -> None:
    shares = [0.6] * 40
    shares[20] = 0.1
    scan = scan_of([0.0] * 40, lpd=shares, other=[0.9] * 40)
    assert [(event.kind, *span) for event, span in zip(events_of(scan), spans(events_of(scan)))] == [
        ("lpd", 0, 200),
        ("lpd", 210, 400),
    ]


def test_events_come_by_onset() -> None:
    scan = scan_of([0.1, 0.1, 0.9, 0.1], gpd=[0.9, 0.1, 0.1, 0.1], lrda=[0.1, 0.9, 0.1, 0.1])
    assert [event.kind for event in events_of(scan)] == ["gpd", "lrda", "seizure"]


def test_the_scorer_of_szcore_counts_the_seizures_as_they_are_told() -> None:
    """It merges and splits what it is given: of these events it has nothing left to do."""
    pytest.importorskip("timescoring")
    from timescoring.annotations import Annotation
    from timescoring.scoring import EventScoring

    rng = np.random.default_rng(0)
    for _ in range(10):
        shares = np.repeat(rng.random(60), rng.integers(1, 9, 60)).tolist()
        told = spans(seizures_of(scan_of(shares), Rules(0.5, 0.5)))
        raw = [(10.0 * n, 10.0 * n + 10) for n, share in enumerate(shares) if share >= 0.5]
        scored = EventScoring(*(Annotation(events, 10, 100 * len(shares)) for events in (raw, told)))
        assert len(told) > 3
        assert scored.hyp.events == scored.ref.events == told


@pytest.mark.parametrize(
    "rules, message",
    [
        (Rules(threshold=1.5), "threshold: expected 0 to 1, received 1.5"),
        (Rules(threshold=0.4, keep=0.5), "keep: expected the threshold 0.4 at most, received 0.5"),
        (Rules(merge_s=-1), "merge_s: expected 0 to inf, received -1"),
        (Rules(split_s=0), "split_s: expected more than 0, received 0"),
        (Rules(threshold=float("nan")), "threshold: expected 0 to 1, received nan"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(rules: Rules, message: str) -> None:
    with pytest.raises(hbac.InputError, match=message):
        events_of(scan_of([0.1]), rules)
