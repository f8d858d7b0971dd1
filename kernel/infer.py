"""Answer a test folder with an ensemble of ResNet50 folds and write submission.csv, with no internet.

On Kaggle, with the competition, the wheel's data set and the weights' data set attached, it takes no arguments. At home:

    python kernel/infer.py --test-dir DIR [--manifest FILE] [--output submission.csv] [--batch-size N] [--workers N]
                           [--strict] [--resume] [--time-budget 8h30m] [--flip-tta] [--engine tensorflow|openvino]

The same as `hbac predict`: this file only finds the inputs and makes the package importable.
"""

import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NoReturn

# Settings
TIME_BUDGET = "8h30m"  # the competition's limit is 9 h; used on Kaggle unless --time-budget says otherwise


def main(arguments: list[str]) -> int:
    make_importable("hbac")
    make_importable("safetensors")
    make_importable("openvino", needed=False)
    given = {argument.split("=")[0] for argument in arguments}
    if roots() and "--test-dir" not in given:
        arguments = ["--test-dir", str(find_competition()), *arguments]
    if roots() and "--time-budget" not in given:
        arguments = ["--time-budget", TIME_BUDGET, *arguments]
    if "--manifest" not in given:
        arguments = ["--manifest", str(find_manifest()), *arguments]

    from hbac.cli import main as hbac

    return hbac(["predict", *arguments])


def find_competition() -> Path:
    """The folder with test.csv and test_eegs/."""
    return the_one(
        "the competition's data (a folder with test.csv and test_eegs/)",
        [root for root in roots() if (root / "test.csv").is_file() and (root / "test_eegs").is_dir()],
    )


def find_manifest() -> Path:
    """The attached manifest or, away from Kaggle, the checkout's."""
    if not roots():
        return CHECKOUT / "weights_manifest.json"
    manifests = [root / "weights_manifest.json" for root in roots()]
    return the_one("a data set with weights_manifest.json", [path for path in manifests if path.is_file()])


# What is attached. From here to the end mark infer.py and train.py have the same lines: Kaggle runs a kernel as one file.
INPUT = Path("/kaggle/input")
LAYOUTS = (  # where Kaggle mounts what is attached, below INPUT; nothing deeper is ever searched
    "*",
    "competitions/*",
    "datasets/*/*",
    "notebooks/*/*",
    "models/*/*/*/*/*",
)
CHECKOUT = Path(__file__).resolve().parent.parent if "__file__" in globals() else Path.cwd()


def roots() -> list[Path]:
    """Folders of what is attached, each once though a link may lead to it as well; none away from Kaggle."""
    found = [folder for layout in LAYOUTS for folder in sorted(INPUT.glob(layout)) if folder.is_dir()]
    return list({folder.resolve(): folder for folder in reversed(found)}.values())[::-1]


def make_importable(package: str, needed: bool = True) -> None:
    """Install the attached wheel of a package; without one take what is installed, or the checkout around this file.

    An attached hbac comes before an installed one; of other packages the installed one serves as well.
    """
    wheels = [wheel for root in roots() for wheel in wheels_in(root, package) if fits(wheel)]
    installed = importlib.util.find_spec(package) is not None
    if wheels and (package == "hbac" or not installed):
        install(the_one(f"the wheel of {package}", wheels))
    elif not installed and (CHECKOUT / "wheel_src" / package).is_dir():
        sys.path.insert(0, str(CHECKOUT / "wheel_src"))
    elif needed and not installed:
        stop(f"expected the package {package} installed, or a data set with its wheel attached, received neither")


def wheels_in(root: Path, package: str) -> list[Path]:
    """Wheels of a package in a data set by what they hold: archives, folders they were unpacked to, or the data set."""
    marker = f"{package}/__init__.py"
    near = (root, *sorted(root.glob(f"{package}*")))
    unpacked = [folder for folder in near if (folder / marker).is_file()]
    archives = [file for file in near if file.is_file() and zipfile.is_zipfile(file)]
    return unpacked or [file for file in archives if marker in zipfile.ZipFile(file).namelist()]


def fits(wheel: Path) -> bool:
    """Whether a wheel's name leaves it open which Python it is for, or names this one."""
    mine = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return all(abi == "abi3" or python == mine for python, abi in re.findall(r"-(cp\d+)-(\w+)-", wheel.name))


def install(wheel: Path) -> None:
    """Install a wheel with no index and no dependencies, or import it as it is where pip cannot take it."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--force-reinstall"]
    if wheel.is_dir():  # unpacked by the upload
        sys.path.insert(0, str(wheel))
    elif subprocess.run([*pip, str(wheel)], capture_output=True).returncode != 0:  # renamed by the upload
        unpacked = tempfile.mkdtemp(prefix=wheel.stem)
        zipfile.ZipFile(wheel).extractall(unpacked)
        sys.path.insert(0, unpacked)
    importlib.invalidate_caches()


def the_one(what: str, found: list[Path]) -> Path:
    if len(found) != 1:
        received = ", ".join(map(str, found)) or f"none below {INPUT}"
        stop(f"expected {what} once, received {received}")
    return found[0]


def stop(why: str) -> NoReturn:
    """One clear line and exit code 2, as for every other error."""
    print(f"hbac: error: {why}", file=sys.stderr)
    raise SystemExit(2)


# End of the lines that both kernels have.


if __name__ == "__main__":
    in_notebook = "ipykernel" in sys.modules  # whose own arguments are not ours
    sys.exit(main([] if in_notebook else sys.argv[1:]))
