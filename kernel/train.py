"""Train the folds: from train.csv to a manifest that kernel/infer.py takes.

    python kernel/train.py --data DIR --output DIR [--width 64] [--fold-count 5] [--folds 0,2] [--epochs 6,4]
                           [--learning-rates 2e-3,2e-4] [--row-steps 1,1] [--batch-size 16]
                           [--imagenet FILE | --start FILE ...]
                           [--from DIR ...] [--beside DIR] [--time-budget 8h30m] [--resume] [--seed 0]
                           [--without mixup,flip,frequency_mask,time_mask,time_shift,file_drop]

DIR is a folder in the competition's format, the competition's own or one of `hbac simulate`. Images are made by the
package that makes them for inference and kept as images.npy. A killed run goes on with --resume, epoch by epoch the way
it would have gone. --folds trains some folds now; a later session takes them up by --from, trains what is missing and
writes one manifest of all. Several GPUs train one fold each at the same time. On Kaggle, with the competition and the
wheel's data set attached, it takes no arguments; the output of an earlier session, attached as well, is taken up.
"""

import argparse
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import NoReturn

# Settings
WINDOWS_PER_GROUP = 2  # windows of one EEG with the same votes are near copies of each other
RELIABLE_VOTES = 10  # rows with so many make up stage 2, choose the epoch and the temperature, and are the headline
MIXUP_ALPHA = 0.3
DROPOUT = 0.2
VIEWS = {  # switches, beside mixup
    "flip": "flip",
    "frequency_mask": "mask_frequencies",
    "time_mask": "mask_times",
    "time_shift": "shift_time",
    "file_drop": "drop_file",
}
EXAMPLES_PER_CLASS = 2  # pictures in the report
IMAGENET_SPREAD = 60.0  # standard deviation of the inputs of ImageNet's weights; of ours it is about 1

TIME_BUDGET = "8h30m"  # on Kaggle, whose sessions end after 9 h with a GPU


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


if __name__ == "__main__" and "--part" not in sys.argv:  # what this process starts is told its path
    make_importable("hbac")
    make_importable("safetensors")

import numpy as np  # noqa: E402

from hbac import hms  # noqa: E402
from hbac.durations import parse_duration  # noqa: E402
from hbac.errors import HbacError, InputError  # noqa: E402
from hbac.files import sha256_of  # noqa: E402
from hbac.network.resnet import NetworkSettings, shapes  # noqa: E402
from hbac.preprocessing.load import load_record  # noqa: E402
from hbac.preprocessing.three_zooms import ImageSettings  # noqa: E402
from hbac.records.tables import read_train_table  # noqa: E402
from hbac.training.cache import cache_bytes, make_cache, open_cache  # noqa: E402
from hbac.training.fold import train_fold  # noqa: E402
from hbac.training.metrics import best_temperature, figures  # noqa: E402
from hbac.training.report import OutOfFold, write_report  # noqa: E402
from hbac.training.rows import TrainData, patient_folds  # noqa: E402
from hbac.training.schedule import EpochBudget, Stage, TrainSettings  # noqa: E402
from hbac.training.state import RUN_NAME, FoldFiles, check_rows, claim_folder, read_progress, take_folds  # noqa: E402
from hbac.training.views import ViewSettings  # noqa: E402
from hbac.weights.tensors import read_safetensors  # noqa: E402

PREPROCESSING = ImageSettings()


