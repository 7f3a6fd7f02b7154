"""Strategies that choose an expert for a task, and what their choices cost (Sect. 4, Table 2).

A strategy ranks the experts of a `Query`: a target task, and how the experts did on *other* tasks.
The errors of the target are not in a query; only `BruteForce`, which is made from them, knows them.
Needs no torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray

from t2v._numerics.trivial import in_form
from t2v.distances import ALPHA, asymmetric_parts, distance_matrix
from t2v.errors import InputError
from t2v.evaluation import (
    GENERIC,
    best_threshold,
    bootstrap,
    errors_of,
    mean_errors,
    nearest_costs,
    nearest_eligible,
    paired_test,
    rank_of_error,
    relative_increases,
)
from t2v.meta_task import Array, MetaTask, Query

Ranking = NDArray[np.intp]

ALPHAS = (0.15, 0.1, 0.2, 0.05, 0.3, 0.0, 0.45, 0.6)
"""Candidates for α, nearest to the paper's first: of equally good ones the first is chosen."""


class Strategy(Protocol):
    """A rule that ranks experts."""

    @property
    def name(self) -> str:
        """Label in tables."""

    def select(self, query: Query) -> Ranking:
        """Positions of eligible experts, best first; among them may be `GENERIC`."""


class Baseline(Protocol):
    """A baseline that selects no expert: an error level such as chance or the generic network."""

    @property
    def name(self) -> str:
        """Label in tables."""

    def reached(self, meta: MetaTask) -> Array:
        """Expected error by task, `[T]`."""


@dataclass(frozen=True)
class Chance:
    """A random eligible expert: its expected error is the mean over eligible experts."""

    name: str = "chance"

    def reached(self, meta: MetaTask) -> Array:
        """Mean error by task, `[T]`."""
        return mean_errors(meta.errors, meta.eligible)


