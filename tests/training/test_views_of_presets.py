"""Augmentation of the other presets: each change against the input of a record that has changed so."""

import numpy as np
import pytest
from helpers_signals import at, noise_eeg, noise_power

from hbac import hms
from hbac.network.settings import NetworkSettings
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.waveforms import RAW_PAIRS
from hbac.records.record import mirrored
from hbac.training import views_of_spectrograms, views_of_starter, views_of_waveforms
from hbac.training.batches import epoch_batches
from hbac.training.cache import DIGEST
from hbac.training.rows import TrainData
from hbac.training.schedule import Stage, TrainSettings, ViewSettings
from hbac.training.views import KINDS, random_views

OTHERS = ("starter-v1", "spectrograms8-v1", "waveform8-v1", "raw-v1")
EIGHT, STARTER = PRESETS["spectrograms8-v1"], PRESETS["starter-v1"]
WAVES = pytest.mark.parametrize("preset", [PRESETS["waveform8-v1"], PRESETS["raw-v1"]], ids=lambda it: it.preset)
CHANCES = ("flip", "mask_frequencies", "mask_times", "shift_time", "drop_file", "shorten", "change_gain")
MEANT = {  # by a preset's inputs
    "starter-v1": {"flip", "mask_frequencies", "mask_times"},
    "spectrograms8-v1": {"flip", "mask_frequencies", "mask_times", "shift_time", "drop_file"},
    "waveform8-v1": {"flip", "mask_times", "shift_time", "drop_file", "shorten", "change_gain"},
    "raw-v1": {"mask_times", "shift_time", "drop_file", "shorten", "change_gain"},
}
STEPS = {
    "starter-v1": 0.05,
    "spectrograms8-v1": 0.03,
    "waveform8-v1": 0.3,
    "raw-v1": 0.1,
}  # of the cache, twice rounded


def smooth_eeg() -> np.ndarray:
    """(10000, 19) noise mostly below 2 Hz."""
    noise = np.random.default_rng(0).normal(0, 300, (10_200, 19))
    return np.apply_along_axis(np.convolve, 0, noise, np.hanning(201) / 100, mode="valid").astype(np.float32)


def test_every_preset_has_its_views():
    assert set(KINDS) == set(PRESETS)


@pytest.mark.parametrize("name", OTHERS)
def test_cached_inputs_change_as_the_inputs_they_stand_for(name):
    preset = PRESETS[name]
    inputs = np.stack([make_image(noise_eeg(seed=seed), noise_power(seed=seed), preset) for seed in (1, 2)])
    cached = preset.to_uint8(inputs)
    inputs, before = preset.from_uint8(cached), cached.copy()
    for seed in range(8):
        ours = random_views(cached, preset, ViewSettings(), np.random.default_rng(seed))
        theirs = random_views(inputs, preset, ViewSettings(), np.random.default_rng(seed))
        assert (ours.dtype, theirs.dtype) == (np.uint8, np.float32)
        assert ours.shape == theirs.shape == inputs.shape
        scale = np.maximum(1, np.abs(theirs) / 4)  # a waveform's large values have large steps
        np.testing.assert_array_less(np.abs(preset.from_uint8(ours) - theirs) / scale, STEPS[name])
    np.testing.assert_array_equal(cached, before)


@pytest.mark.parametrize("name", OTHERS)
def test_a_view_changes_inputs_where_it_has_a_meaning_and_nowhere_else(name):
    preset = PRESETS[name]
    inputs = make_image(noise_eeg(), noise_power(), preset)[None]
    for chance in CHANCES:
        views = ViewSettings(**{**dict.fromkeys(CHANCES, 0.0), chance: 1.0})
        rng = np.random.default_rng(1)
        changed = any(not np.array_equal(random_views(inputs, preset, views, rng), inputs) for _ in range(5))
        assert changed == (chance in MEANT[name]), chance


# ---- eight spectrograms


