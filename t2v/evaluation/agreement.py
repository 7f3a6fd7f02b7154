"""Rank agreement: of two distances from source to target tasks, and of two orders of experts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata, weightedtau

from t2v.errors import InputError

Array = NDArray[np.float64]


class Agreement(NamedTuple):
    """Rank agreement of two distances, with a 95% interval and a two-sided p-value."""

    value: float
    """Mean over target tasks of Spearman's correlation over source tasks."""
    low: float
    high: float
    p: float
    by_target: Array
    """Correlation of each target task `[T]`; NaN if it is not defined."""


def rank_agreement(
    distance: ArrayLike,
    transfer: ArrayLike,
    use: ArrayLike | None = None,
    *,
    resamples: int = 1999,
    seed: int = 0,
) -> Agreement:
    """Mean rank correlation of a distance with the transfer distance, within target tasks.

    Cells share target and source tasks, so they are not independent. For the 95% interval both are
    resampled with replacement (pigeonhole bootstrap, Owen 2007); for the two-sided test the source
    tasks are permuted, in the same way for all target tasks.

    Args:
        distance: `[T, M]`, distance from M source tasks to T target tasks.
        transfer: `[T, M]`, transfer distance.
        use: bool `[T, M]`, cells that count; `None`: all. Target tasks with fewer than three such
            cells are left out.
        resamples: number of resamples for the interval, and of permutations for the test.
        seed: seed of resamples and permutations.

    Raises:
        InputError: if shapes differ, or no target task has three source tasks.
    """
    x, y = (np.asarray(v, dtype=np.float64) for v in (distance, transfer))
    cells = np.ones(x.shape, dtype=bool) if use is None else np.asarray(use)
    if not x.shape == y.shape == cells.shape or cells.sum(1).max() < 3:
        raise InputError(
            f"distance, transfer, use: expected one shape [targets, 3 or more sources]; got "
            f"{x.shape}, {y.shape}, {cells.shape}"
        )
    rng = np.random.default_rng(seed)
    cells = cells & (cells.sum(1) >= 3)[:, None]
    targets, sources = x.shape
    by_target = _correlations(x, y, cells)
    row = rng.integers(targets, size=(resamples, targets, 1))
    column = rng.integers(sources, size=(resamples, 1, sources))
    drawn = _mean(_correlations(x[row, column], y[row, column], cells[row, column]))
    order = rng.permuted(np.tile(np.arange(sources), (resamples, 1)), axis=1)
    permuted = x[:, order].swapaxes(0, 1)  # [resamples, T, M]
    usable = cells & cells[:, order].swapaxes(0, 1)
    shuffled = _mean(_correlations(permuted, y, usable))
    value = float(np.nanmean(by_target))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    p = (1 + np.sum(np.abs(shuffled) >= abs(value) - 1e-12)) / (resamples + 1)
    return Agreement(value, float(low), float(high), float(p), by_target)


def weighted_tau(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Kendall's τ with more weight on experts at the top (Vigna 2015), in [-1, 1].

    As in the literature on transferability scores: pairs weigh 1/(r + 1) + 1/(s + 1) for ranks r, s
    from 0, and the mean is taken of the ranks by either argument (the defaults of scipy).

    Args:
        scores: score of each expert, `[M]`, higher is better.
        accuracies: accuracy of each expert, `[M]`.

    Raises:
        InputError: shapes that differ, fewer than two experts, values that are not finite, or one
            value for all experts.
    """
    x, y = (np.asarray(v, dtype=np.float64) for v in (scores, accuracies))
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise InputError(
            f"scores, accuracies: expected one shape [2 or more experts]; got {x.shape}, {y.shape}"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("scores, accuracies: not finite; leave out experts without a value")
    if min(np.ptp(x), np.ptp(y)) == 0:
        raise InputError("scores, accuracies: the same for all experts, so they have no order")
    return float(weightedtau(x, y).statistic)


def _mean(correlations: Array) -> Array:
    """Mean of the finite correlations along the last axis; 0 if there are none."""
    finite = np.isfinite(correlations)
    return np.where(finite, correlations, 0).sum(-1) / np.maximum(finite.sum(-1), 1)


def _correlations(x: Array, y: Array, use: NDArray[np.bool_]) -> Array:
    """Spearman's correlations of the used cells along the last axis; NaN if one is constant."""
    count = np.maximum(use.sum(-1, keepdims=True), 1)

    def ranks(values: Array) -> Array:
        ranked = rankdata(np.where(use, values, np.inf), axis=-1)  # unused cells are last
        return np.where(use, ranked - np.where(use, ranked, 0).sum(-1, keepdims=True) / count, 0)

    a, b = ranks(x), ranks(y)
    norms = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.divide((a * b).sum(-1), norms, out=np.full(norms.shape, np.nan), where=norms > 1e-9)
