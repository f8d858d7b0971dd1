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


@pytest.mark.slow
def test_a_right_call_passes_and_each_wrong_one_is_named(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    calls = "\n".join(call for call, _ in WRONG.values())
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(f"from pathlib import Path\n\nimport hbac\n\n{calls}\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--follow-imports=silent"]
    command += ["--no-site-packages"]  # NumPy's types and those of pandas take most of a minute, and no part in this
    environment = {**os.environ, "MYPYPATH": package_folder()}
    cache = Path(package_folder()).parent / ".mypy_cache" / "users"  # a second run takes a tenth of the first
    done = subprocess.run(
        [*command, f"--cache-dir={cache}", "right.py", "wrong.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "right.py" not in done.stdout
    assert {what: said in done.stdout for what, (_, said) in WRONG.items()} == dict.fromkeys(WRONG, True)
    assert "(checked 2 source files)" in done.stdout
