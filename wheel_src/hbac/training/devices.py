"""GPUs in training: which there are, and one process for each, with its share of the folds."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing import connection

from hbac.errors import HbacError
from hbac.processes import Child
from hbac.streams import say, tolerant_streams

VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus() -> tuple[str, ...]:
    """Numbers or names of the GPUs that TensorFlow would see, without starting it."""
    if VISIBLE in os.environ:
        return tuple(name for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1"))
    if not shutil.which("nvidia-smi"):
        return ()
    asked = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True)
    return () if asked.returncode else tuple(word for word in asked.stdout.split() if word.isdigit())


def use_gpus(gpus: Sequence[str]) -> None:
    """Let TensorFlow see these GPUs and no others; to be called before anything starts it."""
    if tuple(gpus) != visible_gpus():
        os.environ[VISIBLE] = ",".join(gpus) or "-1"


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
