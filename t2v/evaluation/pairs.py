"""Rank agreement of two measures of pairs, where every pair is of two of the same items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from t2v.errors import InputError
from t2v.evaluation.agreement import Array, _correlations
from t2v.evaluation.intervals import Estimate


class PairAgreement(NamedTuple):
    """Rank agreement over pairs, with a 95% interval and a two-sided p-value."""

    value: float
    """Spearman's correlation over the pairs."""
    low: float
    high: float
    p: float
    drawn: Array
    """Correlation in each resample of the items; NaN if it is not defined."""


def pair_agreement(
    first: ArrayLike,
    second: ArrayLike,
    use: ArrayLike | None = None,
    *,
    resamples: int = 1999,
    seed: int = 0,
) -> PairAgreement:
    """Rank correlation of two symmetric matrices over their pairs of different items.

    Pairs share items, so they are not independent. For the 95% interval the items are resampled
    with replacement, and pairs of an item with itself left out; for the two-sided test the items
    of one matrix are permuted (Mantel 1967).

    Args:
        first: symmetric `[M, M]`.
        second: symmetric `[M, M]`.
        use: symmetric bool `[M, M]`, pairs that count; `None`: all.
        resamples: number of resamples for the interval, and of permutations for the test.
        seed: seed of resamples and permutations; two agreements with the same seed, number of items
            and of resamples are of the same resamples.

    Raises:
        InputError: for matrices that are not symmetric or finite, of different shapes, or with
            fewer than three pairs that count.
    """
    x, y = (np.asarray(v, dtype=np.float64) for v in (first, second))
    cells = np.ones(x.shape, dtype=bool) if use is None else np.asarray(use, dtype=bool)
    if x.ndim != 2 or not x.shape == y.shape == cells.shape == x.T.shape:
        raise InputError(
            f"first, second, use: expected one shape [items, items]; got {x.shape}, {y.shape}, "
            f"{cells.shape}"
        )
    if not all(np.allclose(v, v.T, rtol=1e-9, atol=1e-12) for v in (x, y, cells)):
        raise InputError("first, second, use: not finite, or not symmetric, so no measure of pairs")
    count = len(x)
    i, j = np.triu_indices(count, 1)
    if cells[i, j].sum() < 3:
        raise InputError(f"use: {cells[i, j].sum()} pairs; at least three are needed")

    def over(one: NDArray[np.intp], other: NDArray[np.intp]) -> Array:
        """Correlations of items `[R, M]` of either matrix."""
        a, b, c, d = one[:, i], one[:, j], other[:, i], other[:, j]
        counted = cells[a, b] & cells[c, d] & (a != b)
        return _correlations(x[a, b], y[c, d], counted)

    rng = np.random.default_rng(seed)
    same = np.arange(count)[None]
    value = float(over(same, same)[0])
    items = rng.integers(count, size=(resamples, count))
    drawn = over(items, items)
    shuffled = over(rng.permuted(np.repeat(same, resamples, 0), axis=1), same)
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    p = (1 + np.sum(np.abs(shuffled) >= abs(value) - 1e-12)) / (resamples + 1)
    return PairAgreement(value, float(low), float(high), float(p), drawn)


def agreement_difference(one: PairAgreement, other: PairAgreement) -> Estimate:
    """Difference of two agreements from the same resamples, with a 95% interval over items.

    Args:
        one: agreement from which the other is subtracted.
        other: agreement with the same seed, items and number of resamples.

    Raises:
        InputError: if the numbers of resamples differ.
    """
    if one.drawn.shape != other.drawn.shape:
        raise InputError("agreements: of different numbers of resamples")
    low, high = np.nanquantile(one.drawn - other.drawn, [0.025, 0.975])
    return Estimate(one.value - other.value, float(low), float(high))