@dataclass(frozen=True)
class Generic:
    """The generic expert, whatever the task."""

    name: str = "generic"

    def reached(self, meta: MetaTask) -> Array:
        """Error of the generic expert by task, `[T]`.

        Raises:
            InputError: if the meta-task has none.
        """
        if meta.generic is None:
            raise InputError("the meta-task has no generic expert: give generic=")
        return np.asarray(meta.generic, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class BruteForce:
    """Every expert is tried on the target; the only strategy that knows the answer.

    Attributes:
        errors: `[T, M]`, errors of the meta-task.
        name: label in tables.
    """

    errors: Array
    name: str = "optimal"

    def select(self, query: Query) -> Ranking:
        """Ranking by the true errors."""
        return ranked(self.errors[query.number], query.eligible)


@dataclass(frozen=True)
class TaskBlind:
    """The expert with the smallest mean error on the other tasks; the target is ignored."""

    name: str = "task-blind"

    def select(self, query: Query) -> Ranking:
        """Ranking by mean error over the other tasks; experts eligible for none of them last."""
        others = query.others
        count = others.eligible.sum(axis=0)
        total = np.where(others.eligible, others.errors, 0).sum(axis=0)
        mean = np.divide(total, count, out=np.full(len(count), np.inf), where=count > 0)
        return ranked(mean, query.eligible)


@dataclass(frozen=True)
class Nearest:
    """The expert whose training task is nearest; a black box is never picked.

    Attributes:
        kind: kind of distance, see `distance_matrix`; or a function `(targets, experts) -> [A, B]`,
            called with `alpha=` if `alpha` is set, in which it must be linear.
        alpha: weight of the distance to the trivial task in `asymmetric`; "chosen": the one of
            `ALPHAS` that does best on the query's other tasks.
        prior: multiple of the trivial embedding, see `distance_matrix`.
        layers: layers whose filters are compared, see `distance_matrix`.
        trivial: form of the trivial embedding: "own" or "probe", which the embeddings must carry;
            "common": the mean over the query's experts (never over targets); or an array `[F]`.
        scale: multiple of the trivial embedding; without effect on "own".
        name: label in tables; default: made from `kind`, `alpha`, `trivial` and `scale`.
    """

    kind: str | Callable[..., Array] = "symmetric"
    alpha: float | Literal["chosen"] | None = None
    prior: float | None = None
    layers: tuple[str, ...] | None = None
    trivial: str | Array = "own"
    scale: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind == "asymmetric" and self.alpha is None:
            object.__setattr__(self, "alpha", ALPHA)
        if not self.name:
            kind = self.kind if isinstance(self.kind, str) else "nearest"
            chosen = ", α chosen" if self.alpha == "chosen" else ""
            form = self.trivial if isinstance(self.trivial, str) else "array"
            form = "" if form == "own" else f", {form} t₀ × {self.scale:g}"
            object.__setattr__(self, "name", f"{kind}{chosen}{form}")

    def select(self, query: Query) -> Ranking:
        """Ranking by distance.

        Raises:
            InputError: if no eligible expert has a known training task, or α is to be chosen and
                there are no errors to choose it by.
        """
        distance = self.distances(query, [query.target])[0]
        may = query.eligible & np.isfinite(distance)
        if not may.any():
            raise InputError(f"{self.name}: no eligible expert has a known training task")
        return ranked(distance, may)

    def distances(self, query: Query, targets: Sequence[Any]) -> Array:
        """Distances `[A, M]` of the query's experts from A tasks; of a black box, inf."""
        known, experts = _known(query)
        distance = np.full((len(targets), len(query.eligible)), np.inf)
        if known:
            alpha = self.chosen_alpha(query) if self.alpha == "chosen" else self.alpha
            distance[:, known] = combined(*self.parts(targets, experts), alpha)
        return distance

    def chosen_alpha(self, query: Query) -> float:
        """The α with the smallest mean relative error increase on the query's other tasks."""
        others = query.others
        known, experts = _known(query)
        usable = np.flatnonzero(others.eligible[:, known].any(axis=1)).tolist()
        if not usable:
            raise InputError(f"{self.name}: needs the errors of the experts on other tasks")
        tasks = [others.tasks[t] for t in usable]
        errors, eligible = others.errors[usable][:, known], others.eligible[usable][:, known]
        floor = np.asarray(others.floor)[usable]
        parts = self.parts(tasks, experts)
        costs = []
        for alpha in ALPHAS:
            picks = nearest_eligible(combined(*parts, alpha), eligible)
            chosen = errors_of(errors, picks, eligible)
            costs.append(relative_increases(chosen, errors, eligible, floor).mean())
        return ALPHAS[int(np.argmin(costs))]

    def parts(self, targets: Sequence[Any], sources: Sequence[Any]) -> tuple[Array, ArrayLike]:
        """The distance as `first - alpha * second`, for `combined`.

        Args:
            targets: A embeddings.
            sources: B embeddings, all known.

        Returns:
            `[A, B]`, and what broadcasts to it: 0 for a distance without α.
        """
        options: dict[str, Any] = {"prior": self.prior, "layers": self.layers}
        targets, sources = in_form(targets, sources, self.trivial, self.scale)
        if self.kind == "asymmetric":
            return asymmetric_parts(targets, sources, **options)
        if isinstance(self.kind, str):
            return distance_matrix(targets, sources, self.kind, **options), 0.0
        if self.alpha is None:
            return self.kind(targets, sources), 0.0
        first = self.kind(targets, sources, alpha=0.0)
        return first, first - self.kind(targets, sources, alpha=1.0)


@dataclass(frozen=True)
class NearestDomain(Nearest):
    """The expert trained on the nearest images, whatever their labels: by domain embedding."""

    name: str = "domain"

    def select(self, query: Query) -> Ranking:
        """Ranking by distance of the domain embeddings.

        Raises:
            InputError: if the meta-task has no domain embeddings.
        """
        target, others = query.target_domain, query.others
        if target is None or others.task_domains is None or others.expert_domains is None:
            raise InputError("domain: the meta-task has no domain embeddings")
        others = replace(others, tasks=others.task_domains, experts=others.expert_domains)
        return super().select(replace(query, target=target, others=others))


@dataclass(frozen=True)
class NearestOrGeneric(Nearest):
    """The nearest expert if its distance is below a threshold τ, else the generic network.

    Against negative transfer (Wang et al. 2019), by learning to defer (Madras et al. 2018). The
    distance is symmetric by default, on one scale, [0, 1], for all experts; the second term of the
    asymmetric one differs by expert, whatever the task.

    Attributes:
        threshold: τ; `None`: learnt on the query's other tasks.

    Examples:
        >>> from t2v import Embedding
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


def combined(first: Array, second: ArrayLike, alpha: float | None) -> Array:
    """The distance `[A, B]` of `Nearest.parts` for one α; `None`: a distance without α."""
    return first if alpha is None else first - alpha * np.asarray(second)


def _known(query: Query) -> tuple[list[int], list[Any]]:
    """Positions and embeddings of the experts that are no black boxes."""
    known = [m for m, expert in enumerate(query.others.experts) if expert is not None]
    return known, [query.others.experts[m] for m in known]


class Outcome(NamedTuple):
    """What a strategy or baseline reaches on every task of a meta-task."""

    picks: Ranking | None
    """Positions of the picks, `[T]`, `GENERIC` for the generic network; `None` for a baseline."""
    errors: Array
    """Errors of the picks, or of the baseline, `[T]`."""
    seconds: float
    """Time to choose for the median task, s; without embedding."""


def ranked(score: ArrayLike, eligible: NDArray[np.bool_]) -> Ranking:
    """Positions of the eligible experts, smallest score first; equal scores keep their order."""
    order = np.argsort(np.asarray(score, dtype=np.float64), kind="stable")
    return order[eligible[order]]


def leave_one_out(strategy: Strategy | Baseline, meta: MetaTask, jobs: int = 1) -> Outcome:
    """Choose for every task of a meta-task, each time with the errors of the other tasks.

    Args:
        strategy: strategy or baseline.
        meta: tasks and experts.
        jobs: processes of `joblib.Parallel`, over tasks; -1: one per core.

    Raises:
        InputError: if a pick is not eligible, or the meta-task has no generic expert to pick.
    """
    if hasattr(strategy, "reached"):
        return Outcome(None, strategy.reached(meta), 0.0)
    queries = (meta.query(t) for t in range(len(meta.tasks)))
    chosen = Parallel(n_jobs=jobs)(delayed(_first)(strategy, query) for query in queries)
    picks = np.array([pick for pick, _ in chosen], dtype=np.intp)
    seconds = float(np.median([seconds for _, seconds in chosen]))
    generic = Generic().reached(meta) if np.any(picks == GENERIC) else None
    return Outcome(picks, errors_of(meta.errors, picks, meta.eligible, generic), seconds)


def _first(strategy: Strategy, query: Query) -> tuple[int, float]:
    started = time.perf_counter()
    return int(strategy.select(query)[0]), time.perf_counter() - started


def selection_table(
    meta: MetaTask, strategies: Sequence[Strategy | Baseline], *, jobs: int = 1, **options: Any
) -> list[dict[str, Any]]:
    """The paper's Table 2, one row per strategy, with intervals and tests.

    Args:
        meta: tasks and experts.
        strategies: strategies and baselines, one per row.
        jobs: processes, see `leave_one_out`.
        **options: `resamples` and `seed` of `bootstrap` and `paired_test`.

    Returns:
        Dictionaries: `strategy`; `error`, mean; `increase`, mean relative error increase over the
        best eligible expert, with `low`, `high`, and `median`; `worst_task`, the task with the
        largest increase, and `mean_without_worst`, the mean of the others (a mean of ratios can
        depend on one task); `optimal`, share of picks that no eligible expert beats, and `rank`,
        mean (1 + number of better ones), both NaN for baselines; `increase_of_all`, mean increase
        over the best of all, generic included; for each of generic, task-blind and, where it is a
        row, asymmetric `minus_*`, the mean difference of the increases (negative: better than
        these), with `_low`, `_high` and `_p` of the paired permutation test; `seconds` to choose.
    """
    outcomes = [leave_one_out(strategy, meta, jobs) for strategy in strategies]
    against = {"blind": leave_one_out(TaskBlind(), meta).errors}
    if meta.generic is not None:
        against["generic"] = Generic().reached(meta)
    names = [strategy.name for strategy in strategies]
    if "asymmetric" in names:
        against["asymmetric"] = outcomes[names.index("asymmetric")].errors

    def increases(errors: Array, generic: Array | None = None) -> Array:
        return relative_increases(errors, meta.errors, meta.eligible, meta.floor, generic)

    rows = []
    for strategy, outcome in zip(strategies, outcomes, strict=True):
        values = increases(outcome.errors)
        row = {"strategy": strategy.name, "error": float(outcome.errors.mean())}
        mean = bootstrap(values, **options)
        worst = int(np.argmax(values))
        others = np.delete(values, worst)
        row |= {
            "increase": mean.value,
            "low": mean.low,
            "high": mean.high,
            "median": float(np.median(values)),
            "worst_task": meta.task_name(worst),
            "mean_without_worst": float(others.mean()) if len(others) else np.nan,
            "optimal": np.nan,
            "rank": np.nan,
        }
        if outcome.picks is not None:
            ranks = rank_of_error(outcome.errors, meta.errors, meta.eligible)
            row |= {"optimal": float(np.mean(ranks == 1)), "rank": float(ranks.mean())}
        if meta.generic is not None:
            row["increase_of_all"] = float(increases(outcome.errors, meta.generic).mean())
        for name, errors in against.items():
            test = paired_test(values, increases(errors), **options)
            row |= {
                f"minus_{name}": test.difference.value,
                f"minus_{name}_low": test.difference.low,
                f"minus_{name}_high": test.difference.high,
                f"minus_{name}_p": test.permutation_p,
            }
        rows.append(row | {"seconds": outcome.seconds})
    return rows
