"""The head: where the 19 electrodes are, and how strongly each sees a source in the brain or beside it.

A source is a place on the unit sphere with a smooth field, so that neighbouring electrodes see nearly the same and no
channel lives alone; a lag between the sources of one event makes it travel. Arrays are channels first here and in
every module that makes signals: (19, samples).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hbac.hms import EEG_RATE_HZ, ELECTRODES

Array = npt.NDArray[np.float32]
Place = npt.NDArray[np.float64]

# Spherical angles in degrees (inclination, azimuth) as BESA gives them: left and midline; the right mirrors the left.
_ANGLES_DEG: Final = {
    "Fp1": (-92, -72),
    "F7": (-92, -36),
    "T3": (-92, 0),
    "T5": (-92, 36),
    "O1": (-92, 72),
    "F3": (-60, -51),
    "C3": (-46, 0),
    "P3": (-60, 51),
    "Fz": (46, 90),
    "Cz": (0, 0),
    "Pz": (46, -90),
}
FAR_FIELD: Final = 0.12  # share of a source that reaches the whole head
FAR_RAD: Final = 2.0


def place_of(name: str, side: int = -1) -> Place:
    """The place of a left or midline electrode, or with `side` 1 of its mirror image: (3,) x right, y front, z up."""
    theta, phi = np.radians(_ANGLES_DEG[name])
    return np.array([-side * np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


def _position(electrode: str) -> Place:
    if electrode in _ANGLES_DEG:
        return place_of(electrode)
    return place_of(f"{electrode[:-1]}{int(electrode[-1]) - 1}", 1)  # F4 mirrors F3


PLACES: Final = np.array([_position(name) for name in ELECTRODES])  # (19, 3)
FRONTNESS: Final = PLACES[:, 1]  # 0.95 at Fp1 and Fp2, -0.95 at O1 and O2


@dataclass(frozen=True)
class Source:
    """A place with the width of its field, its share of the wave and its lag.

    `tilt` leans the field towards a direction, as a dipole that is not radial does; 0.5 to 1 reverse it beyond.
    """

    place: Place
    spread_rad: float
    gain: float = 1.0
    lag_s: float = 0.0
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)


def field_of(source: Source) -> Array:
    """How strongly each electrode sees a source: (19,), at most 1 without a tilt, falling off with the angle."""
    angle = np.arccos(np.clip(PLACES @ source.place, -1, 1))
    close = np.exp(-0.5 * (angle / source.spread_rad) ** 2)
    far = np.exp(-0.5 * (angle / FAR_RAD) ** 2)
    lean = 1 + (PLACES - source.place) @ np.asarray(source.tilt)
    result: Array = (((1 - FAR_FIELD) * close + FAR_FIELD * far) * lean).astype(np.float32)
    return result


def mixing(sources: Sequence[Source]) -> Array:
    """(19, sources): the fields of sources times their gains."""
    return np.stack([field_of(source) * np.float32(source.gain) for source in sources], axis=1)


def over_head(wave: Array, sources: Sequence[Source]) -> Array:
    """What the electrodes see of one wave (samples,), or of a wave for each source (sources, samples): (19, samples).

    Each source shows its wave later by its lag; what came before the first sample is silence.
    """
    waves = np.broadcast_to(wave, (len(sources), wave.shape[-1]))
    return mixing(sources) @ np.stack([lagged(one, source.lag_s) for one, source in zip(waves, sources)])


def lagged(wave: Array, lag_s: float) -> Array:
    """The same length later by `lag_s` of 0 s or more."""
    lag = min(round(lag_s * EEG_RATE_HZ), len(wave))
    return np.concatenate([np.zeros(lag, wave.dtype), wave[: len(wave) - lag]]) if lag else wave


def near_to(where: Place, angle_rad: float, rng: np.random.Generator) -> Place:
    """A place about `angle_rad` away from another, in any direction, on the upper part of the head."""
    moved = where + angle_rad * rng.normal(0, 1 / np.sqrt(3), 3)
    moved[2] = max(moved[2], -0.3)
    result: Place = moved / np.linalg.norm(moved)
    return result


def lateralised(focus: Place, extent_rad: float, other_side: float, lag_s: float) -> list[Source]:
    """A focus, its hemisphere a little later and weaker, and its mirror image later still at gain `other_side`."""
    side = 1 if focus[0] > 0 else -1
    rest = [place_of(name, side) for name in ("F3", "C3", "T5", "P3")]
    share = 0.45 * min(1.0, extent_rad / 0.6)
    around = [Source(p, 0.6, share * float(np.exp(-np.arccos(np.clip(p @ focus, -1, 1)))), lag_s) for p in rest]
    mirror = focus * np.array([-1, 1, 1])
    return [Source(focus, extent_rad), *around, Source(mirror, extent_rad, other_side, lag_s + 0.015)]


# Gain of the front, middle and back of a generalised pattern.
PREDOMINANCE: Final = {
    "front": (1.0, 0.7, 0.4),
    "even": (1.0, 0.9, 0.9),
    "middle": (0.7, 1.0, 0.7),
    "back": (0.5, 0.75, 1.0),
}


def generalised(predominance: str, lag_s: float, balance: float = 0.0) -> list[Source]:
    """Front, middle and back of both sides, each row `lag_s` / 2 after the one before it.

    `balance` is the log of the right side's amplitude over the left's.
    """
    rows = (("F3", "Fp1"), ("C3", "T3"), ("P3", "O1"))
    gains = PREDOMINANCE[predominance]
    return [
        Source(place_of(name, side), 0.6, 0.5 * gain * float(np.exp(side * balance / 2)), lag_s * row / 2)
        for row, (names, gain) in enumerate(zip(rows, gains))
        for name in names
        for side in (-1, 1)
    ]
