"""Errors with fewer training images, on features as they are or after fine-tuning.

What Fig. 4 and the transfer distance (Sect. 3) are made of. Each result is kept by content key; the
networks that are fine-tuned on the way are not, there are too many of them.
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


def fewer(task: Task, count: int, seed: int = 0) -> Task:
    """The task with `count` of its training images, and all of its held-out ones.

    They are drawn evenly over the classes; with one seed, the fewer are among the more.

    Raises:
        InputError: if it has not so many, or more classes than that, or holds no images out.
    """
    index = _drawn(task, count, seed)
    kept = torch.cat([index, task.test.nonzero().flatten()])
    return replace(task.subset(kept), test=torch.arange(len(kept)) >= len(index))


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
    """Test errors of linear classifiers on experts' features, with fewer training images.

    Draw r of n images is that of `fewer(task, n, seed + r)`.

    Args:
        tasks: T tasks with held-out images.
        experts: M networks.
        counts: C numbers of training images.
        draws: R of them.
        seed: of the first draw.
        jobs: processes.
        progress: show a progress bar.

    Returns:
        `[T, R, C, M]`, class-balanced errors in [0, 1].
    """
    cells = list(product(range(len(tasks)), range(len(experts))))
    features = Features(list(tasks), list(experts))  # those of the error matrix, if it was there
    features.compute(cells, jobs, progress)
    keys, items = [], []
    for t, m in cells:
        task = tasks[t]
        keys.append((task.fingerprint, identity(experts[m]), tuple(counts), draws, seed))
        index = [[_drawn(task, n, seed + r) for n in counts] for r in range(draws)]
        items.append((features.path(t, m), task, index))
    found = cached_map(_fixed, keys, items, jobs=jobs, what="classifiers", progress=progress)
    shape = (len(tasks), len(experts), draws, len(counts))
    return np.array(found).reshape(shape).transpose(0, 2, 3, 1)


def tuned_errors(
    work: Sequence[tuple[Task, Probe]],
    *,
    schedule: Schedule | Sequence[Schedule],
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
) -> Array:
    """Test errors after fine-tuning, with a last layer fitted to convergence as everywhere else.

    The last layer of a network that has just been trained depends on its last few batches; fitted
    anew to the same images, it depends on the features.

    Args:
        work: W pairs of a task and the network to start from.
        schedule: one for all, or W.
        seed: of batches and augmentation.
        jobs: processes; default: one per core on the CPU, one on a GPU.
        progress: show a progress bar.

    Returns:
        `[W]`, class-balanced errors in [0, 1].
    """
    schedules = [schedule] * len(work) if isinstance(schedule, Schedule) else list(schedule)
    jobs = jobs or default_jobs(*(probe.device for _, probe in work))
    keys = [
        (task.fingerprint, probe.sha256, probe.image_size, how, seed)
        for (task, probe), how in zip(work, schedules, strict=True)
    ]
    done = cached_map(_tuned, keys, work, jobs=jobs, what="fine-tuning", progress=progress)
    return np.array(done)


def transfer_distance(tuned: ArrayLike, generic: ArrayLike, floor: ArrayLike) -> Array:
    """D_ft of Sect. 3: what starting from another task's solution changes, relative.

    Args:
        tuned: `[R, T, M]`, test errors after fine-tuning from expert m, R trainings.
        generic: `[R, T]`, the same from the generic network.
        floor: `[T]`, means of trainings below it count as this: half a test image.

    Returns:
        `[T, M]`, (E[l_m→t] - E[l_t]) / E[l_t], E the mean over trainings; negative is a gain.
    """
    floor = np.asarray(floor, dtype=np.float64)
    to = np.maximum(np.mean(tuned, axis=0), floor[:, None])
    own = np.maximum(np.mean(generic, axis=0), floor)[:, None]
    return (to - own) / own


def _drawn(task: Task, count: int, seed: int) -> Tensor:
    """Positions of training images, evenly over the classes."""
    if task.test is None:
        raise InputError(f"task {task.name!r} holds no images out: give it a `test` mask")
    train = (~task.test).nonzero().flatten()
    if not task.num_classes <= count <= len(train):
        raise InputError(
            f"task {task.name!r}: {count} training images asked for, of {len(train)}, for "
            f"{task.num_classes} classes"
        )
    return train[draw_evenly(task.labels[train], count, seed)]


def _fixed(key: tuple, path: Path, task: Task, index: list[list[Tensor]]) -> list[list[float]]:
    features = torch.from_numpy(np.load(path))
    held_out = features[task.test], task.labels[task.test]
    return [
        [_error(features[i], task.labels[i], *held_out, task.num_classes) for i in of_draw]
        for of_draw in index
    ]


def _tuned(key: tuple, task: Task, probe: Probe) -> float:
    *_, schedule, seed, _ = key
    tuned = fine_tune(task, probe, schedule=schedule, seed=seed).extractor
    train, test = task.train, task.held_out
    of = tuned.features
    return _error(of(train.images), train.labels, of(test.images), test.labels, task.num_classes)


def _error(x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor, num_classes: int) -> float:
    fitted = fit_classifiers(x[None], y, num_classes=num_classes)
    return float(fitted.errors(x_test[None], y_test)[0])
