"""MODEL2VEC for many tasks in less time: fitted once for each fold of the tasks."""

from __future__ import annotations

from dataclasses import dataclass, field

from t2v.meta_task import Query
from t2v.model2vec import Model2Vec, Model2VecStrategy
from t2v.selection import Ranking


@dataclass(frozen=True, eq=False)
class InFolds:
    """MODEL2VEC that chooses for a fold of the tasks after it has learnt from the other folds.

    It knows a little less than leave-one-out allows, since the other tasks of the fold are hidden
    as well. Tasks whose positions differ by a multiple of the number of folds are in one fold, so
    neighbours, which are often of one group, are in different ones. What was fitted is kept in the
    object: `leave_one_out` reuses it in one process only.

    Attributes:
        strategy: MODEL2VEC with its schedule.
        folds: number of folds.
    """

    strategy: Model2VecStrategy = field(default_factory=Model2VecStrategy)
    folds: int = 5
    _fitted: dict[tuple[int, bytes, bytes], Model2Vec] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Label in tables: that of the strategy."""
        return self.strategy.name

    def select(self, query: Query) -> Ranking:
        """Experts by asymmetric distance from their learnt positions."""
        fold, others = query.number % self.folds, query.others
        numbers = [t + (t >= query.number) for t in range(len(others.tasks))]
        known = others.subset([i for i, t in enumerate(numbers) if t % self.folds != fold])
        key = (fold, known.errors.tobytes(), known.eligible.tobytes())
        if key not in self._fitted:
            self._fitted[key] = Model2Vec.fit(
                known.tasks, known.errors, known.experts, known.eligible, **self.strategy.options
            )
        return self._fitted[key].rank(query.target, query.eligible)
