"""Pages out of templates: report.html and calibration.html, each one file that loads nothing from elsewhere."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

# The pages show captions and names from anywhere: whatever is put in is escaped.
ENVIRONMENT = Environment(
    loader=PackageLoader("gritmill.pages", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """The page that a template of this folder makes of the values."""
    return ENVIRONMENT.get_template(template).render(values)
