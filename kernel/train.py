"""Train the folds: from train.csv to a manifest that kernel/infer.py takes.

    python kernel/train.py --data DIR --output DIR [--width 64] [--folds 5] [--epochs 8]

DIR is a folder in the competition's format, the competition's own or one of `hbac simulate`. Images are made by the
same package that makes them for inference and kept as images.npy, uint8, so that a second run starts at once.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
if (HERE.parent / "wheel_src" / "hbac").is_dir():  # a checkout
    sys.path.insert(0, str(HERE.parent / "wheel_src"))

import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

from hbac import augment  # noqa: E402
from hbac import competition as hms  # noqa: E402
from hbac.folds import patient_folds  # noqa: E402
from hbac.image import PRESETS, SHAPE, THREE_ZOOMS, from_uint8, to_uint8  # noqa: E402
from hbac.loading import Loader  # noqa: E402
from hbac.metrics import best_temperature, kl_divergence  # noqa: E402
from hbac.tables import read_train_table  # noqa: E402

# Settings
WINDOWS_PER_GROUP = 2  # windows of one EEG with the same votes are near copies of each other
RELIABLE_VOTES = 10  # rows with this many votes or more choose the epoch and the temperature
BATCH = 16
LEARNING_RATE = 2e-3
WARM_UP_SHARE = 0.1
MIXUP_ALPHA = 0.3
DROPOUT = 0.2
VIEWS = augment.ViewSettings()
BN_MOMENTUM = 0.9  # Keras's 0.99 still remembers the first weights after the few hundred steps of a small data set
PREPROCESSING = PRESETS[THREE_ZOOMS]


def main() -> None:
    options = parse_options()
    options.output.mkdir(parents=True, exist_ok=True)

    # 1. Rows: at most two windows of each EEG and vote; votes as fractions; reliable rows.
    records, table = read_train_table(options.data)
    chosen = choose_windows(table)
    records, table = [records[i] for i in chosen], table.iloc[chosen].reset_index(drop=True)
    counts = table[list(hms.VOTE_COLUMNS)].to_numpy(np.float32)
    votes = counts / counts.sum(axis=1, keepdims=True)  # (rows, 6)
    reliable = counts.sum(axis=1) >= RELIABLE_VOTES
    weights = (counts.sum(axis=1) / (counts.sum(axis=1) + 5)).astype(np.float32)  # 3 votes say less than 15

    # 2. Images, made once.
    images = cached_images(records, options.output / "images.npy")

    # 3. Folds by patient; each trained, and each answering the patients it has not seen.
    prior = votes[reliable].mean(axis=0) if reliable.any() else votes.mean(axis=0)
    oof = np.zeros_like(votes)
    scores = []
    for fold, (train, valid) in enumerate(
        patient_folds(
            votes.argmax(axis=1).tolist(), table["patient_id"].astype(int).tolist(), options.folds, options.seed
        )
    ):
        path = options.output / f"{options.name}{fold}.safetensors"
        oof[valid] = train_fold(images, votes, weights, reliable, train, valid, path, options, seed=options.seed + fold)
        chosen_rows = valid[reliable[valid]] if reliable[valid].any() else valid
        scores.append(float(kl_divergence(votes[chosen_rows], oof[chosen_rows]).mean()))
        print(f"fold {fold}: KL {scores[-1]:.4f} on {len(chosen_rows)} reliable rows of patients it has not seen")

    # 4. Temperature, figures, manifest.
    rows = reliable if reliable.any() else np.ones_like(reliable)
    temperature = best_temperature(votes[rows], oof[rows])
    figures = {
        "kl": float(kl_divergence(votes[rows], oof[rows]).mean()),
        "kl_of_class_prior": float(kl_divergence(votes[rows], np.tile(prior, (int(rows.sum()), 1))).mean()),
        "accuracy": float((oof[rows].argmax(1) == votes[rows].argmax(1)).mean()),
    }
    print(f"out of fold, {int(rows.sum())} rows: {figures}, temperature {temperature:.3f}")
    write_results(options, scores, figures, temperature, prior)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train.csv, train_eegs/, train_spectrograms/"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for folds, manifest and image cache")
    parser.add_argument("--width", type=int, default=64, help="of the network [%(default)s: ResNet50]")
    parser.add_argument("--folds", type=int, default=5, help="[%(default)s]")
    parser.add_argument("--epochs", type=int, default=8, help="[%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    parser.add_argument("--name", default="fold", help="start of the checkpoints' names [%(default)s]")
    parser.add_argument("--title", default="ResNet50 folds", help="what the manifest says they are [%(default)s]")
    return parser.parse_args()


def choose_windows(table) -> list[int]:
    """Row numbers of at most two windows of each EEG and vote, the first and the last."""
    groups = defaultdict(list)
    for row, key in enumerate(zip(table["eeg_id"], *(table[column] for column in hms.VOTE_COLUMNS))):
        groups[key].append(row)
    return sorted({row for rows in groups.values() for row in (rows[0], rows[-1])[:WINDOWS_PER_GROUP]})


def cached_images(records, path: Path) -> np.ndarray:
    """(rows, 400, 300, 3) uint8, memory-mapped; made by the processes that read records in inference too."""
    key = {"preprocessing": PREPROCESSING.digest(), "rows": [[r.eeg_id, r.eeg_offset_s] for r in records]}
    note = path.with_suffix(".json")  # written when the cache is whole
    if not (note.exists() and json.loads(note.read_text()) == key):
        print(f"making {len(records)} images, {len(records) * np.prod(SHAPE) / 1e9:.2f} GB: {path}")
        cache = np.lib.format.open_memmap(path, "w+", np.uint8, (len(records), *SHAPE))
        row = {(r.eeg_id, r.eeg_offset_s): i for i, r in enumerate(records)}
        with Loader(records, PREPROCESSING, workers=2) as loader:
            for loaded in tqdm(loader, total=len(records), unit="record"):
                if loaded.image is None:
                    raise SystemExit(f"eeg_id {loaded.record.eeg_id}: {'; '.join(loaded.notes)}")
                cache[row[loaded.record.eeg_id, loaded.record.eeg_offset_s]] = to_uint8(loaded.image, PREPROCESSING)
        cache.flush()
        note.write_text(json.dumps(key))
    return np.load(path, mmap_mode="r")


def train_fold(images, votes, weights, reliable, train, valid, path, options, seed) -> np.ndarray:
    """Train one fold, write its best epoch, and return its answers for the validation rows, (rows, 6)."""
    import keras

    from hbac.resnet import NetworkSettings, build
    from hbac.weights import write_safetensors

    keras.utils.set_random_seed(seed)
    network = NetworkSettings(width=options.width, dropout=DROPOUT)
    model = build(network)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BN_MOMENTUM
    rng = np.random.default_rng(seed)

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return -(-len(train) // BATCH)

        def on_epoch_begin(self) -> None:
            rng.shuffle(train)

        def __getitem__(self, i):
            rows = np.sort(train[i * BATCH : (i + 1) * BATCH])
            x = augment.random_views(from_uint8(images[rows], PREPROCESSING), PREPROCESSING, VIEWS, rng)
            x, y = augment.mixup(x, votes[rows], MIXUP_ALPHA, rng)
            return x, y, weights[rows]

    def answers(rows) -> np.ndarray:
        parts = [
            model.predict_on_batch(from_uint8(images[rows[i : i + BATCH]], PREPROCESSING))
            for i in range(0, len(rows), BATCH)
        ]
        return np.concatenate(parts)

    class KeepBest(keras.callbacks.Callback):
        kl, answers = np.inf, None

        def on_epoch_end(self, epoch, logs=None) -> None:
            predicted = answers(valid)
            rows = reliable[valid] if reliable[valid].any() else slice(None)
            kl = kl_divergence(votes[valid][rows], predicted[rows]).mean()
            print(f"  epoch {epoch + 1}: loss {logs['loss']:.4f}, KL {kl:.4f}", flush=True)
            if kl < self.kl:
                self.kl, self.answers = kl, predicted
                write_safetensors(path, {v.path: v.numpy() for v in model.weights}, np.float16)

    steps = options.epochs * -(-len(train) // BATCH)
    warm_up = int(WARM_UP_SHARE * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - warm_up, 1), warmup_target=LEARNING_RATE, warmup_steps=warm_up
    )
    model.compile(keras.optimizers.Adam(schedule), keras.losses.KLDivergence())
    best = KeepBest()
    model.fit(Batches(), epochs=options.epochs, callbacks=[best], verbose=0)
    return best.answers


def write_results(options, scores, figures, temperature, prior) -> None:
    from hbac.engine import TensorFlowEngine
    from hbac.ensemble import Checkpoint, new_manifest
    from hbac.manifest import MANIFEST_NAME, write_manifest
    from hbac.resnet import NetworkSettings

    network = NetworkSettings(width=options.width)
    manifest = new_manifest(
        [
            Checkpoint(options.output / f"{options.name}{fold}.safetensors", score={"kl": round(score, 4)})
            for fold, score in enumerate(scores)
        ],
        options.output,
        options.title,
        PREPROCESSING,
        network,
        TensorFlowEngine(network),
        round(temperature, 4),
        [round(float(p), 6) for p in prior / prior.sum()],
        {
            "data": options.data.name,
            **{name: getattr(options, name) for name in ("width", "folds", "epochs", "seed")},
            "out_of_fold": {name: round(value, 4) for name, value in figures.items()},
        },
    )
    write_manifest(manifest, options.output / MANIFEST_NAME)
    print(f"{options.output / MANIFEST_NAME}: {len(scores)} folds")


if __name__ == "__main__":
    main()
