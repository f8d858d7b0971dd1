"""Variables, a file of Keras's and warnings made errors: answers stay the same, or a line says what was there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import package_folder

OF_KERAS = """
import sys
from hbac.network.quiet import import_keras
keras = import_keras()
print(keras.config.backend(), keras.config.floatx(), keras.config.image_data_format(), keras.config.epsilon())
"""


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": package_folder(), **variables}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


def settled(**variables: str) -> tuple[str, set[str]]:
    """The line that `settle` says, and what is left of the variables."""
    code = "import json, os; from hbac.machine.environment import settle; settle(); settle(); print(json.dumps([*os.environ]))"
    done = python(code, **variables)
    assert done.returncode == 0, done.stderr
    return done.stderr, set(json.loads(done.stdout)) & variables.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KERAS_BACKEND", "jax"),
        ("KERAS_BACKEND", "torch"),
        ("KERAS_MAX_EPOCHS", "1"),
        ("KERAS_MAX_STEPS_PER_EPOCH", "1"),
        ("TF_USE_LEGACY_KERAS", "1"),
        ("TF_ENABLE_ONEDNN_OPTS", "0"),
        ("TF_XLA_FLAGS", "--tf_xla_auto_jit=2"),
        ("TF_SET_ONEDNN_FPMATH_MODE", "BF16"),
        ("TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LEVEL", "TREAT_INFER_AS_DENY"),
        ("XLA_FLAGS", "--xla_cpu_enable_fast_math"),
        ("NVIDIA_TF32_OVERRIDE", "1"),
        ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16"),
        ("ONEDNN_MAX_CPU_ISA", "SSE41"),
        ("OV_CPU_MAX_ISA", "SSE42"),
        ("NPY_DISABLE_CPU_FEATURES", "AVX2"),
        ("OPENBLAS_CORETYPE", "Prescott"),
    ],
)
def test_what_would_change_answers_is_taken_away_and_named_once(name: str, value: str) -> None:
    said, left = settled(**{name: value})
    assert said == f"hbac: not used, as answers could change: {name}={value} of the environment\n"
    assert left == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KERAS_BACKEND", "tensorflow"),
        ("TF_ENABLE_ONEDNN_OPTS", "1"),
        ("TF_CPP_MIN_LOG_LEVEL", "3"),
        ("TF_NUM_INTRAOP_THREADS", "7"),
        ("TF_FORCE_GPU_ALLOW_GROWTH", "true"),
        ("TF_CLI_CONFIG_FILE", "/etc/terraformrc"),  # of Terraform
        ("XLA_FLAGS", "--xla_gpu_cuda_data_dir=/usr/lib/cuda"),
        ("OMP_NUM_THREADS", "3"),
        ("OPENBLAS_NUM_THREADS", "3"),
        ("CUDA_VISIBLE_DEVICES", "0"),
    ],
)
def test_what_changes_no_answer_stays(name: str, value: str) -> None:
    assert settled(**{name: value}) == ("", {name})


def test_what_has_been_read_already_is_said() -> None:
    code = "import numpy; from hbac.machine.environment import settle; settle(); settle()"
    said = python(code, OPENBLAS_CORETYPE="Haswell").stderr
    assert said == "hbac: read before hbac was called, answers may differ: OPENBLAS_CORETYPE=Haswell\n"


def test_warnings_made_errors_are_warnings_again() -> None:
    code = "import sys, warnings; from hbac.machine.environment import settle; settle(); warnings.warn('old', DeprecationWarning); print(sys.warnoptions)"
    done = python(code, PYTHONWARNINGS="error,ignore::UserWarning")
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", ""])
def test_keras_computes_with_tensorflow_and_by_its_defaults(backend: str, tmp_path: Path) -> None:
    config = {"floatx": "float16", "epsilon": 1e-3, "backend": "torch", "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(config))
    done = python(OF_KERAS, KERAS_BACKEND=backend, KERAS_HOME=str(tmp_path))
    assert done.stdout == "tensorflow float32 channels_last 1e-07\n", done.stderr


@pytest.mark.slow
def test_a_keras_that_was_imported_before_with_other_settings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": "float16", "image_data_format": "channels_first"}))
    done = python("import keras\n" + OF_KERAS, KERAS_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "MachineError: keras: expected floatx float32, image_data_format channels_last, received floatx float16" in (
        done.stderr
    )


NOTES = {
    "a variable": "from hbac.machine.environment import settle; settle()",
    "an engine": """
from hbac.errors import MachineError
from hbac.network import engine
engine.candidates = lambda name: ("openvino", "tensorflow")
def make(name):
    if name == "openvino":
        raise MachineError("too old")
    return name
assert engine.first_that_works("auto", make) == "tensorflow"
""",
}


@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize("note", NOTES)
def test_a_note_that_nobody_can_read_costs_a_caller_nothing(note: str, stream: str) -> None:
    """A caller from Python has its own streams, not those of the command line."""
    words = ["bash", "-c", f'"$0" -c "$1" {stream}', sys.executable, f"{NOTES[note]}\nprint('done')"]
    environment = {**os.environ, "PYTHONPATH": package_folder(), "KERAS_BACKEND": "jax"}
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n")
