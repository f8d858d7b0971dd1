"""The competition's facts against its own files."""

import csv

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers_signals import SAMPLE, VOTES, mirror_name, needs_sample, needs_votes, real_pairs

from hbac import hms


def header(path) -> tuple[str, ...]:
    with open(path, newline="") as file:
        return tuple(next(csv.reader(file)))


@needs_sample
@real_pairs
def test_eeg_columns_are_those_of_the_real_files(split, eeg_id, spectrogram_id):
    schema = pq.read_schema(SAMPLE / hms.eeg_folder(split) / f"{eeg_id}.parquet")
    assert tuple(schema.names) == hms.EEG_COLUMNS
    assert {str(kind) for kind in schema.types} == {"float"}


@needs_sample
@real_pairs
def test_spectrogram_columns_are_those_of_the_real_files(split, eeg_id, spectrogram_id):
    schema = pq.read_schema(SAMPLE / hms.spectrogram_folder(split) / f"{spectrogram_id}.parquet")
    assert tuple(schema.names) == ("time", *hms.SPECTROGRAM_COLUMNS)
    assert str(schema.types[0]) == {"train": "int64", "test": "int16"}[split]


@needs_sample
@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (hms.TEST_TABLE, hms.TEST_COLUMNS),
        (hms.TRAIN_TABLE, hms.TRAIN_COLUMNS),
        (hms.SAMPLE_SUBMISSION, hms.SUBMISSION_COLUMNS),
    ],
)
def test_tables_have_the_columns_of_the_real_ones(name, columns):
    assert header(SAMPLE / name) == columns


@needs_votes
def test_the_class_with_most_votes_is_what_the_consensus_calls_it():
    table = pd.read_csv(VOTES)
    votes = table[list(hms.VOTE_COLUMNS)].to_numpy()
    unique = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    named = np.array(hms.CONSENSUS_NAMES)[votes.argmax(axis=1)]
    assert set(table["expert_consensus"]) == set(hms.CONSENSUS_NAMES)
    assert (named == table["expert_consensus"].to_numpy())[unique].all()
    assert unique.sum() > 30_000


@needs_votes
def test_the_mean_vote_is_that_of_the_published_rows():
    """The file holds 40 % of the EEGs, so the mean over it is within 0.015 of the mean over all."""
    table = pd.read_csv(VOTES)
    votes = table[list(hms.VOTE_COLUMNS)]
    many = votes.sum(axis=1) >= 10
    shares = votes[many].div(votes[many].sum(axis=1), axis=0)
    mean = shares.groupby(table["eeg_id"][many]).mean().mean().to_numpy()
    np.testing.assert_allclose(hms.MEAN_VOTE, mean, atol=0.015)


def test_the_mean_vote_is_a_distribution_over_the_classes():
    assert len(hms.MEAN_VOTE) == len(hms.CLASSES) == 6
    assert sum(hms.MEAN_VOTE) == pytest.approx(1, abs=1e-12)


def test_vote_columns_are_in_the_order_of_the_submission():
    assert hms.VOTE_COLUMNS == ("seizure_vote", "lpd_vote", "gpd_vote", "lrda_vote", "grda_vote", "other_vote")
    assert ("eeg_id", *hms.VOTE_COLUMNS) == hms.SUBMISSION_COLUMNS


def test_the_nineteen_electrodes_are_the_channels_without_the_ekg():
    assert len(hms.ELECTRODES) == 19
    assert set(hms.EEG_COLUMNS) - set(hms.ELECTRODES) == {"EKG"}


def test_pairs_are_the_neighbours_of_each_chain_from_front_to_back():
    expected = """Fp1-F7 F7-T3 T3-T5 T5-O1  Fp2-F8 F8-T4 T4-T6 T6-O2
                  Fp1-F3 F3-C3 C3-P3 P3-O1  Fp2-F4 F4-C4 C4-P4 P4-O2"""
    assert ["-".join(pair) for pair in hms.PAIRS] == expected.split()
    assert hms.PAIRS_PER_CHAIN == 4


def test_right_chains_mirror_the_left_ones():
    for left, right in (("LL", "RL"), ("LP", "RP")):
        assert hms.CHAINS[right] == tuple(mirror_name(name) for name in hms.CHAINS[left])


def test_frequencies_are_bins_3_to_102_of_a_transform_of_1024():
    np.testing.assert_allclose(hms.SPECTROGRAM_FREQUENCIES_HZ, np.fft.rfftfreq(1024, 1 / 200)[3:103], rtol=1e-12)


def test_column_names_hold_the_chain_and_the_frequency_to_two_decimals():
    names = [name.split("_") for name in hms.SPECTROGRAM_COLUMNS]
    assert [chain for chain, _ in names] == [chain for chain in ("LL", "RL", "LP", "RP") for _ in range(100)]
    hz = np.array([float(text) for _, text in names]).reshape(4, 100)
    assert np.abs(hz - hms.SPECTROGRAM_FREQUENCIES_HZ).max() <= 0.005 + 1e-9
    assert hms.SPECTROGRAM_COLUMNS[0] == "LL_0.59"
    assert hms.SPECTROGRAM_COLUMNS[-1] == "RP_19.92"


def test_both_windows_share_their_middle():
    assert hms.EEG_START_IN_SPECTROGRAM_S + hms.EEG_WINDOW_S / 2 == hms.SPECTROGRAM_WINDOW_S / 2 == 300
    assert (hms.EEG_WINDOW, hms.SPECTROGRAM_ROWS) == (10_000, 300)


def test_folders_are_named_after_the_split():
    assert [hms.eeg_folder("test"), hms.spectrogram_folder("train")] == ["test_eegs", "train_spectrograms"]
