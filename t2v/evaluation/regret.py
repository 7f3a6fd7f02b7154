"""Errors of picked experts relative to the best eligible expert (Sect. 5, Tables 1 and 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from t2v.errors import InputError

Array = NDArray[np.float64]

GENERIC = -1
"""The pick that is no expert: the generic network."""


def best_errors(errors: ArrayLike, eligible: ArrayLike | None = None) -> Array:
    """The smallest error of an eligible expert for each task.

    Args:
        errors: `[T, M]`, test error of expert m on task t, in [0, 1].
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.

    Returns:
        `[T]`.

    Raises:
        InputError: if errors are not in [0, 1], or a task has no eligible expert.
    """
    errors, eligible = _checked(errors, eligible)
    return np.where(eligible, errors, np.inf).min(axis=1)


def mean_errors(errors: ArrayLike, eligible: ArrayLike | None = None) -> Array:
    """The mean error of the eligible experts for each task: the expected error of a random pick.

    Args:
        errors: `[T, M]` in [0, 1].
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.

    Returns:
        `[T]`.

    Raises:
        InputError: if errors are not in [0, 1], or a task has no eligible expert.
    """
    errors, eligible = _checked(errors, eligible)
    return np.where(eligible, errors, 0).sum(axis=1) / eligible.sum(axis=1)


def errors_of(
    errors: ArrayLike,
    picks: ArrayLike,
    eligible: ArrayLike | None = None,
    generic: ArrayLike | None = None,
) -> Array:
    """The error of the picked expert for each task.

    Args:
        errors: `[T, M]` in [0, 1].
        picks: integers `[T]`, index of the expert picked for each task; `GENERIC`: none of them.
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.
        generic: `[T]`, error of the generic network; `None`: it may not be picked.

    Returns:
        `[T]`.

    Raises:
        InputError: if a pick is neither an eligible expert nor the generic network.
    """
    errors, eligible = _checked(errors, eligible)
    picks = np.asarray(picks)
    if picks.shape != errors.shape[:1] or not np.issubdtype(picks.dtype, np.integer):
        raise InputError(
            f"picks: expected {len(errors)} whole numbers, one per task; got {picks.dtype} "
            f"of shape {picks.shape}"
        )
    for t, pick in enumerate(picks):
        if pick == GENERIC and generic is not None:
            continue
        if not 0 <= pick < errors.shape[1] or not eligible[t, pick]:
            raise InputError(f"picks: expert {pick} is not eligible for task {t}")
    reached = errors[np.arange(len(errors)), picks]
    return reached if generic is None else np.where(picks == GENERIC, generic, reached)


def relative_increases(
    chosen: ArrayLike,
    errors: ArrayLike,
    eligible: ArrayLike | None = None,
    floor: ArrayLike | None = None,
    generic: ArrayLike | None = None,
) -> Array:
    """Relative error increase over the best eligible expert, `chosen / best - 1`, for each task.

    Args:
        chosen: `[T]`, error of a pick or of a baseline on each task, in [0, 1].
        errors: `[T, M]` in [0, 1].
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.
        floor: error floor, a number or `[T]`, e.g. half a test image; smaller errors count as it.
            `None`: no floor, and the best errors must be positive.
        generic: `[T]`, error of the generic network, which then counts among the best.

    Returns:
        `[T]`; negative only for what is better than every eligible expert (and `generic`).

    Raises:
        InputError: if an optimum is 0 and there is no floor, or errors are not in [0, 1].
    """
    best = best_errors(errors, eligible)
    if generic is not None:
        best = np.minimum(best, generic)
    reached = np.asarray(chosen, dtype=np.float64)
    if reached.shape != best.shape or not np.all((reached >= 0) & (reached <= 1)):
        raise InputError(f"chosen: expected {len(best)} errors in [0, 1], one per task")
    if floor is not None:
        best, reached = np.maximum(best, floor), np.maximum(reached, floor)
    zero = np.flatnonzero(best <= 0)
    if len(zero):
        raise InputError(
            f"the best error of task {', '.join(map(str, zero))} is 0: its relative increase is "
            "undefined; leave it out and say so, or give floor= (e.g. half a test image)"
        )
    return reached / best - 1


def relative_error_increase(
    errors: ArrayLike,
    picks: ArrayLike,
    eligible: ArrayLike | None = None,
    floor: ArrayLike | None = None,
) -> float:
    """Mean over tasks of `error(pick) / min error - 1`, the measure of Tables 1 and 2.

    It is a mean of ratios: tasks whose best error is near 0 have the largest weight. Report it with
    the `bootstrap` interval of `relative_increases(errors_of(errors, picks), errors)`.

    Args:
        errors: `[T, M]` in [0, 1].
        picks: integers `[T]`, index of the expert picked for each task.
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.
        floor: error floor, a number or `[T]`, e.g. half a test image; smaller errors count as it.

    Returns:
        The mean increase; 0.1 for errors that are 10% above the best on average.

    Raises:
        InputError: if errors are not in [0, 1], a pick is not eligible, or a best error is 0 and
            there is no floor.

    Example:
        >>> from t2v.evaluation import relative_error_increase
        >>> errors = [[0.10, 0.20], [0.30, 0.15]]  # of two tasks on two experts
        >>> float(relative_error_increase(errors, picks=[1, 1]))  # twice the best, and the best
        0.5
    """
    chosen = errors_of(errors, picks, eligible)
    return float(relative_increases(chosen, errors, eligible, floor).mean())


def rank_of_pick(
    errors: ArrayLike, picks: ArrayLike, eligible: ArrayLike | None = None
) -> NDArray[np.intp]:
    """Rank of the pick for each task: 1 + the number of better eligible experts.

    Args:
        errors: `[T, M]` in [0, 1].
        picks: integers `[T]`, index of the expert picked for each task.
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.

    Returns:
        `[T]`, 1 for the best expert; experts with equal errors have the same rank.

    Raises:
        InputError: if errors are not in [0, 1], or a pick is not an eligible expert.
    """
    return rank_of_error(errors_of(errors, picks, eligible), errors, eligible)


def rank_of_error(
    chosen: ArrayLike, errors: ArrayLike, eligible: ArrayLike | None = None
) -> NDArray[np.intp]:
    """Rank of an error among those of the experts, for each task: 1 + the number of better ones.

    Args:
        chosen: `[T]`, error of a pick or of the generic network on each task.
        errors: `[T, M]` in [0, 1].
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.

    Returns:
        `[T]`, 1 if no eligible expert is better.

    Raises:
        InputError: if errors are not in [0, 1].
    """
    errors, eligible = _checked(errors, eligible)
    return 1 + np.sum(eligible & (errors < np.asarray(chosen)[:, None]), axis=1)


def nearest_eligible(distance: ArrayLike, eligible: ArrayLike | None = None) -> NDArray[np.intp]:
    """The nearest eligible expert for each task; of equally near ones, the first.

    Args:
        distance: `[T, M]`, distance of task t from expert m's training task.
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.

    Returns:
        Integers `[T]`.
    """
    distance = np.asarray(distance, dtype=np.float64)
    if eligible is not None:
        distance = np.where(eligible, distance, np.inf)
    return np.argmin(distance, axis=1)


def task_blind_picks(errors: ArrayLike, eligible: ArrayLike | None = None) -> NDArray[np.intp]:
    """The eligible expert with the smallest mean error on the *other* tasks, for each task.

    This pick depends on the experts but not on the task, so a strategy that uses the task should
    be better. The mean is over the other tasks for which the expert is eligible.

    Args:
        errors: `[T, M]` in [0, 1].
        eligible: bool `[T, M]`, experts that may be picked for each task; `None`: all.

    Returns:
        Integers `[T]`; entry t does not depend on row t of `errors`.

    Raises:
        InputError: if errors are not in [0, 1], or there are fewer than two tasks.
    """
    errors, eligible = _checked(errors, eligible)
    if len(errors) < 2:
        raise InputError("errors: task-blind choice needs at least two tasks")
    picks = []
    for t in range(len(errors)):
        other = np.arange(len(errors)) != t
        count = eligible[other].sum(axis=0)
        total = np.where(eligible[other], errors[other], 0).sum(axis=0)
        mean = np.where(eligible[t] & (count > 0), total / np.maximum(count, 1), np.inf)
        picks.append(np.argmin(mean))
    return np.array(picks)


def _checked(errors: ArrayLike, eligible: ArrayLike | None) -> tuple[Array, NDArray[np.bool_]]:
    errors = np.asarray(errors, dtype=np.float64)
    if errors.ndim != 2 or 0 in errors.shape:
        raise InputError(f"errors: expected [tasks, experts]; got shape {errors.shape}")
    if eligible is None:
        eligible = np.ones(errors.shape, dtype=bool)
    eligible = np.asarray(eligible)
    if eligible.shape != errors.shape or eligible.dtype != bool:
        raise InputError(
            f"eligible: expected bool {errors.shape}; got {eligible.dtype} {eligible.shape}"
        )
    empty = np.flatnonzero(~eligible.any(axis=1))
    if len(empty):
        raise InputError(f"eligible: no expert for task {empty[0]}")
    used = errors[eligible]
    if not np.all((used >= 0) & (used <= 1)):
        worst = used[~((used >= 0) & (used <= 1))][0]
        raise InputError(f"errors: {worst:g} is not a share in [0, 1]; divide per cent by 100")
    return errors, eligible
