"""A recommendation as one HTML file that needs no network: for reading, printing, passing on."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from t2v import __version__
from t2v._run.files import check_writable, replacing
from t2v.cli.plain_words import next_steps, verdict
from t2v.errors import FileError
from t2v.recommendation import Recommendation
from t2v.selection import NearestDomain

WIDTH, LEFT, RIGHT = 400, 8, 392  # of the chart, in units of its view box


def write_report(recommendation: Recommendation, path: str | Path, *, top: int, facts: str) -> None:
    """Write the report, whole or not at all.

    Args:
        recommendation: result of `recommend`.
        path: the `.html` to write.
        top: number of experts to show.
        facts: what was embedded and how, one sentence.

    Raises:
        FileError: if `path` is no .html, or cannot be written.
    """
    path = Path(path)
    check_place(path)
    with replacing(path) as draft:
        draft.write_text(page(recommendation, top=top, facts=facts), encoding="utf-8")


def check_place(path: Path) -> None:
    """Refuse a report that could not be written (`FileError`)."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise FileError(f"{path}: a report is written as .html")
    check_writable(path)


def page(recommendation: Recommendation, *, top: int, facts: str) -> str:
    """The report as text; arguments as in `write_report`."""
    source = files("t2v.cli").joinpath("report.html.jinja").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    shown = min(top, len(recommendation.experts))
    strategy = recommendation.strategy
    return template.render(
        recommendation=recommendation,
        shown=shown,
        facts=facts,
        asymmetric=strategy.kind == "asymmetric",
        learnt=callable(strategy.kind),
        alpha=strategy.alpha,
        by_domain=isinstance(strategy, NearestDomain),
        verdict=verdict(recommendation),
        next_steps=next_steps(recommendation),
        version=__version__,
        **_chart(recommendation, shown),
    )


def _chart(recommendation: Recommendation, shown: int) -> dict[str, Any]:
    """Positions of dots with whiskers of two standard deviations, and of three ticks."""
    distance = recommendation.distance[:shown]
    reach = 2 * np.nan_to_num(recommendation.spread[:shown])
    low, high = float((distance - reach).min()), float((distance + reach).max())
    margin = 0.04 * (high - low or 1)
    low, high = low - margin, high + margin

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (RIGHT - LEFT)

    dots = [
        {"name": name, "x": x(d), "low": x(d - r), "high": x(d + r)}
        for name, d, r in zip(recommendation.experts, distance, reach, strict=False)
    ]
    ends = ((low, "start"), ((low + high) / 2, "middle"), (high, "end"))
    ticks = [{"x": x(value), "value": value, "anchor": anchor} for value, anchor in ends]
    return {"dots": dots, "ticks": ticks, "width": WIDTH, "left": LEFT, "right": RIGHT}
