"""Experts and tasks: who is picked for what, and what that costs, task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t2v.book.plots.figures import violins
from t2v.book.plots.maps import spread_labels
from t2v.book.plots.style import GREEN, INK, PAGE_WIDTH, QUIET, group_styles, halo, number_kind
from t2v.evaluation import best_errors
from t2v.meta_task import MetaTask
from t2v.selection import Outcome

ROWS = 40
"""Largest number of tasks in one panel of violins."""

LONGEST = 32
"""Largest number of characters of a task's name beside a violin."""


def given_figure(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Tasks at the left, and at the right what the expert that is picked for them has learnt.

    Args:
        rows: for each task: `task` and `expert`, names; `images` and `learnt`, uint8
            `[N, 3, H, W]`; `said`, what to write between the two.
        title: title of the figure, which says what to see.
    """
    figure, axes = plt.subplots(
        len(rows), 2, figsize=(PAGE_WIDTH, 0.5 + 1.22 * len(rows)), squeeze=False,
        gridspec_kw={"wspace": 0.08},
    )  # fmt: skip
    for pair, row in zip(axes, rows, strict=True):
        for ax, images, name in zip(
            pair, (row["images"], row["learnt"]), (row["task"], row["expert"]), strict=True
        ):
            shown = np.asarray(images).transpose(0, 2, 3, 1)
            gap = np.full((shown.shape[1], max(1, shown.shape[2] // 24), 3), 255, dtype=np.uint8)
            ax.imshow(np.concatenate([p for image in shown for p in (image, gap)][:-1], axis=1))
            ax.set(xticks=[], yticks=[])
            ax.set_title(name, fontsize=9)
            ax.spines[:].set_visible(False)
        pair[0].set_xlabel(row["said"], fontsize=9, loc="left")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def violin_figure(
    panels: Sequence[tuple[str, MetaTask, Outcome, Sequence[int]]], kind: str
) -> Figure:
    """Errors of the eligible experts on each task, after Fig. 3 of the paper, a row for each task.

    Args:
        panels: title, meta-task, what a strategy reaches on it, and the tasks to show, in order. A
            panel of more than `ROWS` tasks is drawn in several of about equal length.
        kind: kind of number.
    """
    parts = [
        (f"{title}{' (continued)' if number else ''}", meta, outcome, part)
        for title, meta, outcome, order in panels
        for number, part in enumerate(_split(order))
    ]
    lengths = [max(len(part[3]) for part in parts[k : k + 2]) for k in range(0, len(parts), 2)]
    figure, axes = plt.subplots(
        len(lengths), 2, figsize=(PAGE_WIDTH, 1.0 + 0.17 * sum(lengths) + 0.5 * len(lengths)),
        squeeze=False, gridspec_kw={"height_ratios": lengths},
    )  # fmt: skip
    for ax, part in zip(axes.flat, parts, strict=False):
        _violin_panel(ax, *part[1:], kind)
        ax.set_title(part[0], fontsize=9, loc="right")
    for ax in axes.flat[len(parts) :]:
        ax.set_axis_off()
    for ax in axes[-1]:
        ax.set_xlabel("error (%)")
    marks = [
        plt.Line2D([], [], color=INK, marker="^", ls="none", ms=5, label="generic network"),
        plt.Line2D([], [], color=GREEN, marker="|", ls="none", ms=9, mew=2.2, label="best expert"),
        plt.Line2D([], [], **(number_kind(kind) | {"label": "picked"})),
    ]
    figure.legend(handles=marks, loc="outside upper right", ncols=3)
    return figure


def _split(order: Sequence[int]) -> list[list[int]]:
    parts = np.array_split(np.asarray(order), -(-len(order) // ROWS))
    return [part.tolist() for part in parts]


def _violin_panel(
    ax: Axes, meta: MetaTask, outcome: Outcome, order: Sequence[int], kind: str
) -> None:
    violins(ax, [100 * meta.errors[t][meta.eligible[t]] for t in order], orient="h")
    best = 100 * best_errors(meta.errors, meta.eligible)
    look = number_kind(kind) | {"markersize": 4.5, "label": ""}
    for y, t in enumerate(order):
        if meta.generic is not None:
            ax.plot(100 * meta.generic[t], y, "^", color=INK, ms=4.5)
        ax.plot([best[t], best[t]], [y - 0.4, y + 0.4], color=GREEN, lw=2.2)
        ax.plot(100 * outcome.errors[t], y, **look)
    names = [shorten(meta.task_name(t), LONGEST, placeholder=" …") for t in order]
    ax.set_yticks(range(len(order)), names)
    ax.tick_params(axis="y", length=0)
    ax.set(xlim=(0, None), ylim=(len(order) - 0.2, -0.8))


def tasks_figure(by_task: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """The pick against the generic network: a point for each task, a panel for each meta-task.

    Args:
        by_task: table `selection_tasks`.
        titles: titles of the meta-tasks.
    """
    shown = dict(list(by_task.groupby("meta_task", sort=False)))
    figure, axes = plt.subplots(1, len(shown), figsize=(PAGE_WIDTH, 4.2), squeeze=False)
    for ax, (name, rows) in zip(axes[0], shown.items(), strict=True):
        _tasks_panel(ax, rows)
        _name_worst(ax, rows)
        ax.set(title=titles[str(name)], xlabel="generic network: increase (%)")
    axes[0, 0].set_ylabel("nearest expert: increase (%)")
    return figure


def _tasks_panel(ax: Axes, rows: pd.DataFrame) -> None:
    for group, (colour, marker) in group_styles(list(rows.group)).items():
        part = rows[rows.group == group]
        ax.scatter(part.generic, part.asymmetric, s=24, color=colour, marker=marker, lw=0.4,
                   edgecolors="white", label=group)  # fmt: skip
    both = rows[["generic", "asymmetric"]].to_numpy()
    ax.plot(*[[both.min(), both.max()]] * 2, color=QUIET, lw=1, ls=":")
    ax.set_xscale("symlog", linthresh=10)
    ax.set_yscale("symlog", linthresh=10)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(ticker.FixedLocator([-30, 0, 10, 100, 1000]))
        axis.set_major_formatter("{x:.0f}")
    ax.margins(y=0.12)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, fontsize=8,
              handletextpad=0.1, columnspacing=1)  # fmt: skip


def _name_worst(ax: Axes, rows: pd.DataFrame) -> None:
    place: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "center"}
    texts = []
    for row in rows.nlargest(2, "asymmetric").itertuples():
        name = str(row.task).split("/")[-1]
        at = (row.generic, row.asymmetric)
        texts.append(halo(ax.annotate(name, at, (0, 9), fontsize=9, **place)))
    spread_labels(ax, texts, rows[["generic", "asymmetric"]].to_numpy())
