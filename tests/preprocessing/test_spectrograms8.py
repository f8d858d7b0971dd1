"""The starter's eight spectrograms: against librosa, against the notebook's arithmetic, and what is missing."""

from pathlib import Path

import numpy as np
import pytest
from helpers_signals import at, mirror_name, noise_eeg, noise_power

from hbac import hms
from hbac.preprocessing.golden import golden_eeg
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.spectrograms8 import mel_frequencies_hz

PRESET = PRESETS["spectrograms8-v1"]
SECONDS = np.arange(10_000) / 200


def test_mel_spectrograms_are_those_of_librosa():
    expected = np.load(Path(__file__).with_name("librosa_golden.npy"))  # every fifth row, every seventh column
    received = make_image(golden_eeg(), None, PRESET)[::5, ::7, 4:]
    np.testing.assert_allclose(received, expected, atol=2e-6)
    assert expected.std() > 0.3  # of -1 to 1


def test_host_channels_are_the_notebooks_arithmetic():
    power = noise_power()
    power[10:40, 130:170] = np.nan
    power[3, 399] = 0
    image = make_image(None, power, PRESET)
    for channel in range(4):
        nats = np.log(np.clip(power[:, 100 * channel :][:, :100].T, np.exp(-4), np.exp(8)))
        z = (nats - np.nanmean(nats)) / (np.nanstd(nats) + 1e-6)
        np.testing.assert_allclose(image[14:-14, :, channel], np.nan_to_num(z)[:, 22:-22] / 2, atol=1e-6)
    assert (image[:14, :, :4] == 0).all()
    assert (image[-14:, :, :4] == 0).all()
    assert (image[14 + 30 : 14 + 70, 0:18, 1] == 0).all()  # rows 22 to 39 of the file


@pytest.mark.parametrize("chain", list(hms.CHAINS))
def test_a_tone_stands_in_its_row_of_its_chain_alone(chain):
    uv = np.zeros((10_000, 19), np.float32)
    uv[:, at(hms.CHAINS[chain][2])] = 200 * np.sin(2 * np.pi * 7.3 * SECONDS)
    image = make_image(uv, None, PRESET)
    own = {"LL": 4, "LP": 5, "RL": 6, "RP": 7}[chain]
    assert [channel for channel in range(4, 8) if (image[..., channel] < 1).any()] == [own]
    loudest = image[:, 20:-20, own].mean(axis=1).argmax()
    assert mel_frequencies_hz(PRESET)[1 + loudest] == pytest.approx(7.3, abs=0.3)  # of a window of 0.64 s


def test_columns_follow_time():
    uv = noise_eeg(sd_uv=0.01)
    uv[6000:6100, at("C3")] += 300 * np.sin(2 * np.pi * 10 * SECONDS[:100])
    loud = make_image(uv, None, PRESET)[60:70, :, 5].mean(axis=0)
    assert loud.argmax() == pytest.approx(6050 / 39, abs=1.5)


def test_what_is_missing_is_zero_in_the_hosts_channels_and_one_in_those_of_the_eeg():
    nothing = make_image(None, None, PRESET)
    assert (nothing[..., :4] == 0).all()
    assert (nothing[..., 4:] == 1).all()
    empty = make_image(np.full((10_000, 19), np.nan, np.float32), np.full((300, 400), np.nan, np.float32), PRESET)
    np.testing.assert_array_equal(empty, nothing)


def test_a_lost_electrode_costs_its_pairs_alone():
    uv = noise_eeg()
    lost = uv.copy()
    lost[:, at("T5")] = np.nan
    whole, image = make_image(uv, None, PRESET), make_image(lost, None, PRESET)
    np.testing.assert_array_equal(whole[..., 5:], image[..., 5:])
    assert not np.allclose(whole[..., 4], image[..., 4], atol=0.1)
    flat = uv.copy()
    flat[:, [at("T5"), at("O1")]] = uv[:, [at("T3")]]  # the same two pairs are 0
    np.testing.assert_array_equal(make_image(flat, None, PRESET)[..., 4], image[..., 4])


def test_flipping_is_the_image_of_a_mirrored_head():
    uv, power = noise_eeg(), noise_power()
    mirrored = uv[:, [at(mirror_name(name)) for name in hms.ELECTRODES]]
    chains = power.reshape(300, 4, 100)[:, [1, 0, 3, 2]].reshape(300, 400)
    flipped = PRESET.flip(make_image(uv, power, PRESET)[None])
    np.testing.assert_allclose(flipped[0], make_image(mirrored, chains, PRESET), atol=1e-6)


def test_the_cache_keeps_values_to_half_a_step_and_what_is_missing_exactly():
    image = make_image(noise_eeg(), noise_power(), PRESET)
    error = np.abs(PRESET.from_uint8(PRESET.to_uint8(image)) - image)
    assert error[..., :4].max() <= 3 / 127 / 2 + 1e-6
    assert error[..., 4:].max() <= 1 / 128 / 2 + 1e-6
    missing = make_image(None, None, PRESET)
    np.testing.assert_array_equal(PRESET.from_uint8(PRESET.to_uint8(missing)), missing)
    ends = np.repeat([[-9, -1], [9, 1]], 4, axis=1).astype(np.float32)
    np.testing.assert_allclose(
        PRESET.from_uint8(PRESET.to_uint8(ends)), np.repeat([[-3, -127 / 128], [3, 1]], 4, axis=1)
    )
