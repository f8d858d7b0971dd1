"""Channel names as the field writes them: which electrode, against what, or which pair."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from hbac import hms
from hbac.errors import RecordError, brief

LEAST_PAIRS: Final = 8  # of 16: half of what the image shows
NEWER_NAMES: Final = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}  # of the 10-10 system
_ELECTRODE_OF: Final = {name.upper(): name for name in hms.ELECTRODES} | NEWER_NAMES
_LABEL: Final = re.compile(
    r"""(?:(?:EEG|POL)[\s:_.-]*)?        # what some recorders put before it
        (?P<first>[A-Z]{1,3}\d{0,2})\.*  # PhysioNet fills up with dots
        (?:\s*[-–_/]\s*(?P<second>[A-Z(][A-Z0-9+()/]*)\.*)?
        (?:-\d)?                         # MNE counts equal names""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Channel:
    """What a label says: an electrode and its reference ("" where none is named), or an electrode and another."""

    first: str
    second: str

    @property
    def is_pair(self) -> bool:
        """Whether it is one of `hms.PAIRS`, either way round."""
        return (self.first, self.second) in hms.PAIRS or (self.second, self.first) in hms.PAIRS


@dataclass(frozen=True)
class Montage:
    """Which channels of a file make the columns of a block.

    Attributes:
        electrodes: whether `columns` are the electrodes of `hms.ELECTRODES`; else the pairs of `hms.PAIRS`.
        derived: whether the pairs are to be made from electrodes, whose channels `columns` then names.
        columns: (19 or 16) the channels of each column; none where it is missing, several where a name comes twice.
        turned: columns whose channel is the second electrode minus the first.
        notes: what is missing or was assumed.
    """

    electrodes: bool
    derived: bool
    columns: tuple[tuple[int, ...], ...]
    turned: frozenset[int]
    notes: tuple[str, ...]


def read_label(label: str) -> Channel | None:
    """What a channel's label says; None where it names none of the 19 electrodes first.

    >>> read_label("EEG FP1-REF")
    Channel(first='Fp1', second='REF')
    """
    found = _LABEL.fullmatch(" ".join(label.split()).upper())
    if not found or found["first"] not in _ELECTRODE_OF:
        return None
    second = found["second"] or ""
    return Channel(_ELECTRODE_OF[found["first"]], _ELECTRODE_OF.get(second, second))


def montage_of(labels: Sequence[str], where: str) -> Montage:
    """Columns from labels: referential where that gives the pairs, else bipolar.

    Args:
        labels: of all channels of a file, as it writes them.
        where: the file, for messages.

    Raises:
        RecordError: fewer than `LEAST_PAIRS` of the 16 pairs, or electrodes of a pair against different references.
    """
    channels = {j: channel for j, label in enumerate(labels) if (channel := read_label(label))}
    pairs = {j: channel for j, channel in channels.items() if channel.is_pair}
    singles = {j: channel for j, channel in channels.items() if not channel.is_pair}
    are_pairs = len({frozenset((c.first, c.second)) for c in pairs.values()}) >= LEAST_PAIRS
    rows = _between_electrodes(singles) if are_pairs else []
    singles = {j: channel for j, channel in singles.items() if j not in rows}
    if len(_pairs_of({channel.first for channel in singles.values()})) >= LEAST_PAIRS:
        return _referential(labels, singles, len(pairs) + len(rows), where)
    if are_pairs:
        return _bipolar(labels, pairs)
    received = ", ".join(brief(label, quote=False) for label in labels[:8]) or "no channels"
    raise RecordError(
        f"{where}: expected electrodes for at least {LEAST_PAIRS} of the {len(hms.PAIRS)} pairs "
        f"(Fp1-F7, F7-T3 ...), received {len(labels)} channels: {received}{' ...' if len(labels) > 8 else ''}"
    )


def _between_electrodes(singles: dict[int, Channel]) -> list[int]:
    """Channels such as C3-Cz and F7-F3, of no chain: against electrodes, and not all against the same one."""
    found = [j for j, channel in singles.items() if channel.second in hms.ELECTRODES]
    return found if len({singles[j].second for j in found}) > 1 else []


def _pairs_of(electrodes: set[str]) -> list[tuple[str, str]]:
    return [(a, b) for a, b in hms.PAIRS if a in electrodes and b in electrodes]


def _referential(labels: Sequence[str], singles: dict[int, Channel], pairs: int, where: str) -> Montage:
    columns = _columns([channel.first for channel in singles.values()], list(singles), hms.ELECTRODES)
    references = {
        name: {singles[j].second for j in channels} for name, channels in zip(hms.ELECTRODES, columns) if channels
    }
    derived = _check_references(references, where)
    notes = _missing("electrodes", hms.ELECTRODES, columns) + _renamed(labels, columns)
    if derived:
        notes += (f"references differ between pairs and not within one: {_listed(references)}; pairs are read",)
    if pairs:
        notes += (f"{pairs} bipolar channels beside the electrodes are left out",)
    return Montage(not derived, derived, columns, frozenset(), notes)


def _check_references(references: dict[str, set[str]], where: str) -> bool:
    """Whether electrodes have several references, so that only pairs mean something.

    Raises:
        RecordError: the electrodes of a pair have different ones.
    """
    for a, b in _pairs_of(set(references)):
        if len(references[a] | references[b]) > 1:
            raise RecordError(f"{where}: expected one reference, received {_listed(references)}")
    return len(set[str]().union(*references.values())) > 1


def _listed(references: dict[str, set[str]]) -> str:
    """`Fp1 F3 against A1, Fp2 against A2`."""
    by_reference = sorted(
        ((reference, name) for name, some in references.items() for reference in some), key=lambda item: item[0]
    )
    groups = [
        (brief(key, quote=False) or "none", [name for _, name in group])
        for key, group in groupby(by_reference, lambda item: item[0])
    ]
    return ", ".join(f"{' '.join(names)} against {reference}" for reference, names in groups)


def _bipolar(labels: Sequence[str], pairs: dict[int, Channel]) -> Montage:
    names = ["-".join(pair) for pair in hms.PAIRS]
    forward = {j: channel for j, channel in pairs.items() if (channel.first, channel.second) in hms.PAIRS}
    backward = {j: channel for j, channel in pairs.items() if j not in forward}
    columns = _columns([f"{c.first}-{c.second}" for c in forward.values()], list(forward), names)
    others = _columns([f"{c.second}-{c.first}" for c in backward.values()], list(backward), names)
    turned = frozenset(j for j in range(len(names)) if others[j] and not columns[j])
    spare = [labels[channel] for j, channels in enumerate(others) if j not in turned for channel in channels]
    columns = tuple(others[j] if j in turned else channels for j, channels in enumerate(columns))
    notes = _missing("pairs", names, columns) + _renamed(labels, columns)
    if turned:
        notes += (f"pairs written the other way round, turned: {', '.join(names[j] for j in sorted(turned))}",)
    if spare:
        notes += (f"left out, as the pair is there the right way round: {', '.join(spare)}",)
    return Montage(False, False, columns, turned, notes)


def _columns(received: Sequence[str], channels: Sequence[int], names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(j for j, other in zip(channels, received) if other == name) for name in names)


def _missing(what: str, names: Sequence[str], columns: Sequence[tuple[int, ...]]) -> tuple[str, ...]:
    absent = [name for name, channels in zip(names, columns) if not channels]
    return (f"{what} missing: {', '.join(absent)}",) if absent else ()


def _renamed(labels: Sequence[str], columns: Sequence[tuple[int, ...]]) -> tuple[str, ...]:
    used = " ".join(labels[j] for channels in columns for j in channels).upper()
    newer = [f"{new} as {old}" for new, old in NEWER_NAMES.items() if re.search(rf"\b{new}\b", used)]
    return (f"electrodes by their newer names: {', '.join(newer)}",) if newer else ()
