"""Images of a training task's classes that its expert has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from t2v.errors import InputError
from t2v.task import Task


def unseen(training_task: Task, tasks: Sequence[Task], count: int, seed: int = 0) -> Task:
    """Held-out images of the tasks of a library, with the labels of a training task.

    An image counts if its class in one of the tasks has the name of a class of the training task
    and both have the same root. No image is taken twice, however many tasks share it.

    Args:
        training_task: training task of an expert.
        tasks: tasks of a library, whose held-out images no expert has seen.
        count: largest number of images, drawn evenly over the classes.
        seed: seed of the draw.

    Returns:
        The images, labelled by the training task; classes without images stay in its list.

    Raises:
        InputError: naming the training task, if there are images of fewer than two classes.
    """
    number = {name: k for k, name in enumerate(training_task.classes)}
    images, labels, taken = [], [], set()
    for task in tasks:
        if tuple(task.lineage[:1]) != tuple(training_task.lineage[:1]):
            continue
        held_out = task.held_out
        for i, k in enumerate(held_out.labels.tolist()):
            if (name := task.classes[k]) not in number:
                continue
            image = held_out.images[i]
            if (content := image.numpy().tobytes()) not in taken:
                taken.add(content)
                images.append(image)
                labels.append(number[name])
    if len(set(labels)) < 2:
        raise InputError(
            f"training task {training_task.name!r}: the library has images of {len(set(labels))} "
            "of its classes; two are needed"
        )
    found = Task(
        training_task.name, torch.stack(images), torch.tensor(labels), training_task.classes,
        training_task.lineage, training_task.group,
    )  # fmt: skip
    return found.balanced(count, seed)


def halves(task: Task, seed: int = 0) -> tuple[Task, Task]:
    """Two halves of a task's images, drawn at random within each class.

    The first has the larger half of each class, so that no class is missing in it.

    Args:
        task: the task.
        seed: seed of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    first = torch.zeros(len(task), dtype=torch.bool)
    for k in task.labels.unique():
        of_class = (task.labels == k).nonzero().flatten()
        drawn = of_class[torch.randperm(len(of_class), generator=generator)]
        first[drawn[: (len(drawn) + 1) // 2]] = True
    return task.subset(first), task.subset(~first)
