"""The command line: `hbac predict | scan | scan-bids | summarise | check | doctor | simulate | train | adapt | verify | weights`; thin."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hbac.blending.commands import add_blend_options
from hbac.errors import HbacError
from hbac.files import is_standard_output
from hbac.kaggle import MANIFEST_NAME
from hbac.machine.cores import usable_cores
from hbac.machine.environment import settle
from hbac.machine.packages import OF_READERS, OF_RUN, OF_TRAINING, need
from hbac.network.settings import AUTO, ENGINES, FAMILY_NAMES, FULL_WIDTH, RESNET50
from hbac.preprocessing.names import PRESET_NAMES
from hbac.recordings.commands import add_scan_options, run_scan
from hbac.recordings.commands_bids import add_bids_options, run_bids
from hbac.recordings.commands_summarise import add_summarise_options, run_summarise
from hbac.simulation.commands import add_simulate_options, run_simulate
from hbac.streams import tolerant_streams
from hbac.training.options import add_options as add_train_options
from hbac.training.options import options_of
from hbac.version import __version__

LISTED = 5  # rows that the closing summary names before it refers to the report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 for success, 2 for anything that the user has to mend, with one clear line on stderr."""
    return reported(lambda: run(arguments))


def run(arguments: Sequence[str] | None = None) -> None:
    """Run one command.

    Raises:
        HbacError: what the user has to mend.
    """
    options = parser().parse_args(arguments)
    settle()
    need(*options.packages)
    options.run(options)


