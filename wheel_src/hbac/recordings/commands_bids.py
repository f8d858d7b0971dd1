"""The command `hbac scan-bids`: the grammar of BIDS apps, and what it does at either level."""

import argparse
from pathlib import Path

from hbac.recordings.commands import add_settings, settings_of, show
from hbac.recordings.commands_summarise import run_summarise

PARTICIPANT, GROUP = LEVELS = ("participant", "group")


def add_bids_options(parser: argparse.ArgumentParser) -> None:
    """The options of `hbac scan-bids`."""
    add = parser.add_argument
    add("data", type=Path, metavar="BIDS_DIR", help="data set with sub-*/[ses-*/]eeg/")
    add("folder", type=Path, metavar="OUT", help="folder for the results, a derivative data set; what is done stays")
    add("level", choices=LEVELS, help="scan recordings, or summarise all that were scanned")
    _add_labels(parser, "participant", "sub")
    _add_labels(parser, "session", "ses")
    add_settings(parser)


def _add_labels(parser: argparse.ArgumentParser, of: str, prefix: str) -> None:
    flags = (f"--{of}-label", f"--{of}_label")
    text = f"with or without {prefix}- [all]"
    parser.add_argument(*flags, nargs="+", default=(), metavar="LABEL", help=text)


def run_bids(options: argparse.Namespace) -> None:
    """Do what the options say.

    Raises:
        HbacError: what the user has to mend, also where it is one recording and the others are done.
    """
    from hbac.errors import InputError
    from hbac.recordings.bids import recordings_in, write_description
    from hbac.recordings.run import scan_items

    labels = (*options.participant_label, *options.session_label)
    if options.level == GROUP:
        if labels:
            raise InputError(
                f"{GROUP}: expected no labels, as all that was scanned is summarised, received {labels[0]}"
            )
        run_summarise(options)
        return
    items = recordings_in(options.data, options.participant_label, options.session_label)
    write_description(options.data, options.folder)
    show(scan_items(settings_of(options, recordings=(), output=options.folder, resume=True), items))
