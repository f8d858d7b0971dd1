"""The options of a training run: what the machine and Kaggle add to them, and what does not fit together."""

import argparse
import hashlib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from hbac.errors import InputError
from hbac.network.families import FAMILIES
from hbac.network.settings import NetworkSettings
from hbac.training.options import SWITCHES, TrainOptions, options_of, parser_of
from hbac.training.schedule import ViewSettings
from hbac.training.start import start_described

OPTIONS = TrainOptions(data=Path("d"), output=Path("o"))
HOME = ["--data", "d", "--output", "o", "--gpus", ""]


def parsed(*arguments: str, attached: tuple[Path, ...] = ()) -> TrainOptions:
    return options_of(parser_of("train.py", attached).parse_args(arguments), attached)


def test_the_defaults_of_the_command_line_are_those_of_python() -> None:
    assert parsed(*HOME) == OPTIONS


def test_every_option_arrives() -> None:
    text = "--network densenet121 --width 8 --preprocessing starter-v1 --fold-count 3 --folds 0,2 --epochs 1,0 --learning-rates 1e-3,1e-4 --row-steps 2,1 --batch-size 4 "
    text += "--start a b --freeze-normalisation --from f g --beside x --time-budget 90m --resume --seed 7 "
    text += "--without mixup,flip --workers 3 --precision mixed_float16 --name n --title t"
    received = parsed(*HOME, *text.split())
    assert received == replace(
        OPTIONS,
        family="densenet121",
        width=8,
        preprocessing="starter-v1",
        fold_count=3,
        folds=(0, 2),
        epochs=(1, 0),
        learning_rates=(1e-3, 1e-4),
        row_steps=(2, 1),
        batch_size=4,
        start=(Path("a"), Path("b")),
        freeze_normalisation=True,
        take_from=(Path("f"), Path("g")),
        beside=Path("x"),
        time_budget_s=5400.0,
        resume=True,
        seed=7,
        without=("mixup", "flip"),
        workers=3,
        precision="mixed_float16",
        name="n",
        title="t",
    )
    assert parsed(*HOME, "--imagenet", "i").files_to_start_from() == (Path("i"),)


def test_a_network_brings_its_preset_and_its_name() -> None:
    received = parsed(*HOME, "--network", "eeg1d")
    assert received == replace(OPTIONS, family="eeg1d", preprocessing="raw-v1", title="eeg1d folds")
    assert received.network() == NetworkSettings(input_shape=(2000, 16), family="eeg1d")
    received = parsed(*HOME, "--network", "efficientnetv2-b3", "--preprocessing", "spectrograms8-v1")
    assert received.title == "EfficientNetV2-B3 folds"
    assert received.network() == NetworkSettings(input_shape=(128, 256, 8), family="efficientnetv2-b3")


def notop(folder: Path, monkeypatch: pytest.MonkeyPatch, family: str = "densenet121") -> Path:
    """A stand-in for the network's file of ImageNet weights, and its digest in the table."""
    folder.mkdir(exist_ok=True)
    imagenet = FAMILIES[family].imagenet
    assert imagenet is not None
    (folder / imagenet.file).write_bytes(family.encode())
    md5 = hashlib.md5(family.encode()).hexdigest()
    monkeypatch.setitem(FAMILIES, family, replace(FAMILIES[family], imagenet=replace(imagenet, md5=md5)))
    return folder / imagenet.file


def test_the_attached_imagenet_file_of_the_network_is_what_it_starts_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = notop(tmp_path / "a", monkeypatch)
    attached = (tmp_path / "a", tmp_path / "b")
    ask = (*HOME, "--network", "densenet121")
    received = parsed(*ask, attached=attached)
    assert received.files_to_start_from() == (file,)
    assert "from ImageNet's weights, densenet121_weights" in start_described(received)
    assert "as Keras states" in start_described(received)
    for other in (("--network", "resnet50"), ("--network", "eeg1d"), ("--width", "32"), ("--start", "x")):
        assert parsed(*ask, *other, attached=attached).imagenet is None
    assert parsed(*ask, "--imagenet", "typed", attached=attached).imagenet == Path("typed")
    notop(tmp_path / "b", monkeypatch)
    with pytest.raises(InputError, match=f"once, received {tmp_path}/a/densenet121.*, {tmp_path}/b/densenet121"):
        parsed(*ask, attached=attached)
    file.write_bytes(b"another")
    with pytest.raises(InputError, match="expected the file of MD5"):
        parsed(*ask, attached=attached[:1])


def test_what_a_run_starts_from_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = start_described(parsed(*HOME))
    assert said == "from scratch, without resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert start_described(parsed(*HOME, "--width", "8")) == "from scratch, as ImageNet has weights of width 64 alone"
    assert start_described(parsed(*HOME, "--network", "eeg1d")) == "from scratch"
    assert start_described(parsed(*HOME, "--start", "a/x", "y")) == "from the mean of x, y"
    assert start_described(parsed(*HOME, "--start", "a/x")) == "from x"
    file = notop(tmp_path, monkeypatch, "efficientnetv2-b0")
    ask = ("--network", "efficientnetv2-b0", "--imagenet", str(file), "--preprocessing", "spectrograms8-v1")
    said = start_described(parsed(*HOME, *ask))
    assert "layers that normalise images are left out" in said
    assert said.endswith("its first kernel's mean over 3 channels stands for each of 8")
    file.write_bytes(b"another")
    assert f"(MD5 {hashlib.md5(b'another').hexdigest()}, not the " in start_described(parsed(*HOME, *ask))


