"""An expert or the generic network: what an expert gains, and up to which distance.

To learn when to leave a case to another is learning to defer (Madras et al., 2018); an expert that
is worse than the generic network is negative transfer (Wang et al., 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from t2v.errors import InputError
from t2v.evaluation.intervals import LEVEL, RESAMPLES, Estimate, spearman_interval
from t2v.evaluation.regret import nearest_eligible, relative_increases

Array = NDArray[np.float64]


def best_threshold(distance: ArrayLike, expert: ArrayLike, generic: ArrayLike) -> float:
    """The τ of the rule "the expert if its distance is below τ, else the generic network".

    Args:
        distance: `[N]`, distance of the expert in N cases, finite.
        expert: `[N]`, cost of the expert, e.g. its relative error increase.
        generic: `[N]`, cost of the generic network.

    Returns:
        The τ with the smallest mean cost among the midpoints of the sorted distances, -inf (never
        the expert) and inf (always); of equally good ones, the smallest.

    Raises:
        InputError: for no case, unequal lengths or values that are not finite.

    Example:
        >>> from t2v.evaluation import best_threshold
        >>> best_threshold([0.1, 0.2, 0.4], expert=[0.0, 0.1, 0.9], generic=[0.5, 0.5, 0.5])
        0.30000000000000004
    """
    distance, expert, generic = (np.asarray(x, np.float64) for x in (distance, expert, generic))
    finite = all(np.all(np.isfinite(x)) for x in (distance, expert, generic))
    if distance.ndim != 1 or not finite or not 0 < len(distance) == len(expert) == len(generic):
        raise InputError(
            f"distance, expert, generic: expected finite numbers, one or more each; got shapes "
            f"{distance.shape}, {expert.shape}, {generic.shape}"
        )
    steps = np.unique(distance)
    candidates = np.concatenate([[-np.inf], (steps[:-1] + steps[1:]) / 2, [np.inf]])
    costs = np.where(distance < candidates[:, None], expert, generic).mean(axis=1)
    return float(candidates[np.argmin(costs)])


def nearest_costs(
    distance: ArrayLike,
    errors: ArrayLike,
    generic: ArrayLike,
    eligible: ArrayLike | None = None,
    floor: ArrayLike | None = None,
) -> tuple[Array, Array, Array]:
    """What the nearest expert and the generic network cost, as `best_threshold` takes it.

    Args:
        distance: `[T, M]`, distance of task t from expert m's training task; inf: unknown.
        errors: `[T, M]` in [0, 1].
        generic: `[T]`, error of the generic network.
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.
        floor: error floor, see `relative_increases`.

    Returns:
        Of the N tasks with an eligible expert at a finite distance: distance of the nearest `[N]`,
        and relative error increases of it and of the generic network over the best of all, the
        generic network included, both `[N]`.
    """
    picks = nearest_eligible(distance, eligible)
    rows = np.arange(len(picks))
    nearest = np.asarray(distance, np.float64)[rows, picks]
    chosen = (np.asarray(errors, np.float64)[rows, picks], np.asarray(generic, np.float64))
    use = np.isfinite(nearest)
    if eligible is not None:
        use &= np.asarray(eligible)[rows, picks]
    expert, of_generic = (
        relative_increases(np.where(use, e, chosen[1]), errors, eligible, floor, generic)
        for e in chosen
    )
    return nearest[use], expert[use], of_generic[use]


def gains(
    distance: ArrayLike,
    errors: ArrayLike,
    generic: ArrayLike,
    eligible: ArrayLike | None = None,
    floor: ArrayLike = 0.0,
) -> list[dict[str, Any]]:
    """The gain of every eligible expert over the generic network, beside its distance.

    Args:
        distance: `[T, M]`, distance of task t from expert m's training task; inf: unknown.
        errors: `[T, M]` in [0, 1].
        generic: `[T]`, error of the generic network.
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.
        floor: error floor, a number or `[T]`; smaller errors count as it.

    Returns:
        One row per task and eligible expert of finite distance: `task` and `expert`, positions;
        `distance`; `gain`, the share of the generic network's error that the expert saves, 1 -
        error / generic error (negative: it is worse); `nearest`, whether it is the task's nearest.

    Raises:
        InputError: if the generic network's error on a task is 0 and there is no floor.
    """
    distance, gain, use = _gains(distance, errors, generic, eligible, floor)
    nearest = nearest_eligible(distance, use)
    return [
        {
            "task": int(t),
            "expert": int(m),
            "distance": float(distance[t, m]),
            "gain": float(gain[t, m]),
            "nearest": bool(nearest[t] == m),
        }
        for t, m in np.argwhere(use)
    ]


def running_gain(
    distance: ArrayLike,
    gain: ArrayLike,
    tasks: Sequence[Any],
    *,
    share: float = 0.2,
    points: int = 25,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Mean gain of the experts around a distance, with a bootstrap interval over tasks.

    Whole tasks are drawn, with all their cells, because the cells of a task are not independent.

    Args:
        distance: `[N]`, distance of the expert in N cells.
        gain: `[N]`, gain over the generic network.
        tasks: N labels, the task of each cell.
        share: share of the cells that is in a window, in (0, 1].
        points: number of windows, which begin at evenly spaced ranks of the distance.
        level: confidence level in (0, 1).
        resamples: number of bootstrap samples.
        seed: seed of the resampling.

    Returns:
        One row per window, nearest first: `distance`, median; `gain`, mean, with `low` and `high`
        (percentiles); `cells`, their number.

    Raises:
        InputError: for fewer than two tasks, unequal lengths, or a share that is not in (0, 1].
    """
    distance, gain = np.asarray(distance, np.float64), np.asarray(gain, np.float64)
    names, of_task = np.unique(np.asarray(tasks), return_inverse=True)
    if not distance.shape == gain.shape == of_task.shape or len(names) < 2 or not 0 < share <= 1:
        raise InputError(
            f"distance, gain, tasks, share: expected arrays of one length with two tasks or more, "
            f"and a share in (0, 1]; got shapes {distance.shape}, {gain.shape}, {of_task.shape}, "
            f"{len(names)} tasks, share {share}"
        )
    order, width = np.argsort(distance, kind="stable"), max(1, round(share * len(distance)))
    starts = np.unique(np.linspace(0, len(order) - width, points).round().astype(int))
    windows = [order[start : start + width] for start in starts]
    total = np.array([np.bincount(of_task[w], gain[w], len(names)) for w in windows])
    count = np.array([np.bincount(of_task[w], minlength=len(names)) for w in windows])
    even = np.full(len(names), 1 / len(names))
    weights = np.random.default_rng(seed).multinomial(len(names), even, resamples)
    drawn = weights @ count.T  # 0 where no task with a cell in the window was drawn
    means = np.divide(weights @ total.T, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0)
    low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [
        {
            "distance": float(np.median(distance[w])),
            "gain": float(gain[w].mean()),
            "low": float(low[i]),
            "high": float(high[i]),
            "cells": len(w),
        }
        for i, w in enumerate(windows)
    ]


