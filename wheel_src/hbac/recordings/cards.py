"""The telling moments of a recording's page: their EEG with the answer beside it."""

from typing import Any

import numpy as np

from hbac.hms import CLASSES, CONSENSUS_NAMES, PAIRS
from hbac.pages import CLASS_COLOURS, text_on
from hbac.recordings.axis import Clock, length
from hbac.recordings.moments import (
    BAND_HZ,
    HEIGHT,
    SHOWN_S,
    SPACING,
    Moment,
    Values,
    drawing,
    eeg_of,
    place_of,
    scale_of,
    side_of,
)
from hbac.recordings.shown import Shown


def moments(shown: Shown) -> str:
    """A card for each moment.

    Raises:
        RecordError: the recording can no longer be read.
    """
    if not shown.moments:
        return "<p>There is no window with an answer.</p>"
    what = (
        f"Of each pattern the windows with the highest probability, {length(shown.settings.apart_s)} apart or more; {SHOWN_S} s, "
        f'longitudinal bipolar montage, {BAND_HZ[0]:g} to {BAND_HZ[1]:g} Hz, negative up. <span class="left">Left</span> and '
        '<span class="right">right</span> chains have their own colour.'
    )
    eegs = (_moment(shown, number, moment) for number, moment in enumerate(shown.moments, 1))
    return f'<p class="soft">{what}</p>{"".join(eegs)}'


def _moment(shown: Shown, number: int, moment: Moment) -> str:
    probabilities = shown.scan.probabilities[moment.window]
    name, colour = CONSENSUS_NAMES[moment.pattern], CLASS_COLOURS[CLASSES[moment.pattern]]
    below = "" if moment.reached else ' <span class="soft">the highest there is, below the threshold</span>'
    uv = eeg_of(shown.recording, moment.start_s)
    return (
        f'<section class="moment" id="eeg-{number}" data-window="{moment.window}"><header><h3><span class="number" '
        f'style="background:{colour};color:{text_on(colour)}">{number}</span>{name} {probabilities[moment.pattern]:.2f}</h3>'
        f"<span>{shown.clock.full(moment.start_s)}</span>{below}</header>"
        f'<div class="body">{_eeg(uv, shown.clock, moment.start_s)}<div>{_bars(probabilities)}{_buttons()}</div></div></section>'
    )


def _eeg(uv: Values, clock: Clock, start_s: float) -> str:
    names = "".join(
        f'<span class="{side_of(pair)}" style="top:{100 * place_of(pair) / HEIGHT:.2f}%">{first}-{second}</span>'
        for pair, (first, second) in enumerate(PAIRS)
    )
    below = 100 * 8 / HEIGHT
    empty = "" if np.isfinite(uv).any() else '<div class="none">no signal</div>'
    return (
        f'<div class="eeg"><div class="pairs">{names}</div><div class="trace">{drawing(uv)}{empty}'
        f'<span class="uv" style="right:11.6%;bottom:{below + 100 * SPACING / HEIGHT / 3:.2f}%">{scale_of(uv)} µV</span>'
        f'<span class="s" style="right:1.4%;bottom:{below + 0.8:.2f}%">1 s</span></div>'
        f'<div class="seconds"><span>{clock.time(start_s)}</span><span>{clock.time(start_s + SHOWN_S)}</span></div></div>'
    )


def _bars(probabilities: Any) -> str:
    top = int(np.argmax(probabilities))
    cells = "".join(
        f"<span>{f'<em>{name}</em>' if number == top else name}</span>"
        f'<span><i style="width:{100 * p:.1f}%;background:{CLASS_COLOURS[pattern]}"></i></span><span>{p:.2f}</span>'
        for number, (pattern, name, p) in enumerate(zip(CLASSES, CONSENSUS_NAMES, map(float, probabilities)))
    )
    return f'<div class="bars">{cells}</div>'


def _buttons() -> str:
    return (
        '<div class="steps script"><button type="button" class="larger">larger</button><button type="button" class="smaller">'
        'smaller</button><button type="button" class="show">show in the strip</button></div>'
    )
