"""Figures that a chapter draws twice: from the numbers of its run, and from kept ones.

Frames have the columns that `columns.csv` describes; `kind` is a kind of number (`number_kind`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure

from t2v.book import plots
from t2v.book.plots import INK, QUIET
from t2v.evaluation import spearman_interval


def kind_label(figure: Figure, kind: str, title: str = "") -> None:
    """Write the kind of number above a figure, after a title if there is one."""
    label = plots.number_kind(kind)["label"]
    text, size = (f"{title} ({label})", 10) if title else (label, 9)
    figure.suptitle(text, x=0.01, ha="left", fontsize=size, fontweight="bold")


# ---- two maps of tasks ---------------------------------------------------------------------------


def two_maps(frame: pd.DataFrame, kind: str) -> Figure:
    """Map of the tasks by task embedding, beside that by domain embedding (Fig. 1).

    Args:
        frame: table `map`, one row for each task.
        kind: kind of number.
    """
    figure, axes = plt.subplots(1, 2, figsize=(plots.PAGE_WIDTH, 4.6))
    styles = plots.group_styles(frame.group)
    for ax, embedding, seen in zip(axes, ("task", "domain"), ("asked", "shown"), strict=True):
        points = frame[[f"{embedding}_x", f"{embedding}_y"]].to_numpy()
        by_task = embedding == "task"
        names = {} if by_task else middle_tasks(points, frame)
        plots.task_map(points, frame.group, ax=ax, names=names, styles=styles, label_groups=by_task)
        ax.set_title(f"{embedding.capitalize()} embedding: by what is {seen}", fontsize=10)
    kind_label(figure, kind)
    return figure


def middle_tasks(points: np.ndarray, frame: pd.DataFrame) -> dict[int, str]:
    """The task nearest to the middle of each data set, or of each group if there is one data set.

    Args:
        points: `[T, 2]`, places on the map.
        frame: `source` and `group` of the tasks.

    Returns:
        Row of the task to name of the data set or group.
    """
    named = frame.source if frame.source.nunique() > 1 else frame.group
    places = pd.DataFrame(points).groupby(named.to_numpy(), sort=False)
    off = np.linalg.norm(points - places.transform("median").to_numpy(), axis=1)
    return {int(i[np.argmin(off[i])]): str(name) for name, i in places.indices.items()}


# ---- norm and error ------------------------------------------------------------------------------


def norm_figure(frame: pd.DataFrame, kind: str, sources: Sequence[str]) -> Figure:
    """Norm of the embedding and test error, within two data sets and over everything (Fig. 2).

    Args:
        frame: table `norm_error`, one row for each task.
        kind: kind of number.
        sources: two of the data sets.
    """
    figure, axes = plt.subplots(1, 3, figsize=(plots.PAGE_WIDTH, 3.5), sharey=True)
    styles = plots.group_styles(frame.source)
    for ax, name in zip(axes, [*sources, "everything"], strict=True):
        part = frame if name == "everything" else frame[frame.source == name]
        for source, rows in part.groupby("source", sort=False):
            colour, marker = styles[source]
            look = {"c": colour, "marker": marker, "edgecolors": "white", "lw": 0.6}
            ax.scatter(rows.norm, rows.error, s=30, label=source, **look)
        plots.regression(ax, part.norm, part.error, log=True)
        rank = spearman_interval(part.norm, part.error, seed=0)
        rho = f"ρ = {rank.value:.2f} ({rank.low:.2f} to {rank.high:.2f})"
        ax.set_title(f"{name}\n{rho}", fontsize=9, fontweight="normal")
        log_axis(ax.xaxis)
    axes[0].set(ylabel="test error", ylim=(-0.03, None))
    axes[1].set_xlabel("L1 norm of the embedding")
    figure_key(figure, axes[2], kind)
    return figure


def log_axis(axis: XAxis | YAxis) -> None:
    """Make an axis logarithmic, with ticks that are numbers and not powers."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = axis.get_data_interval()
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if high < 20 * low else (1,)))
    axis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axis.set_minor_locator(ticker.NullLocator())


def figure_key(figure: Figure, ax: Axes, kind: str) -> None:
    """Write the labels of a panel below the figure, and the kind of number above it."""
    handles = ax.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=5, handletextpad=0.1)
    kind_label(figure, kind)


