"""What a type checker knows of the public names, as a user's own strict run sees them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import package_folder

RIGHT = """
from pathlib import Path

import hbac

summary = hbac.predict(hbac.RunSettings(test_dir=Path("d"), manifest=Path("m.json"), flip_tta=True))
rows: int = summary.rows
preset: str = hbac.PRESETS["starter-v1"].preset
"""
WRONG = {
    "an unknown argument": ("hbac.predict(1, nonsense=True)", 'Unexpected keyword argument "nonsense"'),
    "a wrong type": ('hbac.RunSettings(test_dir="d", manifest=Path("m"))', 'incompatible type "str"; expected "Path"'),
    "an unknown name": ("hbac.no_such_name", 'Module has no attribute "no_such_name"'),
}


def said_by_mypy(folder: Path, text: str) -> str:
    (folder / "use.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--follow-imports=silent"]
    environment = {**os.environ, "MYPYPATH": package_folder()}
    cache = Path(package_folder()).parent / ".mypy_cache" / "users"  # of the second run is a tenth of the first
    done = subprocess.run(
        [*command, f"--cache-dir={cache}", "use.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    return done.stdout


@pytest.mark.slow
def test_a_right_call_passes_and_each_wrong_one_is_named(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    assert said_by_mypy(tmp_path, RIGHT).startswith("Success")
    calls = "\n".join(call for call, _ in WRONG.values())
    said = said_by_mypy(tmp_path, f"from pathlib import Path\n\nimport hbac\n\n{calls}\n")
    assert {what: expected in said for what, (_, expected) in WRONG.items()} == dict.fromkeys(WRONG, True)
