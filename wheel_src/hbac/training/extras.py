"""What training needs beside what a prediction needs: told before the first record is read, not after the last epoch."""

import importlib

from hbac.errors import HbacError, one_line

EXTRAS = {"sklearn.model_selection": "scikit-learn", "matplotlib.pyplot": "matplotlib"}  # the extra `train`


def check_extras() -> None:
    """Import what the end of a training run needs.

    Raises:
        HbacError: a package is not installed, or does not work.
    """
    missing = {}
    for module, package in EXTRAS.items():
        try:
            importlib.import_module(module)
        except (ImportError, OSError, ValueError) as error:  # matplotlib: no folder to write to; an unknown backend
            missing[package] = one_line(error)
    if missing:
        received = "; ".join(f"{package}: {reason}" for package, reason in missing.items())
        raise HbacError(f"training: expected {' and '.join(missing)} (`pip install hbac[train]`), received {received}")