def reported(call: Callable[[], None]) -> int:
    """Call; what the user has to mend is one clear line on stderr. The exit code."""
    with tolerant_streams():
        try:
            call()
        except (HbacError, OSError) as error:
            print(f"hbac: error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("hbac: stopped; --resume goes on from here", file=sys.stderr)
            return 130
        return 0


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command."""
    whole = argparse.ArgumentParser(prog="hbac", description="Harmful brain activity from EEG, offline.")
    whole.add_argument("--version", action="version", version=f"hbac {__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    _predict_parser(commands.add_parser("predict", help="answer a test folder: submission.csv"))
    scan = commands.add_parser("scan", help="answer whole recordings, every few seconds")
    add_scan_options(scan)
    scan.set_defaults(run=run_scan, packages=OF_RUN)
    bids = commands.add_parser("scan-bids", help="the same for a BIDS data set, as a BIDS app")
    add_bids_options(bids)
    bids.set_defaults(run=run_bids, packages=OF_RUN)
    summarise = commands.add_parser("summarise", help="one table and one page of all recordings that were scanned")
    add_summarise_options(summarise)
    summarise.set_defaults(run=run_summarise, packages=(*OF_READERS, "pandas"))
    check = commands.add_parser("check", help="check a submission by Kaggle's rules")
    check.add_argument("submission", type=Path)
    check.add_argument("--test-dir", type=Path, required=True, metavar="DIR")
    check.set_defaults(run=_check, packages=("numpy", "pyarrow", "pandas"))
    simulate = commands.add_parser("simulate", help="write a data set in the competition's format, or a long recording")
    add_simulate_options(simulate)
    simulate.set_defaults(run=run_simulate, packages=(*OF_READERS, "pandas", "tqdm"))
    train = commands.add_parser("train", help="train folds: from train.csv to a manifest")
    add_train_options(train)
    train.set_defaults(run=_train, packages=OF_TRAINING)
    _adapt_parser(commands.add_parser("adapt", help="fit folds to EEG of your own, with labels or without"))
    verify = commands.add_parser("verify", help="check a manifest, its folds and their golden answers")
    verify.add_argument("manifest", type=Path)
    verify.set_defaults(run=_verify, packages=OF_RUN)
    _doctor_parser(commands.add_parser("doctor", help="what a run would find on this machine, before it runs"))
    _weights_parser(commands.add_parser("weights", help="import, export, or list folds in a manifest"))
    return whole


def _predict_parser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--test-dir", type=Path, required=True, metavar="DIR", help="folder with test.csv, test_eegs/ ...")
    add("--manifest", type=Path, default=Path(MANIFEST_NAME), metavar="FILE", help="folds to use [%(default)s]")
    output = "submission to write [%(default)s]"
    add("--output", type=_file, default=Path("submission.csv"), metavar="FILE", help=output)
    batch = "records a batch on GPUs [32]; on CPU each is computed alone"
    add("--batch-size", type=int, metavar="N", help=batch)
    workers = min(4, usable_cores())
    add("--workers", type=int, default=workers, metavar="N", help="processes that read records [%(default)s]")
    add("--strict", action="store_true", help="a record that is not read whole is an error")
    sha256 = "list of the inputs as sha256sum writes it; a file that differs is not read, a line of no file is an error"
    add("--sha256", type=Path, metavar="FILE", help=sha256)
    add("--resume", action="store_true", help="go on after a kill, from the journal beside the output")
    budget = "end within this time: drop flips, then folds, for the remaining records"
    add("--time-budget", metavar="8h30m", help=budget)
    flip = "also answer each record with left and right exchanged, and average"
    add("--flip-tta", action="store_true", help=flip)
    prior = "class mix that the answers are for: train, uniform, estimate (the test set's own), or a file of six shares [train]"
    add("--prior", default="train", metavar="WHICH", help=prior)
    engine = "what computes the network [openvino where it is installed and no GPU is there, else tensorflow]"
    add("--engine", choices=ENGINES, default=AUTO, help=engine)
    add("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=_predict, packages=OF_RUN)


def _doctor_parser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--test-dir", type=Path, metavar="DIR", help="as of predict: its table, its files, its first record")
    add("--manifest", type=Path, metavar="FILE", help="folds to verify")
    add("--data", type=Path, metavar="DIR", help="as of train: its table, its files, room for its images")
    add("--json", action="store_true", help="points as JSON, for programs")
    parser.set_defaults(run=_doctor, packages=())


def _adapt_parser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("manifest", type=Path, help="folds to start from; they stay as they are")
    data = "folder of EEG files (*.parquet or eegs/*.parquet), or a test folder"
    add("--data", type=Path, required=True, metavar="DIR", help=data)
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the new manifest and its folds")
    labels = "CSV: sample or eeg_id; six vote columns or class; perhaps patient"
    add("--labels", type=Path, metavar="CSV", help=labels)
    add("--note", default="", metavar="TEXT", help="goes into the manifest")
    simulated = "simulated records that show what was forgotten; 0 for none [%(default)s]"
    add("--simulated", type=int, default=60, metavar="N", help=simulated)
    parser.set_defaults(run=_adapt, packages=OF_RUN)


def _weights_parser(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    importer = actions.add_parser("import", help="a Keras model, or ResNet50's weights, to .safetensors")
    importer.add_argument("source", type=Path)
    importer.add_argument("output", type=_file, help="a name ending in .safetensors")
    width = "of the ResNet50 that it has to be [64 for weights alone; a whole model may be any network]"
    importer.add_argument("--width", type=int, help=width)
    graph = "for a network that is not ResNet50: its graph, which all its folds share [beside the output]"
    importer.add_argument("--graph", type=_file, metavar="FILE", help=graph)
    importer.add_argument(
        "--no-head", action="store_true", help="a backbone without the layer of logits, as ImageNet's file"
    )
    importer.add_argument("--float16", action="store_true", help="half the size")
    importer.set_defaults(run=_import, packages=("numpy", "safetensors", "h5py"))
    exporter = actions.add_parser("export", help="a fold as a .keras file for plain Keras")
    exporter.add_argument("manifest", type=Path)
    exporter.add_argument("output", type=_file, help="a name ending in .keras")
    exporter.add_argument(
        "--fold", type=int, default=0, metavar="K", help="number in the manifest, from 0 [%(default)s]"
    )
    exporter.add_argument("--member", metavar="NAME", help="of a mixed ensemble, whose fold K it is")
    exporter.set_defaults(run=_export, packages=(*OF_READERS, "safetensors"))
    writer = actions.add_parser("manifest", help="write a manifest for checkpoints made elsewhere")
    writer.add_argument(
        "folds",
        type=Path,
        nargs="+",
        help=".safetensors, .keras or .weights.h5 files, beside the manifest or one folder down",
    )
    writer.add_argument("--output", type=_file, default=Path("weights_manifest.json"), metavar="FILE")
    writer.add_argument(
        "--preprocessing", required=True, metavar="PRESET", help=f"they were trained on: {', '.join(PRESET_NAMES)}"
    )
    writer.add_argument("--network", choices=FAMILY_NAMES, default=RESNET50, metavar="NAME", help="[%(default)s]")
    writer.add_argument("--width", type=int, default=FULL_WIDTH, help="of the network [%(default)s: the full one]")
    graph = "instead of --network, its graph, as import writes it, beside the manifest or one folder down"
    writer.add_argument("--graph", type=Path, metavar="FILE", help=graph)
    writer.add_argument("--temperature", type=float, default=1.0, help="that their logits are divided by [%(default)s]")
    writer.add_argument("--title", help="what they are [ResNet50 folds]")
    writer.set_defaults(run=_manifest, packages=(*OF_READERS, "safetensors"))
    mixer = actions.add_parser("prior", help="folds that by default answer for another class mix")
    mixer.add_argument("manifest", type=Path)
    mixer.add_argument("mix", help="competition, uniform, or a file of six shares")
    mixer.add_argument("--output", type=Path, required=True, metavar="DIR", help="where to write folds and manifest")
    mixer.set_defaults(run=_mix, packages=OF_RUN)
    add_blend_options(actions.add_parser("blend", help="several trainings to one mixed ensemble"))


def _file(text: str) -> Path:
    """A path that is to be written; one that ends as a folder's does is none, and `Path` would drop that end."""
    if text.endswith(("/", os.sep)) or not text:
        raise argparse.ArgumentTypeError(f"expected the name of a file, received {text!r}")
    return Path(text)


def _predict(options: argparse.Namespace) -> None:
    started_s = time.monotonic()  # before the imports, which take seconds on a busy machine
    from hbac.durations import parse_duration
    from hbac.inference.run import RunSettings, predict

    summary = predict(
        RunSettings(
            test_dir=options.test_dir,
            manifest=options.manifest,
            output=options.output,
            batch_size=options.batch_size,
            workers=options.workers,
            strict=options.strict,
            resume=options.resume,
            time_budget_s=parse_duration(options.time_budget) if options.time_budget else None,
            flip_tta=options.flip_tta,
            prior=options.prior,
            engine=options.engine,
            sha256_list=options.sha256,
            progress=not options.quiet,
            started_s=started_s,
        )
    )
    lines = list(summary.notes)
    lines += [
        f"eeg_id {problem.eeg_id}: {problem.status}: {'; '.join(problem.notes) or 'no more time'}"
        for problem in summary.problems[: LISTED if summary.report else None]
    ]
    if summary.report and len(summary.problems) > LISTED:
        lines.append(f"... and {len(summary.problems) - LISTED} more such rows in {summary.report}")
    lines.append(summary.prior.line())
    stream = sys.stderr if is_standard_output(options.output) else sys.stdout  # nothing stands behind a table's rows
    print(*lines, summary.line(), sep="\n", file=stream)


def _check(options: argparse.Namespace) -> None:
    from hbac.errors import InputError
    from hbac.inference.submission import check_submission, differs_from_template, order_of_rows
    from hbac.records.tables import read_test_table

    ids = order_of_rows([record.eeg_id for record in read_test_table(options.test_dir)], options.test_dir)
    if difference := differs_from_template(ids, options.test_dir):
        raise InputError(difference)
    table = check_submission(options.submission, ids)
    print(f"{options.submission}: {len(table)} rows, valid by Kaggle's rules")


def _train(options: argparse.Namespace) -> None:
    from hbac.training.run import train

    train(options_of(options))


def _adapt(options: argparse.Namespace) -> None:
    from hbac.adaptation.run import adapt

    adapt(options.manifest, options.data, options.output, options.labels, options.note, options.simulated)


def _verify(options: argparse.Namespace) -> None:
    from hbac.ensemble.verify_command import verify

    print(*verify(options.manifest), sep="\n")


def _doctor(options: argparse.Namespace) -> None:
    from hbac.doctor.ask import examine
    from hbac.doctor.points import FAULT

    points = []
    for point in examine(options.test_dir, options.manifest, options.data):
        points.append(point)
        if not options.json:
            print(point.line(), flush=True)
    if options.json:
        print(json.dumps([vars(point) for point in points], indent=1))
    if any(point.state == FAULT for point in points):
        raise SystemExit(1)


def _import(options: argparse.Namespace) -> None:
    import numpy as np

    from hbac.weights.import_command import import_file

    dtype = np.float16 if options.float16 else np.float32
    print(import_file(options.source, options.output, options.width, not options.no_head, options.graph, dtype))


def _export(options: argparse.Namespace) -> None:
    from hbac.weights.export_command import export_fold

    print(export_fold(options.manifest, options.output, options.fold, options.member))


def _mix(options: argparse.Namespace) -> None:
    from hbac.adaptation.mix import write_for_mix

    print(write_for_mix(options.manifest, options.mix, options.output))


def _manifest(options: argparse.Namespace) -> None:
    from hbac.errors import InputError
    from hbac.network.families import FAMILIES
    from hbac.network.settings import NetworkSettings
    from hbac.network.tensorflow_engine import TensorFlowEngine
    from hbac.preprocessing.presets import PRESETS
    from hbac.weights.checkpoints import Checkpoint, new_manifest
    from hbac.weights.manifest import write_manifest
    from hbac.weights.networks import network_of_graph

    if options.output.suffix != ".json":  # a fold's name in the wrong place
        raise InputError(f"{options.output}: expected a name ending in .json")
    if options.preprocessing not in PRESETS:
        raise InputError(f"--preprocessing: expected one of {sorted(PRESETS)}, received {options.preprocessing!r}")
    preset = PRESETS[options.preprocessing]
    folder = options.output.parent
    network = (
        network_of_graph(options.graph, folder, preset)
        if options.graph
        else NetworkSettings(width=options.width, input_shape=preset.shape, family=options.network)
    )
    manifest = new_manifest(
        [Checkpoint(path) for path in options.folds],
        folder,
        options.title or f"{'Imported' if options.graph else FAMILIES[options.network].title} folds",
        preset,
        network,
        TensorFlowEngine(network),
        options.temperature,
    )
    write_manifest(manifest, options.output)
    print(f"{options.output}: {len(manifest.folds)} folds")
