"""One fold's training: two stages, a moving average of the weights, the best epoch, and a state that a kill cannot break.

Stage 1 sees all rows, stage 2 those with many votes at a lower rate. After each epoch the averaged weights get their
batch-normalisation statistics estimated anew on plain training images, answer the validation rows, and are kept if
their KL is the smallest so far. Every draw of an epoch comes from a generator seeded by fold, stage and epoch, so that
a resumed run goes the way an uninterrupted one goes.
"""

import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hbac import augment
from hbac.augment import ViewSettings
from hbac.errors import InputError
from hbac.files import write_atomically
from hbac.image import ImageSettings, from_uint8
from hbac.metrics import kl_divergence
from hbac.resnet import NetworkSettings, Tensors, build
from hbac.weights import set_weights, write_safetensors

if TYPE_CHECKING:
    import keras

BN_MOMENTUM = 0.9  # in training; Keras's 0.99 still remembers the first weights after the few steps of a small data set
BN_BATCHES = 16  # of plain training images, for the statistics of the averaged weights
AVERAGED_SHARE = 1 / 3  # of an epoch: the span that the moving average of the weights remembers


@dataclass(frozen=True)
class Stage:
    """A stretch of epochs with one learning-rate schedule: warm-up, then cosine decay to 0."""

    epochs: int
    learning_rate: float
    fewest_votes: int  # rows with fewer are left out, unless that leaves none


@dataclass(frozen=True)
class TrainSettings:
    """What defines a training run."""

    network: NetworkSettings
    stages: tuple[Stage, ...]
    views: ViewSettings = ViewSettings()
    batch_size: int = 16
    mixup_alpha: float = 0.3  # 0 for none
    warm_up_share: float = 0.1  # of a stage's steps
    seed: int = 0


