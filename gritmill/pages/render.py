"""Pages out of templates: report.html and calibration.html, each one file that loads nothing from elsewhere, and the
data card of an export."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

# The HTML pages show captions and names from anywhere: whatever is put in is escaped.
ENVIRONMENT = Environment(
    loader=PackageLoader("gritmill.pages", "."),
    autoescape=select_autoescape(["html.jinja"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """The page that a template of this folder makes of the values."""
    return ENVIRONMENT.get_template(template).render(values)
