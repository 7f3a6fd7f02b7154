"""SFDA: class probabilities by Fisher's discriminant, after the features were made harder."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve
from scipy.special import softmax

from t2v.errors import InputError
from t2v.transferability.principal import decomposed
from t2v.transferability.registry import Array, Labels, one_hot, parts, register


class _Discriminant(NamedTuple):
    """Linear discriminant: scores are features @ weights + bias."""

    weights: Array
    bias: Array
    shrinkage: float

    def probabilities(self, features: Array) -> Array:
        return softmax(features @ self.weights + self.bias, axis=1)


@register(
    "SFDA",
    needs="features",
    min_n=lambda dimensions, classes: dimensions + 2 * classes,
    scale_invariant=False,
    citation="Shao et al., ECCV 2022, arXiv 2207.03036",
)
def sfda(
    features: ArrayLike, labels: ArrayLike, *, folds: int | None = None, seed: int = 0
) -> float:
    """Self-challenging Fisher discriminant: mean probability of the right class, in [0, 1].

    Shao et al. 2022: (1) Fisher's discriminant with the within-class covariance shrunk by
    λ = exp(−5 · its largest eigenvalue); (2) each image is moved towards the mean of the other
    classes, the more the less probable its class is; (3) the discriminant again. The mean is of
    probabilities, as in the authors' code, not of their logarithms. λ depends on the scale
    of the features. Without folds the score is 1 for any labels once D nears N: it is refused
    there.

    Args:
        features: `[N, D]`, without folds N ≥ D + 2C.
        labels: `[N]`, class of each image.
        folds: number of folds of the cross-fitted form: both discriminants come from other images,
            and the images they are measured on stay where they are, because moving them would use
            their labels; `None`: as published.
        seed: seed of the folds.

    Raises:
        InputError: arrays that cannot be used, or too few images for their dimensions.
    """
    f, y = np.asarray(features), np.asarray(labels)
    dimensions = f.shape[1]
    if len(f) < dimensions:  # all happens in their span: the rest would only take time
        left, singular, _ = decomposed(f)
        f = left * singular
    if folds is None:
        second, mixed = _challenged(f, y, dimensions)
        return float(second.probabilities(mixed)[np.arange(len(y)), y].mean())
    right = np.empty(len(y))
    for fit, held_out in parts(y, folds, seed):
        second, _ = _challenged(f[fit], y[fit], dimensions)
        probabilities = second.probabilities(f[held_out])
        right[held_out] = probabilities[np.arange(len(held_out)), y[held_out]]
    return float(right.mean())


def _challenged(features: Array, labels: Labels, dimensions: int) -> tuple[_Discriminant, Array]:
    """The second discriminant, and the features it was fitted to.

    Args:
        features: `[N, D]`, or their coordinates in the space that they span.
        labels: `[N]`.
        dimensions: D, over which the shrunk variance is spread.
    """
    first = _discriminant(features, labels, dimensions, None)
    # softmax of probabilities, as published: it lies between 1/C and e/(e + C - 1)
    soft = softmax(first.probabilities(features), axis=1)
    keep = soft[np.arange(len(labels)), labels][:, None]
    means = _class_means(features, labels)
    others = (means.sum(0) - means) / (len(means) - 1)
    mixed = keep * features + (1 - keep) * others[labels]
    return _discriminant(mixed, labels, dimensions, first.shrinkage), mixed


def _class_means(features: Array, labels: Labels) -> Array:
    indicators = one_hot(labels)
    return (indicators.T @ features) / indicators.sum(0)[:, None]


def _discriminant(
    features: Array, labels: Labels, dimensions: int, shrinkage: float | None
) -> _Discriminant:
    centre = features.mean(0)
    means = _class_means(features, labels)
    within = features - means[labels]
    scatter = within.T @ within / len(features)
    if shrinkage is None:
        largest = np.linalg.norm(within, 2) ** 2 / len(features)
        shrinkage = max(float(np.exp(-5 * largest)), 1e-10)
    average = np.trace(scatter) / dimensions
    if average <= 0:
        raise InputError("features: all images of a class are the same; SFDA needs some spread")
    shrunk = (1 - shrinkage) * scatter
    shrunk[np.diag_indices_from(shrunk)] += shrinkage * average
    weights = cho_solve(cho_factor(shrunk), (means - centre).T)
    shares = np.bincount(labels) / len(labels)
    bias = np.log(shares) - ((means + centre) * weights.T).sum(1) / 2
    return _Discriminant(weights, bias, shrinkage)
