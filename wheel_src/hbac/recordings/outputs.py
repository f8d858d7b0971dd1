"""What a scan writes beside a recording's name: probabilities, seizures in SzCORE's form, annotations for EDF and MNE.

Each function returns the bytes of one file; the same scan gives the same bytes.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from hbac.edf import YEARS, annotations_alone
from hbac.hms import CLASSES
from hbac.recordings.events import RULES, Event, Rules, events_of, seizures_of
from hbac.recordings.quality import Status
from hbac.recordings.scan import Scan

CSV_COLUMNS: Final = ("onset", "duration", *CLASSES, "status")
TSV_COLUMNS: Final = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")
SEIZURE_CODE, BACKGROUND_CODE, UNKNOWN = "sz", "bckg", "n/a"  # the codes that SzCORE's evaluation takes
NOT_SEEN: Final = {Status.GAP: "BAD_gap", Status.FLAT: "BAD_flat"}  # MNE leaves out what a BAD annotation covers
NOTHING: Final = "no pattern"
PROBABILITIES, EVENTS, EDF, TEXT = ENDINGS = (  # of the files' names, after that of the recording
    "_probabilities.csv",
    "_events.tsv",
    "_annotations.edf",
    "_annotations.txt",
)
MNE_HEAD: Final = "# MNE-Annotations\n# onset, duration, description\n"


def files_of(scan: Scan, rules: Rules = RULES) -> dict[str, bytes]:
    """The files of one scan by their names."""
    events = events_of(scan, rules)
    made = (
        probabilities_csv(scan),
        events_tsv(scan, seizures_of(scan, rules)),
        annotations_edf(scan, events),
        annotations_text(scan, events),
    )
    return {f"{scan.name}{ending}": content for ending, content in zip(ENDINGS, made)}


def probabilities_csv(scan: Scan) -> bytes:
    """A row for each step; the six cells of one without an answer are empty."""
    lines = [",".join(CSV_COLUMNS)]
    for onset, duration, row, status in zip(scan.onsets_s, scan.durations_s, scan.probabilities, scan.statuses):
        cells = [f"{share:.6f}" if np.isfinite(share) else "" for share in row]
        lines.append(",".join((_seconds(onset), _seconds(duration), *cells, str(status))))
    return _text(lines)


def events_tsv(scan: Scan, seizures: Sequence[Event]) -> bytes:
    """A row for each seizure, or one of background for the whole recording."""
    when = scan.start.strftime("%Y-%m-%d %H:%M:%S") if scan.start else UNKNOWN
    length = f"{scan.duration_s:.2f}"
    rows = [
        (f"{event.onset_s:.2f}", f"{event.duration_s:.2f}", SEIZURE_CODE, f"{event.confidence:.2f}")
        for event in seizures
    ] or [("0.00", length, BACKGROUND_CODE, UNKNOWN)]
    return _text(["\t".join(TSV_COLUMNS), *("\t".join((*row, UNKNOWN, when, length)) for row in rows)])


def annotations_edf(scan: Scan, events: Sequence[Event]) -> bytes:
    """An EDF+ file without signals: an annotation for each event, gap and flat stretch, or one that there is none."""
    start = scan.start if scan.start and scan.start.year in YEARS else None
    return annotations_alone(_told(scan, events), start)


def annotations_text(scan: Scan, events: Sequence[Event]) -> bytes:
    """The same for `mne.read_annotations`, in seconds from the start of the recording."""
    lines = [f"{onset:.3f}, {duration:.3f}, {text}\n" for onset, duration, text in _told(scan, events)]
    return (MNE_HEAD + "".join(lines)).encode()


def _told(scan: Scan, events: Sequence[Event]) -> list[tuple[float, float, str]]:
    """Onset, duration and text of all that is told, by onset."""
    told = [(round(event.onset_s, 3), round(event.duration_s, 3), event.kind) for event in events]
    told += [stretch for status in NOT_SEEN for stretch in _stretches(scan, status)]
    return sorted(told) or [(0.0, round(scan.duration_s, 3), NOTHING)]


def _stretches(scan: Scan, status: Status) -> list[tuple[float, float, str]]:
    """Where steps of one status follow each other."""
    found: list[tuple[float, float, str]] = []
    for onset, duration, own in zip(scan.onsets_s.tolist(), scan.durations_s.tolist(), scan.statuses):
        if own is not status:
            continue
        last = found[-1] if found else None
        if last and abs(last[0] + last[1] - onset) < 1e-6:
            found[-1] = (last[0], onset + duration - last[0], last[2])
        else:
            found.append((onset, duration, NOT_SEEN[status]))
    return found


def _seconds(value: float) -> str:
    """Without decimals that say nothing."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _text(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
