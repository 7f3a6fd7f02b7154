"""A meta-task: tasks, experts, errors; and what of it may be seen when one task is chosen for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from t2v.errors import InputError

Array = NDArray[np.float64]

LIFE = ("life", "Animalia", "Plantae")
"""Roots of the trees of living things, drawn and photographed."""


@dataclass(frozen=True, eq=False)
class Query:
    """What a strategy may see when it chooses among M experts for one task.

    Attributes:
        target: embedding of the task.
        experts: `[M]`, embeddings of the experts' training tasks; `None`: unknown.
        eligible: bool `[M]`.
        tasks: embeddings of R other tasks.
        errors: `[R, M]`, errors of the experts on those, in [0, 1].
        tasks_eligible: bool `[R, M]`.
        floor: `[R]`, see `MetaTask`.
        target_domain: domain embedding of the task.
        expert_domains: `[M]`, domain embeddings of the experts' training tasks; `None`: unknown.
        number: of the task in its meta-task, -1 outside of one.
    """

    target: Any
    experts: Sequence[Any]
    eligible: NDArray[np.bool_]
    tasks: Sequence[Any]
    errors: Array
    tasks_eligible: NDArray[np.bool_]
    floor: Array
    target_domain: Any = None
    expert_domains: Sequence[Any] | None = None
    number: int = -1


@dataclass(frozen=True, eq=False)
class MetaTask:
    """T tasks, each to be solved with one of M experts.

    Attributes:
        tasks: `[T]` embeddings.
        experts: `[M]` embeddings of the experts' training tasks; `None`: unknown (a black box).
        errors: `[T, M]`, error of each expert on each task, in [0, 1].
        eligible: bool `[T, M]`; `None`: every expert on every task.
        generic: `[T]`, error of the generic expert, which is not in the pool (as in the paper).
        floor: errors below it count as this in ratios, a number or `[T]`: half a test image.
        task_domains: `[T]` domain embeddings.
        expert_domains: `[M]` domain embeddings of the experts' training tasks; `None`: unknown.
        task_names: `[T]`.
        expert_names: `[M]`.

    Raises:
        InputError: if the shapes do not fit, or a task has no eligible expert.
    """

    tasks: Sequence[Any]
    experts: Sequence[Any]
    errors: Array
    eligible: NDArray[np.bool_] | None = None
    generic: Array | None = None
    floor: ArrayLike = 0.0
    task_domains: Sequence[Any] | None = None
    expert_domains: Sequence[Any] | None = None
    task_names: Sequence[str] | None = None
    expert_names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.tasks), len(self.experts))
        fill = object.__setattr__
        fill(self, "errors", np.asarray(self.errors, dtype=np.float64))
        eligible = np.ones(shape, dtype=bool) if self.eligible is None else self.eligible
        fill(self, "eligible", np.asarray(eligible, dtype=bool))
        fill(self, "floor", np.broadcast_to(np.asarray(self.floor, float), shape[:1]))
        for name in ("errors", "eligible"):
            if getattr(self, name).shape != shape:
                raise InputError(
                    f"{name}: expected {shape}, tasks and experts; got {getattr(self, name).shape}"
                )
        optional = {"generic": 0, "task_domains": 0, "expert_domains": 1}
        optional |= {"task_names": 0, "expert_names": 1}
        for name, side in optional.items():
            value = getattr(self, name)
            if value is not None and len(value) != shape[side]:
                raise InputError(f"{name}: expected {shape[side]} of them; got {len(value)}")
        alone = np.flatnonzero(~self.eligible.any(axis=1))
        if len(alone):
            raise InputError(f"no expert is eligible for task {self.task_name(int(alone[0]))}")

    def task_name(self, number: int) -> str:
        """Its name if there is one, else its number."""
        return str(number) if self.task_names is None else self.task_names[number]

    @classmethod
    def of(
        cls,
        matrix: Any,
        tasks: Sequence[Any],
        experts: Mapping[str, Any],
        *,
        generic: str = "generic",
        overlap: bool = True,
        **more: Any,
    ) -> MetaTask:
        """From a matrix of errors.

        Args:
            matrix: a `t2v.experts.error_matrix.ErrorMatrix`.
            tasks: embeddings, in the matrix's order of tasks.
            experts: name to embedding of the training task; experts without one are black boxes.
            generic: name of the generic expert, which is taken out of the pool.
            overlap: whether an expert whose training classes include one of the task's is
                eligible; the expert trained on the task itself never is.
            **more: `floor`, `task_domains`, and `expert_domains` as a mapping like `experts`.
        """
        pool = matrix.without(generic) if generic in matrix.experts else matrix
        if "expert_domains" in more:
            more["expert_domains"] = [more["expert_domains"].get(name) for name in pool.experts]
        return cls(
            tasks=tasks,
            experts=[experts.get(name) for name in pool.experts],
            errors=pool.errors,
            eligible=~(pool.own if overlap else pool.overlap),
            generic=matrix.column(generic) if generic in matrix.experts else None,
            task_names=pool.tasks,
            expert_names=pool.experts,
            **more,
        )

    def query(self, number: int) -> Query:
        """What may be seen of one task; its row of errors is not in it."""
        others = [t for t in range(len(self.tasks)) if t != number]
        return Query(
            target=self.tasks[number],
            experts=self.experts,
            eligible=self.eligible[number],
            tasks=[self.tasks[t] for t in others],
            errors=self.errors[others],
            tasks_eligible=self.eligible[others],
            floor=self.floor[others],
            target_domain=None if self.task_domains is None else self.task_domains[number],
            expert_domains=self.expert_domains,
            number=number,
        )


def counterparts(
    matrix: Any,
    tasks: Sequence[Any],
    courses: Sequence[Any],
    embeddings: tuple[Sequence[Any], Sequence[Any]],
    *,
    domains: tuple[Sequence[Any], Sequence[Any]] | None = None,
    overlap: bool = True,
    more: Sequence[str] = (),
) -> dict[str, MetaTask]:
    """The counterparts of the paper's two meta-tasks in a library.

    "living", as iNat+CUB: tasks of living things, experts trained on living things. "mixed", as
    Mixed: all tasks, experts of broad tasks, with at least half as many images as the largest one.
    Tasks with fewer than two eligible experts of known training are left out, and a meta-task with
    fewer than four tasks.

    Args:
        matrix: a `t2v.experts.error_matrix.ErrorMatrix` of the tasks.
        tasks: in the matrix's order; of each, `lineage` and `held_out` are used.
        courses: what the experts were trained on; `name`, `lineage` and `train` are used.
        embeddings: of the tasks and of the courses.
        domains: domain embeddings of both.
        overlap: see `MetaTask.of`.
        more: names of experts without a course, black boxes, to be in both pools.
    """
    names = [course.name for course in courses]
    sizes = [len(course.train) for course in courses]
    living = [course.name for course in courses if course.lineage[0] in LIFE]
    broad = [n for n, size in zip(names, sizes, strict=True) if size >= max(sizes) / 2]
    alive = [t for t, task in enumerate(tasks) if task.lineage[0] in LIFE]
    plans = {"living": (alive, living), "mixed": (range(len(tasks)), broad)}
    floor = np.array([0.5 / len(task.held_out) for task in tasks])
    barred = matrix.own if overlap else matrix.overlap
    found = {}
    for plan, (numbers, pool) in plans.items():
        columns = [m for m, name in enumerate(matrix.experts) if name in pool]
        rows = [t for t in numbers if (~barred[t, columns]).sum() > 1]
        if len(rows) < 4:
            continue
        others = [n for n in matrix.experts if n not in {"generic", *pool, *more}]
        extra: dict[str, Any] = {"floor": floor[rows]}
        if domains is not None:
            extra["task_domains"] = [domains[0][t] for t in rows]
            extra["expert_domains"] = dict(zip(names, domains[1], strict=True))
        of_course = dict(zip(names, embeddings[1], strict=True))
        part = matrix.of(rows).without(*others)
        of_rows = [embeddings[0][t] for t in rows]
        found[plan] = MetaTask.of(part, of_rows, of_course, overlap=overlap, **extra)
    return found
