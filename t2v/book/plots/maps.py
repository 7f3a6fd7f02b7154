"""Tasks as dots on a plane, each group named where its dots are, and the placing of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation

from t2v.book.plots.style import CARD, INK, PAGE_WIDTH, group_styles, halo, readable
from t2v.errors import InputError


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
        points: coordinates `[N, 2]`, such as those of a t-SNE; axes without units are not drawn.
        groups: N names; dots of one group share colour and marker.
        names: labels of single dots, by their index.
        styles: colour and marker of each group; default: `group_styles(groups)`.
        label_groups: whether each group's name is written above its dots.
        title: title of the panel, which says what to see.
        ax: panel to draw in; default: that of a new figure.

    Raises:
        InputError: if the numbers of points and groups differ.
    """
    points, groups = np.asarray(points, dtype=float), list(groups)
    if points.shape != (len(groups), 2):
        raise InputError(
            f"points: expected [{len(groups)}, 2], as there are groups, got {points.shape}"
        )
    ax = ax or plt.figure(layout="constrained", figsize=(PAGE_WIDTH, 5.0)).subplots()
    styles = styles or group_styles(groups)
    group_of = np.array(groups, dtype=object)
    texts = []
    for group in dict.fromkeys(groups):
        colour, marker = styles[group]
        x, y = points[group_of == group].T
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


def spread_labels(ax: Axes, texts: Sequence[Annotation], points: np.ndarray | None = None) -> None:
    """Move labels, one after the other, to where they cover no other label and few dots.

    Labels stay inside the panel if there is room, since the title is above it.

    Args:
        ax: panel of the labels.
        texts: annotations whose position is an offset from their anchor, in points.
        points: dots `[N, 2]` in data coordinates; `None`: no dots to avoid.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None  # an axes in a figure
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
        best = places[cost.argmin()]
        shift = (best - centre[i]) * 72 / figure.dpi
        text.set_position(np.add(text.get_position(), shift))
        centre[i] = best


def _covered(places: np.ndarray, others: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Number of `others` nearer than `reach` to each place, in both directions."""
    return (np.abs(places[:, None] - others) < reach).all(2).sum(1)


def _label(ax: Axes, at: tuple[float, float], text: str, colour: str, weight: str) -> Annotation:
    annotation = ax.annotate(
        text, at, xytext=(0, 9), textcoords="offset points",
        ha="center", va="center", fontsize=9, fontweight=weight, color=colour, zorder=3,
    )  # fmt: skip
    return halo(annotation)
