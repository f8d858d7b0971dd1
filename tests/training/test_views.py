"""Augmentation: each change against an image whose answer is known by construction."""

import numpy as np
import pytest
from helpers_signals import at, mirror_name, noise_eeg, noise_power

from hbac import hms
from hbac.preprocessing.multitaper import rebuild_window
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.three_zooms import flip_hemispheres, floor, pair_frequencies_hz
from hbac.records.record import mirrored
from hbac.training.schedule import ViewSettings
from hbac.training.views import mixup, random_views
from hbac.training.views_of_zooms import (
    COVERED_BY_EEG,
    change_gain,
    drop_eeg,
    drop_spectrogram,
    mask_frequencies,
    mask_times,
    shift_time,
    shorten,
    shorten_spectrogram,
)

ZOOMS = PRESETS["three-zooms-v1"]
FLOOR, BLANK = -2.0, (-2.0, -2.0, 0.0)
CHANCES = ("flip", "mask_frequencies", "mask_times", "shift_time", "drop_file", "shorten", "change_gain")
MIRRORED_CHAIN = {"LL": "RL", "RL": "LL", "LP": "RP", "RP": "LP"}


@pytest.fixture(scope="module")
def images():
    """Two records; no cell of theirs is what a hidden one is."""
    return np.stack([record(seed) for seed in (1, 2)])


def record(seed: int) -> np.ndarray:
    image = make_image(noise_eeg(seed=seed), noise_power(seed=seed))
    image[..., :2] = np.maximum(image[..., :2], FLOOR + 0.01)
    return np.where(image == 0, np.float32(0.01), image)


def test_a_flipped_image_is_the_image_of_the_mirrored_head():
    uv, power = noise_eeg(), noise_power()
    uv[4000:4500, at("F8")] = np.nan
    power[50:60, 120:180] = np.nan
    mirrored_uv = uv[:, [at(mirror_name(name)) for name in hms.ELECTRODES]]
    columns = {name: i for i, name in enumerate(hms.SPECTROGRAM_COLUMNS)}
    names = [name.split("_") for name in hms.SPECTROGRAM_COLUMNS]
    mirrored_power = power[:, [columns[f"{MIRRORED_CHAIN[chain]}_{hz}"] for chain, hz in names]]
    image, mirrored = make_image(uv, power), make_image(mirrored_uv, mirrored_power)
    assert not np.allclose(image, mirrored, atol=0.1)
    np.testing.assert_allclose(flip_hemispheres(image[None])[0], mirrored, atol=1e-4)
    np.testing.assert_allclose(flip_hemispheres(image), mirrored, atol=1e-4)  # without a batch, too


def test_flipping_twice_gives_the_image_back(images):
    np.testing.assert_array_equal(flip_hemispheres(flip_hemispheres(images)), images)


@pytest.mark.parametrize(("low_hz", "high_hz"), [(2.0, 3.0), (0.0, 0.7), (10.3, 12.9), (19.0, 99.0)])
def test_a_masked_band_is_the_same_in_every_chain_and_pair(images, low_hz, high_hz):
    masked = mask_frequencies(images, low_hz, high_hz, ZOOMS)
    host = [low_hz <= float(name.split("_")[1]) <= high_hz for name in hms.SPECTROGRAM_COLUMNS]
    pair = [low_hz <= hz <= high_hz for hz in pair_frequencies_hz(ZOOMS)] * 16
    assert 0 < sum(host) < 400
    assert 0 < sum(pair) < 400
    for channel, rows in enumerate((host, pair)):
        np.testing.assert_array_equal((masked[..., channel] == FLOOR).all(axis=(0, 2)), rows)
        kept = ~np.array(rows)
        np.testing.assert_array_equal(masked[:, kept, :, channel], images[:, kept, :, channel])
    np.testing.assert_array_equal(masked[..., 2], images[..., 2])


