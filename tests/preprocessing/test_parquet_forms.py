"""Whole files in other forms of parquet are answered whole: a cut of the sweep of tests/fuzz/parquet_forms.py."""

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "fuzz"))

from parquet_forms import ENCODINGS, LAYOUTS, OPTIONS, Form, alarm

from hbac.preprocessing.load import SUSPECT, load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.parquet import read_spectrogram
from hbac.records.record import Record
from hbac.records.tables import read_test_table

PLAIN = LAYOUTS["as it is"]
CUT: list[Form] = [
    *(("codec", "float", PLAIN, {"compression": codec}) for codec in ("none", "gzip", "brotli", "zstd", "lz4")),
    *(("encoding", "float", PLAIN, ENCODINGS[name]) for name in ("plain", "byte stream split")),
    *(("type", kind, PLAIN, {}) for kind in ("double", "halffloat", "int16", "uint16", "decimal128(9, 2)")),
    ("delta", "int16", PLAIN, ENCODINGS["delta"]),
    *((name, "double", layout, {"compression": "lz4"}) for name, layout in LAYOUTS.items()),
    *((name, "float", PLAIN, OPTIONS[name]) for name in ("row groups", "small dictionaries", "codecs by column")),
]


@pytest.fixture(scope="module")
def record(simulated: Path) -> Record:
    """One whose power is above the rounding of whole numbers: of a quieter one nothing would be left."""
    return max(read_test_table(simulated), key=typical_power)


def typical_power(record: Record) -> float:
    assert record.spectrogram_path is not None
    return float(np.nanmedian(read_spectrogram(record.spectrogram_path).power))


@pytest.fixture(scope="module")
def image(record: Record) -> np.ndarray:
    image = load_record(record, PRESETS[THREE_ZOOMS]).image
    assert image is not None
    return image


@pytest.mark.parametrize("form", CUT, ids=lambda form: f"{form[0]}, {form[1]}, {form[3].get('compression')}")
def test_a_whole_record_in_another_form_is_whole(form: Form, record: Record, image: np.ndarray, tmp_path: Path) -> None:
    files, said = alarm(record, tmp_path, form, image)
    assert files >= 1
    assert said is None


def test_whole_microvolts_of_another_record_are_noticed(simulated: Path, tmp_path: Path, image: np.ndarray) -> None:
    """What coarse numbers excuse is their rounding, not other seconds."""
    *_, second, first = sorted(read_test_table(simulated), key=typical_power)
    wrong = Record(1, 1, None, second.eeg_path, first.spectrogram_path)
    form: Form = ("type", "int16", PLAIN, {})
    files, said = alarm(wrong, tmp_path, form, image)
    assert files >= 1
    assert said is not None
    assert said.startswith(SUSPECT.value)
    assert "disagree" in said
