"""A training run as one self-contained HTML page: metrics, confusion matrix, reliability, learning curves, inputs."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac.files import write_atomically
from hbac.hms import CLASSES, CONSENSUS_NAMES
from hbac.pages import CLASS_COLOURS, shown_number, whole_page
from hbac.preprocessing.names import THREE_ZOOMS_2
from hbac.training.charts import (
    Floats,
    History,
    draw_confusion,
    draw_curves,
    draw_reliability,
    picture,
)
from hbac.training.charts import (
    OutOfFold as OutOfFold,
)
from hbac.training.panels import panels, what_is_shown

STYLE: Final = (
    ":root{color-scheme:light}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72em;margin:0 auto;padding:1em;color:#222;background:#fff}"
    "h1,h2,h3{line-height:1.2}h2{margin-top:2em;border-bottom:1px solid #ddd}p,dl{max-width:46em}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;margin:1em 0;font-size:14px}caption{text-align:left}"
    "td,th{padding:.25em .6em;border-bottom:1px solid #ddd;text-align:right;vertical-align:bottom}"
    "th:first-child{text-align:left}td{font-variant-numeric:tabular-nums}"
    "@media(max-width:30em){td,th{padding:.25em .3em}table{font-size:12px}}"
    "dt{font-weight:600}dd{margin:0 0 .5em 1em}img{max-width:100%;height:auto;display:block}"
    ".side{display:flex;flex-wrap:wrap;gap:.5em}.side>*{flex:1 1 18em;max-width:24em;min-width:0}"
    ".side>.small{flex-basis:10em}.side>.large{flex-basis:22em;max-width:34em}figure{margin:1em 0 2em;break-inside:avoid}figcaption{font-weight:600}"
    ".bars{display:grid;grid-template-columns:4.5em 1fr 1fr;gap:.1em .8em;max-width:34em;font-size:14px}"
    ".bars span{display:flex;align-items:center;gap:.4em;min-width:0}"
    ".bars i{height:.7em;min-width:1px;print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "@media print{body{font-size:11pt;max-width:none}h2,h3{break-after:avoid}table{break-inside:avoid}}"
)
MEASURES: Final = {  # name as a reader knows it, and what it means
    "rows": ("Rows", "Labelled windows that the column is about."),
    "kl": (
        "KL divergence, nats",
        "From the vote fractions to the prediction, mean over the rows: the competition's score. 0 is perfect.",
    ),
    "log_loss": ("Log loss, nats", "Mean of minus the log probability of the class with most votes. 0 is perfect."),
    "accuracy": ("Accuracy", "Share of rows whose largest prediction is the class with most votes."),
    "balanced_accuracy": ("Balanced accuracy", "Recall, mean over the classes that are there."),
    "macro_f1": ("Macro F1", "F1, mean over the six classes."),
    "calibration_error": (
        "Expected calibration error",
        "Distance between predicted probability and vote fraction, mean over ten bins of all classes. 0 is perfect.",
    ),
    "kl_of_class_prior": (
        "KL divergence of the class prior, nats",
        "The same score for one prediction that all rows share, the mean vote. A network has to be below it.",
    ),
    "log_loss_of_class_prior": ("Log loss of the class prior, nats", "The log loss of that same prediction."),
}
CLASS_MEASURES: Final = {
    "precision": ("Precision", "Of the rows predicted to be of a class, the share whose votes agree."),
    "recall": ("Recall", "Of the rows whose votes name a class most, the share predicted to be of it."),
    "f1": ("F1", "Harmonic mean of precision and recall."),
}


@dataclass(frozen=True)
class Example:
    """A record as the report shows it."""

    title: str
    image: npt.NDArray[np.float32]  # of the preset's shape
    votes: Floats  # (6,) fractions
    prediction: Floats | None  # (6,) probabilities
    preset: str = THREE_ZOOMS_2  # its name


def write_report(
    path: Path,
    title: str,
    result: OutOfFold,
    metrics: Mapping[str, Mapping[str, Any]],
    histories: Mapping[int, History],
    examples: Mapping[str, Sequence[Example]],
    about: str = "",
) -> None:
    """Write the page; it holds its pictures and refers to nothing.

    Args:
        path: the .html file.
        title: what the folds are.
        result: out-of-fold predictions.
        metrics: by set of rows, numbers by name (`metrics.classification_metrics` and what is compared with them).
        histories: by fold, its epochs (`training.Progress.history`).
        examples: by class, records of different EEGs.
        about: which network was trained, from what.

    Raises:
        OutputError: the file cannot be written.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>{f'<p>{html.escape(about)}</p>' if about else ''}",
        "<h2>Out-of-fold metrics</h2><p>Every row is predicted by a fold that has not seen its patient.</p>",
        _table(metrics),
        "<h2>By class</h2>",
        *(_class_table(name, of_set) for name, of_set in metrics.items()),
        _meanings(),
        "<h2>Confusion matrix</h2>",
        _confusions(result),
        "<h2>Reliability</h2>",
        _reliabilities(result),
        "<h2>Learning curves</h2>",
        _learning_curves(histories),
        f"<h2>What the network sees</h2><p>{_explained(examples)}</p>",
        *(_examples(name, of_class) for name, of_class in examples.items()),
    ]
    write_atomically(path, whole_page(title, STYLE, "".join(parts)))


