"""The plan of a simulated data set against the statistics of the real table, and its stories against what they claim."""

import numpy as np
import pandas as pd
import pytest
from helpers_votes import REAL_VOTES, statistics

from hbac import hms
from hbac.simulation.dataset import train_table
from hbac.simulation.schedule import LABEL_S, MIDDLE_S, Recording, plan
from hbac.simulation.timeline import LABEL_MARGIN_S

SEED = 3
# Of hms_votes.csv.gz (41,291 rows), to three decimals, and how far a data set of 2,000 patients may be from it.
REAL = {
    "panel sizes": ([0.191, 0.105, 0.325, 0.057, 0, 0.023, 0.1, 0.116, 0.063, 0.022], 0.025),
    "expert rows": (0.4, 0.08),
    "expert EEGs": (0.323, 0.03),
    "mean vote": ([0.156, 0.143, 0.104, 0.063, 0.114, 0.421], 0.03),
    "mean vote of experts": ([0.05, 0.179, 0.129, 0.078, 0.089, 0.475], 0.03),
    "consensus of crowd": ([0.222, 0.136, 0.093, 0.054, 0.123, 0.372], 0.035),
    "consensus of experts": ([0.033, 0.182, 0.134, 0.049, 0.073, 0.529], 0.035),
    "fractions of crowd": (
        [
            [0.935, 0.015, 0.014, 0.005, 0.002, 0.029],
            [0.015, 0.854, 0.025, 0.027, 0.004, 0.076],
            [0.008, 0.02, 0.89, 0.003, 0.02, 0.06],
            [0.002, 0.015, 0.004, 0.807, 0.06, 0.111],
            [0.003, 0.002, 0.002, 0.017, 0.912, 0.066],
            [0.003, 0.011, 0.007, 0.015, 0.016, 0.948],
        ],
        0.045,
    ),
    "fractions of experts": (
        [
            [0.64, 0.088, 0.13, 0.03, 0.008, 0.104],
            [0.03, 0.733, 0.039, 0.061, 0.015, 0.122],
            [0.049, 0.049, 0.701, 0.006, 0.039, 0.156],
            [0.028, 0.103, 0.006, 0.551, 0.07, 0.242],
            [0.01, 0.025, 0.059, 0.051, 0.566, 0.29],
            [0.012, 0.049, 0.037, 0.055, 0.07, 0.777],
        ],
        0.09,
    ),
    "entropy of crowd": ([0.112, 0.251, 0.202, 0.334, 0.14, 0.102], 0.08),
    "entropy of experts": ([0.733, 0.611, 0.693, 0.925, 0.892, 0.538], 0.13),
    "unanimous crowd": ([0.849, 0.653, 0.697, 0.558, 0.794, 0.842], 0.1),
    "unanimous experts": ([0.081, 0.174, 0.071, 0.009, 0, 0.214], 0.09),
    "rows per EEG, log of mean": (1.799, 0.15),
    "EEGs of 1, 2, 3, 4 to 8, 9 to 20 windows": ([0.372, 0.109, 0.088, 0.249, 0.139], 0.04),
    "steps of 2, 4, 6 and 8 s": ([0.478, 0.199, 0.102, 0.061], 0.06),
    "EEGs up to 50, 60, 90, 150, 250 s": ([0.372, 0.555, 0.79, 0.934, 0.985], 0.035),
    "odd offsets": (0.015, 0.012),
    "votes change": (0.05, 0.02),
    "votes change by step": ([0.007, 0.024, 0.052, 0.092, 0.113], 0.06),
    "consensus changes": (0.018, 0.01),
    "same consensus within a patient": (0.608, 0.06),
    "same consensus within a recording": (0.734, 0.08),
    "patients with experts never, always": ([0.388, 0.114], 0.06),
}


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return plan(2000, 0, SEED)


@pytest.fixture(scope="module")
def simulated_statistics(recordings):
    return statistics(train_table(recordings))


# Against the real table


