"""How large each family of networks is, and how good and fast trained ones are.

    PYTHONPATH=wheel_src python tests/bench/families.py [--widths 64,16,8]
    PYTHONPATH=wheel_src python tests/bench/families.py --runs RUN ... --real FOLDER

The first prints parameters and multiply-adds a record, on the input of each family's own preset; nothing is built, shapes
are computed from the graphs. The second takes outputs of `hbac train`: KL out of fold; KL with the prior divided out and
mean AUROC on labelled real clips, of the EEG alone; time of a record's network by both engines; seconds of an epoch of
1,000 images without augmentations. Nothing else should run meanwhile.
"""

import argparse
import math
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from hbac.ensemble.calibrated import Ensemble, make_ensemble
from hbac.hms import VOTE_COLUMNS
from hbac.network.engine import BY_NAME
from hbac.network.families import FAMILIES, build, logits_graph
from hbac.network.settings import NetworkSettings
from hbac.network.shape_inference import output_shapes, tensor_shapes
from hbac.preprocessing.presets import PRESETS
from hbac.weights.manifest import Manifest, read_manifest

IMAGES, ROUNDS = 32, 5
BATCH, EPOCH, STEPS = 16, 1000, 12


def sizes(family: str, width: int) -> tuple[int, int, float]:
    """Parameters, those of them that training learns, and multiply-adds of kernels in thousand millions."""
    shape = PRESETS[FAMILIES[family].preset].shape
    graph = logits_graph(NetworkSettings(width=width, input_shape=shape, family=family))
    tensors, maps = tensor_shapes(graph), output_shapes(graph)
    counts = {name: math.prod(size) for name, size in tensors.items()}
    learnt = sum(count for name, count in counts.items() if "/moving_" not in name)
    products = 0
    for layer in graph.layers:
        places = math.prod(size for size in maps[layer.name][1:-1] if size)
        products += counts.get(f"{layer.name}/kernel", 0) * places
    return sum(counts.values()), learnt, products / 1e9


# What was trained


def show_runs(runs: list[Path], real: Path | None) -> None:
    """A row for each run."""
    print(
        "| run | network, width | parameters | KL out of fold, class prior's | KL, mean AUROC on real clips | "
        "ms a record, TensorFlow | OpenVINO | s an epoch of 1,000 |\n|" + " --- |" * 8
    )
    for run in runs:
        manifest = read_manifest(run / "weights_manifest.json")
        network = manifest.network
        assert isinstance(network, NetworkSettings)
        of_fold = manifest.training["out_of_fold"]["10 votes or more"]
        ensemble = make_ensemble(manifest)
        clips = "{:.3f}, {:.3f}".format(*on_real_clips(ensemble, manifest, real)) if real else ""
        times = " | ".join(f"{ms_a_record(manifest, engine):.1f}" for engine in BY_NAME)
        whole, _, _ = sizes(network.family, network.width)
        print(
            f"| {run.name} | {network.family}, {network.width} | {whole:,} | {of_fold['kl']:.4f}, {of_fold['kl_of_class_prior']:.4f} | "
            f"{clips} | {times} | {epoch_s(network):.0f} |",
            flush=True,
        )


def on_real_clips(ensemble: Ensemble, manifest: Manifest, folder: Path) -> tuple[float, float]:
    """KL, the prior divided out, and the mean AUROC of the classes that have enough clips."""
    from real_eeg import ENOUGH, answered, auroc, without_prior

    from hbac.training.metrics import kl_divergence

    labels = pd.read_csv(folder / "labels.csv")
    votes = labels[list(VOTE_COLUMNS)].to_numpy(np.float64)
    votes /= votes.sum(axis=1, keepdims=True)
    divided = without_prior(answered(ensemble, labels, folder / "eegs", "as it is"), np.array(manifest.training_prior))
    truth = votes.argmax(axis=1)
    classes = [c for c in range(6) if (truth == c).sum() >= ENOUGH]
    return float(kl_divergence(votes, divided).mean()), float(
        np.mean([auroc(truth == c, divided[:, c]) for c in classes])
    )


def ms_a_record(manifest: Manifest, engine: str) -> float:
    """Median wall time of a record's first fold with all cores at work."""
    ensemble = make_ensemble(manifest, engine)
    rng = np.random.default_rng(0)
    images = rng.normal(0, 1, (IMAGES, 1, *manifest.network.input_shape)).astype(np.float32)
    (name,) = (preset.preset for preset in manifest.presets())
    taken = []
    with ThreadPoolExecutor(ensemble.engine.streams) as pool:
        for _ in range(ROUNDS + 1):
            started = time.perf_counter()
            list(pool.map(lambda image: ensemble.predict({name: image}), images))
            taken.append((time.perf_counter() - started) / IMAGES * 1e3)
    return statistics.median(taken[1:]) / len(manifest.folds)


def epoch_s(network: NetworkSettings) -> float:
    """Seconds of a training epoch."""
    model = build(network)
    model.compile("adam", "kl_divergence", jit_compile=False)
    images = np.random.default_rng(0).normal(0, 1, (BATCH, *network.input_shape)).astype(np.float32)
    votes = np.full((BATCH, 6), 1 / 6, np.float32)
    taken = []
    for _ in range(STEPS + 2):
        started = time.perf_counter()
        model.train_on_batch(images, votes)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[2:]) * EPOCH / BATCH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", default="64,16,8", help="[%(default)s]")
    parser.add_argument("--runs", type=Path, nargs="+", default=[])
    parser.add_argument("--real", type=Path)
    options = parser.parse_args()
    if options.runs:
        show_runs(options.runs, options.real)
    else:
        show_sizes([int(width) for width in options.widths.split(",")])


def show_sizes(widths: list[int]) -> None:
    """A row for each family and width."""
    print("| network | width | parameters | learnt | multiply-adds a record, 10^9 |\n| --- | --- | --- | --- | --- |")
    for family in FAMILIES:
        for width in widths:
            whole, learnt, products = sizes(family, width)
            print(f"| `{family}` | {width} | {whole:,} | {learnt:,} | {products:.2f} |")


if __name__ == "__main__":
    main()