# Tables


def _table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    of_sets = list(metrics.values())
    names = [name for name, value in of_sets[0].items() if isinstance(value, int | float)] if of_sets else []
    rows = [(MEASURES.get(name, (name, ""))[0], [of_set[name] for of_set in of_sets]) for name in names]
    return _html_table("", list(metrics), rows, 4)


def _class_table(title: str, of_set: Mapping[str, Any]) -> str:
    rows = [(name, of_set[key]) for key, (name, _) in CLASS_MEASURES.items()]
    return _html_table(title, CONSENSUS_NAMES, rows, 3)


def _meanings() -> str:
    terms = (*MEASURES.values(), *CLASS_MEASURES.values())
    entries = "".join(f"<dt>{name}</dt><dd>{meaning}</dd>" for name, meaning in terms)
    return f"<details><summary>What the measures mean</summary><dl>{entries}</dl></details>"


def _html_table(title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[float]]], decimals: int) -> str:
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in ("", *columns))
    body = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>{"".join(f"<td>{shown_number(value, decimals)}</td>" for value in values)}</tr>'
        for name, values in rows
    )
    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    return f'<div class="wide"><table>{caption}<tr>{head}</tr>{body}</table></div>'


# Charts


def _confusions(result: OutOfFold) -> str:
    if not (result.scored & (result.weights > 0)).any():
        return "<p>There are no scored rows.</p>"
    return (
        "<p>Of the scored rows whose votes name a class most, the share predicted to be of each class.</p>"
        + picture(partial(draw_confusion, result=result), "confusion matrix", (5.6, 4.6))
    )


def _reliabilities(result: OutOfFold) -> str:
    if not (result.scored & (result.weights > 0)).any():
        return "<p>There are no scored rows.</p>"
    pictures = [
        picture(partial(draw_reliability, result=result, number=c), f"reliability of {name}", (3.6, 3.4), "small")
        for c, name in enumerate(CONSENSUS_NAMES)
    ]
    return (
        "<p>Scored rows in ten bins of the predicted probability: its mean and the mean vote fraction. A larger point "
        "stands for more rows. On the dashed line predictions are as sure as the raters.</p>"
        f'<div class="side">{"".join(pictures)}</div>'
    )


def _learning_curves(histories: Mapping[int, History]) -> str:
    trained = {fold: history for fold, history in histories.items() if history}
    if not trained:
        return "<p>No epoch is recorded.</p>"
    labels = {"loss": "training loss, nats (augmented)", "kl": "validation KL divergence, nats"}
    pictures = [
        picture(partial(draw_curves, histories=trained, key=key, label=labels[key]), labels[key], css="large")
        for key in labels
    ]
    return f'<div class="side">{"".join(pictures)}</div>'


# Examples


def _explained(examples: Mapping[str, Sequence[Example]]) -> str:
    shown = {example.preset: None for of_class in examples.values() for example in of_class} or {THREE_ZOOMS_2: None}
    return " ".join(dict.fromkeys(map(what_is_shown, shown)))


def _examples(name: str, examples: Sequence[Example]) -> str:
    shown = "".join(map(_figure, examples)) or "<p>No record's votes name this class most.</p>"
    title = dict(zip(CLASSES, CONSENSUS_NAMES)).get(name, name)
    return f"<h3>{html.escape(title)}</h3>{shown}"


def _figure(example: Example) -> str:
    """A record's picture, with its votes and what was predicted as small bars."""
    pictures = [picture(draw, title) for title, draw in panels(example.image, example.preset)]
    return (
        f"<figure><figcaption>{html.escape(example.title)}</figcaption>"
        f'{_bars(example)}<div class="side">{"".join(pictures)}</div></figure>'
    )


def _bars(example: Example) -> str:
    cells = f"<b>Class</b><b>Votes</b><b>{'' if example.prediction is None else 'Prediction'}</b>"
    for number, (name, shown) in enumerate(zip(CLASSES, CONSENSUS_NAMES)):
        predicted = "<span></span>" if example.prediction is None else _bar(float(example.prediction[number]), name)
        cells += f"<span>{shown}</span>{_bar(float(example.votes[number]), name)}{predicted}"
    return f'<div class="bars">{cells}</div>'


def _bar(share: float, name: str) -> str:
    return f'<span><i style="width:{70 * share:.1f}%;background:{CLASS_COLOURS[name]}"></i>{share:.2f}</span>'
