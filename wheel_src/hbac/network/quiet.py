"""TensorFlow and Keras imported without lines on standard error that a user cannot act on.

TensorFlow has two logs. Its own reads TF_CPP_MIN_LOG_LEVEL once, when TensorFlow is imported. Newer parts of it write to
Abseil's log, which reads no variable ("WARNING: All log messages before absl::InitializeLog() is called are written to
STDERR") and is told the same level here. Errors are shown as ever.
"""

import ctypes
import logging
import mmap
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hbac.errors import MachineError
from hbac.machine.environment import as_keras_comes, check_keras, settle
from hbac.machine.packages import need

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # 0 everything, 1 no information, 2 no warnings, 3 no errors
ONLY_ERRORS = "2"
RETRACING = "triggered tf.function retracing"
# void absl::SetMinLogLevel(absl::LogSeverityAtLeast), whose namespace names Abseil's version
SET_MIN_LOG_LEVEL = re.compile(rb"_ZN4absl(?:\d+lts_\d+)?14SetMinLogLevelENS\d?_18LogSeverityAtLeastE")


def import_tensorflow() -> Any:
    """TensorFlow, which then shows errors only, unless TF_CPP_MIN_LOG_LEVEL says otherwise.

    Raises:
        MachineError: TensorFlow or Keras, which it imports, is not there, does not work, or is told to compute otherwise.
    """
    if "tensorflow" not in sys.modules or "keras" not in sys.modules:
        os.environ.setdefault(LEVEL, ONLY_ERRORS)
        settle()
        with as_keras_comes():
            _need_both()
    check_keras()
    import tensorflow as tf

    _tell_abseil(Path(tf.sysconfig.get_lib()), os.environ.get(LEVEL, ONLY_ERRORS))
    tf.get_logger().addFilter(_is_of_use)
    return tf


def _need_both() -> None:
    try:
        need("tensorflow", "keras")
    except MachineError as error:
        if sys.flags.optimize < 2:
            raise
        raise MachineError(
            "expected Python with docstrings, which TensorFlow reads, received -OO; -O will do"
        ) from error


def import_keras() -> Any:
    """Keras, which computes with TensorFlow; imported as `import_tensorflow` does.

    Raises:
        MachineError: as there.
    """
    import_tensorflow()
    import keras

    return keras


def _is_of_use(record: logging.LogRecord) -> bool:
    """False for TensorFlow's guess that functions are traced too often: each network of a run is traced once a shape."""
    return RETRACING not in record.getMessage()


def _tell_abseil(folder: Path, level: str) -> bool:
    """Whether Abseil took the level; where TensorFlow's library does not show the function, its lines stay."""
    if level not in ("0", "1", "2", "3"):
        return False
    for library, name in _functions(folder):
        try:
            function = getattr(ctypes.CDLL(str(library)), name)
        except (OSError, AttributeError):
            continue
        function.argtypes, function.restype = [ctypes.c_int], None
        function(int(level))
        return True
    return False


def _functions(folder: Path) -> Iterator[tuple[Path, str]]:
    """Libraries of TensorFlow that may export the function, and its name in each."""
    for library in folder.glob("libtensorflow_framework.*"):
        if found := _search(library):
            yield library, found.decode()


def _search(library: Path) -> bytes | None:
    """The function's name in a library; None too where a file system cannot map it: its lines stay then."""
    try:
        with open(library, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = SET_MIN_LOG_LEVEL.search(content)
            return found[0] if found else None
    except (OSError, ValueError):
        return None
