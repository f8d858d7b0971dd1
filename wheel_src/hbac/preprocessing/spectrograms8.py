"""The input of the competition's best-known Keras starter: (128, 256, 8), eight spectrograms side by side.

Channels 0 to 3 are the host's spectrogram of the chains LL, RL, LP, RP; channels 4 to 7 are mel spectrograms of the EEG,
of the chains LL, LP, RL, RP: the two halves have another order, as the starter's have. Frequency grows with the row. The
mel spectrograms are those of `librosa.feature.melspectrogram` (Slaney's filters, zeros beyond the ends), without librosa.
`docs/presets.md` says what is reproduced, and how exactly.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from scipy import fft, signal

from hbac import hms
from hbac.preprocessing.montage import mean_filled
from hbac.preprocessing.names import SPECTROGRAMS8
from hbac.preprocessing.preset import Array, Preset, decoded

HEIGHT, WIDTH, CHANNELS = 128, 256, 8
HOST = len(hms.CHAINS)  # the first channels
HOST_ROWS = slice(14, 114)  # the 100 frequencies of a chain, in the middle of the rows
HOST_COLUMNS = slice(22, 278)  # of the 300
MEL_CHAINS: Final = ("LL", "LP", "RL", "RP")  # of channels 4 to 7
MIRRORED = (1, 0, 3, 2, 6, 7, 4, 5)  # channels with left and right exchanged
MISSING_MEL = 1.0  # a signal that is 0 throughout is as loud as its loudest moment
HOST_LIMIT = 3.0  # as it is cached: six standard deviations
HOST_STEP, MEL_STEP = HOST_LIMIT / 127, 1 / 128

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spectrograms8Settings(Preset):
    """What defines the eight spectrograms.

    A missing cell of the host's spectrogram is 0, the mean of its chain; without a spectrogram file only the columns
    are there that the EEG can rebuild. A missing sample of the EEG holds its pair's mean; a pair of which nothing is
    there, or which is flat, is 1 throughout, and so is the EEG where there is none.
    """

    preset: str = SPECTROGRAMS8
    log_floor: float = -4.0  # nats of the host's power
    log_ceiling: float = 8.0
    epsilon: float = 1e-6  # beside the standard deviation of a chain's image
    divisor: float = 2.0  # of the host's z-scores
    fft: int = 1024  # samples
    window: int = 128  # samples, Hann
    hop: int = 39  # samples
    highest_hz: float = 20.0  # of 128 mel bands from 0 Hz
    lowest_power: float = 1e-10
    range_db: float = 80.0  # below a pair's loudest cell; the mean of the four pairs then runs from -1 to 1

    shape: ClassVar = (HEIGHT, WIDTH, CHANNELS)
    mirrors_short_eeg: ClassVar = True

    def make(self, eeg_uv: Array | None, power: Array | None) -> Array:
        """(128, 256, 8) of (10000, 19) microvolts and (300, 400) linear power; see `presets.make_image`."""
        image = np.zeros(self.shape, np.float32)
        if power is not None:
            for channel, chain in enumerate(np.split(power.T, HOST)):  # (100, 300) each
                image[HOST_ROWS, :, channel] = _z_scores(chain, self)[:, HOST_COLUMNS] / self.divisor
        image[..., HOST:] = MISSING_MEL if eeg_uv is None else _mel_spectrograms(eeg_uv, self)
        return image

    def flip(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The spectrograms of left and right chains exchanged."""
        return inputs[..., MIRRORED]

    def to_uint8(self, inputs: Array) -> npt.NDArray[np.uint8]:
        """z-scores to +-6 over 254 steps with 0 at 128; mel spectrograms in steps of 1/128 with 1 at 255."""
        out = np.empty(inputs.shape, np.uint8)
        out[..., :HOST] = np.clip(np.rint(inputs[..., :HOST] / HOST_STEP) + 128, 1, 255)
        out[..., HOST:] = np.clip(np.rint((inputs[..., HOST:] - MISSING_MEL) / MEL_STEP) + 255, 0, 255)
        return out

    def from_uint8(self, cached: npt.NDArray[np.uint8]) -> Array:
        """The inverse of `to_uint8` up to its steps; any number of rows."""
        step = np.repeat([HOST_STEP, MEL_STEP], HOST).astype(np.float32)  # (8,)
        zero = (
            np.repeat([0, MISSING_MEL], HOST).astype(np.float32) - np.repeat([128, 255], HOST).astype(np.float32) * step
        )
        return decoded(cached, step, zero)


