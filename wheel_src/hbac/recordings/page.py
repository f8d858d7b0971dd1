"""A recording as one HTML file that refers to nothing: what was found, when, how much, and what it looks like."""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from hbac.files import write_atomically
from hbac.hms import CLASSES, CONSENSUS_NAMES, PAIRS
from hbac.pages import CLASS_COLOURS, NO_NUMBER, whole_page
from hbac.recordings.axis import Clock, elapsed, length
from hbac.recordings.burden import SEIZURE, STATUS_RUN_S, STATUS_SHARE, THRESHOLD, Burden, Period, burden_table
from hbac.recordings.chain_power import ChainPower, chain_power
from hbac.recordings.moments import (
    BAND_HZ,
    HEIGHT,
    SCALES_UV,
    SHOWN_S,
    SPACING,
    Moment,
    Values,
    choose_moments,
    drawing,
    eeg_of,
    place_of,
    scale_of,
    side_of,
)
from hbac.recordings.recording import Recording
from hbac.recordings.strip import OK, STATUS_CLASSES, UNKNOWN, Scanned, Strip, key_of
from hbac.version import __version__

ACNS: Final = "American Clinical Neurophysiology Society, Critical Care EEG Terminology 2021 (Hirsch et al.)"
NO_ANSWER: Final = 65535  # among probabilities, which are whole numbers of a ten-thousandth
AROUND_S: Final = ((4 * 3600, 1200), (float("inf"), 3600))  # up to which length how much is shown around the cursor
SHORT_S: Final = 1200  # a recording up to this needs no such view


@dataclass(frozen=True)
class PageSettings:
    """What a page shows.

    Attributes:
        thresholds: the six probabilities from which on a window counts as holding the pattern.
        moments: with their EEG, at most, of each pattern.
        apart_s: least distance between two of the same pattern.
    """

    thresholds: tuple[float, ...] = (THRESHOLD,) * len(CLASSES)
    moments: int = 3
    apart_s: float = 120.0


@dataclass(frozen=True)
class _Shown:
    """What the sections of the page are made from."""

    recording: Recording
    scan: Scanned
    burden: Burden
    clock: Clock
    moments: Sequence[Moment]
    settings: PageSettings
    manifest_title: str
    notes: Sequence[str]


def write_page(
    path: Path,
    recording: Recording,
    scan: Scanned,
    manifest_title: str,
    settings: PageSettings = PageSettings(),
    notes: Sequence[str] = (),
    power: ChainPower | None = None,
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: the .html file.
        recording: the EEG; it is read once for the spectrograms and again at the moments that are shown.
        scan: the answers, in the order of time.
        manifest_title: which folds gave them.
        settings: thresholds and moments.
        notes: what else was assumed or missing, beside the recording's own notes.
        power: the spectrograms, where they are known.

    Raises:
        InputError: thresholds or windows that are none.
        RecordError: the recording can no longer be read.
        OutputError: the file cannot be written.
    """
    burden = burden_table(scan, settings.thresholds, recording.duration_s)
    moments = choose_moments(scan, settings.thresholds, settings.moments, settings.apart_s)
    clock = Clock(recording.start)
    power = chain_power(recording) if power is None else power
    shown = _Shown(recording, scan, burden, clock, moments, settings, manifest_title, (*recording.notes, *notes))
    strip = Strip(scan, settings.thresholds, max(recording.duration_s, scan.step_s), clock, power, moments)
    around_s = _around_s(recording.duration_s)
    parts = [
        _head(shown),
        _totals(shown),
        '<h2 id="whole">The whole recording</h2>',
        strip.html(),
        _at_cursor(around_s, settings.thresholds),
        "<h2>EEG at the most telling moments</h2>",
        _moments(shown),
        "<h2>Hour by hour</h2>",
        _hours(shown),
        "<h2>How to read this page</h2>",
        _explanations(shown),
    ]
    script = _asset("page.js")
    data = json.dumps(_data(shown, around_s), separators=(",", ":"))
    harmless = data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    body = f'<main>{"".join(parts)}</main><script type="application/json" id="data">{harmless}</script><script>{script}</script>'
    write_atomically(path, whole_page(recording.name, _asset("page.css"), body, _policy(script)))


def _asset(name: str) -> str:
    return (resources.files("hbac.recordings") / name).read_text("utf-8")


def _policy(script: str) -> str:
    """What the browser is to refuse: every address, and every script but this one."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return f'<meta http-equiv="Content-Security-Policy" content="{rules}">'


def _around_s(duration_s: float) -> int:
    """How much is shown around the cursor; 0 where the strip shows it well enough."""
    return 0 if duration_s <= SHORT_S else next(shown for longest, shown in AROUND_S if duration_s <= longest)


# What was found


def _head(shown: _Shown) -> str:
    recording, whole = shown.recording, shown.burden.whole
    start = "start not known" if recording.start is None else f"{shown.clock.full(0)}"
    facts = (
        f"<b>{start}</b>, {length(recording.duration_s)} long",
        f"{length(whole.analysed_s)} analysed, an answer every {shown.scan.step_s:g} s",
        f"folds: <b>{html.escape(shown.manifest_title)}</b>",
    )
    return (
        f'<header><h1>{html.escape(recording.name)}</h1><p class="facts">{" · ".join(facts)}</p></header>'
        '<p class="warning"><b>Not a medical device.</b> A neural network wrote these answers. They are for research, '
        "and no diagnosis. Look at the EEG itself before you believe any of them.</p>"
    )


def _totals(shown: _Shown) -> str:
    rows = "".join(_total(shown, pattern) for pattern in range(len(CLASSES)))
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("Pattern", "Share of analysed time", "", "Longest run", "Runs")
    )
    return (
        f'<h2>How much of each pattern</h2><div class="wide"><table id="totals"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_status_rule(shown)}"
    )


