"""GPUs in training: which there are, and one process for each, with its share of the folds."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing import connection

from hbac.errors import HbacError, InputError
from hbac.machine.environment import as_keras_comes
from hbac.network.quiet import import_tensorflow
from hbac.processes import ONE_THREAD, Child
from hbac.streams import say, tolerant_streams

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVERS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")  # the last one under Windows
COUNT_GPUS = """
import sys
sys.path[:] = sys.argv[1:]
import tensorflow
print(len(tensorflow.config.list_physical_devices("GPU")))
"""


def visible_gpus() -> tuple[str, ...]:
    """Numbers or names of the GPUs that TensorFlow sees; it is asked in a process of its own, where there may be any."""
    seen = tensorflow_gpus() if may_have_gpus() else 0
    names = os.environ[VISIBLE].split(",") if VISIBLE in os.environ else map(str, range(seen))
    return tuple(name.strip() for name in names)[:seen]  # CUDA's list ends at the first name that it does not know


def check_gpus(gpus: Sequence[str], precision: str) -> None:
    """Refuse GPUs that TensorFlow does not see: it would train on the CPU, for hours, in a precision made for GPUs.

    To be called after `use_gpus`. Whoever asks for float32 as well may train where there are none.

    Raises:
        InputError: it sees fewer.
        MachineError: TensorFlow cannot be used.
    """
    if not gpus or precision == "float32":
        return
    seen = len(import_tensorflow().config.list_physical_devices("GPU"))
    if seen != len(gpus):
        raise InputError(
            f"--gpus: expected GPUs that TensorFlow sees, received {','.join(gpus)}; it sees {seen} of them"
        )


def tensorflow_gpus() -> int:
    """How many GPUs a TensorFlow that starts now would see; 0 where it cannot be asked."""
    with as_keras_comes():
        environment = {**os.environ, **ONE_THREAD}
        command = [sys.executable, "-c", COUNT_GPUS, *sys.path]
        asked = subprocess.run(command, env=environment, capture_output=True, text=True)
    counted = asked.stdout.split()[-1:]
    return int(counted[0]) if asked.returncode == 0 and counted and counted[0].isdigit() else 0


def use_gpus(gpus: Sequence[str]) -> None:
    """Let TensorFlow see these GPUs and no others; to be called before anything starts it."""
    os.environ[VISIBLE] = ",".join(gpus) or "-1"


def may_have_gpus() -> bool:
    """Whether anything hints at a GPU."""
    return bool(shutil.which("nvidia-smi")) or any(map(os.path.exists, DRIVERS))


def on_each_gpu(gpus: Sequence[str], folds: Sequence[int], train: Callable[[str, list[int]], None]) -> None:
    """Call `train(gpu, its folds)` in one process a GPU at the same time; they end when this one does, even by a kill.

    Raises:
        HbacError: one of them failed.
    """
    shares = {gpu: list(folds[at :: len(gpus)]) for at, gpu in enumerate(gpus[: len(folds)])}
    parts: list[Child] = []
    try:
        for gpu, own in shares.items():
            parts.append(Child(_part, train, gpu, own, environment={VISIBLE: gpu}))
        for part in parts:
            part.join()
    finally:
        for part in parts:
            part.kill()
    if failed := [part.exitcode for part in parts if part.exitcode != 0]:
        raise HbacError(f"training on {len(parts)} GPUs: {len(failed)} of them failed; --resume goes on")


def _part(pipe: connection.Connection, train: Callable[[str, list[int]], None], gpu: str, folds: list[int]) -> None:
    """What a process does: its folds; an error is one line, as it is in the process that waits for it."""
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    try:
        with tolerant_streams():
            train(gpu, folds)
    except (HbacError, OSError) as error:
        say(f"hbac: error: GPU {gpu}: {error}", sys.stderr)
        raise SystemExit(1) from None


def _end_with(pipe: connection.Connection) -> None:
    """Leave as soon as the process that started this one is gone."""
    connection.wait([pipe])
    os._exit(1)
