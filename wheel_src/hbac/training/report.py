"""A training run as one self-contained HTML page: metrics, confusion matrix, reliability, learning curves, inputs."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbac.files import write_atomically
from hbac.hms import CLASSES

Floats = npt.NDArray[np.floating[Any]]
CHANNEL_TITLES = ("10 min, the chain", "50 s, the pair", "10 s, the wave")
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:right}"
    "th:first-child,td:first-child{text-align:left}img{max-width:100%}"
    "figure{margin:1em 0}figcaption{font-weight:600}"
    ".bars{display:grid;grid-template-columns:6em 1fr 1fr;gap:.1em 1em;max-width:40em;font-size:13px}"
    ".bars i{display:inline-block;height:.7em;margin-right:.4em;background:#0072b2}.bars i.p{background:#d55e00}"
)
NAMES = {  # of measures, as a reader knows them
    "rows": "Rows",
    "kl": "KL divergence, nats",
    "log_loss": "Log loss, nats",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "F1, mean over classes",
    "calibration_error": "Expected calibration error",
    "kl_of_class_prior": "KL divergence of the class prior, nats",
    "log_loss_of_class_prior": "Log loss of the class prior, nats",
}


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for rows that no fold's training saw."""

    votes: Floats  # (rows, 6), rows summing to 1
    predictions: Floats  # (rows, 6), calibrated
    weights: Floats  # (rows,)
    scored: npt.NDArray[np.bool_]  # (rows,) those with many votes: the headline


@dataclass(frozen=True)
class Example:
    """A record as the report shows it."""

    title: str
    image: npt.NDArray[np.float32]  # (400, 300, 3)
    votes: Floats  # (6,) fractions
    prediction: Floats | None  # (6,) probabilities


def write_report(
    path: Path,
    title: str,
    result: OutOfFold,
    metrics: Mapping[str, Mapping[str, Any]],
    histories: Mapping[int, Sequence[Mapping[str, float]]],
    examples: Mapping[str, Sequence[Example]],
) -> None:
    """Write the page; it holds its pictures and refers to nothing.

    Args:
        path: the .html file.
        title: what the folds are.
        result: out-of-fold answers.
        metrics: by set of rows, numbers by name (`metrics.classification_metrics` and what is compared with them).
        histories: by fold, its epochs (`training.Progress.history`).
        examples: by class, records of different EEGs.

    Raises:
        OutputError: the file cannot be written.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        "<h2>Out of fold</h2>",
        _table(metrics),
        "<h2>By class</h2>",
        _class_table(metrics),
        "<h2>Confusion: the class with most votes against the prediction</h2>",
        _picture(lambda plt: _confusion(plt, result)),
        "<h2>Reliability: what is predicted against what is voted</h2>",
        _picture(lambda plt: _reliability(plt, result)),
        "<h2>Learning curves</h2>",
        _picture(lambda plt: _curves(plt, histories)),
        "<h2>What the network sees</h2>",
        *(_examples(name, of_class) for name, of_class in examples.items()),
    ]
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    write_atomically(path, f"{page}<style>{STYLE}</style><body>{''.join(parts)}</body></html>".encode())


def _table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    sets = list(metrics)
    names = [name for name, value in metrics[sets[0]].items() if isinstance(value, int | float)]
    rows = [
        [NAMES.get(name, name), *(str(metrics[s][name]) if name == "rows" else f"{metrics[s][name]:.4g}" for s in sets)]
        for name in names
    ]
    return _html_table(["", *sets], rows)


def _class_table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, of_set in metrics.items():
        for measure in ("precision", "recall", "f1"):
            rows.append([f"{measure}, {name}", *(f"{value:.3f}" for value in of_set[measure])])
    return _html_table(["", *CLASSES], rows)


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"


def _picture(draw: Any) -> str:
    """What `draw(plt)` draws, as an image that the page holds itself."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = draw(plt)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def _examples(name: str, examples: Sequence[Example]) -> str:
    return f"<h3>{html.escape(name)}</h3>" + "".join(map(_figure, examples))


