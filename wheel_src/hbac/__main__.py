"""`python -m hbac` is the `hbac` command."""

import os
import sys

if __name__ == "__main__" and sys.path[0] == os.getcwd() != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
    del sys.path[0]  # no module of the working folder stands in for one of Python's or of a package's

from hbac.cli import main

if __name__ == "__main__":
    sys.exit(main())