@dataclass(frozen=True)
class TrainData:
    """The rows: images as they are cached, and what is known of each."""

    images: npt.NDArray[np.uint8]  # (rows, 400, 300, 3), memory-mapped
    votes: npt.NDArray[np.float32]  # (rows, 6), summing to 1
    counts: npt.NDArray[np.float32]  # (rows,) votes of each row
    eeg_ids: npt.NDArray[np.int64]  # (rows,)
    preprocessing: ImageSettings

    def load(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Images of some rows as the network takes them, (len(rows), 400, 300, 3) float32."""
        return from_uint8(self.images[rows], self.preprocessing)

    def eeg_weights(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(len(rows),) weights by which each EEG among `rows` weighs one."""
        _, which, count = np.unique(self.eeg_ids[rows], return_inverse=True, return_counts=True)
        return 1.0 / count[which]


@dataclass
class Progress:
    """How far a fold is: what its state file holds beside the tensors."""

    epochs_done: int = 0
    best_kl: float = float("inf")
    history: list[dict[str, float]] = field(default_factory=list)  # epoch, stage, learning_rate, loss, kl


@dataclass(frozen=True)
class FoldFiles:
    """Where a fold lies: its checkpoint, its answers for the validation rows, and the state to resume from."""

    checkpoint: Path
    answers: Path
    state: Path


class TimeBudget:
    """Whether there is time for another epoch, by the longest so far of all folds.

    Args:
        limit_s: seconds from now; None for no limit.
    """

    def __init__(self, limit_s: float | None):
        self._end = None if limit_s is None else time.monotonic() + limit_s
        self._longest_s = 0.0

    def has_another(self) -> bool:
        """True if an epoch begun now would end in time, a tenth of its length to spare."""
        return self._end is None or time.monotonic() + 1.1 * self._longest_s < self._end

    def took(self, seconds: float) -> None:
        """Remember how long an epoch took."""
        self._longest_s = max(self._longest_s, seconds)


def claim_folder(folder: Path, run: dict[str, Any], resume: bool) -> None:
    """Make sure that a folder holds this very run, a new one or, with `resume`, an earlier part of it.

    Args:
        folder: where the run keeps its files.
        run: what defines it: dataclasses, records, numbers by name.
        resume: whether an earlier part is to be taken up.

    Raises:
        InputError: the folder holds another run, or holds this one and `resume` is False.
    """
    path = folder / "run.json"
    stated = {name: hashlib.sha256(repr(value).encode()).hexdigest() for name, value in run.items()}
    if path.exists() and any(folder.glob("*.state")):
        if not resume:
            raise InputError(f"{folder}: expected an empty folder, received a run; go on with it by --resume")
        earlier = json.loads(path.read_text())
        differing = [name for name in stated if earlier.get(name) != stated[name]]
        if differing:
            raise InputError(f"{folder}: expected this very run, received one with another {', '.join(differing)}")
    write_atomically(path, json.dumps(stated).encode())


def train_fold(
    data: TrainData,
    train: npt.NDArray[np.int64],
    valid: npt.NDArray[np.int64],
    settings: TrainSettings,
    files: FoldFiles,
    fold: int,
    reliable_votes: int,
    start_weights: Tensors | None = None,
    budget: TimeBudget | None = None,
    log: Callable[[str], None] = print,
) -> Progress:
    """Train one fold, or go on with it where its state file says it was.

    Args:
        data: all rows.
        train: row numbers to learn from.
        valid: row numbers of other patients, which choose the epoch.
        settings: what defines the run.
        files: where checkpoint, answers and state go.
        fold: number of the fold; part of every seed.
        reliable_votes: rows with so many votes choose the epoch, if there are any.
        start_weights: tensors to start from, by name; those of the head may be missing.
        budget: an epoch that would end later than this allows is not begun.
        log: takes one line an epoch.

    Raises:
        InputError: a file cannot be written.
    """
    run = _Fold(data, train, valid, settings, files, fold, reliable_votes)
    run.start(start_weights)
    budget = budget or TimeBudget(None)
    for number, epoch in run.epochs():
        if not budget.has_another():
            log(f"fold {fold}: no time for epoch {number + 1} of {run.total}")
            break
        started = time.monotonic()
        log(f"fold {fold}: {run.epoch(number, *epoch)}")
        budget.took(time.monotonic() - started)
    return run.progress


def read_progress(state: Path) -> Progress:
    """How far the fold of a state file is."""
    from safetensors import safe_open

    with safe_open(os.fspath(state), framework="numpy") as file:
        return Progress(**json.loads(file.metadata()["progress"]))


class _Fold:
    def __init__(
        self,
        data: TrainData,
        train: npt.NDArray[np.int64],
        valid: npt.NDArray[np.int64],
        settings: TrainSettings,
        files: FoldFiles,
        fold: int,
        reliable_votes: int,
    ):
        self.data, self.settings, self.files, self.fold = data, settings, files, fold
        enough = [train[data.counts[train] >= stage.fewest_votes] for stage in settings.stages]
        self.stage_rows = [rows if len(rows) else train for rows in enough]
        self.valid = valid
        reliable = data.counts[valid] >= reliable_votes
        self.judged = reliable if reliable.any() else np.ones(len(valid), bool)  # which validation rows choose
        self.total = sum(stage.epochs for stage in settings.stages)
        self.progress = Progress()

    def start(self, start_weights: Tensors | None) -> None:
        """Build the network, from the state file if there is one."""
        import keras

        keras.utils.set_random_seed(self.settings.seed + self.fold)
        self.model = build(self.settings.network)
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = BN_MOMENTUM
        if start_weights:
            set_weights(self.model, {**{v.path: v.numpy() for v in self.model.weights}, **start_weights})
        self._optimizer_state: list[np.ndarray] = []
        if self.files.state.exists():
            self._load_state()

    def epochs(self) -> Iterator[tuple[int, tuple[int, int]]]:
        """Numbers of the epochs to come, and of each its stage and its number in the stage."""
        of_stages = [(s, e) for s, stage in enumerate(self.settings.stages) for e in range(stage.epochs)]
        yield from list(enumerate(of_stages))[self.progress.epochs_done :]

    def epoch(self, number: int, stage: int, epoch: int) -> str:
        """Train one epoch, validate, write what there is to keep; a line that says how it went."""
        if epoch == 0:
            self._optimizer_state = []  # a new stage starts with a new optimizer, after a kill too
        if epoch == 0 or not self.model.compiled:
            self._compile(stage)
        rng = np.random.default_rng([self.settings.seed, self.fold, stage, epoch])
        for layer in self.model.layers:
            if hasattr(layer, "seed_generator"):  # dropout
                layer.seed_generator.state.assign(rng.integers(2**31, size=2))
        batches = _batches(self.data, self.stage_rows[stage], self.settings, rng)
        raw: list[np.ndarray] = []
        keep_raw = _callback(lambda: raw.extend(v.numpy() for v in self.model.weights))
        history = self.model.fit(batches, callbacks=[keep_raw], verbose=0, shuffle=False)  # ends with averaged weights
        answers = self._validate(rng)
        votes = self.data.votes[self.valid]
        weights = self.data.eeg_weights(self.valid[self.judged])
        kl = float(np.average(kl_divergence(votes, answers)[self.judged], weights=weights))
        rate = self._learning_rate(stage, (epoch + 1) * len(batches))
        loss = float(history.history["loss"][-1])
        self.progress.history.append({"epoch": number, "stage": stage, "learning_rate": rate, "loss": loss, "kl": kl})
        if kl < self.progress.best_kl:
            self.progress.best_kl = kl
            write_safetensors(self.files.checkpoint, {v.path: v.numpy() for v in self.model.weights}, np.float16)
            _save_array(self.files.answers, answers)
        self.progress.epochs_done = number + 1
        for variable, value in zip(self.model.weights, raw):
            variable.assign(value)
        self._save_state()
        return f"epoch {number + 1} of {self.total}, stage {stage + 1}: loss {loss:.4f}, KL {kl:.4f}"

    def _compile(self, stage: int) -> None:
        import keras

        steps = self._steps(stage)
        momentum = 1 - 1 / max(2.0, steps / self.settings.stages[stage].epochs * AVERAGED_SHARE)
        optimizer = keras.optimizers.Adam(self._schedule(stage), use_ema=True, ema_momentum=momentum)
        self.model.compile(optimizer, keras.losses.KLDivergence())
        optimizer.build(self.model.trainable_variables)
        if self._optimizer_state and len(self._optimizer_state) == len(optimizer.variables):
            for variable, value in zip(optimizer.variables, self._optimizer_state):
                variable.assign(value)
        self._optimizer_state = []

    def _steps(self, stage: int) -> int:
        return self.settings.stages[stage].epochs * -(-len(self.stage_rows[stage]) // self.settings.batch_size)

    def _schedule(self, stage: int) -> Any:
        import keras

        steps = self._steps(stage)
        warm_up = int(self.settings.warm_up_share * steps)
        return keras.optimizers.schedules.CosineDecay(
            0.0, max(steps - warm_up, 1), warmup_target=self.settings.stages[stage].learning_rate, warmup_steps=warm_up
        )

    def _learning_rate(self, stage: int, step: int) -> float:
        return float(self._schedule(stage)(step))

    def _validate(self, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """(validation rows, 6) answers of the averaged weights, their statistics estimated anew."""
        import keras

        size = self.settings.batch_size
        train = np.concatenate(self.stage_rows)
        norms = [layer for layer in self.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        for i in range(min(BN_BATCHES, max(1, len(train) // size))):
            for layer in norms:
                layer.momentum = i / (i + 1)  # the plain mean over the batches
            rows = np.sort(rng.choice(train, min(size, len(train)), replace=False))
            self.model(self.data.load(rows), training=True)
        for layer in norms:
            layer.momentum = BN_MOMENTUM
        parts = [self.valid[i : i + size] for i in range(0, len(self.valid), size)]
        return np.concatenate([np.asarray(self.model.predict_on_batch(self.data.load(rows))) for rows in parts])

    def _save_state(self) -> None:
        from safetensors.numpy import save

        tensors = {f"model/{v.path}": np.array(v.numpy(), order="C") for v in self.model.weights}
        optimizer = self.model.optimizer.variables
        tensors |= {f"optimizer/{i:04d}": np.array(v.numpy(), order="C") for i, v in enumerate(optimizer)}
        write_atomically(self.files.state, save(tensors, {"progress": json.dumps(self.progress.__dict__)}))

    def _load_state(self) -> None:
        from safetensors import safe_open

        with safe_open(os.fspath(self.files.state), framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        self.progress = read_progress(self.files.state)
        set_weights(self.model, {name[6:]: value for name, value in tensors.items() if name.startswith("model/")})
        names = sorted(name for name in tensors if name.startswith("optimizer/"))
        self._optimizer_state = [tensors[name] for name in names]


def _batches(data: TrainData, rows: npt.NDArray[np.int64], settings: TrainSettings, rng: np.random.Generator) -> Any:
    """One epoch as Keras takes it: shuffled, augmented and mixed batches, rows weighing by their votes."""
    import keras

    order = rng.permutation(rows)
    seeds = rng.integers(2**63, size=-(-len(rows) // settings.batch_size))

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return len(seeds)

        def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            chosen = np.sort(order[i * settings.batch_size : (i + 1) * settings.batch_size])
            own = np.random.default_rng(seeds[i])
            x = augment.random_views(data.load(chosen), data.preprocessing, settings.views, own)
            y = data.votes[chosen]
            if settings.mixup_alpha:
                x, y = augment.mixup(x, y, settings.mixup_alpha, own)
            counts = data.counts[chosen]
            return x, y, counts / (counts + 5)  # 3 votes say less than 15

    return Batches()


def _callback(at_epoch_end: Callable[[], None]) -> "keras.callbacks.Callback":
    import keras

    class AtEpochEnd(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            at_epoch_end()

    return AtEpochEnd()


def _save_array(path: Path, array: npt.NDArray[np.float32]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_atomically(path, buffer.getvalue())