def test_dropping_a_file_gives_the_input_without_it():
    uv, power = noise_eeg(), np.exp(np.random.default_rng(0).normal(2, 1, (300, 400))).astype(np.float32)
    whole = make_image(uv, power, EIGHT)[None]
    np.testing.assert_array_equal(views_of_spectrograms.drop_eeg(whole, EIGHT)[0], make_image(None, power, EIGHT))
    power[:138], power[162:] = np.nan, np.nan  # as the EEG's own spectrogram, which covers 50 s of the ten minutes
    expected = make_image(uv, power, EIGHT)
    received = views_of_spectrograms.drop_spectrogram(whole, EIGHT)[0]
    np.testing.assert_allclose(received, expected, atol=1e-5)
    cached = EIGHT.from_uint8(views_of_spectrograms.drop_spectrogram(EIGHT.to_uint8(whole), EIGHT))[0]
    np.testing.assert_allclose(cached, expected, atol=0.04)
    for drop, without in zip(KINDS["spectrograms8-v1"].from_one_file, ((uv, power), (None, None))):
        hidden = make_image(*without, EIGHT)[..., 4 if without[0] is None else 0]
        np.testing.assert_allclose(drop(whole, EIGHT)[0, ..., 4 if without[0] is None else 0], hidden, atol=1e-5)


@pytest.mark.parametrize("hops", [5, -3])
def test_a_shift_of_the_spectrograms_is_that_of_the_signal(hops):
    uv = noise_eeg()
    moved = make_image(np.roll(uv, 39 * hops, axis=0), None, EIGHT)[..., 4:]
    shifted = views_of_spectrograms.shift_time(make_image(uv, None, EIGHT)[None], hops * 39 / 200, EIGHT)[0, ..., 4:]
    np.testing.assert_allclose(shifted[:, 10:-10], moved[:, 10:-10], atol=0.05)  # the loudest cell may lie at an end
    assert (shifted[:, :hops] == 0).all() if hops > 0 else (shifted[:, hops:] == 0).all()


def test_a_shift_of_seconds_moves_the_hosts_columns_of_two_seconds():
    image = make_image(None, noise_power(), EIGHT)[None]
    shifted = views_of_spectrograms.shift_time(image, 4.0, EIGHT)
    np.testing.assert_array_equal(shifted[:, :, 2:, :4], image[:, :, :-2, :4])
    np.testing.assert_array_equal(views_of_spectrograms.shift_time(image, 0.9, EIGHT)[..., :4], image[..., :4])


def test_a_band_is_hidden_at_its_frequencies_in_both_spectrograms():
    image = np.ones((1, 128, 256, 8), np.float32)
    hidden = (views_of_spectrograms.mask_frequencies(image, 5.0, 8.0, EIGHT) == 0)[0]
    assert (hidden == hidden[:, :1]).all()
    host = [14 + row for row, hz in enumerate(hms.SPECTROGRAM_FREQUENCIES_HZ) if 5 <= hz <= 8]
    mel = [row for row in range(128) if 5 <= 20 * (row + 1) / 129 <= 8]
    assert [np.flatnonzero(hidden[:, 0, c]).tolist() for c in range(8)] == 4 * [host] + 4 * [mel]


# ---- the starter's image


def test_the_starters_image_is_hidden_in_bands_and_stretches():
    image = np.ones((1, 400, 300, 3), np.float32)
    band = (views_of_starter.mask_frequencies(image, 2.0, 3.0) == 0)[0]
    rows = [100 * c + r for c in range(4) for r, hz in enumerate(hms.SPECTROGRAM_FREQUENCIES_HZ) if 2 <= hz <= 3]
    assert np.flatnonzero(band.all(axis=(1, 2))).tolist() == np.flatnonzero(band.any(axis=(1, 2))).tolist() == rows
    assert np.flatnonzero((views_of_starter.mask_times(image, 290, 30) == 0)[0, 0, :, 1]).tolist() == list(range(290, 300))  # fmt: skip