@pytest.mark.skipif(not REAL_VOTES.is_file(), reason=f"no real votes in {REAL_VOTES}")
def test_the_figures_here_are_those_of_the_real_table():
    real = statistics(pd.read_csv(REAL_VOTES))
    assert set(real) == set(REAL)
    for name, (value, _) in REAL.items():
        np.testing.assert_allclose(real[name], value, atol=0.00051, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_a_simulated_table_has_the_statistics_of_the_real_one(simulated_statistics, name):
    value, tolerance = REAL[name]
    np.testing.assert_allclose(simulated_statistics[name], value, atol=tolerance)


def test_most_recordings_have_one_eeg_and_patients_have_a_long_tail_of_recordings(recordings):
    """Real, where 40 % of the EEGs are known: 85 % of the recordings show one EEG; a quarter of the patients 3 or more."""
    table = train_table(recordings)
    known = table[np.isin(table["eeg_id"], np.random.default_rng(0).permutation(table["eeg_id"].unique())[::2])]
    eegs = known.groupby("spectrogram_id")["eeg_id"].nunique()
    assert 0.78 < (eegs == 1).mean() < 0.9
    count = table.groupby("patient_id")["spectrogram_id"].nunique()
    assert count.median() == 2 and count.max() == 8 and 0.3 < (count == 1).mean() < 0.42


def test_gaps_are_as_frequent_as_in_the_real_files_and_spare_the_labelled_middle(recordings):
    eeg_s = spectrogram_s = eeg_gap_s = spectrogram_gap_s = edges = count = 0.0
    for recording in recordings:
        spectrogram_s += recording.length_s
        for start, stop in recording.gaps_s:
            spectrogram_gap_s += min(stop, recording.length_s) - max(start, 0)
            edges += start < 0 or stop > recording.length_s
            count += 1
        for eeg in recording.eegs:
            eeg_s += eeg.length_s
            at = eeg.start_s + hms.EEG_START_IN_SPECTROGRAM_S
            for start, stop in recording.gaps_s:
                eeg_gap_s += max(0, min(stop, at + eeg.length_s) - max(start, at))
                assert stop <= at + 20 or start >= at + eeg.offsets_s[-1] + 30
    assert 0.0006 < eeg_gap_s / eeg_s < 0.0024  # real: 0.12 %
    assert 0.015 < spectrogram_gap_s / spectrogram_s < 0.035  # real: 2.4 %
    assert 0.55 < edges / count < 0.9  # mostly blocks at an edge, some in the middle


# Who and when


def test_any_number_of_patients_is_spread_over_the_classes_by_their_shares():
    for seed in range(4):
        mains = np.array([main_class(recording) for recording in plan(0, 60, seed)])
        shares = [(mains == name).mean() for name in hms.CLASSES]
        np.testing.assert_allclose(shares, [0.161, 0.151, 0.106, 0.052, 0.107, 0.423], atol=0.04)


@pytest.mark.parametrize("count", [6, 12, 60])
def test_a_balanced_test_split_has_every_class_equally_often(count):
    mains = [main_class(recording) for recording in plan(0, count, SEED, balanced=True)]
    assert {mains.count(name) for name in hms.CLASSES} == {count // 6}


def test_a_balanced_training_split_has_even_shares_of_windows_labelled():
    kinds = [argmax(eeg.mixtures[0]) for r in plan(600, 0, SEED, balanced=True) for eeg in r.eegs]
    np.testing.assert_allclose(np.bincount(kinds) / len(kinds), 1 / 6, atol=0.04)


def test_in_a_balanced_data_set_experts_see_seizures_as_often_as_the_crowd_does():
    def share(balanced: bool) -> float:
        eegs = [eeg for r in plan(600, 0, SEED, balanced=balanced) for eeg in r.eegs]
        seen = [argmax(eeg.mixtures[0]) == hms.CLASSES.index("seizure") for eeg in eegs if sum(eeg.votes[0]) >= 10]
        return float(np.mean(seen))

    assert share(balanced=False) < 0.08
    assert share(balanced=True) > 0.12


def test_forty_patients_hold_all_six_classes_and_most_have_one_or_two():
    by_patient: dict[int, set[int]] = {}
    for recording in plan(40, 0, SEED):
        for eeg in recording.eegs:
            by_patient.setdefault(recording.patient_id, set()).update(map(argmax, eeg.mixtures))
    assert len(by_patient) == 40 and set.union(*by_patient.values()) == set(range(6))
    assert sum(len(kinds) <= 2 for kinds in by_patient.values()) >= 28


def test_every_window_has_a_mixture_votes_and_an_id_and_eegs_do_not_overlap(recordings):
    for recording in recordings:
        for eeg in recording.eegs:
            assert len(eeg.offsets_s) == len(eeg.mixtures) == len(eeg.votes) == len(eeg.label_ids)
            assert eeg.offsets_s[0] == 0 and eeg.length_s <= 290
        for before, after in zip(recording.eegs[:-1], recording.eegs[1:]):
            assert after.start_s >= before.start_s + before.length_s


def test_training_recordings_depend_neither_on_the_number_of_test_records_nor_on_later_patients():
    def described(recordings, count):
        return [(r.spectrogram_id, r.patient_id, r.eegs, r.episodes) for r in recordings if r.split == "train"][:count]

    few = described(plan(4, 1, SEED), None)
    assert few == described(plan(4, 30, SEED), None) == described(plan(9, 0, SEED), len(few))


def test_another_seed_gives_other_ids():
    (one,), (other,) = plan(0, 1, 3), plan(0, 1, 4)
    assert one.eegs[0].eeg_id != other.eegs[0].eeg_id


def test_a_train_split_alone_has_no_test_recordings():
    assert {r.split for r in plan(1, 0, 1)} == {"train"}


# The story


def test_episodes_lie_within_the_recording_and_do_not_overlap(recordings):
    for recording in recordings:
        ordered = sorted(recording.episodes, key=lambda e: e.start_s)
        assert ordered[0].start_s >= 0 and ordered[-1].stop_s <= recording.length_s
        assert all(a.stop_s <= b.start_s + 1e-9 for a, b in zip(ordered[:-1], ordered[1:]))
        assert all(e.stop_s > e.start_s and abs(sum(e.mixture) - 1) < 1e-9 for e in ordered)


def test_the_labelled_moment_of_every_window_holds_what_its_panel_judged(recordings):
    for recording in recordings[:1500]:
        for eeg in recording.eegs:
            for offset, mixture in zip(eeg.offsets_s, eeg.mixtures):
                assert episode_at(recording, eeg.start_s + offset + MIDDLE_S).mixture == mixture


def test_where_nothing_changes_the_whole_labelled_stretch_is_inside_one_episode(recordings):
    unchanged = [(r, eeg) for r in recordings[:1500] for eeg in r.eegs if len(set(eeg.mixtures)) == 1]
    assert any(len(eeg.offsets_s) > 1 for _, eeg in unchanged)
    for recording, eeg in unchanged:
        first = eeg.start_s + MIDDLE_S - LABEL_S / 2
        assert episode_at(recording, first).stop_s >= first + eeg.offsets_s[-1] + LABEL_S


def test_seizures_mostly_begin_and_end_within_the_recording_and_are_labelled_anywhere_within(recordings):
    inside, place, others, lengths = [], [], [], []
    for recording in single_window(recordings, "seizure"):
        main = recording.episodes[0]
        inside.append(main.start_s > 0 and main.stop_s < recording.length_s)
        others.append(sum(argmax(e.mixture) == 0 for e in recording.episodes) > 1)
        if inside[-1]:
            place.append((MIDDLE_S - main.start_s) / (main.stop_s - main.start_s))
            lengths.append(main.stop_s - main.start_s)
    assert len(inside) > 30 and 0.75 < np.mean(inside) < 0.98
    assert np.min(place) < 0.3 and np.max(place) > 0.7 and 0.4 < np.mean(place) < 0.6
    assert 0.1 < np.mean(others) < 0.6 and 40 < np.median(lengths) < 110


@pytest.mark.parametrize(("kind", "low", "high"), [("lpd", 0.45, 0.8), ("gpd", 0.35, 0.7), ("lrda", 0.05, 0.35)])
def test_periodic_patterns_are_more_often_continuous_than_rhythmic_ones(recordings, kind, low, high):
    continuous = [r.episodes[0].stop_s - r.episodes[0].start_s > 590 for r in single_window(recordings, kind)]
    assert len(continuous) > 20 and low < np.mean(continuous) < high


@pytest.mark.parametrize(("kind", "companion"), [("seizure", "lpd"), ("gpd", "grda"), ("lrda", "lpd")])
def test_patterns_have_their_companions_elsewhere_in_some_recordings(recordings, kind, companion):
    number = hms.CLASSES.index(companion)
    found = [any(argmax(e.mixture) == number for e in r.episodes[1:]) for r in single_window(recordings, kind)]
    assert len(found) > 20
    assert 0.15 < np.mean(found) < 0.65


def test_a_recording_of_class_other_has_now_and_then_a_brief_pattern_far_from_the_labelled_moment(recordings):
    found = []
    for recording in single_window(recordings, "other"):
        found.append(len(recording.episodes) > 1)
        for episode in recording.episodes[1:]:
            assert episode.stop_s - episode.start_s <= 25
            assert min(abs(episode.start_s - MIDDLE_S), abs(episode.stop_s - MIDDLE_S)) > LABEL_MARGIN_S
    assert len(found) > 100
    assert 0.2 < np.mean(found) < 0.4


def argmax(mixture) -> int:
    return int(np.argmax(mixture))


def main_class(recording: Recording) -> str:
    return hms.CLASSES[argmax(recording.eegs[0].mixtures[0])]


def episode_at(recording: Recording, at_s: float):
    (found,) = {e for e in recording.episodes if e.start_s <= at_s < e.stop_s}
    return found


def single_window(recordings: list[Recording], kind: str) -> list[Recording]:
    """Recordings of one labelled window of a class: their story is told over the whole file."""
    one = (r for r in recordings if len(r.eegs) == 1 and len(r.eegs[0].offsets_s) == 1)
    return [recording for recording in one if main_class(recording) == kind]


def test_single_patients_have_one_eeg_each_of_their_main_class():
    recordings = plan(60, 0, SEED, single=True)
    assert len({recording.patient_id for recording in recordings}) == len(recordings) == 60
    assert {len(recording.eegs) for recording in recordings} == {1}
    assert max(len(recording.eegs[0].offsets_s) for recording in recordings) > 1  # but several labelled windows
