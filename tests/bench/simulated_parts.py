"""The folds on simulated test records, whole and in part: PYTHONPATH=wheel_src python tests/bench/simulated_parts.py DIR

DIR is the output of `hbac simulate`, whose test split is answered by default: from both files, from the EEG alone, from
the spectrogram alone, and from the middle 10 s of the EEG alone. Printed are the KL divergence, its ratio to that of
the manifest's class prior, the mean answer beside the mean vote, and the AUROC of each class against the rest.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from hbac import hms
from hbac.ensemble.calibrated import Ensemble
from hbac.network.engine import make_engine
from hbac.preprocessing.load import BOTH, EEG, SPECTROGRAM, image_of_eeg, load_record
from hbac.records.parquet import read_eeg
from hbac.records.record import EegFile, Record
from hbac.records.tables import read_test_table
from hbac.simulation.dataset import ANSWERS_TABLE
from hbac.training.metrics import kl_divergence
from hbac.weights.manifest import read_manifest

CLIP = 10 * hms.EEG_RATE_HZ
PARTS = {"both files": BOTH, "EEG alone": (EEG,), "spectrogram alone": (SPECTROGRAM,), "10 s alone": None}


def image_of(record: Record, part: tuple[str, ...] | None, preset) -> np.ndarray:
    if part is not None:
        return load_record(record, preset, part).image
    uv = read_eeg(record.eeg_path).uv
    first = (len(uv) - CLIP) // 2
    return image_of_eeg(EegFile(uv[first : first + CLIP]), None, preset)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--manifest", type=Path, default=Path("weights_manifest.json"))
    parser.add_argument("--records", type=int, help="the first so many [all]")
    options = parser.parse_args()
    manifest = read_manifest(options.manifest)
    ensemble = Ensemble(manifest, make_engine("auto", manifest.network, None))
    records = read_test_table(options.folder)[: options.records]
    table = pd.read_csv(options.folder / ANSWERS_TABLE).set_index(hms.ID_COLUMN)
    votes = table.loc[[record.eeg_id for record in records], list(hms.VOTE_COLUMNS)].to_numpy(np.float64)
    prior = np.broadcast_to(manifest.class_prior, votes.shape)
    of_prior = kl_divergence(votes, prior).mean()
    print(f"{len(records)} records; KL of the class prior {of_prior:.3f}; classes {' '.join(hms.CLASSES)}")
    print(f"{'mean vote':18} {votes.mean(axis=0).round(3)}")
    for name, part in PARTS.items():
        images = (image_of(record, part, manifest.preprocessing) for record in records)
        answers = np.concatenate([ensemble.predict(image[None]) for image in images])
        kl = kl_divergence(votes, answers)
        areas = [roc_auc_score(votes.argmax(axis=1) == c, answers[:, c]) for c in range(len(hms.CLASSES))]
        print(
            f"{name:18} KL {kl.mean():.3f} +- {kl.std() / len(kl) ** 0.5:.3f}, {kl.mean() / of_prior:.3f} of the prior's; "
            f"mean answer {answers.mean(axis=0).round(3)}; AUROC {np.round(areas, 3)}"
        )


if __name__ == "__main__":
    main()