def test_the_starters_three_channels_stay_alike_in_the_cache():
    image = make_image(None, noise_power(), STARTER)
    back = STARTER.from_uint8(STARTER.to_uint8(image))
    np.testing.assert_allclose(back, image, atol=6 / 127 / 2 + 1e-6)
    np.testing.assert_array_equal(back, back[..., :1].repeat(3, axis=2))


# ---- waveforms


@WAVES
@pytest.mark.parametrize("seconds", [1.0, -0.5, 0.0])
def test_a_shift_of_a_waveform_is_that_of_the_signal(preset, seconds):
    uv = smooth_eeg()
    moved = make_image(np.roll(uv, round(200 * seconds), axis=0), None, preset)
    shifted = views_of_waveforms.shift_time(make_image(uv, None, preset)[None], seconds)[0]
    np.testing.assert_allclose(shifted[400:-400], moved[400:-400], atol=0.02)
    samples = round(40 * seconds)
    assert (shifted[:samples] == 0).all() if samples > 0 else (shifted[2000 + samples :] == 0).all()


@WAVES
@pytest.mark.parametrize("log_gain", [-0.7, 0.3])
def test_a_changed_gain_is_that_of_the_louder_signal(preset, log_gain):
    uv = noise_eeg()
    expected = make_image(uv * np.float32(np.exp(log_gain)), None, preset)
    received = views_of_waveforms.change_gain(make_image(uv, None, preset), log_gain, preset)
    np.testing.assert_allclose(received, expected, atol=1e-4)


@WAVES
@pytest.mark.parametrize("seconds", [10, 30])
def test_a_shortened_waveform_is_nearly_that_of_the_clip_alone(preset, seconds):
    """They differ about the clip's ends, which a filter reaches over, and by a sample in the mirror image."""
    uv, samples = smooth_eeg(), seconds * 200
    before = (10_000 - samples) // 2
    expected = make_image(mirrored(uv[before : before + samples], -before), None, preset)
    whole = make_image(uv, None, preset)
    received = views_of_waveforms.shorten(whole[None], seconds, True)[0]
    assert np.abs(received - expected).mean() < 0.2 * np.abs(whole - expected).mean()
    blank = views_of_waveforms.shorten(whole[None], seconds, False)[0]
    inside = slice(before // 5, (before + samples) // 5)
    np.testing.assert_array_equal(blank[inside], whole[inside])
    assert np.count_nonzero(blank.any(axis=1)) == seconds * 40


def test_dropped_channels_of_raw_are_those_of_a_lost_electrode():
    uv = noise_eeg()
    whole = make_image(uv, None, PRESETS["raw-v1"])
    uv[:, at("P4")] = np.nan
    pairs = np.array([number for number, pair in enumerate(RAW_PAIRS) if "P4" in pair])
    dropped = views_of_waveforms.drop_channels(whole[None], pairs)[0]
    np.testing.assert_allclose(dropped, make_image(uv, None, PRESETS["raw-v1"]), atol=1e-6)


# ---- what training is fed


@pytest.mark.parametrize("name", OTHERS)
def test_an_epoch_has_batches_of_the_presets_shape(name):
    preset = PRESETS[name]
    rows = np.arange(5)
    images = np.stack([preset.to_uint8(make_image(noise_eeg(seed=row), noise_power(seed=row), preset)) for row in rows])
    votes = np.full((5, 6), 1 / 6, np.float32)
    counts = np.full(5, 10, np.float32)
    data = TrainData(images, votes, counts, rows, preset, np.zeros((5, 2), DIGEST))
    settings = TrainSettings(NetworkSettings(input_shape=preset.shape), (Stage(1, 1e-3, 1),))
    epoch = epoch_batches(data, rows, 4, settings.views, settings.mixup_alpha, 1, np.random.default_rng(0))
    assert [batch[0].shape for batch in (epoch[0], epoch[1])] == [(4, *preset.shape), (1, *preset.shape)]
    assert all(np.isfinite(epoch[i][0]).all() and epoch[i][0].dtype == np.float32 for i in range(2))
