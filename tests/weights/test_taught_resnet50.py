"""From the notebook's own ResNet50 to a submission: its rows are Keras's own answers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hbac.cli import main
from hbac.hms import MEAN_VOTE, VOTE_COLUMNS
from hbac.inference.submission import check_submission
from hbac.preprocessing.load import load_record
from hbac.preprocessing.presets import PRESETS
from hbac.records.tables import read_test_table

SCRIPT = Path(__file__).parent / "taught_resnet50.py"


@pytest.fixture(scope="module")
def notebook(simulated, tmp_path_factory):
    """A folder with best_model.keras and Keras's answers to the records of the test folder."""
    folder = tmp_path_factory.mktemp("notebook")
    records = read_test_table(simulated)
    images = [load_record(record, PRESETS["three-zooms-v2"]).image for record in records]
    votes = np.random.default_rng(0).dirichlet(MEAN_VOTE, len(images)).astype(np.float32)
    np.savez(folder / "inputs.npz", x=np.stack(images), y=votes)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, SCRIPT, folder / "inputs.npz", folder], env=environment, check=True, timeout=600)
    return folder


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_its_submission_holds_keras_s_own_answers(notebook, simulated, tmp_path, engine, capsys):
    fold, graph = tmp_path / "fold.safetensors", tmp_path / "fold.graph.json"
    assert main(["weights", "import", str(notebook / "best_model.keras"), str(fold)]) == 0
    manifest = ["--preprocessing", "three-zooms-v2", "--output", str(tmp_path / "weights_manifest.json")]
    assert main(["weights", "manifest", str(fold), "--graph", str(graph), *manifest]) == 0
    output = tmp_path / "submission.csv"
    files = ["--manifest", str(tmp_path / "weights_manifest.json"), "--output", str(output)]
    assert main(["predict", "--test-dir", str(simulated), *files, "--engine", engine, "--quiet"]) == 0, (
        capsys.readouterr()
    )
    ids = pd.read_csv(simulated / "test.csv")["eeg_id"].tolist()
    rows = check_submission(output, ids).set_index("eeg_id")
    answers = np.load(notebook / "answers.npy")
    order = [record.eeg_id for record in read_test_table(simulated)]
    np.testing.assert_allclose(rows.loc[order, list(VOTE_COLUMNS)].to_numpy(), answers, atol=1e-5)
    assert np.ptp(answers, axis=0).max() > 1e-4  # records differ


def test_a_graph_that_was_changed_is_refused_by_its_digest(notebook, simulated, tmp_path, capsys):
    fold, graph = tmp_path / "fold.safetensors", tmp_path / "fold.graph.json"
    main(["weights", "import", str(notebook / "best_model.keras"), str(fold)])
    manifest = tmp_path / "weights_manifest.json"
    main(
        [
            "weights",
            "manifest",
            str(fold),
            "--graph",
            str(graph),
            "--preprocessing",
            "three-zooms-v2",
            "--output",
            str(manifest),
        ]
    )
    graph.write_text(graph.read_text().replace('"relu"', '"silu"', 1))
    assert main(["verify", str(manifest)]) == 2
    assert "the graph was changed" in capsys.readouterr().err
    graph.unlink()
    assert main(["verify", str(manifest)]) == 2
    assert "expected the graph of a network, found none" in capsys.readouterr().err


def test_another_preprocessing_and_another_graph_are_refused(notebook, tmp_path, capsys):
    fold, graph = tmp_path / "fold.safetensors", tmp_path / "fold.graph.json"
    main(["weights", "import", str(notebook / "best_model.keras"), str(fold)])
    stated = ["weights", "manifest", str(fold), "--output", str(tmp_path / "weights_manifest.json")]
    assert main([*stated, "--graph", str(graph), "--preprocessing", "raw-v1"]) == 2
    assert "expected inputs of [400, 300, 3], received a preprocessing that makes [2000, 16]" in capsys.readouterr().err
    assert main([*stated, "--preprocessing", "three-zooms-v2"]) == 2  # as if it were ResNet50
    assert "tensors, received" in capsys.readouterr().err
    graph.write_text(graph.read_text().replace('"relu"', '"silu"', 1))
    assert main(["weights", "import", str(notebook / "best_model.keras"), str(fold)]) == 2
    assert "expected the same network as that of a fold imported before" in capsys.readouterr().err
