"""Images of a training task's classes that its expert has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from t2v.task import Task


def unseen_images(
    training_tasks: Sequence[Task], tasks: Sequence[Task], count: int, seed: int = 0
) -> dict[str, Task]:
    """Held-out images of the tasks of a library, with the labels of training tasks.

    An image counts if its class in one of the tasks has the name of a class of the training task
    and both have the same root. No image is taken twice, however many tasks share it.

    Args:
        training_tasks: training tasks of experts.
        tasks: tasks of a library, whose held-out images no expert has seen.
        count: largest number of images of each training task, drawn evenly over the classes.
        seed: seed of the draw.

    Returns:
        Name of each training task to its images; classes without images stay in its list. Training
        tasks of which the library has images of fewer than two classes are left out.
    """
    found = {of.name: _unseen(of, tasks) for of in training_tasks}
    return {name: task.balanced(count, seed) for name, task in found.items() if task is not None}


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


def _unseen(training_task: Task, tasks: Sequence[Task]) -> Task | None:
    number = {name: k for k, name in enumerate(training_task.classes)}
    labelled: dict[bytes, tuple[torch.Tensor, int]] = {}
    for task in tasks:
        if tuple(task.lineage[:1]) != tuple(training_task.lineage[:1]):
            continue
        held_out = task.held_out
        for i, k in enumerate(held_out.labels.tolist()):
            if (name := task.classes[k]) in number:
                image = held_out.images[i]
                labelled.setdefault(image.numpy().tobytes(), (image, number[name]))
    labels = [label for _, label in labelled.values()]
    if len(set(labels)) < 2:
        return None
    images = torch.stack([image for image, _ in labelled.values()])
    about = (training_task.classes, training_task.lineage, training_task.group)
    return Task(training_task.name, images, torch.tensor(labels), *about)
