"""Which changes of data and options make a training run another one, one by one."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from hbac.errors import InputError
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import MirroringSettings
from hbac.training.options import TrainOptions
from hbac.training.rows import read_rows
from hbac.training.run import claim_output
from hbac.training.state import FoldFiles, Progress, write_state


@pytest.fixture
def options(simulated: Path, tmp_path: Path) -> TrainOptions:
    """A run with the state of a fold in its folder."""
    (tmp_path / "data").mkdir()
    shutil.copy(simulated / "train.csv", tmp_path / "data")
    (tmp_path / "start.safetensors").write_bytes(b"start")
    options = TrainOptions(
        tmp_path / "data", tmp_path / "out", width=8, fold_count=2, imagenet=tmp_path / "start.safetensors"
    )
    claim_output(options, read_rows(options.data))
    write_state(FoldFiles.named(options.output, "fold0").state, Progress(), {})
    return replace(options, resume=True)


def claim(options: TrainOptions) -> None:
    claim_output(options, read_rows(options.data, options.windows_per_group))


def test_the_same_run_is_taken_up_on_another_machine(options: TrainOptions) -> None:
    claim(replace(options, workers=5, precision="mixed_float16", time_budget_s=60.0, folds=(1,), title="another"))


def votes(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(gpd_vote=table["gpd_vote"] + 1)


def patients(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(patient_id=table["patient_id"].iloc[::-1].to_numpy())


TABLES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "votes": votes,
    "patients": patients,
    "order": lambda table: table.iloc[::-1],
    "fewer": lambda table: table.iloc[1:],
    "windows": lambda table: table.assign(eeg_label_offset_seconds=table["eeg_label_offset_seconds"] + 2),
    "spectrograms": lambda table: table.assign(spectrogram_id=table["spectrogram_id"] + 1),
}


@pytest.mark.parametrize("name", TABLES)
def test_other_rows_are_another_run(name: str, options: TrainOptions) -> None:
    path = options.data / "train.csv"
    TABLES[name](pd.read_csv(path)).to_csv(path, index=False)
    with pytest.raises(InputError, match="received one with another rows"):
        claim(options)


OPTIONS = {
    "fold_count": (3, "fold count"),
    "seed": (1, "seed"),
    "width": (16, "network"),
    "dropout": (0.5, "network"),
    "epochs": ((1, 1), "stages"),
    "learning_rates": ((1e-3, 1e-4), "stages"),
    "row_steps": ((2, 1), "stages"),
    "scored_votes": (5, "stages"),
    "batch_size": (8, "batch_size"),
    "mixup_alpha": (0.5, "mixup_alpha"),
    "without": (("flip",), "views"),
    "freeze_normalisation": (True, "freeze_normalisation"),
    "windows_per_group": (1, "rows"),
    "preprocessing": ("three-zooms-v1", "preprocessing"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_other_settings_are_another_run(name: str, options: TrainOptions) -> None:
    value, named = OPTIONS[name]
    with pytest.raises(InputError, match=f"received one with another {named}"):
        claim(replace(options, **{name: value}))  # type: ignore[arg-type]


def test_another_start_of_the_same_name_is_another_run(options: TrainOptions) -> None:
    assert options.imagenet
    options.imagenet.write_bytes(b"other")
    with pytest.raises(InputError, match="received one with another start"):
        claim(options)


def test_another_preprocessing_is_another_run(options: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "three-zooms-v2", replace(MirroringSettings(), wave_low_pass_hz=13.0))
    with pytest.raises(InputError, match="received one with another preprocessing"):
        claim(options)
