"""Out-of-fold predictions: each fold's for patients it has not seen, put together, calibrated, scored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hbac import hms
from hbac.errors import InputError
from hbac.preprocessing.load import load_record
from hbac.training.metrics import best_temperature, classification_metrics
from hbac.training.report import Example, OutOfFold, write_report
from hbac.training.rows import RowNumbers, Split, TrainData, read_rows
from hbac.training.schedule import SCORED_VOTES
from hbac.training.state import FoldFiles, check_rows, read_progress, settle

TABLE_NAME = "oof.parquet"
PRIOR_FLOOR = 0.01  # share of the class prior that all classes divide alike, so that none has 0
EXAMPLES_PER_CLASS = 2  # pictures in the report, of different EEGs

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """Of the rows that the folds at hand validate on, in the order of the folds."""

    folds: list[int]  # that are there
    rows: RowNumbers  # (n,)
    fold_of: npt.NDArray[np.int64]  # (n,)
    raw: Floats  # (n, 6) at temperature 1
    partial: (
        Floats | None
    )  # (2, n, 6) from the EEG alone and from the spectrogram alone; None while a fold is unfinished, or where one file is all


@dataclass(frozen=True)
class Result:
    """What the folds predict for unseen patients, and what follows from it for the manifest."""

    out_of_fold: OutOfFold
    predictions: Predictions
    temperature: float
    class_prior: Floats  # (6,)
    metrics: dict[str, dict[str, Any]]  # by set of rows
    fold_scores: dict[int, dict[str, float]]  # by fold


def collect(files: Sequence[FoldFiles], splits: Sequence[Split], sources: npt.NDArray[np.bytes_]) -> Predictions:
    """What the folds that are there predict for their validation rows; `sources` as in `TrainData`.

    Raises:
        InputError: none is there, one is of other rows or recordings, or a file is not the one that its state names.
    """
    there = [fold for fold, one in enumerate(files) if one.state.exists()]
    if not there:
        raise InputError("expected one trained fold or more, there was no time for an epoch")
    progress = {fold: read_progress(files[fold].state) for fold in there}
    for fold in there:
        check_rows(files[fold], sources, *splits[fold])
        settle(files[fold], progress[fold])
    finished = all("partial" in progress[fold].made for fold in there)
    return Predictions(
        folds=there,
        rows=np.concatenate([splits[fold][1] for fold in there]),
        fold_of=np.concatenate([np.full(len(splits[fold][1]), fold) for fold in there]),
        raw=np.concatenate([np.load(files[fold].predictions) for fold in there]).astype(np.float64),
        partial=np.concatenate([np.load(files[fold].partial) for fold in there], axis=1) if finished else None,
    )


def evaluate(data: TrainData, predictions: Predictions, scored_votes: int = SCORED_VOTES) -> Result:
    """Temperature, class prior and metrics, on rows with so many votes if there are any, each EEG weighted equally."""
    rows, votes = predictions.rows, data.votes[predictions.rows]
    scored = data.counts[rows] >= scored_votes
    headline = f"{scored_votes} votes or more" if scored.any() else "all rows"
    scored = scored if scored.any() else np.ones_like(scored)
    weights = np.zeros(len(rows))
    weights[scored] = data.eeg_weights(rows[scored])  # as where the epochs are chosen
    temperature = best_temperature(votes[scored], predictions.raw[scored], weights[scored])
    calibrated = at_temperature(predictions.raw, temperature)
    mean_vote = np.average(votes[scored], axis=0, weights=weights[scored])
    prior = (1 - PRIOR_FLOOR) * mean_vote + PRIOR_FLOOR / len(hms.CLASSES)
    sets = {headline: (scored, calibrated), "all rows": (np.ones_like(scored), calibrated)}
    if predictions.partial is not None:
        for name, part in zip(("EEG alone", "spectrogram alone"), at_temperature(predictions.partial, temperature)):
            sets[f"{headline}, {name}"] = (scored, part)
    return Result(
        out_of_fold=OutOfFold(votes, calibrated, weights, scored),
        predictions=predictions,
        temperature=temperature,
        class_prior=prior,
        metrics={name: _metrics(data, rows, which, said, prior) for name, (which, said) in sets.items()},
        fold_scores={fold: _score(fold, predictions, votes, calibrated, weights, scored) for fold in predictions.folds},
    )


def _metrics(
    data: TrainData, rows: RowNumbers, which: npt.NDArray[np.bool_], predicted: Floats, prior: Floats
) -> dict[str, Any]:
    """Metrics over some of the rows, beside those of the class prior."""
    votes, weights = data.votes[rows][which], data.eeg_weights(rows[which])
    baseline = classification_metrics(votes, np.tile(prior, (int(which.sum()), 1)), weights)
    return {
        "rows": int(which.sum()),
        **classification_metrics(votes, predicted[which], weights),
        "kl_of_class_prior": baseline["kl"],
        "log_loss_of_class_prior": baseline["log_loss"],
    }


def _score(
    fold: int,
    predictions: Predictions,
    votes: npt.NDArray[np.floating[Any]],
    calibrated: Floats,
    weights: Floats,
    scored: npt.NDArray[np.bool_],
) -> dict[str, float]:
    """The KL of one fold on its scored rows; nothing if it has none."""
    own = scored & (predictions.fold_of == fold)
    if not own.any():
        return {}
    return {"kl": round(classification_metrics(votes[own], calibrated[own], weights[own])["kl"], 4)}


def at_temperature(probabilities: npt.NDArray[np.floating[Any]], temperature: float) -> Floats:
    """Probabilities (..., 6) at a temperature."""
    sharpened = probabilities.astype(np.float64) ** (1 / temperature)
    calibrated: Floats = sharpened / sharpened.sum(axis=-1, keepdims=True)
    return calibrated


def write_table(path: Path, result: Result, data: TrainData, table: pd.DataFrame) -> None:
    """oof.parquet: ids, fold, votes and predictions of each row."""
    rows, known = result.predictions.rows, result.out_of_fold
    columns = table.iloc[rows][["eeg_id", "eeg_label_offset_seconds", "patient_id", "expert_consensus"]]
    parts = (("voted", known.votes), ("predicted", known.predictions))
    of_classes = {f"{kind}_{name}": part for kind, of in parts for name, part in zip(hms.CLASSES, of.T)}
    whole = columns.assign(fold=result.predictions.fold_of, votes=data.counts[rows], **of_classes)
    whole.to_parquet(path, write_page_checksum=True)


def write_run_report(
    path: Path,
    title: str,
    result: Result,
    data: TrainData,
    files: Sequence[FoldFiles],
    beside: Path | None,
    about: str = "",
) -> None:
    """report.html: what was trained, metrics, curves, and the clearest examples of each class, also of another data set."""
    examples = {name: _examples(result, data, number) for number, name in enumerate(hms.CLASSES)}
    if beside is not None:
        for name, example in _examples_beside(beside, data):
            examples[name].append(example)
    histories = {fold: read_progress(files[fold].state).history for fold in result.predictions.folds}
    write_report(path, title, result.out_of_fold, result.metrics, histories, examples, about)


def _examples(result: Result, data: TrainData, number: int) -> list[Example]:
    rows, known = result.predictions.rows, result.out_of_fold
    chosen = clearest(known.votes, data.counts[rows], data.eeg_ids[rows], number)
    return [
        Example(
            f"EEG {data.eeg_ids[rows[i]]}",
            data.load(rows[[i]])[0],
            known.votes[i],
            known.predictions[i],
            data.preprocessing.preset,
        )
        for i in chosen
    ]


def _examples_beside(folder: Path, data: TrainData) -> Iterator[tuple[str, Example]]:
    """Class and example of the clearest records of another data set."""
    others = read_rows(folder)
    counts = others.counts.sum(axis=1)
    votes = others.counts / counts[:, None]
    eeg_ids = np.array([record.eeg_id for record in others.records])
    for number, name in enumerate(hms.CLASSES):
        for i in clearest(votes, counts, eeg_ids, number):
            image = load_record(others.records[i], data.preprocessing).image
            if image is not None:
                yield (
                    name,
                    Example(f"{folder.name}: EEG {eeg_ids[i]}", image, votes[i], None, data.preprocessing.preset),
                )


def clearest(
    votes: npt.NDArray[np.floating[Any]],
    counts: npt.NDArray[np.floating[Any]],
    eeg_ids: npt.NDArray[np.int64],
    number: int,
) -> list[int]:
    """Places of the clearest examples of a class, each of another EEG, those with many votes first."""
    of_class = np.flatnonzero(votes.argmax(axis=1) == number)
    order = sorted(of_class.tolist(), key=lambda i: (counts[i] < SCORED_VOTES, -votes[i, number]))
    first_of_eeg = {eeg_ids[i]: i for i in reversed(order)}
    return [i for i in order if first_of_eeg[eeg_ids[i]] == i][:EXAMPLES_PER_CLASS]
