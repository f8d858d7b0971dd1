"""The page of many recordings: a row for each, with a strip of its time, its shares and a link to its own page."""

import html
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import quote

import numpy as np

from hbac.hms import CLASSES, CONSENSUS_NAMES
from hbac.pages import CLASS_COLOURS, NO_NUMBER
from hbac.recordings.assets import asset, safe_page
from hbac.recordings.axis import length
from hbac.recordings.burden import SEIZURE, is_analysed
from hbac.recordings.finished import Finished
from hbac.recordings.page import ENDINGS
from hbac.recordings.png import data_url, indexed_png
from hbac.recordings.quality import Status
from hbac.recordings.strip import columns_of, key_of
from hbac.recordings.tables import percent

COLUMNS: Final = 240  # of a recording's strip
TIME: Final = "Time"  # the one column that does not sort
NOTHING, FLAT, GAP = 6, 7, 8  # beside the numbers of the classes, as the strip has them
GREYS: Final = ("#ffffff", "#b9c1c9", "#dfe3e7")
OTHER: Final = CLASSES.index("other")
LIGHT_OTHER: Final = "#8f969d"  # so that what is no pattern stands back


def archive_page(title: str, scans: Sequence[Finished], pages: Collection[str], notes: Sequence[str]) -> bytes:
    """The page.

    Args:
        title: of the folder.
        scans: of its recordings.
        pages: places of the recordings that have a page of their own.
        notes: what was refused, and in what the scans differ.
    """
    heads = ("Recording", TIME, *CONSENSUS_NAMES, "Longest seizure", "Worst 60 min", "Rule", "Length", "Analysed")
    titles = "".join(f'<th scope="col" aria-sort="none">{_sorter(name)}</th>' for name in heads)
    rows = "".join(_row(scan, scan.place in pages) for scan in scans)
    body = (
        f"<header><h1>{html.escape(title)}</h1>{_facts(scans)}</header>"
        '<p class="warning"><b>Not a medical device.</b> A neural network wrote these answers. They are for research, '
        "and no diagnosis.</p>"
        f'<div class="wide"><table class="archive" id="archive"><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{_legend()}{_notes(notes)}"
    )
    return safe_page(title, asset("page.css") + asset("archive.css"), body, asset("archive.js"))


def _sorter(name: str) -> str:
    return name if name == TIME else f'<button type="button">{name}</button>'


def _facts(scans: Sequence[Finished]) -> str:
    seconds = sum(scan.duration_s for scan in scans)
    analysed = sum(scan.burden.whole.analysed_s for scan in scans)
    seizures = sum(bool(scan.burden.runs[SEIZURE]) for scan in scans)
    status = sum(scan.burden.status_epilepticus for scan in scans)
    return (
        f'<p class="facts"><b>{len(scans)}</b> recordings, {length(seconds)}, {length(analysed)} analysed · '
        f"<b>{seizures}</b> with seizure windows · <b>{status}</b> that meet the rule of status epilepticus</p>"
    )


def _row(scan: Finished, has_page: bool) -> str:
    burden, whole = scan.burden, scan.burden.whole
    name = html.escape(scan.place)
    place = f'<a href="{quote(scan.place + ENDINGS[0])}">{name}</a>' if has_page else name
    start = f"<small>{scan.start:%Y-%m-%d %H:%M}</small>" if scan.start else ""
    analysed = whole.analysed_s / scan.duration_s if scan.duration_s else 0.0
    cells = [
        ("", f'<img class="time" alt="" src="{_strip(scan)}">'),
        *(_share(scan, pattern) for pattern in range(len(CLASSES))),
        (whole.longest_s[SEIZURE], length(whole.longest_s[SEIZURE]) if whole.longest_s[SEIZURE] else NO_NUMBER),
        (burden.worst_60_min[1], length(burden.worst_60_min[1]) if burden.worst_60_min[1] else NO_NUMBER),
        (int(burden.status_epilepticus), "<b>met</b>" if burden.status_epilepticus else "not met"),
        (scan.duration_s, length(scan.duration_s)),
        (analysed, percent(analysed)),
    ]
    texts = "".join(f'<td data-value="{value}">{text}</td>' for value, text in cells)
    return f'<tr><th scope="row" data-value="{name}">{place}{start}</th>{texts}</tr>'


def _share(scan: Finished, pattern: int) -> tuple[float, str]:
    share = scan.burden.whole.share(pattern)
    if share is None:
        return -1.0, NO_NUMBER
    bar = f'<i style="width:{100 * share:.2f}%;background:{CLASS_COLOURS[CLASSES[pattern]]}"></i>' if share else ""
    return (
        share,
        f'{percent(share)}<span class="meter">{bar}</span><small>{scan.burden.whole.prevalence(pattern)}</small>',
    )


def _strip(scan: Finished) -> str:
    """The whole time in one row of colours: in each column a seizure if there is one, else the likeliest pattern."""
    shares = np.where(is_analysed(scan)[:, None], scan.probabilities, -1.0)  # (n, 6)
    reached = np.where(shares >= scan.threshold, shares, -1.0)
    rank = reached + np.where(reached >= 0, [2.0, 1.0, 1.0, 1.0, 1.0, 0.0], 0.0)
    best = rank.argmax(axis=1)
    unanswered = [
        GAP if status == Status.GAP else FLAT if status == Status.FLAT else NOTHING for status in scan.statuses
    ]
    codes = np.where(rank.max(axis=1) < 0, unanswered, best)
    weight = np.where(rank.max(axis=1) < 0, np.where(np.array(unanswered) == NOTHING, -1.0, -2.0), rank.max(axis=1))
    levels, heaviest = np.full(COLUMNS, GAP, np.uint8), np.full(COLUMNS, -np.inf)
    for (first, last), code, one in zip(columns_of(scan, scan.duration_s, COLUMNS), codes.tolist(), weight.tolist()):
        columns = slice(first, last)
        levels[columns] = np.where(one > heaviest[columns], code, levels[columns])
        heaviest[columns] = np.maximum(heaviest[columns], one)
    return data_url(indexed_png(levels[None], _colours()))


def _colours() -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    named = [LIGHT_OTHER if number == OTHER else CLASS_COLOURS[name] for number, name in enumerate(CLASSES)]
    return np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in (*named, *GREYS)], np.uint8)


def _legend() -> str:
    patterns = "".join(f"<span>{key_of(name)}{shown}</span>" for name, shown in zip(CLASSES[:OTHER], CONSENSUS_NAMES))
    rest = "".join(
        f'<span><i class="key" style="background:{colour};border:1px solid #b8c0c8"></i>{name}</span>'
        for colour, name in ((LIGHT_OTHER, "Other"), (GREYS[0], "no pattern"), (GREYS[1], "flat"), (GREYS[2], "gap"))
    )
    return (
        f'<p class="legend"><span>Time:</span>{patterns}{rest}</p>'
        '<p class="soft">Shares are of the analysed time, with the words of the ACNS 2021 (Hirsch et al.). Rule: electrographic '
        "status epilepticus, a seizure of 10 min or more without a break, or seizures over 20% or more of any 60 min. Worst 60 min: "
        "how much of them is seizure. A click on a heading sorts.</p>"
    )


def _notes(notes: Sequence[str]) -> str:
    lines = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f'<h2>To be known</h2><ul id="notes">{lines}</ul>' if notes else ""
