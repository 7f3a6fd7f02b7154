"""Singular value decomposition at the numerical rank, and principal components."""

from __future__ import annotations

import numpy as np

from t2v.errors import InputError
from t2v.transferability.registry import Array


def decomposed(matrix: Array) -> tuple[Array, Array, Array]:
    """Left vectors `[N, r]`, singular values `[r]` and right vectors `[r, D]`, r the rank.

    Singular values below max(N, D) · machine precision · the largest one are rounding.
    """
    left, singular, right = np.linalg.svd(matrix, full_matrices=False)
    rank = int((singular > max(matrix.shape) * np.finfo(float).eps * singular[0]).sum())
    return left[:, :rank], singular[:rank], right[:rank]


def principal_scores(features: Array, dimensions: int) -> Array:
    """Scores `[N, min(dimensions, rank)]` on the first principal components.

    The sign of each is that which makes its largest score positive: it depends neither on the
    library nor on a rotation of the features.
    """
    if dimensions < 1:
        raise InputError(f"dimensions: {dimensions}, expected 1 or more")
    left, singular, _ = decomposed(features - features.mean(0))
    scores = left[:, :dimensions] * singular[:dimensions]
    largest = scores[np.abs(scores).argmax(0), np.arange(scores.shape[1])]
    return scores * np.sign(largest)
