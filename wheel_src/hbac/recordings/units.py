"""What a file says of its unit, in microvolts."""

import re
from typing import Final

from hbac.errors import InputError, brief

UNITS: Final = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}  # in microvolts
# The spread of EEG, in microvolts, where no unit is stated: in mV, V or nV it lies far outside.
ASSUMED_UV: Final = (2.0, 200.0)
# EDF's headers are ASCII, and the micro sign is not: in Latin-1, in UTF-8 read as Latin-1, as a Greek letter.
_MICRO: Final = re.compile("^(?:µ|μ|Âµ|Î¼|micro)")
_WORDS: Final = re.compile("(?:volts?)$", re.IGNORECASE)
_SPELT: Final = {"v": "V", "mv": "mV", "uv": "uV", "nv": "nV"}


def unit_of(text: str) -> str | None:
    """The unit of `UNITS` that a text names; None where it is blank, another quantity, or not to be told apart.

    Capitals are free, as recorders write `uv` and `UV`; but `MV` is a million volts or a thousandth of one: None.

    >>> unit_of("µV")
    'uV'
    """
    name = _WORDS.sub("V", _MICRO.sub("u", text.strip()))
    return None if name == "MV" else _SPELT.get(name.lower())


def check_unit(unit: str | None) -> None:
    """Refuse a unit that was told and is none.

    Raises:
        InputError: it is not one of `UNITS`.
    """
    if unit is not None and unit not in UNITS:
        raise InputError(f"unit: expected one of {', '.join(UNITS)}, received {brief(unit)}")
