"""Figures of tasks and experts: a few tasks with what all experts reach, and a whole matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from scipy.spatial.distance import pdist, squareform

from t2v.book.plots import BLUE, INK, ORANGE, PAGE_WIDTH, QUIET, halo, leaf_order
from t2v.task import Task, draw_evenly

SHOWN = 5
"""Images of a task in a row."""


class Mark(NamedTuple):
    """One value of each task that stands out among the strokes.

    With names it lies on the line, and the name below it; without, it points at the line.
    """

    label: str
    marker: str
    values: np.ndarray
    names: Sequence[str] | None = None


def tasks_and_strokes(
    tasks: Sequence[Task], values: np.ndarray, marks: Sequence[Mark], *, xlabel: str, title: str
) -> Figure:
    """One row for each task: some of its images, and a stroke for each expert.

    Args:
        tasks: R tasks.
        values: what each of M experts reaches, `[R, M]`; NaN: no stroke.
        marks: values that stand out.
        xlabel: what the values are, with unit.
        title: title of the figure, which says what to see.
    """
    figure, axes = plt.subplots(
        len(tasks), 2, figsize=(PAGE_WIDTH, 1.1 + 0.72 * len(tasks)), width_ratios=[1, 1.3],
        squeeze=False,
    )  # fmt: skip
    every = np.concatenate([values, *(mark.values[:, None] for mark in marks)], axis=1)
    low, high = min(0.0, np.nanmin(every)), np.nanmax(every)
    span = 0.06 * (high - low)
    for r, (left, right) in enumerate(axes):
        _strip(left, tasks[r])
        right.plot(values[r], np.zeros(values.shape[1]), "|", color=BLUE, ms=13, mew=1.2, alpha=0.6)
        if low < 0:
            right.axvline(0, color=QUIET, lw=1)
        right.set(xlim=(low - (span if low < 0 else 0), high + span), ylim=(-1.0, 0.8), yticks=[])
        for mark in marks:
            _draw_mark(right, mark, r)
        right.spines["left"].set_visible(False)
        if r + 1 < len(axes):
            right.set_xticklabels([])
    axes[-1, 1].set_xlabel(xlabel)
    key = [plt.Line2D([], [], marker="|", ls="", color=BLUE, ms=10, mew=1.2, label="one expert")]
    key += [plt.Line2D([], [], ls="", label=mark.label, **_look(mark)) for mark in marks]
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    figure.legend(handles=key, loc="outside lower right", ncols=len(key), handletextpad=0.2)
    return figure


def _look(mark: Mark) -> dict[str, Any]:
    return {"marker": mark.marker, "color": INK if mark.names is None else ORANGE,
            "markeredgecolor": INK, "markersize": 9 if mark.marker == "*" else 7}  # fmt: skip


def _draw_mark(ax: Axes, mark: Mark, r: int) -> None:
    value = mark.values[r]
    ax.plot(value, 0.0 if mark.names else 0.45, ls="", **_look(mark))
    if mark.names:
        low, high = ax.get_xlim()
        side = "left" if value < low + 0.3 * (high - low) else "right"
        ax.text(value, -0.68, mark.names[r], fontsize=9, va="center", ha=side)


def _strip(ax: Axes, task: Task) -> None:
    places = draw_evenly(task.labels, SHOWN, 0)
    images = [task.images[int(i)].permute(1, 2, 0).numpy() for i in places]
    gap = np.full((images[0].shape[0], 2, 3), 255, dtype=np.uint8)
    ax.imshow(np.concatenate([part for image in images for part in (image, gap)][:-1], axis=1))
    ax.set_title(task.name, fontsize=9, fontweight="normal", pad=2)
    ax.set_axis_off()


def matrix_figure(
    gain: np.ndarray,
    data_sets: Sequence[str],
    experts: Sequence[str],
    *,
    marks: Mapping[str, np.ndarray],
    best: np.ndarray,
    portraits: Mapping[str, np.ndarray],
) -> Figure:
    """Gain over the generic expert in every cell, tasks in blocks by data set.

    Args:
        gain: points of error, `[T, M]`.
        data_sets: data set of each task; blocks come in the order of first appearance, and inside a
            block tasks with alike rows lie together.
        experts: M names.
        marks: marker to bool `[T, M]`, the cells that bear it.
        best: index of the best eligible expert of each task, `[T]`.
        portraits: data set to an image `[h, w, 3]` that stands beside its block.
    """
    blocks = {name: np.flatnonzero(np.array(data_sets) == name) for name in portraits}
    ordered = []
    for members in blocks.values():
        order, _ = leaf_order(squareform(pdist(gain[members])))
        ordered.append(members[order])
    rows = np.concatenate(ordered)
    reach = max(1.0, float(np.percentile(np.abs(gain), 98)))
    figure, ax = plt.subplots(figsize=(PAGE_WIDTH, 8.4 if len(rows) > 40 else 5.6))
    drawn = ax.imshow(
        gain[rows], cmap="PuOr", vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest"
    )
    for marker, cells in marks.items():
        y, x = np.nonzero(cells[rows])
        halo(*ax.plot(x, y, marker, color=INK, ms=5, mew=0.9))
    ax.plot(best[rows], np.arange(len(rows)), "o", color=INK, mec="white", ms=4.5, mew=0.8)
    ends = np.cumsum([0, *map(len, ordered)])
    middles = (ends[:-1] + ends[1:] - 1) / 2
    ax.hlines(ends[1:-1] - 0.5, -0.5, len(experts) - 0.5, color=INK, lw=0.8)
    ax.set_yticks(
        middles,
        [f"{name}\n{len(of)} task{'s' if len(of) > 1 else ''}" for name, of in blocks.items()],
    )
    for (name, image), y in zip(portraits.items(), middles, strict=True):
        points = min(30, 430 * len(blocks[name]) / len(rows))  # no higher than its block
        box = OffsetImage(image, zoom=points / image.shape[0])
        ax.add_artist(
            AnnotationBbox(
                box, (0, y), xybox=(-92, 0), xycoords=("axes fraction", "data"), pad=0,
                boxcoords="offset points", frameon=False, annotation_clip=False,
            )
        )  # fmt: skip
    ax.set_xticks(range(len(experts)), experts, rotation=90)
    ax.tick_params(length=0)
    ax.set_title("Violet: better than the generic network")
    figure.colorbar(drawn, ax=ax, label="gain over the generic network (points of error)",
                    extend="both", shrink=0.5, pad=0.02)  # fmt: skip
    ax.spines[:].set_color(QUIET)
    return figure
