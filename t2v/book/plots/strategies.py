"""What strategies cost: a row for each of them, with intervals over tasks, worlds or trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t2v.book.plots.figures import no_table
from t2v.book.plots.style import PAGE_WIDTH, QUIET, number_kind, pool_looks

HEIGHT = 0.42
"""Height of the row of a strategy, inches."""


def strategies_figure(
    frame: pd.DataFrame,
    titles: Mapping[str, str],
    kind: str,
    *,
    paper: pd.DataFrame | None = None,
    single: pd.DataFrame | None = None,
) -> Figure:
    """The cost of each strategy, with its interval, a mark for each pool of experts.

    Args:
        frame: `meta_task`, `pool`, `strategy`, and `value`, `low`, `high` in %.
        titles: titles of the meta-tasks; each has a panel, with rows or without.
        kind: kind of number.
        paper: the paper's numbers in %, by strategy, a column for each meta-task.
        single: the numbers in % over which `frame` has means, in a column `value`: strokes.
    """
    listed = list(dict.fromkeys(frame.strategy))
    height = 1.2 + HEIGHT * len(listed) if listed else 1.2
    figure, axes = plt.subplots(
        1, len(titles), figsize=(PAGE_WIDTH, height), sharey=True, squeeze=False
    )
    looks = pool_looks(frame["pool"])
    for ax, (name, title) in zip(axes[0], titles.items(), strict=True):
        ax.set(title=title, xlabel="relative error increase (%)")
        part = frame[frame.meta_task == name]
        if part.empty:
            no_table(ax=ax)
            continue
        strokes = None if single is None else single[single.meta_task == name]
        _panel(ax, part, listed, kind, looks, strokes)
        if paper is not None:
            for y, strategy in enumerate(listed):
                if strategy in paper.index:
                    ax.plot(paper[name][strategy], y - 0.42, **number_kind("paper"))
        ax.axvline(0, color=QUIET, ls=":", lw=1.2)
        ax.set(yticks=range(len(listed)), yticklabels=listed)
        ax.set_ylim(len(listed) - 0.4, -0.7)
    handles = [
        plt.Line2D([], [], **(number_kind(kind) | face | {"linestyle": "none", "label": pool}))
        for pool, face in looks.items()
    ]
    if paper is not None:
        handles.append(plt.Line2D([], [], **number_kind("paper")))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _panel(
    ax: Axes,
    part: pd.DataFrame,
    listed: Sequence[str],
    kind: str,
    looks: Mapping[str, dict[str, Any]],
    single: pd.DataFrame | None,
) -> None:
    base = number_kind(kind)
    for number, (pool, face) in enumerate(looks.items()):
        shift = 0.26 * (number - (len(looks) - 1) / 2)
        of_pool = part[part["pool"] == pool].set_index("strategy")
        for y, strategy in enumerate(listed):
            if strategy not in of_pool.index:
                continue
            row, at = of_pool.loc[strategy], y + shift
            # a pick among the experts costs no less than the best of them
            low = row.low if "generic" in strategy else max(row.low, 0)
            ax.plot([low, row.high], [at, at], color=base["color"], lw=4, alpha=0.35,
                    solid_capstyle="butt")  # fmt: skip
            if single is not None:
                each = single.value[(single["pool"] == pool) & (single.strategy == strategy)]
                ax.plot(each, [at] * len(each), "|", color=QUIET, ms=7)
            ax.plot(row.value, at, **(base | dict(face) | {"linestyle": "none", "markersize": 5}))
