"""A meta-task: tasks, experts, errors; and what of it may be seen when one task is chosen for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from t2v.errors import InputError

Array = NDArray[np.float64]


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
            matrix: a `t2v.matrix.ErrorMatrix`.
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
