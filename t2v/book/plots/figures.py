"""Heatmaps, violins, regressions, curves with intervals, and rows of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from t2v._run.files import replacing
from t2v.book.plots.style import INK, OKABE_ITO, PAGE_WIDTH, QUIET, group_styles, halo, readable
from t2v.errors import FileError, InputError


def distance_heatmap(
    matrix: np.ndarray,
    names: Sequence[str],
    *,
    groups: Sequence[Sequence[str]] = (),
    show_names: bool | None = None,
    title: str = "",
    label: str = "distance",
) -> Figure:
    """Distances of all pairs of tasks, clustered, with dendrogram and colours of the taxonomy.

    As in Fig. 2 left of the paper, small distances are light. Rows and columns are in the order of
    `leaf_order`, so that neighbours in the figure are near each other. An asymmetric matrix is
    drawn as it is.

    Args:
        matrix: distances `[N, N]`.
        names: N names of tasks.
        groups: levels of the taxonomy, coarse first, with N names each; drawn as bars at the left
            in the colours of `group_styles`, as on the map of the same tasks.
        show_names: whether rows are named; default: up to 40 tasks.
        title: title of the figure, which says what to see.
        label: label of the colour bar, with unit.

    Raises:
        InputError: if matrix and names differ in size or the matrix has non-finite entries.
    """
    matrix = np.asarray(matrix, dtype=float)
    n = len(names)
    if matrix.shape != (n, n):
        raise InputError(f"matrix: expected [{n}, {n}] for {n} names, got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise InputError(f"matrix: {np.sum(~np.isfinite(matrix))} entries are not finite")
    show_names = n <= 40 if show_names is None else show_names
    order, tree = leaf_order(matrix)
    figure = plt.figure(layout="constrained", figsize=(PAGE_WIDTH, 6.4 if n > 8 else 4.4))
    widths = [0.035] * len(groups) + [1]
    grid = figure.subplots(
        2, len(widths), squeeze=False, width_ratios=widths, height_ratios=[0.16, 1]
    )
    for ax in grid.flat:
        ax.axis("off")
    if tree is not None:
        hierarchy.dendrogram(
            tree, ax=grid[0, -1], no_labels=True, color_threshold=0, above_threshold_color=QUIET
        )
        grid[0, -1].set_xlim(0, 10 * n)
    grid[0, -1].set_title(title)
    main = grid[1, -1]
    main.axis("on")
    off = ~np.eye(n, dtype=bool)
    top = matrix[off].max() if n > 1 else 1.0
    sns.heatmap(
        matrix[np.ix_(order, order)], ax=main, cmap="viridis_r", vmin=min(0, matrix.min()),
        vmax=top, cbar=False, rasterized=True, xticklabels=False,
        yticklabels=[names[i] for i in order] if show_names else False,
    )  # fmt: skip
    main.tick_params(length=0, left=False, labelleft=False, labelright=show_names, labelrotation=0)
    for ax, level in zip(grid[1, :-1], groups, strict=True):
        _group_bar(ax, [level[i] for i in order], group_styles(level))
    if groups:
        _group_key(figure, group_styles(groups[0]))
    figure.colorbar(main.collections[0], ax=list(grid[:, -1]), label=label, shrink=0.6, pad=0.02)
    return figure


def leaf_order(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Optimal leaf ordering of complete linkage, and the linkage (`None` for fewer than 2 rows).

    Args:
        matrix: distances `[N, N]`; the mean with the transpose is clustered.
    """
    if len(matrix) < 2:
        return np.arange(len(matrix)), None
    symmetric = (matrix + matrix.T) / 2
    symmetric = symmetric - min(0.0, symmetric.min())  # the asymmetric distance may be negative
    np.fill_diagonal(symmetric, 0)
    tree = hierarchy.linkage(squareform(symmetric, checks=False), "complete", optimal_ordering=True)
    return hierarchy.leaves_list(tree), tree


def violins(ax: Axes, values: Sequence[np.ndarray], *, orient: str = "v") -> None:
    """One violin for each set of values, as in Fig. 3 of the paper, with a stroke at each value.

    Args:
        ax: panel to draw in.
        values: sets of values; the violin of set k is centred at k.
        orient: "v" for upright violins, "h" for horizontal ones.
    """
    values = list(values)
    sns.violinplot(
        values, ax=ax, orient=orient, cut=0, density_norm="width", width=0.9, inner=None,
        color="#c9d3df", saturation=1, linewidth=0,
    )  # fmt: skip
    sns.stripplot(
        values, ax=ax, orient=orient, jitter=False, marker="_" if orient == "v" else "|", size=4,
        linewidth=0.6, color=QUIET, alpha=0.8, zorder=1,  # below the marks of the chapters
    )  # fmt: skip


