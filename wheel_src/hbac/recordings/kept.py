"""A recording whose last minutes stay in memory, so that all who look at the same seconds read them once."""

from collections import OrderedDict
from typing import Final

import numpy as np

from hbac.hms import EEG_RATE_HZ
from hbac.recordings.recording import Recording, Values

PIECE: Final = 60 * EEG_RATE_HZ
PIECES: Final = 28  # of a minute, 0.9 MB each: what the image, the ten minutes around it and the look ahead reach over


class KeptRecording(Recording):
    """Another recording, read in whole minutes of which the last ones are kept; not for several threads."""

    def __init__(self, recording: Recording):
        self.name, self.samples, self.start = recording.name, recording.samples, recording.start
        self.electrodes, self.notes = recording.electrodes, recording.notes
        self._recording = recording
        self._pieces: OrderedDict[int, Values] = OrderedDict()

    def block(self, start: int, stop: int) -> Values:
        """See `Recording.block`."""
        block = np.full((stop - start, self.channels), np.nan, np.float32)
        first, last = max(start, 0), min(stop, self.samples)
        for number in range(first // PIECE, -(-last // PIECE)):
            at = number * PIECE
            low, high = max(first, at), min(last, at + PIECE)
            block[low - start : high - start] = self._piece(number)[low - at : high - at]
        return block

    def _piece(self, number: int) -> Values:
        if number in self._pieces:
            self._pieces.move_to_end(number)
        else:
            at = number * PIECE
            self._pieces[number] = self._recording.block(at, min(at + PIECE, self.samples))
            if len(self._pieces) > PIECES:
                self._pieces.popitem(last=False)
        return self._pieces[number]