def _total(shown: _Shown, pattern: int) -> str:
    whole, runs = shown.burden.whole, shown.burden.runs[pattern]
    longest = max(runs, key=lambda run: run.length_s, default=None)
    when = (
        NO_NUMBER
        if longest is None
        else f'{length(longest.length_s)} <span class="soft">from {shown.clock.time(longest.start_s)}</span>'
    )
    return (
        f'<tr><th scope="row">{key_of(CLASSES[pattern])}{CONSENSUS_NAMES[pattern]}</th><td>{_share(whole, pattern)}</td>'
        f'<td class="word">{whole.prevalence(pattern)}</td><td>{when}</td><td>{len(runs)}</td></tr>'
    )


def _share(period: Period, pattern: int) -> str:
    share = period.share(pattern)
    if share is None:
        return NO_NUMBER
    bar = f'<i style="width:{100 * share:.2f}%;background:{CLASS_COLOURS[CLASSES[pattern]]}"></i>' if share else ""
    return f'<data value="{share!r}">{_percent(share)}</data><span class="meter">{bar}</span>'


def _percent(share: float) -> str:
    """With a decimal where it matters; what is there is never shown as 0, nor what is not all as 100."""
    if 0 < share < 0.001:
        return "&lt; 0.1 %"
    if 0.999 < share < 1:
        return "&gt; 99.9 %"
    return f"{100 * share:.1f} %" if share else "0 %"


def _status_rule(shown: _Shown) -> str:
    """Seizure burden, and whether the ACNS' rule of electrographic status epilepticus is met."""
    burden = shown.burden
    if not burden.whole.analysed_s:
        return '<p class="rule">Nothing of this recording could be analysed.</p>'
    start, seconds = burden.worst_60_min
    stop = min(start + 3600, shown.recording.duration_s)
    found = (
        f"Seizure windows last {length(burden.whole.present_s[SEIZURE])} in all. The longest run is "
        f"{length(burden.whole.longest_s[SEIZURE])}. The 60 min with most of them hold {length(seconds)} "
        f"({shown.clock.time(start)} to {shown.clock.time(stop)})."
        if seconds
        else "No window reaches the threshold of seizure."
    )
    rule = (
        f"ACNS 2021 calls it electrographic status epilepticus where a seizure lasts {STATUS_RUN_S / 60:g} min or more "
        f"without a break, or seizures fill {STATUS_SHARE:.0%} or more of any 60 min (12 min)."
    )
    met = "<b>These windows meet that rule.</b>" if burden.status_epilepticus else "These windows do not meet that rule."
    return (
        f'<p class="rule{" met" if burden.status_epilepticus else ""}" id="rule"><b>Seizure burden.</b> {found} {rule} {met}</p>'
    )


