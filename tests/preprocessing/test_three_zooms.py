"""The network's input: each channel against an independent computation or a signal whose picture is known."""

import hashlib
import json
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from helpers_signals import SAMPLE, at, needs_sample, noise_eeg, noise_power, real_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import signal
from scipy.signal.windows import dpss

from hbac import hms
from hbac.errors import InputError
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.three_zooms import ImageSettings, floor, pair_frequencies_hz
from hbac.records.parquet import read_eeg
from hbac.records.record import crop_eeg

ZOOMS, STARTER = PRESETS["three-zooms-v1"], PRESETS["starter-v1"]
FLOOR = -2.0  # (-4 nats - 0) / 2
SECONDS = np.arange(10_000) / 200


def rows_of(pair: str) -> slice:
    """The 25 rows of a pair, as "Fp1-F7"; its chain is the first in which it occurs."""
    index = ["-".join(p) for p in hms.PAIRS].index(pair)
    return slice(25 * index, 25 * index + 25)


def frequencies() -> np.ndarray:
    """From 0.5 Hz in steps that start at 0.4 Hz and grow by 5.75 %."""
    hz, step = [0.5], 0.4
    while len(hz) < 25:
        hz.append(hz[-1] + step)
        step *= 1.0575
    return np.array(hz)


def filtered_pairs(uv: np.ndarray) -> np.ndarray:
    """(16, 10000) float64: clipped electrodes, their differences, zero-phase high-pass at 0.3 Hz."""
    uv = np.clip(uv.astype(np.float64), -1024, 1024)
    pairs = np.stack([uv[:, at(a)] - uv[:, at(b)] for a, b in hms.PAIRS])
    return signal.sosfiltfilt(signal.butter(2, 0.3, "highpass", fs=200, output="sos"), pairs, axis=1)


def one_electrode(name: str, wave: np.ndarray) -> np.ndarray:
    uv = np.zeros((10_000, 19), np.float32)
    uv[:, at(name)] = wave
    return uv


# ---- all channels


EEGS = {
    "whole": lambda uv: uv,
    "one sample": lambda uv: hide(uv, np.s_[5000, 3]),
    "one electrode": lambda uv: hide(uv, np.s_[:, 4]),
    "two rows in three": lambda uv: hide(hide(uv, np.s_[::3]), np.s_[1::3]),
    "the start": lambda uv: hide(uv, np.s_[:3000]),
    "the end": lambda uv: hide(uv, np.s_[7000:]),
    "the middle": lambda uv: hide(uv, np.s_[4000:6000]),
    "all but one sample": lambda uv: hide(hide(uv, np.s_[:1234]), np.s_[1235:]),
    "everything": lambda uv: hide(uv, np.s_[:]),
    "flat": lambda uv: np.zeros_like(uv),
    "beyond all bounds": lambda uv: uv * 1e30,
}
POWERS = {
    "whole": lambda power: power,
    "rows": lambda power: hide(power, np.s_[10:40]),
    "columns": lambda power: hide(power, np.s_[:, 100:200]),
    "everything": lambda power: hide(power, np.s_[:]),
    "zero": lambda power: np.zeros_like(power),
    "huge": lambda power: np.full_like(power, 3e38),
}


def hide(values: np.ndarray, where) -> np.ndarray:
    out = values.copy()
    out[where] = np.nan
    return out


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("eeg", [None, *EEGS])
@pytest.mark.parametrize("power", [None, "whole"])
def test_whatever_is_missing_of_the_eeg_the_image_is_finite(preset, eeg, power):
    check_image(preset, eeg, power)


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("power", [None, *POWERS])
def test_whatever_is_missing_of_the_spectrogram_the_image_is_finite(preset, power):
    check_image(preset, None, power)


def check_image(preset, eeg, power):
    uv = None if eeg is None else EEGS[eeg](noise_eeg())
    cells = None if power is None else POWERS[power](noise_power())
    before = [None if x is None else x.copy() for x in (uv, cells)]
    image = make_image(uv, cells, PRESETS[preset])
    assert image.shape == PRESETS[preset].shape
    assert image.dtype == np.float32
    assert image.flags.c_contiguous
    assert np.isfinite(image).all()
    for given_array, copy in zip((uv, cells), before):
        np.testing.assert_array_equal(given_array, copy)  # the input is not touched
    if preset == "three-zooms-v1":
        assert image[..., :2].min() >= -2 - 1e-6
        assert image[..., :2].max() <= 4 + 1e-6


