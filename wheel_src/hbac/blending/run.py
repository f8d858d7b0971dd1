"""Output folders of several trainings to one mixed manifest, and what that gains."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hbac.blending.choice import alone, choose, measure_gain
from hbac.blending.runs import read_runs, shared_rows
from hbac.blending.said import lines, stated
from hbac.machine.environment import settle
from hbac.machine.packages import OF_RUN, need
from hbac.streams import say
from hbac.weights.compose import Share, check_new, compose

Log = Callable[[str], None]


def _print(line: str) -> None:
    say(line, sys.stdout)


def blend(folders: Sequence[Path], output: Path, log: Log = _print) -> Path:
    """Find weights and the kind of mean for several trainings over the same rows, and write the mixed manifest; its path.

    Args:
        folders: outputs of `hbac train`, two or more.
        output: a folder that is not there or empty.
        log: takes each line.

    Raises:
        InputError: a table is not usable, or the runs differ in a row's votes or patient.
        OutputError: there is something at `output`, or it cannot be written.
        WeightsError: a manifest or a fold is not as it must be.
    """
    settle()
    need(*OF_RUN, "scikit-learn")
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    check_new(output)
    runs = read_runs(folders)
    rows = shared_rows(runs)
    with threadpool_limits(1):  # the same weights on any machine's cores
        choice, gain = choose(rows), measure_gain(rows)
    if gain.gain.mean <= 0:  # what was found does not hold on other patients
        choice = replace(choice, blend=alone(rows, gain.best_run))
    found = stated(runs, rows, choice, gain)
    for line in lines(found):
        log(line)
    shares = [Share(r.name, r.manifest, round(w, 6)) for r, w in zip(runs, choice.blend.weights) if w > 0]
    training = {"blend": found, "runs": {share.name: share.manifest.training for share in shares}}
    title = f"Blend of {', '.join(share.name for share in shares)}"
    path = compose(shares, output, title[:1000], choice.blend.mean, training)
    how = f", {choice.blend.mean} mean" if len(shares) > 1 else ": no blend gains on other patients"
    log(f"{path}: {len(shares)} of {len(runs)} runs{how}")
    return path
