"""The gain of an expert over the generic network, against its distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t2v.book.plots.style import INK, PAGE_WIDTH, QUIET, number_kind, pool_looks
from t2v.book.plots.sweeps import legend_below
from t2v.evaluation import calibration, running_gain

LEAST = -1.5
"""Lower end of the axis of gains: the error is two and a half times that of the generic network."""


def gain_figure(
    cells: pd.DataFrame,
    thresholds: pd.DataFrame,
    titles: Mapping[str, str],
    kind: str,
    **options: Any,
) -> Figure:
    """The gain of every expert on every task, a panel for each meta-task.

    Args:
        cells: `t2v.book.deferral.cells_of`.
        thresholds: `t2v.book.deferral.thresholds_of`; a finite one is marked.
        titles: name of a meta-task to its title.
        kind: kind of number.
        **options: keyword arguments of `running_gain`.
    """
    names, pools = list(dict.fromkeys(cells.meta_task)), list(dict.fromkeys(cells["pool"]))
    figure, axes = plt.subplots(
        len(pools), len(names), figsize=(PAGE_WIDTH, 0.5 + 2.7 * len(pools)), squeeze=False,
        sharex="col", sharey=True,
    )  # fmt: skip
    for row, pool in zip(axes, pools, strict=True):
        for ax, name in zip(row, names, strict=True):
            part = cells[(cells.meta_task == name) & (cells["pool"] == pool)]
            if len(part):
                _gain_panel(ax, part, kind, options)
            _mark(ax, thresholds, name, pool)
            ax.set_title(f"{titles.get(name, name)},\n{pool}", fontsize=9)
        row[0].set_ylabel("share of the generic\nnetwork's error saved")
    for ax in axes[-1]:
        ax.set_xlabel("symmetric distance of the expert")
    legend_below(figure)
    return figure


def _gain_panel(ax: Axes, part: pd.DataFrame, kind: str, options: Mapping[str, Any]) -> None:
    look = number_kind(kind)
    for near, size, alpha, label in ((False, 7, 0.35, "other experts"), (True, 16, 0.9, "nearest")):
        rows = part[part.nearest == near]
        inside = rows.gain >= LEAST
        style: dict[str, Any] = {
            "s": size,
            "alpha": alpha,
            "color": look["color"] if near else QUIET,
            "lw": 0,
        }
        ax.scatter(rows.distance[inside], rows.gain[inside], marker="o", label=label, **style)
        below = np.full((~inside).sum(), LEAST + 0.05)
        ax.scatter(rows.distance[~inside], below, marker="v", **style)
    if part.task.nunique() > 1:
        ends = pd.DataFrame(running_gain(part.distance, part.gain, list(part.task), **options))
        ends = ends.set_index("distance").clip(lower=LEAST)
        ax.fill_between(ends.index, ends.low, ends.high, color=INK, alpha=0.2, lw=0)
        ax.plot(ends.index, ends.gain, color=INK, lw=1.6, label="running mean")
    ax.axhline(0, color=INK, lw=0.8, ls=":")
    ax.set_ylim(LEAST, 1.05)
    ax.xaxis.set_major_locator(ticker.MaxNLocator(5))


def calibration_figure(
    cells: pd.DataFrame,
    thresholds: pd.DataFrame,
    titles: Mapping[str, str],
    kind: str,
    bins: int | None = None,
) -> Figure:
    """How often the nearest expert is better than the generic network, by its distance.

    Args:
        cells: `t2v.book.deferral.cells_of`.
        thresholds: `t2v.book.deferral.thresholds_of`; a finite one is marked.
        titles: name of a meta-task to its title.
        kind: kind of number.
        bins: number of bins of about equally many tasks; default: of eight or more, at most six.
    """
    names = list(dict.fromkeys(cells.meta_task))
    figure, axes = plt.subplots(
        1, len(names), figsize=(PAGE_WIDTH, 3.4), squeeze=False, sharey=True
    )
    for ax, name in zip(axes[0], names, strict=True):
        for pool, face in pool_looks(cells["pool"]).items():
            near = cells.nearest & (cells.meta_task == name) & (cells["pool"] == pool)
            if not near.any():
                continue
            count = bins or max(1, min(6, near.sum() // 8))
            rows = pd.DataFrame(calibration(cells.distance[near], cells.gain[near], count))
            look = number_kind(kind, line=True) | face | {"label": pool}
            ax.vlines(rows.distance, rows.low, rows.high, color=look["markeredgecolor"], lw=1.1)
            ax.plot(rows.distance, rows.better, **look)
            _mark(ax, thresholds, name, pool, look["linestyle"])
        ax.axhline(0.5, color=QUIET, lw=0.8, ls=":")
        ax.set(title=titles.get(name, name), xlabel="symmetric distance of the nearest expert",
               ylim=(-0.03, 1.03))  # fmt: skip
    axes[0, 0].set_ylabel("share of tasks on which it\nbeats the generic network")
    legend_below(figure)
    return figure


def _mark(ax: Axes, thresholds: pd.DataFrame, name: str, pool: str, linestyle: str = "-") -> None:
    """A vertical line at a finite threshold."""
    here = (thresholds.meta_task == name) & (thresholds["pool"] == pool)
    for tau in thresholds.threshold[here]:
        if np.isfinite(tau):
            ax.axvline(tau, color=INK, lw=1, ls=linestyle, label=f"τ, {pool}", zorder=0)
