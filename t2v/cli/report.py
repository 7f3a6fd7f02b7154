"""A recommendation as one HTML file that needs no network: for reading, printing, passing on."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined

from t2v import __version__
from t2v._run.files import check_writable, replacing
from t2v.cli.plain_words import next_steps, verdict
from t2v.errors import FileError
from t2v.meta_task import Array
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
    shown = min(top, len(recommendation.experts))
    strategy = recommendation.strategy
    return rendered(
        "report.html.jinja",
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


def rendered(template: str, **values: Any) -> str:
    """A template of this folder with its values, as one page."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, loader=FunctionLoader(_template)
    )
    return environment.get_template(template).render(**values)


def _template(name: str) -> str:
    return files("t2v.cli").joinpath(name).read_text(encoding="utf-8")


def _chart(recommendation: Recommendation, shown: int) -> dict[str, Any]:
    """The chart of the experts' distances, with whiskers of two standard deviations."""
    distance = recommendation.distance[:shown]
    reach = 2 * np.nan_to_num(recommendation.spread[:shown])
    names = recommendation.experts[:shown]
    return chart(names, distance, distance - reach, distance + reach)


def chart(names: Sequence[str], values: Array, lows: Array, highs: Array) -> dict[str, Any]:
    """Positions of dots with whiskers, and of three ticks.

    Args:
        names: one name for each dot.
        values: places of the dots, in their unit.
        lows: left ends of the whiskers.
        highs: right ends of the whiskers.
    """
    low, high = float(np.min(lows)), float(np.max(highs))
    margin = 0.04 * (high - low or 1)
    low, high = low - margin, high + margin

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (RIGHT - LEFT)

    dots = [
        {"name": name, "x": x(value), "low": x(left), "high": x(right)}
        for name, value, left, right in zip(names, values, lows, highs, strict=True)
    ]
    ends = ((low, "start"), ((low + high) / 2, "middle"), (high, "end"))
    ticks = [{"x": x(value), "value": value, "anchor": anchor} for value, anchor in ends]
    return {"dots": dots, "ticks": ticks, "width": WIDTH, "left": LEFT, "right": RIGHT}
