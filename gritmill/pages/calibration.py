"""calibration.html: reliability diagram and precision over threshold, as SVG in a page that needs nothing else."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

WIDTH, HEIGHT = 420, 300
"""Of a diagram's frame, in the SVG's units; both axes run over 0..1."""


def render_page(result: dict[str, Any]) -> str:
    """The page of a calibration; whatever comes from data is escaped."""
    environment = Environment(
        loader=PackageLoader("gritmill.pages", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    curves = result["curves"]
    overall = curves.get("all", [])
    polylines = {
        "precision": polyline(overall, "threshold", "precision"),
        "recall": polyline(overall, "threshold", "recall"),
        "absent": polyline(overall, "threshold", "absent_with_box"),
        "trade": polyline(overall, "recall", "precision"),
    }
    bins = [
        {"x": round(one["from"] * WIDTH, 1), "y": round(HEIGHT - one["precision"] * HEIGHT, 1), **one}
        for one in (result["reliability"]["bins"] if overall else ())
    ]
    return environment.get_template("calibration.html.jinja").render(
        result=result, polylines=polylines, bins=bins, width=WIDTH, height=HEIGHT, ticks=[i / 5 for i in range(6)]
    )


def polyline(points: Sequence[dict[str, Any]], x: str, y: str) -> str:
    """An SVG polyline's `points` through the figures that are there."""
    known_points = [(one[x], one[y]) for one in points if one[x] is not None and one[y] is not None]
    return " ".join(f"{a * WIDTH:.1f},{HEIGHT - b * HEIGHT:.1f}" for a, b in known_points)