# ---- rates by prior and by layer -----------------------------------------------------------------


def prior_figure(rates: pd.DataFrame, skewness: pd.DataFrame, kind: str) -> Figure:
    """How often the nearest task is of the same group, and hubs, as the prior grows.

    Args:
        rates: table `sees_rates`.
        skewness: table `sees_skewness`.
        kind: kind of number.
    """
    sweep = rates[(rates.layers == "all") & (rates.local_scaling == 0)]
    title = "What a prior does to the nearest task"
    figure, empty = _rate_panels(sweep, "prior", "layers", kind, title, more=1)
    _skewness_panel(empty[0], skewness)
    for ax in empty[1:]:
        ax.axis("off")
    figure.supxlabel("prior, layer means", fontsize=10)
    return figure


def layers_figure(rates: pd.DataFrame, kind: str, prior: float) -> Figure:
    """How often the nearest task is of the same group, by stages of the probe.

    Args:
        rates: table `sees_rates`.
        kind: kind of number.
        prior: prior that is shown beside none.
    """
    stage = ~rates.layers.str.contains(".", regex=False) & (rates.local_scaling == 0)
    ends = rates[stage & rates.prior.isin([0, prior])]
    ends = pd.concat([ends[ends.layers != "all"], ends[ends.layers == "all"]])
    title = "One stage of the probe, or all of it"
    figure, empty = _rate_panels(ends, "layers", "prior", kind, title)
    for ax in empty:
        ax.axis("off")
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=2)
    return figure


def _rate_panels(
    frame: pd.DataFrame, x: str, by: str, kind: str, title: str, more: int = 0
) -> tuple[Figure, list[Axes]]:
    """A panel for each question, and the panels that are left over (at least `more`)."""
    questions = list(dict.fromkeys(frame.question))
    rows = (len(questions) + more + 2) // 3
    figure, axes = plt.subplots(rows, 3, figsize=(plots.PAGE_WIDTH, 2.7 * rows), squeeze=False)
    for ax, question in zip(axes.flat, questions, strict=False):
        _rate_panel(ax, frame[frame.question == question], x, by, kind)
        ax.set_ylim(-0.06, 1.06)
        ax.set_title(f"{question}\n", fontsize=9, fontweight="normal", pad=-6)
    for ax in axes.flat[: len(questions) : 3]:
        ax.set_ylabel("share of tasks")
    kind_label(figure, kind, title)
    return figure, list(axes.flat[len(questions) :])


def _rate_panel(ax: Axes, part: pd.DataFrame, x: str, by: str, kind: str) -> None:
    for value, line in part.groupby(by, sort=False):
        hollow = {"markerfacecolor": "white", "linestyle": "--"} if value == 0 else {}
        look = plots.number_kind(kind, line=True) | hollow
        at = np.arange(len(line)) - (0.1 if hollow else 0)
        ax.vlines(at, line.low, line.high, color=look["markeredgecolor"], lw=1.1)
        ax.plot(at, line.rate, **look | {"label": "raw" if hollow else "with prior"})
    ax.axhline(line.chance.iloc[0], color=QUIET, ls=":", lw=1.4)
    names = _short(line.prior) if x == "prior" else line[x]
    ax.set_xticks(at, names, rotation=0 if x == "prior" else 60, fontsize=9)


def _skewness_panel(ax: Axes, frame: pd.DataFrame) -> None:
    styles = plots.group_styles(frame.source) | {"everything": (INK, "o")}
    for source, part in frame.groupby("source", sort=False):
        colour, marker = styles[source]
        line: dict[str, Any] = {"lw": 2.4 if source == "everything" else 1.1, "ms": 4}
        ax.plot(range(len(part)), part.skewness, color=colour, marker=marker, label=source, **line)
    ax.axhline(1, color=QUIET, ls=":", lw=1.4)
    ax.set_xticks(range(len(part)), _short(part.prior), fontsize=9)
    ax.set_title("skewness of hub counts\n", fontsize=9, fontweight="normal", pad=-6)
    key = ax.legend(fontsize=8, handlelength=1.2, loc="upper left", bbox_to_anchor=(1.02, 1))
    key.set_in_layout(False)  # it stands where there is no panel


def _short(priors: pd.Series) -> list[str]:
    return [f"{prior:g}".replace("0.", ".") for prior in priors]
