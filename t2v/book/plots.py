"""The figures used more than once, in one style: page width, at least 9 pt, labels on the spot.

Everything here takes arrays and names. Colours are those of Okabe and Ito (2008), chosen to be told
apart by colour-blind readers; groups differ by marker as well. Figures are drawn for a light card,
which the book also lays under them in dark mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from t2v._run.files import replacing
from t2v.errors import FileError, InputError

PAGE_WIDTH = 7.2  # inches
CARD = "#ffffff"
INK = "#1f2328"
QUIET = "#6b7280"
OKABE_ITO = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#555555")
BLUE, ORANGE, GREEN, RED, PINK, SKY, GREY = OKABE_ITO
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

# The three kinds of number: colour, edge (for contrast on the card), marker, what it is called.
_KINDS = {
    "paper": ("#000000", "#000000", "D", "the paper's"),
    "photographs": ("#0072b2", "#00456b", "o", "ours, on photographs"),
    "synthetic": ("#e69f00", "#7a5200", "s", "ours, on the synthetic library"),
}


def use_style() -> None:
    """Sets matplotlib to the style of the book; called once at the top of a chapter."""
    mpl.rcParams.update(
        {
            "figure.figsize": (PAGE_WIDTH, 4.2),
            "figure.dpi": 144,
            "figure.facecolor": CARD,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": CARD,
            "savefig.dpi": 144,
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlepad": 8,
            "axes.labelsize": 10,
            "axes.edgecolor": QUIET,
            "axes.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "axes.prop_cycle": mpl.cycler(color=OKABE_ITO),
            "text.color": INK,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": "#e5e7eb",
            "legend.fontsize": 9,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "image.cmap": "viridis",
            "svg.hashsalt": "t2v",
        }
    )


def number_kind(kind: str, *, line: bool = False) -> dict[str, object]:
    """How a kind of number is drawn: keyword arguments for `Axes.plot`.

    Args:
        kind: "paper" (black diamonds), "photographs" (blue circles), "synthetic" (orange squares).
        line: with a line through the points.

    Raises:
        InputError: for another kind.
    """
    if kind not in _KINDS:
        raise InputError(f"kind of number {kind!r}: one of {', '.join(_KINDS)}")
    colour, edge, marker, label = _KINDS[kind]
    return {
        "color": colour,
        "marker": marker,
        "markeredgecolor": edge,
        "markersize": 6,
        "linestyle": "-" if line else "none",
        "label": label,
    }


def group_styles(groups: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each group, in order of first appearance.

    The seven colours come first; further groups take darker, then lighter shades and other markers.
    """
    styles = {}
    for i, group in enumerate(dict.fromkeys(groups)):
        base = np.array(to_rgb(OKABE_ITO[i % 7]))
        turn = i // 7
        shade = [base, 0.6 * base, 0.6 * base + 0.4][turn % 3]
        styles[group] = (to_hex(shade), MARKERS[(i + 3 * turn) % 7])
    return styles


