"""One table and one page of many scans: what stands in them is what each scan's own files say."""

import base64
import hashlib
import io
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from helpers_browser import browser_page, browser_path
from helpers_pages import Elements, scanned

from hbac.cli import main
from hbac.errors import InputError
from hbac.hms import CLASSES, CONSENSUS_NAMES
from hbac.pages import CLASS_COLOURS
from hbac.recordings.burden import burden_csv, burden_table
from hbac.recordings.outputs import files_of
from hbac.recordings.quality import Status
from hbac.recordings.scan import Scan
from hbac.recordings.summarise import summarise

START = datetime(2026, 3, 1, 22, 41, 12)


def scan_of(name: str, seconds: float, seed: int, **more: Any) -> Scan:
    made = scanned(seconds, seed=seed, gaps=[slice(2, 4)])
    statuses = tuple(map(Status, made.statuses))
    durations = np.full(len(statuses), 10.0)
    return Scan(name, START, seconds, 10, made.onsets_s, durations, made.probabilities, statuses, **more)


def write_scan(folder: Path, scan: Scan, **of: Any) -> None:
    """As `hbac scan` leaves it: its files, and last what says that they are whole."""
    folder.mkdir(parents=True, exist_ok=True)
    files = files_of(scan)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    document = {
        "format": 1,
        "of": {"hbac": "0.2.0", "manifest": "m" * 64, "step_s": 10, "rules": {"threshold": 0.5}} | of,
        "name": scan.name,
        "start": scan.start.isoformat(timespec="milliseconds") if scan.start else None,
        "seconds": scan.duration_s,
        "notes": list(scan.notes),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    (folder / f"{scan.name}_scan.json").write_text(json.dumps(document))


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, dict[str, Scan]]:
    """Three recordings, one of them in a folder of its own, and a page of one."""
    scans = {"b night": scan_of("b night", 4000, 1, notes=("T3 stands for T7", "50 Hz")), "a": scan_of("a", 600, 2),
             "sub-01/eeg": scan_of("eeg", 9000, 3)}  # fmt: skip
    for place, scan in scans.items():
        write_scan((tmp_path / "out" / place).parent, scan)
    (tmp_path / "out" / "b night.html").write_text("its page")
    return tmp_path / "out", scans


def test_the_table_has_the_burden_of_each_recording(archive: tuple[Path, dict[str, Scan]]) -> None:
    folder, scans = archive
    summarise(folder)
    for table in (
        pd.read_parquet(folder / "summary.parquet"),
        pd.read_csv(folder / "summary.csv", keep_default_na=False),
    ):
        rows = table.set_index("recording")
        assert list(rows.index) == ["a", "b night", "sub-01/eeg"]
        for place, scan in scans.items():
            (folder / "burden.csv").write_bytes(burden_csv(burden_table(scan, duration_s=scan.duration_s)))
            burden = pd.read_csv(folder / "burden.csv", keep_default_na=False)
            whole, row = burden[burden["period"] == "all"].set_index("pattern"), rows.loc[place]
            for pattern in CLASSES:
                assert row[f"{pattern}_share"] == pytest.approx(float(whole.loc[pattern, "share"]), abs=1e-6)
                assert row[f"{pattern}_prevalence"] == whole.loc[pattern, "prevalence"]
                assert row[f"{pattern}_longest"] == pytest.approx(whole.loc[pattern, "longest"])
            assert row["analysed"] == pytest.approx(whole["analysed"].iloc[0])
            assert pd.Timestamp(row["start"]) == pd.Timestamp(START)
            assert (row["steps_gap"], row["steps_ok"], row["notes"]) == (
                2,
                len(scan.statuses) - 2,
                "; ".join(scan.notes),
            )