def mel_frequencies_hz(settings: Spectrograms8Settings) -> Floats:
    """(130,) the bands' edges: band k runs from the k-th over its middle, the next, to the one after.

    Below 1,000 Hz Slaney's scale is linear.
    """
    return np.linspace(0.0, settings.highest_hz, HEIGHT + 2)


def _z_scores(power: Array, settings: Spectrograms8Settings) -> Floats:
    """z-score of the clipped logarithm over what is there of a chain's image; 0 for what is not."""
    nats = np.log(np.clip(power.astype(np.float64), np.exp(settings.log_floor), np.exp(settings.log_ceiling)))
    known = ~np.isnan(nats)
    if not known.any():
        return np.zeros(nats.shape)
    z = (nats - nats[known].mean()) / (nats[known].std() + settings.epsilon)
    return np.where(known, z, 0.0)


def _mel_spectrograms(eeg_uv: Array, settings: Spectrograms8Settings) -> Array:
    """(128, 256, 4): of each chain the mean over its four pairs, from -1 to 1."""
    by_name = dict(zip(hms.ELECTRODES, np.ascontiguousarray(eeg_uv.T)))
    planes = np.zeros((HOST, WIDTH, HEIGHT), np.float32)
    for plane, name in zip(planes, MEL_CHAINS):
        for first, second in zip(hms.CHAINS[name][:-1], hms.CHAINS[name][1:]):
            with np.errstate(invalid="ignore", over="ignore"):
                pair = mean_filled(by_name[first] - by_name[second])
            plane += (_mel_db(pair, settings)[:WIDTH].astype(np.float32) + np.float32(40)) / np.float32(40)
    return (planes / np.float32(hms.PAIRS_PER_CHAIN)).transpose(2, 1, 0)


def _mel_db(pair: Array, settings: Spectrograms8Settings) -> Floats:
    """(257, 128) decibels below a signal's loudest cell: `power_to_db` with `ref=np.max` of its mel spectrogram."""
    padded = np.pad(pair.astype(np.float64), settings.window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, settings.window)[:: settings.hop]  # (257, 128)
    # The window lies in the middle of librosa's transform and at the start of this one: power does not show it.
    spectrum = fft.rfft(frames * signal.windows.hann(settings.window, sym=False), settings.fft, axis=1)  # (257, 513)
    bins, shares = _mel_filters(settings)
    some = spectrum[:, : bins.max() + 1]
    power = some.real**2 + some.imag**2
    mel = (power[:, bins] * shares).sum(axis=1)  # (257, 2, 128) to (257, 128)
    db = 10 * np.log10(np.maximum(mel, settings.lowest_power))
    db -= db.max()
    limited: Floats = np.maximum(db, -settings.range_db)
    return limited


@cache
def _mel_filters(settings: Spectrograms8Settings) -> tuple[npt.NDArray[np.int64], Floats]:
    """Bins that each band adds up, (2, 128), and their weights: no band is wider than three bins, so it holds two."""
    edges = mel_frequencies_hz(settings)
    step_hz = hms.EEG_RATE_HZ / settings.fft
    bins = np.floor(edges[:-2] / step_hz).astype(np.int64) + np.array([[1], [2]])
    rising = (bins * step_hz - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins * step_hz) / np.diff(edges)[1:]
    weights: Floats = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])  # of equal area
    return bins, weights
