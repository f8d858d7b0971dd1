"""Write what the kaggle command reads, one folder a data set and a kernel, and check it; run by build_wheel.sh.

    python kernel/kaggle_folders.py FOLDER WEIGHTS [OWNER]

WEIGHTS holds weights_manifest.json; its folds are copied. Owner, slugs, titles and accelerators stand in kaggle.json
beside this file and nowhere else. Notebooks are made here, of the scripts and of the cells in cells/.
"""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

MANIFEST_NAME = "weights_manifest.json"
PLACEHOLDER = "OWNER"
ACCELERATORS = (
    "NvidiaTeslaT4",
    "NvidiaTeslaP100",
    "NvidiaL4",
)  # github.com/Kaggle/kaggle-cli/blob/main/docs/kernels.md
KERNEL_KEYS = {
    *("id", "title", "code_file", "language", "kernel_type"),
    *("is_private", "enable_gpu", "enable_tpu", "enable_internet"),
    *("dataset_sources", "competition_sources", "kernel_sources", "model_sources"),
}

NOTEBOOKS = {  # by script: what a failed run has not written, and the cells after the run; texts lie in cells/
    "infer.py": ("submission", ("infer_table.py", "infer_figures.py")),
    "train.py": ("manifest", ("train_report.py",)),
}


def main(target: Path, weights: Path, owner: str | None = None) -> None:
    stated: dict[str, Any] = json.loads((HERE / "kaggle.json").read_text())
    owner = owner or str(stated["owner"])
    copy_weights(weights, target / stated["datasets"]["weights"]["slug"])
    for name, dataset in stated["datasets"].items():
        folder = target / dataset["slug"]
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "dataset-metadata.json", dataset_metadata(stated, name, owner))
        check_dataset(folder)
    for name, kernel in stated["kernels"].items():
        folder = target / kernel["slug"]
        folder.mkdir(parents=True, exist_ok=True)
        script = HERE / Path(kernel["file"]).with_suffix(".py")
        if kernel["file"].endswith(".ipynb"):
            write(folder / kernel["file"], notebook(script))
        else:
            shutil.copy(script, folder)
        write(folder / "kernel-metadata.json", kernel_metadata(stated, name, owner))
        check_kernel(folder)
    if owner == PLACEHOLDER:
        print(f"dist/kaggle names the owner {PLACEHOLDER}: set KAGGLE_OWNER to your name on Kaggle before an upload")


def dataset_metadata(stated: dict[str, Any], name: str, owner: str) -> dict[str, Any]:
    dataset = stated["datasets"][name]
    return {"id": f"{owner}/{dataset['slug']}", "title": dataset["title"], "licenses": [{"name": "MIT"}]}


def kernel_metadata(stated: dict[str, Any], name: str, owner: str) -> dict[str, Any]:
    """`enable_internet` is always stated: left out it is true, and the submission is refused."""
    kernel = stated["kernels"][name]
    return {
        "id": f"{owner}/{kernel['slug']}",
        "title": kernel["title"],
        "code_file": kernel["file"],
        "language": "python",
        "kernel_type": "notebook" if kernel["file"].endswith(".ipynb") else "script",
        "is_private": True,
        "enable_gpu": bool(kernel["accelerator"]),
        "enable_tpu": False,
        "enable_internet": False,
        **({"machine_shape": kernel["accelerator"]} if kernel["accelerator"] else {}),
        "dataset_sources": [f"{owner}/{stated['datasets'][source]['slug']}" for source in kernel["datasets"]],
        "competition_sources": [stated["competition"]],
        "kernel_sources": [],
        "model_sources": [],
    }


def notebook(script: Path) -> dict[str, Any]:
    """The notebook form of a kernel: writes the script to /tmp, runs it there, shows what it made."""
    output, shown = NOTEBOOKS[script.name]
    place = f"/tmp/hbac_{script.name}"
    run = cell("run.py").replace("SCRIPT", place).replace("OUTPUT", output)
    sources = (f"%%writefile {place}\n{script.read_text()}", run, *map(cell, shown))
    title = {"id": "title", "cell_type": "markdown", "metadata": {}, "source": cell(f"{script.stem}.md")}
    cells: list[dict[str, Any]] = [title]
    for number, source in enumerate(sources):
        code: dict[str, Any] = {"id": f"cell-{number}", "cell_type": "code", "metadata": {}, "source": source}
        cells.append(code | {"execution_count": None, "outputs": []})
    kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernelspec}, "cells": cells}


