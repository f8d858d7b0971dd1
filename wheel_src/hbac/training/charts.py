"""The charts of a training report, as images that a page holds itself."""

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hbac.hms import CLASSES, CONSENSUS_NAMES
from hbac.pages import CLASS_COLOURS

Floats = npt.NDArray[np.floating[Any]]
History = Sequence[Mapping[str, float]]  # the epochs of a fold


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for rows that no fold's training saw."""

    votes: Floats  # (rows, 6), rows summing to 1
    predictions: Floats  # (rows, 6), calibrated
    weights: Floats  # (rows,)
    scored: npt.NDArray[np.bool_]  # (rows,) those with many votes: the headline


def picture(draw: Callable[[Any], None], alt: str, size: tuple[float, float] = (4.2, 3.8), css: str = "") -> str:
    """What `draw(axes)` draws, as an image that the page holds itself; `size` in inches."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=size, layout="constrained")
    draw(axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img class="{css}" alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def draw_confusion(axes: Any, result: OutOfFold) -> None:
    """Shares of a row of the matrix, that is of the rows whose votes name the class most."""
    matrix, rows = np.zeros((len(CLASSES), len(CLASSES))), result.scored
    voted = result.votes[rows].argmax(axis=1)
    np.add.at(matrix, (voted, result.predictions[rows].argmax(axis=1)), result.weights[rows])
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-9)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(matrix.shape):
        text = f"{share[i, j]:.0%}" if matrix[i].any() else "–"
        axes.text(j, i, text, ha="center", va="center", color="white" if share[i, j] > 0.5 else "black")
    counts = np.bincount(voted, minlength=len(CLASSES))
    axes.set_xticks(range(len(CLASSES)), CONSENSUS_NAMES)
    axes.set_yticks(range(len(CLASSES)), [f"{name} ({n})" for name, n in zip(CONSENSUS_NAMES, counts)])
    axes.set(xlabel="largest prediction", ylabel="most votes (number of rows)")


def draw_reliability(axes: Any, result: OutOfFold, number: int, bins: int = 10) -> None:
    """Mean vote fraction of a class over its mean predicted probability, by bin of the latter."""
    rows = result.scored & (result.weights > 0)
    votes, predictions = result.votes[rows, number], result.predictions[rows, number]
    weights = result.weights[rows]
    bin_of = np.minimum((predictions * bins).astype(int), bins - 1)
    weight = np.bincount(bin_of, weights, bins)
    filled = weight > 0
    predicted, voted = (np.bincount(bin_of, weights * x, bins)[filled] / weight[filled] for x in (predictions, votes))
    colour = CLASS_COLOURS[CLASSES[number]]
    axes.plot([0, 1], [0, 1], color="gray", linewidth=1, linestyle="--")
    axes.plot(predicted, voted, color=colour, linewidth=1.5)
    axes.scatter(predicted, voted, 15 + 150 * weight[filled] / weight.sum(), color=colour, zorder=3)
    axes.set(xlabel="predicted probability", ylabel="vote fraction", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.set_title(CONSENSUS_NAMES[number], fontsize=11)


def draw_curves(axes: Any, histories: Mapping[int, History], key: str, label: str) -> None:
    """One measure over the epochs, a line a fold."""
    shades = np.linspace(0, 0.6, len(histories))  # greys with a marker each: colours stand for classes
    for (fold, history), shade, marker in zip(histories.items(), shades, "osD^v<>PX*" * len(histories)):
        epochs = [epoch["epoch"] + 1 for epoch in history]
        values = [epoch[key] for epoch in history]
        axes.plot(epochs, values, color=str(shade), marker=marker, markersize=4, linewidth=1, label=f"fold {fold}")
    axes.set(xlabel="epoch", ylabel=label, yscale="log" if key == "kl" else "linear")
    if key == "kl":
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.figure.legend(loc="outside lower center", ncols=min(3, len(histories)), fontsize=9, frameon=False)
