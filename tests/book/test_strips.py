"""Rows of images show the tasks that they name, and nothing that may not be shown."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from t2v.book.strips import task_rows
from t2v.libraries import Library
from t2v.task import Task

GREYS = (40, 90, 140)


def library(allowed):
    """Tasks of eight images of one grey each, of another size than the tiles."""
    tasks = [
        Task(f"task {grey}", torch.full((8, 3, 96, 80), grey, dtype=torch.uint8), [0, 1] * 4, "ab")
        for grey in GREYS
    ]
    return Library("some", tasks, provenance={"licence": "CC0", "pictures_allowed": allowed})


def drawn(rows, allowed=tuple(f"task {grey}" for grey in GREYS)):
    figure = task_rows(library(list(allowed)), ["some"] * 3, rows)
    panels = [np.asarray(ax.images[0].get_array())[..., 0] for ax in figure.axes]
    labels = [ax.get_ylabel() for ax in figure.axes]
    plt.close(figure)
    return dict(zip(labels, panels, strict=True))


def test_a_row_shows_four_images_of_each_of_its_tasks():
    panels = drawn({"two": [0, 2], "one": [1]})
    assert set(np.unique(panels["two"])) == {40, 140, 255}
    assert set(np.unique(panels["one"])) == {90, 255}
    assert (panels["two"] == 40).sum() == (panels["two"] == 140).sum() == 4 * 64 * 64
    assert panels["two"][32, 0] == 40 and panels["two"][32, -1] == 140  # in the order given


def test_images_that_may_not_be_shown_are_white():
    panels = drawn({"two": [0, 2]}, allowed=["task 140"])
    assert set(np.unique(panels["two"])) == {140, 255}
