"""Errors with fewer training images, on features as they are or after fine-tuning.

What Fig. 4 and the transfer distance (Sect. 3) are made of. Each result is kept by content key; the
networks that are fine-tuned on the way are not, there are too many of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from torch import Tensor

from t2v.classifiers import fit_classifiers
from t2v.errors import InputError
from t2v.experts import Expert, Schedule, fine_tune, sources
from t2v.matrix import Features, identity
from t2v.probe import Probe
from t2v.store import memory
from t2v.task import Task
from t2v.work import default_jobs, in_parallel

Array = NDArray[np.float64]
_CODE = (
    *("classifiers", "experts", "head", "logistic", "networks", "precision", "probe"),
    *("training", "tuning"),
)


def fewer(task: Task, count: int, seed: int = 0) -> Task:
    """The task with `count` of its training images, and all of its held-out ones.

    They are drawn evenly over the classes; with one seed, the fewer are among the more.

    Raises:
        InputError: if it has not so many, or more classes than that, or holds no images out.
    """
    index = _drawn(task, count, seed)
    kept = torch.cat([index, task.test.nonzero().flatten()])
    return replace(task.subset(kept), test=torch.arange(len(kept)) >= len(index))


def largest_tasks(tasks: Sequence[Task], count: int = 4) -> list[Task]:
    """The tasks with most training images, no two of one group, at most two of one lineage's root.

    Among equals, the first; the rule by which chapter 14 takes the four tasks of Fig. 4.
    """
    chosen: list[Task] = []
    for task in sorted(tasks, key=lambda task: -len(task.train)):
        of_root = [c for c in chosen if c.lineage[0] == task.lineage[0]]
        if task.group not in [c.group for c in chosen] and len(of_root) < 2:
            chosen.append(task)
    return chosen[:count]


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
    items = []
    for t, m in cells:
        task = tasks[t]
        key = (task.fingerprint, identity(experts[m]), tuple(counts), draws, seed)
        index = [[_drawn(task, n, seed + r) for n in counts] for r in range(draws)]
        known = (task.labels, task.test, task.num_classes)
        items.append((key, (features.path(t, m), *known, index)))
    found = _each(_fixed, items, jobs, "classifiers", progress)
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
    items = [
        ((task.fingerprint, probe.sha256, probe.image_size, how, seed), (task, probe))
        for (task, probe), how in zip(work, schedules, strict=True)
    ]
    return np.array(_each(_tuned, items, jobs, "fine-tuning", progress))


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


class Agreement(NamedTuple):
    """How well one order of sources agrees with another, within targets."""

    value: float
    """Mean over targets of Spearman's correlation over sources."""
    low: float
    high: float
    p: float
    by_target: Array
    """`[T]`."""


def rank_agreement(
    distance: ArrayLike,
    transfer: ArrayLike,
    use: ArrayLike | None = None,
    *,
    resamples: int = 1999,
    seed: int = 0,
) -> Agreement:
    """Rank correlation of a distance with the transfer distance, within each target.

    Cells share targets and sources, so they are not independent: for the interval (95%) both are
    drawn anew with replacement (the pigeonhole bootstrap of Owen 2007), and for the two-sided test
    the sources change places, the same way for all targets.

    Args:
        distance: `[T, M]`.
        transfer: `[T, M]`.
        use: bool `[T, M]`, cells that count; `None`: all. Targets with fewer than three are left
            out.
        resamples: of each.
        seed: of both.

    Raises:
        InputError: if shapes differ, or no target has three sources.
    """
    distance, transfer = (np.asarray(v, dtype=np.float64) for v in (distance, transfer))
    use = np.ones(distance.shape, dtype=bool) if use is None else np.asarray(use)
    if not distance.shape == transfer.shape == use.shape or use.sum(1).max() < 3:
        raise InputError(
            f"distance, transfer, use: expected one shape [targets, 3 or more sources]; got "
            f"{distance.shape}, {transfer.shape}, {use.shape}"
        )
    rng = np.random.default_rng(seed)
    use = use & (use.sum(1) >= 3)[:, None]
    targets, sources = distance.shape
    by_target = _correlations(distance, transfer, use)
    row = rng.integers(targets, size=(resamples, targets, 1))
    column = rng.integers(sources, size=(resamples, 1, sources))
    drawn = _mean(_correlations(distance[row, column], transfer[row, column], use[row, column]))
    order = rng.permuted(np.tile(np.arange(sources), (resamples, 1)), axis=1)
    moved = distance[:, order].swapaxes(0, 1), use[:, order].swapaxes(0, 1)  # [resamples, T, M]
    shuffled = _mean(_correlations(moved[0], transfer, use & moved[1]))
    value = float(np.nanmean(by_target))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    p = (1 + np.sum(np.abs(shuffled) >= abs(value) - 1e-12)) / (resamples + 1)
    return Agreement(value, float(low), float(high), float(p), by_target)


def _mean(correlations: Array) -> Array:
    """Over targets, where there is a correlation; 0 where there is none."""
    there = np.isfinite(correlations)
    return np.where(there, correlations, 0).sum(-1) / np.maximum(there.sum(-1), 1)


def _correlations(x: Array, y: Array, use: NDArray[np.bool_]) -> Array:
    """Spearman's, along the last axis; NaN where one side is constant, or nothing is there."""
    count = np.maximum(use.sum(-1, keepdims=True), 1)

    def ranks(values: Array) -> Array:
        ranked = rankdata(np.where(use, values, np.inf), axis=-1)  # what does not count is last
        return np.where(use, ranked - np.where(use, ranked, 0).sum(-1, keepdims=True) / count, 0)

    a, b = ranks(x), ranks(y)
    below = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.divide((a * b).sum(-1), below, out=np.full(below.shape, np.nan), where=below > 1e-9)


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
    shuffled = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))]
    labels = torch.nn.functional.one_hot(task.labels[shuffled], task.num_classes)
    turn = (labels.cumsum(0) * labels).sum(1)  # the how-manieth of its class an image is
    return shuffled[turn.argsort(stable=True)[:count]]


def _each(work: Any, items: list[tuple], jobs: int, what: str, progress: bool) -> list[Any]:
    """`work` on items (key, given), in their order, each kept as soon as it is done."""
    kept = memory().cache(work, ignore=["given"])
    code = sources(*_CODE)
    keyed = [((code, *key), given) for key, given in items]
    return list(in_parallel(kept, keyed, jobs, total=len(items), what=what, progress=progress))


def _fixed(key: tuple, given: tuple) -> list[list[float]]:
    path, labels, test, num_classes, index = given
    features = torch.from_numpy(np.load(path))
    held_out = features[test], labels[test]
    return [
        [_error(features[i], labels[i], *held_out, num_classes) for i in of_draw]
        for of_draw in index
    ]


def _tuned(key: tuple, given: tuple[Task, Probe]) -> float:
    (*_, schedule, seed), (task, probe) = key, given
    tuned = fine_tune(task, probe, schedule=schedule, seed=seed).extractor
    train, test = task.train, task.held_out
    of = tuned.features
    return _error(of(train.images), train.labels, of(test.images), test.labels, task.num_classes)


def _error(x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor, num_classes: int) -> float:
    fitted = fit_classifiers(x[None], y, num_classes=num_classes)
    return float(fitted.errors(x_test[None], y_test)[0])
