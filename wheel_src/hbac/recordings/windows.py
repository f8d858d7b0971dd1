"""A recording to the network's inputs: every window's as `predict` would make it, with as much shared work as there is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

import numpy as np
import numpy.typing as npt

from hbac.errors import InputError
from hbac.hms import EEG_RATE_HZ, EEG_WINDOW, SPECTROGRAM_ROWS
from hbac.preprocessing.multitaper import STEP
from hbac.preprocessing.preset import Preset
from hbac.preprocessing.presets import make_image
from hbac.preprocessing.three_zooms import THREE_ZOOMS, THREE_ZOOMS_2, ImageSettings, image_of_pairs, normalised
from hbac.recordings.kept import KeptRecording
from hbac.recordings.recording import Recording, Values
from hbac.recordings.shared import GRID, SharedImages, image_with, pairs_of_window
from hbac.recordings.ten_minutes import TenMinutes
from hbac.records.record import mirrored

BLOCK: Final = 300 * EEG_RATE_HZ  # from the first start to the last of windows that are made together


@dataclass(frozen=True)
class Input:
    """What the network sees of one window."""

    start: int  # the window's first sample in the recording; negative where it begins before
    values: npt.NDArray[np.float32]  # of the preset's shape


def inputs(recording: Recording, preset: Preset, starts: Iterable[int]) -> Iterator[Input]:
    """The inputs of 50 s windows, in their order.

    The images of `three-zooms-v1` and `-v2` of windows that lie within the recording, a multiple of half a second
    apart, share their work; they are within 1e-3 of those that are made one by one. Other windows and presets are made
    one by one. Of a window that reaches beyond the recording, a preset that mirrors short EEG sees the mirror image; to
    others it is missing. The ten minutes around each window are rebuilt from the recording, beyond which they are
    missing.

    Args:
        recording: where the windows lie. What several readers ask for is read once if it is a `KeptRecording`.
        preset: of the network.
        starts: first samples of the windows, ascending; each window touches the recording.

    Raises:
        RecordError: the recording can no longer be read, or a window lies outside.
        InputError: the preset needs electrodes, and the recording has pairs.
    """
    if not recording.electrodes and not isinstance(preset, ImageSettings):
        raise InputError(f"{recording.name}: expected electrodes for {preset.preset}, received bipolar pairs")
    source = recording if isinstance(recording, KeptRecording) else KeptRecording(recording)
    maker = _Maker(source, preset)
    for group in _groups(source, starts):
        if len(group) > 1 and _is_three_zooms(preset):
            yield from maker.together(group, preset)
        else:
            yield from map(maker.alone, group)


def _is_three_zooms(preset: Preset) -> TypeGuard[ImageSettings]:
    return preset.preset in (THREE_ZOOMS, THREE_ZOOMS_2)


def _groups(recording: Recording, starts: Iterable[int]) -> Iterator[list[int]]:
    """Windows within the recording that lie on a grid and not too far apart; others alone."""
    group: list[int] = []
    for start in starts:
        inside = 0 <= start <= recording.samples - EEG_WINDOW
        if group and not (inside and start - group[0] <= BLOCK and (start - group[0]) % GRID == 0):
            yield group
            group = []
        group.append(start)
        if not inside:
            yield group
            group = []
    if group:
        yield group


class _Maker:
    """Inputs of one recording for one preset."""

    def __init__(self, recording: Recording, preset: Preset):
        self._recording, self._preset = recording, preset
        self._ten_minutes: dict[int, TenMinutes] = {}  # by where on the grid of rows a window lies

    def alone(self, start: int) -> Input:
        """One window by itself."""
        return Input(start, self._image(start, self._rows_of(start).window(start)))

    def together(self, starts: Sequence[int], settings: ImageSettings) -> Iterator[Input]:
        """Windows of one block."""
        first, last = starts[0], starts[-1] + EEG_WINDOW
        uv = self._recording.block(first, last)
        shared = SharedImages(uv, self._recording.electrodes, [start - first for start in starts], settings)
        far = {phase: _Channel0(self._rows_of(some[0]), some, settings) for phase, some in _by_phase(starts).items()}
        for number, start in enumerate(starts):
            if shared.can_be_cut[number]:
                image = image_with(far[start % STEP].of(start))
                shared.write(number, image)
                yield Input(start, image)
            else:
                yield Input(start, self._image(start, far[start % STEP].power(start)))

    def _rows_of(self, start: int) -> TenMinutes:
        phase = start % STEP
        return self._ten_minutes.setdefault(phase, TenMinutes(self._recording, phase))

    def _image(self, start: int, power: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """As `predict` makes it of a file that holds the window."""
        recording, preset = self._recording, self._preset
        if recording.electrodes:
            return make_image(window_of(recording, start, preset.mirrors_short_eeg), power, preset)
        if not _is_three_zooms(preset):
            return make_image(None, power, preset)
        uv = window_of(recording, start, preset.mirrors_short_eeg)
        return image_of_pairs(*pairs_of_window(uv, False, preset), power, preset)


def window_of(recording: Recording, start: int, mirrors: bool) -> Values:
    """(10000, channels) of a recording; beyond its ends the mirror image or NaN.

    Raises:
        RecordError: the window lies outside.
    """
    low, high = max(start, 0), min(start + EEG_WINDOW, recording.samples)
    if mirrors or low >= high:
        return mirrored(recording.block(low, max(low, high)), min(start, 0))
    return recording.block(start, start + EEG_WINDOW)


def _by_phase(starts: Sequence[int]) -> dict[int, list[int]]:
    phases: dict[int, list[int]] = {}
    for start in starts:
        phases.setdefault(start % STEP, []).append(start)
    return phases


class _Channel0:
    """The ten minutes around windows of one phase, as linear power and as channel 0 shows them."""

    def __init__(self, ten_minutes: TenMinutes, starts: Sequence[int], settings: ImageSettings):
        self._ten_minutes, self._first = ten_minutes, ten_minutes.row(starts[0])
        self._power = ten_minutes.power(self._first, ten_minutes.row(starts[-1]) + SPECTROGRAM_ROWS)
        self._image = np.ascontiguousarray(normalised(self._power, settings).T)  # (400, rows)

    def _rows(self, start: int) -> slice:
        row = self._ten_minutes.row(start) - self._first
        return slice(row, row + SPECTROGRAM_ROWS)

    def power(self, start: int) -> npt.NDArray[np.float32]:
        return self._power[self._rows(start)]

    def of(self, start: int) -> npt.NDArray[np.float32]:
        return self._image[:, self._rows(start)]