def task_map(
    points: np.ndarray,
    groups: Sequence[str],
    *,
    names: Mapping[int, str] | None = None,
    styles: Mapping[str, tuple[str, str]] | None = None,
    label_groups: bool = True,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Tasks as dots on a plane (Fig. 1 of the paper), each group named where its dots are.

    Args:
        points: `[N, 2]`, for instance of a t-SNE; the axes have no unit and are not drawn.
        groups: N names; dots of one group share colour and marker.
        names: of single dots to be named: index to text.
        styles: colour and marker of each group; default: `group_styles(groups)`.
        label_groups: write each group's name above its dots.
        title: what to see.
        ax: where to draw; default: a new figure.

    Raises:
        InputError: if points and groups do not go together.
    """
    points, groups = np.asarray(points, dtype=float), list(groups)
    if points.shape != (len(groups), 2):
        raise InputError(
            f"points: expected [{len(groups)}, 2], as there are groups, got {points.shape}"
        )
    ax = ax or plt.figure(layout="constrained", figsize=(PAGE_WIDTH, 5.0)).subplots()
    styles = styles or group_styles(groups)
    of = np.array(groups, dtype=object)
    texts = []
    for group in dict.fromkeys(groups):
        colour, marker = styles[group]
        x, y = points[of == group].T
        ax.scatter(x, y, s=34, c=colour, marker=marker, linewidths=0.6, edgecolors=CARD, zorder=2)
        if label_groups:
            above = (np.median(x), np.quantile(y, 0.9))
            texts.append(_label(ax, above, group, readable(colour), "bold"))
    for i, name in (names or {}).items():
        texts.append(_label(ax, points[i], name, INK, "normal"))
    ax.set(xticks=[], yticks=[], title=title)
    ax.margins(x=0.06, y=0.12)  # names stand above their dots
    for spine in ax.spines.values():
        spine.set_visible(False)
    spread_labels(ax, texts, points)
    return ax


def spread_labels(ax: Axes, texts: Sequence[plt.Text], points: np.ndarray | None = None) -> None:
    """Moves labels, one after the other, to where they cover no other label and few dots.

    They stay inside the panel, if they can: above it is its title.

    Args:
        ax: where they are.
        texts: annotations whose place is an offset from their anchor, in points.
        points: `[N, 2]`, dots in data coordinates; `None`: there are none to be kept clear.
    """
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()
    dots = ax.transData.transform(np.zeros((0, 2)) if points is None else points)
    boxes = [text.get_window_extent() for text in texts]
    size = np.array([[box.width, box.height] for box in boxes]).reshape(-1, 2)
    centre = np.array([[box.x0 + box.x1, box.y0 + box.y1] for box in boxes]).reshape(-1, 2) / 2
    inside = ax.get_window_extent()
    middle = np.array([inside.x0 + inside.x1, inside.y0 + inside.y1]) / 2
    reach = np.array([inside.width, inside.height]) / 2
    across, up = np.meshgrid(np.linspace(-0.5, 0.5, 5), np.arange(-5, 5.1, 0.25))
    moves = np.stack([across.ravel(), up.ravel()], axis=1)  # in widths and heights of the label
    for i, text in enumerate(texts):
        places = centre[i] + moves * size[i]
        cost = np.abs(moves * size[i]).sum(1)
        cost += 4 * size[i, 1] * _covered(places, dots, size[i] / 2 + 0.2 * size[i, 1])
        cost += 1e6 * _covered(places, centre[:i], (size[i] + size[:i]) / 2)
        cost += 1e3 * (np.abs(places - middle) + size[i] / 2 > reach).sum(1)
        goal = places[cost.argmin()]
        shift = (goal - centre[i]) * 72 / figure.dpi
        text.set_position(np.add(text.get_position(), shift))
        centre[i] = goal


def _covered(places: np.ndarray, others: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """How many of `others` are nearer than `reach`, across and up, to each place."""
    return (np.abs(places[:, None] - others) < reach).all(2).sum(1)


def distance_heatmap(
    matrix: np.ndarray,
    names: Sequence[str],
    *,
    groups: Sequence[Sequence[str]] = (),
    show_names: bool | None = None,
    title: str = "",
    label: str = "distance",
) -> Figure:
    """Tasks by tasks, ordered by complete linkage, with dendrogram and colours of the taxonomy.

    As in Fig. 2 left of the paper: near is light. The order is that of an optimal leaf ordering,
    so neighbours in the picture are near each other in the matrix. An asymmetric matrix is ordered
    by its mean with its transpose, and drawn as it is.

    Args:
        matrix: `[N, N]`.
        names: N, of the tasks.
        groups: levels of the taxonomy, coarse first: N names each; drawn as bars at the left, in
            the colours of `group_styles`, as on the map of the same tasks.
        show_names: write names at the rows; default: up to 40 tasks.
        title: what to see.
        label: of the colour bar, with unit.

    Raises:
        InputError: if the shapes do not go together or the matrix has non-finite entries.
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
    drawn = main.imshow(
        matrix[np.ix_(order, order)], cmap="viridis_r", vmin=min(0, matrix.min()), vmax=top,
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    main.set(xticks=[], yticks=[])
    if show_names:
        main.set_yticks(range(n), [names[i] for i in order], fontsize=9)
        main.yaxis.tick_right()
        main.tick_params(length=0)
    for spine in main.spines.values():
        spine.set_visible(False)
    for ax, level in zip(grid[1, :-1], groups, strict=True):
        _group_bar(ax, [level[i] for i in order], group_styles(level))
    if groups:
        _group_key(figure, group_styles(groups[0]))
    figure.colorbar(drawn, ax=list(grid[:, -1]), label=label, shrink=0.6, pad=0.02)
    return figure


def leaf_order(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Order of the leaves of complete linkage, optimally turned; and the linkage (None below 2).

    Args:
        matrix: `[N, N]` distances; its mean with its transpose is clustered.
    """
    if len(matrix) < 2:
        return np.arange(len(matrix)), None
    even = (matrix + matrix.T) / 2
    even = even - min(0.0, even.min())  # the asymmetric distance may be negative
    np.fill_diagonal(even, 0)
    tree = hierarchy.linkage(squareform(even, checks=False), "complete", optimal_ordering=True)
    return hierarchy.leaves_list(tree), tree


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
    **line: object,
) -> None:
    """A mean with its interval as a band, named at its right end.

    Args:
        ax: where to draw.
        x: `[N]`.
        mean: `[N]`.
        low: `[N]`, lower end of the interval.
        high: `[N]`, upper end.
        label: what the curve is; written beside its last point.
        color: of line, band and label.
        marker: of the points.
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


def picture_grid(
    rows: Mapping[str, np.ndarray], *, columns: int = 8, title: str = "", height: float = 0.82
) -> Figure:
    """Rows of pictures, each with its name at the left.

    Args:
        rows: name to uint8 `[N, 3, H, W]` (anything numpy can read); the first `columns` are shown.
        columns: pictures in a row.
        title: what to see.
        height: of a row, inches.
    """
    figure = plt.figure(
        layout="constrained", figsize=(PAGE_WIDTH, height * len(rows) + (0.35 if title else 0))
    )
    grid = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for ax, (name, pictures) in zip(grid, rows.items(), strict=True):
        shown = np.asarray(pictures)[:columns].transpose(0, 2, 3, 1)
        gap = np.full((shown.shape[1], max(1, shown.shape[2] // 24), 3), 255, dtype=np.uint8)
        strip = [part for picture in shown for part in (picture, gap)][:-1]
        ax.imshow(np.concatenate(strip, axis=1))
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        for spine in ax.spines.values():
            spine.set_visible(False)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def no_table(library: str = "", ax: Axes | None = None) -> None:
    """Says that a kept table is not there, in a panel or in a low figure of its own.

    Args:
        library: "real" or "synthetic", whose run would make it.
        ax: the panel.
    """
    ax = ax or plt.figure(figsize=(PAGE_WIDTH, 0.6)).subplots()
    ax.set_axis_off()
    where = f" in book/results/{library}-laptop: make results LIBRARY={library}" if library else ""
    ax.text(0.5, 0.5, f"no table is kept{where}", ha="center", transform=ax.transAxes)


def save(figure: Figure, path: str | Path) -> None:
    """Writes a figure to a file (.png, .svg, .pdf), whole or not at all.

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


def _label(
    ax: Axes, at: Sequence[float], text: str, colour: str, weight: str
) -> mpl.text.Annotation:
    written = ax.annotate(
        text, at, xytext=(0, 9), textcoords="offset points",
        ha="center", va="center", fontsize=9, fontweight=weight, color=colour, zorder=3,
    )  # fmt: skip
    return halo(written)


def halo(text: mpl.text.Annotation) -> mpl.text.Annotation:
    """Puts the colour of the card around a text, so that it can be read on top of dots."""
    text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground=CARD)])
    return text


def readable(colour: str) -> str:
    """A shade of the colour in which 9 pt text can be read on the card (4.5:1)."""
    rgb = np.array(to_rgb(colour))
    while contrast(to_hex(rgb), CARD) < 4.5:
        rgb = 0.92 * rgb
    return to_hex(rgb)


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21, as in the Web Content Accessibility Guidelines 2.1."""
    light = []
    for colour in (one, other):
        c = np.array(to_rgb(colour))
        c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        light.append(float(c @ [0.2126, 0.7152, 0.0722]))
    return (max(light) + 0.05) / (min(light) + 0.05)
