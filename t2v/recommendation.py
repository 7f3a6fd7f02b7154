"""Which expert of a zoo suits a task, and how sure that is. Needs numpy only.

Experts are ranked by the asymmetric distance from their tasks to the new one (Sect. 3.1). How sure
the ranking is, half of the pictures tells: the task is embedded again from random halves of its
images, each with a head of its own. What changes from one half to another, drawn without
replacement, varies about as much as what would change from all of these pictures to as many others
(Efron & Tibshirani 1993, ch. 11, delete-d jackknife with d = N/2), so its standard deviation is the
yardstick for the lead of the nearest expert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2v.distances import ALPHA, distance_matrix
from t2v.errors import InputError

Array = NDArray[np.float64]

SURE = 0.9  # share of the halves in which the nearest expert must stay so
CLEAR = 2.0  # standard deviations that it must lead by


@dataclass(frozen=True, eq=False)
class Recommendation:
    """The experts of a zoo in the order in which they suit a task.

    Attributes:
        task: its name.
        experts: M names, nearest first; all arrays below are in this order.
        distance: `[M]`, asymmetric distance from the expert's task to this one; may be negative.
        symmetric: `[M]`, symmetric distance of the two tasks, in [0, 1].
        spread: `[M]`, standard deviation of `distance` over halves of the images; NaN without.
        on_top: `[M]`, share of the halves in which the expert is the nearest; NaN without.
        lead: distance of the second minus that of the first; NaN where there is one expert.
        lead_spread: standard deviation of the lead over halves; NaN without.
        self_distance: symmetric distance of two halves of the task, mean; NaN without.
        zoo_distance: median symmetric distance between the zoo's own tasks; NaN for one expert.
        halves: number of halves that were embedded.
    """

    task: str
    experts: tuple[str, ...]
    distance: Array
    symmetric: Array
    spread: Array
    on_top: Array
    lead: float
    lead_spread: float
    self_distance: float
    zoo_distance: float
    halves: int

    @property
    def sure(self) -> bool:
        """The first stays first in `SURE` of the halves, and leads by `CLEAR` spreads."""
        return bool(self.on_top[0] >= SURE and self.lead > CLEAR * self.lead_spread)

    @property
    def contenders(self) -> tuple[str, ...]:
        """The first, and whoever came out nearest in some half."""
        return tuple(name for i, name in enumerate(self.experts) if i == 0 or self.on_top[i] > 0)

    @property
    def foreign(self) -> bool:
        """The task is farther from every expert's task than those usually are from each other."""
        return bool(self.symmetric.min() > self.zoo_distance)

    def as_dict(self, top: int | None = None) -> dict[str, Any]:
        """Plain values for JSON (NaN as None), the `top` nearest experts only."""
        columns = ("distance", "spread", "symmetric", "on_top")
        rows = zip(self.experts, *(getattr(self, name) for name in columns), strict=True)
        numbers = ("lead", "lead_spread", "self_distance", "zoo_distance")
        return {
            "task": self.task,
            "experts": [
                {"name": name} | {c: _plain(v) for c, v in zip(columns, values, strict=True)}
                for name, *values in rows
            ][:top],
            **{name: _plain(getattr(self, name)) for name in numbers},
            "halves": self.halves,
            "sure": self.sure,
            "contenders": list(self.contenders),
            "foreign": self.foreign,
        }


def recommend(
    target: Any,
    sources: Sequence[Any],
    halves: Sequence[tuple[Any, Any]] = (),
    *,
    alpha: float = ALPHA,
) -> Recommendation:
    """Rank experts for a task.

    Args:
        target: the task's embedding.
        sources: M embeddings of the experts' tasks, with the same probe.
        halves: pairs of embeddings, each pair from the two halves of the task's images; at least
            two pairs, or none (then how sure it is stays open).
        alpha: of the asymmetric distance.

    Raises:
        InputError: if there are no sources, one pair of halves, or embeddings that cannot be
            compared.
    """
    if not sources:
        raise InputError("recommend: no expert to choose from")
    if len(halves) == 1:
        raise InputError("recommend: one pair of halves has no spread; give two or none")
    parts = [part for pair in halves for part in pair]
    every = distance_matrix([target, *parts], sources, "asymmetric", alpha=alpha)
    order = np.argsort(every[0], kind="stable")
    every = every[:, order]  # [1 + halves, M]
    of_halves = every[1:]
    count = len(sources)
    spread, on_top = np.full(count, np.nan), np.full(count, np.nan)
    lead = lead_spread = zoo_distance = self_distance = np.nan
    if parts:
        spread = of_halves.std(axis=0, ddof=1)
        on_top = np.bincount(of_halves.argmin(axis=1), minlength=count) / len(parts)
        self_distance = np.mean([distance_matrix([a], [b])[0, 0] for a, b in halves])
    if count > 1:
        lead = every[0, 1] - every[0, 0]
        between = distance_matrix(sources)
        zoo_distance = np.median(between[np.triu_indices(count, 1)])
        if parts:
            lead_spread = (of_halves[:, 1] - of_halves[:, 0]).std(ddof=1)
    return Recommendation(
        task=target.name,
        experts=tuple(sources[i].name for i in order),
        distance=every[0],
        symmetric=distance_matrix([target], sources)[0, order],
        spread=spread,
        on_top=on_top,
        lead=float(lead),
        lead_spread=float(lead_spread),
        self_distance=float(self_distance),
        zoo_distance=float(zoo_distance),
        halves=len(parts),
    )


def verdict(found: Recommendation) -> str:
    """How sure the choice is, in plain words."""
    first, number = found.experts[0], len(found.experts)
    if number == 1:
        return f"{first} is the only expert of this zoo, so there is nothing to choose."
    if not found.halves:
        return f"{first} is nearest. How sure that is was not looked into."
    stays = f"in {found.on_top[0] * found.halves:.0f} of {found.halves} halves of the pictures"
    lead = f"it leads by {found.lead:.3f} ± {found.lead_spread:.3f}"
    if found.sure:
        words = f"{first}, and that is clear: it is nearest {stays}, and {lead}."
    elif len(found.contenders) > 1:
        others = ", ".join(found.contenders[1:])
        words = f"{first} or {others}: too near each other to tell ({first} {stays}; {lead})."
    else:
        words = f"{first}, by a small margin: it is nearest {stays}, but {lead}."
    if found.foreign:
        words += (
            " But none is near: your task is farther from all of them than they usually are from "
            "each other, so a generic network may do as well."
        )
    return words


def next_steps(found: Recommendation) -> list[str]:
    """What to do now, in plain words."""
    first = found.contenders if found.halves else found.experts[:1]
    names = " and ".join(first) if len(first) < 3 else f"{', '.join(first[:-1])} and {first[-1]}"
    steps = [
        f"Fit a linear classifier on the features of {names}, and one on those of the generic "
        "network, and compare them on pictures held out from both. The distance says where to "
        "look first; the error decides.",
        "If you have some thousand pictures, fine-tune the better one on them: it has less to "
        "learn than the generic network.",
    ]
    if found.foreign:
        steps.append(
            "Add experts whose tasks are like yours (t2v zoo add), if there are any: this zoo "
            "knows other things."
        )
    elif found.halves and not found.sure:
        steps.append(
            "More pictures of each class would sharpen the answer: its uncertainty falls with "
            "the square root of their number."
        )
    return steps


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
