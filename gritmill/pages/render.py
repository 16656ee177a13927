"""Renders the templates: report.html, calibration.html, and the data card of an export.

Each HTML page is a single file that loads nothing else.
"""

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from transforms.wording import counted

# The HTML pages show captions and names from untrusted sources, so all values are escaped.
ENVIRONMENT = Environment(
    loader=PackageLoader("gritmill.pages", "."),
    autoescape=select_autoescape(["html.jinja"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _code(text: str) -> Markup:
    """HTML of a line whose only Markdown is code between backticks, as of the truth sheet. All else is escaped."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


ENVIRONMENT.filters.update(plural=counted, code=_code)


def render(template: str, **values: Any) -> str:
    """Renders a template of this folder with the values."""
    return ENVIRONMENT.get_template(template).render(values)
