"""Which expert of a zoo suits a task, and how certain that is. Needs numpy only.

Experts are ranked by a strategy of `t2v.selection` that needs embeddings alone; by default the
asymmetric distance from their training tasks to the target (Sect. 3.1). Uncertainty is estimated by
half-sampling: the target is embedded again from random halves of its images, drawn without
replacement. Such halves vary about as much as independent samples of the full size (delete-d
jackknife with d = N/2; Efron & Tibshirani 1993, ch. 11), so the standard deviation over halves is
that of the distances, and of the margin of the nearest expert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from t2v.distances import distance_matrix
from t2v.errors import InputError
from t2v.meta_task import Array
from t2v.selection import Nearest, NearestDomain, combined, ranked

STRATEGIES: dict[str, Nearest] = {
    "symmetric": Nearest("symmetric"),
    "asymmetric": Nearest("asymmetric"),
    "domain": NearestDomain(),
}
"""Strategies that need no errors of the experts on other tasks, by name."""

MIN_TOP_SHARE = 0.9  # of the halves, for a decisive recommendation
MIN_MARGIN = 2.0  # standard deviations, for a decisive recommendation
TIE = 1e-9  # distances that differ by less are equal: they are sums in float64


@dataclass(frozen=True, eq=False)
class Recommendation:
    """The experts of a zoo in the order in which they suit a task.

    Attributes:
        task: name of the target task.
        strategy: the strategy that ranked the experts.
        experts: names of M experts, nearest first; all arrays below are in this order.
        distance: `[M]`, distance by which the experts are ranked; asymmetric ones may be negative.
        symmetric: `[M]`, symmetric distance of the training task and the target, in [0, 1].
        spread: `[M]`, standard deviation of `distance` over halves of the images; NaN without
            halves.
        top_share: `[M]`, share of the halves in which the expert is the nearest; NaN without
            halves.
        margin: distance of the second expert minus that of the first; NaN for one expert.
        margin_spread: standard deviation of the margin over halves; NaN without halves.
        within_task_distance: mean symmetric distance of two halves of the target; NaN without
            halves.
        median_zoo_distance: median symmetric distance between the experts' training tasks; NaN for
            one expert.
        halves: number of halves.
        threshold: symmetric distance of the nearest expert from which on the generic network is
            taken; `None`: unknown.
    """

    task: str
    strategy: Nearest
    experts: tuple[str, ...]
    distance: Array
    symmetric: Array
    spread: Array
    top_share: Array
    margin: float
    margin_spread: float
    within_task_distance: float
    median_zoo_distance: float
    halves: int
    threshold: float | None = None

    @property
    def use(self) -> str:
        """The first expert, or "generic" if no symmetric distance is below the threshold."""
        far = self.threshold is not None and self.symmetric.min() >= self.threshold
        return "generic" if far else self.experts[0]

    @property
    def nearest(self) -> str:
        """The expert with the smallest symmetric distance, whatever the strategy."""
        return self.experts[int(self.symmetric.argmin())]

    @property
    def decisive(self) -> bool:
        """Whether the first expert is nearest in 90% of the halves, by two standard deviations."""
        clear = self.margin > max(MIN_MARGIN * self.margin_spread, TIE)
        return bool(self.top_share[0] >= MIN_TOP_SHARE and clear)

    @property
    def contenders(self) -> tuple[str, ...]:
        """The first expert, each that is as near, and each that is nearest in some half."""
        tied = self.distance <= self.distance[0] + TIE
        return tuple(n for i, n in enumerate(self.experts) if tied[i] or self.top_share[i] > 0)

    def as_dict(self, top: int | None = None) -> dict[str, Any]:
        """Plain values for JSON (NaN as None), with the `top` nearest experts only."""
        columns = ("distance", "spread", "symmetric", "top_share")
        numbers = ("margin", "margin_spread", "within_task_distance", "median_zoo_distance")
        experts = [
            {"name": name} | {column: _plain(getattr(self, column)[i]) for column in columns}
            for i, name in enumerate(self.experts[:top])
        ]
        return {
            "task": self.task,
            "strategy": self.strategy.name,
            "experts": experts,
            **{name: _plain(getattr(self, name)) for name in numbers},
            "halves": self.halves,
            "decisive": self.decisive,
            "contenders": list(self.contenders),
            "use": self.use,
            "threshold": self.threshold,
        }


def recommend(
    target: Any,
    sources: Sequence[Any],
    halves: Sequence[tuple[Any, Any]] = (),
    *,
    strategy: Nearest = STRATEGIES["asymmetric"],
    threshold: float | None = None,
) -> Recommendation:
    """Rank experts for a task.

    Args:
        target: embedding of the task; for `NearestDomain` a domain embedding, as are those below.
        sources: M embeddings of the experts' training tasks, with the same probe.
        halves: pairs of embeddings, each pair from the two halves of the task's images; at least
            two pairs, or none (then the uncertainty is not estimated).
        strategy: a `Nearest` by the symmetric or the asymmetric distance or by a function, or a
            `NearestDomain`.
        threshold: that of the probe, see `t2v.pretrained.thresholds`; `None`: unknown.

    Raises:
        InputError: for another strategy, no sources, one pair of halves, or embeddings that cannot
            be compared.
    """
    if not sources:
        raise InputError("recommend: no expert to choose from")
    if len(halves) == 1:
        raise InputError("recommend: one pair of halves has no spread; give two or none")
    parts = [part for pair in halves for part in pair]
    symmetric, distance = _distances([target, *parts], sources, strategy)  # [1 + halves, M]
    count = len(sources)
    order = ranked(distance[0], np.ones(count, dtype=bool))
    distance, over_halves = distance[0, order], distance[1:, order]
    spread, top_share = np.full(count, np.nan), np.full(count, np.nan)
    margin = margin_spread = median_zoo_distance = within_task_distance = np.nan
    if parts:
        spread = over_halves.std(axis=0, ddof=1)
        first = over_halves <= over_halves.min(axis=1, keepdims=True) + TIE
        top_share = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)  # ties share the place
        within_task_distance = np.mean([distance_matrix([a], [b])[0, 0] for a, b in halves])
    if count > 1:
        margin = distance[1] - distance[0]
        median_zoo_distance = np.median(distance_matrix(sources)[np.triu_indices(count, 1)])
        if parts:
            margin_spread = (over_halves[:, 1] - over_halves[:, 0]).std(ddof=1)
    return Recommendation(
        task=target.name,
        strategy=strategy,
        experts=tuple(sources[i].name for i in order),
        distance=distance,
        symmetric=symmetric[0, order],
        spread=spread,
        top_share=top_share,
        margin=float(margin),
        margin_spread=float(margin_spread),
        within_task_distance=float(within_task_distance),
        median_zoo_distance=float(median_zoo_distance),
        halves=len(parts),
        threshold=threshold,
    )


def _distances(
    targets: Sequence[Any], sources: Sequence[Any], strategy: Nearest
) -> tuple[Array, Array]:
    """Symmetric distances `[A, B]`, and those of the strategy."""
    if not isinstance(strategy, Nearest) or strategy.alpha == "chosen":
        raise InputError(
            f"recommend: {strategy.name} needs the errors of the experts on other tasks; take one "
            f"of {', '.join(STRATEGIES)}"
        )
    if strategy.kind not in ("symmetric", "asymmetric") and not callable(strategy.kind):
        raise InputError(
            f"recommend: {strategy.name} has no symmetric distance to report; take one of "
            f"{', '.join(STRATEGIES)}"
        )
    symmetric, offset = strategy.parts(targets, sources)
    distance = combined(symmetric, offset, strategy.alpha)
    if callable(strategy.kind):
        symmetric = distance_matrix(targets, sources, prior=strategy.prior)
    return symmetric, distance


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
