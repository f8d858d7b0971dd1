"""What a network sees of one record, as the pictures of a training report: which ones, follows from the preset."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac.hms import CHAINS, EEG_WINDOW_S
from hbac.preprocessing import names
from hbac.preprocessing.spectrograms8 import HOST, MEL_CHAINS
from hbac.preprocessing.waveforms import RAW_PAIRS, STARTER_PAIRS

Array = npt.NDArray[np.float32]
Panel = tuple[str, Callable[[Any], None]]  # a title, and what draws it on axes

TEN_MINUTES: Final = ("minutes", (0, 5, 10))  # label of the x axis, what stands at its left end, middle and right end
ZOOMS: Final = (  # of the three channels: title, x axis
    ("Spectrogram of each chain, 10 minutes", TEN_MINUTES),
    ("Spectrogram of each pair, 50 seconds", ("seconds", (0, 25, 50))),
    ("Waveform of each pair, the middle 10 seconds", ("seconds of the 50", (20, 25, 30))),
)
HOSTS_PART: Final = ("minutes", (0.7, 5, 9.3))  # of the ten, that eight spectrograms show
POWER, WAVE = ("viridis", -2, 2.5), ("RdBu_r", -3, 3)  # colours, and the values at their ends
IN_ROWS: Final = (
    "Rows of a picture are the chains LL (left lateral), RL (right lateral), LP (left parasagittal) and RP (right "
    "parasagittal). In a spectrogram brighter is more power, and within each chain or pair the frequency grows "
    "downward to 20 Hz. In the waveform red is positive and blue is negative. Colour bars give the network's own "
    "scale, which has no unit."
)
IN_LINES: Final = "Each line is the difference of two electrodes, in the network's own scale, which has no unit."


def what_is_shown(preset: str) -> str:
    """How to read the pictures."""
    return IN_LINES if preset in (names.WAVEFORM8, names.RAW) else IN_ROWS


def panels(inputs: Array, preset: str) -> list[Panel]:
    """The pictures of one input."""
    if preset in (names.WAVEFORM8, names.RAW):
        pairs = STARTER_PAIRS if preset == names.WAVEFORM8 else RAW_PAIRS
        labels = ["-".join(pair) for pair in pairs]
        return [("Waveform of each pair, 50 seconds", partial(draw_lines, values=inputs, labels=labels))]
    if preset == names.SPECTROGRAMS8:
        host, mel = (np.concatenate(list(np.moveaxis(part, -1, 0))) for part in np.split(inputs, [HOST], axis=-1))
        return [
            _planes(ZOOMS[0][0], host, tuple(CHAINS), HOSTS_PART, POWER),
            _planes("Mel spectrogram of each chain, 50 seconds", mel, MEL_CHAINS, ZOOMS[1][1], ("viridis", -1, 1)),
        ]
    shown = ZOOMS[:1] if preset == names.STARTER else ZOOMS
    return [
        _planes(title, inputs[..., c], tuple(CHAINS), axis, WAVE if c == len(ZOOMS) - 1 else POWER)
        for c, (title, axis) in enumerate(shown)
    ]


def _planes(
    title: str,
    values: Array,
    chains: Sequence[str],
    axis: tuple[str, Sequence[float]],
    colours: tuple[str, float, float],
) -> Panel:
    return title, partial(draw_planes, values=values, chains=chains, title=title, axis=axis, colours=colours)


def draw_planes(
    axes: Any,
    values: Array,
    chains: Sequence[str],
    title: str,
    axis: tuple[str, Sequence[float]],
    colours: tuple[str, float, float],
) -> None:
    """One channel of an image, (rows, columns), or several above each other, the chains from top to bottom."""
    (label, ticks), (colour, low, high) = axis, colours
    shown = axes.imshow(values, aspect="auto", cmap=colour, vmin=low, vmax=high)
    height, width = values.shape
    of_chain = height / len(chains)
    axes.set_yticks([of_chain * (at + 0.5) for at in range(len(chains))], chains)
    axes.set_xticks(np.linspace(0, width - 1, len(ticks)), [str(tick) for tick in ticks])
    for at in range(1, len(chains)):
        axes.axhline(of_chain * at - 0.5, color="black" if colour == WAVE[0] else "white", linewidth=1)
    axes.set_title(title, fontsize=10)
    axes.set(xlabel=label, ylabel="chain")
    axes.figure.colorbar(shown, ax=axes, fraction=0.05, pad=0.02)


def draw_lines(axes: Any, values: Array, labels: Sequence[str]) -> None:
    """Waveforms (time, channels) below each other, as far apart as their usual size asks for."""
    apart = 6 * max(float(np.median(np.abs(values))), 0.05)
    seconds = np.linspace(0, EEG_WINDOW_S, len(values), endpoint=False)
    for number, line in enumerate(values.T):
        axes.plot(seconds, line - number * apart, color="black", linewidth=0.4)
    axes.set_yticks([-apart * number for number in range(len(labels))], labels, fontsize=7)
    axes.set(xlabel="seconds", ylim=(-apart * len(labels), apart), xlim=(0, EEG_WINDOW_S))