def _figure(example: Example) -> str:
    """A record's picture, with its votes and what was predicted as small bars."""
    picture = _picture(lambda plt: _example(plt, example.image))
    return f"<figure><figcaption>{html.escape(example.title)}</figcaption>{picture}{_bars(example)}</figure>"


def _bars(example: Example) -> str:
    cells = [
        "<b>class</b><b>votes</b><b>predicted</b>"
        if example.prediction is not None
        else "<b>class</b><b>votes</b><b></b>"
    ]
    for number, name in enumerate(CLASSES):
        predicted = "" if example.prediction is None else _bar(float(example.prediction[number]), "p")
        cells.append(
            f"<span>{name}</span><span>{_bar(float(example.votes[number]), 'v')}</span><span>{predicted}</span>"
        )
    return f'<div class="bars">{"".join(cells)}</div>'


def _bar(share: float, kind: str) -> str:
    return f'<i class="{kind}" style="width:{70 * share:.1f}%"></i>{share:.2f}'


def _confusion(plt: Any, result: OutOfFold) -> Any:
    matrix = np.zeros((len(CLASSES), len(CLASSES)))
    rows = result.scored
    np.add.at(matrix, (result.votes[rows].argmax(1), result.predictions[rows].argmax(1)), result.weights[rows])
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-9)
    figure, axes = plt.subplots(figsize=(6, 5))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(matrix.shape):
        axes.text(j, i, f"{share[i, j]:.0%}", ha="center", va="center", color="white" if share[i, j] > 0.5 else "black")
    axes.set_xticks(range(len(CLASSES)), CLASSES)
    axes.set_yticks(range(len(CLASSES)), CLASSES)
    axes.set(xlabel="predicted", ylabel="most votes")
    return figure


def _reliability(plt: Any, result: OutOfFold, bins: int = 10) -> Any:
    figure, axes = plt.subplots(figsize=(6, 5))
    rows = result.scored
    for name, votes, answers in zip(CLASSES, result.votes[rows].T, result.predictions[rows].T):
        bin_of = np.minimum((answers * bins).astype(int), bins - 1)
        filled = [b for b in range(bins) if (bin_of == b).any()]
        said = [np.average(answers[bin_of == b], weights=result.weights[rows][bin_of == b]) for b in filled]
        voted = [np.average(votes[bin_of == b], weights=result.weights[rows][bin_of == b]) for b in filled]
        axes.plot(said, voted, marker="o", markersize=4, label=name)
    axes.plot([0, 1], [0, 1], color="gray", linewidth=1, linestyle="--")
    axes.set(xlabel="probability predicted", ylabel="share of votes", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    return figure


def _curves(plt: Any, histories: Mapping[int, Sequence[Mapping[str, float]]]) -> Any:
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for fold, history in histories.items():
        epochs = [epoch["epoch"] + 1 for epoch in history]
        left.plot(epochs, [epoch["loss"] for epoch in history], marker=".", label=f"fold {fold}")
        right.plot(epochs, [epoch["kl"] for epoch in history], marker=".", label=f"fold {fold}")
    left.set(xlabel="epoch", ylabel="training loss (augmented)")
    right.set(xlabel="epoch", ylabel="validation KL", yscale="log")
    right.legend()
    return figure


def _example(plt: Any, image: npt.NDArray[np.float32]) -> Any:
    figure, axes = plt.subplots(1, 3, figsize=(15, 6))
    for channel, (ax, title) in enumerate(zip(axes, CHANNEL_TITLES)):
        wave = channel == 2
        ax.imshow(
            image[..., channel],
            aspect="auto",
            cmap="RdBu_r" if wave else "viridis",
            vmin=-3 if wave else -2,
            vmax=3 if wave else 2.5,
        )
        ax.set_title(title, fontsize=9)
        ax.set_yticks([50, 150, 250, 350], ["LL", "RL", "LP", "RP"])
        ax.set_xticks([])
    return figure
