"""What a training run is asked for: the options of `hbac train` and of kernel/train.py, and their checks."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbac import kaggle
from hbac.durations import parse_duration
from hbac.errors import InputError
from hbac.network.settings import FAMILY_NAMES, FULL_WIDTH, RESNET50, NetworkSettings
from hbac.preprocessing.names import PRESET_NAMES, THREE_ZOOMS_2
from hbac.training.devices import visible_gpus
from hbac.training.fold_files import FoldFiles
from hbac.training.schedule import SCORED_VOTES, WINDOWS_PER_GROUP, Stage, TrainSettings, ViewSettings

if TYPE_CHECKING:
    from hbac.network.families import Family
    from hbac.preprocessing.preset import Preset

MIXUP_ALPHA = 0.3
DROPOUT = 0.2
MIXUP = "mixup"
SWITCHES = {  # of augmentations, beside mixup: as --without names them, and the chance that each sets to 0
    "flip": "flip",
    "frequency_mask": "mask_frequencies",
    "time_mask": "mask_times",
    "time_shift": "shift_time",
    "file_drop": "drop_file",
    "shortening": "shorten",
    "gain": "change_gain",
}
PRECISIONS = ("float32", "mixed_float16")


@dataclass(frozen=True)
class TrainOptions:
    """A training run; see `hbac train --help`. `check` refuses what does not fit together."""

    data: Path
    output: Path
    family: str = RESNET50  # of networks
    width: int = FULL_WIDTH
    preprocessing: str = THREE_ZOOMS_2
    fold_count: int = 5
    folds: tuple[int, ...] | None = None  # to train now; None for all
    epochs: tuple[int, ...] = (6, 4)  # of the two stages, as are the next two
    learning_rates: tuple[float, ...] = (2e-3, 2e-4)
    row_steps: tuple[int, ...] = (1, 1)
    batch_size: int = 16
    imagenet: Path | None = None
    start: tuple[Path, ...] = ()
    freeze_normalisation: bool = False
    take_from: tuple[Path, ...] = ()
    beside: Path | None = None
    time_budget_s: float | None = None
    resume: bool = False
    seed: int = 0
    without: tuple[str, ...] = ()
    workers: int = 2
    gpus: tuple[str, ...] = ()
    precision: str = "float32"
    name: str = "fold"
    title: str = "ResNet50 folds"
    windows_per_group: int = WINDOWS_PER_GROUP  # from here on settings of kernel/train.py, with no option of their own
    scored_votes: int = SCORED_VOTES
    mixup_alpha: float = MIXUP_ALPHA
    dropout: float = DROPOUT

    def preset(self) -> "Preset":
        """What makes the inputs of records."""
        from hbac.preprocessing.presets import preset_named  # a command line that only lists names loads no SciPy

        return preset_named(self.preprocessing)

    def network(self) -> NetworkSettings:
        """The network that the folds are, without what only training has."""
        return NetworkSettings(width=self.width, input_shape=self.preset().shape, family=self.family)

    def network_title(self) -> str:
        """It in words."""
        return f"{_family(self.family).title} of width {self.width}"

    def settings(self) -> TrainSettings:
        """What defines the training of each fold."""
        off: dict[str, Any] = {chance: 0.0 for name, chance in SWITCHES.items() if name in self.without}
        fewest_votes = (1, self.scored_votes)  # stage 1 sees all rows, stage 2 the scored ones
        return TrainSettings(
            network=replace(self.network(), dropout=self.dropout),
            stages=tuple(map(Stage, self.epochs, self.learning_rates, fewest_votes, self.row_steps)),
            views=ViewSettings(**off),
            mixup_alpha=0.0 if MIXUP in self.without else self.mixup_alpha,
            batch_size=self.batch_size,
            seed=self.seed,
            precision=self.precision,
            freeze_normalisation=self.freeze_normalisation,
        )

    def fold_names(self) -> list[str]:
        """Names of all folds: fold0, fold1 ..."""
        return [f"{self.name}{fold}" for fold in range(self.fold_count)]

    def fold_files(self) -> list[FoldFiles]:
        """Where each of them lies."""
        return [FoldFiles.named(self.output, name) for name in self.fold_names()]

    def folds_to_train(self) -> list[int]:
        """Numbers of the folds to train now."""
        return list(range(self.fold_count)) if self.folds is None else list(self.folds)

    def files_to_start_from(self) -> tuple[Path, ...]:
        """Checkpoints whose weights the folds start from."""
        return self.start or ((self.imagenet,) if self.imagenet else ())

    def check(self) -> None:
        """Refuse what does not fit together.

        Raises:
            InputError: an option is out of its range, or two exclude each other.
        """
        if unknown := set(self.without) - {*SWITCHES, MIXUP}:
            raise InputError(
                f"--without: expected some of {MIXUP}, {', '.join(SWITCHES)}, received {', '.join(sorted(unknown))}"
            )
        for name in ("epochs", "learning_rates", "row_steps"):
            pair = getattr(self, name)
            if len(pair) != 2 or min(pair) < 0:
                raise InputError(f"--{name.replace('_', '-')}: expected two numbers from 0, received {list(pair)}")
        if not sum(self.epochs) or not all(self.row_steps):
            raise InputError(
                f"--epochs, --row-steps: expected an epoch and row steps from 1, received {self.epochs} and {self.row_steps}"
            )
        from hbac.preprocessing.preset import IMAGE_AXES

        waveform = len(self.preset().shape) < IMAGE_AXES
        if waveform and max(self.row_steps) > 1:
            raise InputError(
                f"--row-steps: expected 1,1 with --preprocessing {self.preprocessing}, whose rows are moments, "
                f"received {self.row_steps}"
            )
        for name in ("width", "batch_size", "workers"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')}: expected 1 or more, received {getattr(self, name)}")
        self._check_start()
        self._check_folds()
        self._check_network()

    def _check_network(self) -> None:
        from hbac.network.families import shapes

        try:
            shapes(self.network())
        except InputError as error:
            raise InputError(
                f"--network {self.family}, --preprocessing {self.preprocessing}: expected an input that the network "
                f"takes, received {self.preset().shape}: {error}"
            ) from error

    def _check_start(self) -> None:
        if self.start and self.imagenet:
            raise InputError("--start, --imagenet: expected one of them, received both")
        if self.freeze_normalisation and not self.start:
            raise InputError("--freeze-normalisation: expected --start, whose normalisation is kept")

        if not self.imagenet:
            return
        with_one = [name for name in FAMILY_NAMES if _family(name).imagenet]
        if self.family not in with_one:
            raise InputError(f"--imagenet: expected --network {' or '.join(with_one)}, received {self.family}")
        if self.width != FULL_WIDTH:
            raise InputError(f"--imagenet: expected --width {FULL_WIDTH}, as its weights are, received {self.width}")

    def _check_folds(self) -> None:
        if self.folds is None:
            return
        if not set(self.folds) <= set(range(self.fold_count)):
            raise InputError(f"--folds: expected some of 0 to {self.fold_count - 1}, received {list(self.folds)}")
        if len(set(self.folds)) < len(self.folds):
            raise InputError(f"--folds: expected each once, received {list(self.folds)}")


def parser_of(program: str, attached: Sequence[Path] = ()) -> argparse.ArgumentParser:
    """A parser with the options of a training run alone."""
    parser = argparse.ArgumentParser(prog=program, description="Train the folds: from train.csv to a manifest.")
    add_options(parser, attached)
    return parser


def add_options(parser: argparse.ArgumentParser, attached: Sequence[Path] = ()) -> None:
    """Add the options of a training run.

    Args:
        parser: takes them.
        attached: on Kaggle, folders of what is attached: data, output and budget then have defaults.
    """
    add = parser.add_argument
    add("--data", type=Path, required=not attached, metavar="DIR", help="folder with train.csv, train_eegs/ ...")
    add("--output", type=Path, required=not attached, metavar="DIR", help="folder for folds and images")
    add(
        "--network",
        choices=FAMILY_NAMES,
        default=RESNET50,
        metavar="NAME",
        dest="family",
        help=f"{', '.join(FAMILY_NAMES)} [%(default)s]",
    )
    add("--width", type=int, default=FULL_WIDTH, help="of the network [%(default)s: the full one]")
    add(
        "--preprocessing",
        choices=PRESET_NAMES,
        metavar="PRESET",
        help=f"{', '.join(PRESET_NAMES)}",
    )
    add("--fold-count", type=int, default=5, metavar="N", help="folds in all [%(default)s]")
    add("--folds", type=_numbers, metavar="0,2", help="those to train now, '' for none [all]")
    add("--resume", action="store_true", help="go on with the run in --output")
    add("--from", type=Path, nargs="+", default=(), dest="take_from", metavar="DIR", help="outputs to take folds from")
    add("--time-budget", metavar="8h30m", help="no epoch starts that would run past it [on Kaggle 8h30m]")
    _add_recipe(parser.add_argument_group("what is trained"))
    _add_machine(parser.add_argument_group("the machine, the names"))


def _add_recipe(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--epochs", type=_numbers, default=(6, 4), metavar="6,4", help="of stage 1 and stage 2 [6,4]")
    add("--learning-rates", type=_rates, default=(2e-3, 2e-4), metavar="2e-3,2e-4", help="their peaks [2e-3,2e-4]")
    add("--row-steps", type=_numbers, default=(1, 1), metavar="2,1", help="2: every second row of the images [1,1]")
    add("--batch-size", type=int, default=16, metavar="N", help="[%(default)s]")
    imagenet = "ImageNet's notop file, to start from [on Kaggle the attached one of the network]"
    add("--imagenet", type=Path, metavar="FILE", help=imagenet)
    start = "earlier .safetensors folds of the same width to start from, of several their mean"
    add("--start", type=Path, nargs="+", default=(), metavar="FILE", help=start)
    add("--freeze-normalisation", action="store_true", help="keep --start's, where it has learnt from much more data")
    add("--without", type=_words, default=(), metavar="mixup,flip", help="augmentations to switch off")
    add("--seed", type=int, default=0, help="[%(default)s]")


def _add_machine(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--workers", type=int, default=2, metavar="N", help="processes that make images [%(default)s]")
    add("--gpus", type=_words, metavar="0,1", help="those to use, '' for none [all]")
    add("--precision", choices=PRECISIONS, help="[mixed_float16 on a GPU]")
    add("--beside", type=Path, metavar="DIR", help="another data set, whose records the report shows beside")
    add("--name", default="fold", help="start of the checkpoints' names [%(default)s]")
    add("--title", help="what the manifest says they are [ResNet50 folds]")


def options_of(parsed: argparse.Namespace, attached: Sequence[Path] = ()) -> TrainOptions:
    """The options that a parser with `add_options` has read, with defaults from the machine and from what is attached.

    Raises:
        InputError: they do not fit together, or the competition's data is attached not at all or twice.
    """
    budget = parsed.time_budget or (kaggle.TIME_BUDGET if attached else None)
    gpus = visible_gpus() if parsed.gpus is None else parsed.gpus
    found = {
        "data": parsed.data or kaggle.find_train_data(attached),
        "output": parsed.output or Path.cwd(),
        "take_from": tuple(parsed.take_from) or kaggle.find_earlier_sessions(attached),
        "start": tuple(parsed.start),
        "imagenet": parsed.imagenet or _attached_imagenet(parsed, attached),
        "preprocessing": parsed.preprocessing or _family(parsed.family).preset,
        "title": parsed.title or f"{_family(parsed.family).title} folds",
        "time_budget_s": parse_duration(budget) if budget else None,
        "gpus": gpus,
        "precision": parsed.precision or PRECISIONS[bool(gpus)],
    }
    names = {entry.name for entry in fields(TrainOptions)} & vars(parsed).keys()
    options = TrainOptions(**{**{name: getattr(parsed, name) for name in names}, **found})
    options.check()
    return options


def _family(name: str) -> "Family":
    from hbac.network.families import FAMILIES  # with NumPy, which a command line that is only read does not need

    return FAMILIES[name]


def _attached_imagenet(parsed: argparse.Namespace, attached: Sequence[Path]) -> Path | None:
    """The network's file of ImageNet weights, if it is attached and fits, and nothing else to start from is stated."""
    imagenet = _family(parsed.family).imagenet
    if imagenet is None or parsed.start or parsed.width != FULL_WIDTH:
        return None
    return kaggle.find_imagenet(attached, imagenet.file, imagenet.md5)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)


def _rates(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split(","))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)
