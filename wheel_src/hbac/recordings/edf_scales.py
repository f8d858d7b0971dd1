"""Digital values of an EDF or BDF file to microvolts: the limits and the unit of each signal."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hbac.errors import RecordError, brief
from hbac.recordings.edf_header import Header, Signal, number
from hbac.recordings.units import UNITS, unit_of

SHOWN: Final = 3  # of the signals that a note names


@dataclass(frozen=True)
class Scale:
    """Digital values to microvolts: `gain` times the value, plus `offset`; where the unit is unknown, as it is."""

    gain: float
    offset: float


def scales_of(
    header: Header, channels: Sequence[int], told: str | None, where: str
) -> tuple[dict[int, Scale], tuple[int, ...], tuple[str, ...]]:
    """Scales of the channels that are read, those whose unit nobody knows, and notes.

    Args:
        header: of the file.
        channels: that are read.
        told: the unit of signals that state none.
        where: the file, for messages.

    Raises:
        RecordError: limits that are equal, no numbers or none that samples have; or values that are not calibrated.
    """
    units = {j: unit_of(header.signals[j].unit) or told for j in channels}
    scales = {j: _scale(header.signals[j], units[j], header, where) for j in channels}
    unknown = tuple(j for j, unit in units.items() if unit is None)
    return scales, unknown, _told(header, channels, told) + _odd_ones(header, channels)


def _scale(signal: Signal, unit: str | None, header: Header, where: str) -> Scale:
    label = brief(signal.label)
    low, high, first, last = (number(text, f"the limits of {label}", where) for text in signal.limits)
    smallest, largest = header.form.digital_limits
    if not smallest <= first < last <= largest:
        raise RecordError(
            f"{where}: expected digital limits within {smallest} and {largest} for {label}, "
            f"received {signal.limits[2]} and {signal.limits[3]}"
        )
    if low == high:
        raise RecordError(
            f"{where}: expected physical limits that differ for {label}, received {signal.limits[0]} twice"
        )
    if unit is None and (low, high) == (first, last):
        raise RecordError(
            f"{where}: expected a unit for {label}, received {brief(signal.unit)} and limits without calibration"
        )
    factor = UNITS[unit] if unit else 1.0
    gain = (high - low) / (last - first)
    return Scale(float(gain) * factor, float(low - gain * first) * factor)


def _told(header: Header, channels: Sequence[int], told: str | None) -> tuple[str, ...]:
    without = [j for j in channels if unit_of(header.signals[j].unit) is None]
    if not told or not without:
        return ()
    return (f"unit {told} as told for {len(without)} channels that state none",)


def _odd_ones(header: Header, channels: Sequence[int]) -> tuple[str, ...]:
    """A note where signals do not have the same unit and limits: as some recorders write it, or damage."""
    stated = {j: (unit_of(header.signals[j].unit), *header.signals[j].limits) for j in channels}
    (usual, _), *others = Counter(stated.values()).most_common()
    if not others:
        return _turned(header, channels)
    odd = [header.signals[j].label for j in channels if stated[j] != usual]
    more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
    return (f"unit or limits of {', '.join(odd[:SHOWN])}{more} are not those of the others", *_turned(header, channels))


def _turned(header: Header, channels: Sequence[int]) -> tuple[str, ...]:
    limits = [header.signals[j].limits for j in channels]
    turned = sum(number(low, "a limit", "") > number(high, "a limit", "") for low, high, *_ in limits)
    return (f"physical limits the other way round in {turned} channels: polarity turned, as stated",) if turned else ()
