"""The metadata for Kaggle: taken by the kaggle command's own code, and each way to get them wrong refused by it or by us.

The kaggle package runs in a process of its own with its network calls replaced: it checks, and what it would send comes
back.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow

KERNELS = ("hbac-infer", "hbac-infer-notebook", "hbac-train", "hbac-train-notebook")
DATASETS = ("hbac-weights", "hbac-wheel")

PUSH = r"""
import contextlib, io, json, os, sys
os.environ.update(KAGGLE_USERNAME="some-owner", KAGGLE_KEY="0" * 32, KAGGLE_CONFIG_DIR=sys.argv[1])
from unittest import mock
from requests import HTTPError
from kaggle.api.kaggle_api_extended import KaggleApi

def push(folder):
    api, client = KaggleApi(), mock.MagicMock()
    api.authenticate()
    api.build_kaggle_client = lambda *a, **k: contextlib.nullcontext(client)
    api.with_retry = lambda call, *a, **k: call
    api.dataset_status = mock.Mock(side_effect=HTTPError())
    api.upload_files = mock.Mock()
    if os.path.exists(os.path.join(folder, "kernel-metadata.json")):
        api.kernels_push(folder)
        (request,) = client.kernels.kernels_api_client.save_kernel.call_args.args
    else:
        api.dataset_create_new(folder, quiet=True)
        (request,) = client.datasets.dataset_api_client.create_dataset.call_args.args
    return {name: value for name in dir(request) if not name.startswith("_")
            and isinstance(value := getattr(request, name), (str, bool, list, type(None)))}

for folder in sys.argv[2:]:
    try:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            answer = {"sent": push(folder), "said": said.getvalue()}
    except Exception as error:
        answer = {"refused": repr(error)}
    print(json.dumps(answer, default=str))
