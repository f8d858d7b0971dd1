"""Inputs to answers, in order: the engine's streams compute while the next inputs are made."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.ensemble.calibrated import Ensemble
from hbac.errors import InputError
from hbac.recordings.recording import ArrayRecording
from hbac.recordings.windows import inputs

Row = npt.NDArray[np.float64]
Array = npt.NDArray[np.float32]
Images = Mapping[str, Array]  # of one window, by the name of the preset

AHEAD: Final = 24  # inputs that wait for a stream, of 1.4 MB: as many as five minutes of a recording take to make


def answers_for_windows(windows: Iterable[npt.NDArray[np.floating[Any]]], ensemble: Ensemble) -> Iterator[Row]:
    """Answers to windows of EEG as they come: of a stream, a database, a simulation; no files.

    Args:
        windows: each (samples, 19) microvolts at 200 Hz, columns in the order of `hms.ELECTRODES`, or (samples, 16)
            bipolar pairs in the order of `hms.PAIRS`, NaN where there is nothing. The network sees the middle 50 s, and
            around them the spectrogram of as much as there is, of ten minutes at most.
        ensemble: the folds.

    Yields:
        (6,) probabilities for each window, in the windows' order and in that of `hms.CLASSES`. The next windows are
        taken while earlier ones are computed.

    Raises:
        InputError: a window has another shape, or nothing in it.
    """
    images = (_input_of(window, number, ensemble) for number, window in enumerate(windows))
    yield from (row for row in in_order(images, ensemble) if row is not None)


def _input_of(window: npt.NDArray[np.floating[Any]], number: int, ensemble: Ensemble) -> Images:
    uv = np.asarray(window, np.float32)
    recording = ArrayRecording(uv, f"window {number}")
    if not np.isfinite(uv).any():
        raise InputError(f"window {number}: expected microvolts, received nothing finite")
    start = (len(uv) - hms.EEG_WINDOW) // 2
    presets = ensemble.manifest.presets()
    return {preset.preset: next(inputs(recording, preset, [start])).values for preset in presets}


class _Batch:
    """Inputs that a stream computes in one call."""

    def __init__(self) -> None:
        self.images: list[Images] = []
        self._rows: Future[npt.NDArray[np.float64]] | None = None

    def send(self, pool: ThreadPoolExecutor, ensemble: Ensemble) -> None:
        self._rows = pool.submit(self._computed, ensemble)

    def _computed(self, ensemble: Ensemble) -> npt.NDArray[np.float64]:
        return ensemble.predict({name: np.stack([one[name] for one in self.images]) for name in self.images[0]})

    def is_done(self) -> bool:
        return self._rows is not None and self._rows.done()

    def row(self, number: int) -> Row:
        if self._rows is None:
            raise RuntimeError("expected a batch that was sent")
        row: Row = self._rows.result()[number]
        return row


def in_order(images: Iterable[Images | None], ensemble: Ensemble) -> Iterator[Row | None]:
    """The answer to each input, None to None, in their order, with so many inputs held as keep all streams busy."""
    engine = ensemble.engine
    most = max(AHEAD, 3 * engine.streams * engine.batch_size)
    waiting: deque[tuple[_Batch, int] | None] = deque()
    batch, held = _Batch(), 0
    pool = ThreadPoolExecutor(engine.streams)
    try:
        for image in images:
            if image is None:
                waiting.append(None)
            else:
                waiting.append((batch, len(batch.images)))
                batch.images.append(image)
                held += 1
            if len(batch.images) == engine.batch_size:
                batch.send(pool, ensemble)
                batch = _Batch()
            while waiting and ((first := waiting[0]) is None or first[0].is_done() or held >= most):
                waiting.popleft()
                held -= first is not None
                yield None if first is None else first[0].row(first[1])
        if batch.images:
            batch.send(pool, ensemble)
        for first in waiting:
            yield None if first is None else first[0].row(first[1])
    finally:
        pool.shutdown(cancel_futures=True)
