"""One fold's training: two stages, a moving average of the weights, the best epoch, and a state that a kill cannot break.

Stage 1 sees all rows, stage 2 those with many votes at a lower rate. After each epoch the averaged weights get their
batch-normalisation statistics estimated anew on training images, predict the validation rows, and are kept if
their KL is the smallest so far. Every draw of an epoch comes from a generator seeded by fold, stage and epoch, so that
a resumed run goes the way an uninterrupted one goes.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hbac.clocks import WorkClock
from hbac.errors import HbacError, InputError
from hbac.files import sha256_of, write_atomically
from hbac.network.families import build, shapes
from hbac.network.graph import Tensors
from hbac.network.quiet import import_keras
from hbac.preprocessing.preset import IMAGE_AXES
from hbac.training.batch_norm import estimate_statistics, prepare, training_pass
from hbac.training.batches import epoch_batches
from hbac.training.metrics import kl_divergence
from hbac.training.optimizer import compile_model, learning_rates
from hbac.training.rows import RowNumbers, TrainData
from hbac.training.schedule import EpochBudget, TrainSettings
from hbac.training.state import FoldFiles, Progress, check_rows, digest_of_rows, new, read_state, settle, write_state
from hbac.training.views import KINDS, random_views
from hbac.weights.tensors import read_safetensors, set_weights, write_safetensors

if TYPE_CHECKING:
    import keras

View = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]

BEST, PARTIAL = ("checkpoint", "predictions"), "partial"  # files that the best epoch makes, and the end of the fold
STATISTICS_BATCHES, STATISTICS_BATCH_SIZE = 8, 64  # training images that estimate the averaged weights' statistics


def train_fold(
    data: TrainData,
    train: RowNumbers,
    valid: RowNumbers,
    settings: TrainSettings,
    files: FoldFiles,
    fold: int,
    scored_votes: int,
    start_weights: Tensors | None = None,
    budget: EpochBudget | None = None,
    log: Callable[[str], None] = print,
) -> Progress:
    """Train one fold, or go on with it where its state file says it was.

    Args:
        data: all rows.
        train: row numbers to learn from.
        valid: row numbers of other patients, which choose the epoch.
        settings: what defines the run.
        files: where checkpoint, predictions and state go.
        fold: number of the fold; part of every seed.
        scored_votes: rows with so many votes choose the epoch, if there are any.
        start_weights: tensors to start from, by name; those of the head may be missing.
        budget: an epoch that would end later than this allows is not begun.
        log: takes one line an epoch.

    Raises:
        InputError: the state is of other rows.
        OutputError: a file cannot be written.
        HbacError: the KL of an epoch is not finite.
    """
    run = _Fold(data, train, valid, settings, files, fold, scored_votes)
    run.start(start_weights)
    budget = budget or EpochBudget(None)
    for number, epoch in run.epochs():
        if not budget.has_another(run.images(epoch[0])):
            log(f"fold {fold}: no time for epoch {number + 1} of {run.total}")
            break
        with WorkClock() as work:
            started_s = work()
            log(f"fold {fold}: {run.epoch(number, *epoch)}")
            budget.took(work() - started_s, run.images(epoch[0]))
    if run.progress.epochs_done == run.total and PARTIAL not in run.progress.made and run.from_one_file:
        run.predict_from_one_file()
    return run.progress


class _Fold:
    """A fold on its way: its rows, its model, how far it is."""

    def __init__(
        self,
        data: TrainData,
        train: RowNumbers,
        valid: RowNumbers,
        settings: TrainSettings,
        files: FoldFiles,
        fold: int,
        scored_votes: int,
    ):
        self.data, self.settings, self.files, self.fold = data, settings, files, fold
        enough = [train[data.counts[train] >= stage.fewest_votes] for stage in settings.stages]
        self.stage_rows = [rows if len(rows) else train for rows in enough]
        self.train, self.valid = train, valid
        scored = data.counts[valid] >= scored_votes
        self.scored = scored if scored.any() else np.ones(len(valid), bool)  # which validation rows choose
        self.from_one_file = KINDS[data.preprocessing.preset].from_one_file
        self.total = sum(stage.epochs for stage in settings.stages)
        self.progress = Progress(rows=digest_of_rows(data.sources, train, valid))
        self._optimizer_state: list[np.ndarray[Any, Any]] = []

    def start(self, start_weights: Tensors | None) -> None:
        """Build the network, from the state file if there is one; of a finished fold only its progress is read."""
        tensors: Tensors = {}
        if self.files.state.exists():
            check_rows(self.files, self.data.sources, self.train, self.valid)
            self.progress, tensors = read_state(self.files.state)
            settle(self.files, self.progress)
        if self.progress.epochs_done == self.total:
            return
        keras = import_keras()
        keras.utils.set_random_seed(self.settings.seed + self.fold)
        self.model = self._build()
        prepare(self.model, self.settings.freeze_normalisation)
        self._forward = training_pass(self.model)
        if start_weights:
            set_weights(self.model, {**_tensors_of(self.model), **start_weights})
        if tensors:
            self._load_state(tensors)

    def _build(self) -> "keras.Model":
        """The network, of images for any height, with weights in float32 whatever it computes in."""
        network = self.settings.network
        if len(network.input_shape) == IMAGE_AXES:
            network = replace(network, input_shape=(None, *network.input_shape[1:]))
        return build(network, precision=self.settings.precision)

    def images(self, stage: int) -> float:
        """Images of full height that take as long as an epoch of a stage: a third of one for each that is predicted."""
        return len(self.stage_rows[stage]) / self.settings.stages[stage].row_step + len(self.valid) / 3

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
        loss, raw = self._fit(stage, rng)  # ends with averaged weights
        predictions = self._validate(rng)
        kl = self._mean_kl(predictions)
        if not np.isfinite(kl):
            raise HbacError(
                f"fold {self.fold}: expected a finite KL, received {kl} in epoch {number + 1}; a lower learning rate "
                "or float32 may help; --resume goes on from the epoch before"
            )
        rate = float(self._learning_rates(stage)((epoch + 1) * self._steps_per_epoch(stage)))
        self.progress.history.append({"epoch": number, "stage": stage, "learning_rate": rate, "loss": loss, "kl": kl})
        if kl < self.progress.best_kl:
            self.progress.best_kl = kl
            write_safetensors(new(self.files.checkpoint), _tensors_of(self.model), np.float16)
            _save_array(new(self.files.predictions), predictions)
            self.progress.made = {name: sha256_of(new(getattr(self.files, name))) for name in BEST}
        self.progress.epochs_done = number + 1
        for variable, value in zip(self.model.weights, raw):
            variable.assign(value)
        self._save_state()
        settle(self.files, self.progress)
        return f"epoch {number + 1} of {self.total}, stage {stage + 1}: loss {loss:.4f}, KL {kl:.4f}"

    def _fit(self, stage: int, rng: np.random.Generator) -> tuple[float, list[np.ndarray[Any, Any]]]:
        """One pass over the rows of a stage; its loss, and the weights before they were averaged."""
        for layer in self.model.layers:
            if hasattr(layer, "seed_generator"):  # dropout
                layer.seed_generator.state.assign(rng.integers(2**31, size=2))
        batches = epoch_batches(
            self.data,
            self.stage_rows[stage],
            self.settings.batch_size,
            self.settings.views,
            self.settings.mixup_alpha,
            self.settings.stages[stage].row_step,
            rng,
        )
        raw: list[np.ndarray[Any, Any]] = []
        keep_raw = _callback(lambda: raw.extend(v.numpy() for v in self.model.weights))
        history = self.model.fit(batches, callbacks=[keep_raw], verbose=0, shuffle=False)
        return float(history.history["loss"][-1]), raw

    def _steps_per_epoch(self, stage: int) -> int:
        return -(-len(self.stage_rows[stage]) // self.settings.batch_size)

    def _learning_rates(self, stage: int) -> Any:
        steps = self.settings.stages[stage].epochs * self._steps_per_epoch(stage)
        return learning_rates(self.settings.stages[stage], steps, self.settings.warm_up_share)

    def _compile(self, stage: int) -> None:
        try:
            compile_model(self.model, self._learning_rates(stage), self._steps_per_epoch(stage), self._optimizer_state)
        except InputError as error:
            raise InputError(f"{self.files.state}: {error}") from error
        self._optimizer_state = []

    def _mean_kl(self, predictions: npt.NDArray[np.float32]) -> float:
        """Over the scored validation rows, each EEG weighted equally."""
        kl = kl_divergence(self.data.votes[self.valid], predictions)[self.scored]
        return float(np.average(kl, weights=self.data.eeg_weights(self.valid[self.scored])))

    def predict_from_one_file(self) -> None:
        """The best epoch's predictions for the validation rows without one of their files, as inference sees them."""
        model = build(self.settings.network)
        set_weights(model, read_safetensors(self.files.checkpoint, shapes(self.settings.network)))
        without = [partial(self._changed, drop) for drop in self.from_one_file]
        _save_array(self.files.partial, np.stack([self._predict(model, view) for view in without]))
        self.progress.made[PARTIAL] = sha256_of(self.files.partial)
        self._save_state()

    def _changed(self, change: Callable[[Any, Any], Any], images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        changed: npt.NDArray[np.float32] = change(images, self.data.preprocessing)
        return changed

    def _predict(self, model: "keras.Model", view: View = np.asarray) -> npt.NDArray[np.float32]:
        """(validation rows, 6) probabilities for their images, changed by `view`."""
        size = self.settings.batch_size
        parts = [self.valid[i : i + size] for i in range(0, len(self.valid), size)]
        return np.concatenate([np.asarray(model.predict_on_batch(view(self.data.load(rows)))) for rows in parts])

    def _validate(self, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """(validation rows, 6) by the averaged weights, their statistics estimated anew unless they are frozen."""
        if not self.settings.freeze_normalisation:
            estimate_statistics(self.model, self._forward, self._views(np.concatenate(self.stage_rows), rng))
        return self._predict(self.model)

    def _views(self, rows: RowNumbers, rng: np.random.Generator) -> Iterator[npt.NDArray[np.float32]]:
        """Large batches of training images, changed as in training.

        With dropped files among them: of whole images alone, predictions from one file suffer.
        """
        size = min(STATISTICS_BATCH_SIZE, len(rows))
        for _ in range(min(STATISTICS_BATCHES, max(1, len(rows) // size))):
            images = self.data.load(np.sort(rng.choice(rows, size, replace=False)))
            yield random_views(images, self.data.preprocessing, self.settings.views, rng)

    def _save_state(self) -> None:
        """Tensors only while there are epochs to come: with them a full-width state has 377 MB."""
        tensors: Tensors = {}
        if self.progress.epochs_done < self.total:
            tensors = {f"model/{name}": value for name, value in _tensors_of(self.model).items()}
            optimizer = self.model.optimizer.variables
            tensors |= {f"optimizer/{i:04d}": v.numpy() for i, v in enumerate(optimizer)}
        write_state(self.files.state, self.progress, tensors)

    def _load_state(self, tensors: Tensors) -> None:
        set_weights(self.model, {name[6:]: value for name, value in tensors.items() if name.startswith("model/")})
        names = sorted(name for name in tensors if name.startswith("optimizer/"))
        self._optimizer_state = [tensors[name] for name in names]


def _tensors_of(model: "keras.Model") -> Tensors:
    return {variable.path: variable.numpy() for variable in model.weights}


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
