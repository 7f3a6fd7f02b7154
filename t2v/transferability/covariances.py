"""H-score and regularised H-score: how much of the features' covariance lies between classes.

Both are the variance of the scaled class indicators ``(1[y = c] − p_c) / √p_c`` that a linear
regression on the features explains: at most C − 1, their total variance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import f as f_distribution
from sklearn.covariance import ledoit_wolf_shrinkage

from t2v.errors import InputError
from t2v.transferability.principal import decomposed
from t2v.transferability.registry import (
    Array,
    Labels,
    checked_arrays,
    one_hot,
    parts,
    register,
)


class PillaiTest(NamedTuple):
    """The H-score as Pillai's trace, its chance level, and the p-value of the F-test."""

    score: float
    chance: float
    """Mean over all orders of the labels: (C − 1) · rank / (N − 1)."""
    p: float
    """Approximate, for features that are normal within classes of equal covariance."""


@register(
    "H-score",
    needs="features",
    min_n=lambda dimensions, classes: max(dimensions + 2, 2 * classes),
    citation="Bao et al., ICIP 2019, arXiv 2212.10082",
)
def h_score(
    features: ArrayLike, labels: ArrayLike, *, folds: int | None = None, seed: int = 0
) -> float:
    """H-score ``tr(cov(F)⁻¹ cov(E[F|y]))``, in [0, C − 1].

    Bao et al. 2019; Pillai's trace of a one-way MANOVA. Labels at random reach
    (C − 1) D / (N − 1) on average (`pillai_test`), and C − 1 if N ≤ D + 1: there it is refused.

    Args:
        features: `[N, D]`, N ≥ D + 2.
        labels: `[N]`, class of each image.
        folds: number of folds of the cross-fitted form: variance of the indicators explained on
            images that were not used to fit the regression, negative if it does harm; `None`: as
            published.
        seed: seed of the folds.

    Raises:
        InputError: arrays that cannot be used, or too few images for their dimensions.
    """
    f, y = np.asarray(features), np.asarray(labels)
    if folds is not None:
        return _held_out(f, y, folds, seed, shrink=False)
    return _in_sample(f, y, 0.0)


@register(
    "regularised H-score",
    needs="features",
    citation="Ibrahim, Ponomareva and Mazumder, ECML PKDD 2022, arXiv 2110.06893",
)
def regularised_h_score(
    features: ArrayLike, labels: ArrayLike, *, folds: int | None = None, seed: int = 0
) -> float:
    """H-score with a shrunk covariance, ``(1 − a) tr(S⁻¹ cov(E[F|y]))``.

    ``S = (1 − a) cov(F) + a tr(cov(F))/D · I`` with the a of Ledoit and Wolf (2004); Ibrahim et al.
    2022. All covariances are divided by N; with N − 1 for the class means, as in public code, the
    value is N / (N − 1) times as large. Labels at random do not give 0: see `permutation_null`.

    Args:
        features: `[N, D]`, also with N < D.
        labels: `[N]`, class of each image.
        folds: number of folds of the cross-fitted form: variance of the indicators explained on
            images that were not used to fit the regression; `None`: as published.
        seed: seed of the folds.

    Raises:
        InputError: arrays that cannot be used.
    """
    f, y = np.asarray(features), np.asarray(labels)
    if folds is not None:
        return _held_out(f, y, folds, seed, shrink=True)
    return (1 - (a := _shrinkage(f))) * _in_sample(f, y, a)


def pillai_test(features: ArrayLike, labels: ArrayLike) -> PillaiTest:
    """H-score with its chance level and the p-value of Pillai's F-test.

    Args:
        features: `[N, D]`, N ≥ D + C.
        labels: `[N]`, class of each image.

    Raises:
        InputError: arrays that cannot be used, or too few images.
    """
    f, y = checked_arrays(features, labels, "features")
    n, between = len(f), int(y.max())
    rank = len(decomposed(f - f.mean(0))[1])
    if n < rank + between + 1:
        raise InputError(
            f"features: {n} images of rank {rank} in {between + 1} classes; Pillai's test needs "
            f"{rank + between + 1}"
        )
    score = h_score(f, y)
    s = min(rank, between)
    a = s * max(rank, between)
    b = s * (n - between - 1 - rank + s)
    p = f_distribution.sf(score / max(s - score, 1e-300) * b / a, a, b)
    return PillaiTest(score, between * rank / (n - 1), float(p))


def _indicators(labels: Labels, shares: Array) -> Array:
    """Scaled indicators `[N, C]` of class shares `[C]`."""
    return (np.eye(len(shares))[labels] - shares) / np.sqrt(shares)


def _shrinkage(features: Array) -> float:
    return float(ledoit_wolf_shrinkage(features - features.mean(0), assume_centered=True))


def _filter(singular: Array, shape: tuple[int, ...], a: float) -> Array:
    """Variance over shrunk variance along each principal direction."""
    variance = singular**2 / shape[0]
    return variance / ((1 - a) * variance + a * variance.sum() / shape[1])


def _in_sample(features: Array, labels: Labels, a: float) -> float:
    basis, singular, _ = decomposed(features - features.mean(0))
    z = _indicators(labels, one_hot(labels).mean(0))
    explained = ((basis.T @ z) ** 2).sum(1) / len(z)
    return float(_filter(singular, features.shape, a) @ explained)


def _held_out(features: Array, labels: Labels, folds: int, seed: int, shrink: bool) -> float:
    gains = np.empty(len(labels))
    for fit, held_out in parts(labels, folds, seed):
        mean = features[fit].mean(0)
        train, test = features[fit] - mean, features[held_out] - mean
        basis, singular, directions = decomposed(train)
        if not shrink and len(singular) >= len(fit) - 1:
            raise InputError(
                f"features: {len(fit)} images of rank {len(singular)} in a training part fit any "
                "labels; use regularised_h_score"
            )
        shares = one_hot(labels[fit]).mean(0)
        weights = _filter(singular, train.shape, _shrinkage(train) if shrink else 0.0) / singular
        fitted = (test @ directions.T * weights) @ (basis.T @ _indicators(labels[fit], shares))
        z = _indicators(labels[held_out], shares)
        gains[held_out] = (z**2 - (z - fitted) ** 2).sum(1)
    return float(gains.mean())
