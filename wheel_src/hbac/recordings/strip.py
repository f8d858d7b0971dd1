"""The strip of a recording's page: six probabilities and four spectrograms over the whole time, as HTML that needs no script."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac.hms import CHAINS, CLASSES, CONSENSUS_NAMES
from hbac.pages import CLASS_COLOURS, text_on
from hbac.recordings.axis import Clock
from hbac.recordings.burden import Answers, as_written
from hbac.recordings.chain_power import FREQUENCIES_HZ, ChainPower
from hbac.recordings.moments import SHOWN_S, Moment
from hbac.recordings.png import data_url, png
from hbac.recordings.quality import Status

COLUMNS: Final = 2000  # more than a screen has
STATUS_CLASSES: Final = {
    Status.OK: "",
    Status.PARTLY: "partly",
    Status.FLAT: "flat",
    Status.GAP: "gap",
}  # as CSS names them
WORST: Final = tuple(STATUS_CLASSES.values())  # of several in one column the last one is shown
CHAIN_NAMES: Final = {
    "LL": "left lateral",
    "RL": "right lateral",
    "LP": "left parasagittal",
    "RP": "right parasagittal",
}
DB_STEP: Final = 5  # the ends of the colour scale are multiples of it
USUAL_DB: Final = (-10.0, 30.0)  # of a recording without any power
LAST_TEXT: Final = 0.95  # of the strip: a time further right would be cut off
MARK_WIDTH: Final = 0.035  # of a mark with its number, as a share of the strip


@dataclass(frozen=True)
class Strip:
    """What the strip shows.

    Attributes:
        numbers: of the moments, as they are called on the page.
    """

    scan: Answers
    thresholds: Sequence[float]
    duration_s: float
    clock: Clock
    power: ChainPower
    moments: Sequence[Moment]

    def html(self) -> str:
        """The rows with their names at the left, and what the colours mean."""
        lanes = list(_lanes([(moment.start_s + SHOWN_S / 2) / self.duration_s for moment in self.moments]))
        height = f'style="height:{24 * (max(lanes, default=0) + 1)}px"'
        names = [
            '<div class="axis"></div>',
            *(f"<div>{key_of(pattern)}{name}</div>" for pattern, name in zip(CLASSES, CONSENSUS_NAMES)),
            '<div class="signal">Signal</div>',
            *map(_chain_name, CHAINS),
            f'<div class="eegs" {height}>EEG</div>',
        ]
        rows = [
            *(self._probabilities(pattern) for pattern in range(len(CLASSES))),
            f'<div class="row signal">{self._marks("")}</div>',
            *(self._chain(number, name) for number, name in enumerate(CHAINS)),
            *(
                f'<i class="tick" style="left:{self._percent(tick.at_s)}"></i>'
                for tick in self.clock.ticks(self.duration_s)
            ),
            '<div class="cursor" id="cursor" hidden></div>',
        ]
        marks = (
            self._moment(number, moment, lane) for number, (moment, lane) in enumerate(zip(self.moments, lanes), 1)
        )
        return (
            f'<div class="figure"><div class="names">{"".join(names)}</div><div class="plots">'
            f'<div class="row axis">{self._axis()}</div>'
            f'<div class="slider" id="strip" aria-label="Moment of the recording">{"".join(rows)}</div>'
            f'<div class="eegs" {height}>{"".join(marks)}</div></div></div>{self._legend()}'
        )

    def _percent(self, at_s: float) -> str:
        return f"{100 * at_s / self.duration_s:.3f}%"

    def _axis(self) -> str:
        return "".join(
            f'<span class="{"minor" if number % 2 else "major"}" style="left:{self._percent(tick.at_s)}">'
            f"{f'<b>{tick.day}</b>' if tick.day else ''}<i>{tick.text if tick.at_s < LAST_TEXT * self.duration_s else ''}</i></span>"
            for number, tick in enumerate(self.clock.ticks(self.duration_s))
        )

    def _probabilities(self, pattern: int) -> str:
        name, threshold = CLASSES[pattern], self.thresholds[pattern]
        highest = self._highest[pattern]
        reached = np.where(highest >= threshold, highest, np.nan)
        paths = (
            f'<path class="{css}" fill="{CLASS_COLOURS[name]}" d="{"".join(_area(values))}"/>'
            for css, values in (("low", highest), ("high", reached))
        )
        limit = f'<path class="limit" d="M0 {100 - 100 * threshold:g}H{COLUMNS}"/>'
        return (
            f'<div class="row {name}">{self._marks("over ")}<svg viewBox="0 -4 {COLUMNS} 104" preserveAspectRatio="none" '
            f'role="img" aria-label="Probability of {html.escape(CONSENSUS_NAMES[pattern])}">{"".join(paths)}{limit}</svg></div>'
        )

    @cached_property
    def _highest(self) -> npt.NDArray[np.float64]:
        """(6, columns): the highest probability in each column, NaN where there is no answer."""
        highest = np.full((len(CLASSES), COLUMNS), np.nan)
        for (first, last), probabilities in zip(self._columns, as_written(self.scan)):
            highest[:, first:last] = np.fmax(highest[:, first:last], probabilities[:, None])
        return highest

    @cached_property
    def _columns(self) -> list[tuple[int, int]]:
        return columns_of(self.scan, self.duration_s, COLUMNS)

    def _marks(self, css: str) -> str:
        """Where something is wrong with the signal, in the colour of its kind."""
        return "".join(
            f'<u class="{css}{kind}" style="left:{100 * start / COLUMNS:g}%;width:{100 * (stop - start) / COLUMNS:g}%"></u>'
            for start, stop, kind in self._wrong
        )

    @cached_property
    def _wrong(self) -> list[tuple[int, int, str]]:
        """From which column to which the signal has which fault: the worst one of a column's windows."""
        worst = np.zeros(COLUMNS, int)
        for (first, last), status in zip(self._columns, self.scan.statuses):
            worst[first:last] = np.maximum(worst[first:last], WORST.index(STATUS_CLASSES[Status(status)]))
        borders = [0, *(np.flatnonzero(np.diff(worst)) + 1).tolist(), COLUMNS]
        return [(start, stop, WORST[worst[start]]) for start, stop in zip(borders[:-1], borders[1:]) if worst[start]]

    def _chain(self, number: int, name: str) -> str:
        picture = png(self.power.decibels[number, ::-1], *self._decibels)  # high frequencies on top
        alt = f"Spectrogram of the {CHAIN_NAMES[name]} chain"
        seen_s = min(self.power.column_s * self.power.decibels.shape[2], self.duration_s)
        width = f'style="width:{self._percent(seen_s)}"'  # the axis may go on behind a recording shorter than a step
        return f'<div class="row chain"><img alt="{alt}" {width} src="{data_url(picture)}"></div>'

    @cached_property
    def _decibels(self) -> tuple[float, float]:
        """The ends of the colour scale: all but the extreme 2 % of the recording."""
        known = self.power.decibels[np.isfinite(self.power.decibels)]
        if not len(known):
            return USUAL_DB
        low, high = np.quantile(known, (0.02, 0.98))
        return float(DB_STEP * np.floor(low / DB_STEP)), float(DB_STEP * (np.floor(high / DB_STEP) + 1))

    def _moment(self, number: int, moment: Moment, lane: int) -> str:
        colour = CLASS_COLOURS[CLASSES[moment.pattern]]
        at = self._percent(moment.start_s + SHOWN_S / 2)
        label = f"EEG {number}, {CONSENSUS_NAMES[moment.pattern]}, {self.clock.moment(moment.start_s)}"
        return (
            f'<a class="mark" href="#eeg-{number}" style="left:{at};top:{24 * lane + 3}px;background:{colour};color:{text_on(colour)}" '
            f'aria-label="{label}" title="{label}">{number}</a>'
        )

    def _legend(self) -> str:
        low, high = self._decibels
        scale = data_url(png(np.linspace(0, 1, 90)[None], 0, 1))
        wrong = set(map(Status, self.scan.statuses)) - {Status.OK}
        kinds = (f'<span><i class="{STATUS_CLASSES[kind]}"></i>{kind}</span>' for kind in sorted(wrong))
        return (
            '<p class="legend"><span>Height of a row: probability 0 to 1, the highest within a column. '
            "Solid colour: at or above the threshold (dotted line).</span>"
            f'{"".join(kinds)}<span>Power {low:g}<img alt="" src="{scale}">{high:g} dB over 1 µV²/Hz</span></p>'
        )


