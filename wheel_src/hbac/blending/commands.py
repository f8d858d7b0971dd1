"""`hbac weights blend`: its arguments."""

import argparse
from pathlib import Path

from hbac.machine.packages import OF_RUN

PACKAGES = (*OF_RUN, "scikit-learn")


def add_blend_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    runs = "output folders of hbac train or kernel/train.py, two or more: oof.parquet, the manifest and its folds"
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help=runs)
    output = "a new folder for the mixed manifest and copies of the folds"
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help=output)
    parser.set_defaults(run=run_blend, packages=PACKAGES)


def run_blend(options: argparse.Namespace) -> None:
    """Blend."""
    from hbac.blending.run import blend

    blend(options.runs, options.output)
