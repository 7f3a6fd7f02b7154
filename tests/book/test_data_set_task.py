"""Name that data set: which images, how labelled, and what is held out."""

import dataclasses

import pytest
import torch

from t2v.book.data_set_task import name_that_data_set
from t2v.errors import InputError
from tests.small import small_task


def with_folds(task):
    return dataclasses.replace(task, test=None, folds=torch.arange(len(task)) // 3 % 4)


def keys(images):
    return [image.numpy().tobytes() for image in images]


def test_each_image_has_the_label_and_the_fold_that_it_came_with():
    tasks = [with_folds(small_task(f"t{i}", seed=i)) for i in range(3)]
    asked = dataclasses.replace(tasks[0], labels=1 - tasks[0].labels.clamp(max=1))  # same images
    found = name_that_data_set([*tasks, asked], ["one", "one", "two", "one"], count=100)
    assert found.classes == ("one", "two")
    assert torch.bincount(found.labels).tolist() == [100, 60]  # all there are of the second
    assert len(set(keys(found.images))) == 160
    fold = {k: f for t in tasks for k, f in zip(keys(t.images), t.folds.tolist(), strict=True)}
    assert [fold[k] for k in keys(found.images)] == found.folds.tolist()
    assert set(keys(found.images[found.labels == 1])) == set(keys(tasks[2].images))


def test_with_a_test_mask_both_sides_are_drawn_evenly():
    tasks = [small_task(f"t{i}", seed=i, held_out=0.4) for i in range(2)]
    found = name_that_data_set(tasks, ["one", "two"], count=20)
    held_out = set(keys(torch.cat([task.images[task.test] for task in tasks])))
    assert [k in held_out for k in keys(found.images)] == found.test.tolist()
    assert found.test.sum() == 20 and found.folds is None


def test_one_data_set_is_no_task():
    with pytest.raises(InputError, match="two or more, got one"):
        name_that_data_set([small_task()], ["one"])