def regression(ax: Axes, x: np.ndarray, y: np.ndarray, *, log: bool = False) -> None:
    """A least-squares line through points, with the 95% bootstrap band of its mean.

    Args:
        ax: panel to draw in.
        x: `[N]`.
        y: `[N]`.
        log: whether the line is fitted to the logarithm of x, for a logarithmic axis.
    """
    sns.regplot(
        x=np.asarray(x), y=np.asarray(y), ax=ax, scatter=False, logx=log, seed=0, color=INK,
        line_kws={"linewidth": 1.2, "zorder": 0.9},  # below the points
    )  # fmt: skip


def interval_curve(
    ax: Axes,
    x: np.ndarray,
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    label: str = "",
    color: str = OKABE_ITO[0],
    marker: str = "o",
    **line: Any,
) -> None:
    """A mean with its interval as a band, named at its right end.

    Args:
        ax: panel to draw in.
        x: `[N]`.
        mean: `[N]`.
        low: lower ends of the intervals, `[N]`.
        high: upper ends of the intervals, `[N]`.
        label: name of the curve, written beside its last point.
        color: colour of line, band and label.
        marker: marker of the points.
        **line: further arguments of `Axes.plot`.
    """
    ax.fill_between(x, low, high, color=color, alpha=0.22, linewidth=0)
    line = {"markersize": 4.5, "markeredgecolor": readable(color), **line}
    ax.plot(x, mean, color=color, marker=marker, **line)
    if label:
        text = ax.annotate(
            label, (x[-1], mean[-1]), xytext=(7, 0), textcoords="offset points", va="center",
            color=readable(color), fontsize=9, fontweight="bold", annotation_clip=False,
        )  # fmt: skip
        halo(text)


def interval_row(
    ax: Axes, y: float, estimate: Sequence[float], *, color: str, width: float = 6, **dot: Any
) -> None:
    """A value as a dot on the bar of its interval, lying at height y.

    Args:
        ax: panel to draw in.
        y: height of the row.
        estimate: value, low, high; nothing is drawn of what is not finite.
        color: colour of bar and dot.
        width: thickness of the bar, points.
        **dot: further arguments of `Axes.plot` for the dot, such as `marker`.
    """
    value, low, high = estimate
    ax.plot([low, high], [y, y], color=color, lw=width, alpha=0.4, solid_capstyle="butt")
    dot = {"marker": "o", "linestyle": "none", "markeredgecolor": readable(color), **dot}
    ax.plot(value, y, color=color, **dot)


def image_grid(
    rows: Mapping[str, np.ndarray], *, columns: int = 8, title: str = "", height: float = 0.82
) -> Figure:
    """Rows of images, each with its name at the left.

    Args:
        rows: name to images, uint8 `[N, 3, H, W]` of an array or tensor; the first `columns` are
            shown.
        columns: number of images in a row.
        title: title of the figure, which says what to see.
        height: height of a row, inches.
    """
    figure = plt.figure(
        layout="constrained", figsize=(PAGE_WIDTH, height * len(rows) + (0.35 if title else 0))
    )
    grid = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for ax, (name, images) in zip(grid, rows.items(), strict=True):
        shown = np.asarray(images)[:columns].transpose(0, 2, 3, 1)
        gap = np.full((shown.shape[1], max(1, shown.shape[2] // 24), 3), 255, dtype=np.uint8)
        strip = [part for image in shown for part in (image, gap)][:-1]
        ax.imshow(np.concatenate(strip, axis=1))
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        for spine in ax.spines.values():
            spine.set_visible(False)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def no_table(library: str = "", ax: Axes | None = None) -> None:
    """Say that a stored table is missing, in a panel or in a low figure of its own.

    Args:
        library: "real" or "synthetic", the run that would make the table.
        ax: panel to write in; default: that of a new figure.
    """
    ax = ax or plt.figure(figsize=(PAGE_WIDTH, 0.6)).subplots()
    ax.set_axis_off()
    where = f" in book/results/{library}-laptop: make results LIBRARY={library}" if library else ""
    ax.text(0.5, 0.5, f"no table is kept{where}", ha="center", transform=ax.transAxes)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure to a file (.png, .svg, .pdf), whole or not at all.

    Raises:
        FileError: for another suffix, or a folder that does not exist.
    """
    path = Path(path)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise FileError(f"{path}: a figure is written as .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise FileError(f"{path}: its folder does not exist")
    with replacing(path) as draft:
        figure.savefig(draft)


def _group_bar(ax: Axes, level: Sequence[str], styles: Mapping[str, tuple[str, str]]) -> None:
    colours = np.array([to_rgb(styles[group][0]) for group in level])
    ax.imshow(colours[:, None], aspect="auto", interpolation="nearest")


def _group_key(figure: Figure, styles: Mapping[str, tuple[str, str]]) -> None:
    handles = [plt.Line2D([], [], marker="s", ls="", ms=8, color=c) for c, _ in styles.values()]
    figure.legend(handles, styles, loc="outside lower left", ncols=min(5, len(styles)))
