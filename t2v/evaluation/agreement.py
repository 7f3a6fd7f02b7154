"""Agreement of two orders of sources within targets, with its uncertainty over both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from t2v.errors import InputError

Array = NDArray[np.float64]


class Agreement(NamedTuple):
    """How well one order of sources agrees with another, within targets."""

    value: float
    """Mean over targets of Spearman's correlation over sources."""
    low: float
    high: float
    p: float
    by_target: Array
    """`[T]`."""


def rank_agreement(
    distance: ArrayLike,
    transfer: ArrayLike,
    use: ArrayLike | None = None,
    *,
    resamples: int = 1999,
    seed: int = 0,
) -> Agreement:
    """Rank correlation of a distance with the transfer distance, within each target.

    Cells share targets and sources, so they are not independent: for the interval (95%) both are
    drawn anew with replacement (the pigeonhole bootstrap of Owen 2007), and for the two-sided test
    the sources change places, the same way for all targets.

    Args:
        distance: `[T, M]`.
        transfer: `[T, M]`.
        use: bool `[T, M]`, cells that count; `None`: all. Targets with fewer than three are left
            out.
        resamples: of each.
        seed: of both.

    Raises:
        InputError: if shapes differ, or no target has three sources.
    """
    distance, transfer = (np.asarray(v, dtype=np.float64) for v in (distance, transfer))
    use = np.ones(distance.shape, dtype=bool) if use is None else np.asarray(use)
    if not distance.shape == transfer.shape == use.shape or use.sum(1).max() < 3:
        raise InputError(
            f"distance, transfer, use: expected one shape [targets, 3 or more sources]; got "
            f"{distance.shape}, {transfer.shape}, {use.shape}"
        )
    rng = np.random.default_rng(seed)
    use = use & (use.sum(1) >= 3)[:, None]
    targets, sources = distance.shape
    by_target = _correlations(distance, transfer, use)
    row = rng.integers(targets, size=(resamples, targets, 1))
    column = rng.integers(sources, size=(resamples, 1, sources))
    drawn = _mean(_correlations(distance[row, column], transfer[row, column], use[row, column]))
    order = rng.permuted(np.tile(np.arange(sources), (resamples, 1)), axis=1)
    moved = distance[:, order].swapaxes(0, 1), use[:, order].swapaxes(0, 1)  # [resamples, T, M]
    shuffled = _mean(_correlations(moved[0], transfer, use & moved[1]))
    value = float(np.nanmean(by_target))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    p = (1 + np.sum(np.abs(shuffled) >= abs(value) - 1e-12)) / (resamples + 1)
    return Agreement(value, float(low), float(high), float(p), by_target)


def _mean(correlations: Array) -> Array:
    """Over targets, where there is a correlation; 0 where there is none."""
    there = np.isfinite(correlations)
    return np.where(there, correlations, 0).sum(-1) / np.maximum(there.sum(-1), 1)


def _correlations(x: Array, y: Array, use: NDArray[np.bool_]) -> Array:
    """Spearman's, along the last axis; NaN where one side is constant, or nothing is there."""
    count = np.maximum(use.sum(-1, keepdims=True), 1)

    def ranks(values: Array) -> Array:
        ranked = rankdata(np.where(use, values, np.inf), axis=-1)  # what does not count is last
        return np.where(use, ranked - np.where(use, ranked, 0).sum(-1, keepdims=True) / count, 0)

    a, b = ranks(x), ranks(y)
    below = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.divide((a * b).sum(-1), below, out=np.full(below.shape, np.nan), where=below > 1e-9)
