"""Draw the figure of the front page and of README: `python -m data_scripts.front_picture`.

The orders of the phylogeny at scale `laptop`, seed 0, each as a portrait of one of its species,
placed by a t-SNE of the symmetric distances between their embeddings. Creatures that would overlap
are moved apart.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.manifold import TSNE

import t2v
from t2v.book import plots
from t2v.book.two_layers import spread
from t2v.libraries.worlds.creatures.evolution import grow_world
from t2v.libraries.worlds.creatures.images import portraits

ASPECT = 2.1  # width by height
TILE = 0.135  # size of a creature, in heights of the figure


def positions(distance: np.ndarray, seed: int) -> np.ndarray:
    """Positions `[T, 2]` of the tasks, x in 0..ASPECT and y in 0..1, from distances `[T, T]`."""
    tsne = TSNE(metric="precomputed", init="random", perplexity=6, random_state=seed)
    xy = tsne.fit_transform(distance)
    _, _, axes = np.linalg.svd(xy - xy.mean(0), full_matrices=False)
    xy = (xy - xy.mean(0)) @ axes.T  # the longer side across the page
    inside = np.array([[TILE * 0.6, TILE * 1.1], [ASPECT - TILE * 0.6, 1 - TILE * 1.1]])
    for _ in range(30):  # apart, back onto the page, apart, ...
        xy = (xy - xy.min(0)) / np.ptp(xy, axis=0) * np.ptp(inside, axis=0) + inside[0]
        xy = spread(xy, TILE, seed)
    return np.clip(xy, *inside)


def label_position(group: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Position of a label: above its group or below, on the side where others are farther away."""
    away = np.array([0, TILE * 0.8])
    ends = np.array([group[group[:, 1].argmax()] + away, group[group[:, 1].argmin()] - away])
    room = np.linalg.norm((ends[:, None] - others) / (2, 1), axis=-1).min(1)  # labels are wide
    return ends[room.argmax()]


def main() -> None:
    """Embed the tasks, or take their embeddings from the cache, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("book/_static/front.png"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    library = t2v.load_library("phylogeny", "laptop", arguments.seed)
    embeddings = t2v.embed_tasks(library.tasks, t2v.load_probe("synthetic"), progress=True)
    world = grow_world("laptop", arguments.seed)
    species = [world.species(order)[0] for order in world.orders]
    creatures = portraits(world, species, size=144).numpy().transpose(0, 2, 3, 1)

    plots.use_style()
    figure = plt.figure(figsize=(9.0, 9.0 / ASPECT), layout="none", dpi=160)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, ASPECT), ylim=(0, 1))
    ax.axis("off")
    groups = [task.group for task in library.tasks]
    styles = plots.group_styles(groups)
    xy = positions(t2v.distance_matrix(embeddings), arguments.seed)
    half = TILE * 0.5
    wide = half * 1.3  # portraits have a margin
    for (x, y), portrait, group in zip(xy, creatures, groups, strict=True):
        disc = plt.Circle((x, y), half, color=styles[group][0], alpha=0.22, linewidth=0)
        ax.add_patch(disc)
        ax.imshow(portrait, extent=(x - wide, x + wide, y - wide, y + wide), zorder=2)
    ax.set(xlim=(0, ASPECT), ylim=(0, 1), aspect="equal")
    for group in dict.fromkeys(groups):
        members = xy[np.array(groups) == group]
        middle = members[np.linalg.norm(members[:, None] - members, axis=-1).sum(1).argmin()]
        near = members[np.linalg.norm(members - middle, axis=1) < 3 * TILE]  # not those far off
        others = xy[np.array(groups) != group]
        position = label_position(near, others)
        colour = plots.readable(styles[group][0])
        text = ax.annotate(
            group, position, ha="center", va="center", color=colour, fontsize=13, fontweight="bold",
            zorder=3,
        )  # fmt: skip
        plots.halo(text)
    plots.save(figure, arguments.output)
    print(f"{arguments.output}: {len(groups)} tasks")


if __name__ == "__main__":
    main()