def main() -> None:
    options = parse_options()
    if options.part:
        end_with_parent()
    if options.gpus != visible_gpus():
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(options.gpus) or "-1"  # before anything starts TensorFlow
    budget = EpochBudget(parse_duration(options.time_budget) if options.time_budget else None)
    options.output.mkdir(parents=True, exist_ok=True)
    fewest_votes = (1, RELIABLE_VOTES)  # stage 1 sees all rows, stage 2 the reliable ones
    settings = TrainSettings(
        network=NetworkSettings(width=options.width, dropout=DROPOUT),
        stages=tuple(map(Stage, options.epochs, options.learning_rates, fewest_votes, options.row_steps)),
        views=ViewSettings(**{chance: 0.0 for name, chance in VIEWS.items() if name in options.without}),
        mixup_alpha=0.0 if "mixup" in options.without else MIXUP_ALPHA,
        batch_size=options.batch_size,
        seed=options.seed,
        precision=options.precision,
        freeze_normalisation=options.freeze_normalisation,
    )

    # 1. Rows: at most two windows of each EEG and vote; votes as fractions.
    if options.beside:
        read_train_table(options.beside)  # what is wrong with it shows before hours of training, not after
    records, table = read_train_table(options.data)
    chosen = choose_windows(table)
    records, table = [records[i] for i in chosen], table.iloc[chosen].reset_index(drop=True)
    counts = table[list(hms.VOTE_COLUMNS)].to_numpy(np.float32)  # (rows, 6)
    if table["patient_id"].isna().any():
        nameless = table["eeg_id"][table["patient_id"].isna()].iloc[0]
        raise InputError(
            f"{options.data / hms.TRAIN_TABLE}: expected a patient_id in each row, EEG {nameless} has none"
        )
    patients = table["patient_id"].to_numpy(np.int64)
    offsets = [(record.eeg_id, record.eeg_offset_s, record.spectrogram_offset_s) for record in records]
    run = {
        **{name: value for name, value in vars(settings).items() if name != "precision"},
        "fold count": options.fold_count,
        "rows": (offsets, patients.tolist(), counts.tolist()),
        "start": " ".join(sha256_of(file) for file in files_to_start_from(options)),
    }
    claim_folder(options.output, run, options.resume)
    names = [f"{options.name}{fold}" for fold in range(options.fold_count)]
    for name in take_folds(options.take_from, options.output, run, names):
        print(f"{name}: taken over")

    # 2. Images, made once; a record that cannot be read is left out.
    folders = (options.output, *options.take_from)
    cached = next(filter(None, (open_cache(records, folder, PREPROCESSING) for folder in folders)), None)
    if not cached:
        print(
            f"{len(records)} images, {cache_bytes(records, PREPROCESSING) / 1e9:.2f} GB: {options.output / 'images.npy'}"
        )
        cached = make_cache(records, options.output, PREPROCESSING, options.workers)
    data = TrainData(
        images=cached.images,
        votes=counts / counts.sum(axis=1, keepdims=True),
        counts=counts.sum(axis=1),
        eeg_ids=table["eeg_id"].to_numpy(np.int64),
        preprocessing=PREPROCESSING,
    )

    # 3. Folds by patient; each trained, and each answering the patients it has not seen.
    rows = np.flatnonzero(cached.readable)
    classes = data.votes[rows].argmax(axis=1)
    split = patient_folds(classes.tolist(), patients[rows].tolist(), options.fold_count, options.seed)
    splits = [(rows[train], rows[valid]) for train, valid in split]
    folds = list(range(options.fold_count)) if options.folds is None else options.folds
    if len(options.gpus) > 1 and len(folds) > 1:
        train_on_gpus(options, folds, budget)
    else:
        start_weights = weights_to_start_from(options)
        for fold in folds:
            files = files_of(options, fold)
            train_fold(data, *splits[fold], settings, files, fold, RELIABLE_VOTES, start_weights, budget, log)

    # 4. Out-of-fold answers, temperature, figures, manifest.
    if not options.part:
        finish(options, data, table, splits)


def log(line: str) -> None:
    print(line, flush=True)


