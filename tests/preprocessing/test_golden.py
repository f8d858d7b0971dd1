"""The golden record: given by formula, hard enough to notice a change."""

import math

import numpy as np
import pytest
from helpers_signals import at

from hbac import hms
from hbac.preprocessing.golden import IMAGE_TOLERANCE, golden_eeg, golden_image, golden_power, probe, probe_shape
from hbac.preprocessing.presets import PRESETS

ZOOMS = PRESETS["three-zooms-v1"]


@pytest.fixture(scope="module")
def image():
    return golden_image(ZOOMS)


def test_the_eeg_has_a_gap_in_the_middle_ten_seconds_and_loses_an_electrode():
    uv = golden_eeg()
    assert uv.shape == (10_000, 19)
    assert uv.dtype == np.float32
    expected = np.zeros(uv.shape, bool)
    expected[5100:5300] = True  # 25.5 to 26.5 s
    expected[8000:, at("T4")] = True
    np.testing.assert_array_equal(np.isnan(uv), expected)


@pytest.mark.parametrize(("sample", "column"), [(0, 1), (9, 0), (211, 7), (4321, 12), (9999, 18)])
def test_the_eeg_is_its_formula(sample, column):
    t, c = sample / 200, column
    beat = math.fmod(t - 0.01 * c + 900, 0.9)
    expected = (
        (30 + 2 * c) * math.sin(2 * math.pi * (1.1 + 0.05 * c) * t + 0.3 * c)
        + (4 + c % 5) * math.sin(2 * math.pi * 9.7 * t + 0.8 * c)
        + 3 * math.sin(2 * math.pi * 60 * t)
        + 80 * math.sin(2 * math.pi * 0.04 * t + c)
        - (40 + 8 * (c % 4)) * math.exp(-(((beat - 0.2) / 0.03) ** 2))
    )
    assert golden_eeg()[sample, column] == pytest.approx(expected, abs=1e-3)


def test_the_spectrogram_has_missing_rows_and_power_within_and_beyond_the_limits():
    power = golden_power()
    assert power.shape == (300, 400)
    assert power.dtype == np.float32
    assert np.flatnonzero(np.isnan(power).any(axis=1)).tolist() == [100, 101, 102, 103]
    assert np.nanmin(power) > 0
    chains = np.nan_to_num(power).reshape(300, 4, 100)
    assert all(not np.allclose(chains[:, a], chains[:, b]) for a in range(4) for b in range(a))


def test_the_record_is_the_same_each_time(image):
    np.testing.assert_array_equal(golden_eeg(), golden_eeg())
    np.testing.assert_array_equal(golden_image(ZOOMS), image)


def test_the_presets_give_different_images(image):
    assert not np.allclose(golden_image(PRESETS["starter-v1"]), image)


def test_the_probe_is_a_grid_framed_by_means(image):
    values = np.array(probe(image))
    assert values.shape == probe_shape(image.shape) == (3, 15, 9)
    for channel in range(3):
        plane = image[..., channel].astype(np.float64)
        np.testing.assert_allclose(values[channel, :14, :8], plane[5::29, 7::37], atol=1e-6)
        np.testing.assert_allclose(values[channel, :14, 8], plane[5::29].mean(axis=1), atol=1e-6)
        np.testing.assert_allclose(values[channel, 14, :8], plane[:, 7::37].mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(values[channel, 14, 8], plane.mean(), atol=1e-6)


def test_the_probe_of_a_waveform_is_moments_and_means():
    wave = golden_image(PRESETS["raw-v1"])
    values = np.array(probe(wave))
    assert values.shape == probe_shape((2000, 16)) == (16, 70)
    np.testing.assert_allclose(values[:, :69], wave[5::29].T, atol=1e-6)
    np.testing.assert_allclose(values[:, 69], wave.astype(np.float64).mean(axis=0), atol=1e-6)
    for first in range(0, 2000, 10):
        changed = wave.copy()
        changed[first : first + 10, first % 16] += 0.025
        assert noticed(wave, changed) > IMAGE_TOLERANCE
    for moved in (wave[::-1], wave[:, ::-1], np.roll(wave, 1, axis=0), np.roll(wave, 8, axis=1)):
        assert noticed(wave, moved) > 100 * IMAGE_TOLERANCE


@pytest.mark.parametrize("channel", range(3))
def test_the_probe_notices_a_small_change_of_any_pair(image, channel):
    for pair in range(len(hms.PAIRS)):
        changed = image.copy()
        changed[25 * pair : 25 * pair + 25, :, channel] += 0.025  # 0.05 nat
        assert noticed(image, changed) > IMAGE_TOLERANCE


@pytest.mark.parametrize("channel", range(3))
def test_the_probe_notices_a_small_change_of_any_stretch_of_columns(image, channel):
    for first in range(0, 300, 10):
        changed = image.copy()
        changed[:, first : first + 10, channel] += 0.025
        assert noticed(image, changed) > IMAGE_TOLERANCE


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image[::-1],
        lambda image: image[:, ::-1],
        lambda image: image[..., ::-1],
        lambda image: np.roll(image, 1, axis=0),
        lambda image: np.roll(image, 1, axis=1),
        lambda image: np.roll(image, 100, axis=0),
        lambda image: np.concatenate([image[100:200], image[:100], image[200:]]),
    ],
    ids=["rows", "columns", "channels", "one row", "one column", "one chain", "two chains"],
)
def test_the_probe_notices_what_changed_places(image, change):
    assert noticed(image, change(image)) > 100 * IMAGE_TOLERANCE


def noticed(image: np.ndarray, changed: np.ndarray) -> float:
    return float(np.abs(np.array(probe(changed)) - np.array(probe(image))).max())
