"""What commands print on standard output with rich."""

from rich.console import Console


def data_console() -> Console:
    """A console that prints text as it is, also in tables: names and captions may contain "[/b]" or ":dog:", which rich
    would take for markup and for an emoji."""
    return Console(highlight=False, markup=False, emoji=False)
