"""Figures of task vectors: what they belong to, how alike they are, and what arithmetic does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t2v.book.plots import INK, PAGE_WIDTH, QUIET, interval_curve
from t2v.evaluation import Estimate
from t2v.task import Task, draw_evenly

SHOWN = 5
"""Images of a task in a row."""


def opening_figure(tasks: Sequence[Task], cosine: np.ndarray, norms: Sequence[float]) -> Figure:
    """Rows of images of training tasks beside the cosines of their task vectors.

    Args:
        tasks: R training tasks.
        cosine: `[R, R]`.
        norms: R norms of the task vectors.
    """
    figure = plt.figure(figsize=(PAGE_WIDTH, 0.5 + 0.85 * len(tasks)))
    grid = figure.add_gridspec(len(tasks), 2, width_ratios=[1.35, 1])
    numbers = [f"({r + 1})" for r in range(len(tasks))]
    for r, (task, norm) in enumerate(zip(tasks, norms, strict=True)):
        ax = figure.add_subplot(grid[r, 0])
        places = draw_evenly(task.labels, SHOWN, 0)
        ax.imshow(np.concatenate([task.images[int(i)].permute(1, 2, 0) for i in places], axis=1))
        ax.set_title(
            f"{numbers[r]}  {task.name}: norm {norm:.2f}", fontsize=9, fontweight="normal", pad=2
        )
        ax.set_axis_off()
    ax = figure.add_subplot(grid[:, 1])
    ax.imshow(cosine, cmap="Blues", vmin=0, vmax=1)
    for (r, c), value in np.ndenumerate(cosine):
        ax.text(
            c, r, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else INK
        )
    ax.set_xticks(range(len(tasks)), numbers)
    ax.set_yticks(range(len(tasks)), numbers)
    ax.set_title("Cosines of their task vectors")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


def two_matrices(panels: Mapping[str, tuple[np.ndarray, str]], names: Sequence[str]) -> Figure:
    """Two measures of the same pairs side by side.

    Args:
        panels: title of each panel to a matrix `[M, M]`, larger for what is more alike, and what
            its colours mean; the diagonal is left white.
        names: M names.
    """
    figure, axes = plt.subplots(1, 2, figsize=(PAGE_WIDTH, 3.9), sharey=True)
    for ax, (title, (matrix, label)) in zip(axes, panels.items(), strict=True):
        shown = np.where(np.eye(len(names), dtype=bool), np.nan, matrix)
        drawn = ax.imshow(shown, cmap="Blues", interpolation="nearest")
        ax.set_title(title)
        ax.set_xticks([])
        ax.set_yticks(range(len(names)), names, fontsize=9)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        figure.colorbar(drawn, ax=ax, label=label, orientation="horizontal", pad=0.03, shrink=0.9)
    return figure


def layer_figure(
    layers: Sequence[str],
    curves: Mapping[str, tuple[Sequence[Sequence[float]], str, str]],
    ylabel: str,
) -> Figure:
    """Intervals layer by layer, from the input to the output.

    Args:
        layers: L names.
        curves: name of each curve to its L estimates (value, low, high), colour and marker.
        ylabel: what the values are.
    """
    figure, ax = plt.subplots(figsize=(PAGE_WIDTH, 3.9))
    for name, (estimates, colour, marker) in curves.items():
        value, low, high = np.array([estimate[:3] for estimate in estimates]).T
        ax.fill_between(range(len(layers)), low, high, color=colour, alpha=0.18, lw=0)
        ax.plot(value, color=colour, marker=marker, ms=4.5, label=name)
    ax.axhline(0, color=QUIET, lw=1)
    short = [name.removeprefix("features.") for name in layers]
    ax.set_xticks(range(len(layers)), short, rotation=90, fontsize=9)
    ax.set(ylabel=ylabel, xlabel="layer, from the input to the output")
    ax.set_title("Task vectors and Task2Vec, layer by layer")
    ax.legend(loc="lower right")
    return figure


def cost_figure(
    panels: Mapping[str, np.ndarray], cost: np.ndarray, same: np.ndarray, ylabel: str
) -> Figure:
    """What it costs to add a second vector, pair by pair, against measures of the pair.

    Args:
        panels: name of each measure to its values, `[P]`.
        cost: `[P]`.
        same: bool `[P]`, pairs whose experts saw photographs of one data set.
        ylabel: what the cost is, with unit.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(PAGE_WIDTH, 3.3), sharey=True)
    for ax, (name, values) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        _dots(ax, values, cost, same)
        ax.axhline(0, color=QUIET, lw=1)
        ax.set_xlabel(name)
    np.atleast_1d(axes)[0].set_ylabel(ylabel)
    figure.suptitle("What a second task vector costs the first task", x=0.01, ha="left",
                    fontsize=11, fontweight="bold")  # fmt: skip
    handles, labels = np.atleast_1d(axes)[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _dots(ax: Axes, x: np.ndarray, y: np.ndarray, same: np.ndarray) -> None:
    for of, colour, marker, label in (
        (~same, "#56b4e9", "o", "other data sets"),
        (same, "#d55e00", "^", "the same data set"),
    ):
        ax.scatter(x[of], y[of], s=20, color=colour, marker=marker, ec="white", lw=0.4, label=label)


def scale_figure(
    scales: Sequence[float],
    curves: Mapping[str, tuple[Sequence[Estimate], str, str]],
    chosen: float,
    ylabel: str,
) -> Figure:
    """What an edit does as its factor grows.

    Args:
        scales: L factors λ.
        curves: name of each curve to its L estimates, colour and marker.
        chosen: the λ that was chosen.
        ylabel: what the values are, with unit.
    """
    figure, ax = plt.subplots(figsize=(PAGE_WIDTH, 3.2))
    for name, (estimates, colour, marker) in curves.items():
        value, low, high = np.array(estimates).T
        interval_curve(
            ax, np.array(scales), value, low, high, label=name, color=colour, marker=marker
        )
    ax.axhline(0, color=QUIET, lw=1)
    ax.axvline(chosen, color=QUIET, lw=1, ls="--")
    ax.set(xlabel="factor λ", ylabel=ylabel, xticks=scales)
    ax.set_title("What subtracting a task vector does")
    ax.set_xlim(min(scales) - 0.05, max(scales) * 1.35)
    return figure
