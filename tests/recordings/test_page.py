"""The page of a recording: its numbers are those of the scan, it holds all it shows, and odd recordings make a page too."""

import base64
import hashlib
import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers_pages import Elements, Scanned, data_of, noise, scanned

from hbac.errors import InputError, OutputError
from hbac.hms import CLASSES, CONSENSUS_NAMES
from hbac.recordings.assets import safe_page
from hbac.recordings.burden import burden_csv, burden_table
from hbac.recordings.chain_power import ChainPower
from hbac.recordings.page import page_files, page_of, write_page
from hbac.recordings.recording import ArrayRecording, Recording
from hbac.recordings.shown import PageSettings

START = datetime(2026, 3, 1, 22, 41, 12)
LONG_S = 4500


def text_of(recording: Recording, scan: Scanned, title: str = "Folds", **more: Any) -> str:
    return page_of(recording, scan, title, **more).decode()


@pytest.fixture(scope="module")
def long() -> tuple[Scanned, str]:
    """An hour and a half with a gap."""
    scan = scanned(LONG_S, gaps=[slice(100, 130)])
    return scan, text_of(noise(LONG_S, start=START), scan)


def test_the_tables_hold_the_numbers_of_the_csv(long: tuple[Scanned, str]) -> None:
    scan, page = long
    table = pd.read_csv(io.BytesIO(burden_csv(burden_table(scan))), keep_default_na=False)
    whole = table[table["period"] == "all"].set_index("pattern")
    rows = re.findall(r"<tr>(.*?)</tr>", page[page.index('id="totals"') : page.index("The whole recording")])[1:]
    assert len(rows) == len(CLASSES)
    for row, pattern, name in zip(rows, CLASSES, CONSENSUS_NAMES):
        of = whole.loc[pattern]
        assert f"</i>{name}</th>" in row and f'<td class="word">{of["prevalence"]}</td>' in row
        (share,) = re.findall(r'<data value="([^"]+)">', row)
        assert float(share) == pytest.approx(float(of["share"]), abs=1e-6)
        assert f">{100 * float(of['share']):.1f} %</data>" in row
    hours = re.findall(r"<tr>(.*?)</tr>", page[page.index('id="hours"') : page.index("How to read")])[1:]
    for row, number in zip(hours, (1, 2), strict=True):
        of = table[table["period"] == f"hour {number}"]
        analysed, *shares = map(float, re.findall(r'<data value="([^"]+)">', row))
        assert analysed == pytest.approx(of["analysed"].iloc[0] / of["duration"].iloc[0])
        assert shares == pytest.approx(of["share"].astype(float).tolist(), abs=1e-6)
        assert re.findall(r"<small>([^<]*)</small></td>", row) == of["prevalence"].tolist()


def test_the_script_has_the_answers_of_the_scan(long: tuple[Scanned, str]) -> None:
    scan, page = long
    data = data_of(Elements(page))
    shares = np.where(data["probabilities"] == 65535, np.nan, data["probabilities"] / 10000).reshape(-1, 6)
    np.testing.assert_allclose(shares, scan.probabilities, atol=0.000051)
    assert (data["onsets_cs"] / 100).tolist() == scan.onsets_s.tolist()
    assert [data["status_names"][status] for status in data["statuses"]] == scan.statuses
    started = pd.Timestamp(data["start_ms"], unit="ms")
    assert (started, data["duration_s"], data["around_s"]) == (pd.Timestamp(START), LONG_S, 1200)


def test_no_answer_is_rounded_over_its_threshold() -> None:
    scan = scanned(40)
    scan.probabilities[:, 0] = [0.49996, 0.5, 0.499999, 0.333349]
    settings = PageSettings((0.5, 0.5, 0.5, 0.5, 0.5, 0.5))
    data = data_of(Elements(text_of(noise(40), scan, settings=settings)))
    assert data["probabilities"].reshape(-1, 6)[:, 0].tolist() == [4999, 5000, 4999, 3333]
    settings = PageSettings((0.33334, 0.5, 0.5, 0.5, 0.5, 0.5))
    data = data_of(Elements(text_of(noise(40), scan, settings=settings)))
    assert (data["probabilities"].reshape(-1, 6)[3, 0] / 10000 >= 0.33334) == (0.333349 >= 0.33334)


