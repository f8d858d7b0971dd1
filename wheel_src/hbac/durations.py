"""Durations as people write them."""

import re

from hbac.errors import InputError


def parse_duration(text: str, of: str = "time budget") -> float:
    """Seconds of "8h30m", "90m", "45s" or "600".

    Raises:
        InputError: not such a text, or not above 0.
    """
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
    hours, minutes, seconds = match.groups() if match else (None, None, None)
    total = 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds or 0)
    if total <= 0:
        raise InputError(f"{of}: expected a duration such as 8h30m, 90m or 600, received {text!r}")
    return total
