"""What a matrix of distances puts side by side: groups, taxonomy, hubs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from t2v.errors import InputError

Array = NDArray[np.float64]


class Rate(NamedTuple):
    """Share of tasks whose nearest task is of their own group."""

    rate: float
    chance: float
    """What the rate is on average if the nearest task is drawn at random; exact, not simulated."""
    hits: Array
    """Per task that could hit, in [0, 1]; between the two where several are equally near."""
    possible: NDArray[np.bool_]
    """`[A]`, tasks of which another of the group exists; only these count."""


class Curve(NamedTuple):
    """Mean taxonomic distance of the k nearest tasks, against k (Fig. 2 centre)."""

    ks: NDArray[np.intp]
    mean: Array
    best: Array
    """The same for the order by taxonomic distance itself, below which no map of the tasks goes."""
    chance: float
    per_task: Array
    """`[T, K]`, of which `mean` is the mean over tasks."""


class Hubs(NamedTuple):
    """How often each task is among the k nearest of another."""

    counts: NDArray[np.intp]
    skewness: float
    """Skewness of the counts, near 0 without hubs (Radovanović et al. 2010)."""
    largest_share: float
    """Share of all other tasks that have the most frequent one among their k nearest."""


def same_group_rate(
    distance: ArrayLike, groups: Sequence[Any], others: Sequence[Any] | None = None
) -> Rate:
    """How often the nearest task is of the same group.

    Args:
        distance: `[A, B]`. With `others=None` rows and columns are the same tasks and a task is not
            its own neighbour.
        groups: A labels, of the rows.
        others: B labels of the columns, when these are other tasks.

    Returns:
        The rate over tasks that have a mate, the exact chance level and the hits by task.

    Raises:
        InputError: if labels and matrix do not fit, or no task has a mate.
    """
    distance, same = _square(distance, groups, others)
    mates = np.array([[g == h for h in (groups if same else others)] for g in groups])
    if same:
        np.fill_diagonal(mates, False)
    possible = mates.any(axis=1)
    if not possible.any():
        raise InputError("groups: no task has another of its group to be nearest to")
    nearest = distance == distance.min(axis=1, keepdims=True)
    hits = (nearest & mates).sum(axis=1) / nearest.sum(axis=1)
    chance = mates.sum(axis=1) / (distance.shape[1] - same)
    return Rate(
        float(hits[possible].mean()), float(chance[possible].mean()), hits[possible], possible
    )


def taxonomic_curve(distance: ArrayLike, taxonomic: ArrayLike, ks: Sequence[int]) -> Curve:
    """Mean taxonomic distance of a task's k nearest tasks, for every k.

    Args:
        distance: `[T, T]`, orders the other tasks of each row.
        taxonomic: `[T, T]`, what is averaged.
        ks: numbers of neighbours, from 1 to T - 1.

    Returns:
        The curve, the best one possible, and the level of a random order.

    Raises:
        InputError: for matrices of other shapes, or a k out of range.
    """
    distance, _ = _square(distance, range(len(np.asarray(taxonomic))), None)
    levels = np.array(taxonomic, dtype=np.float64)
    number = len(distance)
    ks = np.asarray(ks)
    if levels.shape != distance.shape or not np.all((ks >= 1) & (ks < number)):
        raise InputError(
            f"taxonomic_curve: expected two matrices of one shape and ks from 1 to {number - 1}; "
            f"got {distance.shape}, {levels.shape} and ks={ks.tolist()}"
        )
    off = ~np.eye(number, dtype=bool)
    others = levels[off].reshape(number, number - 1)
    order = np.argsort(distance[off].reshape(number, number - 1), axis=1, kind="stable")
    counts = np.arange(1, number)
    ours = np.cumsum(np.take_along_axis(others, order, axis=1), axis=1) / counts
    best = np.cumsum(np.sort(others, axis=1), axis=1) / counts
    per_task = ours[:, ks - 1]
    return Curve(
        ks, per_task.mean(axis=0), best[:, ks - 1].mean(axis=0), float(others.mean()), per_task
    )


def hubs(distance: ArrayLike, k: int = 1) -> Hubs:
    """How often each task is among the k nearest of the others.

    Args:
        distance: `[T, T]`.
        k: neighbours counted.

    Returns:
        Counts (their mean is k), their skewness, and the share that has the largest hub near.

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
    shape = (len(groups), len(groups if same else others))
    if distance.shape != shape or np.isnan(distance).any():
        raise InputError(f"distance: expected numbers of shape {shape}; got {distance.shape}")
    if same:
        np.fill_diagonal(distance, np.inf)
    return distance, same
