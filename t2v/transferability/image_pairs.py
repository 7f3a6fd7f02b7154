"""PARC: are images of one class more alike than images of two?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist
from scipy.stats import rankdata, spearmanr

from t2v.errors import InputError
from t2v.transferability.principal import principal_scores
from t2v.transferability.registry import Array, Labels, checked_arrays, one_hot, register


@register(
    "PARC",
    needs="features",
    random=True,
    citation="Bolya, Mittapalli and Hoffman, NeurIPS 2021, arXiv 2111.06977",
)
def parc(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    dimensions: int = 32,
    images: int | None = 500,
    seed: int = 0,
) -> float:
    """Pairwise annotation representation comparison: a rank correlation over pairs, times 100.

    Spearman's correlation of 1 − corr of the features of two images with 1 − corr of their one-hot
    labels (Bolya et al. 2021). With one label an image it is a transformed AUC (`parc_auc`) under a
    ceiling that falls with the number of classes (`parc_ceiling`), so the values of two tasks
    cannot be compared.

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image.
        dimensions: number of principal components, each divided by its standard deviation.
        images: number of images drawn at random; `None`: all, in memory of N² numbers.
        seed: seed of the draw.

    Raises:
        InputError: arrays that cannot be used, or features of rank below 3.
    """
    distances, y = _distances(np.asarray(features), np.asarray(labels), dimensions, images, seed)
    # two different classes have one distance, whichever they are
    return 100 * float(spearmanr(distances, pdist(one_hot(y), "hamming"))[0])


def parc_auc(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    dimensions: int = 32,
    images: int | None = 500,
    seed: int = 0,
) -> float:
    """Probability that a pair of one class is more alike than a pair of two classes, in [0, 1].

    Same pairs and distances as `parc`; PARC is `(2 * parc_auc - 1) * parc_ceiling`.

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image.
        dimensions: number of principal components.
        images: number of images drawn at random; `None`: all.
        seed: seed of the draw.

    Raises:
        InputError: arrays that cannot be used, or features of rank below 3.
    """
    f, y = checked_arrays(features, labels, "features")
    distances, y = _distances(f, y, dimensions, images, seed)
    differ = pdist(y[:, None], "hamming") > 0
    pairs, apart = len(differ), int(differ.sum())
    ranks = rankdata(distances)[differ].sum() - apart * (apart + 1) / 2
    return float(ranks / (apart * (pairs - apart)))


def parc_ceiling(labels: ArrayLike) -> float:
    """PARC of features that tell the classes without error: ``100 √(3 p (1 − p))``.

    p is the share of pairs of one class; the factor for a finite number n of pairs,
    n / √(n² − 1), is included.
    """
    _, counts = np.unique(np.asarray(labels), return_counts=True)
    pairs = counts.sum() * (counts.sum() - 1) / 2
    p = (counts * (counts - 1) / 2).sum() / pairs
    return float(100 * np.sqrt(3 * p * (1 - p)) * pairs / np.sqrt(pairs**2 - 1))


def _distances(
    features: Array, labels: Labels, dimensions: int, images: int | None, seed: int
) -> tuple[Array, Labels]:
    """Distances of all pairs of the images drawn, and the labels of these images."""
    if images is not None and images < len(labels):
        chosen = np.random.default_rng(seed).choice(len(labels), images, replace=False)
        features, labels = features[chosen], labels[chosen]
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) < 2 or counts.max() < 2:
        raise InputError(f"images: {len(labels)} are too few for pairs of one class and of two")
    z = principal_scores(features, dimensions)
    if z.shape[1] < 3:
        raise InputError(f"features: rank {z.shape[1]}; a correlation of two rows needs 3 or more")
    return pdist(z / z.std(0), "correlation"), labels
