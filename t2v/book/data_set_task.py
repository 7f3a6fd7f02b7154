"""*Name that data set* (Torralba and Efros 2011): a task whose classes are the data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from t2v.errors import InputError
from t2v.task import Task, draw_evenly


def name_that_data_set(
    tasks: Sequence[Task], data_sets: Sequence[str], count: int = 60, seed: int = 0
) -> Task:
    """Images of all tasks, each labelled with the data set from which it comes.

    Args:
        tasks: T tasks, all with folds or all with a test mask; images that several tasks share
            count once.
        data_sets: name of the data set of each task.
        count: images of each data set, or all where there are fewer.
        seed: seed of the draw.

    Raises:
        InputError: if there are fewer than two data sets.
    """
    names = list(dict.fromkeys(data_sets))
    if len(names) < 2:
        raise InputError(f"data_sets: expected two or more, got {', '.join(names)}")
    images, labels, held = [], [], []
    for k, name in enumerate(names):
        of_set = [task for task, where in zip(tasks, data_sets, strict=True) if where == name]
        pixels, marks = _distinct(of_set)
        chosen = draw_evenly(marks, count, seed)  # evenly over folds, or over the two sides
        images.append(pixels[chosen])
        held.append(marks[chosen])
        labels.append(torch.full((len(chosen),), k))
    marks = torch.cat(held)
    split: dict[str, Any] = (
        {"folds": marks} if tasks[0].folds is not None else {"test": marks.bool()}
    )
    return Task("which data set?", torch.cat(images), torch.cat(labels), names, **split)


def _distinct(tasks: Sequence[Task]) -> tuple[torch.Tensor, torch.Tensor]:
    """The different images of tasks, and fold of each, or 1 if it is held out, else 0."""
    found: dict[bytes, tuple[torch.Tensor, int]] = {}
    for task in tasks:
        marks = task.held_out_mask.long() if task.folds is None else task.folds
        for i, mark in enumerate(marks.tolist()):
            image = task.images[i]
            found.setdefault(image.numpy().tobytes(), (image, mark))
    pixels, of_pixels = zip(*found.values(), strict=True)
    return torch.stack(pixels), torch.tensor(of_pixels)
