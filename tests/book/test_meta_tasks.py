"""The book's meta-tasks of a library, and its choice of large tasks."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from t2v.book.meta_tasks import build_meta_tasks, largest_tasks
from t2v.experts.error_matrix import ErrorMatrix
from tests.small import small_task


def embedding(number):
    """Which of them is where is all that is asked."""
    return SimpleNamespace(number=number)


def task_of(name, root, images, held_out=10):
    """What `build_meta_tasks` asks of a task."""
    sizes = {"train": range(images), "held_out": range(held_out)}
    return SimpleNamespace(name=name, lineage=(root, name), classes=(), **sizes)


def test_the_meta_tasks_of_a_library():
    tasks = [task_of(f"t{i}", "life" if i < 4 else "wardrobe", 30, held_out=20) for i in range(6)]
    kinds = ("finches", "life", 100), ("birds", "life", 400), ("coats", "wardrobe", 300)
    training_tasks = [task_of(*kind) for kind in kinds]
    names = ("generic", "HOG", *(c.name for c in training_tasks))
    matrix = ErrorMatrix(
        tuple(t.name for t in tasks), names, np.linspace(0.1, 0.4, 30).reshape(6, 5),
        np.zeros((6, 5), dtype=bool), np.arange(30).reshape(6, 5) == 2,
    )  # fmt: skip
    of_tasks = [embedding(i) for i in range(6)]
    of_training_tasks = [embedding(i) for i in range(6, 9)]
    pair = of_tasks, of_training_tasks
    found = build_meta_tasks(matrix, tasks, training_tasks, pair)
    living, mixed = found["living"], found["mixed"]
    assert living.expert_names == ("finches", "birds") and len(living.tasks) == 4
    assert mixed.expert_names == ("birds", "coats") and len(mixed.tasks) == 6
    assert mixed.experts == of_training_tasks[1:]
    np.testing.assert_array_equal(mixed.errors, matrix.errors[:, 3:])
    np.testing.assert_array_equal(living.generic, matrix.errors[:4, 0])
    np.testing.assert_allclose(mixed.floor, 0.5 / 20)
    boxed = build_meta_tasks(matrix, tasks, training_tasks, pair, black_boxes=("HOG",))
    assert boxed["mixed"].expert_names[0] == "HOG" and boxed["mixed"].experts[0] is None
    # without overlap, task 0 has one expert of known training left: it is left out, and with it
    # the meta-task of three
    strict = build_meta_tasks(matrix, tasks, training_tasks, pair, overlap=False)
    assert list(strict) == ["mixed"] and len(strict["mixed"].tasks) == 6


def test_the_largest_tasks_are_of_different_groups_and_two_of_a_kind():
    plan = [  # images, root, group
        (50, "life", "birds"), (90, "life", "fish"), (80, "life", "fish"), (70, "life", "moths"),
        (60, "wardrobe", "colour"), (60, "wardrobe", "sleeve"), (40, "wardrobe", "neck"),
    ]  # fmt: skip
    tasks = [
        replace(small_task(count=n, held_out=0), lineage=(root, group), group=group)
        for n, root, group in plan
    ]
    found = [(len(t.train), t.group) for t in largest_tasks(tasks)]
    assert found == [(90, "fish"), (70, "moths"), (60, "colour"), (60, "sleeve")]
    # with the kinds given, here all of one or each its own, the groups alone or the sizes decide
    found = [len(t.train) for t in largest_tasks(tasks, 3, kinds=["photograph"] * len(tasks))]
    assert found == [90, 70, 60]
    kinds = ["a", "a", "a", "a", "b", "c", "d"]
    found = [(len(t.train), t.group) for t in largest_tasks(tasks, kinds=kinds)]
    assert found == [(90, "fish"), (60, "colour"), (60, "sleeve"), (40, "neck")]
