"""Points about the machine: Python, packages, engines, cores, variables, folders. Asked with what runs use themselves."""

import mmap
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hbac.doctor.points import FAULT, NOTE, OK, Point, asked
from hbac.errors import MachineError
from hbac.files import write_atomically
from hbac.machine import cores, environment
from hbac.machine.packages import OF_RUN, OF_TRAINING, PACKAGES, fault_of, version_of

OLDEST_PYTHON = (3, 10)
OF_TENSORFLOW = ("tensorflow", "keras")
OPTIONAL = ("openvino", *OF_TENSORFLOW, "scikit-learn", "matplotlib", "h5py")  # not needed by each run; one engine is
FEW_BYTES = 1 << 30  # of a disk or of memory, for a run and a narrow network
SMALL = (32, 32, 3)  # the image that each engine answers
SAME_LOGITS = 1e-2  # how far apart two engines may be
VARIABLES = ("CUDA_VISIBLE_DEVICES", "PYTHONPATH", "TMPDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LD_PRELOAD")


def python() -> Iterator[Point]:
    """Python, and the system that it runs on."""
    state = OK if sys.version_info >= OLDEST_PYTHON else FAULT
    yield Point("python", state, f"{platform.python_version()} in {sys.executable}, on {platform.platform()}")


def packages(training: bool) -> Iterator[Point]:
    """Each package and its version; one that does not import is a fault where this run needs it."""
    for name in PACKAGES:
        needed = name not in OPTIONAL or (training and name in (*OF_TRAINING, *OF_TENSORFLOW))
        if fault := _fault_of(name):
            yield Point(name, FAULT if needed else NOTE, fault.partition(": ")[2])
        elif _is_old(name):
            yield Point(name, NOTE, f"{version_of(name)}, older than {PACKAGES[name].requirement}, which is tested")
        else:
            yield Point(name, OK, version_of(name) or "of no stated version")


def can_go_on() -> bool:
    """Whether the packages that all other points need can be used."""
    return not any(map(fault_of, OF_RUN))


def engines() -> Iterator[Point]:
    """Each engine answers one small image; two of them have to agree."""
    from hbac.network.engine import BY_NAME

    answers: dict[str, Any] = {}
    for name in BY_NAME:
        try:
            answers[name], said = _answer(name)
        except MachineError as error:
            yield Point(f"engine {name}", NOTE, str(error))
        else:
            yield Point(f"engine {name}", OK, f"{said}, answers a small image")
    if not answers:
        yield Point("engines", FAULT, "expected one that computes, found none: install tensorflow or openvino")
    spread = [float(abs(first - second).max()) for first in answers.values() for second in answers.values()]
    if not all(apart <= SAME_LOGITS for apart in spread):  # NaN as well
        yield Point("engines", FAULT, f"expected the same answer of each, received logits {max(spread):.3g} apart")


def gpus() -> Iterator[Point]:
    """GPUs that TensorFlow sees."""
    from hbac.network.quiet import import_tensorflow
    from hbac.training.devices import may_have_gpus

    seen = len(import_tensorflow().config.list_physical_devices("GPU"))
    odd = may_have_gpus() and not seen
    yield Point("gpus", NOTE if odd else OK, f"TensorFlow sees {seen}" + ", though a driver is there" * odd)


def cores_and_memory() -> Iterator[Point]:
    """What counts cores and memory, and the least of it."""
    quota, size = cores.quota_cores(), cores.usable_memory_bytes()
    of_quota = "no quota" if quota is None else f"a quota of {quota:g}"
    yield Point("cores", OK, f"{cores.usable_cores()} to use; {os.cpu_count()} in the machine, {of_quota}")
    if size is not None:
        yield Point("memory", NOTE if size < 4 * FEW_BYTES else OK, f"{_gb(size)} to use")


def variables() -> Iterator[Point]:
    """Variables that were taken away, and those that matter and stay."""
    for name, value in environment.named.items():
        yield Point("variable", NOTE, f"{name}={value[:60]} could change answers; hbac does not use it")
    for name in VARIABLES:
        if name in os.environ:
            yield Point("variable", OK, f"{name}={os.environ[name][:60]}")


def folders(output: Path) -> Iterator[Point]:
    """Where a run writes: what it would do there is done once, with a small file."""
    for name, folder in (("output folder", output), ("temporary folder", Path(tempfile.gettempdir()))):
        yield from asked(name, lambda name=name, folder=folder: _folder(name, folder))  # type: ignore[misc]


def _folder(name: str, folder: Path) -> Iterator[Point]:
    probe = folder / f".hbac-doctor-{os.getpid()}"
    write_atomically(probe, b"hbac")
    free = shutil.disk_usage(folder).free
    try:
        with open(probe, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            maps = mapped[:] == b"hbac"
    except OSError:
        maps = False
    finally:
        probe.unlink()
    text = f"{folder.resolve()}, {_gb(free)} free, can be written" + ", but its files cannot be mapped" * (not maps)
    yield Point(name, OK if maps and free >= FEW_BYTES else NOTE, text)


def _fault_of(name: str) -> str | None:
    """As `fault_of`; Keras and TensorFlow are imported as a run imports them."""
    if name not in OF_TENSORFLOW or not can_go_on():
        return fault_of(name)
    from hbac.network.quiet import import_tensorflow

    try:
        import_tensorflow()
    except MachineError as error:
        return str(error) if str(error).startswith(f"{name}:") else fault_of(name)
    return None


def _is_old(name: str) -> bool:
    wanted, found = (
        [int(number) for number in re.findall(r"\d+", text)[:2]]
        for text in (PACKAGES[name].requirement.partition(">=")[2], version_of(name) or "")
    )
    return bool(found) and found < wanted


def _answer(name: str) -> tuple[Any, str]:
    """(1, 6) logits of an engine for a small image, and what it says of itself."""
    import numpy as np

    from hbac.network.engine import BY_NAME, finite_logits
    from hbac.network.families import shapes
    from hbac.network.settings import NetworkSettings

    settings = NetworkSettings(width=1, input_shape=SMALL)
    rng = np.random.default_rng(0)
    tensors = {one: np.abs(rng.normal(0.3, 0.1, shape)).astype(np.float32) for one, shape in shapes(settings).items()}
    engine = BY_NAME[name](settings)
    try:
        engine.load([tensors])
        image = rng.normal(size=(1, *SMALL)).astype(np.float32)
        return finite_logits(engine, 0, image, f"engine {name}"), engine.description
    finally:
        engine.close()


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GiB"
