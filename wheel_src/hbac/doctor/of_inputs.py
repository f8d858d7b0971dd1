"""Points about what a run is given: mounts, tables and their files, the manifest and its folds."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from hbac import hms, kaggle
from hbac.doctor.points import FAULT, NOTE, OK, Point
from hbac.errors import HbacError

MOUNTED = Path("/kaggle/input")
LAYOUTS = ("*", "competitions/*", "datasets/*/*", "notebooks/*/*", "models/*/*/*/*/*")  # as both kernels have them


def attached() -> list[Path]:
    """Folders that Kaggle has mounted; none away from it."""
    found = (path for layout in LAYOUTS for path in sorted(MOUNTED.glob(layout)) if path.is_dir())
    return list({path.resolve(): path for path in found}.values())


def mounts(places: Sequence[Path]) -> Iterator[Point]:
    """What is attached, and what of it a kernel would take."""
    yield Point("attached", OK, ", ".join(map(str, places)))
    finds = {"test data": kaggle.find_test_data, "train data": kaggle.find_train_data, "manifest": kaggle.find_manifest}
    for name, find in finds.items():
        try:
            yield Point(name, OK, f"found as {find(places)}")
        except HbacError as error:
            yield Point(name, NOTE, str(error))


def test_folder(folder: Path) -> Iterator[Point]:
    """The table, how many ids have their files, the order of rows, and whether the first record can be read."""
    from hbac.inference.submission import differs_from_template
    from hbac.preprocessing.readers import Loader
    from hbac.preprocessing.three_zooms import ImageSettings
    from hbac.records.folders import where_looked
    from hbac.records.tables import read_test_table

    records = read_test_table(folder)
    yield _files("test data", [(record.eeg_path, record.spectrogram_path) for record in records])
    for note in where_looked(folder, records):
        yield Point("test data", FAULT, note)
    if difference := differs_from_template([record.eeg_id for record in records], folder):
        yield Point("order of rows", NOTE, f"{difference}; a run follows {hms.TEST_TABLE}")
    with Loader(records[:1], ImageSettings(), 1) as loader:
        first = loader.get()
    state = FAULT if first.image is None else NOTE if first.notes else OK
    yield Point("first record", state, f"eeg_id {first.record.eeg_id}: {'; '.join([first.status.value, *first.notes])}")


def train_folder(folder: Path, output: Path) -> Iterator[Point]:
    """The table, how many ids have their files, and whether the images of its rows have room."""
    from hbac.preprocessing.three_zooms import ImageSettings
    from hbac.training.cache import cache_bytes
    from hbac.training.rows import read_rows

    records = read_rows(folder).records
    yield _files("train data", sorted({(record.eeg_path, record.spectrogram_path) for record in records}, key=str))
    wanted, free = cache_bytes(records, ImageSettings()), shutil.disk_usage(output).free
    text = f"{len(records)} images take {wanted / 1e9:.1f} GB, {free / 1e9:.1f} GB are free in {output.resolve()}"
    yield Point("images", OK if wanted < free else FAULT, text)


def manifest(path: Path) -> Iterator[Point]:
    """The manifest, its folds and their golden answers, by the engine that a run would take."""
    from hbac.ensemble.calibrated import make_ensemble
    from hbac.ensemble.verify_command import summary
    from hbac.weights.manifest import read_manifest

    stated = read_manifest(path)
    made = make_ensemble(stated)
    text = f"{summary(stated)}, files and answers as stated"
    yield Point("manifest", OK, f"{path}: {text}, by {made.engine.description}")


def _files(name: str, pairs: Sequence[tuple[Path, Path | None]]) -> Point:
    """How many records have both files, and where they were looked for."""
    eegs = sum(eeg.is_file() for eeg, _ in pairs)
    both = sum(eeg.is_file() and other is not None and other.is_file() for eeg, other in pairs)
    folders = sorted({str(path.parent) for pair in pairs for path in pair if path is not None})
    state = OK if both == len(pairs) else FAULT if not eegs and not both else NOTE
    text = f"of {len(pairs)} records {eegs} have an EEG and {both} a spectrogram as well"
    return Point(name, state, f"{text}; looked for in {', '.join(folders)}")