def test_a_band_between_two_frequencies_hides_nothing(images):
    np.testing.assert_array_equal(mask_frequencies(images, 0.6, 0.7, ZOOMS), images)


@pytest.mark.parametrize(("first", "count", "last"), [(0, 1, 1), (40, 25, 65), (295, 20, 300), (7, 0, 7)])
def test_masked_columns_are_blank_in_all_channels_and_the_others_untouched(images, first, count, last):
    masked = mask_times(images, first, count, ZOOMS)
    np.testing.assert_array_equal(masked[:, :, first:last], np.broadcast_to(BLANK, (2, 400, last - first, 3)))
    kept = np.delete(np.arange(300), np.s_[first:last])
    np.testing.assert_array_equal(masked[:, :, kept], images[:, :, kept])


def test_dropping_the_eeg_gives_the_image_of_a_record_without_one():
    uv, power = noise_eeg(), noise_power()
    np.testing.assert_array_equal(drop_eeg(make_image(uv, power)[None], ZOOMS)[0], make_image(None, power))


def test_dropping_the_spectrogram_keeps_the_columns_that_the_eeg_can_rebuild(images):
    rebuilt = np.isfinite(rebuild_window(noise_eeg(), 0)).all(axis=1)  # (300,)
    np.testing.assert_array_equal(np.arange(300)[COVERED_BY_EEG], np.flatnonzero(rebuilt))
    dropped = drop_spectrogram(images, ZOOMS)
    assert (dropped[:, :, ~rebuilt, 0] == FLOOR).all()
    np.testing.assert_array_equal(dropped[:, :, rebuilt, 0], images[:, :, rebuilt, 0])
    np.testing.assert_array_equal(dropped[..., 1:], images[..., 1:])


def test_dropping_the_spectrogram_is_like_rebuilding_it_from_the_eeg():
    """The same record answered from its EEG alone, where its spectrogram file came from the same EEG."""
    uv = noise_eeg()
    window = rebuild_window(uv, 0)
    elsewhere = np.where(np.isnan(window), noise_power(), window)
    dropped = drop_spectrogram(make_image(uv, elsewhere)[None], ZOOMS)[0]
    np.testing.assert_allclose(dropped, make_image(uv, window), atol=1e-6)


def test_mixup_blends_each_image_and_its_votes_with_one_other_by_the_same_share():
    """Images that hold their own number in unary: what comes out tells partner and share."""
    count = 40
    images = np.eye(count, dtype=np.float32)[:, None]  # (40, 1, 40)
    votes = np.random.default_rng(0).dirichlet(np.ones(6), count).astype(np.float32)
    mixed, mixed_votes = mixup(images, votes, 0.5, np.random.default_rng(1))
    shares = mixed[:, 0]  # (40, 40), row i: the weight of each image in the i-th
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert shares.min() >= 0
    assert ((shares > 0).sum(axis=1) <= 2).all()
    assert (np.diag(shares) >= 0.5).all()  # the larger share stays
    assert (np.diag(shares) < 0.99).sum() > 10  # and something happened
    np.testing.assert_allclose(mixed_votes, shares @ votes, atol=1e-6)


def test_mixup_keeps_votes_on_the_simplex_and_images_within_their_range(images):
    votes = np.array([[1, 0, 0, 0, 0, 0], [0, 0.25, 0.75, 0, 0, 0]], np.float32)
    before = images.copy()
    for seed in range(5):
        mixed, mixed_votes = mixup(images, votes, 2.0, np.random.default_rng(seed))
        np.testing.assert_allclose(mixed_votes.sum(axis=1), 1, atol=1e-6)
        assert mixed_votes.min() >= 0
        assert mixed.dtype == np.float32
        assert (mixed <= images.max(axis=0) + 1e-5).all()
        assert (mixed >= images.min(axis=0) - 1e-5).all()
    np.testing.assert_array_equal(images, before)


