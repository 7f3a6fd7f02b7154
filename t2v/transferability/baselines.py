"""Baselines that most scores have to beat: a linear probe and nearest neighbours, held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import NearestNeighbors

from t2v.errors import InputError
from t2v.transferability.registry import Array, Labels, checked_arrays, one_hot, parts, register

WEIGHT_DECAY = 0.02  # that of the experts' own linear classifiers
NEIGHBOURS = (1, 3, 5, 10, 20)


@register(
    "linear probe",
    needs="features",
    min_per_class=2,
    random=True,
    citation="Renggli et al., CVPR 2022, arXiv 2010.06402",
)
def linear_probe(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    weight_decay: float = WEIGHT_DECAY,
    folds: int = 5,
    seed: int = 0,
) -> float:
    """Class-balanced accuracy of a linear classifier on images it was not fitted to, in [0, 1].

    Logistic regression with the objective of `t2v.head.fit_head` at a fixed weight decay: the
    class-balanced mean cross entropy plus λ/2 ‖W‖², over features centred and divided by their root
    mean square.

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image; `folds` or more of each.
        weight_decay: λ, for features of root mean square 1.
        folds: number of folds.
        seed: seed of the folds.

    Raises:
        InputError: arrays that cannot be used, or a class with fewer images than folds.
    """
    f, y = np.asarray(features), np.asarray(labels)
    predicted = held_out_predictions(f, y, weight_decay=weight_decay, folds=folds, seed=seed)
    return float(balanced_accuracy_score(y, predicted))


@register(
    "kNN",
    needs="features",
    min_per_class=2,
    random=True,
    citation="Sorkhei et al. 2025, arXiv 2503.18528",
)
def nearest_neighbours(
    features: ArrayLike, labels: ArrayLike, *, folds: int = 5, seed: int = 0
) -> float:
    """Class-balanced accuracy of nearest neighbours by cosine, held out, in [0, 1].

    The number of neighbours is chosen within each training part, by leave-one-out. Copies of an
    image in two folds make it too good: remove them first.

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image; `folds` or more of each.
        folds: number of folds.
        seed: seed of the folds.

    Raises:
        InputError: arrays that cannot be used, or a class with fewer images than folds.
    """
    f, y = np.asarray(features), np.asarray(labels)
    predicted = held_out_predictions(f, y, classifier="neighbours", folds=folds, seed=seed)
    return float(balanced_accuracy_score(y, predicted))


def held_out_predictions(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    classifier: str = "linear",
    weight_decay: float = WEIGHT_DECAY,
    folds: int = 5,
    seed: int = 0,
) -> Labels:
    """Predicted class of each image by a classifier fitted to the other folds.

    With the same labels, folds and seed the parts are the same, so that the predictions on two
    experts' features can be compared image by image.

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image; `folds` or more of each.
        classifier: `linear` or `neighbours`.
        weight_decay: λ of the linear classifier, for features of root mean square 1.
        folds: number of folds.
        seed: seed of the folds.

    Returns:
        `[N]`, index of the class among the sorted classes.

    Raises:
        InputError: arrays or options that cannot be used.
    """
    f, y = checked_arrays(features, labels, "features")
    if not weight_decay > 0:
        raise InputError(f"weight_decay: {weight_decay}, expected a positive number")
    if classifier not in ("linear", "neighbours"):
        raise InputError(f"classifier: {classifier!r}, expected linear or neighbours")
    if folds < 2 or np.bincount(y).min() < folds:
        raise InputError(f"folds: {folds}, expected 2 to {np.bincount(y).min()}")
    predicted = np.empty_like(y)
    for fit, held_out in parts(y, folds, seed):
        if classifier == "linear":
            predicted[held_out] = _linear(f[fit], y[fit], f[held_out], weight_decay)
        else:
            predicted[held_out] = _neighbours(f[fit], y[fit], f[held_out])
    return predicted


def _linear(train: Array, labels: Labels, test: Array, weight_decay: float) -> Labels:
    mean = train.mean(0)
    scale = np.sqrt(((train - mean) ** 2).mean()) or 1.0
    strength = 1 / (weight_decay * len(train))  # sklearn sums over images and divides the penalty
    fitted = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000, tol=1e-5)
    return fitted.fit((train - mean) / scale, labels).predict((test - mean) / scale)


def _neighbours(train: Array, labels: Labels, test: Array) -> Labels:
    """Majority of the k nearest by cosine, ties to the nearer; k by leave-one-out in training."""
    neighbours = NearestNeighbors(
        n_neighbors=min(NEIGHBOURS[-1], len(train) - 1), metric="cosine", algorithm="brute"
    ).fit(train)
    own = neighbours.kneighbors(return_distance=False)  # without the image itself
    scores = {
        k: balanced_accuracy_score(labels, _majority(labels[own[:, :k]]))
        for k in NEIGHBOURS
        if k <= own.shape[1]
    }
    best = max(scores, key=lambda k: scores[k])
    return _majority(labels[neighbours.kneighbors(test, best, return_distance=False)])


def _majority(labels: Labels) -> Labels:
    """Most frequent label of each row; of equally frequent ones, that which comes earlier."""
    weight = 1 + 1e-3 / np.arange(1, labels.shape[1] + 1)
    return np.einsum("nkc,k->nc", one_hot(labels), weight).argmax(1)
