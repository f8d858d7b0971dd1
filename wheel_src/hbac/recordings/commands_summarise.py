"""The command `hbac summarise`: its options, and what it prints."""

import argparse
import sys
from pathlib import Path


def add_summarise_options(parser: argparse.ArgumentParser) -> None:
    """The options of `hbac summarise`."""
    parser.add_argument("folder", type=Path, metavar="OUT", help="folder that hbac scan wrote to, or one above several")


def run_summarise(options: argparse.Namespace) -> None:
    """Summarise what the options say.

    Raises:
        HbacError: what the user has to mend, also where it is one scan and the others are in the summary.
    """
    from hbac.errors import InputError
    from hbac.recordings.summarise import summarise

    summary = summarise(options.folder)
    *said, last = summary.lines()
    for line in said:
        print(line, file=sys.stderr)
    print(last)
    if summary.refused:
        whole = len(summary.scans) + len(summary.refused)
        raise InputError(
            f"{options.folder}: expected {whole} scans as they were written, {len(summary.refused)} are not"
        )
