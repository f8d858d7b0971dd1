"""GPUs in training: which are there, and a process for each."""

import os
from functools import partial
from pathlib import Path

import pytest

from hbac.errors import HbacError, InputError
from hbac.training import devices
from hbac.training.devices import on_each_gpu, use_gpus


@pytest.mark.parametrize(
    ("variable", "seen", "gpus"),
    [
        (None, 2, ("0", "1")),
        (None, 0, ()),  # a driver, and a TensorFlow that was built for CPUs
        ("3", 1, ("3",)),
        ("GPU-8932f937, GPU-1", 2, ("GPU-8932f937", "GPU-1")),
        ("0,-1,1", 1, ("0",)),
        ("NoDevFiles", 0, ()),  # as Slurm says that a job has none
        ("", 0, ()),
        ("-1", 0, ()),
    ],
)
def test_gpus_are_those_that_tensorflow_sees(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, seen: int, gpus: tuple[str, ...]
) -> None:
    """CUDA's list ends at the first name that it does not know."""
    monkeypatch.setattr(devices, "may_have_gpus", lambda: True)
    monkeypatch.setattr(devices, "tensorflow_gpus", lambda: seen)
    if variable is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert devices.visible_gpus() == gpus


@pytest.mark.slow
@pytest.mark.skipif(devices.may_have_gpus(), reason="this machine may have a GPU")
def test_where_tensorflow_sees_no_gpu_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "NoDevFiles")
    assert devices.visible_gpus() == ()
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 0\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert devices.may_have_gpus()
    assert devices.visible_gpus() == ()
    with pytest.raises(InputError, match="--gpus: expected GPUs that TensorFlow sees, received 0,1; it sees 0"):
        devices.check_gpus(("0", "1"), "mixed_float16")
    devices.check_gpus(("0", "1"), "float32")
    devices.check_gpus((), "mixed_float16")


def test_tensorflow_is_told_of_the_gpus_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    use_gpus(("0", "1"))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    use_gpus(("1",))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    use_gpus(())
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"


def note(folder: Path, gpu: str, folds: list[int]) -> None:
    """What a process does in these tests: write down what it was given and what it sees."""
    (folder / gpu).write_text(f"{folds} {os.environ['CUDA_VISIBLE_DEVICES']} {os.getpid()}")


def fail(folder: Path, gpu: str, folds: list[int]) -> None:
    if gpu == "b":
        raise InputError("no such data")


def test_each_gpu_has_a_process_and_its_share_of_the_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "a,b")
    on_each_gpu(("a", "b", "c"), [0, 3], partial(note, tmp_path))
    on_each_gpu(("x", "y"), [0, 1, 2], partial(note, tmp_path))
    seen = {path.name: path.read_text().rsplit(" ", 1) for path in tmp_path.iterdir()}
    assert {gpu: told for gpu, (told, _) in seen.items()} == {"a": "[0] a", "b": "[3] b", "x": "[0, 2] x", "y": "[1] y"}
    pids = {pid for _, pid in seen.values()}
    assert len(pids) == 4
    assert str(os.getpid()) not in pids
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "a,b"  # of this process as before


def test_a_gpu_whose_process_fails_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HbacError, match="training on 2 GPUs: 1 of them failed; --resume goes on"):
        on_each_gpu(("a", "b"), [0, 1], partial(fail, tmp_path))
    assert capfd.readouterr().err == "hbac: error: GPU b: no such data\n"
