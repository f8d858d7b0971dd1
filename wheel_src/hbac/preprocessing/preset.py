"""What a preset is: one kind of network input, by name, with its own settings, shape and digest."""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

IMAGE_AXES = 3  # of an image: rows, columns, channels; a waveform has time and channels
EEG, SPECTROGRAM = "eeg", "spectrogram"  # the two files of a record
BOTH = (EEG, SPECTROGRAM)
LATER = {"left out of the digest while it holds its default": True}  # metadata of a field that an older preset lacked


class Preset(ABC):
    """Settings that turn one record into a network's input; a checkpoint is pinned to the digest of their values.

    A record without any file that a preset `reads` has no input of it, and no answer from a network that takes it. Where
    a preset reads the spectrogram, an EEG stands in for the file that is not there (`load.image_of_eeg`); a spectrogram
    stands in for no EEG.

    A preset is a frozen dataclass with a field `preset`, its name. A field that comes later is
    `field(default=..., metadata=LATER)` with the default that computes what was computed before: digests and manifests
    of the time before it stay what they are.
    """

    shape: ClassVar[tuple[int, ...]]  # of one input
    reads: ClassVar[frozenset[str]] = frozenset(BOTH)  # files that an input can be made of, from one of them alone too
    mirrors_short_eeg: ClassVar[bool] = False  # to 50 s (`records.record.mirrored`); otherwise the rest is missing
    flips: ClassVar[bool] = True  # False where `flip` makes no other view: the networks do not tell left from right
    preset: str

    def document(self) -> dict[str, Any]:
        """The values by name, as a manifest states them."""
        values = {entry.name: (getattr(self, entry.name), entry) for entry in fields(self)}  # type: ignore[arg-type]
        return {
            name: value for name, (value, entry) in values.items() if entry.metadata != LATER or value != entry.default
        }

    def digest(self) -> str:
        """SHA-256 of `document` as canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.document(), sort_keys=True).encode()).hexdigest()

    @abstractmethod
    def make(self, eeg_uv: Array | None, power: Array | None) -> Array:
        """One record as the network sees it, `shape` float32, finite; see `presets.make_image`, which checks shapes."""

    @abstractmethod
    def flip(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Inputs (..., *shape) with left and right exchanged."""

    @abstractmethod
    def to_uint8(self, inputs: Array) -> npt.NDArray[np.uint8]:
        """Inputs (..., *shape) as training keeps them on disk."""

    @abstractmethod
    def from_uint8(self, cached: npt.NDArray[np.uint8]) -> Array:
        """Inputs as the network takes them; the inverse of `to_uint8` up to its steps, exact for what is missing."""


def decoded(cached: npt.NDArray[np.uint8], step: Array, zero: Array) -> Array:
    """`cached` * `step` + `zero`, both (channels,) over the last axis, float32."""
    *whole, width, channels = cached.shape
    rows = cached.reshape(*whole, width * channels).astype(
        np.float32
    )  # long rows: a few at a time takes five times as long
    rows *= np.tile(step, width)
    rows += np.tile(zero, width)
    return rows.reshape(cached.shape)
