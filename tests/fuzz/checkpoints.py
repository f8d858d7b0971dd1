"""Broken checkpoints, broken manifests and payloads: each is refused with its reason before an engine sees it.

    PYTHONPATH=wheel_src python tests/fuzz/checkpoints.py [--count 500] [--manifests 100] [--seed 7]

A checkpoint is broken with the manifest as it was (`digest stale`), or with a manifest that states the broken file. The
last table asks OpenVINO as well: files of the right form with the values of another network, which only the golden
answer tells apart. Payloads would write a canary if any code in them ran.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, for its helpers

from conftest import ROOT
from helpers_folds import random_tensors
from helpers_hostile import BROKEN, KERAS, MANIFESTS, STALE, WIDTH, broken_manifest, restate, spy_on, write_fold
from helpers_payloads import PAYLOADS, run_payload

from hbac.errors import WeightsError
from hbac.network.settings import NetworkSettings
from hbac.weights.keras_files import export_keras
from hbac.weights.manifest import MANIFEST_NAME


class Table:
    """What became of each kind."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}
        self.wrong: list[str] = []
        self.longest_s = 0.0

    def judge(self, kind: str, manifest: Path) -> None:
        self.files[kind] += 1
        started = time.monotonic()
        try:
            spy_on(manifest)
            self.wrong.append(f"{kind}: accepted")
        except WeightsError as error:
            if error.spy.seen or "expected" not in str(error) or "\n" in str(error):  # type: ignore[attr-defined]
                self.wrong.append(f"{kind}: {error}")
                return
            self.refused[kind] += 1
            self.reasons[kind] = str(error).replace(str(manifest.parent), "...")[:150].replace("|", "/")
        except Exception as error:
            self.wrong.append(f"{kind}: {type(error).__name__}: {error}"[:300])
        finally:
            self.longest_s = max(self.longest_s, time.monotonic() - started)

    def show(self, title: str) -> None:
        print(f"\n| {title} | files | refused | a reason |\n| --- | --- | --- | --- |")
        for kind, files in self.files.items():
            print(f"| {kind} | {files} | {self.refused[kind]} | {self.reasons.get(kind, '')} |")
        print(f"| all | {self.files.total()} | {self.refused.total()} | longest {self.longest_s:.2f} s |", flush=True)
        for text in self.wrong:
            print(f"WRONG: {text}")


def checkpoints(folder: Path, total: int, rng: np.random.Generator) -> Table:
    table = Table()
    keras = folder / "whole.keras"
    export_keras(random_tensors(NetworkSettings(width=WIDTH), 0), NetworkSettings(width=WIDTH), keras)
    kinds = [(f"{name}, digest stale", ".safetensors", change) for name, change in STALE.items()]
    kinds += [(f"{name} (.keras), digest stale", ".keras", change) for name, change in STALE.items()]
    kinds += [(name, ".safetensors", change) for name, change in BROKEN.items()]
    kinds += [(f"{name} (.keras)", ".keras", change) for name, change in KERAS.items()]
    for number in range(total):
        kind, suffix, change = kinds[number % len(kinds)]
        here = folder / "one" / "fold"
        change(write_fold(here, suffix, keras if suffix == ".keras" else None), rng)
        if not kind.endswith("stale"):
            restate(here)
        table.judge(kind, here / MANIFEST_NAME)
        shutil.rmtree(folder / "one")
    return table


def manifests(folder: Path, total: int, rng: np.random.Generator) -> Table:
    table = Table()
    write_fold(folder / "one")
    path = folder / "one" / MANIFEST_NAME
    document = json.loads(path.read_text())
    for number in range(total):
        kind = list(MANIFESTS)[number % len(MANIFESTS)]
        path.write_bytes(broken_manifest(kind, document, rng))
        table.judge(kind, path)
    return table


def payloads(folder: Path) -> int:
    print("\n| payload | canaries | what became of it |\n| --- | --- | --- |")
    ran = 0
    for number, name in enumerate(PAYLOADS):
        here = folder / f"payload{number}"
        here.mkdir()
        said = run_payload(name, here)
        ran += (here / "canary").exists()
        print(
            f"| {name} | {int((here / 'canary').exists())} | {said.replace(str(here), '...')[:110].replace('|', '/')} |"
        )
    print(f"| all {len(PAYLOADS)} | {ran} | |", flush=True)
    return ran


def other_values(folder: Path, total: int, rng: np.random.Generator) -> int:
    """Folds of the right form but with other values, and digests to match: how many pass OpenVINO's golden answer."""
    import safetensors.numpy

    from hbac.ensemble.calibrated import Ensemble
    from hbac.network.openvino_engine import OpenVinoEngine
    from hbac.weights.manifest import read_manifest

    here, passed = folder / "values", 0
    shutil.copytree(ROOT / "weights", here / "weights")
    shutil.copy(ROOT / MANIFEST_NAME, here)
    path = sorted((here / "weights").iterdir())[0]
    whole = safetensors.numpy.load_file(path)
    for number in range(total):
        tensors = dict(whole)
        shape = [name for name in sorted(tensors) if "kernel" in name][rng.integers(53)]
        alike = [name for name in sorted(tensors) if tensors[name].shape == tensors[shape].shape and name != shape]
        if number % 2 and alike:
            other = alike[rng.integers(len(alike))]
            tensors[shape], tensors[other] = tensors[other], tensors[shape]
        else:
            tensors[shape] = (tensors[shape].astype(np.float32) * 1.5).astype(tensors[shape].dtype)
        path.write_bytes(safetensors.numpy.save(tensors))
        restate(here)
        manifest = read_manifest(here / MANIFEST_NAME)
        try:
            Ensemble(manifest, OpenVinoEngine(manifest.network))
            passed += 1
        except WeightsError as error:
            said = str(error)
    print(
        f"\nother values with matching digests: {total}, refused by the golden answer {total - passed}, e.g. {said[:100]}"
    )
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500, help="broken checkpoints [%(default)s]")
    parser.add_argument("--manifests", type=int, default=100, help="broken manifests [%(default)s]")
    parser.add_argument("--seed", type=int, default=7, help="[%(default)s]")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        first = checkpoints(folder, options.count, rng)
        first.show("broken checkpoint")
        second = manifests(folder / "manifests", options.manifests, rng)
        second.show("broken manifest")
        ran = payloads(folder)
        other_values(folder, max(2, options.count // 25), rng)
    return int(bool(first.wrong or second.wrong or ran))


if __name__ == "__main__":
    sys.exit(main())