def test_a_missing_file_is_a_constant_plane():
    image = make_image(None, None)
    assert (image[..., :2] == FLOOR).all()
    assert (image[..., 2] == 0).all()
    assert floor(ZOOMS) == FLOOR


@pytest.mark.parametrize(
    ("eeg_shape", "power_shape", "message"),
    [
        ((9999, 19), (300, 400), r"eeg_uv: expected shape \(10000, 19\), received \(9999, 19\)"),
        ((10_000, 20), (300, 400), r"eeg_uv: expected shape \(10000, 19\), received \(10000, 20\)"),
        ((10_000, 19), (400, 300), r"power: expected shape \(300, 400\), received \(400, 300\)"),
    ],
)
@pytest.mark.parametrize("preset", list(PRESETS))
def test_an_array_of_another_shape_is_refused(eeg_shape, power_shape, message, preset):
    with pytest.raises(ValueError, match=message):
        make_image(np.zeros(eeg_shape, np.float32), np.zeros(power_shape, np.float32), PRESETS[preset])


def test_an_unknown_preset_is_refused():
    with pytest.raises(InputError, match=r"expected one of \['raw-v1', .*'three-zooms-v2', .*\], received 'x'"):
        make_image(None, None, ImageSettings(preset="x"))


# ---- channel 0: ten minutes, the chain


def test_channel_0_holds_the_clipped_logarithm_of_each_cell_at_its_place():
    power = noise_power()
    logs = np.clip(np.log(power.astype(np.float64)), -4, 8) / 2
    np.testing.assert_allclose(make_image(None, power)[..., 0], logs.T, atol=1e-6)
    assert (logs == -2).any()  # both limits were tried
    assert (logs == 4).any()


def test_channel_0_of_a_missing_cell_is_the_floor():
    image = make_image(None, hide(np.ones((300, 400), np.float32), np.s_[17, 230]))
    assert image[230, 17, 0] == FLOOR
    assert (np.delete(image[..., 0].ravel(), 230 * 300 + 17) == 0).all()  # log 1


# ---- channel 1: 50 s, the pair


def test_frequencies_of_channel_1_are_spaced_by_a_growing_step():
    hz = pair_frequencies_hz(ZOOMS)
    np.testing.assert_allclose(hz, frequencies(), rtol=1e-12)
    assert ((hz >= 1) & (hz <= 4)).sum() == 6
    assert hz[-1] == pytest.approx(20.16, abs=0.01)
    assert hz[-1] - hz[-2] < 2 / 1.35  # the width of a line, twice time-bandwidth over length


def nats_above_scipys_periodogram(uv: np.ndarray) -> np.ndarray:
    """Cells of channel 1 less the log power that SciPy's periodogram gives for the same frames, if neither is cut."""
    image, pairs, differences = make_image(uv, None)[..., 1], filtered_pairs(uv), []
    for column in (0, 2, 4, 77, 150, 297, 299):
        middle = (column + 0.5) * 50 / 300
        first = min(max(round(middle * 200 - 135), 0), 10_000 - 270)
        frame = pairs[:, first : first + 270]
        grid, density = signal.periodogram(frame, 200, dpss(270, 1), nfft=200_000, detrend="constant")
        nearest = [np.abs(grid - hz).argmin() for hz in frequencies()]  # the grid is every millihertz
        expected = np.log(density[:, nearest] / 2).ravel()  # one-sided, so twice the power
        nats = 2 * image[:, column].astype(np.float64)
        whole = (nats > -3.99) & (nats < 7.99) & (expected > -3.99) & (expected < 7.99)
        differences.append((nats - expected)[whole])
    return np.concatenate(differences)


def test_channel_1_has_the_shape_of_scipys_periodogram_of_each_frame():
    uv = noise_eeg(seed=3, sd_uv=8) + one_electrode("C3", 10 * np.sin(2 * np.pi * 1.7 * SECONDS))
    above = nats_above_scipys_periodogram(uv)
    assert above.size > 0.9 * 7 * 400
    assert np.abs(above - np.median(above)).max() < 0.04  # the reference's frequency is up to half a millihertz off


def test_channel_1_has_the_scale_of_scipys_periodogram():
    assert np.median(nats_above_scipys_periodogram(noise_eeg(seed=3, sd_uv=8))) == pytest.approx(0, abs=0.01)


