"""What training needs beside a prediction's packages is told at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, package_folder


@pytest.mark.parametrize(
    "words", [["-m", "hbac", "train"], [str(ROOT / "kernel" / "train.py")], ["-OO", str(ROOT / "kernel" / "train.py")]]
)
@pytest.mark.parametrize(("module", "package"), [("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")])
def test_a_package_that_is_missing_is_named_before_the_first_record(
    words: list[str], module: str, package: str, tmp_path: Path
) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise ImportError('no {module}')")  # stands before the installed one
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), package_folder()])}
    command = [sys.executable, *words, "--data", str(tmp_path), "--output", str(tmp_path / "out"), "--gpus", ""]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 2
    assert done.stderr == (
        f"hbac: error: training: expected {package} (`pip install hbac[train]`), received {package}: no {module}\n"
    )
    assert not (tmp_path / "out").exists()
