"""Pictures of numbers as PNG files, by NumPy and zlib alone."""

import base64
import struct
import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

# Viridis, by which brightness grows evenly with the value, at nine evenly spaced places.
VIRIDIS: Final = (
    (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129), (92, 200, 99),
    (170, 220, 50), (253, 231, 37),
)  # fmt: skip
MISSING: Final = (225, 225, 225)
LEVELS: Final = 255  # beside that of what is missing


def png(values: npt.NDArray[np.floating[Any]], low: float, high: float) -> bytes:
    """An image of 256 colours: `low` and below dark, `high` and above bright, NaN grey; the first row on top."""
    scaled = np.clip((values - low) / (high - low), 0, 1)
    levels = np.where(np.isfinite(values), 1 + np.round(np.nan_to_num(scaled) * (LEVELS - 1)), 0).astype(np.uint8)
    return indexed_png(levels, palette())


def indexed_png(levels: npt.NDArray[np.uint8], colours: npt.NDArray[np.uint8]) -> bytes:
    """An image of the colours that `levels` are the numbers of; (rows, columns) and (colours, 3)."""
    height, width = levels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), levels], axis=1)  # each begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, by palette, not interlaced
    parts = (
        (b"IHDR", header),
        (b"PLTE", colours.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def palette() -> npt.NDArray[np.uint8]:
    """(256, 3): what is missing, then dark to bright."""
    places = np.linspace(0, len(VIRIDIS) - 1, LEVELS)
    colours = [np.interp(places, range(len(VIRIDIS)), channel) for channel in zip(*VIRIDIS)]
    levels: npt.NDArray[np.uint8] = np.round(np.vstack([MISSING, np.stack(colours, axis=1)])).astype(np.uint8)
    return levels


def data_url(content: bytes) -> str:
    """A PNG as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
