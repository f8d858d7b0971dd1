"""What every contender gets: the same simulated records, the same five full-width folds, the same images."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from peers import FOLDER, ROOT

sys.path.insert(0, str(ROOT / "tests"))  # for helpers_folds

from hbac.hms import VOTE_COLUMNS
from hbac.preprocessing.load import load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.tables import read_test_table
from hbac.simulation.dataset import simulate
from hbac.weights.manifest import MANIFEST_NAME

FOLDS, WIDTH = 5, 64
RECORDS, SEED = 24, 3
DEMO = ROOT / MANIFEST_NAME


def full_width_folds() -> Path:
    """Manifest of five random ResNet50 folds, each counting the same; beside it `keras/`, the same as .keras files."""
    folder = FOLDER / "folds"
    if (folder / "made").exists():
        return folder / MANIFEST_NAME
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "keras").mkdir(parents=True)
    code = "import sys, pathlib, helpers_folds as h; n = int(sys.argv[3]); h.write_random_folds(pathlib.Path(sys.argv[1]), width=int(sys.argv[2]), folds=n, weights=(1.0,) * n)"
    arguments = [str(folder), str(WIDTH), str(FOLDS)]
    subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, env=environment(ROOT / "tests")
    )  # its memory ends with it
    for fold in range(FOLDS):
        names = (str(folder / MANIFEST_NAME), str(folder / "keras" / f"fold{fold}.keras"), "--fold", str(fold))
        subprocess.run([*HBAC, "weights", "export", *names], check=True, capture_output=True, env=environment())
    (folder / "made").touch()
    return folder / MANIFEST_NAME


HBAC = [sys.executable, "-m", "hbac"]


def environment(*folders: Path) -> dict[str, str]:
    """For a process of ours: the package, and some folders more, on its path."""
    path = os.pathsep.join(map(str, (ROOT / "wheel_src", *folders)))
    return {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"}


def test_folder(count: int) -> Path:
    """A test folder of so many records: simulated ones, and links to them under other ids."""
    real = FOLDER / f"records_seed{SEED}"
    if not (real / "made").exists():
        shutil.rmtree(real, ignore_errors=True)
        simulate(real, patients=0, seed=SEED, test_records=RECORDS, progress=False)
        (real / "made").touch()
    folder = FOLDER / f"records_{count}"
    if not (folder / "test.csv").exists():
        _link(pd.read_csv(real / "test.csv"), real, folder, count)
    return folder


def _link(table: pd.DataFrame, real: Path, folder: Path, count: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for kind in ("eeg", "spectrogram"):
        (folder / f"test_{kind}s").mkdir(parents=True)
    rows = []
    for number in range(count):
        source = table.iloc[number % len(table)]
        own = {"spectrogram_id": 1_000_000 + number, "eeg_id": 2_000_000 + number, "patient_id": source["patient_id"]}
        for kind in ("eeg", "spectrogram"):
            name = Path(f"test_{kind}s") / f"{source[f'{kind}_id']}.parquet"
            (folder / f"test_{kind}s" / f"{own[f'{kind}_id']}.parquet").symlink_to(Path("..") / ".." / real.name / name)
        rows.append(own)
    template = pd.DataFrame({"eeg_id": [row["eeg_id"] for row in rows], **dict.fromkeys(VOTE_COLUMNS, 1 / 6)})
    template.to_csv(folder / "sample_submission.csv", index=False)
    pd.DataFrame(rows).to_csv(folder / "test.csv", index=False)


def images() -> Path:
    """The simulated records as the network sees them, (24, 400, 300, 3) float32 in one .npy file."""
    path = FOLDER / f"images_{PRESETS[THREE_ZOOMS].digest()[:12]}.npy"
    if not path.exists():
        loaded = [load_record(record, PRESETS[THREE_ZOOMS]) for record in read_test_table(test_folder(RECORDS))]
        np.save(path, np.stack([one.image for one in loaded]))  # type: ignore[misc]
    return path


def report_of(output: Path) -> dict:
    """The report that a run has written beside its submission."""
    return json.loads(output.with_name(f"{output.stem}_report.json").read_text())