def test_the_page_has_a_row_for_each_and_links_to_the_pages_that_there_are(
    archive: tuple[Path, dict[str, Scan]],
) -> None:
    folder, _ = archive
    summary = summarise(folder)
    page = Elements((folder / "summary.html").read_text("utf-8"))
    names = [text for has, text in page.of("th", scope="row")]
    assert names == [f"{place}2026-03-01 22:41" for place in ("a", "b night", "sub-01/eeg")]
    assert [has["href"] for has, _ in page.of("a")] == ["b%20night.html"]
    heads = [text for _, text in page.of("th", scope="col")]
    cells = [has["data-value"] for has, _ in page.of("td")]
    for number, scan in enumerate(summary.scans):
        row = dict(zip(heads[1:], cells[number * (len(heads) - 1) :]))
        whole, worst = scan.burden.whole, scan.burden.worst_60_min[1]
        assert [float(row[name]) for name in CONSENSUS_NAMES] == pytest.approx([whole.share(c) for c in range(6)])
        assert [float(row[name]) for name in ("Longest seizure", "Worst 60 min", "Length")] == pytest.approx(
            [whole.longest_s[0], worst, scan.duration_s]
        )
        assert float(row["Analysed"]) == pytest.approx(whole.analysed_s / scan.duration_s)
        assert int(row["Rule"]) == scan.burden.status_epilepticus
    assert len(cells) == 3 * (len(heads) - 1)


