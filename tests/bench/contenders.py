"""One engine with five folds in a process of its own: python contenders.py NAME MANIFEST IMAGES.npy

Prints a line of JSON when it is ready: which of its settings it took, having tried all. Then a line for each line on
stdin: a number of images gets the seconds that their answers took, on the clock and of all cores together; null gets
the answers to all images.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hbac.network.batch_norm import fold_batch_norm
from hbac.network.families import logits_graph
from hbac.network.graph import Graph, Tensors
from hbac.processes import usable_cores
from hbac.weights.checkpoints import load_fold
from hbac.weights.manifest import Manifest, read_manifest

BATCH = 32  # of notebooks
PRODUCTS = 10
Answer = Callable[[np.ndarray], np.ndarray]  # (images, 400, 300, 3) to mean probabilities (images, 6)
Options = Iterator[tuple[str, Callable[[], Answer]]]


def hbac_engine(name: str) -> Callable[[Path], Options]:
    """Ours, as a run calls it: one image a call, as many calls at once as the engine has streams."""

    def options(manifest_path: Path) -> Options:
        from hbac.ensemble.calibrated import Ensemble
        from hbac.network.engine import make_engine

        def make() -> Answer:
            manifest = read_manifest(manifest_path)
            ensemble = Ensemble(manifest, make_engine(name, manifest.network))
            pool = ThreadPoolExecutor(ensemble.engine.streams)
            return lambda images: np.concatenate(list(pool.map(ensemble.predict, images[:, None])))

        yield "as it is", make

    return options


def keras_predict(manifest: Path) -> Options:
    """As notebooks call it."""

    def make() -> Answer:
        from notebook_way import keras_models

        models = keras_models(manifest.parent / "keras")
        return lambda images: np.mean([m.predict(images, batch_size=BATCH, verbose=0) for m in models], axis=0)

    yield f"batches of {BATCH}", make


def onnxruntime(manifest_path: Path) -> Options:
    """One thread each for several calls at once, or all threads for one call."""
    import onnxruntime as ort

    manifest, cores = read_manifest(manifest_path), usable_cores()

    def make(threads: int, calls: int, batch: int) -> Answer:
        sessions = []
        for path in onnx_files(manifest, batch):
            options = ort.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
            sessions.append(ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))
        pool = ThreadPoolExecutor(calls)
        return lambda images: _mean(
            list(pool.map(lambda x, s=s: s.run(None, {"image": x})[0], _batches(images, batch))) for s in sessions
        )

    for threads, calls in ((1, cores), (cores, 1)):
        for batch in (1, 4):
            yield f"{calls} x {threads} threads, batch {batch}", lambda t=threads, c=calls, b=batch: make(t, c, b)


def openvino(manifest_path: Path) -> Options:
    """Read from ONNX; an asynchronous queue a fold, its throughput hint or as many streams as cores."""
    import openvino as ov

    manifest, cores = read_manifest(manifest_path), usable_cores()

    def make(stated: dict[str, Any], batch: int) -> Answer:
        core = ov.Core()
        stated = {"INFERENCE_PRECISION_HINT": "f32", **stated}
        queues = [ov.AsyncInferQueue(core.compile_model(str(p), "CPU", stated)) for p in onnx_files(manifest, batch)]
        return lambda images: _mean(_queued(queue, _batches(images, batch)) for queue in queues)

    for batch in (1, 4):
        yield f"throughput hint, batch {batch}", lambda b=batch: make({"PERFORMANCE_HINT": "THROUGHPUT"}, b)
    yield f"{cores} streams", lambda: make({"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores}, 1)
    yield "latency hint", lambda: make({"PERFORMANCE_HINT": "LATENCY"}, 1)


def _queued(queue: Any, batches: list[np.ndarray]) -> list[np.ndarray]:
    answers: dict[int, np.ndarray] = {}
    queue.set_callback(lambda request, number: answers.update({number: request.get_output_tensor().data.copy()}))
    for number, images in enumerate(batches):
        queue.start_async([images], number)
    queue.wait_all()
    return [answers[number] for number in range(len(batches))]


def pytorch(manifest_path: Path) -> Options:
    """Eager, channels last, inference mode."""
    import torch
    from peer_graphs import Torch

    manifest = read_manifest(manifest_path)

    def make(batch: int) -> Answer:
        folds = [Torch(*fold) for fold in folded(manifest)]

        def one(fold: Torch, images: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return fold.run(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()

        return lambda images: _mean([one(fold, part) for part in _batches(images, batch)] for fold in folds)

    for batch in (1, 4):
        yield f"batch {batch}", lambda b=batch: make(b)


def sgemm(_: Path) -> Options:
    """Not a network: for each image `PRODUCTS` float32 matrix products of a billion multiply-adds each."""

    def make() -> Answer:
        a, b = np.random.default_rng(0).random((2, 1000, 1000), np.float32)
        out = np.empty_like(a)

        def answer(images: np.ndarray) -> np.ndarray:
            for _ in range(PRODUCTS * len(images)):
                np.matmul(a, b, out=out)
            return np.zeros((len(images), 6))

        return answer

    yield "NumPy", make


def folded(manifest: Manifest) -> Iterator[tuple[Graph, Tensors]]:
    graph = logits_graph(manifest.network)
    for fold in manifest.folds:
        yield fold_batch_norm(graph, load_fold(manifest, fold))


def onnx_files(manifest: Manifest, batch: int) -> Iterator[Path]:
    """A file a fold, gone again once it was read."""
    from peer_graphs import Onnx

    for fold in folded(manifest):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fold.onnx"
            Onnx(*fold).write(path, manifest.network, batch)
            yield path


def _batches(images: np.ndarray, size: int) -> list[np.ndarray]:
    """The number of images is a multiple of the sizes that are tried."""
    return [images[i : i + size] for i in range(0, len(images), size)]


def _mean(logits: Any) -> np.ndarray:
    """Folds of batches of logits to mean probabilities."""
    whole = np.stack([np.concatenate(fold) for fold in logits]).astype(np.float64)  # (folds, images, 6)
    exponentials = np.exp(whole - whole.max(axis=-1, keepdims=True))
    return (exponentials / exponentials.sum(axis=-1, keepdims=True)).mean(axis=0)


CONTENDERS: dict[str, Callable[[Path], Options]] = {
    "hbac tensorflow": hbac_engine("tensorflow"),
    "hbac openvino": hbac_engine("openvino"),
    "Keras predict": keras_predict,
    "ONNX Runtime": onnxruntime,
    "OpenVINO": openvino,
    "PyTorch eager": pytorch,
    "sgemm": sgemm,
}
TRIED_ON, TRIES = 4, 2  # images, times


def best(options: Options, images: np.ndarray) -> tuple[str, Answer]:
    """The fastest of a contender's settings; only that and the one being tried are in memory."""
    taken, fastest = None, float("inf")
    for name, make in options:
        answer = make()
        answer(images[:TRIED_ON])
        seconds = min(_seconds(answer, images[:TRIED_ON])[0] for _ in range(TRIES))
        if seconds < fastest:
            taken, fastest = (name, answer), seconds
    assert taken is not None
    return taken


def _seconds(answer: Answer, images: np.ndarray) -> tuple[float, float]:
    started, before = time.perf_counter(), time.process_time()
    answer(images)
    return time.perf_counter() - started, time.process_time() - before


def main(name: str, manifest: str, images_path: str) -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    images = np.load(images_path)
    setting, answer = best(CONTENDERS[name](Path(manifest)), images)
    print(json.dumps(setting), file=out, flush=True)
    for line in sys.stdin:
        count = json.loads(line)
        told = (
            answer(images).tolist()
            if count is None
            else _seconds(answer, np.resize(images, (count, *images.shape[1:])))
        )
        print(json.dumps(told), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
