"""What a score gives for labels that say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from t2v.errors import InputError
from t2v.transferability.registry import Array


class Null(NamedTuple):
    """A score beside its values for shuffled labels."""

    score: float
    p: float
    """Share of orders of the labels, the given one included, with a score as high or higher."""
    low: float
    """2.5% quantile of the values for shuffled labels."""
    median: float
    high: float
    """97.5% quantile."""
    values: Array
    """`[permutations]`, one value for each order of the labels."""


def permutation_null(
    score: Callable[..., float],
    array: ArrayLike,
    labels: ArrayLike,
    *,
    permutations: int = 99,
    seed: int = 0,
    **options: Any,
) -> Null:
    """Score, and its null distribution for labels in random order.

    The p-value is valid for any score and any number of images; its least value is
    1 / (permutations + 1).

    Args:
        score: function of the array and labels, e.g. `logme`.
        array: `[N, D]` features or `[N, Z]` source probabilities, as the score needs.
        labels: `[N]`, class of each image.
        permutations: number of orders, 1 or more.
        seed: seed of the orders.
        **options: further arguments of the score.

    Raises:
        InputError: no permutations, or arrays that the score cannot use.
    """
    if permutations < 1:
        raise InputError(f"permutations: {permutations}, expected 1 or more")
    y = np.asarray(labels)
    value = score(array, y, **options)
    rng = np.random.default_rng(seed)
    values = np.array([score(array, rng.permutation(y), **options) for _ in range(permutations)])
    rounding = 1e-9 * max(abs(value), 1e-300)  # the same counts may sum in another order
    p = (1 + int((values >= value - rounding).sum())) / (permutations + 1)
    low, median, high = (float(q) for q in np.quantile(values, [0.025, 0.5, 0.975]))
    return Null(value, p, low, median, high, values)