# At the cursor


def _at_cursor(around_s: int, thresholds: Sequence[float]) -> str:
    """What the script fills: the answer at the cursor and the minutes around it."""
    bars = "".join(
        f'<span id="name{number}">{name}</span><span><i id="bar{number}" style="background:{CLASS_COLOURS[pattern]}"></i></span>'
        f'<span id="value{number}"></span>'
        for number, (pattern, name) in enumerate(zip(CLASSES, CONSENSUS_NAMES))
    )
    buttons = "".join(
        f'<button type="button" id="{name}">{text}</button>'
        for name, text in (
            ("previous", "« pattern"), ("back", "‹ step"), ("on", "step ›"), ("next", "pattern »"),
        )
    )  # fmt: skip
    answer = (
        '<div class="answer"><output class="time" id="time"></output><span class="soft" id="since"></span> '
        f'<b id="status"></b><div class="bars">{bars}</div><div class="steps">{buttons}</div><a id="nearest"></a></div>'
    )
    around = _around(around_s, thresholds) if around_s else ""
    keys = (
        '<p class="soft script">Click the strip, or use its keys: <kbd>←</kbd> <kbd>→</kbd> a step, with <kbd>Shift</kbd> '
        "ten, <kbd>Page up</kbd> <kbd>Page down</kbd> more, <kbd>p</kbd> <kbd>n</kbd> previous and next pattern, "
        "<kbd>Home</kbd> <kbd>End</kbd>.</p>"
    )
    return f'<div class="at" id="at" hidden><div>{around}</div>{answer}</div>{keys}'


def _around(around_s: int, thresholds: Sequence[float]) -> str:
    names = "".join(f"<div>{name}</div>" for name in CONSENSUS_NAMES)
    rows = "".join(
        f'<div class="row"><svg viewBox="0 -4 {around_s} 104" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="low" id="low{number}" fill="{CLASS_COLOURS[pattern]}"/><path id="high{number}" fill="{CLASS_COLOURS[pattern]}"/>'
        f'<path class="limit" d="M0 {100 - 100 * threshold:g}H{around_s}"/></svg></div>'
        for number, (pattern, threshold) in enumerate(zip(CLASSES, thresholds))
    )
    return (
        f'<h3>{length(around_s)} around the cursor</h3><div class="figure"><div class="names"><div class="axis"></div>{names}</div>'
        f'<div class="plots"><div class="row axis" id="around-axis"></div><div class="slider" id="around">'
        f'{rows}<div id="around-marks"></div><div class="cursor" id="around-cursor"></div></div></div></div>'
    )


# EEG


def _moments(shown: _Shown) -> str:
    if not shown.moments:
        return "<p>There is no window with an answer.</p>"
    what = (
        f"Of each pattern the windows with the highest probability, {length(shown.settings.apart_s)} apart or more; {SHOWN_S} s, "
        f'longitudinal bipolar montage, {BAND_HZ[0]:g} to {BAND_HZ[1]:g} Hz, negative up. <span class="left">Left</span> and '
        '<span class="right">right</span> chains have their own colour.'
    )
    eegs = (_moment(shown, number, moment) for number, moment in enumerate(shown.moments, 1))
    return f'<p class="soft">{what}</p>{"".join(eegs)}'


def _moment(shown: _Shown, number: int, moment: Moment) -> str:
    probabilities = shown.scan.probabilities[moment.window]
    name, colour = CONSENSUS_NAMES[moment.pattern], CLASS_COLOURS[CLASSES[moment.pattern]]
    below = "" if moment.reached else ' <span class="soft">the highest there is, below the threshold</span>'
    uv = eeg_of(shown.recording, moment.start_s)
    return (
        f'<section class="moment" id="eeg-{number}" data-window="{moment.window}"><header><h3><span class="number" '
        f'style="background:{colour}">{number}</span>{name} {probabilities[moment.pattern]:.2f}</h3>'
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


# Hours


def _hours(shown: _Shown) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in ("From", "Analysed", *CONSENSUS_NAMES))
    rows = "".join(_hour(shown, hour) for hour in shown.burden.hours)
    return (
        f'<div class="wide"><table class="hours" id="hours"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        '<p class="soft">Share of the analysed time of each hour from the start of the recording.</p>'
    )


