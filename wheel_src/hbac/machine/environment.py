"""What a process inherits and must not change an answer: variables, a file of Keras's, warnings made errors.

A variable of a library that computes is taken away, and named on standard error, unless it leaves the answers as they
are: counts of threads, logs, memory of GPUs.
"""

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Final

from hbac.errors import MachineError
from hbac.streams import say

READERS: Final = {  # variables by a pattern, and the module that reads them when it is imported, or later
    r"KERAS_\w+": "keras",
    r"TF_(ENABLED?|DISABLE|SET|USE|XLA|AUTO_MIXED|CONV2D|FP16|ONEDNN|MKL|MATMUL|CUDNN|JITRT|OVERRIDE|QUANT)_\w+": "tensorflow",
    r"XLA_FLAGS|NVIDIA_TF32_OVERRIDE|(ONEDNN|DNNL)_(?!VERBOSE)\w+": "tensorflow",
    r"OV_(CPU|ENABLE)_\w+": "openvino",
    r"NPY_\w+|OPENBLAS_(?!NUM_THREADS|VERBOSE)\w+": "numpy",
}
DEFAULTS: Final = {  # values that say what happens anyway
    "KERAS_BACKEND": ("", "tensorflow"),
    "TF_ENABLE_ONEDNN_OPTS": ("", "1", "true", "True"),
    "TF_USE_LEGACY_KERAS": ("", "0", "false", "False"),
    "TF_CUDNN_DETERMINISTIC": ("1", "true"),
}
HARMLESS_XLA: Final = re.compile(r"(\s*--xla_gpu_cuda_data_dir=\S+\s*)*")
NO_FOLDER: Final = os.path.join(os.devnull, "keras")  # Keras neither finds a file there nor writes one
OF_KERAS: Final = {"backend": "tensorflow", "floatx": "float32", "image_data_format": "channels_last", "epsilon": 1e-7}


def settle() -> None:
    """Take away what this process has inherited and what would change its answers; a line on what that was.

    To be called before NumPy and TensorFlow are imported. What a library has read already is said, and stays.
    """
    _allow_warnings()
    late = {name: value for name, value in _that_matter() if _reader(name) in sys.modules}
    taken = {name: os.environ.pop(name) for name, _ in list(_that_matter()) if name not in late}
    if taken:
        say(f"hbac: not used, as answers could change: {_listed(taken)} of the environment", sys.stderr)
    if late and not named.keys() >= late.keys():
        say(f"hbac: read before hbac was called, answers may differ: {_listed(late)}", sys.stderr)
    named.update(taken | late)


named: Final[dict[str, str]] = {}  # variables that a line has named, and their values


@contextlib.contextmanager
def as_keras_comes() -> Iterator[None]:
    """Keras imported inside computes with TensorFlow, and by its own defaults: no file of the user's is read."""
    before = {name: os.environ.get(name) for name in ("KERAS_BACKEND", "KERAS_HOME")}
    os.environ.update(KERAS_BACKEND="tensorflow", KERAS_HOME=NO_FOLDER)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def check_keras() -> None:
    """Refuse a Keras that was imported before, and told to compute otherwise.

    Raises:
        MachineError: it has another backend, float type, order of axes or epsilon.
    """
    from keras import config

    received = {name: getattr(config, name)() for name in OF_KERAS}
    if differing := [name for name, value in OF_KERAS.items() if received[name] != value]:
        raise MachineError(
            f"keras: expected {_pairs(OF_KERAS, differing)}, received {_pairs(received, differing)}, imported before "
            "hbac was called; KERAS_BACKEND, keras.json or a call of keras.config has set it"
        )


def _that_matter() -> Iterator[tuple[str, str]]:
    for name, value in sorted(os.environ.items()):
        if not _reader(name) or value in DEFAULTS.get(name, ()):
            continue
        if name == "KERAS_HOME" or (name == "XLA_FLAGS" and HARMLESS_XLA.fullmatch(value)):
            continue  # the one is replaced while Keras is imported, see `as_keras_comes`
        yield name, value


def _reader(name: str) -> str:
    return next((module for pattern, module in READERS.items() if re.fullmatch(pattern, name)), "")


def _listed(variables: dict[str, str]) -> str:
    return ", ".join(f"{name}={value[:40]}" for name, value in variables.items())


def _pairs(values: dict[str, object], names: list[str]) -> str:
    return ", ".join(f"{name} {values[name]}" for name in names)


def _allow_warnings() -> None:
    """Warnings of packages are no errors: Python's own filters, where PYTHONWARNINGS or -W made errors of them."""
    if not any(option.split(":")[0].startswith("error") for option in sys.warnoptions):
        return
    sys.warnoptions.clear()  # processes that are started get none either
    os.environ.pop("PYTHONWARNINGS", None)
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