def test_the_rows_of_the_strip_are_as_high_as_the_answers(long: tuple[Scanned, str]) -> None:
    """Every column of the picture against the highest probability of the windows that touch it."""
    scan, page = long
    for pattern, name in enumerate(CONSENSUS_NAMES):
        svg = page[page.index(f'aria-label="Probability of {name}"') :]
        low, high = (drawn(path) for path in re.findall(r'<path class="(?:low|high)"[^>]* d="([^"]*)"', svg)[:2])
        expected = np.zeros(2000)
        for window, p in enumerate(np.nan_to_num(scan.probabilities[:, pattern])):
            first, last = window * 10 / LONG_S * 2000, (window + 1) * 10 / LONG_S * 2000
            touched = np.flatnonzero((np.arange(2000) + 1 > first + 1e-6) & (np.arange(2000) < last - 1e-6))
            expected[touched] = np.maximum(expected[touched], p)
        np.testing.assert_allclose(low, 100 * expected, atol=0.5)
        np.testing.assert_allclose(high, np.where(expected >= 0.5, 100 * expected, 0), atol=0.5)


def drawn(path: str) -> np.ndarray:  # type: ignore[type-arg]
    """Height of each column of an area of steps."""
    heights = np.zeros(2000)
    for start, top, stop in re.findall(r"M(\d+) 100V(\d+)H(\d+)V100", path):
        heights[int(start) : int(stop)] = 100 - int(top)
    return heights


def test_gaps_are_marked_where_they_are(long: tuple[Scanned, str]) -> None:
    _, page = long
    marks = re.findall(r'<u class="gap" style="left:([\d.]+)%;width:([\d.]+)%">', page)
    ((left, width),) = marks
    assert float(left) == pytest.approx(100 * 1000 / LONG_S, abs=0.06)
    assert float(width) == pytest.approx(100 * 300 / LONG_S, abs=0.11)


def test_a_moment_shows_its_time_its_answer_and_its_place(long: tuple[Scanned, str]) -> None:
    scan, page = long
    sections = re.findall(r'<section class="moment" id="eeg-(\d+)" data-window="(\d+)">(.*?)</section>', page)
    assert len(sections) == len(data_of(Elements(page))["moments"]) >= 6
    for number, window, text in sections:
        answer = scan.probabilities[int(window)]
        assert re.findall(r"<span>(\d\.\d\d)</span>", text) == [f"{p:.2f}" for p in answer]
        assert f"{START + pd.Timedelta(seconds=10 * int(window)):%Y-%m-%d %H:%M:%S}" in text
        (left,) = re.findall(rf'href="#eeg-{number}" style="left:([\d.]+)%', page)
        assert float(left) == pytest.approx(100 * (10 * int(window) + 5) / LONG_S, abs=0.001)


def test_the_rule_of_status_epilepticus_is_said_with_what_was_found() -> None:
    probabilities = np.full((360, 6), 0.02)
    probabilities[60:130, 0] = 0.9
    scan = Scanned(np.arange(360) * 10.0, 10, probabilities, ["ok"] * 360)
    elements = Elements(text_of(noise(3600), scan))
    ((attributes, text),) = elements.of("p", id="rule")
    assert attributes["class"] == "rule met" and "These windows meet that rule." in text
    assert "last 11 min 40 s in all. The longest run is 11 min 40 s." in text
    assert "10 min or more without a break" in text and "20% or more of any 60 min" in text


def test_the_page_says_what_it_is_and_is_not() -> None:
    recording = noise(120)
    recording.notes = ("T3 stands for T7",)
    settings = PageSettings((0.5, 0.4, 0.5, 0.5, 0.5, 0.6))
    page = text_of(recording, scanned(120), "Three folds", settings=settings, notes=["mains of 50 Hz assumed"])
    text = "".join(text for _, text in Elements(page).of("main"))
    assert "Not a medical device." in text and "Three folds" in text and "start not known" in text
    assert "Seizure 0.5, LPD 0.4, GPD 0.5, LRDA 0.5, GRDA 0.5, Other 0.6" in text
    assert [text for _, text in Elements(page).of("li")] == ["T3 stands for T7", "mains of 50 Hz assumed"]


def test_names_titles_and_notes_are_text_and_no_html() -> None:
    evil = "</script><script>alert('&')</script>"
    recording = noise(60, name=evil)
    recording.notes = (evil,)
    scan = scanned(60)
    elements = Elements(text_of(recording, scan, evil, notes=[evil]))
    scripts = elements.of("script")
    assert [attributes.get("type") for attributes, _ in scripts] == ["application/json", None]
    assert data_of(elements)["classes"] == list(CONSENSUS_NAMES)
    for tag, count in (("h1", 1), ("title", 1), ("li", 2)):
        assert [text for _, text in elements.of(tag)] == [evil] * count
    assert sum(evil in text for _, text in elements.of("b") + elements.of("dd")) == 2


def test_what_a_script_is_given_is_data_whatever_stands_in_it() -> None:
    told = {"name": "</script><script>alert(1)</script><!--&amp;"}
    page = Elements(safe_page("t", "", "", "let a = 1;", json.dumps(told)).decode())
    (data, _), (script, text) = page.of("script")
    assert json.loads(page.of("script", id="data")[0][1]) == told
    assert (data["type"], script, text) == ("application/json", {}, "let a = 1;")


