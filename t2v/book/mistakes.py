"""Which image is mistaken by which expert: what the error matrix has only as a share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from t2v._run.cache import cached_map
from t2v._run.parallel import default_jobs
from t2v.experts.expert import Expert
from t2v.experts.features import Features, device_of, identity
from t2v.experts.linear_classifiers import fit_classifiers
from t2v.task import Task


def mistakes_of(
    tasks: Sequence[Task], experts: Sequence[Expert], *, jobs: int | None = None
) -> list[NDArray[np.bool_]]:
    """Mistakes of the classifiers of the error matrix, from the features in the cache.

    Args:
        tasks: T tasks with held-out images.
        experts: M experts.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.

    Returns:
        T arrays `[M, N]`, N the number of the task's held-out images, in their order. The mean of a
        row, balanced over the classes, is the error in `t2v.experts.error_matrix`.
    """
    tasks, experts = list(tasks), list(experts)
    jobs = jobs or default_jobs(*map(device_of, experts))
    features = Features(tasks, experts)
    features.compute([(t, m) for t in range(len(tasks)) for m in range(len(experts))], jobs, False)
    of_experts = tuple(map(identity, experts))
    keys = [(task.fingerprint, of_experts) for task in tasks]
    items = [
        ([features.path(t, m) for m in range(len(experts))], task) for t, task in enumerate(tasks)
    ]
    return cached_map(
        _mistakes, keys, items, jobs=jobs, what="mistakes",
        cost=lambda t: len(tasks[t]) * tasks[t].num_classes,
    )  # fmt: skip


def _mistakes(key: tuple, paths: list[Path], task: Task) -> NDArray[np.bool_]:
    loaded = [np.load(path) for path in paths]
    mistakes = torch.zeros(len(paths), len(task), dtype=torch.bool)
    for width in {x.shape[1] for x in loaded}:
        rows = [m for m, x in enumerate(loaded) if x.shape[1] == width]
        x = torch.from_numpy(np.stack([loaded[m] for m in rows]))
        for train, test in task.splits:
            fitted = fit_classifiers(x[:, train], task.labels[train], num_classes=task.num_classes)
            wrong = fitted.mistakes(x[:, test], task.labels[test])
            mistakes[torch.tensor(rows)[:, None], test.nonzero().T] = wrong
    return mistakes[:, task.held_out_mask].numpy()
