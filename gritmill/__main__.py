"""`python -m gritmill`."""

import os
import sys

# "python -m" puts the current folder first, which may contain another transforms.py.
if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from gritmill.main import main

if __name__ == "__main__":
    main()
