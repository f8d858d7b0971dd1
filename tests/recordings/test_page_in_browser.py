"""The page in a real browser: what it shows at the cursor is the scan's, by clicks and keys, at phone and desktop widths."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from helpers_browser import Page, browser_page, browser_path
from helpers_pages import Scanned, noise, scanned

from hbac.hms import CLASSES
from hbac.recordings.page import write_page

LONG_S = 7200
START = datetime(2026, 12, 31, 22, 59, 55)
WIDTHS = ((390, 844, True), (1280, 900, False))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = browser_path()
    if program is None:
        pytest.skip("no Chromium is on this machine: the page's script is not tested")
    with browser_page(program, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def scan() -> Scanned:
    return scanned(LONG_S, gaps=[slice(300, 310)])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, scan: Scanned) -> Path:
    path = tmp_path_factory.mktemp("page") / "a page <b>&.html"
    write_page(path, noise(LONG_S, start=START), scan, "Folds")
    return path


@pytest.fixture
def page(browser: Page, file: Path) -> Page:
    browser.open(file)
    return browser


def shown(page: Page) -> tuple[int, list[str]]:
    """Which window the cursor is at, and the six values beside it."""
    window = int(page.evaluate("document.getElementById('strip').getAttribute('aria-valuenow')"))
    return window, [page.text(f"#value{number}") for number in range(len(CLASSES))]


def expected(scan: Scanned, window: int) -> list[str]:
    return ["–" if np.isnan(p) else f"{round(10000 * p) / 10000:.2f}" for p in scan.probabilities[window]]


def close(values: list[str], scan: Scanned, window: int) -> bool:
    """Equal but for the last digit: a half is rounded up here and to the even digit there."""
    pairs = zip(values, expected(scan, window))
    return all(a == b or abs(float(a) - float(b)) < 0.011 for a, b in pairs)


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.777, 0.999])
def test_a_click_shows_the_window_that_lies_there(page: Page, scan: Scanned, share: float) -> None:
    page.click("#strip", share)
    window, values = shown(page)
    assert abs(window - share * LONG_S / 10) <= 1.5
    assert close(values, scan, window)
    assert page.text("#time") == f"{START + timedelta(seconds=10 * window):%Y-%m-%d %H:%M:%S}"


def test_keys_move_the_cursor(page: Page, scan: Scanned) -> None:
    page.evaluate("document.getElementById('strip').focus()")
    page.press("Home")
    assert shown(page)[0] == 0
    for key, shift, window in (
        ("ArrowRight", False, 1), ("ArrowRight", True, 11), ("ArrowLeft", False, 10), ("ArrowLeft", True, 0),
        ("ArrowLeft", False, 0), ("PageDown", False, 120), ("PageUp", False, 0), ("End", False, 719), ("ArrowRight", False, 719),
    ):  # fmt: skip
        page.press(key, shift)
        assert shown(page)[0] == window
        assert close(shown(page)[1], scan, window)


def test_keys_go_from_pattern_to_pattern(page: Page, scan: Scanned) -> None:
    """Windows at which another of the five patterns begins to be the likeliest one that reaches its threshold."""
    held = [
        int(np.argmax(p[:5])) if np.isfinite(p).all() and p[:5].max() >= 0.5 else -1
        for p in np.round(scan.probabilities, 4)
    ]
    begins = [window for window in range(1, len(held)) if held[window] >= 0 and held[window] != held[window - 1]]
    page.evaluate("document.getElementById('strip').focus()")
    page.press("Home")
    visited = []
    for _ in begins[:10]:
        page.press("n")
        visited.append(shown(page)[0])
    assert visited == begins[:10]
    page.press("p")
    assert shown(page)[0] == begins[8]


def test_a_window_without_an_answer_says_why(page: Page) -> None:
    page.click("#strip", 305 / 720)
    assert shown(page)[1] == ["–"] * 6
    assert page.text("#status") == "gap"
    assert "no answer, gap" in page.evaluate("document.getElementById('strip').getAttribute('aria-valuetext')")


def test_the_nearest_eeg_is_named_and_shown_on_a_click(page: Page) -> None:
    moments = page.evaluate("JSON.parse(document.getElementById('data').textContent).moments")
    page.click("#strip", 0.4)
    nearest = min(moments, key=lambda moment: abs(moment["at_s"] - 10 * shown(page)[0] - 5))
    assert page.text("#nearest").startswith(f"Nearest EEG: {nearest['number']}, {nearest['name']}, ")
    page.click("#nearest")
    assert page.evaluate("location.hash") == f"#eeg-{nearest['number']}"
    page.click(f"#eeg-{nearest['number']} .show")
    assert shown(page)[0] == nearest["window"]
    assert page.text("#nearest").endswith("here")


def test_the_rows_around_the_cursor_are_the_answers_there(page: Page, scan: Scanned) -> None:
    page.click("#strip", 0.7)
    window, _ = shown(page)
    path = page.evaluate("document.getElementById('low1').getAttribute('d')")
    bars = re.findall(r"M(-?[\d.]+) 100v-?([\d.]+)h10V100z", path)
    start = 10 * window + 5 - 600
    drawn = {round((float(left) + start) / 10): float(height) for left, height in bars}
    assert len(drawn) >= 120
    for at, height in drawn.items():
        assert height == pytest.approx(100 * scan.probabilities[at, 1], abs=0.06)


def test_the_scale_of_an_eeg_can_be_changed(page: Page) -> None:
    before = int(page.text("#eeg-1 .uv").split()[0])
    page.click("#eeg-1 .smaller")
    after = int(page.text("#eeg-1 .uv").split()[0])
    assert after > before
    factor = "new DOMMatrix(getComputedStyle(document.querySelector('#eeg-1 [data-y]')).transform).d"
    assert page.evaluate(factor) == pytest.approx(40 / after, rel=1e-4)
    page.click("#eeg-1 .larger")
    assert page.text("#eeg-1 .uv") == f"{before} µV"


@pytest.mark.parametrize("width, height, mobile", WIDTHS)
def test_nothing_is_wider_than_the_window_or_too_small_to_hit(
    browser: Page, file: Path, width: int, height: int, mobile: bool
) -> None:
    browser.open(file, width, height, mobile)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("document.getElementById('strip').getBoundingClientRect().width") > 0.7 * width
    heights = browser.evaluate("[...document.querySelectorAll('button')].map((b) => b.getBoundingClientRect().height)")
    assert len(heights) > 10 and min(heights) >= 34


def test_the_browser_has_nothing_to_complain_of_and_asks_for_nothing(page: Page, file: Path) -> None:
    page.click("#strip", 0.3)
    assert page.complaints == []
    asked = {url for url in page.requests if not url.startswith("data:")}
    assert asked <= {file.as_uri()}


def test_a_name_that_is_a_script_does_not_run(browser: Page, tmp_path: Path) -> None:
    evil = "<script>window.evil=1</script><img src=x onerror='window.evil=1'>"
    recording = noise(60, name=evil)
    recording.notes = (evil,)
    write_page(tmp_path / "x.html", recording, scanned(60), evil, notes=[evil])
    browser.open(tmp_path / "x.html")
    browser.evaluate("document.getElementById('strip').focus()")
    browser.press("End")
    assert browser.evaluate("window.evil") is None
    assert browser.text("h1") == browser.text("li") == evil
