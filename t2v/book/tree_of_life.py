"""The tree of a drawn world, as a circle with its root in the middle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.projections.polar import PolarAxes

from t2v.book import plots
from t2v.book.plots import QUIET
from t2v.libraries.worlds.creatures.evolution import Tree, World

ROOT = 0.15
"""Radius of the root; the present is at 1 + `ROOT`."""


def angles_of(tree: Tree) -> np.ndarray:
    """Angle of each node, in radians: leaves evenly in a circle, with gaps between clades.

    An inner node stands in the middle of its children. After an order comes a gap of 1.5 leaves,
    after a class one of 2.
    """
    angles = np.zeros(len(tree))
    used = 0.0

    def place(node: int) -> float:
        nonlocal used
        children = [place(child) for child, parent in enumerate(tree.parent) if parent == node]
        if not children:
            used += 1
        angles[node] = np.mean(children) if children else used
        used += {"order": 1.5, "class": 2}.get(tree.rank[node], 0)
        return angles[node]

    place(0)
    return angles * 2 * np.pi / used


def draw_tree(
    ax: PolarAxes,
    world: World,
    orders: Sequence[int],
    images: Sequence[np.ndarray],
    styles: Mapping[str, tuple[str, str]],
) -> None:
    """Draw a world's tree in the colours of its classes, with a creature of each order.

    Args:
        ax: a polar panel.
        world: the drawn world.
        orders: nodes of the orders.
        images: a portrait of each order, uint8 `[4, H, W]` with opacity.
        styles: colour and marker of each class, by name.
    """
    tree, angles = world.tree, angles_of(world.tree)
    radius = ROOT + np.array(tree.time)
    for node in range(1, len(tree)):
        parent = tree.parent[node]
        colour = next((styles[name][0] for name in tree.lineage(node) if name in styles), QUIET)
        look: dict[str, Any] = {"color": colour, "lw": 1.5 if tree.time[node] < 1 else 0.7}
        ax.plot([angles[node]] * 2, radius[[parent, node]], solid_capstyle="round", **look)
        ax.plot(np.linspace(angles[parent], angles[node], 30), np.full(30, radius[parent]), **look)
    for place, k in enumerate(np.argsort(angles[list(orders)])):
        angle, far = angles[orders[k]], (1.32, 1.57)[place % 2]
        ax.plot([angle] * 2, [1.17, far - 0.08], color="#d0d4d9", lw=0.7, zorder=0)
        image = OffsetImage(np.asarray(images[k]).transpose(1, 2, 0), zoom=0.27)
        ax.add_artist(AnnotationBbox(image, (angle, far), frameon=False))
    for name, (colour, _) in styles.items():
        middle = np.mean(angles[list(tree.below(world.class_named(name), "order"))])
        tilt = np.degrees(middle) % 360
        tilt = tilt - 90 if tilt < 180 else tilt + 90  # never upside down
        ax.text(middle, 1.8, name, color=plots.readable(colour), rotation=tilt,
                weight="bold", fontsize=12, ha="center", va="center")  # fmt: skip
    ax.set_ylim(0, 1.86)
    ax.axis("off")
