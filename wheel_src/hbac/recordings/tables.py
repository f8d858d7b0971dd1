"""The tables and words of a recording's page: how much of each pattern, by the hour and in all, and what that means."""

import html
from typing import Final

from hbac.hms import CLASSES, CONSENSUS_NAMES
from hbac.pages import CLASS_COLOURS, NO_NUMBER
from hbac.recordings.axis import length
from hbac.recordings.burden import SEIZURE, STATUS_RUN_S, STATUS_SHARE, Period
from hbac.recordings.shown import Shown
from hbac.recordings.strip import key_of
from hbac.version import __version__

ACNS: Final = "American Clinical Neurophysiology Society, Critical Care EEG Terminology 2021 (Hirsch et al.)"


def head(shown: Shown) -> str:
    """Name, facts, and what the page is not."""
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


def totals(shown: Shown) -> str:
    """The whole recording: share, word, longest run of each pattern, and the burden of seizures."""
    rows = "".join(_total(shown, pattern) for pattern in range(len(CLASSES)))
    titles = "".join(
        f'<th scope="col">{name}</th>' for name in ("Pattern", "Share of analysed time", "", "Longest run", "Runs")
    )
    return (
        f'<h2>How much of each pattern</h2><div class="much"><div class="wide"><table id="totals"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_status_rule(shown)}</div>"
    )


def _total(shown: Shown, pattern: int) -> str:
    whole, runs = shown.burden.whole, shown.burden.runs[pattern]
    longest = max(runs, key=lambda run: run.length_s, default=None)
    when = (
        NO_NUMBER
        if longest is None
        else f'{length(longest.length_s)} <span class="soft">from {shown.clock.moment(longest.start_s)}</span>'
    )
    return (
        f'<tr><th scope="row">{key_of(CLASSES[pattern])}{CONSENSUS_NAMES[pattern]}</th><td>{_share(whole, pattern)}</td>'
        f'<td class="word">{whole.prevalence(pattern)}</td><td>{when}</td><td>{len(runs)}</td></tr>'
    )


def _share(period: Period, pattern: int, unit: str = " %") -> str:
    share = period.share(pattern)
    if share is None:
        return NO_NUMBER
    bar = f'<i style="width:{100 * share:.2f}%;background:{CLASS_COLOURS[CLASSES[pattern]]}"></i>' if share else ""
    return f'<data value="{share!r}">{percent(share, unit)}</data><span class="meter">{bar}</span>'


def percent(share: float, unit: str = " %") -> str:
    """With a decimal where it matters; what is there is never shown as 0, nor what is not all as 100."""
    if 0 < share < 0.001:
        return f"&lt; 0.1{unit}"
    if 0.999 < share < 1:
        return f"&gt; 99.9{unit}"
    return f"{100 * share:.1f}{unit}" if share else f"0{unit}"


def _status_rule(shown: Shown) -> str:
    """Seizure burden, and whether the ACNS' rule of electrographic status epilepticus is met."""
    burden = shown.burden
    if not burden.whole.analysed_s:
        return '<p class="rule">Nothing of this recording could be analysed.</p>'
    start, seconds = burden.worst_60_min
    stop = min(start + 3600, shown.recording.duration_s)
    found = (
        f"Seizure windows last {length(burden.whole.present_s[SEIZURE])} in all. The longest run is "
        f"{length(burden.whole.longest_s[SEIZURE])}. The 60 min with most of them hold {length(seconds)} "
        f"({shown.clock.moment(start)} to {shown.clock.moment(stop)})."
        if seconds
        else "No window reaches the threshold of seizure."
    )
    rule = (
        f"ACNS 2021 calls it electrographic status epilepticus where a seizure lasts {STATUS_RUN_S / 60:g} min or more "
        f"without a break, or seizures fill {STATUS_SHARE:.0%} or more of any 60 min (12 min)."
    )
    met = (
        "<b>These windows meet that rule.</b>" if burden.status_epilepticus else "These windows do not meet that rule."
    )
    return f'<p class="rule{" met" if burden.status_epilepticus else ""}" id="rule"><b>Seizure burden.</b> {found} {rule} {met}</p>'


def hours(shown: Shown) -> str:
    """Shares and words of each hour."""
    titles = "".join(f'<th scope="col">{name}</th>' for name in ("From", "Analysed", *CONSENSUS_NAMES))
    days = [shown.clock.day(hour.start_s) for hour in shown.burden.hours]
    new = [day if day != before else "" for day, before in zip(days, ["", *days])]
    rows = "".join(_hour(shown, hour, day) for hour, day in zip(shown.burden.hours, new))
    return (
        f'<div class="wide"><table class="hours" id="hours"><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div>'
        '<p class="soft">Per cent of the analysed time of each hour, counted from the start of the recording. Analysed: per cent '
        "of the hour.</p>"
    )


def _hour(shown: Shown, hour: Period, day: str) -> str:
    analysed = hour.analysed_s / (hour.stop_s - hour.start_s)
    cells = [f'<data value="{analysed!r}">{percent(analysed, unit="")}</data>']
    for pattern in range(len(CLASSES)):
        cells.append(f"{_share(hour, pattern, unit='')}<small>{hour.prevalence(pattern)}</small>")
    start = f"{shown.clock.time(hour.start_s)[:5]}{f'<small>{day}</small>' if day else ''}"
    return f'<tr><th scope="row">{start}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def explanations(shown: Shown) -> str:
    """What the words and numbers mean, which folds gave them, and the notes."""
    thresholds = ", ".join(
        f"{name} {threshold:g}" for name, threshold in zip(CONSENSUS_NAMES, shown.settings.thresholds)
    )
    terms = {
        "Patterns": "LPD and GPD are lateralised and generalised periodic discharges. LRDA and GRDA are lateralised and "
        "generalised rhythmic delta activity. Other is everything else.",
        "Probabilities": f"Folds: {html.escape(shown.manifest_title)}. hbac {__version__}.",
        "Thresholds": f"A window counts as holding a pattern from this probability on: {thresholds}.",
        "Share": "Of the analysed time. Gaps and flat lines count as neither present nor absent. Words: "
        f"none, rare below 1 %, occasional, frequent from 10 %, abundant from 50 %, continuous from 90 %: {ACNS}.",
        "Run": "Windows in a row that reach the threshold; a single one below it, a gap or a flat line ends the run.",
        "Spectrograms": "Power of each chain, mean over its four pairs, in frames of 2 s; 0.5 to 20 Hz upward.",
    }
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in shown.notes) or "<li>nothing</li>"
    entries = "".join(f"<dt>{term}</dt><dd>{meaning}</dd>" for term, meaning in terms.items())
    return f'<dl>{entries}</dl><h3>What was assumed or missing</h3><ul id="notes">{notes}</ul>'