def cell(name: str) -> str:
    return (HERE / "cells" / name).read_text().rstrip("\n")


def copy_weights(source: Path, target: Path) -> None:
    """The manifest, its folds and graphs, all in one folder: the kaggle command leaves folders out.

    What an upload would change is refused: names with other characters lose them, a .keras file may be unpacked.
    """
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / MANIFEST_NAME, target)
    for file in files_of(json.loads((source / MANIFEST_NAME).read_text())):
        stated = source / file
        expect(
            target,
            "folds that an upload leaves as they are: hbac weights import, then hbac weights manifest",
            stated.suffix != ".keras",
            stated.name,
        )
        expect(target, "names of A-Z a-z 0-9 . _ -", re.fullmatch(r"[A-Za-z0-9._-]+", stated.name), stated.name)
        expect(target, "folds with names of their own", not (target / stated.name).exists(), stated.name)
        shutil.copy(stated if stated.exists() else source / stated.name, target)


def files_of(manifest: dict[str, Any]) -> list[str]:
    """Files that a manifest names, each once: folds of all members, and graphs of networks that are no family of ours."""
    members = manifest.get("members", [manifest])
    graphs = [member["network"]["graph"] for member in members if "graph" in member["network"]]
    return list(dict.fromkeys([*graphs, *(fold["file"] for member in members for fold in member["folds"])]))


# What the kaggle command takes without a word, and Kaggle then refuses or takes for something else.


def check_dataset(folder: Path) -> None:
    """Refuse a data set's metadata that name it otherwise than its folder or hold a key that Kaggle does not know."""
    metadata = json.loads((folder / "dataset-metadata.json").read_text())
    only(folder, metadata, {"id", "title", "licenses"})
    identify(folder, metadata)


def check_kernel(folder: Path) -> None:
    """Refuse a kernel's metadata with which it would not run, or not with the internet off, or not on what it needs."""
    metadata = json.loads((folder / "kernel-metadata.json").read_text())
    shape = metadata.get("machine_shape", "")
    only(folder, metadata, KERNEL_KEYS | ({"machine_shape"} if shape else set()))
    identify(folder, metadata)
    for key in ("enable_internet", "enable_tpu"):
        expect(folder, f"{key} false", metadata[key] is False, metadata[key])
    expect(folder, f"a machine_shape among {ACCELERATORS}", shape in ("", *ACCELERATORS), shape)
    expect(folder, "enable_gpu as machine_shape has it", metadata["enable_gpu"] is bool(shape), metadata["enable_gpu"])
    for key in ("dataset_sources", "competition_sources"):
        expect(folder, f"one or more {key}", isinstance(metadata[key], list) and metadata[key], metadata[key])
    suffix = ".ipynb" if metadata["kernel_type"] == "notebook" else ".py"
    expect(folder, f"a code_file that ends in {suffix}", metadata["code_file"].endswith(suffix), metadata["code_file"])


def only(folder: Path, metadata: dict[str, Any], keys: set[str]) -> None:
    expect(folder, f"the keys {sorted(keys)}", set(metadata) == keys, sorted(metadata))


def identify(folder: Path, metadata: dict[str, Any]) -> None:
    """The id is owner/slug, and the slug what Kaggle makes of the title: it goes by the title."""
    owner, _, slug = metadata["id"].partition("/")
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", owner) and re.fullmatch(r"[a-z0-9-]{6,50}", slug)
    expect(folder, "an id OWNER/SLUG, the slug of 6 to 50 of a-z 0-9 -", plain, metadata["id"])
    expect(folder, f"a title that gives the slug {slug}", slug_of(metadata["title"]) == slug, metadata["title"])
    expect(folder, f"a folder named {slug}", folder.name == slug, folder.name)


def slug_of(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def expect(folder: Path, expected: str, met: object, received: object) -> None:
    if not met:
        sys.exit(f"kaggle_folders.py: {folder.name}: expected {expected}, received {received!r}")


def write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