def parse_options() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(number) for number in text.split(",") if number]

    def rates(text: str) -> list[float]:
        return [float(number) for number in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    on_kaggle = bool(roots())
    add = parser.add_argument
    add("--data", type=Path, required=not on_kaggle, help="folder with train.csv, train_eegs/ ... [the attached one]")
    add(
        "--output",
        type=Path,
        default=Path.cwd() if on_kaggle else None,
        required=not on_kaggle,
        help="folder for folds and images",
    )
    add("--width", type=int, default=64, help="of the network [%(default)s: ResNet50]")
    add("--fold-count", type=int, default=5, help="folds in all [%(default)s]")
    add("--folds", type=numbers, metavar="0,2", help="those to train now, '' for none [all]")
    add("--epochs", type=numbers, default=[6, 4], metavar="6,4", help="of stage 1 and stage 2 [6,4]")
    add("--learning-rates", type=rates, default=[2e-3, 2e-4], metavar="2e-3,2e-4", help="their peaks [2e-3,2e-4]")
    add("--row-steps", type=numbers, default=[1, 1], metavar="2,1", help="2: every second row of the images [1,1]")
    add("--batch-size", type=int, default=16, help="[%(default)s]")
    add("--imagenet", type=Path, metavar="FILE", help="ImageNet's notop file, to start from")
    add(
        "--start",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help=".safetensors folds of the same width to start from, of several their mean",
    )
    add("--freeze-normalisation", action="store_true", help="keep --start's, where it has learnt from much more data")
    add("--from", type=Path, nargs="+", default=[], dest="take_from", metavar="DIR", help="outputs to take folds from")
    add("--beside", type=Path, metavar="DIR", help="another data set, whose records the report shows beside")
    add(
        "--time-budget",
        metavar="8h30m",
        default=TIME_BUDGET if on_kaggle else None,
        help="begin no epoch that would end later",
    )
    add("--resume", action="store_true", help="go on with the run in --output")
    add("--seed", type=int, default=0, help="[%(default)s]")
    add("--without", type=lambda text: text.split(","), default=[], help="augmentations to switch off")
    add("--workers", type=int, default=2, help="processes that make images [%(default)s]")
    add(
        "--gpus",
        type=lambda text: [gpu for gpu in text.split(",") if gpu],
        default=visible_gpus(),
        metavar="0,1",
        help="those to use [all]",
    )
    add("--precision", choices=("float32", "mixed_float16"), help="[mixed_float16 on a GPU]")
    add("--name", default="fold", help="start of the checkpoints' names [%(default)s]")
    add("--title", default="ResNet50 folds", help="what the manifest says they are [%(default)s]")
    add("--part", action="store_true", help=argparse.SUPPRESS)  # trains for another process, which finishes
    options = parser.parse_args()
    options.data = options.data or find_data()
    options.take_from = options.take_from or [root for root in roots() if (root / RUN_NAME).is_file()]
    options.precision = options.precision or ("mixed_float16" if options.gpus else "float32")
    if unknown := set(options.without) - {*VIEWS, "mixup"}:
        parser.error(f"--without: expected some of mixup, {', '.join(VIEWS)}, received {', '.join(sorted(unknown))}")
    for name in ("epochs", "learning_rates", "row_steps"):
        if len(getattr(options, name)) != 2 or min(getattr(options, name)) < 0:
            parser.error(f"--{name.replace('_', '-')}: expected two numbers, received {getattr(options, name)}")
    if options.start and options.imagenet:
        parser.error("--start, --imagenet: expected one of them, received both")
    if options.freeze_normalisation and not options.start:
        parser.error("--freeze-normalisation: expected --start, whose normalisation is kept")
    if not sum(options.epochs) or not all(options.row_steps):
        parser.error(f"expected an epoch and row steps from 1, received {options.epochs} and {options.row_steps}")
    if options.folds is not None and not set(options.folds) <= set(range(options.fold_count)):
        parser.error(f"--folds: expected some of 0 to {options.fold_count - 1}, received {options.folds}")
    if options.folds is not None and len(set(options.folds)) < len(options.folds):
        parser.error(f"--folds: expected each once, received {options.folds}")
    if options.batch_size < 1:
        parser.error(f"--batch-size: expected 1 or more, received {options.batch_size}")
    return options


def find_data() -> Path:
    """The attached folder with train.csv and train_eegs/."""
    return the_one(
        "the competition's data (a folder with train.csv and train_eegs/)",
        [root for root in roots() if (root / "train.csv").is_file() and (root / "train_eegs").is_dir()],
    )


def visible_gpus() -> list[str]:
    """Numbers or names of the GPUs that TensorFlow would see, without starting it."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    asked = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True)
    return [] if asked.returncode else [word for word in asked.stdout.split() if word.isdigit()]


def train_on_gpus(options: argparse.Namespace, folds: list[int], budget: EpochBudget) -> None:
    """This script once a GPU, each with its share of the folds; they end when this process does, even by a kill."""
    parts = []
    for at, gpu in enumerate(options.gpus[: len(folds)]):
        own = ",".join(map(str, folds[at :: len(options.gpus)]))
        command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--resume", "--part", "--gpus", gpu]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": gpu, "PYTHONPATH": os.pathsep.join(sys.path)}
        command += ["--folds", own, "--precision", options.precision]
        command += ["--time-budget", f"{budget.left_s():.0f}"] if options.time_budget else []
        parts.append(subprocess.Popen(command, env=environment, stdin=subprocess.PIPE))
    try:
        failed = [part.returncode for part in parts if part.wait() != 0]
    finally:
        for part in parts:
            part.kill()
    if failed:
        raise HbacError(f"training on {len(parts)} GPUs: {len(failed)} of them failed; --resume goes on")


def end_with_parent() -> None:
    """Leave as soon as the process that started this one is gone: its end of our standard input closes with it."""

    def wait() -> None:
        os.read(0, 1)  # nothing ever comes: returns when it is closed
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def choose_windows(table) -> list[int]:
    """Row numbers of at most two windows of each EEG and vote, the first and the last."""
    groups = defaultdict(list)
    for row, key in enumerate(zip(table["eeg_id"], *(table[column] for column in hms.VOTE_COLUMNS))):
        groups[key].append(row)
    return sorted({row for rows in groups.values() for row in (rows[0], rows[-1])[:WINDOWS_PER_GROUP]})


def files_of(options, fold: int) -> FoldFiles:
    return FoldFiles.named(options.output, f"{options.name}{fold}")


def files_to_start_from(options) -> list[Path]:
    return options.start or ([options.imagenet] if options.imagenet else [])


def weights_to_start_from(options) -> dict | None:
    """The mean of earlier folds, which have to come from one start themselves (Wortsman et al. 2022, arXiv:2203.05482).

    Or the backbone of ImageNet's file, its first convolution scaled from inputs that spread by 60.
    """
    if options.start:
        expected = shapes(NetworkSettings(width=options.width))
        folds = [read_safetensors(file, expected) for file in options.start]
        return {name: np.mean([fold[name] for fold in folds], axis=0, dtype=np.float32) for name in expected}
    if not options.imagenet:
        return None
    from hbac.weights.keras_files import import_weights

    tensors = import_weights(options.imagenet, NetworkSettings(width=options.width), head=False)
    tensors["conv1_conv/kernel"] = tensors["conv1_conv/kernel"] * np.float32(IMAGENET_SPREAD)
    return tensors


def finish(options, data: TrainData, table, splits: list) -> None:
    """Temperature, class prior, figures and pictures of the folds that are there, from answers for unseen patients."""
    validation_rows = [valid for _, valid in splits]
    files = [files_of(options, fold) for fold in range(options.fold_count)]
    there = [fold for fold, of_fold in enumerate(files) if of_fold.answers.exists() and of_fold.state.exists()]
    if not there:
        raise InputError("expected one trained fold or more, there was no time for an epoch")
    for fold in there:
        check_rows(files_of(options, fold), *splits[fold])
    fold_of = np.concatenate([np.full(len(validation_rows[fold]), fold) for fold in there])
    rows = np.concatenate([validation_rows[fold] for fold in there])
    answers = np.concatenate([np.load(files_of(options, fold).answers) for fold in there]).astype(np.float64)
    judged = data.counts[rows] >= RELIABLE_VOTES
    headline = f"{RELIABLE_VOTES} votes or more" if judged.any() else "all rows"
    judged = judged if judged.any() else np.ones_like(judged)
    votes, weights = data.votes[rows], np.zeros(len(rows))
    weights[judged] = data.eeg_weights(rows[judged])  # each EEG weighs one, as where the epochs are chosen
    temperature = best_temperature(votes[judged], answers[judged], weights[judged])
    answers = calibrated(answers, temperature)
    prior = 0.99 * np.average(votes[judged], axis=0, weights=weights[judged]) + 0.01 / len(hms.CLASSES)  # no class at 0

    sets = {headline: (judged, answers), "all rows": (np.ones_like(judged), answers)}
    if all(files_of(options, fold).partial.exists() for fold in there):
        partial = np.concatenate([np.load(files_of(options, fold).partial) for fold in there], axis=1)  # (2, rows, 6)
        for name, of_input in zip(("EEG alone", "spectrogram alone"), calibrated(partial, temperature)):
            sets[f"{headline}, {name}"] = (judged, of_input)
    out_of_fold = {}
    for name, (which, said) in sets.items():
        of_set = data.eeg_weights(rows[which])
        baseline = figures(votes[which], np.tile(prior, (which.sum(), 1)), of_set)
        ours = {"rows": int(which.sum()), **figures(votes[which], said[which], of_set)}
        out_of_fold[name] = {
            **ours,
            "kl_of_class_prior": baseline["kl"],
            "log_loss_of_class_prior": baseline["log_loss"],
        }
        print(f"out of fold, {name}: KL {ours['kl']:.4f}, of the class prior {baseline['kl']:.4f}")
    scores = {}
    for fold in there:
        own = judged & (fold_of == fold)
        scores[fold] = {"kl": round(figures(votes[own], answers[own], weights[own])["kl"], 4)} if own.any() else {}
    write(options, scores, temperature, prior, out_of_fold)

    columns = table.iloc[rows][["eeg_id", "eeg_label_offset_seconds", "patient_id", "expert_consensus"]]
    of_classes = {f"{kind}_{name}": part for kind, values in (("voted", votes), ("answered", answers))
                  for name, part in zip(hms.CLASSES, values.T)}  # fmt: skip
    columns.assign(fold=fold_of, votes=data.counts[rows], **of_classes).to_parquet(
        options.output / "oof.parquet", write_page_checksum=True
    )
    said = np.zeros((len(table), len(hms.CLASSES)))
    said[rows] = answers
    examples = {
        name: [(f"votes {np.round(data.votes[i], 2)}, answer {np.round(said[i], 2)}", data.load(np.array([i]))[0])
               for i in clearest(data.votes, data.counts, rows, c)]
        for c, name in enumerate(hms.CLASSES)
    }  # fmt: skip
    if options.beside:
        for name, caption, image in examples_beside(options.beside):
            examples[name].append((caption, image))
    histories = {fold: read_progress(files_of(options, fold).state).history for fold in there}
    result = OutOfFold(votes, answers, weights, judged)
    write_report(options.output / "report.html", options.title, result, out_of_fold, histories, examples)


def calibrated(answers, temperature: float):
    """Probabilities (..., 6) at a temperature."""
    sharpened = answers.astype(np.float64) ** (1 / temperature)
    return sharpened / sharpened.sum(axis=-1, keepdims=True)


def clearest(votes, counts, rows, c: int) -> list[int]:
    """Row numbers of the clearest examples of a class, among reliable rows as far as there are some."""
    of_class = [i for i in rows if votes[i].argmax() == c]
    return sorted(of_class, key=lambda i: (counts[i] < RELIABLE_VOTES, -votes[i, c]))[:EXAMPLES_PER_CLASS]


def examples_beside(folder: Path):
    """Class, caption and image of the clearest records of another data set."""
    records, table = read_train_table(folder)
    chosen = choose_windows(table)
    counts = table.iloc[chosen][list(hms.VOTE_COLUMNS)].to_numpy(np.float64)
    votes = counts / counts.sum(axis=1, keepdims=True)
    for c, name in enumerate(hms.CLASSES):
        for i in clearest(votes, counts.sum(axis=1), range(len(chosen)), c):
            image = load_record(records[chosen[i]], PREPROCESSING).image
            if image is not None:
                yield name, f"{folder.name}: votes {np.round(votes[i], 2)}", image


def write(options, scores: dict, temperature: float, prior, out_of_fold: dict) -> None:
    """The manifest of the folds that have scores."""
    from hbac.network.tensorflow_engine import TensorFlowEngine
    from hbac.weights.checkpoints import Checkpoint, new_manifest
    from hbac.weights.manifest import MANIFEST_NAME, write_manifest

    network = NetworkSettings(width=options.width)
    stated = (
        "width",
        "fold_count",
        "epochs",
        "learning_rates",
        "row_steps",
        "batch_size",
        "seed",
        "without",
        "freeze_normalisation",
        "precision",
    )
    manifest = new_manifest(
        [Checkpoint(files_of(options, fold).checkpoint, score=score) for fold, score in scores.items()],
        options.output,
        options.title,
        PREPROCESSING,
        network,
        TensorFlowEngine(network),
        round(temperature, 4),
        [round(float(p), 6) for p in prior / prior.sum()],
        {
            "data": options.data.name,
            **{name: getattr(options, name) for name in stated},
            "start": " ".join(file.name for file in files_to_start_from(options)),
            "out_of_fold": {
                name: {key: round(value, 4) for key, value in of_rows.items() if not isinstance(value, list)}
                for name, of_rows in out_of_fold.items()
            },
        },
    )
    write_manifest(manifest, options.output / MANIFEST_NAME)
    print(
        f"{options.output / MANIFEST_NAME}: {len(scores)} of {options.fold_count} folds, temperature {temperature:.3f}"
    )


if __name__ == "__main__":
    try:
        main()
    except (HbacError, OSError) as error:
        print(f"train.py: error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