def test_the_command_says_what_it_found(
    archive: tuple[Path, dict[str, Scan]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, scans = archive
    assert main(["summarise", str(folder)]) == 0
    out = capsys.readouterr().out
    seizures = sum(bool((scan.probabilities[:, 0] >= 0.5).any()) for scan in scans.values())
    assert out.startswith(f"3 recordings, 3 h 46 min: {seizures} with seizure windows, ")
    assert all(str(folder / f"summary.{kind}") in out for kind in ("parquet", "csv", "html"))


def test_scans_that_cannot_be_compared_are_said(
    archive: tuple[Path, dict[str, Scan]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = archive
    write_scan(folder, scan_of("other", 600, 4), manifest="n" * 64, rules={"threshold": 0.4})
    assert main(["summarise", str(folder)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said == ["the scans were made with 2 manifests", "the scans were made with 2 thresholds"]
    page = Elements((folder / "summary.html").read_text("utf-8"))
    assert [text for _, text in page.of("li")] == said


def changed(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("a_probabilities.csv", lambda content: content.replace(b"0.1", b"0.2", 1), "changed after the scan"),
        ("a_scan.json", lambda content: content[:50], "expected what hbac scan wrote"),
        ("a_scan.json", lambda content: b"[]", "expected what hbac scan wrote"),
        (
            "a_scan.json",
            lambda content: content.replace(b'"format": 1', b'"format": 9'),
            "expected format 1, received 9",
        ),
    ],
)
def test_a_scan_that_was_changed_is_refused_and_the_others_go_on(
    archive: tuple[Path, dict[str, Scan]], capsys: pytest.CaptureFixture[str], name: str, change: Any, said: str
) -> None:
    folder, _ = archive
    changed(folder / name, change)
    assert main(["summarise", str(folder)]) == 2
    captured = capsys.readouterr()
    assert said in captured.err and captured.out.startswith("2 recordings")
    assert "expected 3 scans as they were written, 1 are not" in captured.err
    assert list(pd.read_csv(folder / "summary.csv")["recording"]) == ["b night", "sub-01/eeg"]
    assert said in (folder / "summary.html").read_text("utf-8")


def test_a_scan_without_its_table_is_refused(archive: tuple[Path, dict[str, Scan]]) -> None:
    folder, _ = archive
    (folder / "a_probabilities.csv").unlink()
    (line,) = summarise(folder).refused
    assert "a_probabilities.csv" in line and "\n" not in line


@pytest.mark.parametrize("names", [(), ("summary",)])
def test_a_folder_without_scans_or_with_one_called_summary_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        write_scan(tmp_path, scan_of(name, 600, 1))
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InputError, match="expected no recording called summary|expected files called NAME_scan.json"):
        summarise(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_name_that_is_a_script_is_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)<&\"'"
    write_scan(tmp_path, scan_of(evil, 600, 1))
    (tmp_path / f"{evil}.html").write_text("")
    summarise(tmp_path)
    page = Elements((tmp_path / "summary.html").read_text("utf-8"))
    assert [text for _, text in page.of("a")] == [evil]
    assert len(page.of("script")) == 1
    assert all("<" not in has["href"] and '"' not in has["href"] for has, _ in page.of("a"))


def test_a_recording_of_gaps_alone_has_a_row(tmp_path: Path) -> None:
    scan = Scan("gap", None, 60, 10, np.arange(6) * 10.0, np.full(6, 10.0), np.full((6, 6), np.nan), (Status.GAP,) * 6)
    write_scan(tmp_path, scan)
    summarise(tmp_path)
    (row,) = pd.read_parquet(tmp_path / "summary.parquet").to_dict("records")
    assert (row["analysed"], row["lpd_prevalence"], row["status_epilepticus_rule"]) == (0, "", False)
    assert np.isnan(row["lpd_share"]) and pd.isna(row["start"])


def strip_of(folder: Path) -> "np.ndarray[Any, np.dtype[np.int_]]":
    """(240, 3): the colours of the only recording's strip."""
    ((has, _),) = Elements((folder / "summary.html").read_text("utf-8")).of("img", class_="time")
    content = base64.b64decode(has["src"].removeprefix("data:image/png;base64,"))
    return np.round(255 * matplotlib.image.imread(io.BytesIO(content), format="png"))[0, :, :3].astype(int)


def test_of_several_windows_in_a_column_a_seizure_is_shown_before_all_and_other_last(tmp_path: Path) -> None:
    """Two windows a column: other with LPD, then LPD that is surer with a seizure."""
    held = [(5, 0.9), (1, 0.6)] * 120 + [(1, 0.9), (0, 0.6)] * 120
    probabilities = np.full((480, 6), 0.05)
    for window, (pattern, share) in enumerate(held):
        probabilities[window, pattern] = share
    scan = Scan("x", None, 480, 1, np.arange(480) * 1.0, np.full(480, 1.0), probabilities, (Status.OK,) * 480)
    write_scan(tmp_path, scan, step_s=1)
    summarise(tmp_path)
    pixels = strip_of(tmp_path)
    lpd, seizure = [0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00]
    assert (pixels[:120] == lpd).all() and (pixels[120:] == seizure).all()


def test_the_strip_of_a_row_has_the_colours_of_its_windows(tmp_path: Path) -> None:
    """Eight windows of 30 columns each."""
    held = [0, 1, 2, 3, 4, 5, None, 1]
    probabilities = np.full((8, 6), 0.1)
    for window, pattern in enumerate(held):
        probabilities[window, pattern if pattern is not None else []] = 0.9
    statuses = (Status.OK,) * 7 + (Status.FLAT,)
    write_scan(tmp_path, Scan("x", None, 80, 10, np.arange(8) * 10.0, np.full(8, 10.0), probabilities, statuses))
    summarise(tmp_path)
    pixels = strip_of(tmp_path)
    shown = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in pixels[15::30]]
    assert shown == [*list(CLASS_COLOURS.values())[:5], "#8f969d", "#ffffff", "#b9c1c9"]
    assert (pixels.reshape(8, 30, 3) == pixels[15::30, None]).all()


def test_headings_sort_the_rows(archive: tuple[Path, dict[str, Scan]], tmp_path: Path) -> None:
    program = browser_path()
    if program is None:
        pytest.skip("no Chromium is on this machine: the page's script is not tested")
    folder, _ = archive
    shares = {scan.place: scan.burden.whole.share(1) for scan in summarise(folder).scans}
    names = "[...document.querySelectorAll('tbody th')].map((cell) => cell.dataset.value)"
    with browser_page(program, tmp_path / "profile") as page:
        page.open(folder / "summary.html")
        page.click("th:nth-child(4) button")
        assert page.evaluate(names) == sorted(shares, key=lambda place: -(shares[place] or 0))
        page.click("th:nth-child(4) button")
        assert page.evaluate(names) == sorted(shares, key=lambda place: shares[place] or 0)
        page.click("th:nth-child(1) button")
        assert page.evaluate(names) == ["a", "b night", "sub-01/eeg"]
        assert page.complaints == []
        page.open(folder / "summary.html", 390, 844, True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_folders_that_links_lead_to_are_summarised(archive: tuple[Path, dict[str, Scan]], tmp_path: Path) -> None:
    folder, _ = archive
    write_scan(tmp_path / "elsewhere", scan_of("c", 600, 4))
    (folder / "ward").symlink_to(tmp_path / "elsewhere")
    summarise(folder)
    assert "ward/c" in pd.read_csv(folder / "summary.csv")["recording"].tolist()


def test_a_document_of_brackets_alone_is_refused(archive: tuple[Path, dict[str, Scan]]) -> None:
    folder, _ = archive
    (folder / "a_scan.json").write_text("[" * 100_000)
    (line,) = summarise(folder).refused
    assert "expected what hbac scan wrote" in line
