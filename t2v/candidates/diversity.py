"""How unlike each other the parts of a folder are: the diversity coefficient, less its floor.

The coefficient is the mean distance between the Task2Vec embeddings of small tasks that are drawn
from one set of images (Miranda et al. 2022, arXiv 2208.01545; of texts, Miranda et al. 2023, arXiv
2306.13840). Two draws of the *same* classes are not at distance 0 either, because their images
differ. So this self-distance, from as many images, is taken off: what is left is due to the
classes. It is 0 where all parts ask for the same filters, however few or noisy the images are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from t2v.distances import distance_matrix
from t2v.errors import InputError
from t2v.evaluation import Estimate, mean_interval
from t2v.many_tasks import embed_tasks
from t2v.probe import Probe
from t2v.task import Task

ROUNDS = 5
PER_CLASS = 20  # images of a class in a batch
CLASSES = 5  # of a batch, as in the tasks of Miranda et al.
BATCHES = 6  # classes are divided into at most so many batches


@dataclass(frozen=True)
class Diversity:
    """Distances between batches of a task, each a few classes with some of their images.

    Attributes:
        diversity: mean distance of batches with other classes, less `floor`; with its interval
            over rounds.
        between: mean symmetric distance of batches with other classes.
        floor: mean symmetric distance of batches with the same classes and other images.
        rounds: number of times that the classes were divided into batches.
        batches: number of batches in a round, each twice.
        classes: number of classes of a batch.
        per_class: number of images of a class in a batch.
    """

    diversity: Estimate
    between: float
    floor: float
    rounds: int
    batches: int
    classes: int
    per_class: int


def diversity(
    task: Task,
    probe: Probe,
    *,
    rounds: int = ROUNDS,
    per_class: int = PER_CLASS,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
) -> Diversity:
    """The diversity of a task with four classes or more.

    In each round the classes are divided at random into batches of up to `CLASSES`, and each batch
    gets two disjoint sets of images. Embeddings are kept as by `embed_tasks`.

    Args:
        task: task, of which only the training images are used.
        probe: probe network.
        rounds: number of rounds, two or more.
        per_class: largest number of images of a class in a batch; fewer where a class has not
            twice as many.
        seed: seed of classes and images.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.
        progress: show a progress bar.

    Raises:
        InputError: fewer than four classes or two rounds, or a class with fewer than four images.
    """
    train = task.train
    counts = torch.bincount(train.labels, minlength=train.num_classes)
    if rounds < 2:
        raise InputError(f"diversity: {rounds} rounds have no spread; take two or more")
    if len(counts) < 4:
        raise InputError(
            f"{task.name}: {len(counts)} classes cannot be divided into two tasks; four are needed"
        )
    if counts.min() < 4:
        raise InputError(
            f"{task.name}: class {task.classes[int(counts.argmin())]!r} has {int(counts.min())} "
            "images; four are needed, for two batches of two"
        )
    size = min(per_class, int(counts.min()) // 2)
    of_batch = min(CLASSES, len(counts) // 2)
    batches = min(BATCHES, len(counts) // of_batch)
    rng = np.random.default_rng(seed)
    drawn = [list(_batches(train, of_batch, batches, size, rng)) for _ in range(rounds)]
    tasks = [half for pairs in drawn for pair in pairs for half in pair]
    embeddings = embed_tasks(tasks, probe, jobs=jobs, progress=progress)
    step, between, floor = 2 * batches, [], []
    for start in range(0, len(embeddings), step):
        first, second = (
            embeddings[start : start + step : 2],
            embeddings[start + 1 : start + step : 2],
        )
        matrix = distance_matrix(first, second)
        floor.append(matrix.diagonal().mean())
        between.append(matrix[~np.eye(batches, dtype=bool)].mean())
    return Diversity(
        diversity=mean_interval(np.array(between) - np.array(floor)),
        between=float(np.mean(between)),
        floor=float(np.mean(floor)),
        rounds=rounds,
        batches=batches,
        classes=of_batch,
        per_class=size,
    )


def _batches(
    task: Task, classes: int, batches: int, size: int, rng: np.random.Generator
) -> Iterator[tuple[Task, Task]]:
    """Pairs of tasks with the same classes and other images."""
    order = rng.permutation(task.num_classes)[: classes * batches].reshape(batches, classes)
    for chosen in order:
        halves: tuple[list[NDArray], list[NDArray]] = ([], [])
        for k in chosen:
            images = rng.permutation(np.flatnonzero(task.labels.numpy() == k))
            halves[0].append(images[:size])
            halves[1].append(images[size : 2 * size])
        names = [task.classes[k] for k in chosen]
        yield _part(task, halves[0], names), _part(task, halves[1], names)


def _part(task: Task, images: list[NDArray], names: list[str]) -> Task:
    part = task.subset(np.concatenate(images), ", ".join(names))
    labels = torch.arange(len(names)).repeat_interleave(len(images[0]))
    return Task(part.name, part.images, labels, names)
