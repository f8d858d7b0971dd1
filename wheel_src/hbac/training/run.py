"""A training run, from train.csv to a manifest, in five steps: rows, images, folds, out-of-fold predictions, manifest.

`kernel/train.py` tells the same story with its settings at the top.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hbac import hms
from hbac.files import sha256_of
from hbac.kaggle import MANIFEST_NAME
from hbac.machine.environment import settle
from hbac.machine.packages import OF_TRAINING, need
from hbac.network.quiet import import_keras
from hbac.network.tensorflow_engine import TensorFlowEngine
from hbac.records.folders import where_looked
from hbac.streams import open_closed_descriptors, say
from hbac.training import out_of_fold
from hbac.training.cache import cache_bytes, make_cache, open_cache
from hbac.training.devices import check_gpus, on_each_gpu, use_gpus
from hbac.training.fold import train_fold
from hbac.training.options import TrainOptions
from hbac.training.rows import RowNumbers, Rows, Split, TrainData, patient_folds, read_rows
from hbac.training.schedule import EpochBudget
from hbac.training.start import start_described
from hbac.training.start import start_weights as start_weights
from hbac.training.state import claim_folder, take_folds
from hbac.weights.checkpoints import Checkpoint, new_manifest
from hbac.weights.manifest import write_manifest

STATED_OPTIONS = (  # in the manifest, for readers
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

Log = Callable[[str], None]


def _print(line: str) -> None:
    say(line, sys.stdout)


def train(options: TrainOptions, log: Log = _print) -> Path:
    """Train the folds that are asked for and describe all that are there; the manifest's path.

    Raises:
        InputError: data, options or the output folder do not fit.
        OutputError: a file cannot be written.
        WeightsError: a checkpoint to start from is none of this network.
        HbacError: training does not converge, or a GPU's process failed.
    """
    open_closed_descriptors()
    settle()
    need(*OF_TRAINING)
    use_gpus(options.gpus)
    budget = EpochBudget(options.time_budget_s)
    rows = read_rows(options.data, options.windows_per_group)
    claim_output(options, rows, log)
    data, readable = make_images(options, rows, log)
    splits = split_by_patient(options, rows, data, readable)
    train_folds(options, data, splits, budget, log)
    result = evaluate_folds(options, rows, data, splits, log)
    return describe_folds(options, data, result, log)


def claim_output(options: TrainOptions, rows: Rows, log: Log = _print) -> None:
    """Make sure that the output folder holds this very run, and take over folds of other sessions.

    Raises:
        InputError: it holds another run, or this one and `resume` is not asked for; or `beside` is no data set.
        OutputError: it cannot be written.
        MachineError: TensorFlow or Keras cannot be used.
    """
    import_keras()  # the last to be needed says now that it does not work
    check_gpus(options.gpus, options.precision)
    if options.beside:
        read_rows(options.beside)  # what is wrong with it shows before hours of training, not after
    options.output.mkdir(parents=True, exist_ok=True)
    run = _definition(options, rows)
    claim_folder(options.output, run, options.resume)
    for name in take_folds(options.take_from, options.output, run, options.fold_names()):
        log(f"{name}: taken over")
    log(f"{options.network_title()}: {start_described(options)}")


def _definition(options: TrainOptions, rows: Rows) -> dict[str, Any]:
    """What tells this run from others; precision may differ between its sessions."""
    settings = {name: value for name, value in vars(options.settings()).items() if name != "precision"}
    start = " ".join(sha256_of(file) for file in options.files_to_start_from())
    preprocessing = options.preset().digest()
    return {
        **settings,
        "preprocessing": preprocessing,
        "fold count": options.fold_count,
        "rows": rows.identity(),
        "start": start,
    }


def make_images(
    options: TrainOptions, rows: Rows, log: Log = _print, compared: bool = False
) -> tuple[TrainData, RowNumbers]:
    """The images of the rows, made once and kept as images.npy, and the numbers of the rows that could be read.

    Images that an earlier session left whole are used where they lie, if they are of the recordings as these are now;
    with `compared`, this run knows that they are.

    Raises:
        InputError: not one record can be read.
        OutputError: the folder cannot be written, or the disk has no room.
    """
    folders, preset = (options.output, *options.take_from), options.preset()
    cached = next(filter(None, (open_cache(rows.records, folder, preset, compared) for folder in folders)), None)
    if not cached:
        for note in where_looked(options.data, rows.records, hms.TRAIN_TABLE):
            log(note)
        size_gb = cache_bytes(rows.records, preset) / 1e9
        log(f"{len(rows.records)} images, {size_gb:.2f} GB: {options.output / 'images.npy'}")
        cached = make_cache(rows.records, options.output, preset, options.workers)
    counts = rows.counts.sum(axis=1)
    data = TrainData(
        images=cached.images,
        votes=rows.counts / counts[:, None],
        counts=counts,
        eeg_ids=rows.table["eeg_id"].to_numpy(np.int64),
        preprocessing=preset,
        sources=cached.sources,
    )
    return data, np.flatnonzero(cached.readable)


def split_by_patient(options: TrainOptions, rows: Rows, data: TrainData, readable: RowNumbers) -> list[Split]:
    """The readable rows' numbers, to learn from and to validate on, a pair a fold.

    Raises:
        InputError: fewer patients than folds.
    """
    classes = data.votes[readable].argmax(axis=1).tolist()
    patients = rows.patients[readable].tolist()
    folds = patient_folds(classes, patients, options.fold_count, options.seed)
    return [(readable[train], readable[valid]) for train, valid in folds]


def train_folds(
    options: TrainOptions, data: TrainData, splits: list[Split], budget: EpochBudget, log: Log = _print
) -> None:
    """Train the folds that are asked for, one after the other, or with several GPUs one on each.

    Raises:
        HbacError: see `fold.train_fold`; or a GPU's process failed.
    """
    folds = options.folds_to_train()
    if len(options.gpus) > 1 and len(folds) > 1:
        left_s = budget.left_s() if options.time_budget_s else None
        part = replace(options, time_budget_s=left_s, resume=True, beside=None)
        on_each_gpu(options.gpus, folds, partial(_train_on_gpu, part))
        return
    start = start_weights(options)
    for fold in folds:
        files = options.fold_files()[fold]
        train_fold(data, *splits[fold], options.settings(), files, fold, options.scored_votes, start, budget, log)


def _train_on_gpu(options: TrainOptions, gpu: str, folds: list[int]) -> None:
    """The folds of one GPU, in a process of their own; rows and images are there."""
    options = replace(options, gpus=(gpu,), folds=tuple(folds))
    budget = EpochBudget(options.time_budget_s)
    rows = read_rows(options.data, options.windows_per_group)
    data, readable = make_images(options, rows, compared=True)
    train_folds(options, data, split_by_patient(options, rows, data, readable), budget)


def evaluate_folds(
    options: TrainOptions, rows: Rows, data: TrainData, splits: list[Split], log: Log = _print
) -> out_of_fold.Result:
    """Out-of-fold predictions of the folds that are there, kept as oof.parquet.

    Raises:
        InputError: no fold is there, or one is of other rows.
    """
    files = options.fold_files()
    result = out_of_fold.evaluate(data, out_of_fold.collect(files, splits, data.sources), options.scored_votes)
    for name, of_set in result.metrics.items():
        log(f"out of fold, {name}: KL {of_set['kl']:.4f}, of the class prior {of_set['kl_of_class_prior']:.4f}")
    out_of_fold.write_table(options.output / out_of_fold.TABLE_NAME, result, data, rows.table)
    return result


def describe_folds(options: TrainOptions, data: TrainData, result: out_of_fold.Result, log: Log = _print) -> Path:
    """Write the manifest of the folds that are there, then report.html; the manifest's path.

    Raises:
        WeightsError: a checkpoint is none of this network.
        OutputError: the manifest cannot be written.
    """
    network = options.network()
    files = options.fold_files()
    manifest = new_manifest(
        [Checkpoint(files[fold].checkpoint, score=score) for fold, score in result.fold_scores.items()],
        options.output,
        options.title,
        data.preprocessing,
        network,
        TensorFlowEngine(network),
        round(result.temperature, 4),
        [round(float(p), 6) for p in result.class_prior / result.class_prior.sum()],
        _how_made(options, result),
    )
    path = options.output / MANIFEST_NAME
    write_manifest(manifest, path)
    log(f"{path}: {len(result.fold_scores)} of {options.fold_count} folds, temperature {result.temperature:.3f}")
    page = options.output / "report.html"
    about = f"{options.network_title()}, of inputs {data.preprocessing.preset}, {start_described(options)}."
    out_of_fold.write_run_report(page, options.title, result, data, files, options.beside, about)
    return path


def _how_made(options: TrainOptions, result: out_of_fold.Result) -> dict[str, Any]:
    """What the manifest says of the training."""
    return {
        "data": options.data.name,
        **{name: getattr(options, name) for name in STATED_OPTIONS},
        "start": " ".join(file.name for file in options.files_to_start_from()),
        "out_of_fold": {
            name: {key: round(value, 4) for key, value in of_rows.items() if not isinstance(value, list)}
            for name, of_rows in result.metrics.items()
        },
    }
