"""Whether the best of many experts beats the generic one by more than luck, image by image.

The lowest of many errors is low in part because it is the lowest. Two answers: a test of the best
that is corrected for the choice, and the gain of experts that were chosen on other images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from t2v.errors import InputError

Array = NDArray[np.float64]

TIE = 1e-9  # statistics that differ by less are equal: their sums have another order


class BestOfMany(NamedTuple):
    """The best of several experts on one task, against the generic expert."""

    best: int
    """Index of the expert with the lowest error; of several, the first."""
    gain: float
    """Its class-balanced error below that of the generic expert, in [-1, 1]."""
    luck: float
    """Mean gain of the best if none were better than the generic expert."""
    p: float
    """One-sided p-value of "no expert errs less than the generic one"."""


def best_of_many(
    generic: ArrayLike,
    experts: ArrayLike,
    labels: ArrayLike,
    *,
    resamples: int = 1999,
    seed: int = 0,
) -> BestOfMany:
    """Test whether some expert errs less than the generic one, corrected for the choice of many.

    If an expert and the generic one are equally good, then either of them might have been the one
    that is right where they differ. So for each image a coin decides whether all experts change
    places with the generic one, which keeps how they err together. The statistic is the largest
    gain in units of its standard deviation. For one expert this is McNemar's test, weighted by
    class; for many it is the step-one test of Romano and Wolf (2005), valid as images grow in
    number.

    Args:
        generic: bool `[N]`, images that the generic expert mistakes.
        experts: bool `[M, N]`, images that each of M experts mistakes.
        labels: `[N]`, class of each image.
        resamples: number of draws of the coins.
        seed: seed of the coins.

    Raises:
        InputError: if shapes do not fit together.
    """
    weighted = _gains(generic, experts, labels)
    gains, deviation = weighted.sum(1), np.sqrt(np.square(weighted).sum(1))
    best = int(np.argmax(np.round(gains, 12)))
    differ = deviation > 0
    if not differ.any():
        return BestOfMany(best, 0.0, 0.0, 1.0)
    coins = np.random.default_rng(seed).choice([-1.0, 1.0], (resamples, weighted.shape[1]))
    drawn = coins @ weighted.T
    luck = float(drawn.max(1).mean())
    scaled = (drawn[:, differ] / deviation[differ]).max(1)
    above = int(np.sum(scaled >= (gains[differ] / deviation[differ]).max() - TIE))
    return BestOfMany(best, float(gains[best]), luck, (1 + above) / (1 + resamples))


def gain_chosen_elsewhere(
    generic: ArrayLike, experts: ArrayLike, labels: ArrayLike, parts: ArrayLike
) -> float:
    """Gain of the experts that are best on the other parts, on each part, all parts together.

    No image has a say in the choice of the expert by which it is judged, so there is no luck of the
    best in this gain. It is that of a choice by trial on somewhat fewer images.

    Args:
        generic: bool `[N]`, images that the generic expert mistakes.
        experts: bool `[M, N]`, images that each of M experts mistakes.
        labels: `[N]`, class of each image.
        parts: `[N]`, number of the part to which each image belongs; two parts or more.

    Returns:
        Class-balanced error of the generic expert less that of the chosen ones, in [-1, 1].

    Raises:
        InputError: if shapes do not fit together, or there is one part only.
    """
    weighted, parts = _gains(generic, experts, labels), np.asarray(parts)
    names = np.unique(parts)
    if parts.shape != weighted.shape[1:] or len(names) < 2:
        raise InputError(
            f"parts: expected {weighted.shape[1]} numbers, two or more of them different; got "
            f"shape {parts.shape}, {len(names)} different"
        )
    gain = 0.0
    for name in names:
        inside = parts == name
        chosen = np.argmax(np.round(weighted[:, ~inside].sum(1), 12))
        gain += float(weighted[chosen, inside].sum())
    return gain


def _gains(generic: ArrayLike, experts: ArrayLike, labels: ArrayLike) -> Array:
    """What each image adds to each expert's gain, `[M, N]`."""
    wrong, others, classes = np.asarray(generic), np.asarray(experts), np.asarray(labels)
    if (
        others.ndim != 2
        or not others.shape[1:] == wrong.shape == classes.shape
        or 0 in others.shape
    ):
        raise InputError(
            "generic, experts, labels: expected shapes [N], [M, N], [N]; got "
            f"{wrong.shape}, {others.shape}, {classes.shape}"
        )
    _, index, counts = np.unique(classes, return_inverse=True, return_counts=True)
    weight = 1 / (len(counts) * counts[index])
    return weight * (wrong.astype(np.float64) - others.astype(np.float64))
