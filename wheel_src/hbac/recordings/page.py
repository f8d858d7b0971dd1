"""A recording as one HTML file that refers to nothing: what was found, when, how much, and what it looks like."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac.files import write_atomically
from hbac.hms import CLASSES, CONSENSUS_NAMES
from hbac.pages import CLASS_COLOURS
from hbac.recordings.assets import asset, safe_page
from hbac.recordings.axis import Clock, length
from hbac.recordings.burden import Answers, as_written, burden_csv, burden_table
from hbac.recordings.cards import moments
from hbac.recordings.chain_power import ChainPower, chain_power
from hbac.recordings.moments import SCALES_UV, SHOWN_S, SPACING, choose_moments
from hbac.recordings.quality import Status
from hbac.recordings.recording import Recording
from hbac.recordings.shown import PageSettings, Shown
from hbac.recordings.strip import STATUS_CLASSES, Strip
from hbac.recordings.tables import explanations, head, hours, totals

DEFAULTS: Final = PageSettings()
ENDINGS: Final = (".html", "_burden.csv")  # of the files' names, after that of the recording
SHARE, NO_ANSWER = 10_000, 65535  # of probabilities, which are whole numbers of a ten-thousandth
AROUND_S: Final = ((4 * 3600, 1200), (float("inf"), 3600))  # up to which length how much is shown around the cursor
SHORT_S: Final = 1200  # a recording up to this needs no such view


def write_page(
    path: Path,
    recording: Recording,
    scan: Answers,
    manifest_title: str,
    settings: PageSettings = DEFAULTS,
    notes: Sequence[str] = (),
) -> None:
    """Write the page, whole or not at all; see `page_of`.

    Raises:
        InputError: thresholds or windows that are none.
        RecordError: the recording can no longer be read.
        OutputError: the file cannot be written.
    """
    write_atomically(path, page_of(recording, scan, manifest_title, settings, notes))


def page_files(
    recording: Recording, scan: Answers, manifest_title: str, settings: PageSettings = DEFAULTS
) -> dict[str, bytes]:
    """The page and the table of burden by the names of their files.

    Raises:
        InputError: thresholds or windows that are none.
        RecordError: the recording can no longer be read.
    """
    burden = burden_table(scan, settings.thresholds, recording.duration_s)
    page = page_of(recording, scan, manifest_title, settings)
    return {f"{recording.name}{ending}": content for ending, content in zip(ENDINGS, (page, burden_csv(burden)))}


def page_of(
    recording: Recording,
    scan: Answers,
    manifest_title: str,
    settings: PageSettings = DEFAULTS,
    notes: Sequence[str] = (),
    power: ChainPower | None = None,
) -> bytes:
    """The page of a recording; the same input gives the same bytes.

    Args:
        recording: the EEG; it is read once for the spectrograms and again at the moments that are shown.
        scan: the answers, in the order of time.
        manifest_title: which folds gave them.
        settings: thresholds and moments.
        notes: what else was assumed or missing, beside the recording's own notes.
        power: the spectrograms, where they are known.

    Raises:
        InputError: thresholds or windows that are none.
        RecordError: the recording can no longer be read.
    """
    burden = burden_table(scan, settings.thresholds, recording.duration_s)
    chosen = choose_moments(scan, settings.thresholds, settings.moments, settings.apart_s)
    clock = Clock(recording.start, recording.duration_s)
    power = chain_power(recording) if power is None else power
    shown = Shown(recording, scan, burden, clock, chosen, settings, manifest_title, (*recording.notes, *notes))
    strip = Strip(scan, settings.thresholds, max(recording.duration_s, scan.step_s), clock, power, chosen)
    around_s = _around_s(recording.duration_s)
    parts = [
        head(shown),
        totals(shown),
        '<h2 id="whole">The whole recording</h2>',
        strip.html(),
        _at_cursor(around_s, settings.thresholds),
        "<h2>EEG at the most telling moments</h2>",
        moments(shown),
        "<h2>Hour by hour</h2>",
        hours(shown),
        "<h2>How to read this page</h2>",
        explanations(shown),
    ]
    data = json.dumps(_data(shown, around_s), separators=(",", ":"))
    return safe_page(recording.name, asset("page.css"), "".join(parts), asset("page.js"), data)


def _around_s(duration_s: float) -> int:
    """How much is shown around the cursor; 0 where the strip shows it well enough."""
    return 0 if duration_s <= SHORT_S else next(shown for longest, shown in AROUND_S if duration_s <= longest)


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
    return f'<div class="at{"" if around else " alone"}" id="at" hidden>{around}{answer}</div>{keys}'


def _around(around_s: int, thresholds: Sequence[float]) -> str:
    names = "".join(f"<div>{name}</div>" for name in CONSENSUS_NAMES)
    rows = "".join(
        f'<div class="row {pattern}"><svg viewBox="0 -4 {around_s} 104" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="low" id="low{number}" fill="{CLASS_COLOURS[pattern]}"/><path id="high{number}" fill="{CLASS_COLOURS[pattern]}"/>'
        f'<path class="limit" d="M0 {100 - 100 * threshold:g}H{around_s}"/></svg></div>'
        for number, (pattern, threshold) in enumerate(zip(CLASSES, thresholds))
    )
    return (
        f'<div><h3>{length(around_s)} around the cursor</h3><div class="figure"><div class="names"><div class="axis"></div>{names}</div>'
        f'<div class="plots"><div class="row axis" id="around-axis"></div><div class="slider" id="around">'
        f'{rows}<div id="around-marks"></div><div class="cursor" id="around-cursor"></div></div></div></div></div>'
    )


# What the script reads


def _data(shown: Shown, around_s: int) -> dict[str, Any]:
    scan, start = shown.scan, shown.recording.start
    statuses = list(STATUS_CLASSES)
    return {
        "classes": CONSENSUS_NAMES,
        "thresholds": shown.settings.thresholds,
        "duration_s": max(shown.recording.duration_s, scan.step_s),
        "step_s": scan.step_s,
        "start_ms": None if start is None else _milliseconds(start),
        "around_s": around_s,
        "onsets_cs": _base64(np.round(100 * np.asarray(scan.onsets_s, np.float64)), "<u4"),
        "probabilities": _base64(_shares(scan, shown.settings.thresholds), "<u2"),
        "statuses": _base64(np.array([statuses.index(Status(status)) for status in scan.statuses]), "u1"),
        "ok": Status.OK,
        "status_names": statuses,
        "flat": Status.FLAT,
        "status_classes": list(STATUS_CLASSES.values()),
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


def _shares(scan: Answers, thresholds: Sequence[float]) -> npt.NDArray[np.float64]:
    """(n, 6) in whole ten-thousandths, `NO_ANSWER` where there is none; none is rounded over its threshold."""
    probabilities = as_written(scan)
    least = np.ceil(np.round(SHARE * np.asarray(thresholds), 6))  # of those that reach it
    shares = np.round(SHARE * probabilities)
    kept = np.where(probabilities >= np.asarray(thresholds), np.maximum(shares, least), np.minimum(shares, least - 1))
    return np.where(np.isfinite(kept), kept, NO_ANSWER)


def _milliseconds(moment: datetime) -> int:
    """Since 1970, of a time without a zone; the script counts days and hours from it and nothing else."""
    return round(moment.replace(tzinfo=timezone.utc).timestamp() * 1000)


def _base64(values: Any, kind: str) -> str:
    return base64.b64encode(np.asarray(values).astype(kind).tobytes()).decode()
