"""Figures of the error matrix: a few tasks with the errors of all experts, and all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from scipy.spatial.distance import pdist, squareform

from t2v.book.plots import BLUE, INK, PAGE_WIDTH, QUIET, halo, leaf_order
from t2v.task import Task, draw_evenly

SHOWN = 5
"""Images of a task in a row."""


def tasks_and_errors(
    tasks: Sequence[Task], errors: np.ndarray, generic: np.ndarray, experts: Sequence[str]
) -> Figure:
    """One row for each task: some of its images, and the errors of all experts on it.

    Args:
        tasks: R tasks.
        errors: errors of M experts, shares, `[R, M]`; NaN where an expert is not eligible.
        generic: errors of the generic expert, shares, `[R]`.
        experts: M names.
    """
    figure, axes = plt.subplots(
        len(tasks), 2, figsize=(PAGE_WIDTH, 0.5 + 0.72 * len(tasks)), width_ratios=[1, 1.3],
        squeeze=False,
    )  # fmt: skip
    far = 105 * max(np.nanmax(errors), generic.max())
    for (left, right), task, row, level in zip(axes, tasks, errors, generic, strict=True):
        _strip(left, task)
        best = int(np.nanargmin(row))
        right.plot(100 * row, np.zeros(len(row)), "|", color=BLUE, ms=13, mew=1.2, alpha=0.6)
        right.plot(100 * level, 0.42, "v", color=INK, ms=7)
        right.plot(100 * row[best], 0, "o", color=BLUE, mec=INK, ms=6)
        right.text(100 * row[best], -0.62, experts[best], fontsize=9, va="center", ha="center")
        right.set(xlim=(0, far), ylim=(-0.95, 0.8), yticks=[])
        right.spines["left"].set_visible(False)
        if right is not axes[-1, 1]:
            right.set_xticklabels([])
    axes[-1, 1].set_xlabel("error (%)")
    axes[0, 1].set_title("▾ generic network   | experts   ● the best of them", fontsize=10)
    return figure


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
    ax.set_yticks(middles, [f"{name}\n{len(blocks[name])} tasks" for name in blocks])
    for (_, image), y in zip(portraits.items(), middles, strict=True):
        box = OffsetImage(image, zoom=30 / image.shape[0])
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
