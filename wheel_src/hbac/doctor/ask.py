"""All points of `hbac doctor`, in the order in which a run would meet them."""

from collections.abc import Iterator
from pathlib import Path

from hbac.doctor import of_inputs, of_machine
from hbac.doctor.points import NOTE, Point, asked


def examine(
    test_dir: Path | None = None, manifest: Path | None = None, data: Path | None = None, output: Path = Path()
) -> Iterator[Point]:
    """What a run would find, one point after the other, as each is known.

    Args:
        test_dir: as `hbac predict` takes it, if one is to be looked at.
        manifest: the folds to verify, if any are.
        data: a folder to train on, if one is to be looked at.
        output: the folder that a run would write to.
    """
    yield from of_machine.python()
    yield from of_machine.packages(training=data is not None)
    yield from of_machine.cores_and_memory()
    yield from of_machine.variables()
    yield from of_machine.folders(output)
    if places := of_inputs.attached():
        yield from of_inputs.mounts(places)
    if not of_machine.can_go_on():
        yield Point("engines, data, manifest", NOTE, "not looked at: they need the packages above")
        return
    yield from asked("gpus", of_machine.gpus)
    yield from of_machine.engines()
    if test_dir:
        yield from asked("test data", lambda: of_inputs.test_folder(test_dir))
    if data:
        yield from asked("train data", lambda: of_inputs.train_folder(data, output))
    if manifest:
        yield from asked("manifest", lambda: of_inputs.manifest(manifest))
