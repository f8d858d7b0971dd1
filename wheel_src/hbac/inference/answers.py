"""Answers to records as they are done: images in, batches over the engine's streams, rows out."""

import queue
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import numpy as np

from hbac.ensemble.calibrated import Ensemble
from hbac.inference.budget import Budget, Plan
from hbac.inference.journal import Answer
from hbac.preprocessing.load import Loaded
from hbac.preprocessing.readers import Loader
from hbac.records.record import Record
from hbac.weights.manifest import Manifest

OUT_OF_TIME = "out of time"


def answers(loader: Loader, todo: list[Record], ensemble: Ensemble, budget: Budget) -> Iterator[Answer]:
    """Answers as they are done: images in, batches over the engine's streams, rows out."""
    engine = ensemble.engine
    waiting = {record.eeg_id for record in todo}
    batch: list[Loaded] = []
    running: set[Future[list[Answer]]] = set()
    with ThreadPoolExecutor(engine.streams) as pool:
        for remaining in range(len(todo), 0, -1):
            while budget.left_s() > 0:
                loaded = _next(loader, running, budget)
                if loaded is not None:
                    break
                yield from _take(running, block=False)  # nothing is ready: hand on what is done meanwhile
            else:
                break
            waiting.discard(loaded.record.eeg_id)
            if loaded.image is None:
                yield _prior(loaded.record.eeg_id, ensemble.manifest, loaded.status, loaded.notes)
            else:
                batch.append(loaded)
            if batch and (len(batch) == engine.batch_size or remaining == 1):
                running.add(pool.submit(_compute, batch, ensemble, budget, budget.plan(remaining + len(batch) - 1)))
                batch = []
            yield from _take(running, block=len(running) > engine.streams)
        while running:
            yield from _take(running, block=True)
    late = [loaded.record.eeg_id for loaded in batch] + sorted(waiting)
    for eeg_id in late:
        yield _prior(eeg_id, ensemble.manifest, OUT_OF_TIME, ("the time budget ended before this record",))


def _next(loader: Loader, running: "set[Future[list[Answer]]]", budget: Budget) -> Loaded | None:
    """The next image, or None if none comes soon."""
    idle, since = all(future.done() for future in running), time.monotonic()
    try:
        return loader.get(timeout_s=0.2)
    except queue.Empty:
        return None
    finally:
        if idle:
            budget.idle(time.monotonic() - since)


def _take(running: "set[Future[list[Answer]]]", block: bool) -> Iterator[Answer]:
    """Answers of the batches that are done; with `block`, of at least one."""
    done, _ = wait(running, timeout=None if block else 0, return_when=FIRST_COMPLETED)
    for future in done:
        running.discard(future)
        yield from future.result()


def _compute(batch: list[Loaded], ensemble: Ensemble, budget: Budget, plan: Plan) -> list[Answer]:
    if plan.folds == 0:
        return [_prior(one.record.eeg_id, ensemble.manifest, OUT_OF_TIME, one.notes) for one in batch]
    images = np.stack([one.image for one in batch])  # type: ignore[misc]
    rows = ensemble.predict(images, range(plan.folds), plan.flip)
    budget.done(plan.passes * len(batch), len(batch))
    return [
        Answer(one.record.eeg_id, tuple(row.tolist()), one.status, one.notes, plan.folds, plan.flip)
        for one, row in zip(batch, rows)
    ]


def _prior(eeg_id: int, manifest: Manifest, status: str, notes: tuple[str, ...]) -> Answer:
    prior = np.array(manifest.class_prior)
    return Answer(eeg_id, tuple((prior / prior.sum()).tolist()), status, notes)
