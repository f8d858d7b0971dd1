"""What no recording shows is named, and nothing is said of what recordings do show."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers_signals import at, noise_eeg

from hbac.preprocessing import damage as plausibility
from hbac.preprocessing.damage import implausible_eeg, implausible_power
from hbac.preprocessing.load import OK, SUSPECT, load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.tables import read_test_table, read_train_table


def eeg() -> np.ndarray:
    """(10000, 19) of two decimals, a gap in it."""
    uv = noise_eeg(sd_uv=30.0).round(2)
    uv[300:420] = np.nan
    return uv


def power() -> np.ndarray:
    """(300, 400) of two decimals, rows missing."""
    values = np.exp(np.random.default_rng(3).normal(0, 2, (300, 400))).astype(np.float32).round(2)
    values[:20] = np.nan
    return values


def changed(values: np.ndarray, *cells: tuple) -> np.ndarray:  # type: ignore[type-arg]
    for where, value in cells:
        values[where] = value
    return values


def test_nothing_is_said_of_recordings_with_gaps_outliers_or_a_missing_electrode() -> None:
    assert implausible_eeg(eeg()) == []
    assert implausible_power(power()) == []
    assert implausible_eeg(changed(eeg(), ((slice(None), 3), np.nan), ((50, 2), -10742.83))) == []
    assert implausible_power(changed(power(), ((150, 3), 13433990.0))) == []


def test_a_file_that_never_was_on_the_grid_of_two_decimals_is_left_alone() -> None:
    assert implausible_eeg(noise_eeg()) == []


EEGS: dict[str, tuple[Callable[[], np.ndarray], str]] = {
    "volts": (lambda: eeg() * np.float32(1e-6), "another unit"),
    "millivolts": (lambda: eeg() * np.float32(1e-3), "another unit"),
    "nanovolts": (lambda: eeg() * np.float32(1e3), "another unit"),
    "times a million": (lambda: eeg() * np.float32(1e6), "beyond 100000 uV"),
    "all the same": (lambda: np.full((10000, 19), 7, np.float32), "constant: Fp1, F3, "),
    "a constant electrode": (lambda: changed(eeg(), ((slice(None), at("Cz")), 5.25)), "EEG: constant: Cz"),
    "a copied electrode": (
        lambda: changed(eeg(), ((slice(None), at("Pz")), eeg()[:, at("F3")])),
        "EEG: the same values in F3 and Pz",
    ),
    "every row twice": (lambda: np.repeat(eeg()[:5000], 2, axis=0), "rows repeat the row before"),
    "one absurd value": (lambda: changed(eeg(), ((9, 9), 3e30)), "1 values beyond 100000 uV"),
    "one value off the grid": (lambda: changed(eeg(), ((9, 9), 12.3456)), "1 values with more than two decimals"),
    "a hole in one electrode": (lambda: changed(eeg(), ((slice(9, 12), 9), np.nan)), "3 rows with only some"),
}


@pytest.mark.parametrize("name", EEGS)
def test_what_no_eeg_shows_is_named(name: str) -> None:
    make, expected = EEGS[name]
    assert expected in "; ".join(implausible_eeg(make()))


POWERS: dict[str, tuple[Callable[[], np.ndarray], str]] = {
    "times a million": (lambda: power() * np.float32(1e6), "another unit"),
    "in volts": (lambda: power() * np.float32(1e-6), "another unit"),
    "a constant chain": (lambda: changed(power(), ((slice(20, None), slice(100, 200)), 1.0)), "constant: RL"),
    "rows again": (lambda: np.repeat(power()[::2], 2, axis=0), "rows repeat the row before"),
    "one value off the grid": (lambda: changed(power(), ((99, 9), 0.12345)), "1 values with more than two decimals"),
    "a hole": (lambda: changed(power(), ((99, 9), np.nan)), "1 rows with only some"),
}


@pytest.mark.parametrize("name", POWERS)
def test_what_no_spectrogram_shows_is_named(name: str) -> None:
    make, expected = POWERS[name]
    assert expected in "; ".join(implausible_power(make()))


def test_nothing_at_all_does_not_disturb() -> None:
    implausible_eeg(np.full((10000, 19), np.nan, np.float32))
    implausible_power(np.full((300, 400), np.nan, np.float32))


@pytest.mark.slow
def test_genuine_records_are_whole(sample: Path) -> None:
    for record in read_train_table(sample)[0] + read_test_table(sample):
        loaded = load_record(record, PRESETS[THREE_ZOOMS])
        assert (loaded.status, loaded.notes) == (OK, ())


def test_a_note_does_not_change_the_image(test_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = read_test_table(test_dir)[0]
    expected = load_record(record, PRESETS[THREE_ZOOMS])
    monkeypatch.setattr("hbac.preprocessing.load.implausible_eeg", lambda uv: ["EEG: a doubt"])
    received = load_record(record, PRESETS[THREE_ZOOMS])
    assert (received.status, received.notes) == (SUSPECT, ("EEG: a doubt",))
    np.testing.assert_array_equal(received.image, expected.image)


def test_every_hundredth_is_on_the_grid_and_its_neighbours_are_not() -> None:
    """In float32 below 40,000, in float64 above."""
    hundredths = np.arange(1, 8_000_001)
    values = (hundredths / 100).astype(np.float32)
    for part in (values[:3_999_999], values):
        assert plausibility._off_grid("x", part[:, None]) == []
    for toward in (0.0, np.inf):  # below 10,000 no neighbour is a hundredth too
        off = np.nextafter(values[:1_000_000:50], np.float32(toward))
        for other in (1.0, 50_000.0):
            mixed = np.concatenate([np.full(19 * len(off), other, np.float32), off])
            assert plausibility._off_grid("x", mixed) == [f"x: {len(off)} values with more than two decimals"]
