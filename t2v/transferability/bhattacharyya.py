"""GBC: the overlap of the classes, each taken as a Gaussian."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from t2v.errors import InputError
from t2v.transferability.principal import principal_scores
from t2v.transferability.registry import Array, register

VARIANCE_FLOOR = 1e-4  # of a dimension's variance over all images: relative, so scale is no matter


@register(
    "GBC",
    needs="features",
    min_per_class=2,
    citation="Pándy et al., CVPR 2022, arXiv 2111.12780",
)
def gbc(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    covariance: Literal["diagonal", "spherical"] = "diagonal",
    dimensions: int = 64,
) -> float:
    """Gaussian Bhattacharyya coefficient: minus the mean overlap of two classes, in [−1, 0].

    The overlap is exp(−D), D the Bhattacharyya distance, on the first principal components (Pándy
    et al. 2022). The paper prints the sum, C (C − 1) times the mean. Estimated means of few images
    lie too far apart, so the overlap is too small, the more so the more dimensions: compare experts
    at one number of `dimensions` only.

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image; two or more of each.
        covariance: `diagonal` or `spherical` (one variance for all dimensions), of each class.
        dimensions: number of principal components.

    Raises:
        InputError: arrays or options that cannot be used.
    """
    if covariance not in ("diagonal", "spherical"):
        raise InputError(f"covariance: {covariance!r}, expected diagonal or spherical")
    z, y = principal_scores(np.asarray(features), dimensions), np.asarray(labels)
    floor = VARIANCE_FLOOR * z.var(0)
    groups = [z[y == c] for c in range(y.max() + 1)]
    means = np.stack([group.mean(0) for group in groups])
    variances = np.stack([np.maximum(group.var(0, ddof=1), floor) for group in groups])
    if covariance == "spherical":
        variances = np.broadcast_to(variances.mean(1, keepdims=True), variances.shape)
    overlap = np.stack([_overlaps(means, variances, c) for c in range(len(means))])
    np.fill_diagonal(overlap, 0)
    return -float(overlap.sum()) / (len(means) * (len(means) - 1))


def _overlaps(means: Array, variances: Array, c: int) -> Array:
    """Bhattacharyya coefficients `[C]` of class c with every class."""
    pooled = (variances + variances[c]) / 2
    logs = np.log(pooled) - (np.log(variances) + np.log(variances[c])) / 2
    return np.exp(-((means - means[c]) ** 2 / pooled).sum(1) / 8 - logs.sum(1) / 2)
