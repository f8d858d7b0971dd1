"""Packages that a run needs: whether each can be used is found out before the first record.

To ask is to import: a run asks for what it would import anyway, and what it does not need is never loaded.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from operator import attrgetter
from types import TracebackType
from typing import Any, Final

from hbac.errors import MachineError, one_line

# What a package that is there and does not work raises: a library that is missing, one that was built for another
# NumPy, a descriptor of another protobuf, a file that an unfinished installation cut short.
FAULTS: Final = (
    ImportError,
    AttributeError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    NameError,
    SyntaxError,
    SystemError,
    AssertionError,
    Warning,
)


@dataclass(frozen=True)
class Package:
    """What pip is told, and the modules that a run imports, each with names that it must have."""

    requirement: str
    modules: Mapping[str, tuple[str, ...]]


PACKAGES: Final[Mapping[str, Package]] = {
    "numpy": Package("numpy>=1.26", {"numpy": ("ndarray", "isfinite", "float32", "random.default_rng")}),
    "scipy": Package(
        "scipy>=1.13",
        {"scipy.fft": ("rfft",), "scipy.signal": ("sosfiltfilt", "butter"), "scipy.signal.windows": ("dpss",)},
    ),
    "pyarrow": Package("pyarrow>=17", {"pyarrow": ("ArrowException", "types"), "pyarrow.parquet": ("ParquetFile",)}),
    "pandas": Package("pandas>=2.2", {"pandas": ("read_csv", "DataFrame", "errors.ParserWarning")}),
    "safetensors": Package("safetensors>=0.5", {"safetensors": ("safe_open", "SafetensorError")}),
    "tqdm": Package("tqdm>=4.60", {"tqdm": ("tqdm",)}),
    "h5py": Package("h5py>=3.10", {"h5py": ("File", "Dataset", "Group")}),
    "tensorflow": Package(
        "tensorflow>=2.17", {"tensorflow": ("Graph", "constant", "function", "config.list_physical_devices")}
    ),
    "keras": Package("keras>=3.5", {"keras": ("Model", "Input", "layers.Conv2D", "config.set_dtype_policy")}),
    "openvino": Package("openvino>=2025.0", {"openvino": ("Core", "Model", "Tensor", "opset13.convolution")}),
    "scikit-learn": Package(
        "scikit-learn>=1.2", {"sklearn.metrics": (), "sklearn.model_selection": ("StratifiedGroupKFold",)}
    ),
    "matplotlib": Package("matplotlib>=3.7", {"matplotlib": ("use",), "matplotlib.figure": ("Figure",)}),
}
OF_READERS: Final = ("numpy", "scipy", "pyarrow")
OF_RUN: Final = (*OF_READERS, "pandas", "safetensors", "tqdm")  # pandas imports pyarrow, which is then to blame
OF_TRAINING: Final = (*OF_RUN, "scikit-learn", "matplotlib")  # and Keras, once the GPUs to use are known


def need(*names: str) -> None:
    """Import packages by the names that pip has for them.

    Raises:
        MachineError: one of them is not there, does not import, or lacks what is used of it.
    """
    for name in names:
        if fault := fault_of(name):
            raise MachineError(fault)


def fault_of(name: str) -> str | None:
    """Why a package cannot be used: its name, what was expected, what was found, what to do. None where it can."""
    try:
        for module, attributes in PACKAGES[name].modules.items():
            found = importlib.import_module(module)
            for attribute in attributes:
                attrgetter(attribute)(found)
    except FAULTS as error:
        return _described(_blamed(name, error), error)
    return None


def version_of(name: str) -> str | None:
    """The version of a package, as it says itself where it has been imported; else as it was installed."""
    module = sys.modules.get(_module(name))
    if isinstance(stated := getattr(module, "__version__", None), str):
        return stated
    try:
        installed = metadata.distribution(name)
    except (metadata.PackageNotFoundError, *FAULTS):
        return None
    here, place = str(installed.locate_file("")), _place(name)  # another of the name may come first on the path
    return installed.version if place is None or place.startswith(here) else None


def _described(name: str, error: Exception) -> str:
    requirement, place, version = PACKAGES[name].requirement, _place(name), version_of(name)
    said = f"{type(error).__name__}: {one_line(error)}"
    if place is None:
        return f"{name}: expected {requirement}, found none ({said}); install it: pip install '{requirement}'"
    return (
        f"{name}: expected {requirement}, found {version or 'one of no stated version'} in {place}, which does not work "
        f"({said}); install it anew: pip install --force-reinstall '{requirement}'"
    )


def _module(name: str) -> str:
    """What Python calls a package: `sklearn` for scikit-learn."""
    return next(iter(PACKAGES[name].modules)).partition(".")[0]


def _place(name: str) -> str | None:
    """The file that an import of a package begins with."""
    try:
        spec = importlib.util.find_spec(_module(name))
    except FAULTS:
        return None
    return None if spec is None else spec.origin or ", ".join(spec.submodule_search_locations or ())


def _blamed(name: str, error: Exception) -> str:
    """The package whose fault it is: the innermost of ours that was being imported, or that another one misses."""
    homes = {_module(of_pip): of_pip for of_pip in PACKAGES}
    missed = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and missed in homes:
        return homes[missed]
    inside = [homes[module] for module in _modules(error.__traceback__) if module in homes]
    return inside[-1] if inside else name


def _modules(trace: TracebackType | None) -> Iterator[str]:
    """The packages that the frames of a traceback are of, the outermost first."""
    while trace is not None:
        of_frame: dict[str, Any] = trace.tb_frame.f_globals
        yield str(of_frame.get("__name__", "")).partition(".")[0]
        trace = trace.tb_next
