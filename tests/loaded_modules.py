"""What a process has imported. A module of its own, so that the call imports nothing else."""

import sys


def loaded_modules() -> set[str]:
    """The names of the imported modules."""
    return set(sys.modules)
