"""Draw the figure of the page on drawn worlds: `python -m data_scripts.world_picture`.

Two orders of each of three classes of the book's own world, the oldest and the youngest, with the
branches of the tree between them; the ancestors of the classes and of the older orders stand where
they lived. Below them garments of the wardrobe, which have no tree.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import t2v
from data_scripts import webp
from t2v.book import plots
from t2v.libraries.worlds.creatures.evolution import World, grow_world
from t2v.libraries.worlds.creatures.images import portraits

CLASSES = ("birds", "beasts", "butterflies")
SIDE = 112  # of an image, in pixels
TIP = 1.14  # time at which the portraits of living species stand
GARMENTS = 1.42  # and the garments


def with_leaves(world: World, nodes: Sequence[int]) -> tuple[World, list[int]]:
    """The world with a species at each of some inner nodes, and these species.

    They have the traits of the node: what lived there can be drawn like any species.
    """
    tree = replace(world.tree, **{k: list(v) for k, v in vars(world.tree).items()})
    leaves = [tree.add(node, tree.time[node], "species") for node in nodes]
    z = {top: np.concatenate([rows, rows[list(nodes)]]) for top, rows in world.z.items()}
    return replace(world, tree=tree, z=z), leaves


def shown_orders(world: World) -> list[int]:
    """The oldest and the youngest order of each class, in the order of the tree."""
    chosen = []
    for name in CLASSES:
        orders = world.tree.below(world.class_named(name), "order")
        times = [world.tree.time[order] for order in orders]
        chosen += sorted((orders[int(np.argmin(times))], orders[int(np.argmax(times))]))
    return chosen


def places(world: World, tips: Sequence[int]) -> dict[int, float]:
    """Horizontal place of every node above the tips: 0, 1, ... for these, means of children."""
    tree = world.tree
    place = {tip: float(k) for k, tip in enumerate(tips)}
    shown = sorted({node for tip in tips for node in tree.path(tip)}, reverse=True)
    for node in shown:  # children come after their parents, so here before them
        if node not in place:
            children = [place[child] for child in shown if tree.parent[child] == node]
            place[node] = float(np.mean(children))
    return place


def draw(ax: Axes, world: World, garments: np.ndarray) -> None:
    """Draw the branches, the portraits and a row of garments.

    Args:
        ax: panel; time runs downwards.
        world: the drawn world.
        garments: uint8 `[N, 3, H, W]`, as many as there are species shown.
    """
    tree, orders = world.tree, shown_orders(world)
    tips = [world.species(order)[end] for order in orders for end in (0, -1)]
    place = places(world, tips)
    styles = plots.group_styles(CLASSES)
    for node in place:
        colour = next((styles[n][0] for n in tree.lineage(node) if n in styles), plots.QUIET)
        if (parent := tree.parent[node]) >= 0:
            path = [place[parent], place[node], place[node]]
            ax.plot(path, [tree.time[parent], tree.time[parent], min(1.0, tree.time[node])],
                    color=colour, lw=2, solid_capstyle="round", zorder=1)  # fmt: skip
    ancestors = [*(world.class_named(name) for name in CLASSES), *orders]
    ancestors = [node for node in ancestors if tree.time[node] < 0.75]
    extended, leaves = with_leaves(world, ancestors)
    faces = portraits(extended, [*leaves, *tips], SIDE).numpy()
    at = [(place[node], tree.time[node]) for node in ancestors] + [(place[t], TIP) for t in tips]
    for image, (x, y) in zip(faces, at, strict=True):
        show(ax, image, x, y)
    for x, garment in enumerate(garments):
        show(ax, garment, x, GARMENTS, size=0.43)
    for name in CLASSES:
        node = world.class_named(name)
        ax.text(place[node] - 0.2, tree.time[node] - 0.11, name, ha="right", va="center",
                color=plots.readable(styles[name][0]), fontsize=13, weight="bold")  # fmt: skip
    for y, text in ((0.0, "long ago"), (TIP, "today"), (GARMENTS, "no tree")):
        ax.text(-0.65, y, text, ha="right", va="center", color=plots.INK, fontsize=12)


def show(ax: Axes, image: np.ndarray, x: float, y: float, size: float = 0.48) -> None:
    """Draw an image with its middle at a place; `size` is half its width in columns."""
    box = ax.get_window_extent()
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    tall = size * (box.width / (right - left)) / (box.height / (bottom - top))
    extent = (x - size, x + size, y + tall, y - tall)
    ax.imshow(image.transpose(1, 2, 0), extent=extent, aspect="auto", zorder=2,
              interpolation="lanczos")  # fmt: skip


def main() -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("book/_static/world.webp"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    count = len(CLASSES) * 4
    wardrobe = t2v.load_library("wardrobe", "smoke", arguments.seed)
    plots.use_style()
    figure = plt.figure(figsize=(9.0, 4.9), layout="none", dpi=144)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(-1.75, count - 0.45), ylim=(1.56, -0.05))
    ax.axis("off")
    draw(ax, grow_world("laptop", arguments.seed), wardrobe.tasks[0].images[:count].numpy())
    webp.save(figure, arguments.output)


if __name__ == "__main__":
    main()
