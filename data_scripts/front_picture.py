"""Draw the figure of the front page and of README: `python -m data_scripts.front_picture`.

Tasks of the open zoo at scale `laptop`, seed 0, at most three of a group, each as one of its
images, placed by a t-SNE of the symmetric distances between their embeddings. Images that would
overlap are moved apart.
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
from t2v.task import Task

ASPECT = 2.1  # width by height
TILE = 0.1  # side of an image, in heights of the figure
OF_A_GROUP = 3
NAMES = {
    "caltech101": "animals and things",
    "clothing": "clothes",
    "flowers": "flowers",
    "grocery": "groceries",
    "omniglot": "letters",
    "signdigits": "hand signs",
    "trashnet": "waste",
}


def positions(distance: np.ndarray, seed: int) -> np.ndarray:
    """Positions `[T, 2]` of the tasks, x in 0..ASPECT and y in 0..1, from distances `[T, T]`."""
    tsne = TSNE(metric="precomputed", init="random", perplexity=8, random_state=seed)
    xy = tsne.fit_transform(distance)
    _, _, axes = np.linalg.svd(xy - xy.mean(0), full_matrices=False)
    xy = (xy - xy.mean(0)) @ axes.T  # the longer side across the page
    inside = np.array([[TILE * 0.6, TILE * 1.1], [ASPECT - TILE * 0.6, 1 - TILE * 1.1]])
    for _ in range(30):  # apart, back onto the page, apart, ...
        xy = (xy - xy.min(0)) / np.ptp(xy, axis=0) * np.ptp(inside, axis=0) + inside[0]
        xy = spread(xy, TILE, seed)
    return np.clip(xy, *inside)


def some_of_each_group(tasks: list[Task]) -> list[Task]:
    """The first tasks of every group, no two on the same images."""
    chosen: list[Task] = []
    for task in tasks:
        fellows = [other for other in chosen if other.group == task.group]
        if len(fellows) < OF_A_GROUP and all(task.images is not c.images for c in chosen):
            chosen.append(task)
    return chosen


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

    library = t2v.load_library("open", "laptop", arguments.seed)
    tasks = some_of_each_group(library.tasks)
    embeddings = t2v.embed_tasks(tasks, t2v.load_probe("imagenet"), progress=True)
    groups = [NAMES[library.paths[task.name][0].split("/")[0]] for task in tasks]

    plots.use_style()
    figure = plt.figure(figsize=(9.0, 9.0 / ASPECT), layout="none", dpi=160)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.axis("off")
    styles = plots.group_styles(groups)
    xy = positions(t2v.distance_matrix(embeddings), arguments.seed)
    half = TILE * 0.47
    for (x, y), task, group in zip(xy, tasks, groups, strict=True):
        face = task.images[len(task) // 2].permute(1, 2, 0).numpy()
        place = (x - half, x + half, y - half, y + half)
        ax.imshow(face, extent=place, zorder=2, interpolation="lanczos")
        frame = {"fill": False, "edgecolor": styles[group][0], "linewidth": 2.5, "zorder": 3}
        ax.add_patch(plt.Rectangle((x - half, y - half), 2 * half, 2 * half, **frame))
    ax.set(xlim=(0, ASPECT), ylim=(0, 1), aspect="equal")
    for group in dict.fromkeys(groups):
        members = xy[np.array(groups) == group]
        middle = members[np.linalg.norm(members[:, None] - members, axis=-1).sum(1).argmin()]
        near = members[np.linalg.norm(members - middle, axis=1) < 5 * TILE]  # not those far off
        others = xy[np.array(groups) != group]
        position = label_position(near, others)
        colour = plots.readable(styles[group][0])
        text = ax.annotate(
            group, position, ha="center", va="center", color=colour, fontsize=13, fontweight="bold",
            zorder=4,
        )  # fmt: skip
        plots.halo(text)
    plots.save(figure, arguments.output)
    print(f"{arguments.output}: {len(groups)} tasks")


if __name__ == "__main__":
    main()
