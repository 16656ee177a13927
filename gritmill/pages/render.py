"""Renders the templates: report.html, calibration.html, and the data card of an export.

Each HTML page is a single file that loads nothing else.
"""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from transforms.wording import counted

# The HTML pages show captions and names from untrusted sources, so all values are escaped.
ENVIRONMENT = Environment(
    loader=PackageLoader("gritmill.pages", "."),
    autoescape=select_autoescape(["html.jinja"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


ENVIRONMENT.filters["plural"] = counted


def render(template: str, **values: Any) -> str:
    """Renders a template of this folder with the values."""
    return ENVIRONMENT.get_template(template).render(values)
