"""Embeddings and errors of many tasks, in parallel and cached."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from t2v._run.cache import cached_map
from t2v._run.parallel import default_jobs, in_parallel
from t2v.embedding import MOMENTS, Embedding, domain_moments, task2vec
from t2v.errors import InputError
from t2v.head import balanced_error, fit_head
from t2v.probe import Probe
from t2v.task import Task


def embed_tasks(
    tasks: Iterable[Task],
    probe: Probe,
    *,
    domain: str | None = None,
    jobs: int | None = None,
    progress: bool = False,
    **options: Any,
) -> list[Embedding]:
    """The embeddings of tasks, in their order; those computed before come from the cache.

    Each is cached as soon as it is computed, so a run that was killed resumes where it stopped. The
    work is a `joblib.Parallel` over tasks: processes on this machine, or the backend of
    `joblib.parallel_config` (e.g. a Dask cluster).

    Args:
        tasks: tasks to embed.
        probe: probe network, see `load_probe`.
        domain: "mean" or "second" for `domain2vec`; None for `task2vec`.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.
        progress: whether to show a progress bar.
        options: keyword arguments of `task2vec` or `domain2vec`.

    Raises:
        InputError: for an unknown moment, or naming a task that cannot be embedded.
    """
    usual = signature(task2vec if domain is None else domain_moments).parameters
    said = {k: v for k, v in options.items() if k not in usual or v != usual[k].default}
    key, tasks = (tuple(sorted(said.items())),), _listed(tasks, probe)
    if domain is None:
        return _cached(_embed, key, tasks, probe, jobs, progress)
    if domain not in MOMENTS:
        raise InputError(f"domain must be 'mean' or 'second'; got {domain!r}")
    # tasks with the same images and different labels have one domain embedding
    sets = {_training_images(task): task for task in tasks}
    moments = _cached(_embed_domain, key, list(sets.values()), probe, jobs, progress)
    of_set = {images: by_name[domain] for images, by_name in zip(sets, moments, strict=True)}
    return [_of_task(of_set[_training_images(task)], task) for task in tasks]


def _listed(tasks: Iterable[Task], probe: Probe) -> list[Task]:
    """The tasks as a list; refuses one task, other objects, and the name of a probe."""
    if isinstance(tasks, Task) or not isinstance(tasks, Iterable):
        raise InputError(f"tasks: give a list of tasks; got {type(tasks).__name__}")
    listed = list(tasks)
    for task in listed:
        if not isinstance(task, Task):
            raise InputError(f"tasks: give a list of tasks; one is {type(task).__name__}")
    if not isinstance(probe, Probe):
        raise InputError(f"probe: give what `load_probe` returns; got {type(probe).__name__}")
    return listed


def _training_images(task: Task) -> tuple[int, bytes]:
    return id(task.images), b"" if task.test is None else task.test.numpy().tobytes()


def _of_task(embedding: Embedding, task: Task) -> Embedding:
    spec = embedding.spec | {"classes": task.num_classes}
    lineage = tuple(task.lineage)
    return replace(embedding, name=task.name, lineage=lineage, group=task.group, spec=spec)


def held_out_errors(
    tasks: Iterable[Task],
    probe: Probe,
    *,
    weight_decay: float | str = "auto",
    jobs: int | None = None,
    progress: bool = False,
) -> list[float]:
    """Class-balanced error of each task's head on its held-out images, in [0, 1].

    The head is that of `task2vec`, of a task with folds one for each fold; errors are computed in
    parallel and cached as by `embed_tasks`.

    Args:
        tasks: tasks that hold images out.
        probe: probe network, see `load_probe`.
        weight_decay: weight decay of the head, see `fit_head`.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.
        progress: whether to show a progress bar.

    Raises:
        InputError: if a task holds no images out.
    """
    tasks = _listed(tasks, probe)
    for task in tasks:
        _ = task.held_out_mask  # raises, with the task's name

    def features_of(missing: list[Task]) -> list[tuple[Tensor]]:
        # tasks with the same images, such as attributes of garments, share the forward passes
        sets = {id(task.images): task.images for task in missing}
        items = [(images,) for images in sets.values()]
        processes = jobs or default_jobs(probe.device)
        features = in_parallel(probe.features, items, processes, total=len(items), what="features")
        by_set = dict(zip(sets, features, strict=True))
        return [(by_set[id(task.images)],) for task in missing]

    return _cached(_held_out_error, (weight_decay,), tasks, probe, jobs, progress, features_of)


def _cached(
    work: Callable[..., Any],
    options: tuple,
    tasks: list[Task],
    probe: Probe,
    jobs: int | None,
    progress: bool,
    prepare: Callable[[list[Task]], list[tuple]] | None = None,
) -> list[Any]:
    """`work` on every task, see `cached_map`; `prepare` gives arguments for uncached tasks."""
    return cached_map(
        work,
        [(task.fingerprint, *options, probe.sha256, probe.image_size) for task in tasks],
        [(task, probe) for task in tasks],
        jobs=jobs or default_jobs(probe.device),
        what="tasks",
        progress=progress,
        cost=lambda i: len(tasks[i]) * tasks[i].num_classes,
        prepare=None if prepare is None else lambda todo: prepare([tasks[i] for i in todo]),
    )


def _embed(key: tuple, task: Task, probe: Probe) -> Embedding:
    _, options, *_ = key
    return task2vec(task, probe, **dict(options))


def _embed_domain(key: tuple, task: Task, probe: Probe) -> dict[str, Embedding]:
    _, options, *_ = key
    return domain_moments(task, probe, **dict(options))


def _held_out_error(key: tuple, task: Task, probe: Probe, features: Tensor) -> float:
    _, weight_decay, *_ = key
    options = {"num_classes": task.num_classes, "weight_decay": weight_decay, "name": task.name}
    guesses, labels = [], []
    for train, test in task.splits:
        head = fit_head(features[train], task.labels[train], **options)
        guesses.append(head.logits(features[test]).argmax(1))
        labels.append(task.labels[test])
    return balanced_error(torch.cat(guesses), torch.cat(labels))


def embed_halves(
    task: Task, splits: int, embed: Callable[[Task, int], Embedding], seed: int = 0
) -> list[tuple[Embedding, Embedding]]:
    """Embeddings of both halves of a task's training images, for several random splits.

    They show how much an embedding depends on the images drawn, see `t2v.recommendation`.

    Args:
        task: task with at least two training images per class.
        splits: number of splits, 0 or at least 2; each costs about as much as embedding the task.
        embed: function of a half and a seed; each half has a seed of its own.
        seed: seed of the splits.

    Raises:
        InputError: for one split, or naming a class with one image.
    """
    if splits == 1:
        raise InputError("splits: one alone has no spread; take two or more, or 0")
    train = task.train
    for k, name in enumerate(task.classes if splits else ()):
        if int((train.labels == k).sum()) < 2:
            raise InputError(
                f"task {task.name!r}: class {name!r} has fewer than two images, so its halves "
                "cannot say how certain the answer is; add some, or take --splits 0"
            )
    generator = torch.Generator().manual_seed(seed)
    pairs = []
    for split in range(splits):
        first, second = train.halves(generator)
        first_seed = seed + 1 + 2 * split
        pairs.append((embed(first, first_seed), embed(second, first_seed + 1)))
    return pairs
