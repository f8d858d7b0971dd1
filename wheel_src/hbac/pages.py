"""What the HTML pages share: one file each, which refers to nothing outside itself."""

import html
import math
from typing import Final

from hbac.hms import CLASSES

# Okabe and Ito's colours, which colour-blind readers tell apart; the same for a class wherever it is shown.
CLASS_COLOURS: Final = dict(zip(CLASSES, ("#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#555555")))
DARK: Final = "#1b1f24"
MOST_UNDER_WHITE: Final = 0.25  # relative luminance of a ground that white text is still read on
NO_NUMBER: Final = "–"


def whole_page(title: str, style: str, body: str, head: str = "") -> bytes:
    """A page with a title of any text, in UTF-8.

    Args:
        title: any text.
        style: CSS.
        body: HTML.
        head: more HTML for the page's head.
    """
    start = (
        f'<meta charset="utf-8">{head}<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{style}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{start}</head><body>{body}</body></html>'.encode()


def text_on(ground: str) -> str:
    """The colour of text that is read best on a ground such as #56b4e9: white, or dark on a light one.

    By the relative luminance of the Web Content Accessibility Guidelines 2.1.
    """
    channels = [int(ground[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear))
    return "#fff" if luminance <= MOST_UNDER_WHITE else DARK


def shown_number(value: float, decimals: int) -> str:
    """A number as shown, with all its digits for whoever reads the page by program; a dash for one that is none."""
    if not math.isfinite(value):
        return NO_NUMBER
    return f'<data value="{value!r}">{value if isinstance(value, int) else f"{value:.{decimals}f}"}</data>'
