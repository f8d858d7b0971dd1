"""What a blend is and gains: as its manifest states it, and as a table for people."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hbac.blending.choice import Choice, Gain
from hbac.blending.runs import Run, SharedRows
from hbac.training.metrics import kl_divergence

DIGITS = 5  # of a KL


def stated(runs: Sequence[Run], rows: SharedRows, choice: Choice, gain: Gain) -> dict[str, Any]:
    """For the manifest's training section."""
    alone = [np.average(kl_divergence(rows.votes, said), weights=rows.weights) for said in rows.predictions]
    members = []
    for number, run in enumerate(runs):
        brings = choice.brings.get(number)
        of_run = {"name": run.name, "kl": _rounded(alone[number]), "weight": _rounded(choice.blend.weights[number])}
        if brings:
            of_run |= {"brings": _rounded(brings.mean), "standard_error": _rounded(brings.standard_error)}
        members.append({**of_run, "rows": len(run.table), "rows_not_in_all": rows.not_in_all[run.name]})
    return {
        "rows": len(rows.votes),
        "patients": len(set(rows.patients.tolist())),
        "fewest_votes": rows.fewest_votes,
        "rows_in_all": rows.in_all,
        "mean": choice.blend.mean,
        "kl": _rounded(np.average(choice.blend.kl(rows), weights=rows.weights)),
        "kl_on_other_patients": _rounded(gain.blend),
        "best_run": runs[gain.best_run].name,
        "gain": _rounded(gain.gain.mean),
        "standard_error": _rounded(gain.gain.standard_error),
        "runs": members,
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """What `stated` gives, to be read."""
    votes = f"with {found['fewest_votes']} votes or more" if found["fewest_votes"] else "with any number of votes"
    yield (
        f"{found['rows']} rows {votes} of {found['patients']} patients, each EEG weighing the same; "
        f"{found['rows_in_all']} rows are in all runs"
    )
    for run in found["runs"]:
        if run["rows_not_in_all"]:
            yield f"{run['name']}: {run['rows_not_in_all']} of its {run['rows']} rows are not in all runs and do not count"
    width = max(len(run["name"]) for run in found["runs"])
    yield f"{'run':{width}}  KL alone  weight    brings (standard error)"
    for run in found["runs"]:
        weight = f"{run['weight']:.3f}" if run["weight"] else "left out"
        brings = f"{run['brings']:+.4f} ({run['standard_error']:.4f})" if "brings" in run else ""
        yield f"{run['name']:{width}}  {run['kl']:.4f}    {weight:8}  {brings}".rstrip()
    taking_part = [run["name"] for run in found["runs"] if run["weight"]]
    what = f"{found['mean']} mean" if len(taking_part) > 1 else f"{taking_part[0]} alone"
    yield (
        f"{what}: KL {found['kl']:.4f} on these rows, {found['kl_on_other_patients']:.4f} where runs, "
        "weights and mean are chosen on other patients"
    )
    yield (
        f"gain over {found['best_run']}, the best run: {found['gain']:+.4f}, standard error "
        f"{found['standard_error']:.4f} (bootstrap over patients)"
    )


def _rounded(value: float | np.floating[Any]) -> float:
    return round(float(value), DIGITS)
