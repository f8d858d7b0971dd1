"""Answers to records as they are done: images in, batches over the engine's streams, rows out."""

import json
import queue
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hbac.ensemble.calibrated import Ensemble
from hbac.ensemble.mean import mean_of
from hbac.inference.budget import Budget, Effort
from hbac.preprocessing.load import INCOMPLETE, OK, OUT_OF_TIME, SUSPECT, Loaded, Sources, Status
from hbac.preprocessing.readers import Loader
from hbac.records.record import Record
from hbac.weights.manifest import Manifest, Member


@dataclass(frozen=True)
class Answer:
    """One finished row."""

    eeg_id: int
    probabilities: tuple[float, ...]  # (6,)
    status: Status
    notes: tuple[str, ...] = ()
    folds: int = 0  # that took part; 0 for the class prior
    flipped: bool = False
    source: str = ""  # what it was made of, see `source_of`; "" of one that was made of nothing
    members: tuple[int, ...] = ()  # of a mixed ensemble: folds of each member that took part

    def has(self, effort: Effort) -> bool:
        """Whether so many folds, and the mirror image if it counts, took part."""
        return (self.folds, self.flipped, self.members) == (effort.folds, effort.flip, effort.members)

    def document(self) -> dict[str, Any]:
        """As the journal has it."""
        return {name: value for name, value in asdict(self).items() if name != "members" or value}

    def is_whole(self, full: Effort) -> bool:
        """Whether the whole ensemble answered, from both files, and nothing was wrong with them."""
        return self.status == OK and self.has(full)

    def is_final(self, full: Effort) -> bool:
        """Whether another run could not do better: what a time budget or an unreadable file took, it may give."""
        return self.status in (OK, INCOMPLETE, SUSPECT) and self.has(full)


def source_of(record: Record, sources: Sources) -> str:
    """What a record's answer is made of, beside what is the same for all: its ids, windows, and files by content."""
    windows = (record.eeg_offset_s, record.spectrogram_offset_s)
    return json.dumps([record.eeg_id, record.spectrogram_id, *windows, *sources])


def answers(loader: Loader, eeg_ids: Iterable[int], ensemble: Ensemble, budget: Budget) -> Iterator[Answer]:
    """Answers as they are done: images in, batches over the engine's streams, rows out."""
    engine = ensemble.engine
    waiting = set(eeg_ids)
    batch: list[Loaded] = []
    running: set[Future[list[Answer]]] = set()
    with ThreadPoolExecutor(engine.streams) as pool:
        for remaining in range(len(waiting), 0, -1):
            while budget.left_s() > 0:
                loaded = _next(loader, running, budget)
                if loaded is not None:
                    break
                yield from _take(running, block=False)  # nothing is ready: hand on what is done meanwhile
            else:
                break
            waiting.discard(loaded.record.eeg_id)
            if not loaded.images:
                yield _prior(loaded.record.eeg_id, ensemble.manifest, loaded.status, loaded.notes)
            else:
                batch.append(loaded)
            if batch and (len(batch) == engine.batch_size or remaining == 1):
                running.add(pool.submit(_compute, batch, ensemble, budget, budget.effort(remaining + len(batch) - 1)))
                batch = []
            yield from _take(running, block=len(running) > engine.streams)
        while running:
            yield from _take(running, block=True)
    late = [loaded.record.eeg_id for loaded in batch] + sorted(waiting)
    for eeg_id in late:
        yield _prior(eeg_id, ensemble.manifest, OUT_OF_TIME, ("the time budget ended before this record",))


def _next(loader: Loader, running: "set[Future[list[Answer]]]", budget: Budget) -> Loaded | None:
    """The next image, or None if none comes soon."""
    idle, since = all(future.done() for future in running), budget.worked_s()
    try:
        return loader.get(timeout_s=0.2)
    except queue.Empty:
        return None
    finally:
        if idle:
            budget.idle(budget.worked_s() - since)


def _take(running: "set[Future[list[Answer]]]", block: bool) -> Iterator[Answer]:
    """Answers of the batches that are done; with `block`, of at least one."""
    done, _ = wait(running, timeout=None if block else 0, return_when=FIRST_COMPLETED)
    for future in done:
        running.discard(future)
        yield from future.result()


def _compute(batch: list[Loaded], ensemble: Ensemble, budget: Budget, effort: Effort) -> list[Answer]:
    if effort.folds == 0:
        return [_prior(one.record.eeg_id, ensemble.manifest, OUT_OF_TIME, one.notes) for one in batch]
    alike: dict[tuple[str, ...], list[Loaded]] = {}
    for one in batch:
        alike.setdefault(tuple(one.images), []).append(one)
    return [answer for group in alike.values() for answer in _answered(group, ensemble, budget, effort)]


def _answered(group: list[Loaded], ensemble: Ensemble, budget: Budget, effort: Effort) -> list[Answer]:
    """Answers to records that have images of the same presets."""
    members = ensemble.manifest.members
    images = {name: np.stack([one.images[name] for one in group]) for name in group[0].images}
    absent = [member for member in members if member.preprocessing.preset not in images]
    effort = _possible(effort, ensemble.manifest, images)
    answers, weights, passes, seconds = [], [], [], []
    for number, (member, folds) in enumerate(zip(members, effort.of_members)):
        began_s = budget.worked_s()
        if folds:
            one = images[member.preprocessing.preset]
            answers.append(ensemble.answer_of(number, one, range(folds), effort.flip))
            weights.append(member.weight)
        seconds.append(budget.worked_s() - began_s)
        passes.append(len(group) * budget.parts[number].passes(folds, effort.flip))
    rows = mean_of(answers, weights, ensemble.manifest.mean)
    budget.done(passes, len(group), seconds)
    return [
        Answer(
            one.record.eeg_id,
            tuple(row.tolist()),
            one.status,
            one.notes + tuple(map(_absence, absent)),
            effort.folds,
            effort.flip,
            source_of(one.record, one.sources),
            effort.members,
        )
        for one, row in zip(group, rows)
    ]


def _possible(effort: Effort, manifest: Manifest, presets: Collection[str]) -> Effort:
    """What of an effort records with images of these presets can have, one fold at the least."""
    there = [member.preprocessing.preset in presets for member in manifest.members]
    if all(there):
        return effort
    folds = [count * is_there for count, is_there in zip(effort.of_members, there)]
    if not any(folds):  # a budget has left none of those that can answer
        worth = [member.weight * is_there for member, is_there in zip(manifest.members, there)]
        folds[worth.index(max(worth))] = 1
    return Effort(sum(folds), effort.flip, tuple(folds))


def _absence(member: Member) -> str:
    """Why a member took no part, for a row's notes."""
    preset = member.preprocessing
    return f"{member.name} took no part: {preset.preset} is made of the {' or the '.join(sorted(preset.reads))}"


def _prior(eeg_id: int, manifest: Manifest, status: Status, notes: tuple[str, ...]) -> Answer:
    prior = np.array(manifest.class_prior)
    return Answer(eeg_id, tuple((prior / prior.sum()).tolist()), status, notes)