def test_mixup_of_one_image_leaves_it():
    image, vote = np.full((1, 2, 2, 3), 3, np.float32), np.full((1, 6), 1 / 6, np.float32)
    mixed, mixed_vote = mixup(image, vote, 0.4, np.random.default_rng(0))
    np.testing.assert_allclose(mixed, image, atol=1e-6)
    np.testing.assert_allclose(mixed_vote, vote, atol=1e-6)


def test_random_views_hide_or_keep_cells_of_the_image_or_of_its_mirror_image(images):
    before, seen = images.copy(), {"kept": 0, "flipped": 0, "no eeg": 0, "no spectrogram": 0, "whole": 0}
    rng = np.random.default_rng(0)
    for _ in range(20):
        views = random_views(images, ZOOMS, ViewSettings(shift_time=0, shorten=0, change_gain=0), rng)
        assert views.shape == images.shape
        assert views.dtype == np.float32
        for view, image in zip(views, images):
            kept = view != np.array(BLANK, np.float32)
            straight, flipped = ((view == x)[kept].mean() for x in (image, flip_hemispheres(image)))
            assert max(straight, flipped) == 1
            seen["kept" if straight == 1 else "flipped"] += 1
            seen["no eeg"] += not kept[..., 1:].any()
            seen["no spectrogram"] += not kept[:, :138, 0].any() and not kept[:, 162:, 0].any()
            seen["whole"] += bool(kept.all())
    assert min(seen.values()) >= 1, seen
    np.testing.assert_array_equal(images, before)


