"""Test errors with few training images, on fixed features or after fine-tuning (Fig. 4, Sect. 3).

Errors are cached by content; the fine-tuned networks are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from t2v._run.cache import cached_map
from t2v._run.parallel import default_jobs
from t2v.errors import InputError
from t2v.experts.expert import Expert
from t2v.experts.features import Features, identity
from t2v.experts.fine_tuning import fine_tune
from t2v.experts.linear_classifiers import fit_classifiers
from t2v.experts.training import Schedule
from t2v.probe import Probe
from t2v.task import Task, draw_evenly

Array = NDArray[np.float64]

HELD_OUT_FOLDS = 2
"""Number of folds that `hold_out_folds` holds out."""


def hold_out_folds(task: Task) -> Task:
    """A task with folds as one that holds out its first `HELD_OUT_FOLDS` folds; others unchanged.

    So the images to test on do not depend on the few that are drawn for training.
    """
    if task.folds is None:
        return task
    test = torch.isin(task.folds, task.folds.unique()[:HELD_OUT_FOLDS])
    return replace(task, test=test, folds=None)


def fewer(task: Task, count: int, seed: int = 0) -> Task:
    """The task with a random subset of its training images, and all of its held-out images.

    Args:
        task: a task with held-out images, or with folds, see `hold_out_folds`.
        count: number of training images, drawn evenly over the classes. With the same seed, a
            smaller subset is part of a larger one.
        seed: seed of the draw.

    Raises:
        InputError: if the task has fewer training images, more classes than `count`, or no
            held-out images.
    """
    task = hold_out_folds(task)
    drawn = _draw_evenly(task, count, seed)
    index = torch.cat([drawn, task.held_out_mask.nonzero().flatten()])
    return replace(task.subset(index), test=torch.arange(len(index)) >= len(drawn))


def fixed_errors(
    tasks: Sequence[Task],
    experts: Sequence[Expert],
    counts: Sequence[int],
    draws: int,
    *,
    seed: int = 0,
    jobs: int = -1,
    progress: bool = False,
) -> Array:
    """Test errors of linear classifiers on experts' features, with few training images.

    Draw r of n images is that of `fewer(task, n, seed + r)`.

    Args:
        tasks: T tasks with held-out images, or with folds, see `hold_out_folds`.
        experts: M experts.
        counts: C numbers of training images.
        draws: number R of draws.
        seed: seed of the first draw.
        jobs: number of processes; -1: one per core.
        progress: show a progress bar.

    Returns:
        `[T, R, C, M]`, class-balanced errors in [0, 1].
    """
    tasks = list(map(hold_out_folds, tasks))
    cells = list(product(range(len(tasks)), range(len(experts))))
    features = Features(tasks, list(experts))  # cached if the error matrix was computed
    features.compute(cells, jobs, progress)
    keys, items = [], []
    for t, m in cells:
        task = tasks[t]
        keys.append((task.fingerprint, identity(experts[m]), tuple(counts), draws, seed))
        index = [[_draw_evenly(task, n, seed + r) for n in counts] for r in range(draws)]
        items.append((features.path(t, m), task, index))
    errors = cached_map(_fixed, keys, items, jobs=jobs, what="classifiers", progress=progress)
    shape = (len(tasks), len(experts), draws, len(counts))
    return np.array(errors).reshape(shape).transpose(0, 2, 3, 1)


def tuned_errors(
    work: Sequence[tuple[Task, Probe]],
    *,
    schedule: Schedule | Sequence[Schedule],
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
) -> Array:
    """Test errors after fine-tuning, with a last layer fitted to convergence.

    The last layer of a network that has just been trained depends on its last few batches. It is
    therefore fitted again to the same images, so that the error depends on the features only.

    Args:
        work: W pairs of a task and the network to start from.
        schedule: one schedule for all trainings, or W schedules.
        seed: seed of batches, augmentation and dropout.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.
        progress: show a progress bar.

    Returns:
        `[W]`, class-balanced errors in [0, 1].
    """
    work = [(hold_out_folds(task), probe) for task, probe in work]
    schedules = [schedule] * len(work) if isinstance(schedule, Schedule) else list(schedule)
    jobs = jobs or default_jobs(*(probe.device for _, probe in work))
    keys = [
        (task.fingerprint, probe.sha256, probe.image_size, each, seed)
        for (task, probe), each in zip(work, schedules, strict=True)
    ]
    errors = cached_map(_tuned, keys, work, jobs=jobs, what="fine-tuning", progress=progress)
    return np.array(errors)


def transfer_distance(tuned: ArrayLike, generic: ArrayLike, floor: ArrayLike) -> Array:
    """The transfer distance D_ft of Sect. 3: relative change of error by starting from an expert.

    Args:
        tuned: `[R, T, M]`, test errors of R trainings after fine-tuning from expert m.
        generic: `[R, T]`, test errors after fine-tuning from the generic network.
        floor: `[T]`, error floor, e.g. half a test image; smaller mean errors count as it.

    Returns:
        `[T, M]`, (E[l_m→t] - E[l_t]) / E[l_t], E the mean over trainings; negative is a gain.
    """
    floor = np.asarray(floor, dtype=np.float64)
    from_expert = np.maximum(np.asarray(tuned).mean(axis=0), floor[:, None])
    from_generic = np.maximum(np.asarray(generic).mean(axis=0), floor)[:, None]
    return (from_expert - from_generic) / from_generic


def _draw_evenly(task: Task, count: int, seed: int) -> Tensor:
    """Indices `[count]` of training images, drawn evenly over the classes; errors as in `fewer`."""
    if task.test is None:
        raise InputError(f"task {task.name!r} has no held-out images: give it a `test` mask")
    train = (~task.test).nonzero().flatten()
    if not task.num_classes <= count <= len(train):
        raise InputError(
            f"task {task.name!r}: {count} training images asked for, of {len(train)}, for "
            f"{task.num_classes} classes"
        )
    return train[draw_evenly(task.labels[train], count, seed)]


def _fixed(key: tuple, path: Path, task: Task, index: list[list[Tensor]]) -> list[list[float]]:
    """Errors by draw and number of images, of one task on one expert's features."""
    features = torch.from_numpy(np.load(path))
    held_out = features[task.test], task.labels[task.test]
    return [
        [_error(features[i], task.labels[i], *held_out, task.num_classes) for i in draw]
        for draw in index
    ]


def _tuned(key: tuple, task: Task, probe: Probe) -> float:
    *_, schedule, seed, _ = key
    tuned = fine_tune(task, probe, schedule=schedule, seed=seed).extractor
    train, test = task.train, task.held_out
    x, x_test = tuned.features(train.images), tuned.features(test.images)
    return _error(x, train.labels, x_test, test.labels, task.num_classes)


def _error(x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor, num_classes: int) -> float:
    fitted = fit_classifiers(x[None], y, num_classes=num_classes)
    return float(fitted.errors(x_test[None], y_test)[0])
