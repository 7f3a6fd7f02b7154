"""Which networks cannot be told from the best, from the images that each mistakes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from t2v.errors import InputError
from t2v.evaluation import Estimate

Array = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000


class BestSet(NamedTuple):
    """How M networks compare on the same N images; errors are class-balanced."""

    errors: Array
    """`[M]`, mean over classes of the share of images mistaken."""
    intervals: list[Estimate]
    """M errors with their intervals over images."""
    p_best: Array
    """`[M]`, share of the bootstrap samples in which the network errs least; ties are shared."""
    inside: NDArray[np.bool_]
    """`[M]`, whether the network may be the best one: the set has it with 95% confidence."""


def best_set(
    mistakes: ArrayLike,
    labels: ArrayLike,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> BestSet:
    """Compare networks image by image, by a bootstrap over images within each class.

    A network is outside of the set if some other network errs less by more than luck explains: the
    largest difference to another one, in units of its standard error, is compared with its
    distribution where all networks are equally good. That holds for each network alone, so the best
    one is in the set with probability `level`, whatever their number (a confidence set for the
    best, Hsu 1984; the bootstrap of the maximum is that of Romano and Wolf 2005).

    Args:
        mistakes: bool `[M, N]`, images that each of M networks mistakes.
        labels: `[N]`, class of each image.
        level: confidence that the best one is in the set.
        resamples: number of bootstrap samples.
        seed: seed of the samples.

    Raises:
        InputError: if shapes do not fit together.
    """
    wrong, classes = np.asarray(mistakes, dtype=np.float64), np.asarray(labels)
    if wrong.ndim != 2 or classes.shape != wrong.shape[1:] or 0 in wrong.shape:
        raise InputError(
            f"mistakes, labels: expected [M, N] and [N]; got {wrong.shape} and {classes.shape}"
        )
    _, index, counts = np.unique(classes, return_inverse=True, return_counts=True)
    weight = 1 / (len(counts) * counts[index])
    errors = (wrong @ weight).round(12)
    drawn = _resampled(wrong, index, weight, resamples, seed)  # [resamples, M]
    least = drawn.round(12) == drawn.round(12).min(1, keepdims=True)
    p_best = (least / least.sum(1, keepdims=True)).mean(0)
    inside = np.ones(len(wrong), dtype=bool)
    for m in range(len(wrong)):
        others = np.arange(len(wrong)) != m
        if not others.any():
            break
        spread = _standard_error(wrong[m] - wrong[others], index, counts)
        difference = (errors[m] - errors[others]) / spread
        luck = ((drawn[:, [m]] - errors[m]) - (drawn[:, others] - errors[others])) / spread
        # not below the limit for one comparison of many images
        limit = max(np.quantile(luck.max(1), level), stats.norm.ppf(level))
        inside[m] = difference.max() <= limit
    intervals = [balanced_interval(error, counts, level) for error in errors]
    return BestSet(errors, intervals, p_best, inside)


def balanced_interval(error: float, counts: ArrayLike, level: float = LEVEL) -> Estimate:
    """Wilson's interval of a class-balanced error, which is not empty at 0 or 1.

    Args:
        error: mean over classes of the share of mistakes.
        counts: number of images of each class.
        level: confidence level, two-sided.
    """
    sizes = np.asarray(counts, dtype=np.float64)
    n = len(sizes) ** 2 / (1 / sizes).sum()  # images of a plain share with the same variance
    z = stats.norm.ppf((1 + level) / 2)
    middle = (error + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(error * (1 - error) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Estimate(float(error), min(float(low), error), max(float(high), error))


def _resampled(
    wrong: Array, index: NDArray[np.intp], weight: Array, resamples: int, seed: int
) -> Array:
    """Errors of the networks on bootstrap samples that keep the size of each class."""
    rng, parts = np.random.default_rng(seed), np.zeros((resamples, len(wrong)))
    for k in range(index.max() + 1):
        of_class = np.flatnonzero(index == k)
        n = len(of_class)
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
        parts += drawn @ (wrong[:, of_class] * weight[of_class]).T
    return parts


def _standard_error(differences: Array, index: NDArray[np.intp], counts: NDArray[np.intp]) -> Array:
    """Standard error of class-balanced differences `[J, N]` in {-1, 0, 1}.

    Each class gets one image more for either side, so that few images that all agree do not make a
    difference certain.
    """
    variance = np.zeros(len(differences))
    for k, n in enumerate(counts):
        of_class = differences[:, index == k]
        mean = of_class.sum(1) / (n + 2)
        variance += ((of_class**2).sum(1) + 2) / (n + 2) / (n + 2) - mean**2 / (n + 2)
    return np.sqrt(variance) / len(counts)
