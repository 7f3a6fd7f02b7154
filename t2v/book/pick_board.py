"""A board of tasks and of the experts that are recommended for them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from t2v.book.plots import PAGE_WIDTH, QUIET

DARKEST = 20.0
"""Points of error beyond the best expert's from which the ground is no darker."""


class Pick(NamedTuple):
    """An expert that is recommended for a task, and its error beyond the best expert's, points."""

    expert: str
    worse: float


def pick_board(
    rows: Mapping[str, tuple[np.ndarray, Sequence[Pick]]], columns: Sequence[str], title: str = ""
) -> Figure:
    """Images of each task in two lines, and beside them who recommends which expert.

    Args:
        rows: name of a task to its images, uint8 `[2n, 3, h, w]`, and C picks. The ground of a pick
            is white where no expert does better, else the darker, the worse it is.
        columns: C names of those that recommend.
        title: title of the figure.
    """
    shown = max(len(images) for images, _ in rows.values()) // 2  # in each of two lines
    figure = plt.figure(figsize=(PAGE_WIDTH, 0.7 + 1.0 * len(rows)), layout="constrained")
    grid = figure.add_gridspec(
        len(rows) + 1,
        len(columns) + 1,
        height_ratios=[0.35, *[1] * len(rows)],
        width_ratios=[0.5 * shown, *[1] * len(columns)],
    )
    for c, name in enumerate(columns, start=1):
        _write(figure.add_subplot(grid[0, c]), name, "white", weight="bold")
    for r, (name, (images, picks)) in enumerate(rows.items(), start=1):
        lines = [images[:shown].transpose(0, 2, 3, 1), images[shown:].transpose(0, 2, 3, 1)]
        ax = figure.add_subplot(grid[r, 0])
        ax.imshow(np.concatenate([np.concatenate(list(line), axis=1) for line in lines]))
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_ylabel("\n".join(textwrap.wrap(name, 15)), fontsize=8)
        for c, pick in enumerate(picks, start=1):
            points = round(pick.worse)
            text = f"{pick.expert} +{points}" if points else pick.expert
            _write(figure.add_subplot(grid[r, c]), text, _ground(pick.worse))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _ground(worse: float) -> tuple[float, ...] | str:
    """White, or a shade on which black can be read."""
    if worse < 0.5:
        return "white"
    return plt.get_cmap("Oranges")(0.1 + 0.45 * min(worse / DARKEST, 1))


def _write(
    ax: plt.Axes, text: str, ground: tuple[float, ...] | str, weight: str = "normal"
) -> None:
    ax.set(xticks=[], yticks=[], facecolor=ground)
    ax.spines[:].set_visible(weight == "normal")
    ax.spines[:].set(color=QUIET, linewidth=0.5)
    lines = "\n".join(textwrap.wrap(text, 13, break_long_words=False))
    ax.text(0.5, 0.5, lines, ha="center", va="center", fontsize=8, fontweight=weight)
