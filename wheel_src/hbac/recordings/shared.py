"""Images of three zooms of many windows that overlap: filtered once, each column made once, and cut.

Windows whose starts are half a second or a multiple of it apart share the columns of channels 1 and 2, which lie a sixth
and a thirtieth of a second apart. `predict` filters each window on its own: what that changes near the window's edges is
added to the spectrum, where it is four fixed responses (`edges`).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import signal

from hbac.hms import EEG_RATE_HZ, EEG_WINDOW, PAIRS
from hbac.preprocessing.montage import FIRST, SECOND, bipolar, bipolar_gaps, bridge_gaps
from hbac.preprocessing.three_zooms import (
    ROWS_PER_PAIR,
    SHAPE,
    WIDTH,
    ImageSettings,
    clipped,
    high_pass,
    low_pass,
    normalised,
    pair_kernel,
    wave_rate,
)
from hbac.recordings.edges import Edges, responses
from hbac.recordings.recording import Values

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Starts = npt.NDArray[np.int64]

GRID: Final = 100  # samples: half a second, three columns of channel 1 and fifteen of channel 2
COLUMNS: Final = WIDTH * GRID // EEG_WINDOW  # of channel 1 in that time
EDGE_S: Final = 14.0  # of a window at each end where its own filter counts: 1,000 uV have become 1e-5 uV by then
EDGE: Final = round(EDGE_S * EEG_RATE_HZ) // GRID * COLUMNS  # 84 columns
USED: Final = np.unique([FIRST, SECOND])  # electrodes that a pair has: all but those of the midline


def clipped_channels(uv: Values, electrodes: bool, settings: ImageSettings) -> Values:
    """Channels within the limits: those of electrodes, or for pairs what two clipped electrodes can differ by."""
    return clipped(uv, settings) if electrodes else np.clip(uv, -2 * settings.clip_uv, 2 * settings.clip_uv)


def pairs_of_window(uv: Values, electrodes: bool, settings: ImageSettings) -> tuple[Floats, Bools]:
    """(10000, channels) of one window to clipped, bridged pairs (16, 10000) and the mask of their missing samples."""
    bridged, missing = bridge_gaps(clipped_channels(uv, electrodes, settings))
    return _pairs(bridged, missing, electrodes)


def _pairs(bridged: npt.NDArray[Any], missing: Bools, electrodes: bool) -> tuple[Floats, Bools]:
    if electrodes:
        return bipolar(bridged), bipolar_gaps(missing)
    return np.ascontiguousarray(bridged.T), np.ascontiguousarray(missing.T)


class SharedImages:
    """Channels 1 and 2 of windows that lie in one block.

    Args:
        uv: (samples, channels) microvolts of the block, NaN where there is nothing; it begins with the first window and
            ends with the last.
        electrodes: whether the channels are 19 electrodes, or 16 pairs.
        starts: of the windows in the block, multiples of `GRID`, the first 0.
        settings: the preset.
    """

    def __init__(self, uv: Values, electrodes: bool, starts: Sequence[int], settings: ImageSettings):
        self._settings = settings
        self._starts = np.array(starts, np.int64)
        bridged, missing = bridge_gaps(clipped_channels(uv, electrodes, settings))
        self.can_be_cut = _can_be_cut(missing[:, USED] if electrodes else missing, self._starts)  # (windows,)
        pairs, gaps = _pairs(bridged, missing, electrodes)
        edges = Edges(high_pass(settings), pairs, EEG_WINDOW)
        filtered = edges.y.astype(np.float32)
        self._differences = edges.differences(self._starts).astype(np.float32)  # (windows, 16, 4)
        self._spectra, self._blank = _columns(filtered, gaps, settings)
        self._own = _own_frames(filtered, gaps, self._starts, settings)
        self._inner = _rows(self._spectra, self._blank, settings)  # (16, 25, columns)
        self._wave = _wave(filtered, gaps, settings)  # (16, columns of channel 2)

    def write(self, number: int, image: Floats) -> None:
        """Channels 1 and 2 of a window into its image (400, 300, 3)."""
        first = int(self._starts[number]) // GRID * COLUMNS
        spectrum = image[..., 1].reshape(len(PAIRS), ROWS_PER_PAIR, WIDTH)
        spectrum[..., EDGE:-EDGE] = self._inner[..., first + EDGE : first + WIDTH - EDGE]
        edge = self._edge(number, first)  # (16, 25, 168)
        spectrum[..., :EDGE], spectrum[..., -EDGE:] = edge[..., :EDGE], edge[..., EDGE:]
        up, down = wave_rate(self._settings)
        at = int(self._starts[number]) * up // down + _wave_start(self._settings) * up // down
        image[..., 2].reshape(len(PAIRS), ROWS_PER_PAIR, WIDTH)[:] = self._wave[:, None, at : at + WIDTH]

    def _edge(self, number: int, first: int) -> Floats:
        """The first and the last columns of channel 1, as the window's own filter makes them."""
        columns = np.r_[first : first + EDGE, first + WIDTH - EDGE : first + WIDTH]
        spectra, blank = self._spectra[:, columns], self._blank[:, columns]  # (16, 168, 50), copies
        inside, (own, own_blank) = _moved_inside(self._settings), self._own
        for place, some in enumerate((slice(inside), slice(-inside, None))):
            spectra[:, some], blank[:, some] = own[:, number, place, None], own_blank[:, number, place, None]
        responses = _response_spectra(self._settings)  # (4, 168 * 50)
        spectra += (self._differences[number] @ responses).reshape(spectra.shape)
        return _rows(spectra, blank, self._settings)


