"""EDF files as they are written: read by edfio as they were meant."""

import io
from datetime import datetime

import numpy as np
import pytest

import hbac
from hbac.edf import Signal, annotations_alone, header

edfio = pytest.importorskip("edfio")


def test_edfio_reads_signals() -> None:
    signals = [Signal("EEG Fp1-REF", "uV", (-3276.8, 3276.7), 4), Signal("ECG EKG", "mV", (-1, 1), 2)]
    samples = np.array([[0, 1, -32768, 32767, 5, -5], [10, 20, 30, 40, 7, 8]], "<i2")
    content = header(signals, 2, 1, datetime(2031, 2, 3, 4, 5, 6), plus=False) + samples.tobytes()
    file = edfio.read_edf(io.BytesIO(content))
    assert file.labels == ("EEG Fp1-REF", "ECG EKG")
    assert [signal.physical_dimension for signal in file.signals] == ["uV", "mV"]
    np.testing.assert_allclose(file.signals[0].data, [0, 0.1, -3276.8, 3276.7, 1, 2, 3, 4], atol=1e-9)
    np.testing.assert_array_equal(file.signals[1].digital, [5, -5, 7, 8])
    assert (file.startdatetime, file.duration, file.reserved) == (datetime(2031, 2, 3, 4, 5, 6), 2, "")


@pytest.mark.parametrize(
    "told", [[], [(0.0, 0.5, "x")], [(86_400 * 3 + 0.125, 1e6, "a longer text"), (2.0, 0.0, "µV and 'quotes'")]]
)
def test_edfio_reads_annotations(told: list[tuple[float, float, str]]) -> None:
    file = edfio.read_edf(io.BytesIO(annotations_alone(told, None)))
    assert sorted(map(tuple, file.annotations)) == sorted(told)
    assert (file.num_signals, file.reserved, file.data_record_duration) == (0, "EDF+C", 0)


@pytest.mark.parametrize("year", [1984, 2085])
def test_a_year_that_two_digits_do_not_tell_is_refused(year: int) -> None:
    with pytest.raises(hbac.InputError, match=f"expected a year of 1985 to 2084, received {year}"):
        annotations_alone([], datetime(year, 1, 1))


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(hbac.InputError, match="expected a text of 16 bytes at most"):
        header([Signal("a label of many letters", "uV", (-1, 1), 1)], 1, 1, None, plus=False)