def calibration(
    distance: ArrayLike, gain: ArrayLike, bins: int = 8, level: float = LEVEL
) -> list[dict[str, float]]:
    """How often an expert at some distance is better than the generic network.

    Intervals take the cases as independent. That is about right for one expert per task; for many
    experts of the same tasks the intervals are too narrow.

    Args:
        distance: `[N]`, distance of the expert in N cases.
        gain: `[N]`, gain over the generic network, positive if the expert is better.
        bins: number of bins, of about equally many cases; fewer if many distances are equal.
        level: confidence level in (0, 1).

    Returns:
        One row per bin, nearest first: `from` and `to`, its smallest and largest distance;
        `distance`, median; `cases`; `better`, share with a positive gain, and `low` and `high` of
        its Wilson interval; `gain`, mean.

    Raises:
        InputError: for no case, unequal lengths, or no bin.
    """
    distance, gain = np.asarray(distance, np.float64), np.asarray(gain, np.float64)
    if distance.ndim != 1 or distance.shape != gain.shape or not len(distance) or bins < 1:
        raise InputError(
            f"distance, gain, bins: expected two arrays of one length and a bin; got shapes "
            f"{distance.shape}, {gain.shape}, {bins} bins"
        )
    inner = np.quantile(distance, np.linspace(0, 1, bins + 1)[1:-1])
    of_bin = np.searchsorted(np.unique(inner), distance, side="left")  # equal ones in one bin
    rows = []
    for number in np.unique(of_bin):
        inside = of_bin == number
        better, cases = int((gain[inside] > 0).sum()), int(inside.sum())
        interval = stats.binomtest(better, cases).proportion_ci(level, method="wilson")
        rows.append(
            {
                "from": float(distance[inside].min()),
                "to": float(distance[inside].max()),
                "distance": float(np.median(distance[inside])),
                "cases": cases,
                "better": better / cases,
                "low": float(interval.low),
                "high": float(interval.high),
                "gain": float(gain[inside].mean()),
            }
        )
    return rows


