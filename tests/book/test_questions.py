"""Tasks on the same images: which they are, how alike their answers are, and the figure of them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from t2v.book.questions import alike_answers, answers_figure, most_alike_hits, on_same_images
from t2v.libraries import load_library
from t2v.task import Task

IMAGES = torch.arange(8, dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 4, 4)


def question(name, labels, images=IMAGES):
    return Task(name, images, labels, [f"{name} {k}" for k in range(max(labels) + 1)])


FOUR = question("zoo: four", [0, 0, 1, 1, 2, 2, 3, 3])
HALF = question("zoo: half", [0, 0, 0, 0, 1, 1, 1, 1])  # what FOUR says, but coarser
ODD = question("zoo: odd", [0, 1, 0, 1, 0, 1, 0, 1])  # tells nothing of the others
OTHER = question("other", [0, 1] * 4, IMAGES + 8)


def test_tasks_on_the_same_images_are_found_and_no_others():
    assert on_same_images([FOUR, OTHER, HALF]) == [[0, 2]]
    assert on_same_images([FOUR, OTHER]) == []


def test_tasks_of_the_open_zoo_on_the_same_images_are_those_with_the_same_paths():
    library = load_library("open", "laptop")
    paths = [library.paths[task.name] for task in library.tasks]
    found = on_same_images(library.tasks)
    assert len(found) > 5
    of_set = {i: s for s, members in enumerate(found) for i in members}
    for i, one in enumerate(paths):
        for j, other in enumerate(paths[:i]):
            together = i in of_set and of_set[i] == of_set.get(j)
            assert together == (one == other), (library.tasks[i].name, library.tasks[j].name)


def test_answers_are_alike_as_far_as_one_tells_of_the_other():
    alike = alike_answers([FOUR, HALF, ODD])
    # entropies are 2, 1 and 1 bits; HALF is a function of FOUR, ODD independent of both
    expected = [[1, 1 / 1.5, 0], [1 / 1.5, 1, 0], [0, 0, 1]]
    assert alike == pytest.approx(np.array(expected), abs=1e-12)


def test_hits_count_ties_for_their_part():
    alike = np.array([[1, 0.6, 0.2], [0.6, 1, 0.1], [0.2, 0.1, 1]])
    near = 1 - alike
    hits, chance = most_alike_hits(near, alike)
    assert list(hits) == [1, 1, 1] and chance == 0.5
    hits, chance = most_alike_hits(np.zeros((3, 3)), alike)  # one domain embedding for all
    assert list(hits) == [0.5, 0.5, 0.5] and chance == 0.5
    assert list(most_alike_hits(alike, alike)[0]) == [0, 0, 0]
    even = np.full((3, 3), 0.4)
    assert most_alike_hits(near, even) == (pytest.approx([1, 1, 1]), 1.0)


def test_figure_writes_the_answer_below_each_image():
    figure = answers_figure([FOUR, ODD], count=4)
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    of_four = [f"zoo: four {k}" for k in range(4)]
    assert texts == ["four", *of_four, "odd", *["zoo: odd 0"] * 4]
    shown = [ax.images[0].get_array()[0, 0, 0] for ax in figure.axes if ax.images]
    assert shown == [0, 2, 4, 6]  # the first of each class
    plt.close(figure)
