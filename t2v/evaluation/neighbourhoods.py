"""Neighbourhood statistics of a distance matrix.

Nearest-neighbour purity, taxonomic distance of the k nearest neighbours (Fig. 2), hubness.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from t2v.errors import InputError

Array = NDArray[np.float64]


class Rate(NamedTuple):
    """Share of tasks whose nearest neighbour is of the same group (purity)."""

    rate: float
    chance: float
    """Expected rate of random neighbours; exact, not simulated."""
    hits: Array
    """Hit of each possible task, in [0, 1]; a share if several neighbours are equally near."""
    possible: NDArray[np.bool_]
    """`[A]`, tasks whose group has another task; the rate is over these."""


class Curve(NamedTuple):
    """Mean taxonomic distance of the k nearest neighbours as a function of k (Fig. 2, centre)."""

    ks: NDArray[np.intp]
    mean: Array
    best: Array
    """Lower bound: the curve of neighbours in the order of taxonomic distance itself."""
    chance: float
    """Expected value for neighbours in random order."""
    per_task: Array
    """`[T, K]`, curve of each task; `mean` is the mean over tasks."""


class Hubs(NamedTuple):
    """Hubness: number of tasks that have a task among their k nearest neighbours."""

    counts: NDArray[np.intp]
    """`[T]`."""
    skewness: float
    """Skewness of the counts, about 0 if there are no hubs (Radovanović et al. 2010)."""
    largest_share: float
    """Share of the other tasks that have the largest hub among their k nearest neighbours."""


def same_group_rate(
    distance: ArrayLike, groups: Sequence[Any], others: Sequence[Any] | None = None
) -> Rate:
    """Share of tasks whose nearest neighbour is of the same group.

    Args:
        distance: `[A, B]`. With `others=None` rows and columns are the same tasks, and a task is
            not its own neighbour.
        groups: A group labels, of the rows.
        others: B group labels, of the columns; `None`: the columns are the rows' tasks.

    Returns:
        The rate over tasks whose group has another task, the exact chance level, and the hit of
        each task.

    Raises:
        InputError: if the numbers of labels and the shape differ, or no group has another task.

    Example:
        >>> import numpy as np
        >>> from t2v.evaluation import same_group_rate
        >>> places = np.array([0.0, 1.0, 10.0, 12.0, 13.5])
        >>> rate = same_group_rate(abs(places[:, None] - places), ["a", "a", "b", "b", "a"])
        >>> round(rate.rate, 2), round(rate.chance, 2)
        (0.6, 0.4)
    """
    distance, same = _square(distance, groups, others)
    columns = groups if others is None else others
    same_group = np.array([[g == h for h in columns] for g in groups], dtype=bool)
    if same:
        np.fill_diagonal(same_group, False)
    counts = same_group.sum(axis=1)
    possible = counts > 0
    if not possible.any():
        raise InputError("groups: no task has another task of its group")
    nearest = distance == distance.min(axis=1, keepdims=True)
    hits = (nearest & same_group).sum(axis=1) / nearest.sum(axis=1)
    chance = counts / (distance.shape[1] - same)
    return Rate(
        float(hits[possible].mean()), float(chance[possible].mean()), hits[possible], possible
    )


def taxonomic_curve(distance: ArrayLike, taxonomic: ArrayLike, ks: Sequence[int]) -> Curve:
    """Mean taxonomic distance of the k nearest neighbours, for several k (Fig. 2, centre).

    Args:
        distance: `[T, T]`, distances by which the neighbours are ordered.
        taxonomic: `[T, T]`, taxonomic distances, which are averaged.
        ks: K numbers of neighbours, from 1 to T - 1.

    Returns:
        The curve, its lower bound, and the level of a random order.

    Raises:
        InputError: if the matrices are not of one square shape, or a k is out of range.
    """
    distance, _ = _square(distance, range(len(np.asarray(taxonomic))), None)
    levels = np.array(taxonomic, dtype=np.float64)
    number = len(distance)
    at = np.asarray(ks)
    if levels.shape != distance.shape or not np.all((at >= 1) & (at < number)):
        raise InputError(
            f"taxonomic_curve: expected two matrices of one shape and ks from 1 to {number - 1}; "
            f"got {distance.shape}, {levels.shape} and ks={at.tolist()}"
        )
    off = ~np.eye(number, dtype=bool)
    others = levels[off].reshape(number, number - 1)
    order = np.argsort(distance[off].reshape(number, number - 1), axis=1, kind="stable")
    counts = np.arange(1, number)
    curves = np.cumsum(np.take_along_axis(others, order, axis=1), axis=1) / counts
    best = np.cumsum(np.sort(others, axis=1), axis=1) / counts
    per_task = curves[:, at - 1]
    return Curve(
        at, per_task.mean(axis=0), best[:, at - 1].mean(axis=0), float(others.mean()), per_task
    )


def hubs(distance: ArrayLike, k: int = 1) -> Hubs:
    """Hubness: how often each task is among the k nearest neighbours of the others.

    Args:
        distance: `[T, T]`.
        k: number of neighbours.

    Returns:
        The counts (their mean is k), their skewness, and the share of the largest hub.

    Raises:
        InputError: if the matrix is not square, or k out of range.
    """
    distance, _ = _square(distance, range(len(np.asarray(distance))), None)
    number = len(distance)
    if not 1 <= k < number:
        raise InputError(f"k={k}: must be from 1 to {number - 1}")
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :k]
    counts = np.bincount(nearest.ravel(), minlength=number)
    skewness = float(stats.skew(counts)) if np.ptp(counts) else 0.0
    return Hubs(counts, skewness, float(counts.max() / (number - 1)))


def _square(
    distance: ArrayLike, groups: Sequence[Any], others: Sequence[Any] | None
) -> tuple[Array, bool]:
    distance = np.array(distance, dtype=np.float64)
    same = others is None
    shape = (len(groups), len(groups if others is None else others))
    if distance.shape != shape or np.isnan(distance).any():
        raise InputError(f"distance: expected numbers of shape {shape}; got {distance.shape}")
    if same:
        np.fill_diagonal(distance, np.inf)
    return distance, same
