"""The host's spectrogram: against the host's files, against SciPy's own, and against signals of known power."""

import numpy as np
import pandas as pd
import pytest
from helpers_signals import SAMPLE, at, needs_sample, noise_eeg, real_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import signal
from scipy.signal.windows import dpss

from hbac import hms
from hbac.errors import RecordError
from hbac.preprocessing.damage import EDGE_ROWS, inner_rows
from hbac.preprocessing.montage import bipolar, bridge_gaps
from hbac.preprocessing.multitaper import host_spectrogram, rebuild_window
from hbac.records.parquet import read_eeg, read_spectrogram

HZ = np.array(hms.SPECTROGRAM_FREQUENCIES_HZ)
FIRST_ROW = 138  # of the spectrogram window: the first frame that lies wholly inside the EEG window


def agreeing(ours: np.ndarray, host: np.ndarray) -> float:
    """Share of cells that agree as the project promises; a cell that either side lacks must be lacking in both."""
    close = np.abs(ours - host) <= np.maximum(0.0051, 0.002 * np.abs(host))
    return float((close | (np.isnan(ours) & np.isnan(host))).mean())


def pair_powers(eeg_uv: np.ndarray) -> np.ndarray:
    """(16, rows, 100) by other means: pairs first, second-order sections, and SciPy's spectrogram taper by taper."""
    x = np.stack([eeg_uv[:, at(a)].astype(float) - eeg_uv[:, at(b)] for a, b in hms.PAIRS])
    for band, kind in (((57.5, 62.5), "bandstop"), ((0.5, 40.0), "bandpass")):
        sections = signal.butter(3, band, kind, fs=200, output="sos")
        x = signal.sosfiltfilt(sections, x, axis=1, padlen=21)  # 21: what filtfilt takes for an order of 6
    tapered = [
        signal.spectrogram(x, fs=200, window=taper, nperseg=800, noverlap=400, nfft=1024, detrend="linear")[2]
        for taper in dpss(800, 2, 3)
    ]  # (16, 513, rows) each, one-sided: twice the power
    return (np.mean(tapered, axis=0) / 2)[:, 3:103].transpose(0, 2, 1)


def chain_means(powers: np.ndarray) -> np.ndarray:
    rows = powers.shape[1]
    return powers.reshape(4, 4, rows, 100).mean(axis=1).transpose(1, 0, 2).reshape(rows, 400)


@needs_sample
@real_pairs
def test_the_hosts_files_are_rebuilt_from_the_raw_eeg(split, eeg_id, spectrogram_id):
    uv = read_eeg(SAMPLE / hms.eeg_folder(split) / f"{eeg_id}.parquet").uv
    file = read_spectrogram(SAMPLE / hms.spectrogram_folder(split) / f"{spectrogram_id}.parquet")
    ours = host_spectrogram(uv)
    host = file.power[FIRST_ROW : FIRST_ROW + len(ours)]
    assert np.isfinite(host).mean() > 0.9
    assert agreeing(ours[3:-3], host[3:-3]) >= 0.995
    assert agreeing(ours[3:-3], file.power[FIRST_ROW + 1 : FIRST_ROW + 1 + len(ours)][3:-3]) < 0.5  # one row later


