"""EDF and BDF files with one changed byte: none ends a run, and none gives another answer without a word.

    PYTHONPATH=wheel_src python tests/fuzz/recordings.py [--files 2000] [--seed 1]

Each file holds the same EEG in another form. A byte of it is changed, and what it was is known: a header's, a data
record's time, a sample of the EEG, or a sample of another signal. A header or a time may be refused, noted, or give the
same answer. A sample may change its own channel as far as a filter reaches. What counts as a fault is another answer
without a note, or an error that is not hbac's. The start of a recording is what the header says, and is counted apart.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edfio
import numpy as np
from helpers_recordings import PAIR_LABELS, edf_signal, field_at, known_eeg, pairs_of, shift_onsets, write_edf

import hbac
from hbac import hms

SECONDS = 6
REACH = 70  # samples at 200 Hz to each side that a changed sample may change
ROOM = [edfio.EdfAnnotation(0, None, "room for longer onsets")]
FAULTS = ("WITHOUT A NOTE", "ANOTHER ERROR", "FURTHER THAN THE FILTER")


@dataclass(frozen=True)
class Answer:
    """What a file gave."""

    block: np.ndarray
    start: object
    notes: tuple[str, ...]


def files(folder: Path) -> dict[str, Path]:
    """The same EEG in each form."""
    ekg = edf_signal(np.zeros(SECONDS * 100), 100, "EKG")
    eeg, pairs = known_eeg(200, SECONDS), pairs_of(known_eeg(200, SECONDS))
    whole = {
        "EDF": write_edf(folder / "a.edf", eeg, labels=[f"EEG {name}-REF" for name in hms.ELECTRODES], more=[ekg]),
        "EDF, 256 Hz": write_edf(folder / "b.edf", known_eeg(256, SECONDS), 256),
        "EDF, mV, pairs": write_edf(folder / "c.edf", pairs, labels=PAIR_LABELS, unit="mV"),
        "EDF+C": write_edf(folder / "d.edf", eeg, annotations=ROOM),
        "EDF+D": write_edf(folder / "e.edf", known_eeg(512, SECONDS), 512, annotations=ROOM),
        "BDF": write_edf(folder / "f.bdf", known_eeg(512, SECONDS), 512, form="BDF"),
        "BDF+C": write_edf(folder / "g.bdf", eeg, form="BDF", annotations=ROOM),
    }
    shift_onsets(whole["EDF+D"], lambda k: 5 * (k >= 3))
    return whole


def ask(path: Path) -> Answer:
    """Read a file and all of its samples."""
    recording = hbac.read_recording(path)
    return Answer(recording.block(0, recording.samples), recording.start, recording.notes)


def place_of(held: bytes, at: int) -> tuple[str, str, int]:
    """What a byte is, the label of its signal, and its data record."""
    count = int(held[252:256])
    if at < 256 * (1 + count):
        return "header", "", 0
    size = 3 if held[0] == 0xFF else 2
    samples = [int(held[field_at(held, "samples", j)]) for j in range(count)]
    record, rest = divmod(at - 256 * (1 + count), size * sum(samples))
    ends = size * np.cumsum(samples)
    j = int(np.searchsorted(ends, rest, side="right"))
    label = held[field_at(held, "label", j)].decode().strip()
    if "Annotations" in label:
        return "annotations", label, record
    return ("sample of another", label, record) if label == "EKG" else ("sample", label, record)


def judge(kind: str, column: int | None, before: Answer, after: Answer) -> str:
    """What became of a changed byte."""
    if np.array_equal(before.block, after.block, equal_nan=True):
        if set(after.notes) - set(before.notes):
            return "noted"
        return "the same" if before.start == after.start or kind == "sample" else "another start"
    if kind in ("header", "annotations"):
        return "noted" if set(after.notes) - set(before.notes) else "WITHOUT A NOTE"
    if before.block.shape != after.block.shape or kind == "sample of another":
        return "FURTHER THAN THE FILTER"
    rows, columns = np.nonzero(~((before.block == after.block) | (np.isnan(before.block) & np.isnan(after.block))))
    near = rows.max() - rows.min() <= 2 * REACH and set(columns) == {column}
    return "as far as the filter" if near else "FURTHER THAN THE FILTER"


def column_of(label: str) -> int | None:
    """Column of a block that a label belongs to."""
    name = label.removeprefix("EEG ").removesuffix("-REF")
    names = PAIR_LABELS if "-" in name else hms.ELECTRODES
    return names.index(name) if name in names else None


def changed(held: bytes, rng: np.random.Generator) -> tuple[bytes, int]:
    """One byte of a file changed: half of them in its header, and of these most where it is read; some in annotations."""
    header = 256 * (1 + int(held[252:256]))
    in_header = rng.random() < 0.5
    at = int(rng.integers(0, header) if in_header else rng.integers(header, len(held)))
    if in_header and rng.random() < 0.6:  # most of a header is never read
        count = int(held[252:256])
        fields = ("date", "time", "bytes", "reserved", "records", "duration", "signals", "recording")
        each = ("label", "unit", "pmin", "pmax", "dmin", "dmax", "samples")
        name = str(rng.choice([*fields, *each, *each]))
        place = field_at(held, name, int(rng.integers(count)))
        at = int(rng.integers(place.start, place.stop))
    elif not in_header and rng.random() < 0.3 and (texts := [k for k in range(header, len(held)) if held[k] == 0x14]):
        at = int(rng.choice(texts)) - int(rng.integers(0, 4))  # where an onset ends
    while True:
        new = int(rng.integers(256)) if rng.random() < 0.5 else int(rng.choice(list(b"0123456789 -+.EDFVumnT\xb5")))
        if new != held[at]:
            return held[:at] + bytes([new]) + held[at + 1 :], at


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    table: dict[tuple[str, str], Counter[str]] = {}
    longest_s, odd = 0.0, []
    with tempfile.TemporaryDirectory() as name:
        whole = files(Path(name))
        before = {form: ask(path) for form, path in whole.items()}
        for j in range(args.files):
            form = list(whole)[j % len(whole)]
            held = whole[form].read_bytes()
            content, at = changed(held, rng)
            path = Path(name) / f"x{whole[form].suffix}"
            path.write_bytes(content)
            kind, label, _ = place_of(held, at)
            began = time.monotonic()
            try:
                became = judge(kind, column_of(label), before[form], ask(path))
            except hbac.HbacError as error:
                became = "refused" if kind in ("header", "annotations") and "\n" not in str(error) else "ANOTHER ERROR"
            except Exception as error:
                became = "ANOTHER ERROR"
                print(f"{form} byte {at}: {type(error).__name__}: {error}")
            longest_s = max(longest_s, time.monotonic() - began)
            table.setdefault((form, kind), Counter())[became] += 1
            if became in FAULTS:
                odd.append(f"{form} byte {at} ({kind} {label}): {held[at]:#x} to {content[at]:#x}: {became}")
    print("\n".join(odd))
    outcomes = sorted({outcome for row in table.values() for outcome in row})
    print(f"{'form':16}{'byte':20}" + "".join(f"{outcome:>24}" for outcome in outcomes))
    for (form, kind), row in sorted(table.items()):
        print(f"{form:16}{kind:20}" + "".join(f"{row[outcome]:>24}" for outcome in outcomes))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{args.files} files, {len(odd)} faults; longest {longest_s:.2f} s, peak memory {peak} MB")
    return int(bool(odd))


if __name__ == "__main__":
    sys.exit(main())
