"""Answer a test folder with an ensemble of folds and write submission.csv, with no internet.

On Kaggle, with the competition, the wheel's data set and the weights' data set attached, a script takes no arguments:
what one would type stands in ARGUMENTS below. At home:

    python kernel/infer.py --test-dir DIR [--manifest FILE] [--output submission.csv] [--batch-size N] [--workers N]
                           [--strict] [--resume] [--time-budget 8h30m] [--flip-tta] [--engine tensorflow|openvino]
                           [--prior train|uniform|estimate|FILE]

The same as `hbac predict`: this file only makes the package importable.
"""

import importlib
import importlib.util
import shlex
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Settings
ARGUMENTS = ""  # for example "--flip-tta --prior estimate"; what is typed comes after it, and the later one counts


def main(arguments: list[str]) -> int:
    attached = find_hbac()
    from hbac import cli, kaggle

    def answer() -> None:
        kaggle.make_importable("safetensors", attached)
        kaggle.make_importable("openvino", attached)
        cli.run(["predict", *kaggle.predict_arguments(arguments, attached, CHECKOUT)])

    return cli.reported(answer)


# From here to the end mark both kernels have the same lines: Kaggle runs a kernel as one file, before hbac is there.
INPUT, MARKER = Path("/kaggle/input"), "hbac/__init__.py"
LAYOUTS = ("*", "competitions/*", "datasets/*/*", "notebooks/*/*", "models/*/*/*/*/*")  # of what Kaggle mounts in INPUT
CHECKOUT = Path(globals().get("__file__", "x/x")).resolve().parent.parent


def find_hbac() -> list[Path]:
    """Make hbac importable, from the attached wheel or else from this checkout; folders of what is attached."""
    mounts = {path.resolve(): path for layout in LAYOUTS for path in sorted(INPUT.glob(layout)) if path.is_dir()}
    wheels: list[Path] = []
    for mount in mounts.values():  # an upload may unpack a wheel, and rename it
        near = (mount, *sorted(mount.glob("hbac*")))
        archives = [path for path in near if path.is_file() and zipfile.is_zipfile(path)]
        packed = [path for path in archives if MARKER in zipfile.ZipFile(path).namelist()]
        wheels += [path for path in near if (path / MARKER).is_file()] or packed
    place = wheels[0] if wheels else CHECKOUT / "wheel_src"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--force-reinstall"]
    if place.is_file() and subprocess.run([*pip, str(place)], capture_output=True).returncode != 0:
        place = Path(tempfile.mkdtemp(prefix="hbac"))
        zipfile.ZipFile(wheels[0]).extractall(place)
    sys.path[:0] = [str(place)] if place.is_dir() else []
    importlib.invalidate_caches()
    if len(wheels) > 1 or importlib.util.find_spec("hbac") is None:
        received = ", ".join(map(str, wheels)) or "none"
        print(
            f"hbac: error: expected one wheel of hbac attached, or hbac installed, received {received}", file=sys.stderr
        )
        raise SystemExit(2)
    return list(mounts.values())


# End of the lines that both kernels have.


if __name__ == "__main__":
    typed = [] if "ipykernel" in sys.modules else sys.argv[1:]  # a notebook's own arguments are not ours
    sys.exit(main([*shlex.split(ARGUMENTS), *typed]))
