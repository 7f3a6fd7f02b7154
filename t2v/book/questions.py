"""Several tasks on the same images: a figure of the images with the answers, and alike answers."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import normalized_mutual_info_score

from t2v.book.plots import PAGE_WIDTH
from t2v.book.sprites import some_places
from t2v.task import Task


def on_same_images(tasks: Sequence[Task]) -> list[list[int]]:
    """Numbers of the tasks that share all their images with another one, set by set."""
    sets: dict[tuple[int, bytes], list[int]] = {}
    for i, task in enumerate(tasks):
        held_out = b"" if task.test is None else task.test.numpy().tobytes()
        sets.setdefault((id(task.images), held_out), []).append(i)
    return [members for members in sets.values() if len(members) > 1]


def alike_answers(tasks: Sequence[Task]) -> np.ndarray:
    """How much the answers of tasks on the same images tell of one another, `[T, T]`.

    It is the mutual information of the labels, divided by the mean of their entropies: 0 if one
    answer tells nothing of the other, 1 if each determines the other.

    Args:
        tasks: T tasks on the same images, in the same order.
    """
    labels = [task.labels.numpy() for task in tasks]
    return np.array([[normalized_mutual_info_score(a, b) for b in labels] for a in labels])


def most_alike_hits(distance: np.ndarray, alike: np.ndarray) -> tuple[np.ndarray, float]:
    """Whether the nearest of some tasks is the one with the most alike answers, and chance.

    Where several tasks are equally near, or equally alike, each counts for its part.

    Args:
        distance: `[T, T]`, at least three tasks on the same images.
        alike: `[T, T]`, see `alike_answers`.

    Returns:
        The hit of each task, `[T]`, between 0 and 1, and the mean hit of tasks in random order.
    """
    off = ~np.eye(len(distance), dtype=bool)
    far = np.where(off, distance, np.inf)
    near = np.where(off, alike, -np.inf)
    nearest = np.isclose(far, far.min(axis=1, keepdims=True), rtol=0, atol=1e-9)
    best = np.isclose(near, near.max(axis=1, keepdims=True), rtol=0, atol=1e-9)
    hits = (nearest & best).sum(axis=1) / nearest.sum(axis=1)
    return hits, float(best.sum(axis=1).mean() / (len(distance) - 1))


def answers_figure(tasks: Sequence[Task], count: int = 7, title: str = "") -> Figure:
    """Some images that tasks share, and below each what each task answers.

    Args:
        tasks: tasks on the same images; those shown are of as many classes of the first one as
            possible.
        count: number of images.
        title: title of the figure, which says what to see.
    """
    places = some_places(tasks[0], count)
    height = 1.15 + 0.42 * len(tasks) + (0.3 if title else 0)
    figure, axes = plt.subplots(
        1 + len(tasks),
        1 + len(places),
        figsize=(PAGE_WIDTH, height),
        width_ratios=[1.35] + [1] * len(places),
        height_ratios=[2.2] + [1] * len(tasks),
        squeeze=False,
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, place in zip(axes[0, 1:], places, strict=True):
        ax.imshow(np.asarray(tasks[0].images[place]).transpose(1, 2, 0))
    for row, task in zip(axes[1:], tasks, strict=True):
        question = fill(task.name.rpartition(": ")[2], 16)
        row[0].text(0, 0.5, question, va="center", fontsize=9, weight="bold")
        for ax, place in zip(row[1:], places, strict=True):
            answer = fill(task.classes[int(task.labels[place])], 11)
            ax.text(0.5, 0.5, answer, ha="center", va="center", fontsize=9)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure
