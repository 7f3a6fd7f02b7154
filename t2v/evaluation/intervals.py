"""Confidence intervals and tests over tasks: bootstrap, rank correlation, paired comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from t2v.errors import InputError

Array = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 9999


class Estimate(NamedTuple):
    """A value and the ends of its confidence interval."""

    value: float
    low: float
    high: float


class Paired(NamedTuple):
    """Comparison of two strategies on the same tasks; differences are first minus second."""

    difference: Estimate
    permutation_p: float
    """Two-sided sign-flip permutation test of the mean difference; exact up to about 13 tasks."""
    wilcoxon_p: float
    first_better: int
    equal: int
    second_better: int


def bootstrap(
    samples: ArrayLike | Sequence[ArrayLike],
    statistic: Callable[..., Any] = np.mean,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    method: str = "BCa",
    seed: int = 0,
) -> Estimate:
    """Bootstrap confidence interval of a statistic over tasks.

    Args:
        samples: `[T]`, one number per task; or a tuple of such arrays, resampled together.
        statistic: function from the array (or arrays) to a number. If it has an argument `axis`, it
            is called once for all resamples, which is faster.
        level: confidence level in (0, 1).
        resamples: number of bootstrap samples.
        method: "BCa" (Efron 1987, corrects bias and skewness) or "percentile".
        seed: seed of the resampling.

    Returns:
        The statistic of the samples and its interval. If all resamples give the same value, the
        interval has zero width.

    Raises:
        InputError: for fewer than two tasks, unequal lengths or non-finite values.

    Example:
        >>> from t2v.evaluation import bootstrap
        >>> value, low, high = bootstrap([0.0, 0.1, 0.1, 0.3, 0.2, 0.0, 0.4, 0.1])
        >>> print(f"{value:.2f} [{low:.2f}, {high:.2f}]")
        0.15 [0.06, 0.25]
    """
    arrays = tuple(np.asarray(s) for s in (samples if isinstance(samples, tuple) else (samples,)))
    if len({a.shape for a in arrays}) != 1 or arrays[0].ndim != 1 or len(arrays[0]) < 2:
        raise InputError(
            "samples: expected arrays of one length, at least two tasks; got shapes "
            f"{[a.shape for a in arrays]}"
        )
    if not all(np.all(np.isfinite(a)) for a in arrays):
        raise InputError("samples: not all are finite numbers")
    value = float(statistic(*arrays))
    if all(np.all(a == a[0]) for a in arrays):
        return Estimate(value, value, value)
    options = {"paired": True, "confidence_level": level}
    result = stats.bootstrap(
        arrays,
        statistic,
        n_resamples=resamples,
        method="percentile",
        rng=np.random.default_rng(seed),
        **options,
    )
    if np.ptp(result.bootstrap_distribution) == 0:
        return Estimate(value, value, value)
    if method != "percentile":
        result = stats.bootstrap(
            arrays, statistic, n_resamples=0, bootstrap_result=result, method=method, **options
        )
    low, high = result.confidence_interval
    return Estimate(value, float(low), float(high))


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Estimate:
    """Mean with Student's confidence interval, for few numbers such as one result per seed.

    Args:
        values: `[N]`, two or more numbers.
        level: confidence level in (0, 1).

    Raises:
        InputError: for fewer than two numbers.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise InputError(f"values: expected at least two numbers; got shape {values.shape}")
    half = stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1)
    return Estimate(float(values.mean()), float(values.mean() - half), float(values.mean() + half))


def spearman_interval(x: ArrayLike, y: ArrayLike, **options: Any) -> Estimate:
    """Spearman's rank correlation with a bootstrap interval over tasks.

    Args:
        x: `[T]`, first value of each task.
        y: `[T]`, second value of each task.
        **options: keyword arguments of `bootstrap`.

    Returns:
        The correlation and its interval; resamples with constant `x` or `y` count as 0.

    Raises:
        InputError: for fewer than two tasks, unequal lengths or non-finite values.
    """

    def correlation(a: Array, b: Array, axis: int = -1) -> Array:
        a, b = (stats.rankdata(v, axis=axis) for v in (a, b))
        a, b = (v - v.mean(axis=axis, keepdims=True) for v in (a, b))
        norms = np.sqrt(np.sum(a * a, axis=axis) * np.sum(b * b, axis=axis))
        product = np.sum(a * b, axis=axis)
        return np.divide(product, norms, out=np.zeros_like(product), where=norms > 0)

    return bootstrap((np.asarray(x), np.asarray(y)), correlation, **options)


def paired_test(
    first: ArrayLike,
    second: ArrayLike,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Paired:
    """Paired comparison of two strategies on the same tasks.

    Args:
        first: `[T]`, one number per task of the first strategy, e.g. relative error increases.
        second: `[T]`, numbers of the second strategy; smaller is better.
        level: confidence level of the interval of the mean difference, in (0, 1).
        resamples: number of resamples for the interval, and of permutations for the test.
        seed: seed of resamples and permutations.

    Returns:
        Mean difference with interval, two p-values, and the number of tasks on which each strategy
        is better.

    Raises:
        InputError: for fewer than two tasks, unequal lengths or non-finite values.
    """
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    difference = first - second
    interval = bootstrap(difference, level=level, resamples=resamples, seed=seed)
    if not difference.any():
        return Paired(interval, 1.0, 1.0, 0, len(difference), 0)
    permuted = stats.permutation_test(
        (difference,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    )
    return Paired(
        interval,
        float(permuted.pvalue),
        float(stats.wilcoxon(difference).pvalue),
        int(np.sum(difference < 0)),
        int(np.sum(difference == 0)),
        int(np.sum(difference > 0)),
    )
