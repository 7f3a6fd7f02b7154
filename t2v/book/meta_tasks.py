"""The book's meta-tasks and its choice of tasks for Fig. 4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from t2v.libraries.open_zoo import shards
from t2v.meta_task import MetaTask

if TYPE_CHECKING:
    from t2v.experts.error_matrix import ErrorMatrix
    from t2v.libraries.paper.meta_tasks import Members
    from t2v.task import Task

LIFE = ("life", "Animalia", "Plantae")
"""Roots of the trees of living things, drawn and photographed."""


def build_meta_tasks(
    matrix: ErrorMatrix,
    tasks: Sequence[Any],
    training_tasks: Sequence[Any],
    embeddings: tuple[Sequence[Any], Sequence[Any]],
    *,
    domains: tuple[Sequence[Any], Sequence[Any]] | None = None,
    overlap: bool = True,
    barred: NDArray[np.bool_] | None = None,
    broad: float = 0.5,
    printed: Mapping[str, Members] | None = None,
    black_boxes: Sequence[str] = (),
) -> dict[str, MetaTask]:
    """The `living` and `mixed` meta-tasks of a library, analogous to iNat+CUB and Mixed.

    `living`: tasks of living things, experts trained on living things. `mixed`: all tasks, and the
    experts of broad tasks, those with at least half as many training images as the largest one
    (`broad`). The generic expert is in neither pool. A task with fewer than two eligible experts
    that are no black boxes is left out, and so is a meta-task with fewer than four tasks.

    Args:
        matrix: errors of the tasks on the generic expert, the experts and the black boxes.
        tasks: T tasks in the matrix's order, with `lineage` and `held_out`.
        training_tasks: the experts' training tasks, with `name`, `lineage` and `train`.
        embeddings: embeddings of the tasks, and of the training tasks.
        domains: domain embeddings of the tasks, and of the training tasks.
        overlap: whether an expert is eligible that knows a class of the task, see `MetaTask.of`.
        barred: bool `[T, M]` in the matrix's order, further cells that are not eligible, see
            `same_data_set`.
        broad: share of the largest training task's images that an expert of `mixed` needs.
        printed: names of the tasks and experts of each meta-task, instead of these rules; those
            that are not among the tasks are passed over.
        black_boxes: names of experts of unknown training task that are in both pools.

    Returns:
        Name of each meta-task that is large enough to the meta-task; the error floor is half a
        held-out image.
    """
    if barred is not None:
        matrix = replace(matrix, own=matrix.own | barred, overlap=matrix.overlap | barred)
    names = [task.name for task in training_tasks]
    sizes = [len(task.train) for task in training_tasks]
    pools = {
        "living": [task.name for task in training_tasks if task.lineage[0] in LIFE],
        "mixed": [n for n, size in zip(names, sizes, strict=True) if size >= broad * max(sizes)],
    }
    rows = {
        "living": [t for t, task in enumerate(tasks) if task.lineage[0] in LIFE],
        "mixed": list(range(len(tasks))),
    }
    if printed is not None:
        pools = {name: list(of.experts) for name, of in printed.items()}
        rows = {
            name: [t for t, task in enumerate(tasks) if task.name in of.tasks]
            for name, of in printed.items()
        }
    experts = dict(zip(names, embeddings[1], strict=True))
    closed = matrix.own if overlap else matrix.overlap
    metas = {}
    for name, pool in pools.items():
        columns = [m for m, expert in enumerate(matrix.experts) if expert in pool]
        enough = [t for t in rows[name] if (~closed[t, columns]).sum() > 1]
        if len(enough) < 4:
            continue
        more: dict[str, Any] = {"floor": [0.5 / len(tasks[t].held_out) for t in enough]}
        if domains is not None:
            more["task_domains"] = [domains[0][t] for t in enough]
            more["expert_domains"] = dict(zip(names, domains[1], strict=True))
        others = [n for n in matrix.experts if n not in {"generic", *pool, *black_boxes}]
        part = matrix.of(enough).without(*others)
        of_tasks = [embeddings[0][t] for t in enough]
        metas[name] = MetaTask.of(part, of_tasks, experts, overlap=overlap, **more)
    return metas


def same_data_set(
    matrix: ErrorMatrix,
    of_tasks: Sequence[str],
    of_experts: dict[str, Collection[str]],
) -> NDArray[np.bool_]:
    """Cells of a matrix in which the expert was trained on images of the task's data set, `[T, M]`.

    Args:
        matrix: errors of T tasks on M experts.
        of_tasks: T names of data sets.
        of_experts: name of an expert to the data sets of its training task; an expert that is not
            in it was trained on none.
    """
    return np.array(
        [[name in of_experts.get(expert, ()) for expert in matrix.experts] for name in of_tasks]
    )


def open_zoo_data_sets() -> dict[str, frozenset[str]]:
    """Name of each training task of the open zoo to the data sets that its images come from."""
    return {row["name"]: frozenset(row["source"].split()) for row in shards.table("training_tasks")}


def largest_tasks(
    tasks: Sequence[Task], count: int = 4, *, kinds: Sequence[str] | None = None
) -> list[Task]:
    """The tasks with most training images, as chapter 14 takes them for Fig. 4.

    They are chosen one after the other: of the kinds from which fewest were taken, the largest task
    of a group from which none was taken; of equally large tasks, the first.

    Args:
        tasks: tasks with `group` and `lineage`.
        count: number of tasks, at most that of groups.
        kinds: kind of image of each task, e.g. its data set; default: the root of its lineage.

    Returns:
        The tasks chosen, the largest first.
    """
    kinds = [task.lineage[0] for task in tasks] if kinds is None else kinds
    left = sorted(zip(tasks, kinds, strict=True), key=lambda pair: -len(pair[0].train))
    taken: Counter[str] = Counter()
    chosen: list[Task] = []
    while left and len(chosen) < count:
        task, kind = min(left, key=lambda pair: taken[pair[1]])
        taken[kind] += 1
        chosen.append(task)
        left = [pair for pair in left if pair[0].group != task.group]
    return sorted(chosen, key=lambda task: -len(task.train))
