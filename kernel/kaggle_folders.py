"""Write what the kaggle command reads, one folder a data set and a kernel; run by build_wheel.sh.

    python kernel/kaggle_folders.py FOLDER [OWNER]

Owner, slugs, titles and accelerators stand in kaggle.json beside this file and nowhere else. The notebook is made here
and never edited by hand.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

NOTEBOOK = (
    (
        "markdown",
        """# Six probabilities a record, with the internet off
Made by `build_wheel.sh`; the same run as `infer.py`, which lies beside the wheel in the attached data set. Attach the
competition, the wheel's data set and the weights' data set, switch the internet off, run all, submit.""",
    ),
    (
        "code",
        """import subprocess
import sys
from pathlib import Path

kernels = [path for layout in ("*", "datasets/*/*") for path in Path("/kaggle/input").glob(f"{layout}/infer.py")]
if len(kernels) != 1:
    raise SystemExit(f"expected one attached data set with infer.py, the wheel's, received {kernels}")
with subprocess.Popen(
    [sys.executable, str(kernels[0])], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
) as run:
    for line in run.stdout:
        print(line, end="")
if run.returncode:
    raise RuntimeError("no submission was written; the lines above say why")""",
    ),
    (
        "code",
        """import json

import pandas as pd

submission = pd.read_csv("submission.csv")
report = json.loads(Path("submission_report.json").read_text())
print(len(submission), "rows:", report["status"])
for row in report["rows_not_answered_whole"][:20]:
    print(row)
submission.head(20)""",
    ),
    (
        "code",
        """import matplotlib.pyplot as plt

probabilities = submission.set_index("eeg_id")
probabilities.columns = [name.removesuffix("_vote") for name in probabilities.columns]
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4), width_ratios=(1, 2))
probabilities.mean().plot.barh(ax=left, title="mean probability")
shown = probabilities.head(60).T
right.imshow(shown, aspect="auto", cmap="Blues", vmin=0, vmax=1)
right.set_yticks(range(len(shown)), shown.index)
right.set(title=f"first {shown.shape[1]} records", xlabel="record")
figure.tight_layout()
plt.show()""",
    ),
)


def main(target: Path, owner: str | None) -> None:
    stated = json.loads((HERE / "kaggle.json").read_text())
    owner = owner or stated["owner"]
    for name, dataset in stated["datasets"].items():
        folder = target / dataset["slug"]
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "dataset-metadata.json", dataset_metadata(stated, name, owner))
    for name, kernel in stated["kernels"].items():
        folder = target / kernel["slug"]
        folder.mkdir(parents=True, exist_ok=True)
        if kernel["file"].endswith(".ipynb"):
            write(folder / kernel["file"], notebook())
        else:
            shutil.copy(HERE / kernel["file"], folder)
        write(folder / "kernel-metadata.json", kernel_metadata(stated, name, owner))


def dataset_metadata(stated: dict[str, Any], name: str, owner: str) -> dict[str, Any]:
    dataset = stated["datasets"][name]
    return {"id": f"{owner}/{dataset['slug']}", "title": dataset["title"], "licenses": [{"name": "MIT"}]}


def kernel_metadata(stated: dict[str, Any], name: str, owner: str) -> dict[str, Any]:
    """`enable_internet` is always stated: left out it is true, and the submission is refused."""
    kernel = stated["kernels"][name]
    accelerator = kernel.get("accelerator")
    return {
        "id": f"{owner}/{kernel['slug']}",
        "title": kernel["title"],
        "code_file": kernel["file"],
        "language": "python",
        "kernel_type": "notebook" if kernel["file"].endswith(".ipynb") else "script",
        "is_private": True,
        "enable_gpu": accelerator is not None,
        "enable_tpu": False,
        "enable_internet": False,
        **({"machine_shape": accelerator} if accelerator else {}),
        "dataset_sources": [f"{owner}/{stated['datasets'][source]['slug']}" for source in kernel["datasets"]],
        "competition_sources": [stated["competition"]],
        "kernel_sources": [],
        "model_sources": [],
    }


def notebook() -> dict[str, Any]:
    cells: list[dict[str, Any]] = []
    for number, (kind, text) in enumerate(NOTEBOOK):
        cell: dict[str, Any] = {"id": f"cell-{number}", "cell_type": kind, "metadata": {}, "source": text}
        cells.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernelspec}, "cells": cells}


def write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else None)
