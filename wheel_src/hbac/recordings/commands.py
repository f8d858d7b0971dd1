"""The command `hbac scan`: its options, and what it prints."""

import argparse
import sys
from pathlib import Path

from hbac.kaggle import MANIFEST_NAME
from hbac.network.settings import AUTO, ENGINES


def add_scan_options(parser: argparse.ArgumentParser) -> None:
    """The options of `hbac scan`."""
    add = parser.add_argument
    add("recordings", type=Path, nargs="+", metavar="RECORDING", help="EDF, BDF, or what MNE reads")
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the results")
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
    add(
        "--resume",
        action="store_true",
        help="leave out recordings whose results are there, of the same input and settings",
    )
    add("--quiet", action="store_true", help="no progress bar")


def run_scan(options: argparse.Namespace) -> None:
    """Scan what the options say.

    Raises:
        HbacError: what the user has to mend, also where it is one recording and the others are done.
    """
    from hbac.errors import InputError
    from hbac.recordings.events import Rules
    from hbac.recordings.run import ScanSettings, scan_files

    keep = options.threshold / 2 if options.keep is None else options.keep
    settings = ScanSettings(
        recordings=tuple(options.recordings),
        output=options.output,
        manifest=options.manifest,
        step_s=options.step,
        rules=Rules(options.threshold, keep, options.shortest, options.merge, options.split),
        unit=options.unit,
        engine=options.engine,
        resume=options.resume,
        progress=not options.quiet,
    )
    failed = 0
    for outcome in scan_files(settings):
        failed += outcome.failed
        print(outcome.line, file=sys.stderr if outcome.failed else sys.stdout, flush=True)
    if failed:
        raise InputError(f"expected {len(settings.recordings)} recordings that can be scanned, {failed} could not")