def test_channel_1_of_white_noise_is_its_power_density():
    """Pairs of electrodes of variance s^2 have variance 2 s^2 over 200 Hz, and the mean of the power is unbiased."""
    image = make_image(noise_eeg(seed=5, sd_uv=50), None)[..., 1].reshape(16, 25, 300)
    power = np.exp(2 * image.astype(np.float64))[:, frequencies() > 3]
    assert power.mean() == pytest.approx(2 * 50**2 / 200, rel=0.03)


def test_a_sine_of_2_hz_has_its_power_density_in_channel_1():
    """A sine of amplitude A on a line of the taper: A^2/4 times the square of the taper's sum over the rate."""
    taper = dpss(270, 1, norm=2)
    hz = frequencies()[np.abs(frequencies() - 2).argmin()]
    image = make_image(one_electrode("F7", 60 * np.sin(2 * np.pi * hz * SECONDS)), None)[..., 1]
    assert 2 * image[rows_of("Fp1-F7")].max() == pytest.approx(np.log(60**2 / 4 * taper.sum() ** 2 / 200), abs=0.1)


def test_a_sine_of_2_hz_lights_up_its_pairs_and_its_frequency_in_channel_1():
    image = make_image(one_electrode("F7", 6 * np.sin(2 * np.pi * 2 * SECONDS)), None)[..., 1]
    dark = image.copy()
    for pair in ("Fp1-F7", "F7-T3"):
        rows = image[rows_of(pair)].mean(axis=1)
        assert frequencies()[rows.argmax()] == pytest.approx(2, abs=0.25), pair
        assert rows.max() - rows[frequencies() > 4].max() > 2  # 4 nats
        dark[rows_of(pair)] = FLOOR
    assert (dark == FLOOR).all()


@pytest.mark.parametrize("second", [2.0, 10.0, 25.0, 40.0, 48.0])
def test_a_burst_lies_in_the_column_of_its_second_in_channel_1(second):
    burst = 40 * np.cos(2 * np.pi * 10 * (SECONDS - second)) * np.exp(-(((SECONDS - second) / 0.15) ** 2))
    image = make_image(one_electrode("P4", burst), None)[..., 1]
    power = np.exp(2 * image[rows_of("C4-P4")].astype(np.float64)) - np.exp(-4)  # above the floor
    power = power[15:18].sum(axis=0)  # 9.6 to 11.5 Hz
    centre = ((np.arange(300) + 0.5) * power).sum() / power.sum()
    assert centre == pytest.approx(6 * second, abs=0.5)


@needs_sample
@real_pairs
def test_real_records_seldom_reach_the_ceiling_of_channel_1(split, eeg_id, spectrogram_id):
    eeg = read_eeg(SAMPLE / hms.eeg_folder(split) / f"{eeg_id}.parquet")
    image = make_image(crop_eeg(eeg, None).uv, None)[..., 1]
    assert (image >= 4).mean() < 0.01


def test_a_frame_with_more_than_a_quarter_of_its_samples_missing_is_blank_in_channel_1():
    uv = noise_eeg()
    short, long = hide(uv, np.s_[5000:5067, at("F3")]), hide(uv, np.s_[5000:5068, at("F3")])  # 67.5 are a quarter
    assert (make_image(short, None)[rows_of("Fp1-F3")][..., 1] != FLOOR).any(axis=0).all()
    blank = (make_image(long, None)[..., 1] == FLOOR).reshape(16, 25, 300).all(axis=1)
    firsts = np.clip(np.round((np.arange(300) + 0.5) * 10_000 / 300 - 135), 0, 9730)
    whole_gap = (firsts <= 5000) & (firsts + 270 >= 5068)
    assert whole_gap.sum() == 6
    names = ["-".join(pair) for pair in hms.PAIRS]
    for name, row in zip(names, blank):
        np.testing.assert_array_equal(row, whole_gap & ("F3" in name.split("-")))


# ---- channel 2: 10 s, the wave


def test_a_sine_of_2_hz_is_drawn_with_its_sign_and_size_in_channel_2():
    """F7 is second in Fp1-F7 and first in F7-T3; of 2 Hz, the high-pass leaves 0.9995 and the low-pass 0.998."""
    image = make_image(one_electrode("F7", 60 * np.sin(2 * np.pi * 2 * SECONDS)), None)[..., 2]
    wave = np.arcsinh(60 * np.sin(2 * np.pi * 2 * (20 + np.arange(300) / 30)) / 20)
    np.testing.assert_allclose(image[rows_of("F7-T3")], np.tile(wave, (25, 1)), atol=0.01)
    np.testing.assert_allclose(image[rows_of("Fp1-F7")], np.tile(-wave, (25, 1)), atol=0.01)
    others = np.delete(image, np.r_[rows_of("Fp1-F7"), rows_of("F7-T3")], axis=0)
    assert np.abs(others).max() < 1e-6


