"""Make the pictures of the documentation, from simulated data alone:

    PYTHONPATH=wheel_src python tests/bench/pictures.py zooms
    PYTHONPATH=wheel_src python tests/bench/pictures.py report [--browser chromium]
    PYTHONPATH=wheel_src python tests/bench/pictures.py page [--browser chromium]

`zooms` writes docs/three_zooms.png: what the network sees of one simulated record. `report` trains two folds on a few
simulated records, from the demo folds on, and writes docs/training_report.png, the head of their report, as a browser
shows it. `page` scans two simulated hours with the demo folds and writes docs/page.png, the head of their page.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt

from hbac import hms
from hbac.preprocessing.presets import PRESETS, make_image
from hbac.preprocessing.three_zooms import THREE_ZOOMS, WIDTH
from hbac.records.parquet import read_eeg, read_spectrogram
from hbac.records.record import crop_eeg, crop_spectrogram
from hbac.records.tables import read_train_table
from hbac.simulation.dataset import simulate

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

DOCS = Path(__file__).resolve().parents[2] / "docs"
PATIENTS, SEED = 12, 1  # of the data set that the record comes from
CLASS = "gpd"
ZOOMS = (  # title, label of the time axis, length in its unit
    ("Ten minutes: the chain", "minutes", 10),
    ("50 seconds: the pair", "seconds", 50),
    ("Ten seconds: the wave", "seconds", 10),
)
SPECTROGRAM_RANGE, WAVE_RANGE = (-2.0, 2.5), (-3.0, 3.0)
DEMO_FOLDS = sorted((DOCS.parent / "weights").glob("*.safetensors"))
RECIPE = (
    *("--width", "16", "--fold-count", "2", "--epochs", "2,1", "--learning-rates", "2e-4,1e-4"),
    *("--freeze-normalisation", "--without", "mixup"),
)
REPORT_SIZE, PAGE_SIZE = (1100, 1150), (1280, 1465)  # pixels
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", choices=("zooms", "report", "page"))
    parser.add_argument("--browser", default="chromium", help="command of a Chromium [%(default)s]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.picture == "zooms":
            draw_zooms(clearest_image(Path(folder)), DOCS / "three_zooms.png")
        elif options.picture == "report":
            show_report(options.browser, Path(folder), DOCS / "training_report.png")
        else:
            show_page(options.browser, Path(folder), DOCS / "page.png")


def clearest_image(folder: Path) -> npt.NDArray[np.float32]:
    """(400, 300, 3) image of the simulated record with the largest share of votes for CLASS."""
    simulate(folder / "data", PATIENTS, SEED, test_records=1, balanced=True, single=True, progress=False)
    records, table = read_train_table(folder / "data")
    counts = table[list(hms.VOTE_COLUMNS)].to_numpy(np.float64)  # (rows, 6)
    share = counts[:, hms.CLASSES.index(CLASS)] / counts.sum(axis=1)
    record = records[int(share.argmax())]
    if record.spectrogram_path is None:
        raise ValueError(f"EEG {record.eeg_id}: expected a spectrogram, found none")
    eeg = crop_eeg(read_eeg(record.eeg_path), record.eeg_offset_s)
    power = crop_spectrogram(read_spectrogram(record.spectrogram_path), record.spectrogram_offset_s)
    return make_image(eeg.uv, power.power, PRESETS[THREE_ZOOMS])


def draw_zooms(image: npt.NDArray[np.float32], path: Path) -> None:
    """The three channels side by side, with axes in words and units."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharey=True, layout="constrained")
    for channel, (ax, zoom) in enumerate(zip(axes, ZOOMS)):
        draw_zoom(ax, image[..., channel], zoom, wave=channel == 2)
    axes[0].set_ylabel("chain of electrodes, front to back")
    save(figure, path)


def draw_zoom(ax: Any, plane: npt.NDArray[np.float32], zoom: tuple[str, str, int], wave: bool) -> None:
    title, unit, length = zoom
    low, high = WAVE_RANGE if wave else SPECTROGRAM_RANGE
    shown = ax.imshow(
        plane, aspect="auto", cmap="RdBu_r" if wave else "viridis", vmin=low, vmax=high, interpolation="nearest"
    )
    ax.set_title(title)
    ax.set_xticks(np.linspace(0, WIDTH, 6) - 0.5, [f"{length * part / 5:g}" for part in range(6)])
    ax.set_xlabel(unit)
    ax.set_yticks([50, 150, 250, 350], ["LL", "RL", "LP", "RP"])
    for border in (100, 200, 300):
        ax.axhline(border - 0.5, color="white" if not wave else "black", linewidth=0.8)
    label = "amplitude, asinh(uV / 20)" if wave else "log power, normalised"
    ax.figure.colorbar(shown, ax=ax, orientation="horizontal", label=label, aspect=40)


def save(figure: Any, path: Path) -> None:
    """A small PNG: 256 colours are enough for what is shown."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    plt.close(figure)
    write_png(Image.open(buffer), path)


def write_png(picture: Any, path: Path, colours: int = 256) -> None:
    picture.convert("RGB").quantize(colours, kmeans=1).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size} bytes")


def show_report(browser: str, folder: Path, path: Path) -> None:
    """Train, and take a picture of the head of the report."""
    simulate(folder / "data", 40, 8, test_records=1, balanced=True, single=True, progress=False)
    data = ("--data", folder / "data", "--output", folder / "folds", "--title", "two folds, for a picture")
    command = [sys.executable, "-m", "hbac", "train", *map(str, data), *RECIPE, "--start", *map(str, DEMO_FOLDS)]
    subprocess.run(command, check=True)
    show(browser, folder / "folds" / "report.html", REPORT_SIZE, folder, path)


def show_page(browser: str, folder: Path, path: Path) -> None:
    """Scan a simulated recording, and take a picture of the head of its page."""
    recording = folder / "recording.edf"
    for arguments in (
        ("simulate", "--recording", "2h", "--seed", "2", "--output", recording),
        ("scan", recording, "--output", folder / "out", "--manifest", DOCS.parent / "weights_manifest.json"),
    ):
        subprocess.run([sys.executable, "-m", "hbac", *map(str, arguments), "--quiet"], check=True)
    show(browser, folder / "out" / "recording.html", PAGE_SIZE, folder, path, 64)


def show(browser: str, page: Path, size: tuple[int, int], folder: Path, path: Path, colours: int = 256) -> None:
    """A picture of what a window of that size shows of a page."""
    from PIL import Image

    taken, profile = folder / "taken.png", folder / "profile"
    window = ",".join(map(str, size))
    shot = (f"--user-data-dir={profile}", f"--window-size={window}", f"--screenshot={taken}")
    subprocess.run([browser, *QUIET, *shot, page.as_uri()], check=True)
    write_png(Image.open(taken), path, colours)


if __name__ == "__main__":
    main()
