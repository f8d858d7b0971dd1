"""What the HTML pages share: one file each, which refers to nothing outside itself."""

import html
import math
from typing import Final

from hbac.hms import CLASSES

# Okabe and Ito's colours, which colour-blind readers tell apart; the same for a class wherever it is shown.
CLASS_COLOURS: Final = dict(zip(CLASSES, ("#d55e00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#555555")))
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


def shown_number(value: float, decimals: int) -> str:
    """A number as shown, with all its digits for whoever reads the page by program; a dash for one that is none."""
    if not math.isfinite(value):
        return NO_NUMBER
    return f'<data value="{value!r}">{value if isinstance(value, int) else f"{value:.{decimals}f}"}</data>'
