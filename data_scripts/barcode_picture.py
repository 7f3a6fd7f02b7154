"""Draw the figure of the page on the method: `python -m data_scripts.barcode_picture`.

Two pairs of tasks of the open zoo, with images of each; between them one stripe for each filter of
the probe, coloured by the share that the filter has in either task. The embeddings are those of the
zoo in the package.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

import t2v
from data_scripts import webp
from t2v.book import plots
from t2v.book.plots.style import GREEN, PINK
from t2v.book.sprites import four_images
from t2v.distances import DEFAULT_PRIOR
from t2v.experts.open_zoo import OpenZoo
from t2v.task import Task

FLOWERS = "daisies, dandelions and sunflowers"
PAIRS = ((FLOWERS, "roses or tulips"), (FLOWERS, "hand signs: thumb"))
LINES = 4  # of stripes
COLOURS = LinearSegmentedColormap.from_list("shares", [PINK, "#f4f4f4", GREEN])


def shares(one: t2v.Embedding, other: t2v.Embedding) -> np.ndarray:
    """The share of the first task in every filter, `[F]`, with the prior of the distances."""
    a, b = (e.fisher + DEFAULT_PRIOR * e.trivial for e in (one, other))
    return a / (a + b)


def draw_pair(
    figure: Figure, bottom: float, height: float, tasks: tuple[Task, Task], share: np.ndarray
) -> None:
    """Draw the images of two tasks and the stripes between them.

    Args:
        figure: figure of any size.
        bottom: lower edge of the row, in heights of the figure.
        height: its height.
        tasks: the task at the left and the one at the right.
        share: share of the left task in every filter, `[F]`, first layers first.
    """
    width = height * figure.get_figheight() / figure.get_figwidth()
    for task, left in zip(tasks, (0.01, 0.99 - width), strict=True):
        images = [image.transpose(1, 2, 0) for _, image in four_images(task)]
        sheet = np.concatenate([np.concatenate(images[i : i + 2], 1) for i in (0, 2)])
        ax = figure.add_axes((left, bottom, width, height))
        ax.imshow(sheet, interpolation="lanczos", aspect="auto")
        ax.axis("off")
    start, across = 0.03 + width, 0.94 - 2 * width
    for k, part in enumerate(np.array_split(share, LINES)):
        tall = height / LINES
        at = bottom + height - (k + 1) * tall
        ax = figure.add_axes((start, at + 0.06 * tall, across, 0.88 * tall))
        ax.imshow(part[None], cmap=COLOURS, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        ax.axis("off")


def main() -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("book/_static/barcode.webp"))
    arguments = parser.parse_args()
    embeddings = {embedding.name: embedding for embedding in OpenZoo().errors.tasks}
    tasks = {task.name: task for task in t2v.load_library("open", "laptop", 0).tasks}
    plots.use_style()
    figure = plt.figure(figsize=(9.0, 4.1), layout="none", dpi=144)
    for names, bottom in zip(PAIRS, (0.55, 0.04), strict=True):
        pair = [embeddings[name] for name in names]
        draw_pair(figure, bottom, 0.36, tuple(tasks[name] for name in names), shares(*pair))
        distance = t2v.distance_matrix(pair)[0, 1]
        for x, name, align, colour in zip((0.01, 0.99), names, ("left", "right"), (GREEN, PINK),
                                          strict=True):  # fmt: skip
            figure.text(x, bottom + 0.38, name, ha=align, color=plots.readable(colour), fontsize=13,
                        weight="bold")  # fmt: skip
        figure.text(0.47, bottom + 0.38, f"distance {distance:.2f}", fontsize=13)
    webp.save(figure, arguments.output)


if __name__ == "__main__":
    main()