def test_channel_2_is_the_low_passed_wave_by_the_textbook():
    """Zeros between the samples, a windowed sinc of 0.5 s, and every twentieth of what comes out."""
    uv = noise_eeg(seed=8)
    sinc = signal.firwin(301, 14, fs=600) * 3
    image = make_image(uv, None)[..., 2]
    for index, pair in enumerate(filtered_pairs(uv)):
        stuffed = np.zeros(30_000)
        stuffed[::3] = pair
        wave = np.convolve(stuffed, sinc, mode="same")[12_000:18_000:20]  # from 20 s on, at 30 Hz
        expected = np.tile(np.arcsinh(wave / 20), (25, 1))
        np.testing.assert_allclose(image[25 * index : 25 * index + 25], expected, atol=1e-4)


@pytest.mark.parametrize("second", [20.5, 22.0, 25.0, 29.5])
def test_a_spike_lies_in_the_column_of_its_second_in_channel_2_and_points_down(second):
    spike = -300 * np.exp(-(((SECONDS - second) / 0.04) ** 2))
    row = make_image(one_electrode("Fp2", spike), None)[rows_of("Fp2-F4")][10, :, 2]
    assert row.argmin() == pytest.approx(30 * (second - 20), abs=0.5)
    assert row.min() < -2
    assert row.max() < 1


def test_missing_samples_are_zero_in_channel_2_and_only_there():
    uv = noise_eeg()
    image = make_image(hide(uv, np.s_[5000:5200, at("F3")]), None)[..., 2]  # 25 to 26 s
    zero = (image == 0).reshape(16, 25, 300).all(axis=1)
    names = ["-".join(pair) for pair in hms.PAIRS]
    for name, row in zip(names, zero):
        assert np.flatnonzero(row).tolist() == (list(range(150, 180)) if "F3" in name.split("-") else [])


def test_fast_activity_does_not_fold_back_into_channel_2():
    """28 Hz sampled at 30 Hz would show as 2 Hz."""
    image = make_image(one_electrode("C4", 100 * np.sin(2 * np.pi * 28 * SECONDS)), None)[..., 2]
    assert np.abs(image).max() < 0.01


# ---- both


def test_a_missing_electrode_blanks_its_pairs_and_leaves_the_others_as_they_are():
    uv, image = noise_eeg(), make_image(noise_eeg(), None)
    without = make_image(hide(uv, np.s_[:, at("T4")]), None)
    lost = np.zeros(400, bool)
    for pair in ("F8-T4", "T4-T6"):
        lost[rows_of(pair)] = True
    assert (without[lost, :, 1] == FLOOR).all()
    assert (without[lost, :, 2] == 0).all()
    np.testing.assert_allclose(without[~lost], image[~lost], atol=1e-4)


def test_an_offset_and_slow_drift_hardly_show():
    """0.02 Hz and an offset, each ten times the signal: the picture changes by less than 0.15 where there is signal."""
    uv = one_electrode("O1", 30 * np.sin(2 * np.pi * 6 * SECONDS))
    drifting = uv + one_electrode("O1", 300 * np.sin(2 * np.pi * 0.02 * SECONDS) + 300)
    images = [make_image(x, None)[rows_of("T5-O1")] for x in (uv, drifting)]
    np.testing.assert_allclose(images[1][11, 30:270, 1], images[0][11, 30:270, 1], atol=0.15)  # row of 6.4 Hz
    np.testing.assert_allclose(images[1][..., 2], images[0][..., 2], atol=0.15)


def test_what_all_electrodes_share_does_not_show():
    uv = noise_eeg()
    shared = uv + (200 * np.sin(2 * np.pi * 60 * SECONDS))[:, None].astype(np.float32)
    np.testing.assert_allclose(make_image(shared, None), make_image(uv, None), atol=0.02)


@pytest.mark.parametrize("sign", [1, -1])
def test_electrodes_are_clipped_at_1024_microvolts(sign):
    pulse = sign * 5000 * ((SECONDS > 25) & (SECONDS < 25.3))
    np.testing.assert_array_equal(
        make_image(one_electrode("P3", pulse), None),
        make_image(one_electrode("P3", np.clip(pulse, -1024, 1024)), None),
    )


# ---- starter-v1