def test_random_views_are_those_of_the_generator(images):
    first, again, other = (
        random_views(images, ZOOMS, ViewSettings(), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_change_is_made_on_a_copy(images):
    before = images.copy()
    for changed in (
        flip_hemispheres(images),
        mask_frequencies(images, 0, 30, ZOOMS),
        mask_times(images, 0, 300, ZOOMS),
        drop_eeg(images, ZOOMS),
        drop_spectrogram(images, ZOOMS),
        shorten(images, 10, True, ZOOMS),
        shorten_spectrogram(images, 10, False, ZOOMS),
        change_gain(images, 0.1, ZOOMS),
    ):
        assert not np.shares_memory(changed, images)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("seed", range(12))
def test_cached_images_change_as_the_images_they_stand_for(images, seed):
    cached = ZOOMS.to_uint8(images)
    every = ViewSettings(
        flip=1, mask_frequencies=1, mask_times=1, shift_time=1, drop_file=0.7, shorten=0.5, change_gain=0
    )
    before, after = (random_views(x, ZOOMS, every, np.random.default_rng(seed)) for x in (cached, ZOOMS.from_uint8(cached)))  # fmt: skip
    assert before.dtype == np.uint8
    np.testing.assert_array_equal(ZOOMS.from_uint8(before), after)


@pytest.mark.parametrize("seconds", [-1.0, -0.5, 0.0, 1 / 6, 1.0, 4.0])
def test_a_shift_moves_all_channels_by_the_same_time(seconds):
    moment = np.zeros((1, 400, 300, 3), np.float32)
    moment[:, :, 150] = 1.0  # the middle of all three
    shifted = shift_time(moment, seconds, ZOOMS)
    for channel, columns_per_s in enumerate((1 / 2, 6, 30)):
        (at,) = np.flatnonzero((shifted[0, :, :, channel] == 1).all(axis=0))
        assert at == 150 + round(seconds * columns_per_s)


def test_what_a_shift_brings_in_is_missing(images):
    later, earlier = shift_time(images, 1.0, ZOOMS), shift_time(images, -1.0, ZOOMS)
    np.testing.assert_array_equal(later[:, :, 6:, 1], images[:, :, :-6, 1])
    assert (later[:, :, :6, 1] == floor(ZOOMS)).all()
    assert (later[:, :, :30, 2] == 0).all()
    assert (earlier[:, :, -30:, 2] == 0).all()
    np.testing.assert_array_equal(earlier[:, :, :-30, 2], images[:, :, 30:, 2])


def test_views_that_are_switched_off_leave_the_image_as_it_is(images):
    off = ViewSettings(**dict.fromkeys(CHANCES, 0.0))
    np.testing.assert_array_equal(random_views(images, ZOOMS, off, np.random.default_rng(0)), images)


@pytest.mark.parametrize("name", CHANCES)
def test_each_view_can_be_switched_on_alone(name, images):
    off = dict.fromkeys(CHANCES, 0.0)
    views = ViewSettings(**{**off, name: 1.0})
    rng = np.random.default_rng(1)
    assert any(not np.array_equal(random_views(images, ZOOMS, views, rng), images) for _ in range(5))


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("seconds", [10, 18, 30])
def test_a_shortened_image_is_nearly_that_of_the_clip_alone(seconds, mirror):
    """Only where a frame reaches over an end of the clip do they differ."""
    uv, samples = noise_eeg(seed=3), seconds * hms.EEG_RATE_HZ
    before = (hms.EEG_WINDOW - samples) // 2
    clip = uv[before : before + samples]
    window = np.full_like(uv, np.nan)
    window[before : before + samples] = clip
    power = rebuild_window(clip, -before)
    if mirror:
        window = mirrored(clip, -before)
        power = rebuild_window(window, 0)
    expected = make_image(window, power)
    whole = make_image(uv, rebuild_window(uv, 0))
    received = shorten_spectrogram(shorten(whole[None], seconds, mirror, ZOOMS), seconds, mirror, ZOOMS)[0]
    for channel, limit in ((0, 0.35), (1, 0.2)):
        off, unlike = (np.abs(x - expected)[..., channel].mean() for x in (received, whole))
        assert off < limit * unlike
        blank, expected_blank = (x[..., channel] == FLOOR for x in (received, expected))
        assert (blank == expected_blank).mean() > 0.98
        assert (expected_blank.mean() > 0.05) == (channel == 0 or not mirror)


def test_a_shortened_image_of_the_whole_length_is_the_image(images):
    np.testing.assert_array_equal(shorten(images, hms.EEG_WINDOW_S, True, ZOOMS), images)
    np.testing.assert_array_equal(shorten(images, hms.EEG_WINDOW_S, False, ZOOMS), images)
    np.testing.assert_array_equal(
        shorten_spectrogram(images, hms.EEG_WINDOW_S, True, ZOOMS), drop_spectrogram(images, ZOOMS)
    )


@pytest.mark.parametrize("log_gain", [-0.7, 0.3])
def test_a_changed_gain_is_that_of_the_louder_signal(log_gain):
    uv, power = noise_eeg(seed=4), noise_power(seed=4)
    uv[2000:3000] = np.nan
    louder = make_image(uv * np.exp(log_gain), power * np.exp(2 * log_gain))
    image = make_image(uv, power)
    changed = change_gain(image[None], log_gain, ZOOMS)[0]
    inside = (np.abs(louder[..., :2] - 1) < 2.9) & (np.abs(image[..., :2] - 1) < 2.9)  # not clipped, not missing
    assert inside.mean() > 0.5
    np.testing.assert_allclose(changed[..., :2][inside], louder[..., :2][inside], atol=2e-3)
    np.testing.assert_allclose(changed[..., 2], louder[..., 2], atol=2e-3)
    assert (changed[..., :2][image[..., :2] == FLOOR] == FLOOR).all()


def test_a_changed_gain_of_cached_images_is_that_of_the_images_to_a_step(images):
    cached = ZOOMS.to_uint8(images)
    received = ZOOMS.from_uint8(change_gain(cached, 0.4, ZOOMS))
    np.testing.assert_allclose(received, change_gain(ZOOMS.from_uint8(cached), 0.4, ZOOMS), atol=0.03)
    missing = np.zeros((1, 400, 300, 3), np.uint8)
    missing[..., 2] = 128
    np.testing.assert_array_equal(change_gain(missing, 0.4, ZOOMS), missing)
