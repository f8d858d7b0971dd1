"""Scans and recordings for pages, and what stands in a page's HTML."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import numpy.typing as npt

from hbac.recordings.recording import ArrayRecording

VOID = ("meta", "img", "br", "link", "input")


@dataclass(frozen=True)
class Scanned:
    """What a page needs of a scan."""

    onsets_s: npt.NDArray[np.float64]
    step_s: float
    probabilities: npt.NDArray[np.float64]
    statuses: Sequence[str]


def scanned(seconds: float, step_s: float = 10.0, seed: int = 3, gaps: Sequence[slice] = ()) -> Scanned:
    """Stretches of one pattern after the other, each for about 3 min; no answer in `gaps` (of windows)."""
    rng = np.random.default_rng(seed)
    windows = int(seconds / step_s)
    each = max(1, round(180 / step_s))
    pattern = np.repeat(rng.integers(0, 6, windows // each + 1), each)[:windows]
    alpha = np.full((windows, 6), 0.3)
    alpha[np.arange(windows), pattern] = 6
    probabilities = rng.standard_gamma(alpha) + 1e-9
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    statuses = np.array(["ok"] * windows, object)
    for gap in gaps:
        probabilities[gap] = np.nan
        statuses[gap] = "gap"
    return Scanned(np.arange(windows) * step_s, step_s, probabilities, statuses.tolist())


def noise(seconds: float, name: str = "night", start: datetime | None = None, width: int = 19) -> ArrayRecording:
    """Noise of some microvolts with an alpha rhythm; the same minute again and again."""
    minute = np.random.default_rng(4).normal(0, 8, (12000, width))
    minute += 20 * np.sin(2 * np.pi * 10 * np.arange(12000) / 200)[:, None] * np.linspace(0, 1, width)
    samples = round(seconds * 200)
    return ArrayRecording(np.resize(minute.astype(np.float32), (samples, width)), name, start)


class Elements(HTMLParser):
    """The elements of a page in their order: tag, attributes, text within; all are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element = (tag, {name: value or "" for name, value in attributes}, [])
        self.found.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, _, text in self._open:
            text.append(data)

    def of(self, tag: str, **attributes: str) -> list[tuple[dict[str, str], str]]:
        """Attributes and text of elements that have these attributes; `class_` for class."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [(has, "".join(text)) for name, has, text in self.found if name == tag and wanted.items() <= has.items()]


def data_of(page: Elements) -> dict[str, Any]:
    """What the page's script reads, arrays decoded."""
    ((_, text),) = page.of("script", id="data")
    data: dict[str, Any] = json.loads(text)
    for name, kind in (("onsets_cs", "<u4"), ("probabilities", "<u2"), ("statuses", "u1")):
        data[name] = np.frombuffer(base64.b64decode(data[name]), kind)
    return data
