"""What is attached to a Kaggle notebook: the competition's data, weights, earlier sessions, wheels of other packages.

A kernel finds the folders that Kaggle mounted, and hbac among them, by lines of its own (it runs as one file, before
hbac can be imported); with these folders it comes here. Each thing is found by a marker file, at a folder's top: nothing
deeper is searched.
"""

import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from hbac import hms
from hbac.errors import InputError
from hbac.files import md5_of

TIME_BUDGET = "8h30m"  # a session ends after 9 h
RUN_NAME = "run.json"  # what `hbac train` leaves in its output, `training.state`
MANIFEST_NAME = "weights_manifest.json"


def find_test_data(attached: Sequence[Path]) -> Path:
    """The folder with test.csv and test_eegs/.

    Raises:
        InputError: none or two of them are attached.
    """
    return _the_one("the competition's data (a folder with test.csv and test_eegs/)", _data(attached, "test"), attached)


def find_train_data(attached: Sequence[Path]) -> Path:
    """The folder with train.csv and train_eegs/.

    Raises:
        InputError: none or two of them are attached.
    """
    return _the_one(
        "the competition's data (a folder with train.csv and train_eegs/)", _data(attached, "train"), attached
    )


def find_manifest(attached: Sequence[Path]) -> Path:
    """The manifest of the attached weights.

    Raises:
        InputError: none or two of them are attached.
    """
    found = [folder / MANIFEST_NAME for folder in attached if (folder / MANIFEST_NAME).is_file()]
    return _the_one(f"a data set with {MANIFEST_NAME}", found, attached)


def find_earlier_sessions(attached: Sequence[Path]) -> tuple[Path, ...]:
    """Outputs of earlier training sessions."""
    return tuple(folder for folder in attached if (folder / RUN_NAME).is_file())


def find_imagenet(attached: Sequence[Path], name: str, md5: str) -> Path | None:
    """The attached file of ImageNet weights of this name, None if there is none.

    Raises:
        InputError: two are attached, or one whose MD5 is another.
    """
    found = [folder / name for folder in attached if (folder / name).is_file()]
    if not found:
        return None
    file = _the_one(name, found, attached)
    if (received := md5_of(file)) != md5:
        raise InputError(
            f"{file}: expected the file of MD5 {md5}, which Keras itself states, received one of {received}"
        )
    return file


def make_importable(package: str, attached: Sequence[Path]) -> None:
    """Install the attached wheel of a package that is not installed; without one nothing happens.

    Raises:
        InputError: two wheels of it fit this Python.
    """
    if importlib.util.find_spec(package) is not None:
        return
    wheels = [wheel for folder in attached for wheel in wheels_in(folder, package) if fits(wheel)]
    if wheels:
        _install(_the_one(f"the wheel of {package}", wheels, attached))


def wheels_in(folder: Path, package: str) -> list[Path]:
    """Wheels of a package in a data set by what they hold: folders that an upload unpacked, else archives."""
    marker = f"{package}/__init__.py"
    near = (folder, *sorted(folder.glob(f"{package}*")))
    unpacked = [place for place in near if (place / marker).is_file()]
    archives = [file for file in near if file.is_file() and zipfile.is_zipfile(file)]
    return unpacked or [file for file in archives if marker in zipfile.ZipFile(file).namelist()]


def fits(wheel: Path) -> bool:
    """Whether a wheel's name leaves it open which Python it is for, or names this one."""
    mine = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return all(abi == "abi3" or python == mine for python, abi in re.findall(r"-(cp\d+)-(\w+)-", wheel.name))


def _data(attached: Sequence[Path], split: str) -> list[Path]:
    table, folder = (hms.TEST_TABLE if split == "test" else hms.TRAIN_TABLE), hms.eeg_folder(split)
    return [place for place in attached if (place / table).is_file() and (place / folder).is_dir()]


def _install(wheel: Path) -> None:
    """Install a wheel with no index and no dependencies, or import it as it is where pip cannot take it."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    if wheel.is_dir():  # unpacked by the upload
        sys.path.insert(0, str(wheel))
    elif subprocess.run([*pip, str(wheel)], capture_output=True).returncode != 0:  # renamed by the upload
        unpacked = tempfile.mkdtemp(prefix=wheel.stem)
        zipfile.ZipFile(wheel).extractall(unpacked)
        sys.path.insert(0, unpacked)
    importlib.invalidate_caches()


def _the_one(what: str, found: Sequence[Path], attached: Sequence[Path]) -> Path:
    if len(found) != 1:
        received = ", ".join(map(str, found)) or f"none in {', '.join(map(str, attached))}"
        raise InputError(f"expected {what} once, received {received}")
    return found[0]


def predict_arguments(arguments: Sequence[str], attached: Sequence[Path], checkout: Path) -> list[str]:
    """What `hbac predict` is called with: what is attached, or the checkout's manifest, before what was typed.

    Args:
        arguments: what was typed; of two the later one counts.
        attached: folders of what is attached; none away from Kaggle.
        checkout: the folder whose manifest is taken away from Kaggle.

    Raises:
        InputError: what was not typed is attached not at all, or twice.
    """
    given = {argument.split("=")[0] for argument in arguments}
    found: list[str] = []
    if attached and "--time-budget" not in given:
        found += ["--time-budget", TIME_BUDGET]
    if attached and "--test-dir" not in given:
        found += ["--test-dir", str(find_test_data(attached))]
    if "--manifest" not in given:
        found += ["--manifest", str(find_manifest(attached) if attached else checkout / MANIFEST_NAME)]
    return [*found, *arguments]
