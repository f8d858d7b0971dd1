"""Units as files write them."""

import pytest

from hbac.errors import InputError
from hbac.recordings.units import check_unit, unit_of


@pytest.mark.parametrize(
    ("text", "unit"),
    [("uV", "uV"), ("uv", "uV"), ("UV", "uV"), ("µV", "uV"), ("μV", "uV"), ("ÂµV", "uV"), ("Î¼V", "uV"), ("microvolts", "uV"),
     ("mV", "mV"), ("mv", "mV"), ("V", "V"), ("volt", "V"), ("v", "V"), ("nV", "nV"), ("NV", "nV"), (" uV ", "uV")],
)  # fmt: skip
def test_a_unit_is_told_by_its_name(text: str, unit: str) -> None:
    assert unit_of(text) == unit


@pytest.mark.parametrize("text", ["", "MV", "mmHg", "%", "?V", "dB", "uA", "bpm", "mV/s", "VV", "kV"])
def test_what_is_no_unit_of_eeg_is_none(text: str) -> None:
    assert unit_of(text) is None


def test_a_unit_that_is_told_has_to_be_one() -> None:
    check_unit("mV")
    with pytest.raises(InputError, match="unit: expected one of V, mV, uV, nV, received 'microvolt'"):
        check_unit("microvolt")
