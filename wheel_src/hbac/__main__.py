"""`python -m hbac` is the `hbac` command."""

import sys

from hbac.cli import main

if __name__ == "__main__":
    sys.exit(main())