@pytest.mark.parametrize("hidden", [np.s_[0:0], np.s_[20:30], np.s_[:, 350:]])
def test_the_starter_preset_is_the_notebooks_recipe(hidden):
    power = hide(noise_power(), hidden)
    spec = np.where(np.isnan(power), 0, power).T.astype("float32")
    spec = np.log(np.clip(spec, np.exp(-4.0), np.exp(8.0)))
    spec = (spec - spec.mean()) / (spec.std() + 1e-6)
    np.testing.assert_allclose(make_image(None, power, STARTER), np.stack([spec] * 3, axis=-1), atol=1e-5)


def test_the_starter_preset_does_not_look_at_the_eeg():
    np.testing.assert_array_equal(
        make_image(noise_eeg(), noise_power(), STARTER), make_image(None, noise_power(), STARTER)
    )


def test_the_starter_preset_without_a_spectrogram_is_zero():
    assert (make_image(noise_eeg(), None, STARTER) == 0).all()


# ---- settings


def test_the_digest_changes_with_every_field():
    changed = [
        replace(ZOOMS, **{field.name: "x" if field.type in (str, "str") else getattr(ZOOMS, field.name) + 1e-6})
        for field in fields(ImageSettings)
    ]
    digests = {settings.digest() for settings in [ZOOMS, *changed]}
    assert len(digests) == len(fields(ImageSettings)) + 1


def test_the_settings_that_checkpoints_are_pinned_to_stay_as_they_are():
    """New settings need a new preset: a checkpoint made with these must never be fed others."""
    frozen = {
        "blank_above": 0.25,
        "clip_uv": 1024.0,
        "high_pass_hz": 0.3,
        "log_ceiling": 8.0,
        "log_center": 0.0,
        "log_floor": -4.0,
        "log_scale": 2.0,
        "pair_first_hz": 0.5,
        "pair_first_step_hz": 0.4,
        "pair_frame_s": 1.35,
        "pair_step_growth": 1.0575,
        "pair_time_bandwidth": 1.0,
        "preset": "three-zooms-v1",
        "wave_low_pass_hz": 14.0,
        "wave_s": 10.0,
        "wave_scale_uv": 20.0,
    }
    assert asdict(ZOOMS) == frozen
    assert asdict(STARTER) == {**frozen, "preset": "starter-v1"}
    assert ZOOMS.digest() == hashlib.sha256(json.dumps(frozen, sort_keys=True).encode()).hexdigest()


# ---- the cached form


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float32, (4, 5), elements=st.floats(-2, 4, width=32)),
    hnp.arrays(np.float32, (4, 5), elements=st.floats(-6, 6, width=32)),
)
def test_the_cached_form_is_half_a_step_off_at_most(nats, wave):
    """A step is 12/255 nat, which is 6/255 of channels 0 and 1, and 6/127 of the waveform."""
    image = np.stack([nats, nats[::-1], wave], axis=-1)
    cached = ZOOMS.to_uint8(image)
    back = ZOOMS.from_uint8(cached)
    assert cached.dtype == np.uint8
    assert back.dtype == np.float32
    assert np.abs(back - image)[..., :2].max() <= 3 / 255 + 1e-5  # 0.0235 nat
    assert np.abs(back - image)[..., 2].max() <= 3 / 127 + 1e-5


def test_the_cached_form_is_exact_for_what_is_missing():
    missing = make_image(None, None)
    np.testing.assert_array_equal(ZOOMS.from_uint8(ZOOMS.to_uint8(missing)), missing)


def test_the_cached_form_of_a_record_is_close_to_its_image():
    image = make_image(hide(noise_eeg(), np.s_[2000:2600]), hide(noise_power(), np.s_[:20]))
    back = ZOOMS.from_uint8(ZOOMS.to_uint8(image))
    assert np.abs(back - image)[..., :2].max() <= 3 / 255 + 1e-5
    assert np.abs(back - image)[..., 2].max() <= 3 / 127 + 1e-5
    missing = np.abs(image - FLOOR)[..., :2] < 1e-6
    assert missing.sum() > 10_000
    assert (back[..., :2][missing] == FLOOR).all()


def test_values_beyond_the_cached_range_are_cut_not_wrapped():
    image = np.array([[-9, 9, 9], [9, -9, -9]], np.float32)
    np.testing.assert_allclose(ZOOMS.from_uint8(ZOOMS.to_uint8(image)), [[-2, 4, 6], [4, -2, -6]], atol=1e-5)
