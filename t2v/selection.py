"""Strategies that choose an expert for a task, and what their choices cost (Sect. 4, Table 2).

A strategy ranks experts when it is shown a `Query`: the task at hand, the zoo, and how its experts
did on *other* tasks. The errors of the task at hand are not in a query; only `BruteForce`, which
is made from them, knows them. Needs no torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from t2v.distances import ALPHA, distance_matrix
from t2v.errors import InputError
from t2v.evaluation import (
    bootstrap,
    errors_of,
    mean_errors,
    nearest_eligible,
    paired_test,
    rank_of_pick,
    relative_increases,
)
from t2v.meta_task import Array, MetaTask, Query

Ranking = NDArray[np.intp]

ALPHAS = (0.15, 0.1, 0.2, 0.05, 0.3, 0.0, 0.45, 0.6)
"""What α is chosen from; of equally good ones the first, which is the nearest to the paper's."""


class Strategy(Protocol):
    """A way to choose."""

    name: str

    def select(self, query: Query) -> Ranking:
        """Numbers of eligible experts, best first."""


class Reference(Protocol):
    """A line to compare with, which picks nobody from the pool."""

    name: str

    def reached(self, meta: MetaTask) -> Array:
        """`[T]`, the error that it reaches or expects."""


@dataclass(frozen=True)
class Chance:
    """A random eligible expert: the expectation in closed form, the mean over them."""

    name: str = "chance"

    def reached(self, meta: MetaTask) -> Array:
        """`[T]`."""
        return mean_errors(meta.errors, meta.eligible)


