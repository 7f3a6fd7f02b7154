"""A meta-task: tasks, experts, errors; and what a strategy may see of it to choose for one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from t2v.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MetaTask:
    """T tasks, each to be solved with one of M experts.

    Attributes:
        tasks: `[T]` embeddings.
        experts: `[M]` embeddings of the experts' training tasks; `None`: unknown (a black box).
        errors: `[T, M]`, error of each expert on each task, in [0, 1].
        eligible: bool `[T, M]`; `None`: every expert on every task.
        generic: `[T]`, error of the generic expert, which is not in the pool (as in the paper).
        floor: error floor, a number or `[T]`: errors below it count as it in ratios. Usually half a
            held-out image.
        task_domains: `[T]` domain embeddings.
        expert_domains: `[M]` domain embeddings of the experts' training tasks; `None`: unknown.
        task_names: `[T]` names.
        expert_names: `[M]` names.

    Raises:
        InputError: if the shapes do not fit, or a task has no eligible expert.
    """

    tasks: Sequence[Any]
    experts: Sequence[Any]
    errors: Array
    eligible: NDArray[np.bool_] = None  # type: ignore[assignment]  # filled on initialisation
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
        """Name of a task if it has one, else its position."""
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
        """Meta-task of a matrix of errors and the embeddings of tasks and experts.

        Args:
            matrix: a `t2v.experts.error_matrix.ErrorMatrix`.
            tasks: embeddings, in the matrix's order of tasks.
            experts: name of an expert to the embedding of its training task; experts that are not
                in it are black boxes.
            generic: name of the generic expert, which is taken out of the pool.
            overlap: whether an expert is eligible that knows a class of the task; the expert
                trained on the task itself never is.
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

    def subset(self, rows: Sequence[int]) -> MetaTask:
        """The meta-task of some of the tasks, by position, with all experts."""
        return MetaTask(
            tasks=[self.tasks[t] for t in rows],
            experts=self.experts,
            errors=self.errors[list(rows)],
            eligible=self.eligible[list(rows)],
            generic=None if self.generic is None else np.asarray(self.generic)[list(rows)],
            floor=np.asarray(self.floor)[list(rows)],
            task_domains=_of(self.task_domains, rows),
            expert_domains=self.expert_domains,
            task_names=_of(self.task_names, rows),
            expert_names=self.expert_names,
        )

    def query(self, number: int) -> Query:
        """What a strategy may see of one task: everything but the task's own errors."""
        return Query(
            target=self.tasks[number],
            eligible=self.eligible[number],
            others=self.subset([t for t in range(len(self.tasks)) if t != number]),
            target_domain=None if self.task_domains is None else self.task_domains[number],
            number=number,
        )


@dataclass(frozen=True, eq=False)
class Query:
    """What a strategy may see when it chooses among M experts for one task.

    Attributes:
        target: embedding of the task.
        eligible: bool `[M]`, experts that may be picked.
        others: the M experts and how they did on the other tasks.
        target_domain: domain embedding of the task.
        number: position of the task in its meta-task, -1 outside of one.
    """

    target: Any
    eligible: NDArray[np.bool_]
    others: MetaTask
    target_domain: Any = None
    number: int = -1


def _of(values: Sequence[Any] | None, rows: Sequence[int]) -> list[Any] | None:
    return None if values is None else [values[t] for t in rows]
