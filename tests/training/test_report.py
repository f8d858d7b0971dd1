"""The training report: its numbers are those given, it holds all it shows, and odd cases make a page too."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers_signals import noise_eeg, noise_power

from hbac.errors import OutputError
from hbac.hms import CLASSES
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.training.metrics import classification_metrics
from hbac.training.report import CLASS_MEASURES, MEASURES, Example, OutOfFold, write_report


def made_up(rows: int) -> OutOfFold:
    """Rows whose votes are all classes in turn, and predictions that mostly agree."""
    rng = np.random.default_rng(5)
    votes = 0.7 * np.eye(6)[np.arange(rows) % 6] + 0.3 * rng.dirichlet(np.ones(6), rows)
    predictions = 0.6 * votes + 0.4 * rng.dirichlet(np.ones(6), rows)
    return OutOfFold(votes, predictions, rng.uniform(0.5, 1, rows), np.arange(rows) % 4 != 1)


def metrics_of(result: OutOfFold) -> dict[str, Any]:
    part = result.scored
    measured = classification_metrics(result.votes[part], result.predictions[part], result.weights[part])
    return {"rows": int(part.sum()), **measured, "kl_of_class_prior": 1.25, "log_loss_of_class_prior": 1.5}


def example(title: str = "EEG 7", prediction: bool = True) -> Example:
    rng = np.random.default_rng(6)
    fractions = np.array([0.5, 0.25, 0.125, 0.125, 0, 0])
    return Example(title, rng.normal(size=(400, 300, 3)).astype(np.float32), fractions, fractions[::-1]
                   if prediction else None)  # fmt: skip


def write(
    folder: Path,
    rows: int = 60,
    title: str = "Folds",
    examples: dict[str, list[Example]] | None = None,
    metrics: dict[str, Any] | None = None,
) -> str:
    result = made_up(rows)
    given = metrics or {"10 votes or more": metrics_of(result), "all rows": metrics_of(result)}
    curves = {0: [{"epoch": 0, "loss": 1.0, "kl": 0.9}, {"epoch": 1, "loss": 0.8, "kl": 0.7}]}
    shown = {name: [] for name in CLASSES} if examples is None else examples
    write_report(folder / "report.html", title, result, given, curves, shown)
    return (folder / "report.html").read_text()


def cells_of(page: str, name: str) -> str:
    row = re.search(rf'<th scope="row">{name}</th>(.*?)</tr>', page)
    assert row is not None
    return row.group(1)


class References(HTMLParser):
    """Whatever an element of a page refers to, and the tags that are open at its end."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]
        self.found += [tag] if tag in ("script", "link", "iframe") else []
        self.open += [] if tag in ("meta", "img") else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_numbers_of_the_page_are_the_metrics_given(tmp_path: Path) -> None:
    result = made_up(60)
    given = metrics_of(result)
    page = write(tmp_path, metrics={"of these": given})
    for key, (name, _) in MEASURES.items():
        cells = cells_of(page, name)
        assert re.findall(r'value="([^"]+)"', cells) == [repr(given[key])]
        shown = str(given[key]) if key == "rows" else f"{given[key]:.4f}"
        assert re.findall(r">([^<]+)</data>", cells) == [shown]
    for key, (name, _) in CLASS_MEASURES.items():
        cells = cells_of(page, name)
        assert [float(value) for value in re.findall(r'value="([^"]+)"', cells)] == given[key]


def test_what_was_trained_from_what_is_said_at_its_head(tmp_path: Path) -> None:
    result = made_up(6)
    write_report(tmp_path / "r.html", "Folds", result, {}, {}, {}, about="ResNet50 of width 8, from <scratch>")
    assert "<h1>Folds</h1><p>ResNet50 of width 8, from &lt;scratch&gt;</p>" in (tmp_path / "r.html").read_text()


@pytest.mark.slow
def test_the_page_refers_to_nothing_outside_and_closes_its_elements(tmp_path: Path) -> None:
    references = References(write(tmp_path, examples={name: [example()] for name in CLASSES}))
    assert len(references.found) >= 9 + 3 * len(CLASSES) and not references.open
    assert all(found.startswith("data:image/png;base64,") for found in references.found)
    assert "http" not in (tmp_path / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset != "three-zooms-v1"])
def test_each_preset_has_pictures_of_its_own(tmp_path: Path, preset: str) -> None:
    image = make_image(noise_eeg(), noise_power(), PRESETS[preset])
    page = write(tmp_path, examples={"gpd": [Example("EEG 7", image, np.eye(6)[2], None, preset)]})
    counts = {"three-zooms-v2": 3, "starter-v1": 1, "spectrograms8-v1": 2, "waveform8-v1": 1, "raw-v1": 1}
    assert page.split("What the network sees")[1].count("<img") == counts[preset]
    assert ("Rows of a picture" in page) == (image.ndim == 3)
    assert ("Each line is" in page) == (image.ndim == 2)


def test_titles_and_names_are_text_and_no_html(tmp_path: Path) -> None:
    evil = "<script>alert('&')</script>"
    page = write(tmp_path, title=evil, examples={evil: [example(evil)]}, metrics={evil: metrics_of(made_up(12))})
    assert "<script" not in page and page.count("&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;") >= 5


@pytest.mark.parametrize("rows", [1, 5, 60])
def test_few_rows_and_classes_without_rows_or_examples_make_a_page_without_nan(tmp_path: Path, rows: int) -> None:
    page = write(tmp_path, rows=rows)
    outside_pictures = re.sub(r"base64,[^\"]+", "", page).lower()
    assert not re.search(r"\bnan\b|\binf\b", outside_pictures)
    assert page.count("No record&#x27;s votes") + page.count("No record's votes") == len(CLASSES)


def test_a_number_that_is_none_is_a_dash(tmp_path: Path) -> None:
    page = write(tmp_path, metrics={"of these": {**metrics_of(made_up(60)), "kl": float("nan")}})
    assert '<th scope="row">KL divergence, nats</th><td>–</td>' in page


def test_no_scored_row_and_no_epoch_are_said_in_words(tmp_path: Path) -> None:
    result = made_up(6)
    nothing = OutOfFold(result.votes, result.predictions, result.weights, np.zeros(6, bool))
    write_report(tmp_path / "report.html", "Folds", nothing, {"all rows": metrics_of(result)}, {0: []}, {})
    page = (tmp_path / "report.html").read_text()
    assert page.count("There are no scored rows.") == 2 and "No epoch is recorded." in page and "<img" not in page


def test_votes_and_predictions_are_bars_with_their_shares(tmp_path: Path) -> None:
    page = write(tmp_path, examples={"lpd": [example(), example("EEG 8", prediction=False)]})
    with_prediction, without = page.split('<div class="bars">')[1:]
    assert re.findall(r"</i>([\d.]+)", with_prediction)[:4] == ["0.50", "0.00", "0.25", "0.00"]
    assert re.findall(r"</i>([\d.]+)", without) == ["0.50", "0.25", "0.12", "0.12", "0.00", "0.00"]
    assert re.search(r'<span>LRDA</span><span><i style="width:8.8%;[^"]*"></i>0.12</span><span><i', with_prediction)
    assert "width:35.0%" in with_prediction and "Prediction" not in without


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="report.html"):
        write(tmp_path / "absent")
