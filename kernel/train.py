"""Train the folds: from train.csv to a manifest that kernel/infer.py takes.

    python kernel/train.py --data DIR --output DIR [--network resnet50] [--width 64] [--preprocessing three-zooms-v2]
                           [--fold-count 5] [--folds 0,2] [--epochs 6,4] [--learning-rates 2e-3,2e-4] [--row-steps 1,1]
                           [--batch-size 16] [--imagenet FILE | --start FILE ...] [--from DIR ...]
                           [--beside DIR] [--time-budget 8h30m] [--resume] [--seed 0]
                           [--without mixup,flip,frequency_mask,time_mask,time_shift,file_drop,shortening,gain]

DIR is a folder in the competition's format, the competition's own or one of `hbac simulate`. A killed run goes on with
--resume, epoch by epoch the way it would have gone. --folds trains some folds now; a later session takes them up by
--from, trains what is missing and writes one manifest of all. Several GPUs train one fold each at the same time.

On Kaggle, with the competition and the wheel's data set attached, a script takes no arguments: what one would type
stands in ARGUMENTS below. The output of an earlier session, attached as well, is taken up. An attached "notop" file of the
network's ImageNet weights is what training starts from. The same as `hbac train`.
"""

import importlib
import importlib.util
import shlex
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

# Settings
ARGUMENTS = ""  # for example "--folds 0,1 --width 32"; what is typed comes after it, and the later one counts
WINDOWS_PER_GROUP = 2  # windows of one EEG with the same votes are near copies of each other
SCORED_VOTES = 10  # rows with so many make up stage 2, choose the epoch and the temperature, and are the headline
MIXUP_ALPHA = 0.3  # of the beta distribution that shares of two images are drawn from
DROPOUT = 0.2  # before the layer of logits


def train(arguments: list[str], attached: list[Path]) -> None:
    from hbac import kaggle
    from hbac.machine.environment import settle
    from hbac.machine.packages import OF_TRAINING, need

    kaggle.make_importable("safetensors", attached)
    settle()
    need(*OF_TRAINING)
    from hbac.training import run
    from hbac.training.devices import use_gpus
    from hbac.training.options import options_of, parser_of
    from hbac.training.rows import read_rows
    from hbac.training.schedule import EpochBudget

    options = options_of(parser_of("train.py", attached).parse_args(arguments), attached)
    options = replace(
        options,
        windows_per_group=WINDOWS_PER_GROUP,
        scored_votes=SCORED_VOTES,
        mixup_alpha=MIXUP_ALPHA,
        dropout=DROPOUT,
    )
    use_gpus(options.gpus)
    budget = EpochBudget(options.time_budget_s)

    # 1. Rows: of each EEG and vote at most two windows. The output folder holds this run and no other.
    rows = read_rows(options.data, options.windows_per_group)
    run.claim_output(options, rows)

    # 2. Images, made once by the code that inference uses, and kept as images.npy; what cannot be read is left out.
    data, readable = run.make_images(options, rows)

    # 3. Folds by patient. Each is trained in two stages: on all rows, then on those with many votes.
    splits = run.split_by_patient(options, rows, data, readable)
    run.train_folds(options, data, splits, budget)

    # 4. Out-of-fold: what each fold predicts for patients it has not seen gives temperature, class prior and metrics.
    result = run.evaluate_folds(options, rows, data, splits)

    # 5. The manifest of the folds, and report.html.
    run.describe_folds(options, data, result)


def main(arguments: list[str]) -> int:
    attached = find_hbac()
    from hbac.cli import reported

    return reported(lambda: train(arguments, attached))


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
