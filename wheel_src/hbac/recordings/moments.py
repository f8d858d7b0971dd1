"""The most telling moments of a recording: which they are, their EEG, and that EEG as a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import signal

from hbac.hms import CLASSES, EEG_RATE_HZ, PAIRS, PAIRS_PER_CHAIN
from hbac.preprocessing.montage import bipolar, bipolar_gaps, bridge_gaps
from hbac.recordings.burden import Answers, as_written, is_analysed
from hbac.recordings.recording import Recording

SHOWN_S: Final = 10
MARGIN_S: Final = 10  # before and after, for the filter to settle
BAND_HZ: Final = (0.5, 35.0)  # as EEG is read where mains hums
DRAWN_HZ: Final = 100
WIDTH: Final = SHOWN_S * DRAWN_HZ  # units of the picture: one a sample
SPACING: Final = 40  # from a pair to the next
CHAIN_GAP: Final = 26  # and on top of that from a chain to the next
TOP: Final = 34  # above the first pair
BOTTOM: Final = 74  # below the last: room for the scale bar
SCALES_UV: Final = (10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000)  # what a pair's spacing may stand for
CLIPPED_UV: Final = 9999
LEFT, RIGHT = "left", "right"  # of the head: the colour of a pair

Values = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Moment:
    """A window that is shown with its EEG."""

    pattern: int  # whose probability is high
    window: int  # which answer it is
    start_s: float  # of the 10 s shown
    reached: bool  # whether the probability reaches the pattern's threshold


def choose_moments(scan: Answers, thresholds: Sequence[float], most: int, apart_s: float) -> list[Moment]:
    """Of each pattern the windows with the highest probability, none nearer to another of the same pattern than told.

    The highest one is there even if it does not reach the threshold; others only if they do.

    Returns:
        Ordered by pattern, then by probability, the highest first.
    """
    middles = np.asarray(scan.onsets_s) + scan.step_s / 2
    analysed, probabilities = is_analysed(scan), as_written(scan)
    moments = []
    for pattern in range(len(CLASSES)):
        left = np.where(analysed, probabilities[:, pattern], -1.0)
        for number in range(most):
            window = int(np.argmax(left)) if len(left) else -1
            if window < 0 or left[window] < 0 or (number and left[window] < thresholds[pattern]):
                break
            reached = bool(left[window] >= thresholds[pattern])
            moments.append(Moment(pattern, window, float(middles[window] - SHOWN_S / 2), reached))
            left[np.abs(middles - middles[window]) < apart_s] = -1
    return moments


def eeg_of(recording: Recording, start_s: float) -> Values:
    """The 10 s from `start_s`: (16, 1000) microvolts at 100 Hz, 0.5 to 35 Hz without a shift, NaN in gaps.

    Raises:
        RecordError: the file can no longer be read.
    """
    start = round(start_s * EEG_RATE_HZ)
    margin = MARGIN_S * EEG_RATE_HZ
    block = recording.block(start - margin, start + SHOWN_S * EEG_RATE_HZ + margin)
    bridged, missing = bridge_gaps(block.astype(np.float64))
    filtered = signal.sosfiltfilt(_filter(), bridged, axis=0)
    pairs, gaps = (bipolar(filtered), bipolar_gaps(missing)) if recording.electrodes else (filtered.T, missing.T)
    shown = slice(margin, margin + SHOWN_S * EEG_RATE_HZ, EEG_RATE_HZ // DRAWN_HZ)
    uv: Values = np.where(gaps[:, shown], np.nan, pairs[:, shown])
    return uv


@cache
def _filter() -> npt.NDArray[np.float64]:
    """Second-order sections, to be run forward and backward: of 50 Hz a fiftieth is left, of 60 Hz nothing."""
    low, high = BAND_HZ
    kinds = ((2, low, "highpass"), (4, high, "lowpass"))
    sections = [signal.butter(order, hz, kind, fs=EEG_RATE_HZ, output="sos") for order, hz, kind in kinds]
    both: npt.NDArray[np.float64] = np.vstack(sections)
    return both


def scale_of(uv: Values) -> int:
    """What the distance between two pairs should stand for, so that each keeps to its place for most of the time."""
    high = max(
        (float(np.quantile(np.abs(known), 0.9)) for pair in uv if len(known := pair[np.isfinite(pair)])), default=0.0
    )
    return next((scale for scale in SCALES_UV if scale >= high), SCALES_UV[-1])


def place_of(pair: int) -> int:
    """Height of a pair's zero line in the picture, from its top."""
    return TOP + pair * SPACING + pair // PAIRS_PER_CHAIN * CHAIN_GAP


HEIGHT: Final = place_of(len(PAIRS) - 1) + BOTTOM


def side_of(pair: int) -> str:
    """The half of the head that a pair lies on; odd numbers are left."""
    return LEFT if int(PAIRS[pair][0][-1]) % 2 else RIGHT


def drawing(uv: Values) -> str:
    """The EEG as SVG that stretches with its frame: negative up, a line a second, a scale bar of one spacing and 1 s."""
    scale = scale_of(uv)
    seconds = "".join(f"M{second * DRAWN_HZ} 0V{HEIGHT}" for second in range(1, SHOWN_S))
    traces = "".join(
        f'<path class="{side_of(pair)}" data-y="{place_of(pair)}" '
        f'transform="translate(0 {place_of(pair)}) scale(1 {SPACING / scale:g})" d="{"".join(_path(values))}"/>'
        for pair, values in enumerate(uv)
    )
    bar = f"M{WIDTH - DRAWN_HZ - 12} {HEIGHT - 8 - SPACING}v{SPACING}h{DRAWN_HZ}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" data-uv="{scale}" aria-hidden="true">'
        f'<path class="second" d="{seconds}"/>{traces}<path class="bar" d="{bar}"/></svg>'
    )


def _path(uv: Values) -> Iterator[str]:
    """SVG path data in whole microvolts, a sample a unit; positive is down, as an EEG is read."""
    known = np.isfinite(uv)
    whole = np.clip(np.round(np.nan_to_num(uv)), -CLIPPED_UV, CLIPPED_UV).astype(int)
    borders = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    for start, stop in zip(borders[::2].tolist(), borders[1::2].tolist()):
        steps = np.diff(whole[start:stop]).tolist()
        line = " ".join(f"1{step}" if step < 0 else f"1 {step}" for step in steps)
        yield f"M{start} {whole[start]}{'l' if steps else 'h1'}{line}"
