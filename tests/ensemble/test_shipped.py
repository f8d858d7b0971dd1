"""The folds that ship answer, by default, for the competition's mix of classes: shown on simulated records."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from hbac import hms
from hbac.ensemble.calibrated import Ensemble
from hbac.ensemble.prior import for_prior
from hbac.network.engine import make_engine
from hbac.preprocessing.load import load_record
from hbac.records.tables import read_test_table
from hbac.simulation.dataset import ANSWERS_TABLE, simulate
from hbac.training.metrics import kl_divergence
from hbac.weights.manifest import read_manifest

RECORDS = 60


@pytest.mark.slow
def test_default_answers_are_for_the_mix_of_the_competition(tmp_path: Path) -> None:
    simulate(tmp_path / "data", 0, 21, RECORDS, progress=False, eeg_alone=True)
    records = read_test_table(tmp_path / "data")
    table = pd.read_csv(tmp_path / "data" / ANSWERS_TABLE).set_index(hms.ID_COLUMN)
    votes = table.loc[[record.eeg_id for record in records], list(hms.VOTE_COLUMNS)].to_numpy(np.float64)
    manifest = read_manifest(ROOT / "weights_manifest.json")
    assert np.abs(np.array(manifest.training_prior) - hms.MEAN_VOTE).max() < 0.02
    ensemble = Ensemble(manifest, make_engine("auto", manifest.network, None))
    images = [load_record(record, manifest.preprocessing).image for record in records]
    answers = np.concatenate([ensemble.predict(image[None]) for image in images])
    even = for_prior(answers, np.array(manifest.training_prior), np.full(6, 1 / 6))
    by_default, without_prior, of_prior = (
        kl_divergence(votes, said).mean() for said in (answers, even, np.broadcast_to(hms.MEAN_VOTE, votes.shape))
    )
    assert by_default < without_prior
    assert by_default < 0.7 * of_prior
    assert np.abs(answers.mean(axis=0) - votes.mean(axis=0)).max() < 0.15
