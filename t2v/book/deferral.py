"""The nearest expert or the generic network: what a chapter shows of the choice between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from t2v import distances
from t2v.evaluation import (
    GENERIC,
    best_threshold,
    gains,
    nearest_costs,
    paired_test,
    relative_increases,
    spread_inside_groups,
    threshold_correlations,
    thresholds_by_task,
)
from t2v.many_tasks import embed_tasks
from t2v.meta_task import MetaTask
from t2v.probe import Probe
from t2v.selection import (
    Baseline,
    Generic,
    Nearest,
    NearestOrGeneric,
    Strategy,
    leave_one_out,
)
from t2v.task import Task

Metas = Mapping[tuple[str, str], MetaTask]
"""Names of the meta-task and of the pool, to a meta-task with a generic expert."""


def distances_of(meta: MetaTask) -> np.ndarray:
    """Distances `[T, M]` by which `NearestOrGeneric` decides; of a black box, inf."""
    return NearestOrGeneric().distances(meta.query(0), meta.tasks)


def cells_of(metas: Metas) -> pd.DataFrame:
    """The gain over the generic network in every cell, beside the distance of its expert.

    Args:
        metas: meta-tasks with a generic expert.

    Returns:
        The columns of `t2v.evaluation.gains`, with `task` and `expert` by name, and `meta_task` and
        `pool`.
    """
    frames = []
    for (name, pool), meta in metas.items():
        rows = gains(
            distances_of(meta),
            meta.errors,
            Generic().reached(meta),
            meta.eligible,
            floor=meta.floor,
        )
        frame = pd.DataFrame(rows)
        frame["task"] = [meta.task_name(t) for t in frame.task]
        if meta.expert_names is not None:
            frame["expert"] = [meta.expert_names[m] for m in frame.expert]
        frames.append(frame.assign(meta_task=name, pool=pool))
    return pd.concat(frames, ignore_index=True)


def thresholds_of(metas: Metas) -> pd.DataFrame:
    """The thresholds that `NearestOrGeneric` learns, one row for each meta-task.

    Args:
        metas: meta-tasks with a generic expert.

    Returns:
        `meta_task`, `pool`; `threshold`, the best on all its tasks; `smallest` and `largest`,
        over the tasks, of those learnt on the others; -inf: never the expert; inf: always.
    """
    rows = []
    for (name, pool), meta in metas.items():
        learnt = [
            NearestOrGeneric().learnt_threshold(meta.query(t)) for t in range(len(meta.tasks))
        ]
        costs = nearest_costs(
            distances_of(meta), meta.errors, Generic().reached(meta), meta.eligible, meta.floor
        )
        row = {"meta_task": name, "pool": pool, "threshold": best_threshold(*costs)}
        rows.append(row | {"smallest": min(learnt), "largest": max(learnt)})
    return pd.DataFrame(rows)


def compared(metas: Metas, fixed: float | None = None, **resampling: Any) -> pd.DataFrame:
    """Nearest-or-generic against its two halves, by the increase over the best of all.

    Args:
        metas: meta-tasks with a generic expert.
        fixed: a threshold that was set beforehand, for rows of its own.
        **resampling: keyword arguments of `paired_test`.

    Returns:
        One row per meta-task and rule: `meta_task`, `pool`, `rule` ("learnt" or "fixed"),
        `deferred`, share of tasks that are left to the generic network; `increase`, of the rule;
        and for `generic` and `nearest`, their own increase and, with `_minus`, `_low` and `_high`,
        the paired difference of the rule to it (negative: the rule is better).
    """
    rules = {"learnt": NearestOrGeneric()}
    if fixed is not None:
        rules["fixed"] = NearestOrGeneric(threshold=fixed)
    halves: dict[str, Strategy | Baseline] = {"generic": Generic(), "nearest": Nearest("symmetric")}
    rows = []
    for (name, pool), meta in metas.items():

        def increases(errors: np.ndarray, meta: MetaTask = meta) -> np.ndarray:
            return relative_increases(errors, meta.errors, meta.eligible, meta.floor, meta.generic)

        against = {key: increases(leave_one_out(s, meta).errors) for key, s in halves.items()}
        for rule, strategy in rules.items():
            outcome = leave_one_out(strategy, meta)
            values = increases(outcome.errors)
            row: dict[str, Any] = {"meta_task": name, "pool": pool, "rule": rule}
            row |= {"deferred": np.mean(outcome.picks == GENERIC), "increase": values.mean()}
            for key, other in against.items():
                gap = paired_test(values, other, **resampling).difference
                row |= {key: other.mean(), f"{key}_minus": gap.value}
                row |= {f"{key}_low": gap.low, f"{key}_high": gap.high}
            rows.append(row)
    return pd.DataFrame(rows)


def self_distances(
    tasks: Sequence[Task], probe: Probe, *, max_images: int = 60, **options: Any
) -> np.ndarray:
    """Symmetric distance between two halves of each task's training images, `[T]`.

    Args:
        tasks: T tasks.
        probe: the probe.
        max_images: number of images of both halves together.
        **options: keyword arguments of `embed_tasks`.

    Returns:
        NaN for a task with a class of fewer than two images.
    """
    selves = np.full(len(tasks), np.nan)
    halves: list[list[Task]] = [[], []]
    usable = []
    for number, task in enumerate(tasks):
        train = task.train.balanced(max_images)
        if np.bincount(train.labels, minlength=train.num_classes).min() > 1:
            order = np.argsort(np.asarray(train.labels), kind="stable")
            usable.append(number)
            for which, part in enumerate(halves):
                part.append(train.subset(order[which::2]))
    pairs = zip(*(embed_tasks(part, probe, **options) for part in halves), strict=True)
    selves[usable] = [distances.symmetric(*pair) for pair in pairs]
    return selves


def what_sets_it(
    meta: MetaTask, about: Mapping[str, Sequence[float]], groups: Sequence[Any], **options: Any
) -> pd.DataFrame:
    """What goes with the best threshold of a task: rank correlations with intervals over tasks.

    Args:
        meta: meta-task with a generic expert.
        about: name of a quantity to its T values, in the meta-task's order of tasks.
        groups: T groups of the tasks; their spread is added to the quantities.
        **options: keyword arguments of `bootstrap`.

    Returns:
        Table of `threshold_correlations`.
    """
    each = thresholds_by_task(
        distances_of(meta), meta.errors, Generic().reached(meta), meta.eligible, floor=meta.floor
    )
    spread = spread_inside_groups(distances.distance_matrix(meta.tasks), groups)
    quantities = dict(about) | {"spread inside its group": spread}
    return pd.DataFrame(threshold_correlations(each, quantities, **options))