def test_at_home_data_and_output_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser_of("train.py").parse_args([])
    assert "--data, --output" in capsys.readouterr().err


def test_on_kaggle_the_attached_data_and_earlier_sessions_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data, earlier = tmp_path / "hms", tmp_path / "hbac-train"
    (data / "train_eegs").mkdir(parents=True)
    (data / "train.csv").touch()
    earlier.mkdir()
    (earlier / "run.json").touch()
    received = parsed("--gpus", "", attached=(data, earlier))
    assert (received.data, received.output, received.take_from) == (data, tmp_path, (earlier,))
    assert received.time_budget_s == 8.5 * 3600


def test_a_gpu_computes_in_float16_unless_told_otherwise() -> None:
    assert parsed(*HOME[:-1], "0,1").gpus == ("0", "1")
    assert parsed(*HOME[:-1], "0").precision == "mixed_float16"
    assert parsed(*HOME[:-1], "0", "--precision", "float32").precision == "float32"
    assert parsed(*HOME).precision == "float32"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"without": ("flip", "blur")}, "--without: expected some of mixup, flip, .*, received blur"),
        ({"epochs": (1,)}, "--epochs: expected two numbers"),
        ({"epochs": (1, -1)}, "--epochs: expected two numbers from 0"),
        ({"learning_rates": (1e-3, 1e-4, 1e-5)}, "--learning-rates: expected two numbers"),
        ({"epochs": (0, 0)}, "expected an epoch"),
        ({"row_steps": (2, 1), "preprocessing": "raw-v1"}, "--row-steps: expected 1,1 with --preprocessing raw-v1"),
        ({"preprocessing": "raw"}, "preprocessing: expected one of .*, received 'raw'"),
        ({"row_steps": (0, 1)}, "row steps from 1"),
        ({"width": 0}, "--width: expected 1 or more, received 0"),
        ({"batch_size": 0}, "--batch-size: expected 1 or more, received 0"),
        ({"workers": 0}, "--workers: expected 1 or more, received 0"),
        ({"start": (Path("a"),), "imagenet": Path("b")}, "--start, --imagenet: expected one of them"),
        ({"family": "eeg1d"}, r"--network eeg1d, --preprocessing three-zooms-v2: .* received \(400, 300, 3\)"),
        ({"preprocessing": "raw-v1"}, r"--network resnet50, --preprocessing raw-v1: .*, received \(2000, 16\)"),
        ({"family": "eeg1d", "preprocessing": "waveform8-v1"}, r"received \(2000, 8\): eeg1d: expected an input"),
        ({"imagenet": Path("a"), "width": 32}, "--imagenet: expected --width 64, .* received 32"),
        (
            {"imagenet": Path("a"), "family": "eeg1d", "preprocessing": "raw-v1"},
            "--imagenet: expected --network resnet50 or",
        ),
        ({"freeze_normalisation": True}, "--freeze-normalisation: expected --start"),
        ({"folds": (0, 5)}, r"--folds: expected some of 0 to 4, received \[0, 5\]"),
        ({"folds": (1, 1)}, "--folds: expected each once"),
    ],
)
def test_what_does_not_fit_together_is_named(changed: dict[str, Any], said: str) -> None:
    OPTIONS.check()
    with pytest.raises(InputError, match=said):
        replace(OPTIONS, **changed).check()


def test_each_switch_turns_one_view_off() -> None:
    chances = {entry.name for entry in fields(ViewSettings) if 0 < entry.default <= 1} - {
        "longest_shift_s",
        "gain_log_spread",
    }
    assert set(SWITCHES.values()) == chances
    for switch, chance in SWITCHES.items():
        views = replace(OPTIONS, without=(switch,)).settings().views
        assert views == replace(ViewSettings(), **{chance: 0.0})  # type: ignore[arg-type]
    assert replace(OPTIONS, without=("mixup",)).settings().mixup_alpha == 0
    assert OPTIONS.settings().mixup_alpha > 0


def test_the_stages_see_all_rows_and_then_the_scored_ones() -> None:
    stages = (
        replace(OPTIONS, epochs=(3, 2), learning_rates=(1e-3, 1e-4), row_steps=(2, 1), scored_votes=7).settings().stages
    )
    assert [(s.epochs, s.learning_rate, s.row_step, s.fewest_votes) for s in stages] == [
        (3, 1e-3, 2, 1),
        (2, 1e-4, 1, 7),
    ]


def test_without_folds_none_is_trained() -> None:
    assert parsed(*HOME, "--folds", "").folds_to_train() == []
    assert parsed(*HOME).folds_to_train() == [0, 1, 2, 3, 4]
    assert [files.state.name for files in parsed(*HOME, "--name", "x").fold_files()][:2] == ["x0.state", "x1.state"]


def test_help_shows_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    parser = parser_of("train.py")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    shown = capsys.readouterr().out
    options = [option for action in parser._actions for option in action.option_strings]
    assert len(options) > 20
    assert [option for option in options if option not in shown] == []
    assert isinstance(parser, argparse.ArgumentParser)