def _hour(shown: _Shown, hour: Period) -> str:
    analysed = hour.analysed_s / (hour.stop_s - hour.start_s)
    cells = "".join(
        f"<td>{_share(hour, pattern)}<small>{hour.prevalence(pattern)}</small></td>" for pattern in range(len(CLASSES))
    )
    start = shown.clock.time(hour.start_s)
    return f'<tr><th scope="row">{start[:5]}</th><td><data value="{analysed!r}">{_percent(analysed)}</data></td>{cells}</tr>'


# Explanations


def _explanations(shown: _Shown) -> str:
    thresholds = ", ".join(
        f"{name} {threshold:g}" for name, threshold in zip(CONSENSUS_NAMES, shown.settings.thresholds)
    )
    terms = {
        "Patterns": "LPD and GPD are lateralised and generalised periodic discharges. LRDA and GRDA are lateralised and "
        "generalised rhythmic delta activity. Other is everything else.",
        "Probabilities": f"Folds: {html.escape(shown.manifest_title)}. hbac {__version__}.",
        "Thresholds": f"A window counts as holding a pattern from this probability on: {thresholds}.",
        "Share": "Of the analysed time. Gaps and what could not be answered count as neither present nor absent. Words: "
        f"none, rare below 1 %, occasional, frequent from 10 %, abundant from 50 %, continuous from 90 %: {ACNS}.",
        "Run": "Windows in a row that reach the threshold; a single one below it, or without an answer, ends the run.",
        "Spectrograms": "Power of each chain, mean over its four pairs, in frames of 2 s; 0.5 to 20 Hz upward.",
    }
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in shown.notes) or "<li>nothing</li>"
    entries = "".join(f"<dt>{term}</dt><dd>{meaning}</dd>" for term, meaning in terms.items())
    return f'<dl>{entries}</dl><h3>What was assumed or missing</h3><ul id="notes">{notes}</ul>'


# What the script reads


def _data(shown: _Shown, around_s: int) -> dict[str, Any]:
    scan, start = shown.scan, shown.recording.start
    statuses = list(dict.fromkeys([OK, *map(str, scan.statuses)]))
    shares = np.round(10000 * np.asarray(scan.probabilities, np.float64))
    return {
        "classes": CONSENSUS_NAMES,
        "thresholds": shown.settings.thresholds,
        "duration_s": max(shown.recording.duration_s, scan.step_s),
        "step_s": scan.step_s,
        "start_ms": None if start is None else _milliseconds(start),
        "around_s": around_s,
        "onsets_ms": _base64(np.round(1000 * np.asarray(scan.onsets_s, np.float64)), "<u4"),
        "probabilities": _base64(np.where(np.isfinite(shares), shares, NO_ANSWER), "<u2"),
        "statuses": _base64(np.array([statuses.index(str(status)) for status in scan.statuses]), "u1"),
        "ok": OK,
        "status_names": statuses,
        "status_classes": [STATUS_CLASSES.get(status, UNKNOWN) for status in statuses],
        "scales_uv": SCALES_UV,
        "spacing": SPACING,
        "moments": [
            {
                "number": number,
                "name": CONSENSUS_NAMES[moment.pattern],
                "at_s": moment.start_s + SHOWN_S / 2,
                "window": moment.window,
            }
            for number, moment in enumerate(shown.moments, 1)
        ],
    }


def _milliseconds(moment: datetime) -> int:
    """Since 1970, of a time without a zone; the script counts days and hours from it and nothing else."""
    return round(moment.replace(tzinfo=timezone.utc).timestamp() * 1000)


def _base64(values: Any, kind: str) -> str:
    return base64.b64encode(np.asarray(values).astype(kind).tobytes()).decode()