def columns_of(scan: Answers, duration_s: float, columns: int) -> list[tuple[int, int]]:
    """Which of a picture's columns each window touches: the first, and the one after the last."""
    onsets = np.asarray(scan.onsets_s, np.float64)
    first = np.floor(onsets / duration_s * columns + 1e-6)
    last = np.ceil((onsets + scan.step_s) / duration_s * columns - 1e-6)
    return list(zip(first.astype(int).tolist(), np.maximum(last, first + 1).astype(int).tolist()))


def key_of(pattern: str) -> str:
    """A small square in the colour of a class."""
    return f'<i class="key" style="background:{CLASS_COLOURS[pattern]}"></i>'


def _chain_name(chain: str) -> str:
    low, high = FREQUENCIES_HZ[0], FREQUENCIES_HZ[-1]
    return (
        f'<div class="chain"><span>{chain}<small>{CHAIN_NAMES[chain]}</small></span>'
        f'<span class="hz"><i>{high:g} Hz</i><i>{low:g}</i></span></div>'
    )


def _area(values: npt.NDArray[Any]) -> Iterator[str]:
    """SVG path data of the area under a line of steps; none where there is no number."""
    heights = np.where(np.isfinite(values), np.round(100 * np.nan_to_num(values)), -1).astype(int)
    borders = [0, *(np.flatnonzero(np.diff(heights)) + 1).tolist(), len(heights)]
    for start, stop in zip(borders[:-1], borders[1:]):
        if heights[start] > 0:
            yield f"M{start} 100V{100 - heights[start]}H{stop}V100"


def _lanes(places: Sequence[float]) -> Iterator[int]:
    """The first row in which a mark lies on none before it."""
    rows: list[list[float]] = []
    for place in places:
        lane = next((n for n, row in enumerate(rows) if min(abs(place - p) for p in row) >= MARK_WIDTH), len(rows))
        if lane == len(rows):
            rows.append([])
        rows[lane].append(place)
        yield lane
