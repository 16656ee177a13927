"""Renders the templates: report.html, calibration.html, and the data card of an export.

Each HTML page is a single file that loads nothing else.
"""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

# The HTML pages show captions and names from untrusted sources, so all values are escaped.
ENVIRONMENT = Environment(
    loader=PackageLoader("gritmill.pages", "."),
    autoescape=select_autoescape(["html.jinja"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _plural(number: int, noun: str) -> str:
    """The number and the noun: `1 box`, `2,000 boxes`."""
    ending = "" if number == 1 else "es" if noun.endswith("x") else "s"
    return f"{number:,} {noun}{ending}"


ENVIRONMENT.filters["plural"] = _plural


def render(template: str, **values: Any) -> str:
    """Renders a template of this folder with the values."""
    return ENVIRONMENT.get_template(template).render(values)
