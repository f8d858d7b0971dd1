"""`hbac adapt`: a manifest's folds fitted to a user's own EEG, what that gains and costs, and a new manifest."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hbac import hms
from hbac.adaptation.features import PART, Array
from hbac.adaptation.fitting import Labelled, check_labelled, check_records, fit_heads, measure_gain
from hbac.adaptation.forgotten import TOLERATED, simulated_records
from hbac.adaptation.head import Floats
from hbac.adaptation.images import UserRecords, read_user_records
from hbac.adaptation.labels import read_labels
from hbac.adaptation.members import Folds, Rows
from hbac.adaptation.written import check_output, write_adapted
from hbac.ensemble.calibrated import check_preprocessing
from hbac.errors import InputError
from hbac.files import sha256_of
from hbac.machine.environment import settle
from hbac.machine.packages import OF_RUN, need
from hbac.network.graph import Tensors
from hbac.preprocessing.preset import Preset
from hbac.streams import open_closed_descriptors, say
from hbac.training.metrics import kl_divergence
from hbac.weights.manifest import read_manifest

SIMULATED = 60  # records that show what was forgotten
HISTORY = "adaptations"  # of a manifest's training section

Log = Callable[[str], None]


def _print(line: str) -> None:
    say(line, sys.stdout)


def adapt(
    manifest: Path,
    data: Path,
    output: Path,
    labels: Path | None = None,
    note: str = "",
    simulated: int = SIMULATED,
    log: Log = _print,
) -> Path:
    """Fit a manifest's folds to a user's own EEG and write them as a new manifest; its path.

    Without labels, the statistics of batch normalisation go half-way to those of the user's records. With labels, the
    heads are corrected too, and what all of it gains on held-out patients is measured and said before anything is
    written.

    Args:
        manifest: folds to start from; they stay as they are.
        data: folder of EEG files (`*.parquet` or `eegs/*.parquet`), or a test folder.
        output: folder for `weights_manifest.json` and the folds; a file of these names is never overwritten.
        labels: CSV file, see `adaptation.labels.read_labels`.
        note: goes into the manifest.
        simulated: records that show what was forgotten; 0 for none.
        log: takes each line.

    Raises:
        InputError: data, labels or arguments do not fit, there are too few records, or labels do not pay.
        OutputError: the output cannot be written, or a file is there already.
        WeightsError: the manifest or a fold is not as it must be.
        MachineError: a package does not work on this machine.
    """
    open_closed_descriptors()
    settle()
    need(*OF_RUN, *(["scikit-learn"] if labels else []))
    if simulated < 0:
        raise InputError(f"simulated: expected 0 or more records, received {simulated}")
    parent = read_manifest(manifest)
    check_output(output, len(parent.folds))
    check_preprocessing(parent)
    records = _read(data, parent.preprocessing, log)
    stated = {"parent": sha256_of(manifest), "note": note, **_described(records)}
    table = _labelled(labels, records, log) if labels else None
    folds = Folds(parent)
    adapted = folds.with_statistics(records.images)
    if labels and table:
        adapted, learnt = _learn(folds, adapted, records.images[table[0]], table[1], log)
        stated |= {"labels_sha256": sha256_of(labels), **learnt}
    if simulated:
        stated["simulated"] = _forgotten(
            folds, adapted, simulated_records(simulated, parent.preprocessing, records.files), log
        )
    earlier = parent.training.get(HISTORY)
    history = [*(earlier if isinstance(earlier, list) else []), stated]
    written = write_adapted(parent, adapted, output, {**parent.training, HISTORY: history})
    log(f"{written}: {len(adapted)} folds, adapted to {len(records.names)} records")
    return written


def _read(data: Path, preset: Preset, log: Log) -> UserRecords:
    records = read_user_records(data, preset)
    for name, why in records.left_out.items():
        log(f"{name}: left out: {why}")
    log(f"{data}: {len(records.names)} records, {len(records.left_out)} left out")
    check_records(len(records.names))
    return records


def _labelled(path: Path, records: UserRecords, log: Log) -> tuple[Rows, Labelled]:
    """The labels of the records that could be read, and the numbers of these."""
    labels = read_labels(path, [*records.names, *records.left_out])
    rows = {name: row for row, name in enumerate(records.names)}
    there = [i for i, name in enumerate(labels.names) if name in rows]
    labelled = Labelled(labels.votes[there], tuple(labels.patients[i] for i in there))
    if not labels.patients_stated:
        log(f"{path}: no column patient: each record counts as a patient of its own")
    counts = ", ".join(f"{name} {count}" for name, count in class_counts(labelled).items())
    log(f"{path}: {len(there)} labelled records of {len(set(labelled.patients))} patients: {counts}")
    check_labelled(labelled)
    return np.array([rows[labels.names[i]] for i in there], np.int64), labelled


def class_counts(labelled: Labelled) -> dict[str, int]:
    """Records by the class with most votes."""
    counts = np.bincount(labelled.votes.argmax(axis=1), minlength=len(hms.CLASSES))
    return dict(zip(hms.CLASSES, counts.tolist()))


def _learn(
    folds: Folds, adapted: list[Tensors], images: Array, labelled: Labelled, log: Log
) -> tuple[list[Tensors], dict[str, Any]]:
    """Folds with heads that have learnt from the labels of images; how, and what that gains, as a manifest states it.

    Raises:
        InputError: they do not pay.
    """
    members = folds.members(adapted, images)
    gain = measure_gain(folds.members(folds.shipped, images), members, labelled, folds.calibration)
    log(
        f"on held-out patients: KL {gain.before:.3f} before, {gain.alone:.3f} with statistics alone, {gain.after:.3f} with "
        f"labels: gain {gain.mean:+.3f}, 95 % interval {gain.low:+.3f} to {gain.high:+.3f}"
    )
    if gain.mean <= 0:
        raise InputError(
            f"labels do not pay: expected a mean gain above 0 on held-out patients, received {gain.mean:+.3f}; nothing is "
            "written; without labels, statistics alone may still help"
        )
    heads, choice = fit_heads(members, labelled, folds.calibration)
    return heads, {
        "labelled": class_counts(labelled),
        "patients": len(set(labelled.patients)),
        **asdict(choice),
        "gain": {**asdict(gain), "mean": gain.mean},
    }


def _forgotten(folds: Folds, adapted: list[Tensors], simulated: tuple[Array, Floats], log: Log) -> dict[str, float]:
    """KL of simulated records before and after, said."""
    images, votes = simulated
    before, after = (float(kl_divergence(votes, folds.answers(one, images)).mean()) for one in (folds.shipped, adapted))
    log(
        f"on {len(votes)} simulated records: KL {before:.3f} before, {after:.3f} after, {after - before:+.3f}; statistics alone "
        f"should cost {TOLERATED:g} at most"
    )
    return {"records": len(votes), "before": before, "after": after}


def _described(records: UserRecords) -> dict[str, Any]:
    """Records as a manifest states them: how many, and their digest, no names."""
    return {
        "records": len(records.names),
        "left_out": len(records.left_out),
        "records_sha256": records.digest,
        "part_of_statistics": PART,
    }