@dataclass(frozen=True)
class Generic:
    """The generic expert, whatever the task."""

    name: str = "generic"

    def reached(self, meta: MetaTask) -> Array:
        """`[T]`."""
        if meta.generic is None:
            raise InputError("the meta-task has no generic expert: give generic=")
        return np.asarray(meta.generic, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class BruteForce:
    """Every expert is tried on the task; the only strategy that is given the answer."""

    errors: Array
    """`[T, M]`."""
    name: str = "optimal"

    def select(self, query: Query) -> Ranking:
        """By the true errors."""
        return ranked(self.errors[query.number], query.eligible)


@dataclass(frozen=True)
class TaskBlind:
    """The expert with the smallest mean error on the other tasks; the target is not looked at."""

    name: str = "task-blind"

    def select(self, query: Query) -> Ranking:
        """By mean error over the other tasks for which each is eligible; untried ones last."""
        count = query.tasks_eligible.sum(axis=0)
        total = np.where(query.tasks_eligible, query.errors, 0).sum(axis=0)
        mean = np.divide(total, count, out=np.full(len(count), np.inf), where=count > 0)
        return ranked(mean, query.eligible)


@dataclass(frozen=True)
class Nearest:
    """The expert whose training task is nearest; one of unknown training is never chosen.

    Attributes:
        kind: of distance, see `distance_matrix`; or a function `(targets [A], experts [B]) -> [A,
            B]`, called with `alpha=` if alpha is given.
        alpha: weight of the distance to the trivial task in `asymmetric`; "chosen": the one of
            `ALPHAS` that does best on the query's other tasks.
        prior: see `distance_matrix`.
        layers: likewise.
        name: in tables; default: made from the above.
    """

    kind: str | Callable[..., Array] = "symmetric"
    alpha: float | str | None = None
    prior: float | None = None
    layers: tuple[str, ...] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind == "asymmetric" and self.alpha is None:
            object.__setattr__(self, "alpha", ALPHA)
        if not self.name:
            kind = self.kind if isinstance(self.kind, str) else "nearest"
            chosen = ", α chosen" if self.alpha == "chosen" else ""
            object.__setattr__(self, "name", f"{kind}{chosen}")

    def select(self, query: Query) -> Ranking:
        """By distance."""
        alpha = self.chosen_alpha(query) if self.alpha == "chosen" else self.alpha
        distance = self._distance([query.target], query.experts, alpha)[0]
        if not np.any(query.eligible & np.isfinite(distance)):
            raise InputError(f"{self.name}: no eligible expert has a known training task")
        return ranked(distance, query.eligible & np.isfinite(distance))

    def chosen_alpha(self, query: Query) -> float:
        """The α with the smallest mean relative error increase on the query's other tasks."""
        known = [m for m, expert in enumerate(query.experts) if expert is not None]
        experts = [query.experts[m] for m in known]
        errors, eligible = query.errors[:, known], query.tasks_eligible[:, known]
        usable = eligible.any(axis=1)
        tasks = [task for task, use in zip(query.tasks, usable, strict=True) if use]
        errors, eligible, floor = errors[usable], eligible[usable], query.floor[usable]
        # linear in alpha: two distances give all
        at_0 = self._distance(tasks, experts, 0.0)
        slope = self._distance(tasks, experts, 1.0) - at_0
        costs = []
        for alpha in ALPHAS:
            picks = nearest_eligible(at_0 + alpha * slope, eligible)
            chosen = errors_of(errors, picks, eligible)
            costs.append(relative_increases(chosen, errors, eligible, floor).mean())
        return ALPHAS[int(np.argmin(costs))]

    def _distance(self, tasks: Sequence[Any], experts: Sequence[Any], alpha: Any) -> Array:
        """`[A, B]`; infinite to experts of unknown training."""
        known = [m for m, expert in enumerate(experts) if expert is not None]
        distance = np.full((len(tasks), len(experts)), np.inf)
        if known:
            options = {} if alpha is None else {"alpha": alpha}
            there = [experts[m] for m in known]
            if isinstance(self.kind, str):
                options |= {"prior": self.prior, "layers": self.layers}
                distance[:, known] = distance_matrix(tasks, there, self.kind, **options)
            else:
                distance[:, known] = self.kind(tasks, there, **options)
        return distance


@dataclass(frozen=True)
class NearestDomain(Nearest):
    """The expert trained on the nearest images, whatever their labels: by domain embedding."""

    name: str = "domain"

    def select(self, query: Query) -> Ranking:
        """By distance of the domain embeddings."""
        if query.target_domain is None or query.expert_domains is None:
            raise InputError("domain: the meta-task has no domain embeddings")
        swapped = replace(query, target=query.target_domain, experts=query.expert_domains)
        return super().select(swapped)


class Outcome(NamedTuple):
    """What a strategy did on every task of a meta-task."""

    picks: Ranking | None
    """`[T]`; `None` for a reference, which picks nobody."""
    errors: Array
    """`[T]`, the error reached."""
    seconds: float
    """Of choosing alone, for the median task."""


def ranked(score: ArrayLike, eligible: NDArray[np.bool_]) -> Ranking:
    """Numbers of the eligible, smallest score first; among equals in their order."""
    order = np.argsort(np.asarray(score, dtype=np.float64), kind="stable")
    return order[eligible[order]]


def leave_one_out(strategy: Strategy | Reference, meta: MetaTask, jobs: int = 1) -> Outcome:
    """Choose for every task of a meta-task, each time with the errors of the others.

    Args:
        strategy: how.
        meta: for which tasks, among which experts.
        jobs: processes of `joblib.Parallel`, over tasks; -1: one per core.

    Raises:
        InputError: if a strategy picks an expert that is not eligible.
    """
    if hasattr(strategy, "reached"):
        return Outcome(None, strategy.reached(meta), 0.0)
    queries = (meta.query(t) for t in range(len(meta.tasks)))
    chosen = Parallel(n_jobs=jobs)(delayed(_first)(strategy, query) for query in queries)
    picks = np.array([pick for pick, _ in chosen], dtype=np.intp)
    seconds = float(np.median([seconds for _, seconds in chosen]))
    return Outcome(picks, errors_of(meta.errors, picks, meta.eligible), seconds)


def _first(strategy: Strategy, query: Query) -> tuple[int, float]:
    started = time.perf_counter()
    return int(strategy.select(query)[0]), time.perf_counter() - started


def selection_table(
    meta: MetaTask, strategies: Sequence[Strategy | Reference], *, jobs: int = 1, **options: Any
) -> list[dict[str, Any]]:
    """The paper's Table 2, one row per strategy, with intervals and tests.

    Args:
        meta: tasks and experts.
        strategies: what to compare.
        jobs: see `leave_one_out`.
        **options: `resamples` and `seed` of `bootstrap` and `paired_test`.

    Returns:
        Dictionaries: `strategy`; `error`, mean; `increase`, mean relative error increase over the
        best eligible expert, with `low`, `high`, and `median`; `dearest`, the task with the largest
        increase, and `without`, the mean of the others (a mean of ratios can hang on one task);
        `optimal`, share of picks that are the best (ties count), and `rank`, mean (1: best), both
        NaN for references; for each of generic and task-blind `minus_*`, the mean difference of
        the increases (negative: better than these), with `_low`, `_high` and `_p` of the paired
        permutation test; `seconds` of choosing.
    """
    outcomes = [leave_one_out(strategy, meta, jobs) for strategy in strategies]
    against = {"blind": leave_one_out(TaskBlind(), meta).errors}
    if meta.generic is not None:
        against["generic"] = Generic().reached(meta)

    def increases(errors: Array) -> Array:
        return relative_increases(errors, meta.errors, meta.eligible, meta.floor)

    rows = []
    for strategy, outcome in zip(strategies, outcomes, strict=True):
        values = increases(outcome.errors)
        row = {"strategy": strategy.name, "error": float(outcome.errors.mean())}
        row |= zip(("increase", "low", "high"), bootstrap(values, **options), strict=True)
        dearest = int(np.argmax(values))
        others = np.delete(values, dearest)
        row |= {
            "median": float(np.median(values)),
            "dearest": meta.task_name(dearest),
            "without": float(others.mean()) if len(others) else np.nan,
            "optimal": np.nan,
            "rank": np.nan,
        }
        if outcome.picks is not None:
            ranks = rank_of_pick(meta.errors, outcome.picks, meta.eligible)
            row |= {"optimal": float(np.mean(ranks == 1)), "rank": float(ranks.mean())}
        for name, errors in against.items():
            test = paired_test(values, increases(errors), **options)
            key = f"minus_{name}"
            row |= zip((key, f"{key}_low", f"{key}_high"), test.difference, strict=True)
            row[f"{key}_p"] = test.permutation_p
        rows.append(row | {"seconds": outcome.seconds})
    return rows