def thresholds_by_task(
    distance: ArrayLike,
    errors: ArrayLike,
    generic: ArrayLike,
    eligible: ArrayLike | None = None,
    floor: ArrayLike = 0.0,
) -> Array:
    """The best threshold of each task `[T]`, from all its eligible experts; arguments as `gains`.

    -inf: no expert is worth taking; inf: every expert is; NaN: no distance is known.
    """
    distance, gain, use = _gains(distance, errors, generic, eligible, floor)
    return np.array(
        [
            best_threshold(d[u], -g[u], np.zeros(u.sum())) if u.any() else np.nan
            for d, g, u in zip(distance, gain, use, strict=True)
        ]
    )


def spread_inside_groups(distance: ArrayLike, groups: Sequence[Any]) -> Array:
    """Mean distance of each task from the others of its group `[T]`; NaN for one that is alone.

    Args:
        distance: `[T, T]`, between tasks.
        groups: T group labels.
    """
    distance = np.asarray(distance, np.float64)
    same = np.array([[g == h for h in groups] for g in groups]) & ~np.eye(len(groups), dtype=bool)
    count = same.sum(axis=1)
    total = np.where(same, distance, 0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def threshold_correlations(
    thresholds: ArrayLike, explanations: Mapping[str, ArrayLike], **options: Any
) -> list[dict[str, Any]]:
    """What goes with the threshold: rank correlations over tasks, or over meta-tasks.

    Args:
        thresholds: `[N]`, thresholds learnt; ±inf count as the largest and the smallest.
        explanations: name of a quantity to its N values, e.g. the mean distance of two halves of a
            task, its number of images, or `spread_inside_groups`. NaN is left out.
        **options: keyword arguments of `bootstrap`.

    Returns:
        One row per quantity: `quantity`, `cases`, `correlation` (Spearman), `low` and `high`; the
        last three NaN for fewer than three cases.
    """
    thresholds = np.asarray(thresholds, np.float64)
    rows = []
    for name, values in explanations.items():
        values = np.asarray(values, np.float64)
        use = ~np.isnan(thresholds) & np.isfinite(values)
        estimate = Estimate(np.nan, np.nan, np.nan)
        if use.sum() > 2:
            ranks = stats.rankdata(thresholds[use])  # infinite ones have a rank
            estimate = spearman_interval(values[use], ranks, **options)
        named = dict(zip(("correlation", "low", "high"), estimate, strict=True))
        rows.append({"quantity": name, "cases": int(use.sum())} | named)
    return rows


def _gains(
    distance: ArrayLike,
    errors: ArrayLike,
    generic: ArrayLike,
    eligible: ArrayLike | None,
    floor: ArrayLike,
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Distances, gains and usable cells, all `[T, M]`."""
    distance, errors = np.asarray(distance, np.float64), np.asarray(errors, np.float64)
    generic = np.maximum(np.asarray(generic, np.float64), floor)[:, None]
    if distance.shape != errors.shape or len(generic) != len(errors):
        raise InputError(
            f"distance, errors, generic: expected [T, M], [T, M] and [T]; got {distance.shape}, "
            f"{errors.shape}, {generic.shape[:1]}"
        )
    if not np.all(generic > 0):
        raise InputError("generic: an error is 0, so a gain is undefined; give floor=")
    least = np.broadcast_to(np.asarray(floor, np.float64), len(errors))[:, None]
    use = np.isfinite(distance)
    if eligible is not None:
        use &= np.asarray(eligible, dtype=bool)
    return distance, 1 - np.maximum(errors, least) / generic, use
