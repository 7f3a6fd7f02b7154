"""A recommendation as one HTML file that needs no network: for reading, printing, passing on."""

from __future__ import annotations

import os
from html import escape
from importlib.metadata import version
from pathlib import Path

import numpy as np

from t2v.distances import ALPHA
from t2v.errors import FileError
from t2v.recommendation import Recommendation, next_steps, verdict

WIDTH, ROW, LEFT, RIGHT = 400, 46, 8, 392  # of the chart, in its own units

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Experts for {task}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1f2328; --card: #fff; --quiet: #57606a;
  --line: #d0d7de; --mark: #0072b2; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6edf3; --card: #14181d; --quiet: #9da7b1;
  --line: #3d444d; --mark: #56b4e9; }} }}
body {{ margin: 0 auto; padding: 1.2rem 1rem 3rem; max-width: 38rem; background: var(--card);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.4rem; line-height: 1.25; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
.answer {{ border-left: 4px solid var(--mark); padding: .2rem 0 .2rem .8rem; font-size: 1.05rem; }}
figure {{ margin: 1rem 0; }} figcaption, .quiet {{ color: var(--quiet); font-size: .9rem; }}
svg {{ display: block; width: 100%; max-width: 560px; height: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .4rem .3rem 0; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: bottom; font-size: .92rem; }}
th:first-child, td:first-child {{ text-align: left; }}
</style>
</head>
<body>
<h1>Which expert for “{task}”?</h1>
<p class="answer">{verdict}</p>
<figure>
{chart}
<figcaption>{caption}</figcaption>
</figure>
<h2>What to do next</h2>
<ol>{steps}</ol>
<h2>The numbers</h2>
<table>
<thead><tr><th scope="col">expert</th><th scope="col">distance</th><th scope="col">±</th>
<th scope="col">symmetric</th><th scope="col">nearest in</th></tr></thead>
<tbody>{rows}</tbody>
</table>
<p class="quiet">{legend}</p>
<p class="quiet">Made by t2v {version}. The distances are those of Achille et al., <i>Task2Vec</i>,
2019 (arXiv 1902.03545).</p>
</body>
</html>
"""


def write_report(found: Recommendation, path: str | Path, *, top: int, facts: str) -> None:
    """Write the report, whole or not at all.

    Args:
        found: see `recommend`.
        path: of the `.html`.
        top: so many experts are shown.
        facts: what was embedded and how, one sentence.

    Raises:
        FileError: if its folder does not exist.
    """
    path = Path(path)
    check_place(path)
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_text(page(found, top=top, facts=facts), encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Refuse a file whose folder does not exist (`FileError`)."""
    if not path.parent.is_dir():
        raise FileError(f"{path}: its folder does not exist")


def page(found: Recommendation, *, top: int, facts: str) -> str:
    """The report as text; arguments as in `write_report`."""
    shown = min(top, len(found.experts))
    whiskers = "The bars reach two standard deviations to either side. " if found.halves else ""
    caption = (
        f"Asymmetric distance from each expert's task to “{escape(found.task)}”: the leftmost dot "
        f"is the nearest expert. {whiskers}Experts 1 to {shown} of {len(found.experts)}. "
        + escape(facts)
    )
    legend = (
        f"Distance: asymmetric, α = {ALPHA}; small is good, and below 0 is possible. Symmetric: 0 "
        "for the same task, 1 for tasks that have nothing in common."
    )
    if found.halves:
        legend += (
            f" ±: standard deviation over {found.halves} halves of the pictures, each embedded "
            "anew. Nearest in: share of these halves in which the expert comes first. Two halves "
            f"of your own task are {found.self_distance:.3f} apart (symmetric): a task as near as "
            "that cannot be told from yours."
        )
    if np.isfinite(found.zoo_distance):
        legend += f" The zoo's tasks are usually {found.zoo_distance:.3f} from each other."
    return _PAGE.format(
        task=escape(found.task),
        verdict=escape(verdict(found)),
        chart=_chart(found, shown),
        caption=caption,
        steps="".join(f"<li>{escape(step)}</li>" for step in next_steps(found)),
        rows="".join(_row(found, i) for i in range(shown)),
        legend=legend,
        version=version("t2v"),
    )


def _row(found: Recommendation, i: int) -> str:
    cells = (
        f"{found.distance[i]:.3f}",
        f"{found.spread[i]:.3f}" if found.halves else "–",
        f"{found.symmetric[i]:.3f}",
        f"{found.on_top[i]:.0%}" if found.halves else "–",
    )
    name = f"<td>{escape(found.experts[i])}</td>"
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _chart(found: Recommendation, shown: int) -> str:
    """Dots with whiskers, names above them, as SVG in the colours of the page."""
    value = found.distance[:shown]
    reach = 2 * np.nan_to_num(found.spread[:shown])
    low, high = float((value - reach).min()), float((value + reach).max())
    low, high = low - 0.04 * (high - low or 1), high + 0.04 * (high - low or 1)

    def x(v: float) -> float:
        return LEFT + (v - low) / (high - low) * (RIGHT - LEFT)

    parts = []
    for i in range(shown):
        y = ROW * i + 32
        name = found.experts[i]
        name = name if len(name) < 44 else name[:42] + "…"
        parts.append(
            f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="var(--line)"/>'
            f'<line x1="{x(value[i] - reach[i]):.1f}" x2="{x(value[i] + reach[i]):.1f}" y1="{y}" '
            f'y2="{y}" stroke="var(--mark)" stroke-width="5" stroke-opacity=".45"/>'
            f'<circle cx="{x(value[i]):.1f}" cy="{y}" r="6" fill="var(--mark)"/>'
            f'<text x="{LEFT}" y="{y - 14}" fill="var(--ink)" font-size="13">'
            f"{i + 1}. {escape(name)}</text>"
        )
    bottom = ROW * shown + 26
    for v, anchor in ((low, "start"), ((low + high) / 2, "middle"), (high, "end")):
        parts.append(
            f'<text x="{x(v):.1f}" y="{bottom}" text-anchor="{anchor}" fill="var(--quiet)" '
            f'font-size="12">{v:.3f}</text>'
        )
    told = f"Dot chart of the {shown} nearest experts; {found.experts[0]} is nearest."
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + 8}" role="img" aria-label="{escape(told)}" '
        f'font-family="system-ui, sans-serif">{"".join(parts)}</svg>'
    )
