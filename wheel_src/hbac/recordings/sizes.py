"""How large the values of a recording are: whether they are those of EEG in microvolts."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from hbac import hms
from hbac.preprocessing.damage import EEG_TYPICAL_UV
from hbac.recordings.sampled import Group, Segment, Source

LOOKS: Final = 12  # stretches that are looked at
LOOK_S: Final = 2


def sizes_of(source: Source) -> dict[int, float]:
    """The typical size of each channel that has one: median distance from the median, over some stretches."""
    found: dict[int, list[float]] = {}
    for group in source.groups:
        for start, stop in _looks(source.segments, group):
            for channel, values in zip(group.channels, source.read(group, start, stop)):
                finite = values[np.isfinite(values)]
                if finite.size:
                    found.setdefault(channel, []).append(float(np.median(np.abs(finite - np.median(finite)))))
    return {channel: float(np.median(sizes)) for channel, sizes in found.items()}


def typical(sizes: Mapping[int, float]) -> float:
    """The size of the channel in the middle; NaN where there is none."""
    return float(np.median(list(sizes.values()))) if sizes else float("nan")


def plausible(sizes: Mapping[int, float]) -> tuple[str, ...]:
    """A note where no EEG is of that size."""
    size, (low, high) = typical(sizes), EEG_TYPICAL_UV
    if low <= size <= high:
        return ()
    return (f"expected typical values of {low:g} to {high:g} uV, received {size:.3g}: another unit?",)


def _looks(segments: Sequence[Segment], group: Group) -> list[tuple[int, int]]:
    """Stretches of a group's own samples, from evenly spread segments, in the middle of even parts of each."""
    length = max(1, LOOK_S * hms.EEG_RATE_HZ * group.ratio.down // group.ratio.up)
    chosen = segments if len(segments) <= LOOKS else [segments[k * len(segments) // LOOKS] for k in range(LOOKS)]
    parts = max(1, LOOKS // len(chosen))
    out = []
    for segment in chosen:
        first, samples = segment.first * group.per_step, segment.steps * group.per_step
        starts = {first + max(0, samples - length) * (2 * k + 1) // (2 * parts) for k in range(parts)}
        out += [(start, min(start + length, first + samples)) for start in sorted(starts)]
    return out
