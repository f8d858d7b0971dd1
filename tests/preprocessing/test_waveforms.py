"""Inputs that are waveforms: the starter's against its arithmetic in pandas and SciPy, our own against known signals."""

import numpy as np
import pandas as pd
import pytest
from helpers_signals import at, mirror_name, noise_eeg, noise_power
from scipy import signal

from hbac import hms
from hbac.preprocessing.golden import golden_eeg
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.waveforms import PARTNER, RAW_PAIRS

STARTER, RAW = PRESETS["waveform8-v1"], PRESETS["raw-v1"]
BOTH = pytest.mark.parametrize("preset", [STARTER, RAW], ids=lambda preset: preset.preset)
SECONDS = np.arange(10_000) / 200


def notebook(uv: np.ndarray) -> np.ndarray:
    """(2000, 8) as the WaveNet starter makes it: means for gaps, differences, clip, low-pass, every fifth sample."""
    eeg = pd.DataFrame(uv, columns=hms.ELECTRODES)
    eeg = eeg.fillna(eeg.mean()).fillna(0.0).astype(np.float64)
    names = ["Fp1-T3", "T3-O1", "Fp1-C3", "C3-O1", "Fp2-C4", "C4-O2", "Fp2-T4", "T4-O2"]
    x = np.stack([eeg[a] - eeg[b] for a, b in (name.split("-") for name in names)], axis=1)
    b, a = signal.butter(4, 20 / 100, btype="low", analog=False)
    return signal.lfilter(b, a, np.clip(x, -1024, 1024) / 32, axis=0)[::5]


@pytest.mark.parametrize(
    "uv", [golden_eeg(), noise_eeg(), 1000 * noise_eeg(), noise_eeg() + 5000], ids=["golden", "noise", "loud", "offset"]
)
def test_the_starters_waveform_is_the_notebooks_arithmetic(uv):
    np.testing.assert_allclose(make_image(uv, None, STARTER), notebook(uv), atol=1e-5)


def test_a_lost_electrode_of_the_starter_leaves_the_other_one():
    uv = noise_eeg()
    uv[:, at("T3")] = np.nan
    wave = make_image(uv, None, STARTER)
    np.testing.assert_allclose(wave, notebook(uv), atol=1e-5)
    assert wave[:, 0].std() > 0.1


def pair(name: str) -> int:
    return ["-".join(names) for names in RAW_PAIRS].index(name)


def tone(name: str, hz: float, uv: float) -> np.ndarray:
    eeg = np.zeros((10_000, 19), np.float32)
    eeg[:, at(name)] = uv * np.sin(2 * np.pi * hz * SECONDS)
    return eeg


@pytest.mark.parametrize(("hz", "gain"), [(0.02, 0.0), (1.0, 1.0), (5.0, 1.0), (13.0, 1.0), (17.0, 0.5), (22.0, 0.0), (60.0, 0.0)])  # fmt: skip
def test_raw_shows_a_tone_as_it_is_between_its_limits(hz, gain):
    wave = make_image(tone("F7", hz, 100.0), None, RAW)
    expected = gain * 100 * np.sin(2 * np.pi * hz * np.arange(2000) / 40)
    inner = slice(300, -300)  # the high-pass at 0.3 Hz settles
    received = 20 * np.sinh(wave[inner, pair("F7-T3")].astype(np.float64))
    if gain in (0.0, 1.0):
        np.testing.assert_allclose(received, expected[inner], atol=3.0)  # in time too: no delay
    else:
        assert np.abs(received).max() == pytest.approx(50, abs=5)
    np.testing.assert_allclose(wave[:, pair("Fp1-F7")], -wave[:, pair("F7-T3")], atol=1e-6)
    assert (np.delete(wave, [pair("F7-T3"), pair("Fp1-F7")], axis=1) == 0).all()


def test_raw_channels_are_the_pairs_of_the_left_and_then_their_partners():
    left = ["Fp1-F7", "F7-T3", "T3-T5", "T5-O1", "Fp1-F3", "F3-C3", "C3-P3", "P3-O1"]
    assert ["-".join(names) for names in RAW_PAIRS[:8]] == left
    assert [tuple(map(mirror_name, names)) for names in RAW_PAIRS[:8]] == list(RAW_PAIRS[PARTNER:])
    assert sorted(RAW_PAIRS) == sorted(hms.PAIRS)


def test_raw_agrees_with_filters_applied_one_by_one():
    uv = noise_eeg(sd_uv=60.0)
    high = signal.filtfilt(*signal.butter(2, 0.3, "highpass", fs=200), np.clip(uv, -1024, 1024).astype(float), axis=0)
    low = np.stack([np.convolve(x, signal.firwin(101, 17, fs=200), mode="same") for x in high.T])
    expected = np.stack([low[at(a)] - low[at(b)] for a, b in RAW_PAIRS], axis=1)[::5]
    received = 20 * np.sinh(make_image(uv, None, RAW).astype(np.float64))
    np.testing.assert_allclose(received[50:-50], expected[50:-50], atol=0.05)


def test_a_gap_is_blank_in_raw_and_does_not_ring_around_it():
    uv = tone("C4", 3.0, 80.0)
    whole = make_image(uv, None, RAW)
    gap = uv.copy()
    gap[4000:4400, at("C4")] = np.nan
    wave = make_image(gap, None, RAW)
    shown = [pair("F4-C4"), pair("C4-P4")]
    assert (wave[800:880, shown] == 0).all()
    assert (wave[[799, 880]][:, shown] != 0).all()
    np.testing.assert_allclose(wave[:700, shown], whole[:700, shown], atol=0.3)
    lost = uv.copy()
    lost[:, at("C4")] = np.nan
    assert (make_image(lost, None, RAW)[:, shown] == 0).all()


@BOTH
def test_without_an_eeg_all_is_zero_whatever_the_spectrogram(preset):
    assert (make_image(None, noise_power(), preset) == 0).all()
    empty = np.full((10_000, 19), np.nan, np.float32)
    assert (make_image(empty, noise_power(), preset) == 0).all()
    np.testing.assert_array_equal(make_image(noise_eeg(), noise_power(), preset), make_image(noise_eeg(), None, preset))


@BOTH
def test_flipping_is_the_waveform_of_a_mirrored_head(preset):
    uv = golden_eeg()
    mirrored = uv[:, [at(mirror_name(name)) for name in hms.ELECTRODES]]
    np.testing.assert_allclose(preset.flip(make_image(uv, None, preset)), make_image(mirrored, None, preset), atol=1e-6)


@BOTH
def test_the_cache_keeps_microvolts_to_a_half_and_large_ones_to_a_fortieth(preset):
    uv = np.concatenate([[0], np.geomspace(0.1, 4000, 60), -np.geomspace(0.1, 4000, 60)]).astype(np.float32)
    back = preset.in_uv(preset.from_uint8(preset.to_uint8(preset.of_uv(uv))))
    np.testing.assert_allclose(back, uv, rtol=0.025, atol=0.48)
    assert back[0] == 0
    loud = preset.to_uint8(preset.of_uv(np.array([-1e9, 1e9], np.float32)))
    assert loud.tolist() == [1, 255]
