"""What folds have forgotten by being adapted: simulated records, whose answers are known, before and after."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hbac import hms
from hbac.adaptation.features import Array
from hbac.adaptation.head import Floats
from hbac.preprocessing.load import BOTH, load_record
from hbac.preprocessing.preset import Preset
from hbac.records.csv_files import read_csv
from hbac.records.tables import read_test_table
from hbac.simulation.dataset import ANSWERS_TABLE, simulate

SEED = 24  # the same records each time
TOLERATED = 0.01  # nats that statistics alone may cost


def simulated_records(count: int, preset: Preset, files: Sequence[str] = BOTH) -> tuple[Array, Floats]:
    """Images of some files of so many simulated records, and their shares of votes, all classes alike.

    Raises:
        OutputError: the temporary folder cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="hbac-adapt-") as name:
        folder = Path(name)
        simulate(folder, 0, SEED, test_records=count, progress=False, balanced=True)
        records = read_test_table(folder)
        images = [load_record(record, preset, files).image for record in records]
        table = read_csv(folder / ANSWERS_TABLE).table(hms.SUBMISSION_COLUMNS).set_index(hms.ID_COLUMN)
        votes = table.loc[[record.eeg_id for record in records], list(hms.VOTE_COLUMNS)].to_numpy(np.float64)
    return np.stack([image for image in images if image is not None]), votes
