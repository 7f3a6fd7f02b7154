"""Draw the picture of the front page and of README: `python -m data_scripts.front_picture`.

The orders of the phylogeny at scale `laptop`, seed 0, each as a portrait of one of its species,
placed by a t-SNE of the symmetric distances between their embeddings. As far as creatures would
overlap they are moved apart; nothing else is touched.
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
from t2v.libraries.worlds.creatures.evolution import world
from t2v.libraries.worlds.creatures.pictures import portraits

ASPECT = 2.1  # width by height
TILE = 0.135  # of a creature, in heights of the picture


def places(distance: np.ndarray, seed: int) -> np.ndarray:
    """Where each task stands: x in 0..ASPECT, y in 0..1."""
    tsne = TSNE(metric="precomputed", init="random", perplexity=6, random_state=seed)
    found = tsne.fit_transform(distance)
    _, _, axes = np.linalg.svd(found - found.mean(0), full_matrices=False)
    at = (found - found.mean(0)) @ axes.T  # the longer side across the page
    inside = np.array([[TILE * 0.6, TILE * 1.1], [ASPECT - TILE * 0.6, 1 - TILE * 1.1]])
    for _ in range(30):  # apart, back onto the page, apart, ...
        at = (at - at.min(0)) / np.ptp(at, axis=0) * np.ptp(inside, axis=0) + inside[0]
        at = spread(at, TILE, seed)
    return np.clip(at, *inside)


def label_place(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Above the highest of its creatures or below the lowest, where others are farther away."""
    away = np.array([0, TILE * 0.8])
    ends = np.array([own[own[:, 1].argmax()] + away, own[own[:, 1].argmin()] - away])
    room = np.linalg.norm((ends[:, None] - others) / (2, 1), axis=-1).min(1)  # labels are wide
    return ends[room.argmax()]


def main() -> None:
    """Embeds the tasks (kept from earlier runs where there are any) and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("book/_static/front.png"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    library = t2v.load_library("phylogeny", "laptop", given.seed)
    embeddings = t2v.embed_tasks(library.tasks, t2v.load_probe("synthetic"), progress=True)
    here = world("laptop", given.seed)
    species = [here.species(order)[0] for order in here.orders]
    creatures = portraits(here, species, size=144).numpy().transpose(0, 2, 3, 1)

    plots.use_style()
    figure = plt.figure(figsize=(9.0, 9.0 / ASPECT), layout="none", dpi=160)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, ASPECT), ylim=(0, 1))
    ax.axis("off")
    groups = [task.group for task in library.tasks]
    styles = plots.group_styles(groups)
    at = places(t2v.distance_matrix(embeddings), given.seed)
    half = TILE * 0.5
    wide = half * 1.3  # portraits have a margin
    for (x, y), picture, group in zip(at, creatures, groups, strict=True):
        disc = plt.Circle((x, y), half, color=styles[group][0], alpha=0.22, linewidth=0)
        ax.add_patch(disc)
        ax.imshow(picture, extent=(x - wide, x + wide, y - wide, y + wide), zorder=2)
    ax.set(xlim=(0, ASPECT), ylim=(0, 1), aspect="equal")
    for group in dict.fromkeys(groups):
        own = at[np.array(groups) == group]
        middle = own[np.linalg.norm(own[:, None] - own, axis=-1).sum(1).argmin()]
        near = own[np.linalg.norm(own - middle, axis=1) < 3 * TILE]  # not those far off
        others = at[np.array(groups) != group]
        place = label_place(near, others)
        colour = plots.readable(styles[group][0])
        text = ax.annotate(
            group, place, ha="center", va="center", color=colour, fontsize=13, fontweight="bold",
            zorder=3,
        )  # fmt: skip
        plots.halo(text)
    plots.save(figure, given.output)
    print(f"{given.output}: {len(groups)} tasks")


if __name__ == "__main__":
    main()