def test_the_spectrogram_is_the_mean_of_scipys_over_tapers_and_pairs():
    uv = noise_eeg(3000)
    np.testing.assert_allclose(host_spectrogram(uv), chain_means(pair_powers(uv)), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("hz", [2.0, 6.3, 10.0, 17.1])
def test_a_sine_of_known_power_gives_that_power_at_its_frequency(hz):
    """By Parseval the cells of a 40 uV sine sum to 40^2/4 uV^2 a pair (the other half is at -f), one pair of four."""
    uv = np.zeros((4000, 19), np.float32)
    uv[:, at("Fp1")] = 40 * np.sin(2 * np.pi * hz * np.arange(4000) / 200)
    rows = host_spectrogram(uv)[3:-3].reshape(-1, 4, 100)
    total = rows.sum(axis=2) * 200 / 1024
    np.testing.assert_allclose(total[:, [0, 2]], 40**2 / 4 / 4, rtol=0.03)  # LL and LP hold Fp1
    assert total[:, [1, 3]].max() < 1e-6
    centre = (rows[:, 0] * HZ).sum(axis=1) / rows[:, 0].sum(axis=1)
    np.testing.assert_allclose(centre, hz, atol=0.1)


def test_what_all_electrodes_share_and_a_steady_offset_leave_no_trace():
    uv = noise_eeg(2000).astype(np.float64)
    shared = 500 * np.sin(np.arange(2000) / 7)[:, None]
    offsets = np.arange(19) * 100.0
    np.testing.assert_allclose(host_spectrogram(uv + shared + offsets), host_spectrogram(uv), rtol=1e-3, atol=1e-4)


def test_mains_of_50_hz_change_only_the_edges_of_what_is_seen_below_20_hz():
    uv = noise_eeg(6000)
    american, european = host_spectrogram(uv), host_spectrogram(uv, mains_hz=50.0)
    np.testing.assert_allclose(european[3:-3], american[3:-3], rtol=0.005)
    assert np.abs(np.log(european[0] / american[0])).max() > 0.05  # the two filters ring differently there


def test_rows_count_from_the_first_whole_frame_in_steps_of_two_seconds():
    for samples, rows in ((800, 1), (1199, 1), (1200, 2), (10_000, 24)):
        assert host_spectrogram(noise_eeg(samples)).shape == (rows, 400)


def test_columns_after_the_nineteen_electrodes_do_not_count():
    uv = noise_eeg(1200)
    with_ekg = np.concatenate([uv, np.full((1200, 1), 900, np.float32)], axis=1)
    np.testing.assert_array_equal(host_spectrogram(with_ekg), host_spectrogram(uv))


@pytest.mark.parametrize("shape", [(799, 19), (0, 19), (2000, 18), (2000,), (1, 2000, 19)])
@pytest.mark.parametrize("rebuild", [host_spectrogram, lambda uv: rebuild_window(uv, 0)])
def test_too_short_or_too_narrow_an_eeg_is_an_error_that_names_what_came(shape, rebuild):
    with pytest.raises(RecordError, match=r"expected .*received") as error:
        rebuild(np.zeros(shape, np.float32))
    assert str(shape) in str(error.value) or str(shape[0]) in str(error.value)


def test_a_gap_takes_only_its_own_pair_out_of_the_frames_that_touch_it():
    uv = noise_eeg(6000)
    whole = host_spectrogram(uv)
    uv[2000:2100, at("Fp1")] = np.nan  # 10 to 10.5 s: frames 4 (8 to 12 s) and 5 (10 to 14 s)
    rebuilt = host_spectrogram(uv)
    bridged = uv.copy()
    bridged[2000:2100, at("Fp1")] = np.linspace(uv[1999, at("Fp1")], uv[2100, at("Fp1")], 102)[1:-1]
    powers = pair_powers(bridged)
    powers[[0, 8], 4:6] = np.nan  # Fp1-F7 of LL and Fp1-F3 of LP
    expected = np.nanmean(powers.reshape(4, 4, -1, 100), axis=1).transpose(1, 0, 2).reshape(-1, 400)
    np.testing.assert_allclose(rebuilt, expected, rtol=1e-4, atol=1e-6)
    right = np.r_[100:200, 300:400]
    np.testing.assert_array_equal(rebuilt[:, right], whole[:, right])
    assert np.isfinite(rebuilt).all()


def test_a_chain_is_missing_only_where_all_of_its_pairs_are():
    uv = noise_eeg(6000)
    uv[2000:2100, [at("F7"), at("T5")]] = np.nan  # touches all four pairs of LL and of no other chain
    missing = np.isnan(host_spectrogram(uv)).reshape(-1, 4, 100)
    assert missing[4:6, 0].all()
    assert missing.sum() == 2 * 100


def test_a_recording_of_nothing_gives_a_spectrogram_of_nothing():
    assert np.isnan(host_spectrogram(np.full((2000, 19), np.nan, np.float32))).all()


def test_infinite_samples_are_gaps():
    uv = noise_eeg(4000)
    infinite = uv.copy()
    infinite[1000:1010, 3], uv[1000:1010, 3] = np.inf, np.nan
    np.testing.assert_array_equal(host_spectrogram(infinite), host_spectrogram(uv))


def inner_rows_are_the_hosts(eeg):
    expected = host_spectrogram(eeg)[EDGE_ROWS:-EDGE_ROWS]
    np.testing.assert_allclose(inner_rows(eeg), expected, rtol=0.005, atol=1e-4)


@pytest.mark.parametrize("slope_uv", [0.0, 2.0, -0.5])
def test_inner_rows_are_the_hosts_beside_slow_waves_drift_and_mains(slope_uv):
    """Slow waves a thousand times as strong as what the fastest bins hold leak into them the way the host's do."""
    seconds = np.arange(hms.EEG_WINDOW) / hms.EEG_RATE_HZ
    eeg = noise_eeg(sd_uv=3.0)
    swing = 200 * np.sin(2 * np.pi * 1.3 * seconds) + 50 * np.sin(2 * np.pi * 60 * seconds)
    eeg += ((1 + np.arange(19) / 19) * (swing + slope_uv * 200 * seconds + 4000)[:, None]).astype(np.float32)
    inner_rows_are_the_hosts(eeg)


@real_pairs
def test_inner_rows_of_genuine_recordings_are_the_hosts(split, eeg_id, spectrogram_id):
    uv = read_eeg(SAMPLE / hms.eeg_folder(split) / f"{eeg_id}.parquet").uv
    middle = (len(uv) - hms.EEG_WINDOW) // 2
    if np.isfinite(window := uv[middle : middle + hms.EEG_WINDOW]).all():
        inner_rows_are_the_hosts(window)


def test_fifty_seconds_cover_rows_138_to_161():
    uv = noise_eeg()
    window = rebuild_window(uv, 0)
    assert window.shape == (300, 400)
    assert window.dtype == np.float32
    assert np.flatnonzero(np.isfinite(window).all(axis=1)).tolist() == list(range(138, 162))
    assert np.isnan(np.delete(window, np.s_[138:162], axis=0)).all()
    np.testing.assert_array_equal(window[138:162], host_spectrogram(uv))


@pytest.mark.parametrize(
    ("samples", "start"),
    [
        (16_000, 2000),  # a recording longer than the window
        (16_000, 600),  # frames start at an odd second of the recording
        (16_000, 1234),  # and at no second
        (6000, -2000),  # a short file in the middle of its window
        (5999, -2001),
        (10_000, 60_000),  # the window begins after the end, the ten minutes do not
        (10_000, -60_000),
    ],
)
def test_rows_lie_where_their_seconds_are(samples, start):
    """Row r is centred on second 2r + 1 of the ten minutes, in which the EEG window starts at second 275."""
    first_samples = start + (2 * np.arange(300) + 1 - 275 - 2) * 200  # of each frame, in the recording
    covered = (first_samples >= 0) & (first_samples + 800 <= samples)
    window = rebuild_window(noise_eeg(samples), start)
    assert covered.any()
    np.testing.assert_array_equal(np.isfinite(window).all(axis=1), covered)
    np.testing.assert_array_equal(np.isfinite(window).any(axis=1), covered)


@pytest.mark.parametrize("start", [200_000, -200_000])
def test_a_recording_outside_the_ten_minutes_covers_nothing(start):
    assert np.isnan(rebuild_window(noise_eeg(4000), start)).all()


def test_a_burst_in_the_middle_of_the_eeg_lies_in_the_middle_of_the_ten_minutes():
    """Second 25 of the EEG window is second 300: in the frames of rows 149 (297 to 301 s) and 150 (299 to 303 s)."""
    seconds = np.arange(16_000) / 200
    uv = np.zeros((16_000, 19), np.float32)
    uv[:, at("O2")] = 100 * np.sin(2 * np.pi * 10 * seconds) * np.exp(-(((seconds - 40) / 0.2) ** 2))
    power = np.nansum(rebuild_window(uv, start=15 * 200), axis=1)  # 40 s = 15 s + 25 s
    assert set(np.argsort(power)[-2:]) == {149, 150}
    assert power[[149, 150]].sum() > 0.99 * power.sum()


def test_ten_minutes_of_eeg_cover_all_rows():
    window = rebuild_window(np.tile(noise_eeg(12_200), (10, 1)), start=276 * 200)
    assert np.isfinite(window).all()


def test_bipolar_subtracts_the_second_electrode_from_the_first():
    uv = np.arange(19, dtype=np.float32)[None] ** 2 * np.array([[1], [3]], np.float32)  # (2, 19)
    pairs = bipolar(uv)
    expected = [[uv[i, at(a)] - uv[i, at(b)] for i in range(2)] for a, b in hms.PAIRS]
    np.testing.assert_array_equal(pairs, expected)
    assert pairs.dtype == np.float32
    assert pairs.flags.c_contiguous


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 40), st.integers(1, 3)),
        elements=st.one_of(st.floats(-1e3, 1e3), st.sampled_from([np.nan, np.inf, -np.inf])),
    )
)
def test_gaps_are_bridged_as_pandas_interpolates(values):
    before = values.copy()
    filled, missing = bridge_gaps(values)
    np.testing.assert_array_equal(missing, ~np.isfinite(before))
    finite = pd.DataFrame(np.where(np.isfinite(before), before, np.nan))
    expected = finite.interpolate("linear", limit_direction="both").fillna(0.0).to_numpy()
    np.testing.assert_allclose(filled, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(values, before)


def test_a_straight_line_is_bridged_exactly_and_its_type_stays():
    line = np.linspace(0, 99, 100, dtype=np.float32)[:, None] * [[1, -2]]
    values = line.astype(np.float32)
    values[40:60, 0] = values[10, 1] = np.nan
    filled, _ = bridge_gaps(values)
    np.testing.assert_allclose(filled, line, atol=1e-4)
    assert filled.dtype == np.float32