def _can_be_cut(missing: Bools, starts: Starts) -> Bools:
    """(windows,) whether gaps of each channel end inside the window, which bridges them alike, or fill and blank it."""
    if not missing.any():
        return np.ones(len(starts), bool)
    before = np.concatenate([np.zeros((1, missing.shape[1]), np.int64), np.cumsum(missing, axis=0)])
    fills = before[starts + EEG_WINDOW] - before[starts] == EEG_WINDOW  # (windows, channels)
    at_edge = missing[starts] | missing[starts + EEG_WINDOW - 1]
    result: Bools = (fills | ~at_edge).all(axis=1)
    return result


def _frame_starts(settings: ImageSettings, columns: int, samples: int) -> Starts:
    """First samples of the frames of a block's columns; those that would reach over its ends are moved inside."""
    kernel, _ = pair_kernel(settings)
    centers = (np.arange(columns) + 0.5) * EEG_WINDOW / WIDTH
    starts: Starts = np.clip(np.round(centers - len(kernel) / 2).astype(np.int64), 0, samples - len(kernel))
    return starts


def _columns(pairs: Floats, gaps: Bools, settings: ImageSettings) -> tuple[Floats, Bools]:
    """Spectra of all columns of a block, (16, columns, 50), and which of them are blank, (16, columns)."""
    kernel, _ = pair_kernel(settings)
    starts = _frame_starts(settings, pairs.shape[1] // GRID * COLUMNS, pairs.shape[1])
    frames = (np.lib.stride_tricks.sliding_window_view(pair, len(kernel))[starts] for pair in pairs)
    return np.stack([some @ kernel for some in frames]), _is_blank(gaps, starts, settings)


def _own_frames(pairs: Floats, gaps: Bools, starts: Starts, settings: ImageSettings) -> tuple[Floats, Bools]:
    """Spectra of the first and the last whole frame of each window, (16, windows, 2, 50), and which are blank."""
    kernel, _ = pair_kernel(settings)
    ends = np.stack([starts, starts + EEG_WINDOW - len(kernel)], axis=1)  # (windows, 2)
    frames = np.lib.stride_tricks.sliding_window_view(pairs, len(kernel), axis=1)[:, ends]  # (16, windows, 2, 270)
    return frames @ kernel, _is_blank(gaps, ends, settings)


def _is_blank(gaps: Bools, starts: Starts, settings: ImageSettings) -> Bools:
    """(16, *starts.shape) which frames have too many missing samples."""
    if not gaps.any():
        return np.zeros((len(gaps), *starts.shape), bool)
    length = len(pair_kernel(settings)[0])
    before = np.concatenate([np.zeros((len(gaps), 1), np.int64), np.cumsum(gaps, axis=1)], axis=1)
    result: Bools = (before[:, starts + length] - before[:, starts]) / length > settings.blank_above
    return result


def _rows(spectra: Floats, blank: Bools, settings: ImageSettings) -> Floats:
    """Spectra (16, columns, 50) as channel 1 shows them, (16, 25, columns)."""
    power = spectra[..., :ROWS_PER_PAIR] ** 2 + spectra[..., ROWS_PER_PAIR:] ** 2
    power[blank] = 0.0
    return normalised(power, settings).transpose(0, 2, 1)


@cache
def _moved_inside(settings: ImageSettings) -> int:
    """How many columns at each end of a window have a frame that is moved inside."""
    return int(np.count_nonzero(pair_kernel(settings)[1] == 0))


@cache
def _response_spectra(settings: ImageSettings) -> Floats:
    """(4, 168 * 50): the filter's responses to a window's edges in the spectra of its first and last columns."""
    kernel, starts = pair_kernel(settings)
    frames = np.lib.stride_tricks.sliding_window_view(
        responses(high_pass(settings), EEG_WINDOW), len(kernel), axis=1
    )  # (4, 9731, 270)
    spectra: Floats = (frames[:, np.r_[starts[:EDGE], starts[-EDGE:]]] @ kernel).astype(np.float32)
    return spectra.reshape(len(spectra), -1)


def _wave_start(settings: ImageSettings) -> int:
    """The sample of a window at which channel 2 begins."""
    return (EEG_WINDOW - round(settings.wave_s * EEG_RATE_HZ)) // 2


def _wave(pairs: Floats, gaps: Bools, settings: ImageSettings) -> Floats:
    """Channel 2 of a whole block, a row a pair."""
    up, down = wave_rate(settings)
    wave: Floats = signal.resample_poly(pairs, up, down, axis=1, window=low_pass(settings, up))
    wave = np.arcsinh(wave / np.float32(settings.wave_scale_uv)).astype(np.float32)
    at = np.minimum(np.arange(wave.shape[1]) * down // up, gaps.shape[1] - 1)
    wave[gaps[:, at]] = 0.0
    return wave


def image_with(channel_0: Floats) -> Floats:
    """An image whose channel 0 is (400, 300) and whose others are to be written."""
    image = np.empty(SHAPE, np.float32)
    image[..., 0] = channel_0
    return image
