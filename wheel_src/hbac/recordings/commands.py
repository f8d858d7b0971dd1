"""The command `hbac scan`: its options, and what it prints."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbac.kaggle import MANIFEST_NAME
from hbac.network.settings import AUTO, ENGINES

if TYPE_CHECKING:
    from hbac.recordings.run import Outcome, ScanSettings


def add_scan_options(parser: argparse.ArgumentParser) -> None:
    """The options of `hbac scan`."""
    add = parser.add_argument
    recordings = "EDF, BDF, or what MNE reads; of a folder, all below it"
    add("recordings", type=Path, nargs="+", metavar="RECORDING", help=recordings)
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    resume = "leave out recordings whose results are there, of the same input and settings"
    add("--resume", action="store_true", help=resume)
    add_settings(parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The options of every command that scans."""
    add = parser.add_argument
    add("--manifest", type=Path, default=Path(MANIFEST_NAME), metavar="FILE", help="folds to use [%(default)s]")
    add("--step", type=int, default=10, metavar="S", help="seconds that each answer stands for [%(default)s]")
    add("--unit", metavar="UNIT", help="of EDF channels that state none: uV, mV, nV or V")
    add(
        "--threshold",
        type=float,
        default=0.4,
        metavar="P",
        help="probability from which a pattern is an event [%(default)s]",
    )
    keep = "probability from which the steps beside such a one belong to the event [half the threshold]"
    add("--keep", type=float, metavar="P", help=keep)
    add("--shortest", type=float, default=10.0, metavar="S", help="seconds of an event at least [%(default)g]")
    add("--merge", type=float, default=90.0, metavar="S", help="seizures less than that apart are one [%(default)g]")
    add("--split", type=float, default=300.0, metavar="S", help="a longer seizure is several [%(default)g]")
    engine = "what computes the network [openvino where it is installed and no GPU is there, else tensorflow]"
    add("--engine", choices=ENGINES, default=AUTO, help=engine)
    dask = "spread recordings: local, a scheduler's address, or its file [one after the other]"
    add("--dask", metavar="WHERE", help=dask)
    add("--workers", type=int, metavar="N", help="processes of --dask local [usable cores]")
    add("--quiet", action="store_true", help="no progress bar")


def run_scan(options: argparse.Namespace) -> None:
    """Scan what the options say.

    Raises:
        HbacError: what the user has to mend, also where it is one recording and the others are done.
    """
    from hbac.recordings.run import scan_files

    settings = settings_of(options, recordings=tuple(options.recordings), output=options.output, resume=options.resume)
    show(scan_files(settings))


def settings_of(options: argparse.Namespace, **more: Any) -> "ScanSettings":
    """What `add_settings` has asked for, and more."""
    from hbac.recordings.events import Rules
    from hbac.recordings.run import ScanSettings

    keep = options.threshold / 2 if options.keep is None else options.keep
    return ScanSettings(
        manifest=options.manifest,
        step_s=options.step,
        rules=Rules(options.threshold, keep, options.shortest, options.merge, options.split),
        unit=options.unit,
        engine=options.engine,
        progress=not options.quiet,
        dask=options.dask,
        workers=options.workers,
        **more,
    )


def show(outcomes: "Iterable[Outcome]") -> None:
    """A line for each recording as it is done.

    Raises:
        InputError: one could not be scanned.
    """
    from hbac.errors import InputError

    found = []
    for outcome in outcomes:
        found.append(outcome.failed)
        print(outcome.line, file=sys.stderr if outcome.failed else sys.stdout, flush=True)
    if any(found):
        raise InputError(f"expected {len(found)} recordings that can be scanned, {sum(found)} could not")
