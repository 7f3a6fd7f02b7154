"""The static list: one order of experts for all tasks, from their accuracies on other tasks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from t2v.errors import InputError
from t2v.evaluation import weighted_tau
from t2v.transferability.registry import SCORES, Array, Score


class OrderAgreement(NamedTuple):
    """How a score orders the experts of each task, beside their accuracies."""

    weighted_tau: Array
    """`[T]`, weighted Kendall's τ."""
    shortfall: Array
    """`[T]`, best accuracy less that of the expert with the highest score."""


def static_list(accuracies: ArrayLike) -> Array:
    """Score of each expert for each task: its mean rank by accuracy on the other tasks.

    Ranks are shares of the experts measured on a task, in (0, 1]; the best has 1.

    Args:
        accuracies: `[T, M]`, accuracy of M experts on T tasks; NaN where not measured.

    Returns:
        `[T, M]`; NaN for an expert that was measured on no other task.

    Raises:
        InputError: fewer than two tasks or two experts.
    """
    values = _checked(accuracies)
    known = np.isfinite(values)
    ranks = rankdata(values, axis=1, nan_policy="omit") / np.maximum(known.sum(1), 1)[:, None]
    ranks = np.where(known, ranks, 0)
    others = ranks.sum(0) - ranks
    count = known.sum(0) - known
    mean = np.divide(others, count, out=np.full(others.shape, np.nan), where=count > 0)
    return mean.round(12)  # equal means differ by rounding, which would order them


def order_agreement(scores: ArrayLike, accuracies: ArrayLike) -> OrderAgreement:
    """Weighted Kendall's τ and the accuracy lost by the pick, for each task.

    Args:
        scores: `[T, M]`, higher is better; experts with NaN are left out.
        accuracies: `[T, M]`, accuracy; experts with NaN are left out.

    Raises:
        InputError: shapes that differ, or a task with fewer than two experts.
    """
    values, given = _checked(accuracies), np.asarray(scores, dtype=np.float64)
    if given.shape != values.shape:
        raise InputError(f"scores: {given.shape}, accuracies: {values.shape}; expected one shape")
    tau, shortfall = np.empty(len(values)), np.empty(len(values))
    for task, (score, accuracy) in enumerate(zip(given, values, strict=True)):
        use: NDArray[np.bool_] = np.isfinite(score) & np.isfinite(accuracy)
        tau[task] = weighted_tau(score[use], accuracy[use])
        shortfall[task] = accuracy[use].max() - accuracy[use][score[use].argmax()]
    return OrderAgreement(tau, shortfall)


def _checked(accuracies: ArrayLike) -> Array:
    values = np.asarray(accuracies, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise InputError(
            f"accuracies: expected [tasks, experts], two or more each; got {values.shape}"
        )
    return values


SCORES["static_list"] = Score(
    name="static list",
    function=static_list,
    needs="accuracies",
    min_n=lambda dimensions, classes: 0,
    min_per_class=0,
    scale_invariant=None,
    set_dependent=True,
    cross_fitted=True,
    random=False,
    citation="Singh, Hess and Vanschoren, ICLR 2026, arXiv 2510.06448",
)
