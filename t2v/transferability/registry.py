"""The record of a transferability score, and the checks that every score shares.

`register` adds a function to `SCORES` and checks its arrays first, so that a score itself sees only
float64 features or probabilities `[N, D]` and labels `0..C-1`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, ParamSpec

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedKFold

from t2v.errors import InputError

Array = NDArray[np.float64]
Labels = NDArray[np.intp]
Needs = Literal["features", "source_probabilities", "accuracies"]
P = ParamSpec("P")

SUM_TOLERANCE = 1e-4  # a softmax in single precision over 1,000 classes is off by about 1e-6


@dataclass(frozen=True)
class Score:
    """What is known about one transferability score. All scores are better when higher.

    Attributes:
        name: name in the literature.
        function: the score: `needs` and labels in, a number out.
        needs: name of its first argument: `features` `[N, D]` of the images, `source_probabilities`
            `[N, Z]` of an expert's own head, or `accuracies` `[T, M]` of experts on other tasks.
        min_n: least number of images, from D (or Z) and the number of classes; with `folds`, twice
            the number of classes.
        min_per_class: least number of images of a class.
        scale_invariant: unchanged if all features are multiplied by one positive number; `None`
            without features.
        set_dependent: the score of an expert depends on which other experts are scored.
        cross_fitted: the function has the argument `folds`: what it fits, it fits on other images
            than those it is measured on.
        random: the function has the argument `seed` also without `folds`.
        citation: authors, year, place.
    """

    name: str
    function: Callable[..., Any]
    needs: Needs
    min_n: Callable[[int, int], int]
    min_per_class: int
    scale_invariant: bool | None
    set_dependent: bool
    cross_fitted: bool
    random: bool
    citation: str


SCORES: dict[str, Score] = {}
"""All scores by the name of their function."""


def two_per_class(dimensions: int, classes: int) -> int:
    """Twice the number of classes: below it, classes without a second image are the rule."""
    return 2 * classes


def register(
    name: str,
    *,
    needs: Needs,
    citation: str,
    min_n: Callable[[int, int], int] = two_per_class,
    min_per_class: int = 1,
    scale_invariant: bool | None = True,
    random: bool = False,
) -> Callable[[Callable[P, float]], Callable[P, float]]:
    """Decorator that records a score of arrays and labels, and checks what it is given.

    Args:
        name: name in the literature.
        needs: name of the first argument.
        citation: authors, year, place.
        min_n: least number of images, from D (or Z) and the number of classes.
        min_per_class: least number of images of a class.
        scale_invariant: invariance to the scale of the features; `None` without features.
        random: whether the score depends on a seed also without folds.

    Raises:
        InputError: by the decorated function: arrays of other shapes, values that are not finite,
            fewer than two classes, too few images, rows of probabilities that do not sum to one, a
            class with fewer images than folds, a score that is not a number.
    """

    def decorate(function: Callable[P, float]) -> Callable[P, float]:
        signature = inspect.signature(function)

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> float:
            call = signature.bind(*args, **kwargs)
            call.apply_defaults()
            given = call.arguments
            array, labels = checked_arrays(given[needs], given["labels"], needs)
            _check_size(name, array, labels, given.get("folds"), min_n, min_per_class)
            given[needs], given["labels"] = array, labels
            value = float(function(*call.args, **call.kwargs))
            if not np.isfinite(value):
                raise InputError(f"{name} is not defined for these {needs}: got {value}")
            return value

        SCORES[function.__name__] = Score(
            name=name,
            function=checked,
            needs=needs,
            min_n=min_n,
            min_per_class=min_per_class,
            scale_invariant=scale_invariant if needs == "features" else None,
            set_dependent=False,  # one expert at a time is all that the function sees
            cross_fitted="folds" in signature.parameters,
            random=random,
            citation=citation,
        )
        return checked

    return decorate


def checked_arrays(array: ArrayLike, labels: ArrayLike, needs: Needs) -> tuple[Array, Labels]:
    """A copy of the array in float64, and labels as numbers `0..C-1`.

    Args:
        array: `[N, D]` features or `[N, Z]` probabilities.
        labels: `[N]`, the class of each image: numbers or words.
        needs: which of the two the array is; its name in messages.

    Raises:
        InputError: shapes, values or sums of rows that cannot be used, or fewer than two classes.
    """
    try:
        values = np.array(array, dtype=np.float64)
        classes, y = np.unique(np.asarray(labels), return_inverse=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"{needs}, labels: not arrays of numbers and classes: {error}") from None
    shape = np.shape(labels)
    if values.ndim != 2 or shape != values.shape[:1] or not values.size:
        raise InputError(f"expected {needs} [N, D] and labels [N]; got {values.shape} and {shape}")
    if not np.isfinite(values).all():
        raise InputError(f"{needs}: not finite in {int((~np.isfinite(values)).any(1).sum())} rows")
    if classes.dtype.kind == "f" and not np.isfinite(classes).all():
        raise InputError("labels: not finite; leave out images without a class")
    if len(classes) < 2:
        raise InputError(f"labels: one class only ({classes[0]}); a score needs two or more")
    if needs == "source_probabilities":
        off = np.abs(values.sum(1) - 1).max()
        if values.min() < 0 or off > SUM_TOLERANCE:
            raise InputError(
                f"source_probabilities: expected rows in [0, 1] that sum to one; least entry "
                f"{values.min():.3g}, largest departure {off:.3g}: apply softmax to logits"
            )
        values /= values.sum(1, keepdims=True)
    elif np.ptp(values, axis=0).max() == 0:
        raise InputError("features: the same for all images")
    return values, y.reshape(-1)


def parts(labels: Labels, folds: int, seed: int) -> Iterator[tuple[Labels, Labels]]:
    """Images to fit on and images to measure on, for each fold, with classes in proportion."""
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    yield from splitter.split(np.zeros(len(labels)), labels)


def one_hot(labels: Labels) -> Array:
    """Class indicators `[N, C]`."""
    return np.eye(labels.max() + 1)[labels]


def _check_size(
    name: str,
    array: Array,
    labels: Labels,
    folds: int | None,
    min_n: Callable[[int, int], int],
    min_per_class: int,
) -> None:
    n, dimensions = array.shape
    counts = np.bincount(labels)
    if folds is not None:
        if folds < 2 or counts.min() < folds:
            raise InputError(
                f"folds: {folds}, expected 2 or more and at most the images of the smallest class, "
                f"{counts.min()}"
            )
        min_n = two_per_class
    needed = min_n(dimensions, len(counts))
    if n < needed:
        raise InputError(
            f"{name} needs {needed} images for {dimensions} columns and {len(counts)} classes; "
            f"got {n}"
        )
    if counts.min() < min_per_class:
        raise InputError(
            f"{name} needs {min_per_class} images of each class; the smallest has {counts.min()}"
        )