def test_the_page_refers_to_nothing_outside_and_lets_no_other_script_run(long: tuple[Scanned, str]) -> None:
    _, page = long
    elements = Elements(page)
    names = ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
    found = [attributes[name] for _, attributes, _ in elements.found for name in names if name in attributes]
    assert len(found) > 10 and all(one.startswith(("data:image/png;base64,", "#eeg-")) for one in found)
    assert not re.search(r"url\(|@import|https?:(?!//www\.w3\.org/2000/svg)", page)
    assert not [name for _, has, _ in elements.found for name in has if name.startswith("on")]
    (policy,) = [has["content"] for has, _ in elements.of("meta") if "http-equiv" in has]
    script = elements.of("script")[1][1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("seconds, width", [(30, 19), (30, 16), (5, 19), (0.5, 19)])
def test_a_short_recording_makes_a_page(seconds: float, width: int) -> None:
    scan = scanned(max(seconds, 10))
    elements = Elements(text_of(noise(seconds, width=width), scan))
    assert not re.search(r"\bnan\b|\binf\b", "".join(text for _, text in elements.of("main")), re.IGNORECASE)
    assert data_of(elements)["around_s"] == 0


def test_a_recording_that_is_all_gap_makes_a_page() -> None:
    recording = ArrayRecording(np.full((12000, 19), np.nan, np.float32))
    page = text_of(recording, scanned(60, gaps=[slice(None)]))
    assert "Nothing of this recording could be analysed." in page and "There is no window with an answer." in page
    assert (data_of(Elements(page))["probabilities"] == 65535).all()
    outside_pictures = re.sub(r"base64,[^\"]+", "", page[: page.index("<script")])
    assert not re.search(r"\bnan\b", outside_pictures, re.IGNORECASE)


def test_no_window_at_all_makes_a_page() -> None:
    scan = Scanned(np.zeros(0), 10.0, np.zeros((0, 6)), [])
    assert "There is no window with an answer." in text_of(noise(5), scan)


def test_without_any_pattern_the_likeliest_moment_is_shown_as_below_the_threshold() -> None:
    scan = Scanned(np.arange(30) * 10.0, 10, np.tile([0.1, 0.1, 0.1, 0.1, 0.2, 0.4], (30, 1)), ["ok"] * 30)
    page = text_of(noise(300), scan)
    assert page.count("the highest there is, below the threshold") == 6
    assert "No window reaches the threshold of seizure." in page


def test_three_days_make_a_page_of_some_megabytes() -> None:
    """A recording that is read at its moments alone: the spectrograms are given."""
    hours = 72
    rng = np.random.default_rng(1)
    power = ChainPower(rng.normal(0, 10, (4, 40, 2000)).astype(np.float32), 129.6)
    scan = scanned(hours * 3600)
    page = text_of(Endless(hours * 3600), scan, power=power)
    assert len(page) < 4e6  # noise compresses to nothing: the worst case
    assert len(data_of(Elements(page))["onsets_cs"]) == hours * 360
    assert page.count('<th scope="row">') == 6 + hours


class Endless(Recording):
    """A recording of any length that holds nothing."""

    def __init__(self, seconds: int) -> None:
        self.name, self.start, self.notes, self.electrodes = "endless", START, (), True
        self.samples = seconds * 200

    def block(self, start: int, stop: int) -> np.ndarray:  # type: ignore[type-arg]
        return np.random.default_rng(start).normal(0, 10, (stop - start, 19)).astype(np.float32)


def test_what_cannot_be_written_or_read_is_refused_before_anything_is_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"page\.html"):
        write_page(tmp_path / "absent" / "page.html", noise(30), scanned(30), "Folds")
    with pytest.raises(InputError, match="thresholds: expected six"):
        write_page(tmp_path / "page.html", noise(30), scanned(30), "Folds", PageSettings(thresholds=(0.5,)))
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_a_recording_have_its_name_and_one_burden(tmp_path: Path) -> None:
    recording, scan = noise(120, name="a b"), scanned(120)
    files = page_files(recording, scan, "Folds")
    assert list(files) == ["a b.html", "a b_burden.csv"]
    assert files["a b_burden.csv"] == burden_csv(burden_table(scan))
    write_page(tmp_path / "page.html", recording, scan, "Folds")
    assert (tmp_path / "page.html").read_bytes() == files["a b.html"]


def test_the_spectrogram_ends_with_the_recording_where_a_step_is_longer(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", noise(25), scanned(50, step_s=50), "Folds")
    widths = re.findall(r'chain"><img [^>]*style="width:([0-9.]+)%"', (tmp_path / "page.html").read_text())
    assert widths == ["50.000"] * 4
