"""What `hbac adapt` gains on real EEG: PYTHONPATH=wheel_src python tests/bench/adapt.py FOLDER

FOLDER holds labels.csv (sample, six vote columns, set, patient) and eegs/SAMPLE.parquet, as for real_eeg.py. Each of five
draws gives 30 clips, whole patients, to adapt on; the other patients' clips judge. KL divergence, prior divided out, mean
over both views, in nats; intervals of 95 % are of a bootstrap over patients. Labels are refused where the mean gain that
the draw measures on itself is not positive, and count 0 then.

    --vecams  adapt on the set vecams, judge on the others; and vecams itself, one patient held out at a time
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from hbac import hms
from hbac.adaptation.fitting import Gain, Labelled, choose, fit_heads, gain_of, held_out_kl, measure_gain
from hbac.adaptation.members import Folds, answer_of
from hbac.preprocessing.load import image_of_eeg
from hbac.records.parquet import read_eeg
from hbac.training.metrics import kl_divergence
from hbac.weights.manifest import read_manifest

CLIPS = 30  # of a draw
LABELS = (0, 12, 30)  # of them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--manifest", type=Path, default=Path("weights_manifest.json"))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--vecams", action="store_true")
    options = parser.parse_args()
    manifest = read_manifest(options.manifest)
    table = pd.read_csv(options.folder / "labels.csv")
    votes = table[list(hms.VOTE_COLUMNS)].to_numpy(np.float64)
    everything = Labelled(votes / votes.sum(axis=1, keepdims=True), tuple(table["patient"]))
    paths = [options.folder / "eegs" / f"{sample}.parquet" for sample in table["sample"]]
    images = np.stack([image_of_eeg(read_eeg(path), None, manifest.preprocessing) for path in paths])
    folds = Folds(manifest)
    shipped = folds.members(folds.shipped, images)
    if options.vecams:
        vecams(folds, shipped, images, everything, table["set"].to_numpy() == "vecams")
    else:
        draws(folds, shipped, images, everything, options.draws)


def draws(folds: Folds, shipped: list, images: np.ndarray, everything: Labelled, count: int) -> None:
    """A table of draws by number of labels."""
    rng = np.random.default_rng(0)
    gains: dict[int, list[float]] = {labels: [] for labels in LABELS}
    for draw in range(count):
        rows = drawn(everything, rng)
        others = np.setdiff1d(np.arange(len(images)), rows)
        members = folds.members(folds.with_statistics(images[rows]), images)
        for labels in LABELS:
            judged, own = of_draw(folds, shipped, members, everything, rows[:labels], others)
            paid = own is None or own.mean > 0
            gains[labels].append(judged.mean * paid)
            measured = f"; measured on itself {shown(own)}" if own else ""
            print(f"draw {draw}, {labels:2} labels: {shown(judged)}{measured}{'' if paid else ', refused'}", flush=True)
    for labels, means in gains.items():
        print(f"mean of the draws, {labels:2} labels, refused ones as 0: {np.mean(means):+.3f}")


def drawn(everything: Labelled, rng: np.random.Generator) -> np.ndarray:
    """Rows of whole patients, in the patients' random order, until there are enough."""
    rows: list[int] = []
    for patient in rng.permutation(sorted(set(everything.patients))):
        if len(rows) < CLIPS:
            rows += [i for i, of in enumerate(everything.patients) if of == patient]
    return np.array(rows)


def of_draw(
    folds: Folds, shipped: list, members: list, everything: Labelled, learn: np.ndarray, judge: np.ndarray
) -> tuple[Gain, Gain | None]:
    """The gain on the others, and what the draw measures on itself if it has labels."""
    before = kl_divergence(everything.votes[judge], answer_of([m.of(judge) for m in shipped], folds.calibration))
    patients = everything.of(judge).patients
    if not len(learn):
        after = kl_divergence(everything.votes[judge], answer_of([m.of(judge) for m in members], folds.calibration))
        return gain_of(before, after, patients), None
    labels, here = everything.of(learn), [m.of(learn) for m in members]
    own = measure_gain([m.of(learn) for m in shipped], here, labels, folds.calibration)
    choice = choose(here, labels, folds.calibration)
    after = held_out_kl(members, everything, choice, (learn, judge), folds.calibration)
    return gain_of(before, after, patients), own


def vecams(folds: Folds, shipped: list, images: np.ndarray, everything: Labelled, of_set: np.ndarray) -> None:
    """Adapt on one set, judge on the others; and judge on itself, patient by patient, with the statistics of all of it."""
    own, others = np.flatnonzero(of_set), np.flatnonzero(~of_set)
    labels, patients = everything.of(own), everything.of(others).patients
    calibration = folds.calibration
    before = kl_divergence(everything.votes, answer_of(shipped, calibration))
    statistics = folds.with_statistics(images[own])
    members = folds.members(statistics, images)
    alone = kl_divergence(everything.votes, answer_of(members, calibration))
    heads, choice = fit_heads([m.of(own) for m in members], labels, calibration)
    written = kl_divergence(everything.votes[others], folds.answers(heads, images[others]))
    print(f"chosen on vecams: strength {choice.strength:g}, smoothing {choice.smoothing:g}")
    print(f"statistics, judged on the others: {shown(gain_of(before[others], alone[others], patients))}")
    print(f"statistics and heads, judged on the others: {shown(gain_of(before[others], written, patients))}")
    one_out = np.zeros(len(own))
    here = [m.of(own) for m in members]
    for patient in sorted(set(labels.patients)):
        judged = np.array([of == patient for of in labels.patients])
        learn, judge = np.flatnonzero(~judged), np.flatnonzero(judged)
        choice = choose([m.of(learn) for m in here], labels.of(learn), calibration)
        one_out[judged] = held_out_kl(here, labels, choice, (learn, judge), calibration)
    print(f"statistics, judged on vecams: {shown(gain_of(before[own], alone[own], labels.patients))}")
    print(f"statistics and heads, vecams patient by patient: {shown(gain_of(before[own], one_out, labels.patients))}")


def shown(gain: Gain) -> str:
    return f"{gain.before:.3f} to {gain.after:.3f}: {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"


if __name__ == "__main__":
    main()
