"""Splits that keep groups of images together and the classes in proportion."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from t2v.errors import InputError

_TRIES = 20


def group_folds(
    labels: NDArray[np.int64], groups: NDArray[np.int64], folds: int, seed: int, name: str
) -> NDArray[np.int64]:
    """The fold of each image, `[N]`; no group is in two folds, and each class in two at least.

    Args:
        labels: class of each image, `[N]`.
        groups: group of each image, `[N]`.
        folds: number of folds.
        seed: random seed.
        name: name of the task in errors.

    Raises:
        InputError: if a class has images of one group only.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    for k in np.unique(labels):
        if len(np.unique(groups[labels == k])) < 2:
            raise InputError(
                f"task {name!r}: all images of class number {k} are of one group, so they cannot "
                "be on both sides of a split; give finer groups"
            )
    folds = min(folds, len(np.unique(groups)))
    for attempt in range(_TRIES):
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + 7919 * attempt)
        fold = np.zeros(len(labels), np.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of small classes, which are looked at below
            try:
                splits = list(splitter.split(labels, labels, groups))
            except ValueError:  # every class has fewer images than there are folds
                splits = []
        for number, (_, test) in enumerate(splits):
            fold[test] = number
        if all(len(np.unique(fold[labels == k])) > 1 for k in np.unique(labels)):
            return fold
        folds = max(2, folds - 1) if not splits else folds
    raise InputError(
        f"task {name!r}: its groups cannot be split so that each class is on both sides; give "
        "finer groups"
    )
