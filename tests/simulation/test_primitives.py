import numpy as np
import pytest
from scipy import signal

from hbac.simulation.primitives import (
    at_random,
    bumps,
    coloured,
    cycle,
    edges,
    harmonics,
    interpolated,
    periodic,
    pulse_train,
    rhythm,
    runs,
    smooth,
    wander,
)


def rng_of(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_noise_has_the_power_density_that_was_asked_for():
    noise = coloured(lambda hz: 40 / (1 + hz**2), 4, 60_000, rng_of())
    hz, power = signal.welch(noise, 200, nperseg=2000)
    for at_hz in (2, 10, 50):
        here = np.abs(hz - at_hz) < 1
        assert power[:, here].mean() == pytest.approx((40 / (1 + hz[here] ** 2)).mean(), rel=0.12)


def test_noise_made_below_a_frequency_has_nothing_above_it():
    hz, power = signal.welch(coloured(np.ones_like, 1, 20_000, rng_of(), below_hz=10)[0], 200, nperseg=2000)
    assert power[hz > 11].max() < 1e-3 * power[(hz > 2) & (hz < 9)].mean()


def test_a_channel_with_a_lag_shows_the_same_noise_later():
    fields, lags = np.ones((2, 1), np.float32), np.array([0.0, 0.05])
    first, second = coloured(lambda hz: 1 / (1 + hz), 1, 4000, rng_of(), mixing=fields, lags_s=lags)
    assert np.allclose(first[500:3000], second[510:3010], atol=1e-3)


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_periodic_events_come_at_their_rate(jitter):
    gaps = np.diff(periodic(60_000, 1.5, jitter, rng_of()))
    assert gaps.mean() == pytest.approx(1 / 1.5, rel=0.03)
    assert gaps.std() * 1.5 == pytest.approx(jitter, abs=0.02)


def test_the_rate_of_periodic_events_may_change_over_time():
    at = periodic(20_000, np.linspace(1, 3, 20_000).astype(np.float32), 0.0, rng_of())
    assert np.diff(at)[:3].mean() > 2 * np.diff(at)[-3:].mean()


def test_events_stand_where_their_times_say_even_over_both_edges():
    wave = pulse_train(1000, np.array([-0.1, 1.0, 4.99]), bumps([(2, 0, 0.02)], 3, 0.0, rng_of()))
    assert wave.argmax() == 200 and wave[200] == pytest.approx(1) and wave[998] > 0.9 and len(wave) == 1000
    assert pulse_train(1000, np.empty(0), bumps([(1, 0, 0.1)], 0, 0.1, rng_of())).max() == 0


def test_events_at_random_are_as_many_as_their_rate_says():
    at = at_random(120_000, 30, rng_of())
    assert 250 < len(at) < 350 and (np.diff(at) >= 0).all() and at[0] >= 0 and at[-1] < 600


def test_a_rhythm_has_its_frequency_and_its_waveform():
    wave = rhythm(np.full(4000, 2.0, np.float32), harmonics((1, 0.5), (0, 0)))
    power = np.abs(np.fft.rfft(wave)) ** 2
    assert power.argmax() == 40 and power[80] == pytest.approx(power[40] / 4, rel=0.05)


def test_a_cycle_made_of_bumps_has_mean_0_and_peak_1():
    table = cycle([(-1, 0.5, 0.05), (0.3, 0.7, 0.1)])
    assert table.mean() == pytest.approx(0, abs=1e-6) and np.abs(table).max() == pytest.approx(1)
    assert abs(int(table.argmin()) - 128) <= 1


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_runs_are_on_for_their_share_of_the_time(share):
    on = np.mean([runs(60_000, share, 10.0, 0.0, rng_of(seed)).mean() for seed in range(20)])
    assert on == pytest.approx(share, abs=0.08)


def test_runs_hold_the_middle_where_that_is_certain():
    assert all(runs(20_000, 0.3, 6.0, 1.0, rng_of(seed))[10_000] > 0.9 for seed in range(20))
    assert (runs(500, 1.0, 6.0, 0.0, rng_of()) == 1).all()


def test_edges_rise_from_0_to_1_and_fall_again():
    ramp = edges(2000, 2.0, 1.0)
    assert ramp[0] == ramp[-1] == 0 and ramp[401:1799].min() == pytest.approx(1) and ramp[200] == pytest.approx(0.5)


def test_smoothing_keeps_a_constant_and_the_mean_of_a_step():
    assert np.allclose(smooth(np.full(50, 3, np.float32), 0.1), 3)
    assert smooth(np.repeat(np.float32([0, 1]), 100), 0.1)[99:101].mean() == pytest.approx(0.5)


def test_a_course_passes_its_points_and_wandering_has_about_unit_variance():
    assert interpolated(np.linspace(0, 1, 5), (0, 0.5, 1), (0, 2, 0)).tolist() == [0, 1, 2, 1, 0]
    assert wander(100_000, 1.0, rng_of()).std() == pytest.approx(np.sqrt(2 / 3), rel=0.1)
