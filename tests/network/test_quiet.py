"""A run says on standard error only what a user can act on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hbac
from hbac.network import quiet

COMPUTE = """
import sys
sys.path.insert(0, {package!r})
import numpy as np
from hbac.network.families import NetworkSettings, shapes
from hbac.network.tensorflow_engine import TensorFlowEngine

settings = NetworkSettings(width=1, input_shape=(32, 32, 3))
engine = TensorFlowEngine(settings)
engine.load([{{name: np.ones(shape, np.float32) for name, shape in shapes(settings).items()}}])
print(engine.logits(0, np.zeros((1, 32, 32, 3), np.float32)).shape)
"""


def computed(level: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != quiet.LEVEL}
    code = COMPUTE.format(package=str(Path(hbac.__file__).parents[1]))
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **({quiet.LEVEL: level} if level else {})},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.slow
def test_tensorflow_computes_without_a_line_on_standard_error() -> None:
    done = computed(None)
    assert done.stdout == "(1, 6)\n"
    assert done.stderr == ""


@pytest.mark.slow
def test_who_asks_for_everything_gets_it() -> None:
    assert "oneDNN" in computed("0").stderr or "CPU" in computed("0").stderr


@pytest.mark.parametrize("level", ["", "-1", "4", "all"])
def test_a_level_that_is_none_changes_nothing(level: str, tmp_path: Path) -> None:
    assert not quiet._tell_abseil(tmp_path, level)


@pytest.mark.parametrize(
    "content", [b"no such function", b"_ZN4absl12lts_2025012714SetMinLogLevelENS0_18LogSeverityAtLeastE"]
)
def test_a_library_without_the_function_changes_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "libtensorflow_framework.so.2").write_bytes(content)
    assert not quiet._tell_abseil(tmp_path, "2")


def test_a_folder_without_the_library_changes_nothing(tmp_path: Path) -> None:
    assert not quiet._tell_abseil(tmp_path, "2")
