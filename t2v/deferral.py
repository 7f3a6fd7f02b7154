"""The nearest expert, or the generic network if none is near.

An expert far from the task can be worse than the generic network: negative transfer (Wang et al.,
2019). To leave such tasks to another is to learn to defer (Madras et al., 2018). Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from t2v.errors import InputError
from t2v.evaluation import GENERIC, best_threshold, nearest_costs
from t2v.meta_task import Query
from t2v.selection import Generic, Nearest, Ranking


@dataclass(frozen=True)
class NearestOrGeneric(Nearest):
    """The nearest expert if its distance is below a threshold τ, else the generic network.

    The distance is symmetric by default: it says how far a task is on one scale, [0, 1], for all
    experts. The second term of the asymmetric one belongs to the expert, and moves the scale by it.

    Attributes:
        threshold: τ; `None`: learnt on the query's other tasks.

    Examples:
        >>> from t2v import Embedding, MetaTask, NearestOrGeneric, leave_one_out
        >>> def embedding(x):
        ...     return Embedding(np.array([x, 1.0]), np.full(2, (x + 1) / 2), {"": slice(2)})
        >>> tasks, experts = [embedding(x) for x in (1.1, 1.2, 8.0, 9.0)], [embedding(1.0)]
        >>> meta = MetaTask(tasks, experts, [[0.1], [0.1], [0.4], [0.4]], generic=[0.2] * 4)
        >>> leave_one_out(NearestOrGeneric(), meta).picks  # -1: the generic network
        array([ 0,  0, -1, -1])
    """

    name: str = "nearest-or-generic"
    threshold: float | None = None

    def select(self, query: Query) -> Ranking:
        """Ranking by distance, in which the generic network is at the distance τ."""
        ranking = super().select(query)
        threshold = self.learnt_threshold(query) if self.threshold is None else self.threshold
        near = self.distances(query, [query.target])[0, ranking] < threshold
        return np.concatenate([ranking[near], [GENERIC], ranking[~near]])

    def learnt_threshold(self, query: Query) -> float:
        """The τ with the smallest mean relative error increase over the best of all, generic too.

        Raises:
            InputError: if there is no generic expert, or no other task to learn from.
        """
        others, generic = query.others, Generic().reached(query.others)
        if not len(others.tasks):
            raise InputError(f"{self.name}: needs the errors of the experts on other tasks")
        distance = self.distances(query, others.tasks)
        costs = nearest_costs(distance, others.errors, generic, others.eligible, others.floor)
        return best_threshold(*costs)