"""


def push(config: Path, *folders: Path) -> list[dict[str, Any]]:
    if importlib.util.find_spec("kaggle") is None:
        pytest.skip("the kaggle package is not installed; it needs Python 3.11")
    done = subprocess.run(
        [sys.executable, "-c", PUSH, str(config), *map(str, folders)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def ours() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kaggle_folders", ROOT / "kernel" / "kaggle_folders.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_folders_are_flat_and_hold_what_they_name(dist: Path) -> None:
    folders = {path.name: path for path in (dist / "kaggle").iterdir()}
    assert sorted(folders) == sorted((*KERNELS, *DATASETS))
    assert not [path for folder in folders.values() for path in folder.iterdir() if path.is_dir()]
    for script in ("infer.py", "train.py"):
        pushed = folders[f"hbac-{script.removesuffix('.py')}"] / script
        assert pushed.read_bytes() == (ROOT / "kernel" / script).read_bytes()


def test_the_kaggle_command_takes_every_folder_and_sends_what_is_meant(dist: Path, tmp_path: Path) -> None:
    folders = [dist / "kaggle" / name for name in (*KERNELS, *DATASETS)]
    answers = dict(zip((*KERNELS, *DATASETS), push(tmp_path, *folders), strict=True))
    assert not [name for name, answer in answers.items() if "does not resolve" in answer["said"]]  # title gives slug
    for name in KERNELS:
        sent = answers[name]["sent"]
        assert sent["slug"] == f"some-owner/{name}"
        assert sent["enable_internet"] is False
        assert sent["is_private"] is True
        assert sent["kernel_type"] == ("notebook" if "notebook" in name else "script")
        assert sent["competition_data_sources"] == ["hms-harmful-brain-activity-classification"]
        assert sent["dataset_data_sources"] == [
            f"some-owner/{dataset}"
            for dataset in (["hbac-wheel"] if "train" in name else ["hbac-wheel", "hbac-weights"])
        ]
        assert sent["machine_shape"] == ("NvidiaTeslaT4" if "train" in name else None) or not sent["machine_shape"]
        assert sent["enable_gpu"] is ("train" in name)
        assert "def find_hbac" in sent["text"]
    for name in DATASETS:
        assert (answers[name]["sent"]["owner_slug"], answers[name]["sent"]["slug"]) == ("some-owner", name)
        assert answers[name]["sent"]["license_name"] == "MIT"


Damage = Callable[[dict[str, Any]], object]
BROKEN: dict[str, tuple[str, Damage]] = {
    "the internet left out, which means on": ("hbac-infer", lambda m: m.pop("enable_internet")),
    "the internet on": ("hbac-infer", lambda m: m.update(enable_internet=True)),
    "no code file": ("hbac-infer", lambda m: m.update(code_file="inference.py")),
    "a script called a notebook": ("hbac-infer", lambda m: m.update(kernel_type="notebook")),
    "an unknown kernel type": ("hbac-infer", lambda m: m.update(kernel_type="kernel")),
    "an unknown language": ("hbac-train", lambda m: m.update(language="python3")),
    "a title that gives another slug": ("hbac-train", lambda m: m.update(title="My training kernel")),
    "a data set without its owner": ("hbac-infer", lambda m: m.update(dataset_sources=["hbac-wheel"])),
    "no competition": ("hbac-infer", lambda m: m.update(competition_sources=[])),
    "a misspelt key": ("hbac-infer", lambda m: m.update(dataset_source=m.pop("dataset_sources"))),
    "an accelerator that is none": ("hbac-train", lambda m: m.update(machine_shape="T4x2")),
    "a GPU without its machine": ("hbac-train", lambda m: m.pop("machine_shape")),
    "no owner": ("hbac-train-notebook", lambda m: m.update(id="hbac-train-notebook")),
    "a version in the id": ("hbac-infer", lambda m: m.update(id="some-owner/hbac-infer/3")),
    "no licence": ("hbac-wheel", lambda m: m.pop("licenses")),
    "two licences": ("hbac-wheel", lambda m: m["licenses"].append({"name": "MIT"})),
    "a short title": ("hbac-wheel", lambda m: m.update(title="hbac", id="some-owner/hbac")),
    "an owner with a space": ("hbac-weights", lambda m: m.update(id="some owner/hbac-weights")),
}


def test_every_broken_variant_is_refused(
    dist: Path, tmp_path: Path, ours: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for number, (name, damage) in enumerate(BROKEN.values()):
        folder = tmp_path / str(number) / name
        shutil.copytree(dist / "kaggle" / name, folder)
        (path,) = folder.glob("*-metadata.json")
        metadata = json.loads(path.read_text())
        damage(metadata)
        path.write_text(json.dumps(metadata))
        folders.append(folder)
    theirs = [answer.get("refused") for answer in push(tmp_path, *folders)]
    refused = {}
    for what, folder, by_kaggle in zip(BROKEN, folders, theirs, strict=True):
        check = ours.check_kernel if (folder / "kernel-metadata.json").exists() else ours.check_dataset
        try:
            check(folder)
            by_us = None
        except SystemExit as stopped:
            by_us = str(stopped.code)
        refused[what] = by_kaggle or by_us
    assert [what for what, by in refused.items() if not by] == []
    assert len([by for by in theirs if by]) >= 8  # by the kaggle command's own checks


def test_what_the_build_writes_passes_our_checks(dist: Path, ours: ModuleType) -> None:
    for name in KERNELS:
        ours.check_kernel(dist / "kaggle" / name)
    for name in DATASETS:
        ours.check_dataset(dist / "kaggle" / name)


def test_both_kernels_have_the_same_lines_for_what_is_attached() -> None:
    blocks = []
    for script in ("infer.py", "train.py"):
        text = (ROOT / "kernel" / script).read_text()
        blocks.append(
            text[text.index("# From here to the end mark") : text.index("# End of the lines that both kernels have.")]
        )
    assert blocks[0] == blocks[1]
    assert 20 <= len(blocks[0].strip().splitlines()) <= 32


def test_folds_and_graphs_of_all_members_lie_in_one_folder_and_two_of_one_name_are_refused(
    ours: ModuleType, tmp_path: Path
) -> None:
    graph = {"graph": "b/b.graph.json", "sha256": "0" * 64, "input_shape": [2000, 16]}
    members = [
        {"network": {"width": 8}, "folds": [{"file": "a/a_fold0.safetensors"}, {"file": "a/a_fold1.safetensors"}]},
        {"network": graph, "folds": [{"file": "b/b_fold0.safetensors"}]},
    ]
    for file in ("a/a_fold0.safetensors", "a/a_fold1.safetensors", "b/b_fold0.safetensors", "b/b.graph.json"):
        (tmp_path / "in" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / file).write_text(file)
    manifest = tmp_path / "in" / "weights_manifest.json"
    manifest.write_text(json.dumps({"members": members}))
    ours.copy_weights(tmp_path / "in", tmp_path / "out")
    received = {path.name for path in (tmp_path / "out").iterdir()}
    names = {"a_fold0.safetensors", "a_fold1.safetensors", "b_fold0.safetensors", "b.graph.json"}
    assert received == names | {manifest.name}
    members[1]["folds"].append({"file": "b/a_fold0.safetensors"})  # type: ignore[attr-defined]
    (tmp_path / "in" / "b" / "a_fold0.safetensors").touch()
    manifest.write_text(json.dumps({"members": members}))
    with pytest.raises(SystemExit, match="names of their own"):
        ours.copy_weights(tmp_path / "in", tmp_path / "again")
